//! Lines with numbers: written to the containers' logs, and recognised where they arrive.
//!
//! It exists because a count alone cannot tell a line that came twice from one that was lost. The rule it keeps: a line's
//! number is in its text and nowhere else.

use super::run::lines;
use super::{FluentBitError, LOGS, Running};
use crate::kubelet::{Pod, list};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Pods with a container each.
pub(super) const PODS: u8 = 20;

/// The kubelet's list of these pods.
pub(super) fn pod_list() -> Vec<u8> {
    let pod = |n| Pod::new("shop", &format!("web-{n}")).with("app", &format!("{n:064x}"));
    list((0..PODS).map(|n| pod(n).item()))
}

/// Lines by their number.
#[derive(Default)]
pub(super) struct Arrived {
    /// How often each has arrived, and how.
    pub(super) numbers: BTreeMap<u64, Seen>,
}

pub(super) struct Seen {
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
        for record in &records {
            self.add(record);
        }
        Ok(())
    }

    /// Waits until so many different ones have arrived, `patience` at most; tells whether they have.
    pub(super) fn wait_for(
        &mut self,
        running: &Running,
        numbers: u64,
        patience: Duration,
    ) -> Result<bool, FluentBitError> {
        let deadline = Instant::now() + patience;
        loop {
            self.take(running)?;
            if self.numbers.len() as u64 >= numbers {
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
        let Some(number) = record["log"].as_str().and_then(|line| line.strip_prefix("line ")?.parse().ok())
        else {
            return;
        };
        let kubernetes = &record["kubernetes"];
        let enriched =
            kubernetes["labels"]["app"].is_string() && kubernetes["labels"]["app"] == kubernetes["pod_name"];
        self.numbers.entry(number).or_insert(Seen { times: 0, enriched }).times += 1;
    }
}

/// Writes these lines, to one container after the other.
pub(super) fn write(running: &Running, numbers: std::ops::Range<u64>) -> Result<(), FluentBitError> {
    let mut texts: BTreeMap<u64, String> = BTreeMap::new();
    for number in numbers {
        let text = texts.entry(number % u64::from(PODS)).or_default();
        text.push_str(&format!("2026-11-20T10:00:00.000000001Z stdout F line {number}\n"));
    }
    for (pod, text) in texts {
        let path = running.at(LOGS).join(format!("web-{pod}_shop_app-{pod:064x}.log"));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|reason| FluentBitError::Make { path, reason })?;
    }
    Ok(())
}
