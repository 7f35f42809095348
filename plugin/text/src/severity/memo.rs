//! The levels of a container's lines whose fronts are alike, by comparing instead of reading.
//!
//! What one logger writes has the same bytes in front of its level but for the digits of a time. A front is learned from a line
//! that was read, and tried on the next. The rule kept here: only fronts are learned behind which nothing but the level itself
//! decides, so a hit is what reading the line would say. Those are:
//!
//! - of a JSON object, all up to the value of the first key of a level, in whose place stands a level by its name: what
//!   `structured` finds near the start of an object. Digits may differ inside the values before it.
//! - a date and a time, of digits and what separates them, with a level in capitals and a blank behind it: what `front` takes for a
//!   level whatever comes next.
//!
//! Levels of at most six letters are remembered, each with its front.

use super::level_key::{LevelKey, key};
use super::{PrecedenceStep, Reading, Severity, logfmt, names};
use crate::json::{Escapes, Level, Members, Value};
use crate::line::Line;

/// What is seen of a line by its front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// What it says of its level.
    pub reading: Option<Reading>,
    /// Whether it stands for itself and opens nothing, as nearly all lines do: an object on one line, an access log, a line with
    /// a time and a level below an error. Of such a line [`crate::continuation`] has nothing more to say than that.
    pub is_single: bool,
}

/// What is known of the fronts of lines.
#[derive(Debug, Default)]
pub struct LevelMemo {
    fronts: Vec<KnownFront>,
    /// The one that was hit last.
    last: usize,
    /// The one that makes room next.
    next: usize,
    /// How many lines in a row were not known: what differs with every line is not learned with every one.
    misses: u32,
}

#[derive(Debug)]
struct KnownFront {
    words: [FrontWord; WORDS],
    used: usize,
    /// Where the level stands.
    length: usize,
    step: PrecedenceStep,
    levels: [(u64, Option<Severity>); LEVELS],
    next: usize,
}

/// Eight bytes of a front.
#[derive(Clone, Copy, Debug, Default)]
struct FrontWord {
    wanted: u64,
    /// All bits of a byte, but of a digit only the upper half.
    mask: u64,
    /// The lower half of each digit.
    digits: u64,
}

impl LevelMemo {
    /// What a line says of its level: as [`super::read`], without reading it if its front is known.
    #[inline(always)]
    pub fn read(&mut self, line: &Line<'_>) -> Glimpse {
        let raw = line.raw();
        let is_object = matches!(raw, [b'{', b'\\' | b'"', .., b'}']);
        let known = self.fronts.get(self.last).and_then(|front| front.level(raw, line.escapes()));
        if known.is_some() {
            return Glimpse { reading: known, is_single: is_object || is_single(raw, known) };
        }
        if raw.first().is_some_and(u8::is_ascii_digit) && super::access_log::is_access_log(raw) {
            return Glimpse { reading: None, is_single: is_single(raw, None) };
        }
        let (reading, is_known) = self.look_further(line);
        Glimpse { reading, is_single: is_object || is_known && is_single(raw, reading) }
    }

    /// What it says, and whether its front is known.
    #[inline(never)]
    fn look_further(&mut self, line: &Line<'_>) -> (Option<Reading>, bool) {
        let raw = line.raw();
        for (at, front) in self.fronts.iter().enumerate() {
            if let Some(reading) = front.level(raw, line.escapes()) {
                (self.last, self.misses) = (at, 0);
                return (Some(reading), true);
            }
        }
        let reading = super::read(line);
        self.misses = self.misses.wrapping_add(1);
        if let Some(reading) = reading
            && (self.misses < MISSES || self.misses.is_multiple_of(MISSES))
        {
            self.learn(line, reading);
        }
        (reading, false)
    }

