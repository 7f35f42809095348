//! The tap: verdicts as they are made, for somebody who watches.
//!
//! The rule kept here: it looks, and changes nothing. It has its own chance, reads a record by itself, and what it cannot show for its
//! limits is counted.

use crate::config::RuleFile;
use crate::engine::why::OUTCOMES;
use crate::engine::{Engine, Input, Verdict, names, read_in_full};
use crate::facts::ShowsText as _;
use crate::json::push_string;
use crate::line::Line;
use crate::pattern::Searched;
use crate::policy::Action;
use crate::record::{Names, RecordShape};
use crate::tap::TapRequest;
use crate::template::masked;
use crate::time::Now;

/// A tap that is open.
#[derive(Debug)]
pub(super) struct OpenTap {
    request: TapRequest,
    /// Which guards, rules and outcomes are asked for, by their rows.
    wanted: Vec<bool>,
    /// What is looked for in records, as the rules in force want it.
    names: Names,
    /// A layout of its own: the engine's is what it has learned.
    shape: RecordShape,
    random: fastrand::Rng,
    second: TapSecond,
    /// Until when there is no room.
    full_until: Now,
    /// Records that came while there was none, dropped and kept ones, by their rows.
    skipped: Vec<[u64; 2]>,
    /// What has been seen since this was last asked, its bytes, and what there was no room for.
    lines: Vec<TapLine>,
    bytes: usize,
    lost: u64,
}

/// What one second has had.
#[derive(Clone, Copy, Debug, Default)]
struct TapSecond {
    /// Since 1970.
    at: u64,
    shown: u32,
    /// Records that were read, to see whether they match, and their bytes.
    read: u32,
    bytes: usize,
}

/// A verdict as shown: one JSON object.
pub type TapLine = Vec<u8>;

/// What has been seen since this was last asked.
#[derive(Debug, Default)]
pub struct Tapped {
    /// Verdicts, in order.
    pub lines: Vec<TapLine>,
    /// Those that were beyond the limits.
    pub lost: u64,
}

impl Engine {
    /// Shows what is asked for from now on; `None` ends that.
    pub fn tap(&mut self, request: Option<TapRequest>) {
        self.tap = request.map(|request| {
            let random = fastrand::Rng::with_seed(request.until.0);
            let (names, second) = (names(&self.file), TapSecond::default());
            let wanted = wanted(&request, &self.file);
            let (shape, rows) = (RecordShape::default(), wanted.len());
            let skipped = vec![[0; 2]; rows];
            let (full_until, lines, bytes, lost) = (Now(0), Vec::new(), 0, 0);
            Box::new(OpenTap {
                request,
                wanted,
                names,
                shape,
                random,
                second,
                full_until,
                skipped,
                lines,
                bytes,
                lost,
            })
        });
        self.is_watched = self.tap.is_some() || self.volumes.is_on();
    }

