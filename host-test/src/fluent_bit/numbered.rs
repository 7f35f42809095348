//! Lines with numbers: written to the containers' logs, and recognised where they arrive.
//!
//! It exists because a count alone cannot tell a line that came twice from one that was lost. The rule it keeps: a line's
//! number is in its text and nowhere else.

use super::run::lines;
use super::{FluentBitError, LOGS, POD_LOGS, Running};
use crate::kubelet::{FakePod, list};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Pods with a container each.
pub(super) const PODS: u8 = 20;

/// The kubelet's list of these pods.
pub(super) fn pod_list() -> Vec<u8> {
    list_of(0..u64::from(PODS))
}

/// The kubelet's list of the pods of these numbers.
pub(super) fn list_of(pods: Range<u64>) -> Vec<u8> {
    let pod = |n| FakePod::new("shop", &format!("web-{n}")).with("app", &format!("{n:064x}"));
    list(pods.map(|n| pod(n).item()))
}

/// Lines by their number.
#[derive(Default)]
pub(super) struct Arrived {
    /// How often each has arrived, and how.
    pub(super) numbers: BTreeMap<u64, ArrivedLine>,
    /// Those of which the end has arrived as a record of its own.
    pub(super) ends: BTreeSet<u64>,
}

pub(super) struct ArrivedLine {
    /// How often.
    pub(super) times: u64,
    /// Whether the first to arrive had the pod's labels.
    pub(super) enriched: bool,
}

impl Arrived {
    /// Takes what has arrived since this was last called.
    pub(super) fn take(&mut self, running: &Running) -> Result<(), FluentBitError> {
        let mut records = Vec::new();
        for record in running.firehose().take_records() {
            lines(&record, &mut records)?;
        }
        for (_, record) in &records {
            self.add(record);
        }
        Ok(())
    }

    /// How many of these have arrived, whole or by their end.
    pub(super) fn seen(&self, numbers: Range<u64>) -> u64 {
        let whole = self.numbers.range(numbers.clone()).count();
        let by_end = self.ends.range(numbers).filter(|number| !self.numbers.contains_key(number)).count();
        (whole + by_end) as u64
    }

    /// Waits until so many different ones have arrived, `patience` at most; tells whether they have.
    pub(super) fn wait_for(
        &mut self,
        running: &Running,
        numbers: u64,
        patience: Duration,
    ) -> Result<bool, FluentBitError> {
        self.wait_until(running, |arrived| arrived.numbers.len() as u64 >= numbers, patience)
    }