    fn learn(&mut self, line: &Line<'_>, reading: Reading) {
        let raw = line.raw();
        let found = match (reading.step, raw.first()) {
            (PrecedenceStep::Structured, Some(b'{')) => in_object(line),
            (PrecedenceStep::Front, Some(b'0'..=b'9')) => behind_time(raw),
            _ => None,
        };
        let Some((front, length, may_differ)) = found else { return };
        let Some(word) = word_at(raw, length, reading.step) else { return };
        // A front that is known already has met another level.
        let known = self.fronts.iter_mut().find(|known| known.fits(raw));
        if let Some(known) = known.filter(|known| known.length == length && known.step == reading.step) {
            let next = known.next;
            known.next = next.wrapping_add(1) % LEVELS;
            if let Some(place) = known.levels.get_mut(next) {
                *place = (word, Some(reading.severity));
            }
            return;
        }
        let Some(mut new) = KnownFront::new(front, &may_differ, reading.step) else { return };
        if let Some(place) = new.levels.first_mut() {
            *place = (word, Some(reading.severity));
        }
        new.next = 1;
        match self.fronts.get_mut(self.next) {
            Some(place) => *place = new,
            None => self.fronts.push(new),
        }
        self.last = self.next;
        self.next = self.next.wrapping_add(1) % FRONTS;
    }
}

/// Whether a line that is an access log or has a known front in front of its level stands for itself and opens nothing.
#[inline]
fn is_single(raw: &[u8], reading: Option<Reading>) -> bool {
    let is_plain = reading
        .is_none_or(|Reading { severity, step }| step == PrecedenceStep::Front && severity < Severity::Error);
    is_plain && !matches!(raw.last(), None | Some(b'{' | b'[' | b' ' | b'\t'))
}

impl KnownFront {
    fn new(front: &[u8], may_differ: &[bool], step: PrecedenceStep) -> Option<KnownFront> {
        let mut new = KnownFront {
            words: [FrontWord::default(); WORDS],
            used: front.len().div_ceil(8),
            length: front.len(),
            step,
            levels: [(0, None); LEVELS],
            next: 0,
        };
        for (at, (byte, may_differ)) in front.iter().zip(may_differ).enumerate() {
            let (word, shift) = (at / 8, u32::try_from(at % 8).ok()?.wrapping_mul(8));
            let is_digit = *may_differ && byte.is_ascii_digit();
            let (mask, digit) = if is_digit { (0xf0u64, 0x0fu64) } else { (0xff, 0) };
            let word = new.words.get_mut(word)?;
            word.wanted |= u64::from(*byte).wrapping_shl(shift);
            word.mask |= mask.wrapping_shl(shift);
            word.digits |= digit.wrapping_shl(shift);
        }
        Some(new)
    }

    /// Whether a line starts so.
    #[inline]
    fn fits(&self, raw: &[u8]) -> bool {
        let Some(known) = self.words.get(..self.used) else { return false };
        let (mut differs, mut above, mut left) = (0u64, 0u64, raw);
        for known in known {
            let Some(word) = left.first_chunk::<8>() else { return false };
            let word = u64::from_le_bytes(*word);
            differs |= (word ^ known.wanted) & known.mask;
            // The upper half is that of a digit: 10 and more carry into the highest bit, and not beyond.
            above |= (word & known.digits).wrapping_add(ABOVE_NINE);
            left = left.get(8..).unwrap_or_default();
        }
        differs == 0 && above & HIGH == 0
    }

    /// What a line that starts so says, if its level is known too.
    #[inline(always)]
    fn level(&self, raw: &[u8], escapes: Escapes) -> Option<Reading> {
        // A message with escapes of its own may wrap another record.
        let is_wrapping = self.step == PrecedenceStep::Structured && escapes != Escapes::Short;
        if is_wrapping || !self.fits(raw) {
            return None;
        }
        let word = word_at(raw, self.length, self.step)?;
        let known = self.levels.iter().find(|(known, _)| *known == word)?;
        known.1.map(|severity| Reading { severity, step: self.step })
    }
}

/// The level at a place with what ends it, if it is short; of an object, only while nothing behind it decides.
#[inline]
fn word_at(raw: &[u8], at: usize, step: PrecedenceStep) -> Option<u64> {
    let word = u64::from_le_bytes(*raw.get(at..)?.first_chunk::<8>()?);
    let end = if step == PrecedenceStep::Structured { b'\\' } else { b' ' };
    let marks = crate::swar::zero_bytes(word ^ u64::from_le_bytes([end; 8]));
    let length = marks.trailing_zeros() / 8;
    if length > 6 {
        return None;
    }
    // The quote behind the backslash is in the word, and the object ends with its own brace.
    let is_object = step == PrecedenceStep::Structured;
    if is_object && raw.last_chunk::<2>().is_some_and(|end| u16::from_le_bytes(*end) == TWO_BRACES) {
        return None;
    }
    let left = if is_object { 48u32 } else { 56 };
    Some(word & (u64::MAX >> left.wrapping_sub(length.wrapping_mul(8))))
}

