//! Records that cannot be read: handed back as they came, or a marker in their place.
//!
//! The rule kept here: an inner fault drops nothing, and each is counted.

use crate::engine::account::Accounting;
use crate::engine::decided::{Decided, Judged, ShadowMarks};
use crate::engine::{Answer, Engine, Fault, Input, Verdict, Why};
use crate::json;
use crate::metrics::Metric;
use crate::policy::Action;
use crate::record::TRUNCATED;

impl Engine {
    /// Counts a record that a face had to answer without showing it to the engine; `fault` says why.
    pub fn count_untouched(&mut self, fault: Metric, bytes_in: usize, bytes_out: usize) {
        self.counters.add(fault, 1);
        self.count_faulty(Fault::Record, bytes_in, bytes_out);
        self.volumes.count_untouched(bytes_in as u64, bytes_out as u64);
    }

    /// Answers a record that could not be read: untouched, but for numbers that the host could not read back. One that is too
    /// large to be delivered cannot be cut either: what is kept in its place says so.
    #[inline(never)]
    pub(super) fn hand_back(
        &mut self,
        input: Input<'_>,
        fault: Fault,
        out: &mut Vec<u8>,
    ) -> (Answer, Verdict) {
        let metric = match fault {
            Fault::Utf8 => Metric::FaultUtf8,
            Fault::Record => Metric::FaultRecord,
            Fault::Depth => Metric::FaultDepth,
            Fault::Size => Metric::FaultSize,
        };
        self.counters.add(metric, 1);
        out.clear();
        let (bytes_in, most) = (input.text.len(), self.file.input.max_record);
        // Nobody knows what it is: all that may have to go goes.
        let redacted = if bytes_in <= most { self.redacting.unreadable(input.text, &[]) } else { None };
        let text = redacted.as_deref().unwrap_or(input.text);
        let quotes = matches!(fault, Fault::Depth | Fault::Size) && bytes_in <= most;
        let quoted = if quotes { json::quote_unreadable(text, out) } else { 0 };
        if let Some(redacted) = &redacted {
            self.counters.add(Metric::Redacted, 1);
            if quoted == 0 {
                out.clear();
                out.extend_from_slice(redacted);
            }
        }
        let is_echo = quoted == 0 && bytes_in <= most && redacted.is_none();
        if !is_echo && (bytes_in > most || out.len() > most) {
            marker(UNREADABLE, bytes_in, out);
            self.counters.add(Metric::Truncated, 1);
        } else {
            self.counters.add(Metric::NumbersQuoted, quoted as u64);
        }
        self.count_faulty(fault, bytes_in, if is_echo { bytes_in } else { out.len() });
        let answer = if is_echo { Answer::Echo } else { Answer::Keep };
        (answer, Verdict { action: Action::Keep, why: Why::Fault(fault) })
    }

    fn count_faulty(&mut self, fault: Fault, bytes_in: usize, bytes_out: usize) {
        let Engine { file, rules, counters, unsaved, .. } = self;
        let judged = Judged { decided: Decided::Faulty(fault), shadows: ShadowMarks::default() };
        let mut accounting = Accounting { file, rules, counters, unsaved, may_recall: false };
        accounting.count(&judged, bytes_in as u64, bytes_out as u64);
    }
}

/// Writes what is kept in the place of a record of so many bytes that cannot be: `fault` says why, in words that need no escapes.
pub fn marker(fault: &str, bytes: usize, out: &mut Vec<u8>) {
    out.clear();
    let text = format!("{{\"nodesieve\":{{\"fault\":\"{fault}\"}},\"{TRUNCATED}\":{bytes}}}");
    out.extend_from_slice(text.as_bytes());
}

/// What is said of a record that can neither be read nor delivered.
const UNREADABLE: &str = "the record cannot be read and is larger than input.max_record";
