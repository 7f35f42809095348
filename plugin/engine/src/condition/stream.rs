//! `stream`: where the record came out of its container.

use crate::condition::{DecideBy, Needs, RecordTest, Shows, WrittenCondition, is};
use crate::diag::Code;
use crate::facts::{Facts, Metadata, stream_bit};
use crate::record::StreamName;
use crate::yaml::Mistakes;

/// One of a container's two streams.
#[derive(Clone, Debug, PartialEq)]
pub struct OnStream(Box<str>);

impl RecordTest for OnStream {
    const KEY: &'static str = "stream";

    const DECIDE: DecideBy<OnStream> =
        DecideBy::Record(|test, facts| facts.record.stream() == Some(test.0.as_bytes()));

    fn read(written: &WrittenCondition<'_>, mistakes: &mut Mistakes) -> Option<OnStream> {
        match mistakes.text(written.node, "stream")? {
            text @ ("stdout" | "stderr") => Some(OnStream(text.into())),
            other => {
                let message = format!("stream must be stdout or stderr, found `{other}`");
                mistakes.note(Code::Value, &written.node.span, message);
                None
            }
        }
    }

    fn shows(&self) -> Shows {
        Shows::All
    }

    fn needs(&self) -> Needs {
        Needs { streams: stream_bit(StreamName::of(self.0.as_bytes())), ..Needs::default() }
    }

    fn found(&self, facts: &Facts<'_>, _: &mut Metadata<'_>) -> Option<String> {
        Some(is("stream", facts.record.stream().and_then(|stream| std::str::from_utf8(stream).ok())))
    }
}