/// What stands in front of a line's level, how long it is, and which of its digits may differ.
type LearnedFront<'l> = (&'l [u8], usize, Vec<bool>);

/// Of an object: up to the level that `structured` finds near its start.
fn in_object<'l>(line: &'l Line<'_>) -> Option<LearnedFront<'l>> {
    let raw = line.raw();
    if line.escapes() != Escapes::Short || raw.ends_with(b"}}") {
        return None;
    }
    let mut may_differ = vec![false; raw.len().min(WORDS * 8)];
    let place = |part: &[u8]| (part.as_ptr() as usize).wrapping_sub(raw.as_ptr() as usize);
    let mut members = Members::open(raw, Level::Quoted).ok()?;
    while let Ok(Some(member)) = members.next() {
        let value = match (key(member.key), member.value) {
            (Some(LevelKey::Level), Value::String(text))
                if member.key.len() > 1 && names::value(text).is_some() =>
            {
                let start = place(text);
                let front = raw.get(..start)?;
                let is_short = start <= WORDS * 8 && front.iter().any(|byte| matches!(byte, b'v' | b'V'));
                let is_word = text.iter().all(u8::is_ascii_alphabetic) && text.len() <= 6;
                may_differ.truncate(start);
                return (is_short && is_word).then_some((front, start, may_differ));
            }
            // Only what `structured` passes over on its way.
            (None | Some(LevelKey::Usual | LevelKey::Level), Value::String(text))
                if !text.contains(&b'\\') =>
            {
                text
            }
            (None | Some(LevelKey::Usual), Value::Scalar(text)) => text,
            _ => return None,
        };
        let start = place(value);
        may_differ.get_mut(start..start.checked_add(value.len())?)?.fill(true);
    }
    None
}

/// Behind a date and a time: up to a level in capitals that no word of a message is.
fn behind_time(raw: &[u8]) -> Option<LearnedFront<'_>> {
    let is_time =
        |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b':' | b'.' | b',' | b'+' | b' ' | b'T' | b'Z');
    let length = raw.iter().take(WORDS * 8).take_while(|byte| is_time(byte)).count();
    let (front, rest) = raw.split_at_checked(length)?;
    let word = rest.get(..rest.iter().position(|byte| *byte == b' ')?)?;
    let name = names::name(word)?;
    let is_plain = front.len() >= 11
        && front.get(4) == Some(&b'-')
        && front.get(13) == Some(&b':')
        && front.ends_with(b" ")
        && logfmt::key_length(raw).is_none();
    let is_level = word.len() >= 3 && word.iter().all(u8::is_ascii_uppercase) && !name.is_word;
    (is_plain && is_level).then(|| (front, length, vec![true; length]))
}

