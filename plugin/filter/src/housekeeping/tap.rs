//! The tap's two files: the one in which somebody asks, and the one with the answers.
//!
//! The rule kept here: without `tap` in the rule file no file is looked for; with it, one look a tick. The answers are a ring: a file
//! of bounded size that is written whole, each line with a number, so that whoever reads too slowly knows what it has missed, and
//! nobody waits for a reader.

use super::Housekeeping;
use crate::files::{Stamp, read_text, say, stamp, write_whole};
use nodesieve_engine::engine::Tapped;
use nodesieve_engine::metrics::Metric;
use nodesieve_engine::tap::{Tap, TapRequest};
use nodesieve_engine::time::Now;
use std::collections::VecDeque;
use std::io::Write as _;
use std::path::Path;

/// What is known of the two.
#[derive(Default)]
pub(super) struct TapFiles {
    /// The section that they are for.
    settings: Option<Tap>,
    /// The request that was read last.
    stamp: Option<Stamp>,
    /// The last answers, and their bytes.
    ring: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The number of the last one.
    sequence: u64,
    /// Whether a failure to write has been said.
    has_complained: bool,
}

impl Housekeeping {
    /// Follows requests and writes what they have shown.
    pub(super) fn serve_tap(&mut self, now: Now) {
        let settings = self.engine.rules().tap.clone();
        if settings != self.tap.settings {
            // Other limits hold at once: what was asked for is looked at again.
            self.tap.stamp = None;
            if let Some(before) = std::mem::replace(&mut self.tap.settings, settings)
                && self.engine.tapped_until().is_some()
            {
                self.close_tap("the rule file has another `tap`");
                self.write_ring(&before.file, 0);
            }
        }
        let Some(settings) = self.tap.settings.clone() else { return };
        let mut news = false;
        // Opening a pipe could block for ever.
        let is_file = std::fs::metadata(&settings.request).is_ok_and(|request| request.is_file());
        let found = stamp(Path::new(&settings.request)).filter(|_| is_file);
        if found != self.tap.stamp {
            self.tap.stamp = found;
            news = true;
            let request = found.map(|_| {
                let text = read_text(Path::new(&settings.request), MAX_REQUEST);
                let text = text.map_err(|error| format!("read tap request {}: {error}", settings.request))?;
                TapRequest::read(&text, &settings, now).map_err(|error| error.to_string())
            });
            match request {
                None => self.close_tap("the request is gone"),
                Some(Ok(request)) => {
                    self.engine.tap(Some(request));
                    self.put_line(b"\"tap\":\"open\"", settings.bytes);
                }
                Some(Err(reason)) => {
                    self.engine.tap(None);
                    let mut line = b"\"tap\":\"refused\",\"reason\":".to_vec();
                    nodesieve_engine::json::push_string(&mut line, reason.as_bytes());
                    self.put_line(&line, settings.bytes);
                }
            }
        }
        let Tapped { lines, lost } = self.engine.take_tapped();
        news |= !lines.is_empty() || lost > 0;
        self.engine.counters_mut().add(Metric::TapLines, lines.len() as u64);
        for line in &lines {
            // It is an object: its number comes first.
            self.put_line(line.get(1..line.len().saturating_sub(1)).unwrap_or_default(), settings.bytes);
        }
        if lost > 0 {
            self.engine.counters_mut().add(Metric::TapLost, lost);
            self.put_line(format!("\"tap\":\"lost\",\"lines\":{lost}").as_bytes(), settings.bytes);
        }
        if self.engine.tapped_until().is_some_and(|until| now > until) {
            self.close_tap("its time is over");
            news = true;
        }
        if news {
            self.write_ring(&settings.file, lines.len() as u64);
        }
    }

    fn close_tap(&mut self, reason: &str) {
        if self.engine.tapped_until().is_some() {
            self.engine.tap(None);
            self.put_line(format!("\"tap\":\"closed\",\"reason\":\"{reason}\"").as_bytes(), usize::MAX);
        }
    }

    /// Adds a line, given by its members; the oldest go.
    fn put_line(&mut self, members: &[u8], most: usize) {
        let tap = &mut self.tap;
        tap.sequence = tap.sequence.saturating_add(1);
        let mut line = Vec::with_capacity(members.len().saturating_add(64));
        let _ =
            write!(line, "{{\"sequence\":{},\"instance\":\"{:016x}\",", tap.sequence, self.engine.instance());
        line.extend_from_slice(members);
        line.extend_from_slice(b"}\n");
        tap.bytes = tap.bytes.saturating_add(line.len());
        tap.ring.push_back(line);
        while tap.bytes > most
            && let Some(oldest) = tap.ring.pop_front()
        {
            tap.bytes = tap.bytes.saturating_sub(oldest.len());
        }
    }

    fn write_ring(&mut self, path: &str, lines: u64) {
        let mut content = Vec::with_capacity(self.tap.bytes);
        self.tap.ring.iter().for_each(|line| content.extend_from_slice(line));
        match write_whole(Path::new(path), &content) {
            Ok(()) => self.tap.has_complained = false,
            Err(error) => {
                self.engine.counters_mut().add(Metric::TapLost, lines);
                if !std::mem::replace(&mut self.tap.has_complained, true) {
                    say(&format!("nodesieve: write {path}: {error}\n"));
                }
            }
        }
    }
}

/// Largest request, in bytes.
const MAX_REQUEST: u64 = 8 << 10;