    /// Waits until `is_enough`, `patience` at most; tells whether it is.
    pub(super) fn wait_until(
        &mut self,
        running: &Running,
        is_enough: impl Fn(&Arrived) -> bool,
        patience: Duration,
    ) -> Result<bool, FluentBitError> {
        let deadline = Instant::now() + patience;
        loop {
            self.take(running)?;
            if is_enough(self) {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Adds one record; a tick or a summary has no number.
    pub(super) fn add(&mut self, record: &Value) {
        let log = record["log"].as_str().unwrap_or_default();
        if let Some(number) = log.strip_prefix(PARTS[1]).and_then(|number| number.parse().ok()) {
            self.ends.insert(number);
        }
        let Some(number) = log.strip_prefix("line ").and_then(|number| number.parse().ok()) else { return };
        let kubernetes = &record["kubernetes"];
        let enriched =
            kubernetes["labels"]["app"].is_string() && kubernetes["labels"]["app"] == kubernetes["pod_name"];
        self.numbers.entry(number).or_insert(ArrivedLine { times: 0, enriched }).times += 1;
    }
}

/// Writes these lines, to one container after the other, where the runtime writes them: behind the link in [`LOGS`].
pub(super) fn write(running: &Running, numbers: Range<u64>) -> Result<(), FluentBitError> {
    let mut texts: BTreeMap<u64, String> = BTreeMap::new();
    for number in numbers {
        texts.entry(number % u64::from(PODS)).or_default().push_str(&line(number));
    }
    texts.into_iter().try_for_each(|(pod, text)| write_text(running, pod, &text))
}

/// The same, with one line in four as a runtime writes a long one: in two parts, with time between them. The first part is
/// written with the line before it in that container; none is left open at `end`.
pub(super) fn write_with_parts(
    running: &Running,
    numbers: Range<u64>,
    end: u64,
) -> Result<(), FluentBitError> {
    let pods = u64::from(PODS);
    let is_split = |number: u64| number < end && number / pods % 4 == 3;
    let mut texts: BTreeMap<u64, String> = BTreeMap::new();
    for number in numbers {
        let text = texts.entry(number % pods).or_default();
        if is_split(number) {
            let _ = writeln!(text, "{STAMP} F {}{number}", PARTS[1]);
        } else {
            text.push_str(&line(number));
        }
        if is_split(number + pods) {
            let _ = writeln!(text, "{STAMP} P {}", PARTS[0]);
        }
    }
    texts.into_iter().try_for_each(|(pod, text)| write_text(running, pod, &text))
}

/// Writes these lines to the container of this pod.
pub(super) fn write_to(running: &Running, pod: u64, numbers: Range<u64>) -> Result<(), FluentBitError> {
    write_text(running, pod, &numbers.map(line).collect::<String>())
}

/// `line `, in two parts.
const PARTS: [&str; 2] = ["lin", "e "];
/// How the runtime starts what it writes.
const STAMP: &str = "2026-11-20T10:00:00.000000001Z stdout";

fn line(number: u64) -> String {
    format!("{STAMP} F line {number}\n")
}

fn write_text(running: &Running, pod: u64, text: &str) -> Result<(), FluentBitError> {
    let path = log_file(running, pod);
    append(&path, text, &link(running, pod)).map_err(|reason| FluentBitError::Make { path, reason })
}

/// Removes what a pod has written, as kubelet does when it is gone.
pub(super) fn remove(running: &Running, pod: u64) -> Result<(), FluentBitError> {
    let (log, link) = (log_file(running, pod), link(running, pod));
    let directory = log.parent().and_then(Path::parent).map(Path::to_owned).unwrap_or(log);
    for (path, removed) in [(&link, fs::remove_file(&link)), (&directory, fs::remove_dir_all(&directory))] {
        match removed {
            Err(reason) if reason.kind() != io::ErrorKind::NotFound => {
                return Err(FluentBitError::Make { path: path.clone(), reason });
            }
            _ => {}
        }
    }
    Ok(())
}

fn append(path: &Path, text: &str, link: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())?;
    match fs::symlink_metadata(link) {
        Ok(_) => Ok(()),
        Err(_) => std::os::unix::fs::symlink(path, link),
    }
}

/// Rotates all logs as kubelet does with `containerLogMaxFiles: 5`: the file gets another name, the one before the last four
/// is removed, and the next line makes a new one. `turn` counts the rotations from 0.
pub(super) fn rotate(running: &Running, turn: u64) -> Result<(), FluentBitError> {
    rotate_logs_of(running, 0..u64::from(PODS), turn)
}

/// The same of the pods of these numbers.
pub(super) fn rotate_logs_of(running: &Running, pods: Range<u64>, turn: u64) -> Result<(), FluentBitError> {
    for pod in pods {
        let path = log_file(running, pod);
        let rotated = |turn: u64| path.with_file_name(format!("0.log.{turn:06}"));
        if let Some(old) = turn.checked_sub(4) {
            let _ = fs::remove_file(rotated(old));
        }
        match fs::rename(&path, rotated(turn)) {
            // Nothing was written since the last time.
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => {}
            outcome => outcome.map_err(|reason| FluentBitError::Make { path, reason })?,
        }
    }
    Ok(())
}

fn log_file(running: &Running, pod: u64) -> PathBuf {
    running.at(POD_LOGS).join(format!("shop_web-{pod}_{pod}/app/0.log"))
}

fn link(running: &Running, pod: u64) -> PathBuf {
    running.at(LOGS).join(format!("web-{pod}_shop_app-{pod:064x}.log"))
}
