//! `record`: a JSON pattern over the record with its metadata.

use crate::condition::{DecideBy, RecordTest, WrittenCondition, written_pattern};
use crate::diag::Code;
use crate::facts::{Facts, Metadata};
use crate::pattern::Pattern;
use crate::yaml::Mistakes;

/// What the record must match; unknown where metadata that would tell is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeRecord(Pattern);

impl RecordTest for WholeRecord {
    const KEY: &'static str = "record";

    const DECIDE: DecideBy<WholeRecord> =
        DecideBy::Metadata(|test, facts, metadata| facts.record_matches(&test.0, metadata));

    fn read(written: &WrittenCondition<'_>, mistakes: &mut Mistakes) -> Option<WholeRecord> {
        let (text, pattern) = written_pattern::parse(written, Self::KEY, mistakes)?;
        if !pattern.is_object() {
            let message = "a record is matched by a JSON pattern, this is another form";
            let help = "write record: '{ $.field = value }', or use `message` for the line";
            mistakes.note_with_help(Code::Pattern, &written.node.span, message, help);
            return None;
        }
        written_pattern::warn(written, text, &pattern, mistakes);
        Some(WholeRecord(pattern))
    }

    fn found(&self, facts: &Facts<'_>, metadata: &mut Metadata<'_>) -> Option<String> {
        let enrichment = metadata.enrichment;
        let meta = if self.0.reaches_into(&enrichment.key) { metadata.get() } else { None };
        facts.document(&self.0, enrichment, meta.as_deref(), |document| self.0.why_not_document(&document))
    }

    fn reaches_into(&self, key: &str) -> bool {
        self.0.reaches_into(key)
    }
}