/// Fronts that are known at once, levels of each, and words of a front.
const FRONTS: usize = 3;
const LEVELS: usize = 6;
const WORDS: usize = 8;
/// After so many lines that were not known, only one in as many is learned from.
const MISSES: u32 = 16;
/// `}}`
const TWO_BRACES: u16 = 0x7d7d;
const HIGH: u64 = 0x8080_8080_8080_8080;
/// What makes the lower half of a digit carry into the highest bit of its byte from ten on.
const ABOVE_NINE: u64 = 0x7676_7676_7676_7676;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::push_string;
    use proptest::prelude::*;

    fn written(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        push_string(&mut out, text.as_bytes());
        out[1..out.len() - 1].to_vec()
    }

    fn check(memo: &mut LevelMemo, text: &str) {
        let content = written(text);
        let line = Line::new(&content);
        assert_eq!(memo.read(&line).reading, super::super::read(&line), "{text}");
    }

    fn is_known(memo: &LevelMemo, text: &str) -> bool {
        let content = written(text);
        memo.fronts.iter().any(|front| front.level(&content, Escapes::of(&content)).is_some())
    }

    #[test]
    fn what_a_logger_writes_is_known_after_its_first_lines() {
        let mut memo = LevelMemo::default();
        for (first, next) in [
            (
                r#"{"time": "2026-11-20T10:00:00Z", "level": "info", "n": 1}"#,
                r#"{"time": "2027-01-01T23:59:59Z", "level": "info", "msg": "x"}"#,
            ),
            (r#"{"level":"error","ts":1.5,"msg":"a"}"#, r#"{"level":"error","msg":"something else"}"#),
            ("2026-11-20 10:00:00,123 INFO [a] b", "2026-11-21 11:59:59,999 INFO anything: at all"),
        ] {
            assert!(!is_known(&memo, next), "{next}");
            check(&mut memo, first);
            assert!(is_known(&memo, next), "{next}");
            check(&mut memo, next);
        }
    }

    #[test]
    fn what_decides_behind_the_level_is_not_passed_over() {
        let mut memo = LevelMemo::default();
        for text in [
            r#"{"time":"1","level":"info","msg":"x"}"#,
            r#"{"time":"1","level":"info","log":{"level":"error"}}"#,
            r#"{"time":"1","level":"info","msg":"{\"level\":\"debug\"}"}"#,
            r#"{"time":"1","level":"info2","msg":"x"}"#,
            r#"{"time":"1","level":"information","msg":"x"}"#,
            r#"{"time":"x","level":"info","msg":"x"}"#,
            r#"{"log":"5","level":"info","msg":"x"}"#,
            r#"{"log":{"level":"error"},"level":"info","msg":"x"}"#,
            r#"{"time":"1","severityNumber":17,"level":"info"}"#,
            "2026-11-20 10:00:00 INFO a",
            "2026-11-20 10:00:00 INFO",
            "2026-11-20 10:00:00 INFO: a",
            "2026-11-20 10:00:00 NOTICE a",
            "2026-11-20 10:00:00 HTTP a",
            "2026-11-20 1?:00:00 INFO a",
            "2026-11-20 10:00:00 [x] INFO a",
            "1:M 20 Nov 2026 10:00:00.000 # INFO",
        ] {
            check(&mut memo, text);
            check(&mut memo, text);
        }
    }

    fn any_line() -> impl Strategy<Value = String> {
        let level =
            "(info|INFO|Info|warn|WARN|error|ERROR|fatal|DEBUG|TRACE|notice|NOTICE|CONFIG|HTTP|x|30|17)";
        let end = "( |: |\\]|\\| |  |\\t|-| \\[a\\]|)[ -~]{0,12}";
        prop_oneof![
            (
                "(20[0-9]{2}-1[0-2]-[0-3][0-9][ T][0-2][0-9]:[0-5][0-9]:[0-5][0-9]([.,][0-9]{1,3})?Z? ?)",
                level,
                end
            )
                .prop_map(|(time, level, end)| format!("{time}{level}{end}")),
            (
                "(time|ts|log|msg|severityNumber|v|pid)",
                "[0-9\"a-z:]{0,6}",
                "(level|lvl|severity|l|Level)",
                level,
                "[ -~]{0,12}",
                any::<bool>()
            )
                .prop_map(|(first, value, key, level, rest, is_object)| {
                    let text = |text: &str| serde_json::to_string(text).unwrap();
                    let close = if is_object { r#","log":{"level":"error"}}"# } else { "}" };
                    format!(
                        "{{{}: {}, {}: {},\"rest\":{}{close}",
                        text(&first),
                        text(&value),
                        text(&key),
                        text(&level),
                        text(&rest)
                    )
                }),
            "(info|error)"
                .prop_map(|level| format!(r#"{{"level":"{level}","msg":"{{\\"level\\":\\"debug\\"}}"}}"#)),
            "[ -~]{0,40}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        /// Whatever lines were before, a line is read as without a memo; and so is one with some bytes changed.
        #[test]
        fn a_hit_is_what_reading_says(
            lines in prop::collection::vec((any_line(), any::<prop::sample::Index>(), b' '..0x7f, any::<bool>()), 1..40),
        ) {
            let mut memo = LevelMemo::default();
            for (text, place, byte, is_changed) in lines {
                let mut content = written(&text);
                let line = Line::new(&content);
                prop_assert_eq!(memo.read(&line).reading, super::super::read(&line), "{}", text);
                drop(line);
                if is_changed && !content.is_empty() {
                    let at = place.index(content.len());
                    content[at] = byte;
                    let line = Line::new(&content);
                    prop_assert_eq!(memo.read(&line).reading, super::super::read(&line), "{}", String::from_utf8_lossy(&content));
                }
            }
        }
    }
}
