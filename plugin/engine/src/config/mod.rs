//! The rule file: text to a model in which nothing can be wrong any more.
//!
//! Text becomes nodes that know their place (`crate::yaml`), nodes become the [`model`] in one pass that collects every
//! mistake. After that, nothing about rules can fail.

mod delegate;
mod enrich;
mod lower;
pub mod model;
mod own_paths;
mod rule_tests;
mod rules;

pub use crate::yaml::parse_bytes;
pub use delegate::{
    Delegate, Fragment, LoadedFragment, MAX_FRAGMENT_BYTES, MAX_FRAGMENTS, MaxKeep, Owner, load_fragment,
};
pub use model::RuleFile;
pub use own_paths::FLUENT_BITS;
pub use rule_tests::{Expect, Kept, NUMBER, RANDOM_ID, RuleTest, Subject};

pub(crate) use crate::yaml::is_name;
pub(crate) use delegate::{BY_LIMIT, BY_SAMPLE};

use crate::diag::{Code, Diagnostic, in_order};
use crate::pods::MetadataFrom;
use crate::yaml;
use std::rc::Rc;

/// A file that was read: its rules, and what is legal in it but surely not meant.
#[derive(Debug)]
pub struct Loaded {
    /// The rules.
    pub rules: Rc<RuleFile>,
    /// The file's own tests, not run yet ([`crate::rule_test::TestRun`]).
    pub tests: Vec<RuleTest>,
    /// Warnings only.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a rule file.
///
/// # Errors
/// Every mistake in the file, and the warnings with them, when there is at least one mistake.
#[inline(never)]
pub fn load(source: &str) -> Result<Loaded, Vec<Diagnostic>> {
    if source.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, at most {MAX_BYTES} are read", source.len());
        return Err(vec![Diagnostic::new(Code::TooLarge, 0..0, message)]);
    }
    let root = yaml::read(source).map_err(|mistakes| in_order(mistakes, source))?;
    let (rules, tests, mistakes) = lower::lower(source, &root);
    if mistakes.are_serious() {
        Err(mistakes.in_order(source))
    } else {
        let mut warnings = mistakes.in_order(source);
        // Where metadata is on the record the sidecar has no say.
        if rules.enrich.source == MetadataFrom::Record {
            warnings.retain(|warning| warning.code != Code::Unwritten);
        }
        // What pods ask for is among the rules from the start.
        let rules = if rules.delegate.is_some() { rules.with_fragments(&[]) } else { rules };
        Ok(Loaded { rules: Rc::new(rules), tests, warnings })
    }
}

/// Largest rule file, in bytes: what a ConfigMap holds.
pub const MAX_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests;
