//! Lines become records, as Fluent Bit's tail input would make them, in the order of time.
//!
//! Files are merged by timestamp; records of one file keep their order even where their times go back, because tail
//! reads a file from its start to its end.

mod container;
mod host_time;
mod ndjson;
mod pasted;

pub use pasted::{Pasted, PastedFormat, follow, pasted};

/// One record on its way to the filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The tag.
    pub tag: String,
    /// Seconds and nanoseconds since 1970.
    pub time: (u32, u32),
    /// The record as the host's JSON text.
    pub text: String,
}

impl Record {
    /// Nanoseconds since 1970.
    pub fn nanoseconds(&self) -> u64 {
        u64::from(self.time.0).saturating_mul(1_000_000_000).saturating_add(u64::from(self.time.1))
    }
}

/// What a text came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Read {
    records: Vec<Record>,
    /// Lines that are no record, here as in Fluent Bit.
    skipped: usize,
}

/// The records of a container's log file, in the order in which their last parts stand: of containerd or CRI-O, or of Docker.
pub fn log_file(content: &[u8], tag: &str) -> Vec<Record> {
    container::read(content, tag).records
}

/// Records written down: one JSON object `{"tag","time":[s,ns],"record"}` per line.
///
/// # Errors
/// The number of the first line that is no such object, counted from 1, and what is wrong with it.
pub fn written_records(content: &[u8]) -> Result<Vec<Record>, (usize, String)> {
    ndjson::records(content)
}

/// The records of several files in the order of time.
pub fn merge(streams: Vec<Vec<Record>>) -> Vec<Record> {
    let mut all = Vec::with_capacity(streams.iter().map(Vec::len).sum());
    for records in streams {
        let mut latest = (0, 0);
        for record in records {
            latest = latest.max(record.time);
            all.push((latest, record));
        }
    }
    // Stable: what one file has at the same time stays in its order, files in the order of their names.
    all.sort_by_key(|(time, _)| *time);
    all.into_iter().map(|(_, record)| record).collect()
}

/// Gives records at the start of a file that have no time that of the first which has one.
fn date_the_first(records: &mut [Record]) {
    let Some((undated, time)) =
        records.iter().map(|record| record.time).enumerate().find(|(_, time)| *time != (0, 0))
    else {
        return;
    };
    records.iter_mut().take(undated).for_each(|record| record.time = time);
}

/// An RFC 3339 time with nanoseconds, as container runtimes write it; `None` when it is none.
fn parse_time(text: &str) -> Option<(u32, u32)> {
    let seconds = nodesieve_engine::time::parse_rfc3339(text)?;
    let fraction = text.get(19..)?.strip_prefix('.').unwrap_or_default();
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).take(9).count();
    let nanoseconds: u32 = format!("{:0<9}", fraction.get(..digits)?).parse().ok()?;
    Some((u32::try_from(seconds).ok()?, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_nanoseconds() {
        assert_eq!(parse_time("2026-11-20T10:00:00.123456789Z"), Some((1_795_168_800, 123_456_789)));
        assert_eq!(parse_time("2026-11-20T11:00:00.5+01:00"), Some((1_795_168_800, 500_000_000)));
        assert_eq!(parse_time("2026-11-20T10:00:00Z"), Some((1_795_168_800, 0)));
        assert_eq!(parse_time("yesterday"), None);
    }

    #[test]
    fn files_merge_by_time_and_keep_their_own_order() {
        let record =
            |tag: &str, sec: u32, text: &str| Record { tag: tag.into(), time: (sec, 0), text: text.into() };
        let merged = merge(vec![
            vec![record("a", 1, "1"), record("a", 9, "2"), record("a", 3, "3")],
            vec![record("b", 5, "4"), record("b", 9, "5")],
        ]);
        let order: Vec<&str> = merged.iter().map(|record| record.text.as_str()).collect();
        assert_eq!(order, ["1", "4", "2", "3", "5"]);
    }
}
