//! The fragments beside the rule file: when they are read, and which of them are in force.
//!
//! The rule kept here: a fragment that is bad is refused alone, and the one before it of its namespace stays; however many there are, a
//! tick reads and tests a few, so that records do not wait.

use super::Housekeeping;
use crate::files::{Stamp, read_text, say, stamp};
use nodesieve_engine::config::{Fragment, MAX_FRAGMENT_BYTES, MAX_FRAGMENTS, RuleFile, load_fragment};
use nodesieve_engine::diag::{Code, Diagnostic, Paint, render_all};
use nodesieve_engine::engine::{Clock, FragmentState};
use nodesieve_engine::rule_test;
use nodesieve_engine::time::Now;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// All fragments.
#[derive(Default)]
pub(super) struct Fragments {
    /// The platform's rules without them.
    platform: Option<Rc<RuleFile>>,
    known: Vec<Known>,
    /// Those that have changed and were not read yet.
    waiting: Vec<String>,
    looked: Option<Now>,
    /// Whether it has been said that there are some which nobody asked for.
    has_said_unused: bool,
}

/// What is known of one.
#[derive(Default)]
struct Known {
    namespace: String,
    stamp: Option<Stamp>,
    /// The one in force.
    fragment: Option<Rc<Fragment>>,
    /// What was first wrong with the one on disk.
    refused: Option<Code>,
}

impl Housekeeping {
    /// Other rules of the platform are in force: those of fragments are read once more to go with them, without their tests.
    pub(super) fn follow_platform(&mut self, rules: &Rc<RuleFile>) -> Rc<RuleFile> {
        self.fragments.platform = Some(Rc::clone(rules));
        self.fragments.looked = None;
        if rules.delegate.is_none() {
            self.fragments.known.clear();
            return Rc::clone(rules);
        }
        let Some(directory) = self.fragments_directory() else { return Rc::clone(rules) };
        for known in &mut self.fragments.known {
            if known.fragment.is_none() {
                continue;
            }
            let source = read_text(&path_of(&directory, &known.namespace), MAX_FRAGMENT_BYTES as u64);
            let found = source.ok().and_then(|source| load_fragment(&source, &known.namespace, rules).ok());
            known.fragment = found.map(|found| found.fragment);
            // Its tests are run again, with these rules.
            known.stamp = None;
        }
        self.with_fragments(rules)
    }

    /// The same in front of the first record that other rules decide: what teams say is in force with them.
    pub(super) fn follow_new_platform(&mut self, now: Now, clock: &mut dyn Clock) {
        let has_delegated = self.engine.rules().delegate.is_some();
        if has_delegated && self.fragments.looked.is_none() {
            self.follow_fragments(now, clock);
        }
    }

    /// Looks for fragments that have changed, and reads some.
    pub(super) fn follow_fragments(&mut self, now: Now, clock: &mut dyn Clock) {
        let Some(platform) = self.fragments.platform.clone() else { return };
        let is_due = |last: Now| now.since(last).is_none_or(|past| past >= LOOK_EVERY);
        if self.fragments.looked.is_none_or(is_due) {
            self.fragments.looked = Some(now);
            self.look_for_fragments(&platform);
        }
        if self.fragments.waiting.is_empty() {
            return;
        }
        let Some(directory) = self.fragments_directory() else { return };
        let start = clock.now();
        while let Some(namespace) = self.fragments.waiting.pop() {
            self.read_fragment(&directory, &namespace, &platform);
            if clock.now().since(start).is_none_or(|past| past >= A_TICK_HAS) {
                break;
            }
        }
        let rules = self.with_fragments(&platform);
        self.engine.replace_rules(rules);
    }

