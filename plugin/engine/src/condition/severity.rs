//! `severity`: the level of the line, compared.

use crate::condition::{DecideBy, Needs, Ordered, RecordTest, Shows, WrittenCondition, is};
use crate::diag::Code;
use crate::facts::{Facts, Metadata, level_bit};
use crate::severity::Severity;
use crate::yaml::Mistakes;

/// What a line's severity must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeverityTest {
    /// Compared with a level; an unknown severity never holds.
    Compared(Ordered, Severity),
    /// Unknown.
    Unknown,
}

impl RecordTest for SeverityTest {
    const KEY: &'static str = "severity";

    const DECIDE: DecideBy<SeverityTest> = DecideBy::Record(|test, facts| match (test, facts.severity()) {
        (SeverityTest::Compared(comparison, level), Some(severity)) => comparison.holds(severity, *level),
        (SeverityTest::Compared(..), None) => false,
        (SeverityTest::Unknown, severity) => severity.is_none(),
    });

    fn read(written: &WrittenCondition<'_>, mistakes: &mut Mistakes) -> Option<SeverityTest> {
        let text = mistakes.text(written.node, "severity")?;
        if text == "unknown" {
            return Some(SeverityTest::Unknown);
        }
        let (comparison, word) = Ordered::split(text);
        match Severity::NAMES.iter().find(|(name, _)| *name == word) {
            Some((_, severity)) => Some(SeverityTest::Compared(comparison, *severity)),
            None => {
                let names = Severity::NAMES.map(|(name, _)| name);
                let help = match mistakes.near(word, names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("compare with one of {}: '>=error'", names.join(", ")),
                };
                let message = format!("`{word}` is not a severity");
                mistakes.note_with_help(Code::Value, &written.node.span, message, help);
                None
            }
        }
    }

    fn shows(&self) -> Shows {
        Shows::All
    }

    fn needs(&self) -> Needs {
        let levels = match self {
            SeverityTest::Unknown => level_bit(None),
            SeverityTest::Compared(comparison, level) => {
                let holding =
                    Severity::NAMES.iter().filter(|(_, severity)| comparison.holds(*severity, *level));
                holding.fold(0, |levels, (_, severity)| levels | level_bit(Some(*severity)))
            }
        };
        Needs { levels, ..Needs::default() }
    }

    fn found(&self, facts: &Facts<'_>, _: &mut Metadata<'_>) -> Option<String> {
        Some(is("severity", Some(facts.severity().map_or("unknown", Severity::name))))
    }
}
