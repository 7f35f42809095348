//! `message`: a CloudWatch pattern over the line.

use crate::condition::{DecideBy, Needs, RecordTest, Shows, WrittenCondition, written_pattern};
use crate::diag::Code;
use crate::facts::{Facts, Metadata};
use crate::line::Line;
use crate::pattern::{Pattern, Searched};
use crate::yaml::Mistakes;

/// The key under which metadata is looked for by mistake.
const METADATA: &str = "kubernetes";

/// What the line must match.
#[derive(Clone, Debug, PartialEq)]
pub struct Message(Pattern);

impl Message {
    /// The names in a space-delimited pattern.
    pub(crate) fn columns(&self) -> Vec<&str> {
        self.0.columns()
    }

    /// What a line that matches has under one of them.
    pub(crate) fn column(&self, name: &str, line: &Line<'_>) -> Option<Vec<u8>> {
        self.0.column(name, line)
    }
}

impl RecordTest for Message {
    const KEY: &'static str = "message";

    const DECIDE: DecideBy<Message> =
        DecideBy::Record(|test, facts| facts.line.is_some_and(|line| test.0.matches(&Searched::alone(line))));

    fn read(written: &WrittenCondition<'_>, mistakes: &mut Mistakes) -> Option<Message> {
        let (text, pattern) = written_pattern::parse(written, Self::KEY, mistakes)?;
        written_pattern::warn(written, text, &pattern, mistakes);
        if pattern.reaches_into(METADATA) {
            let message = "`message` is about the line, which has no metadata: it is on the record";
            let help = format!("write record: '{}'", text.replace('\'', "''"));
            mistakes.note_with_help(Code::PatternDoubt, &written.node.span, message, help);
        }
        Some(Message(pattern))
    }

    fn shows(&self) -> Shows {
        if self.0.is_one_text() { Shows::AllByText } else { Shows::AllButLine }
    }

    fn holds_for(&self, line: &Searched<'_>) -> bool {
        self.0.matches(line)
    }

    fn needs(&self) -> Needs {
        Needs::one_of(self.0.needed_texts())
    }

    fn found(&self, facts: &Facts<'_>, _: &mut Metadata<'_>) -> Option<String> {
        match facts.line {
            Some(line) => self.0.why_not(line),
            None => Some("the record has no message".into()),
        }
    }
}