    fn look_for_fragments(&mut self, platform: &RuleFile) {
        let directory = self.fragments_directory();
        let names = directory.as_deref().map(names_in).unwrap_or_default();
        if platform.delegate.is_none() {
            if !names.is_empty() && !std::mem::replace(&mut self.fragments.has_said_unused, true) {
                say("nodesieve: read rules.d: the rule file delegates nothing, so no fragment is in force\n");
            }
            return;
        }
        let Fragments { known, waiting, .. } = &mut self.fragments;
        waiting.clear();
        let gone = known.iter().map(|known| &known.namespace).filter(|namespace| !names.contains(namespace));
        waiting.extend(gone.cloned());
        for namespace in names {
            let found = directory.as_deref().and_then(|directory| stamp(&path_of(directory, &namespace)));
            let before = known.iter().find(|known| known.namespace == namespace);
            if before.is_none_or(|known| known.stamp != found) {
                waiting.push(namespace);
            }
        }
    }

    fn read_fragment(&mut self, directory: &Path, namespace: &str, platform: &RuleFile) {
        let path = path_of(directory, namespace);
        let Some(found) = stamp(&path) else {
            self.fragments.known.retain(|known| known.namespace != namespace);
            return;
        };
        let all = &mut self.fragments.known;
        // In the order of names, so that every start comes to the same.
        let at = all.partition_point(|known| *known.namespace < *namespace);
        if all.get(at).is_none_or(|known| known.namespace != namespace) {
            all.insert(at, Known { namespace: namespace.to_owned(), ..Known::default() });
        }
        let Some(known) = all.get_mut(at) else { return };
        known.stamp = Some(found);
        let shown = path.display().to_string();
        let source = match read_text(&path, MAX_FRAGMENT_BYTES as u64) {
            Ok(source) => source,
            Err(error) => {
                known.refused = Some(Code::TooLarge);
                return say(&format!("nodesieve: read {shown}: {error}{}\n", standing(known)));
            }
        };
        match rule_test::load_fragment(&source, namespace, platform) {
            Ok((fragment, warnings)) => {
                if !warnings.is_empty() {
                    say(&render_all(&warnings, &source, &shown, Paint::Plain));
                }
                (known.fragment, known.refused) = (Some(fragment), None);
            }
            Err(mistakes) => {
                known.refused =
                    mistakes.iter().map(|mistake: &Diagnostic| mistake.code).find(|code| !code.is_warning());
                let list = render_all(&mistakes, &source, &shown, Paint::Plain);
                say(&format!("{list}nodesieve: load {shown}: it is refused{}\n", standing(known)));
            }
        }
    }

    /// The platform's rules with those of all fragments in force.
    fn with_fragments(&mut self, platform: &Rc<RuleFile>) -> Rc<RuleFile> {
        let known = &self.fragments.known;
        let good: Vec<Rc<Fragment>> = known.iter().filter_map(|known| known.fragment.clone()).collect();
        let rules = match good.is_empty() {
            true => Rc::clone(platform),
            false => Rc::new(platform.with_fragments(&good)),
        };
        let is_in = |namespace: &str| rules.fragments.iter().any(|(known, _)| **known == *namespace);
        let states = known.iter().map(|known| {
            let namespace = &known.namespace;
            let fragment = known.fragment.as_ref();
            // There is no room for one that is good by itself.
            let is_left_out = fragment.is_some() && !is_in(namespace);
            FragmentState {
                namespace: namespace.as_str().into(),
                rules: fragment.filter(|_| !is_left_out).map_or(0, |fragment| fragment.rules.len()),
                refused: known.refused.or(is_left_out.then_some(Code::TooLarge)),
            }
        });
        self.engine.note_fragments(states.collect());
        rules
    }

    fn fragments_directory(&self) -> Option<PathBuf> {
        Some(self.rule_file.as_deref()?.parent()?.join(DIRECTORY))
    }
}

/// What is said of the fragment before a bad one.
fn standing(known: &Known) -> &'static str {
    if known.fragment.is_some() { "; the one before it stays in force" } else { "" }
}

fn path_of(directory: &Path, namespace: &str) -> PathBuf {
    directory.join(format!("{namespace}.yaml"))
}

/// The namespaces that there are fragments of; of very many, the first.
fn names_in(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned)).collect();
    names.sort();
    names.truncate(MAX_FRAGMENTS);
    names
}

/// Beside the rule file.
const DIRECTORY: &str = "rules.d";
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long fragments are read and tested on a tick.
const A_TICK_HAS: Duration = Duration::from_millis(100);
