//! The rule file: text to a model in which nothing can be wrong any more.
//!
//! Text becomes nodes that know their place (`crate::yaml`), nodes become the [`model`] in one pass that collects every
//! mistake. After that, nothing about rules can fail.

mod lower;
pub mod model;
mod rule_tests;
mod rules;

pub use crate::yaml::parse_bytes;
pub use model::RuleFile;
pub use rule_tests::{Expect, Kept, NUMBER, RANDOM_ID, RuleTest, Subject};

pub(crate) use rules::is_name;

use crate::diag::{Diagnostic, in_order};
use crate::yaml;
use std::rc::Rc;

/// A file that was read: its rules, and what is legal in it but surely not meant.
#[derive(Debug)]
pub struct Loaded {
    /// The rules.
    pub rules: Rc<RuleFile>,
    /// The file's own tests, not run yet ([`crate::rule_test::load`]).
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
    let root = yaml::read(source).map_err(|mistakes| in_order(mistakes, source))?;
    let (rules, tests, mistakes) = lower::lower(source, &root);
    let mistakes = in_order(mistakes, source);
    if mistakes.iter().all(|mistake| mistake.code.is_warning()) {
        Ok(Loaded { rules: Rc::new(rules), tests, warnings: mistakes })
    } else {
        Err(mistakes)
    }
}

#[cfg(test)]
mod tests;