    /// Follows the rules in force.
    pub(super) fn tap_again(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.settle();
            tap.wanted = wanted(&tap.request, &self.file);
            tap.names = names(&self.file);
            tap.shape = RecordShape::default();
            tap.skipped = vec![[0; 2]; tap.wanted.len()];
        }
        self.is_watched = self.tap.is_some() || self.volumes.is_on();
    }

    /// Until when the open tap holds; `None` when there is none.
    pub fn tapped_until(&self) -> Option<Now> {
        self.tap.as_ref().map(|tap| tap.request.until)
    }

    /// What the tap has seen since this was last asked.
    pub fn take_tapped(&mut self) -> Tapped {
        let Some(tap) = &mut self.tap else { return Tapped::default() };
        tap.settle();
        tap.bytes = 0;
        Tapped { lines: std::mem::take(&mut tap.lines), lost: std::mem::take(&mut tap.lost) }
    }

    /// Shows a record, if it is asked for, where [there may be room](OpenTap::is_full).
    #[inline(never)]
    pub(super) fn note_tap(&mut self, input: Input<'_>, verdict: Verdict, now: Now) {
        let Some(tap) = &mut self.tap else { return };
        let row = verdict.why.row(&self.file);
        let request = &tap.request;
        if now > request.until
            || request.verdict.is_some_and(|wanted| wanted != verdict.action)
            || !tap.wanted.get(row).copied().unwrap_or_default()
        {
            return;
        }
        let at = now.seconds();
        if tap.second.at != at {
            tap.second = TapSecond { at, ..TapSecond::default() };
        }
        if tap.second.shown >= request.rate || tap.second.read >= MOST_READ || tap.second.bytes >= MOST_BYTES
        {
            tap.full_until = Now(at.saturating_add(1).saturating_mul(1_000_000_000));
            tap.lost = tap.lost.saturating_add(1);
            return;
        }
        self.show(input, verdict, now);
    }

    /// The same of one for which there is room.
    #[inline(never)]
    fn show(&mut self, input: Input<'_>, verdict: Verdict, now: Now) {
        let is_last = self.streams.is_last(input.tag);
        let Some(tap) = &mut self.tap else { return };
        let request = &tap.request;
        let container = std::str::from_utf8(input.tag).ok().and_then(|tag| self.file.input.container_of(tag));
        let namespace = container.map(|tag| tag.namespace).unwrap_or_default();
        if request.namespace.as_ref().is_some_and(|globs| !globs.matches(namespace)) {
            return;
        }
        if request.sample < 1.0 && tap.random.f64() >= request.sample {
            return;
        }
        tap.second.read = tap.second.read.saturating_add(1);
        tap.second.bytes = tap.second.bytes.saturating_add(input.text.len());
        let record = read_in_full(input.text, &tap.names, &mut tap.shape);
        let line = record.as_ref().ok().and_then(|record| record.line());
        // What is redacted is neither shown nor found.
        let known = self.streams.last().filter(|_| is_last);
        let shows = match &known {
            Some(tag) => self.redacting.shown(&tag.known.redaction),
            None => self.redacting.shown_of(container),
        };
        let redacted = line.as_ref().and_then(|line| shows.shown(line.text())).map(|text| {
            let mut written = Vec::new();
            push_string(&mut written, &text);
            written
        });
        let redacted = redacted
            .as_ref()
            .map(|written| Line::new(written.get(1..written.len().saturating_sub(1)).unwrap_or_default()));
        let line = redacted.or(line);
        if let Some(pattern) = &request.pattern
            && !line.as_ref().is_some_and(|line| pattern.matches(&Searched::alone(line)))
        {
            return;
        }
        tap.second.shown = tap.second.shown.saturating_add(1);
        let (stage, rule) = verdict.why.named(&self.file);
        let shown = line.map(|line| {
            if request.raw { raw(&line) } else { masked(&line, &self.file.input.message_keys, MAX_LINE) }
        });
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(b"{\"time\":");
        push_string(&mut out, super::happened(input.time, now).to_rfc3339().as_bytes());
        for (key, value) in [
            (",\"namespace\":", namespace),
            (",\"pod\":", container.map(|tag| tag.pod).unwrap_or_default()),
            (",\"container\":", container.map(|tag| tag.container).unwrap_or_default()),
            (",\"verdict\":", if verdict.action == Action::Drop { "dropped" } else { "kept" }),
            (",\"stage\":", stage.name()),
            (",\"rule\":", rule),
        ] {
            out.extend_from_slice(key.as_bytes());
            push_string(&mut out, value.as_bytes());
        }
        let by = match verdict.why {
            crate::engine::Why::Guard(at) => self.file.guards.get(at),
            crate::engine::Why::Rule(at) => self.file.rules.get(at),
            _ => None,
        };
        if let Some(rule) = by {
            out.extend_from_slice(b",\"policy\":");
            push_string(&mut out, rule.policy.kind().name().as_bytes());
            if let Some(reason) = &rule.reason {
                out.extend_from_slice(b",\"reason\":");
                push_string(&mut out, reason.as_bytes());
            }
        }
        if let Some(shown) = shown {
            out.extend_from_slice(b",\"line\":");
            push_string(&mut out, shown.as_bytes());
        }
        out.push(b'}');
        // More than the file of answers has is of no use to anybody.
        let most = self.file.tap.as_ref().map_or(0, |settings| settings.bytes);
        tap.bytes = tap.bytes.saturating_add(out.len());
        if tap.bytes > most {
            tap.lost = tap.lost.saturating_add(1);
        } else {
            tap.lines.push(out);
        }
    }
}

impl OpenTap {
    /// Counts what was skipped and asked for as lost.
    /// Whether there is no room now.
    #[inline(always)]
    pub(super) fn is_full(&self, now: Now) -> bool {
        now < self.full_until
    }

    /// Counts a record that came while there was no room. Whether it was asked for is found out later, for all of them at once.
    #[inline(always)]
    pub(super) fn skip(&mut self, row: usize, action: Action) {
        if let Some([dropped, kept]) = self.skipped.get_mut(row) {
            let skipped = if action == Action::Drop { dropped } else { kept };
            *skipped = skipped.wrapping_add(1);
        }
    }

    fn settle(&mut self) {
        let OpenTap { request, wanted, skipped, lost, .. } = self;
        let is_asked_for = |action| request.verdict.is_none_or(|wanted| wanted == action);
        for (skipped, wanted) in skipped.iter_mut().zip(wanted.iter()) {
            let [dropped, kept] = std::mem::take(skipped);
            for (action, skipped) in [(Action::Drop, dropped), (Action::Keep, kept)] {
                if *wanted && is_asked_for(action) {
                    *lost = lost.saturating_add(skipped);
                }
            }
        }
    }
}

/// Which guards, rules and outcomes a request asks for, by their rows.
fn wanted(request: &TapRequest, file: &RuleFile) -> Vec<bool> {
    let names = file.all().map(|rule| &*rule.name).chain(OUTCOMES);
    names.map(|name| request.rule.as_ref().is_none_or(|globs| globs.matches(name))).collect()
}

/// The start of a line as it is.
fn raw(line: &Line<'_>) -> String {
    let text = line.text();
    let text = text.get(..MAX_LINE).unwrap_or(text);
    String::from_utf8_lossy(text).into_owned()
}

/// Most records that are read in a second, to see whether they match.
const MOST_READ: u32 = 1000;
/// And their bytes.
const MOST_BYTES: usize = 1 << 20;
/// Longest line that is shown, in bytes.
const MAX_LINE: usize = 2048;
