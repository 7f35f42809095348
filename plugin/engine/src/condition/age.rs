//! `container_age`: how long the container had run when the record was written.

use crate::condition::{DecideBy, Ordered, RecordTest, WrittenCondition};
use crate::diag::Code;
use crate::facts::{Facts, Metadata};
use crate::pattern::Truth;
use crate::time::{EventTime, parse_duration};
use crate::yaml::Mistakes;
use std::time::Duration;

/// How long the container must have run.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerAge(AgeTest);

/// A comparison with an age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeTest {
    /// The comparison.
    pub comparison: Ordered,
    /// The age.
    pub age: Duration,
}

impl AgeTest {
    /// Whether it holds for a container that started then, at the time of a record.
    fn holds(self, started: i64, time: EventTime) -> bool {
        let started = u64::try_from(started).unwrap_or_default().saturating_mul(1_000_000_000);
        // A record from before the start (the clocks differ, or the second was cut off) has age zero.
        let age = time.as_nanos().saturating_sub(started);
        self.comparison.holds(u128::from(age), self.age.as_nanos())
    }
}

impl RecordTest for ContainerAge {
    const KEY: &'static str = "container_age";

    const DECIDE: DecideBy<ContainerAge> =
        DecideBy::Metadata(|test, facts, metadata| match metadata.get().and_then(|meta| meta.started) {
            Some(started) => test.0.holds(started, facts.time).into(),
            None => Truth::Unknown,
        });

    fn read(written: &WrittenCondition<'_>, mistakes: &mut Mistakes) -> Option<ContainerAge> {
        let text = mistakes.text(written.node, "container_age")?;
        let (comparison, word) = Ordered::split(text);
        let age = parse_duration(word);
        if age.is_none() || comparison == Ordered::Equal {
            let message = format!("`{text}` is not an age to compare with");
            let help = "write a comparison and a duration: '<60s'";
            mistakes.note_with_help(Code::Duration, &written.node.span, message, help);
            return None;
        }
        age.map(|age| ContainerAge(AgeTest { comparison, age }))
    }

    fn found(&self, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<String> {
        let age = i64::from(facts.time.sec).saturating_sub(metadata.get()?.started?);
        Some(format!("the container had run for {age} s"))
    }
}
