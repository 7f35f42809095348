//! What the probe asks and what it takes for an answer; pure.
//!
//! It exists because Fluent Bit can run on without a filter that works: a function that traps loses its records, and a
//! record that passes untouched looks well. The rule it keeps: a yes is a record with a mark in it that only the whole way
//! through the filter makes. The probe's rule file was read and its tests, which go through the policies and the
//! patterns, have passed, or its rule would not be in force; the record was matched as JSON, hashed, and spliced.

/// The tag of the probe's record: that of a container's log.
pub const TAG: &str = "kube.var.log.containers.probe_nodesieve_probe-\
                       0000000000000000000000000000000000000000000000000000000000000000.log";
/// The record.
pub const RECORD: &str =
    r#"{"log":"{\"level\":\"info\",\"probe\":7,\"trace_id\":\"4bf92f3577b34da6a3ffffffffffffff\"}"}"#;
/// The rule that decides it, in the probe's rule file; a record that a rule has sampled says which.
pub const RULE: &str = "probe";

/// How much of each stream is looked at.
const LARGEST: usize = 64 * 1024;
/// The longest quotation from Fluent Bit's log.
const QUOTED: usize = 300;

/// What the probe has said so far.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Its records.
    pub(crate) stdout: Vec<u8>,
    /// Its log.
    pub(crate) stderr: Vec<u8>,
}

/// What came out of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeAnswer {
    /// Nothing yet.
    None,
    /// The record, decided by [`RULE`].
    Right,
    /// Something else.
    Wrong,
}

/// Adds to what was said, up to a limit: a probe that never stops talking takes no memory.
pub(crate) fn add(said: &mut Vec<u8>, bytes: &[u8]) {
    let room = LARGEST.saturating_sub(said.len()).min(bytes.len());
    said.extend_from_slice(bytes.get(..room).unwrap_or_default());
}

impl Said {
    /// Looks at the first whole record.
    pub(crate) fn answer(&self) -> ProbeAnswer {
        let lines = self.stdout.split_inclusive(|byte| *byte == b'\n');
        let record = lines.filter(|line| line.ends_with(b"\n")).find(|line| line.starts_with(b"{"));
        match record {
            None => ProbeAnswer::None,
            Some(line) if String::from_utf8_lossy(line).contains(&format!("\"rule\":\"{RULE}\"")) => {
                ProbeAnswer::Right
            }
            Some(_) => ProbeAnswer::Wrong,
        }
    }

    /// The line of the log that says most: the first error or the signal that Fluent Bit has caught, else the last line unless
    /// that is of its ordinary course.
    pub(crate) fn complaint(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.stderr);
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
        // Behind time and level.
        let error = |line: &str| line.split_once("[error] ").map(|(_, rest)| rest.to_owned());
        let caught = |line: &str| line.find("caught signal").and_then(|at| line.get(at..)).map(str::to_owned);
        let last = || lines().next_back().filter(|line| !line.contains("[ info]")).map(str::to_owned);
        let line = lines().find_map(error).or_else(|| lines().find_map(caught)).or_else(last)?;
        let printable = line.chars().filter(|letter| !letter.is_control());
        Some(printable.take(QUOTED).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stdout: &str, stderr: &str) -> Said {
        Said { stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn only_a_record_that_the_rule_has_decided_is_a_right_answer() {
        let right =
            "{\"date\":1,\"log\":\"x\",\"nodesieve\":{\"rule\":\"probe\",\"rate\":0.5,\"th\":\"8\"}}\n";
        let cases = [
            ("", ProbeAnswer::None),
            ("some banner\n", ProbeAnswer::None),
            (right.trim_end(), ProbeAnswer::None),
            (right, ProbeAnswer::Right),
            ("{\"date\":1,\"log\":\"x\"}\n", ProbeAnswer::Wrong),
            ("{\"date\":1,\"nodesieve\":{\"rule\":\"probes\"}}\n", ProbeAnswer::Wrong),
        ];
        for (stdout, expected) in cases {
            assert_eq!(said(stdout, "").answer(), expected, "{stdout}");
        }
        assert!(!RECORD.contains("\"rule\""));
    }

    #[test]
    fn the_first_error_is_what_is_told() {
        let log = "Fluent Bit v5\n[2026/11/27 10:00:00.1] [ warn] a\n[2026/11/27 10:00:00.1] [error] \u{1b}Load failed\n\
                   [2026/11/27 10:00:00.1] [error] more\n";
        assert_eq!(said("", log).complaint().as_deref(), Some("Load failed"));
        assert_eq!(said("", "a\nb\n\n").complaint().as_deref(), Some("b"));
        assert_eq!(said("", "a\n[2026/11/27 10:00:00.1] [ info] b\n").complaint(), None);
        let caught = "[2026/11/27 10:00:00] [engine] caught signal (SIGSEGV)\n#0 0x7f in ???() at ???:0\n";
        assert_eq!(said("", caught).complaint().as_deref(), Some("caught signal (SIGSEGV)"));
        assert_eq!(said("", "\n").complaint(), None);
        assert_eq!(said("", &"x".repeat(1000)).complaint().map(|line| line.len()), Some(QUOTED));
    }

    #[test]
    fn what_is_said_without_end_takes_no_memory() {
        let mut heard = Vec::new();
        for _ in 0..100 {
            add(&mut heard, &[b'x'; 4096]);
        }
        assert_eq!(heard.len(), LARGEST);
    }
}
