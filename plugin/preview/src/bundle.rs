//! A rule file with the fragments that go with it, as one text: what the page edits, and what the harness hands over.
//!
//! A line `--- # rules.d/<namespace>.yaml` begins a fragment. The rule kept here: a fragment with mistakes is refused alone, and its
//! mistakes are at their places in the whole text.

use nodesieve_engine::config::{Fragment, Loaded, RuleFile};
use nodesieve_engine::diag::Diagnostic;
use nodesieve_engine::rule_test::{load_explained, load_fragment_explained};
use std::rc::Rc;

/// The parts of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle<'b> {
    /// The platform's rule file.
    pub platform: &'b str,
    /// The fragments in order.
    pub fragments: Vec<Part<'b>>,
}

/// One fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'b> {
    /// The namespace that its file is named after.
    pub namespace: &'b str,
    /// Its text.
    pub text: &'b str,
    /// Where that starts in the whole.
    pub at: usize,
}

/// What a text means.
#[derive(Debug)]
pub struct LoadedBundle {
    /// The platform's rules with those of all fragments that are good.
    pub loaded: Loaded,
    /// What is wrong with fragments, and what is legal in them but surely not meant.
    pub findings: Vec<Diagnostic>,
    /// The namespaces whose fragments are refused.
    pub refused: Vec<String>,
}

impl<'b> Bundle<'b> {
    /// Takes a text apart.
    pub fn of(text: &'b str) -> Bundle<'b> {
        let mut starts: Vec<(usize, usize, &str)> = Vec::new();
        let mut at = 0usize;
        for line in text.split_inclusive('\n') {
            let end = at.saturating_add(line.len());
            if let Some(namespace) = namespace_of(line) {
                starts.push((at, end, namespace));
            }
            at = end;
        }
        let first = starts.first().map_or(text.len(), |(start, ..)| *start);
        let ends = starts.iter().skip(1).map(|(start, ..)| *start).chain([text.len()]);
        let part = |((_, from, namespace), to): (&(usize, usize, &'b str), usize)| Part {
            namespace,
            text: text.get(*from..to).unwrap_or_default(),
            at: *from,
        };
        Bundle {
            platform: text.get(..first).unwrap_or_default(),
            fragments: starts.iter().zip(ends).map(part).collect(),
        }
    }

    /// The parts as one text.
    pub fn joined<'t>(platform: &str, fragments: impl IntoIterator<Item = (&'t str, &'t str)>) -> String {
        let mut text = platform.to_owned();
        for (namespace, fragment) in fragments {
            if !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&format!("{SEPARATOR}{namespace}.yaml\n{fragment}"));
        }
        text
    }

    /// Reads all of it; its own tests have been run.
    ///
    /// # Errors
    /// The mistakes of the platform's part.
    pub fn load(&self) -> Result<LoadedBundle, Vec<Diagnostic>> {
        let mut loaded = load_explained(self.platform)?;
        let (mut findings, mut refused, mut good) = (Vec::new(), Vec::new(), Vec::new());
        for part in &self.fragments {
            let (fragment, found) = part.load(&loaded.rules);
            match fragment {
                Some(fragment) => good.push(fragment),
                None => refused.push(part.namespace.to_owned()),
            }
            findings.extend(found.into_iter().map(|diagnostic| Diagnostic {
                span: diagnostic.span.start.saturating_add(part.at)
                    ..diagnostic.span.end.saturating_add(part.at),
                ..diagnostic
            }));
        }
        if !good.is_empty() {
            loaded.rules = Rc::new(loaded.rules.with_fragments(&good));
        }
        Ok(LoadedBundle { loaded, findings, refused })
    }
}

impl Part<'_> {
    /// Reads it, to go with these rules: the fragment if it is good, and what is to be said about it.
    pub fn load(&self, platform: &RuleFile) -> (Option<Rc<Fragment>>, Vec<Diagnostic>) {
        match load_fragment_explained(self.text, self.namespace, platform) {
            Ok((fragment, warnings)) => (Some(fragment), warnings),
            Err(mistakes) => (None, mistakes),
        }
    }
}

/// The namespace of a line that begins a fragment.
fn namespace_of(line: &str) -> Option<&str> {
    line.trim_end().strip_prefix(SEPARATOR)?.strip_suffix(".yaml")
}

/// What begins a fragment, in front of its namespace.
const SEPARATOR: &str = "--- # rules.d/";

#[cfg(test)]
mod tests {
    use super::*;

    const PLATFORM: &str = "version: 1\ndelegate: {}\n";
    const GOOD: &str = "version: 1\nrules: [{ name: all, keep: {} }]\n";

    #[test]
    fn a_text_is_taken_apart_where_fragments_begin() {
        let text = Bundle::joined(PLATFORM, [("payments", GOOD), ("shop", "version: 1\n")]);
        let bundle = Bundle::of(&text);
        assert_eq!(bundle.platform, PLATFORM);
        let parts: Vec<(&str, &str)> =
            bundle.fragments.iter().map(|part| (part.namespace, part.text)).collect();
        assert_eq!(parts, [("payments", GOOD), ("shop", "version: 1\n")]);
        assert!(Bundle::of(PLATFORM).fragments.is_empty() && Bundle::of("").platform.is_empty());
    }

    #[test]
    fn a_bad_fragment_is_refused_alone_with_its_mistakes_in_their_places() {
        let text = Bundle::joined(PLATFORM, [("payments", GOOD), ("shop", "version: 1\nguards: []\n")]);
        let found = Bundle::of(&text).load().unwrap();
        let names: Vec<&str> = found.loaded.rules.rules.iter().map(|rule| &*rule.name).collect();
        assert_eq!(names, ["pod/sample", "pod/limit", "payments/all"]);
        assert_eq!(found.refused, ["shop"]);
        assert_eq!(&text[found.findings[0].span.clone()], "guards");
        assert!(Bundle::of("version: 2\n").load().is_err());
    }
}
