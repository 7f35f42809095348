//! The layout of a record whose line comes last: what stands in front of the line, compared as words under masks.
//!
//! Records of one stream differ in front of their lines only in the digits of a time, as
//! `{"time":"2026-11-20T10:00:00.1Z","stream":"stdout","_p":"F","log":"…"}`. A layout is learned from one record that was read
//! in full, and tried on the next. The rule kept here: a fit is a proof. In front of the line every byte is that of the
//! record before, but for digits inside string values, in whose place `0x30` to `0x3f` may stand: no quote, no backslash. The line
//! is passed once: most are ASCII in which every quote stands behind a backslash and every backslash before a quote; of the
//! others the end of the string is looked for, and whether they are UTF-8. So the structure is that of the record before.
//! What does not fit is read the long way.

use crate::json::{Escapes, Level, Members, Value, plain_end};
use crate::record::{MemberSpan, RecordView, StreamName};
use crate::secrets::has_hidden;
use crate::swar;
use crate::utf8::is_utf8;

/// The layouts of a container's two streams.
#[derive(Debug, Default)]
pub(super) struct RecordLayouts {
    heads: [Option<HeadLayout>; 2],
    /// Which of the two fitted last; the other one makes room.
    last: usize,
    /// How many records in a row did not fit: something that changes with every record is not learned with every one.
    misfits: u32,
    /// How many have been learned.
    learned: u32,
}

/// What stands in front of the line.
#[derive(Debug)]
struct HeadLayout {
    /// Four words at a time, each with its mask.
    blocks: [KnownBlock; BLOCKS],
    /// The block right in front of the line, which overlaps the others.
    last: KnownBlock,
    /// Bytes in front of the line.
    length: usize,
    members: usize,
    has_sought: bool,
    stream: Option<(usize, usize)>,
    stream_name: StreamName,
    /// Where the key of a level stands, and its value.
    level: Option<[(usize, usize); 2]>,
    /// Whether something in it may be written as an escape that is none.
    hides: bool,
    serial: u32,
}

/// What stands in front of the line of a record that is laid out as one before it: the same bytes as in that, but for digits, in whose
/// place other digits or `:;<=>?` may stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Front {
    /// Tells it from others; 0 is none of them.
    pub serial: u32,
    /// Its bytes.
    pub length: usize,
}

/// A record that nobody has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Where the closing brace stands.
    pub at: usize,
    /// Whether printable ASCII may be written as an escape in it.
    pub may_hide: bool,
    /// Whether its line does not have the byte that was asked for.
    pub lacks: bool,
    /// What stands in front of its line.
    pub front: Front,
}

/// Four words, each with the mask under which it is compared.
type KnownBlock = [(u64, u64); 4];

impl RecordLayouts {
    /// The record, if it fits.
    #[inline]
    pub(super) fn read<'a>(&mut self, text: &'a [u8]) -> Option<RecordView<'a>> {
        self.fitting(text)?.read(text)
    }

    /// Where the closing brace of a record stands that fits. Nobody has looked for its line's escapes.
    #[inline]
    pub(super) fn close_of(&mut self, text: &[u8]) -> Option<usize> {
        self.fitting(text)?.close_of(text)
    }

    /// The same, and what is known of what may be hidden in it and of a byte that is sought.
    #[inline]
    pub(super) fn closed(&mut self, text: &[u8], sought: Option<u8>) -> Option<Closed> {
        self.fitting(text)?.closed(text, sought)
    }

    /// The layout whose front fits.
    #[inline]
    fn fitting(&mut self, text: &[u8]) -> Option<&HeadLayout> {
        let is_last = self.heads.get(self.last).and_then(Option::as_ref).is_some_and(|head| head.fits(text));
        if !is_last && !self.other_fits(text) {
            self.misfits = self.misfits.wrapping_add(1);
            return None;
        }
        self.misfits = 0;
        self.heads.get(self.last)?.as_ref()
    }

    #[inline(never)]
    fn other_fits(&mut self, text: &[u8]) -> bool {
        let other = 1usize.wrapping_sub(self.last);
        let fits = self.heads.get(other).and_then(Option::as_ref).is_some_and(|head| head.fits(text));
        if fits {
            self.last = other;
        }
        fits
    }

    /// Learns from a record that was read in full and did not fit.
    pub(super) fn learn(&mut self, view: &RecordView<'_>) {
        // Where the front fits, there is nothing to learn: it is the line that does not.
        if self.misfits == 0 || self.misfits > MISFITS && !self.misfits.is_multiple_of(MISFITS) {
            return;
        }
        let Some(mut head) = HeadLayout::of(view) else { return };
        self.learned = self.learned.wrapping_add(1).max(1);
        head.serial = self.learned;
        let other = 1usize.wrapping_sub(self.last);
        self.last = other;
        if let Some(place) = self.heads.get_mut(other) {
            *place = Some(head);
        }
    }
}

impl HeadLayout {
    /// Whether what stands in front of the line does.
    #[inline(never)]
    fn fits(&self, text: &[u8]) -> bool {
        let Some(front) = text.get(..self.length) else { return false };
        let (Some((block, behind)), Some(last)) =
            (front.split_first_chunk::<BLOCK>(), front.last_chunk::<BLOCK>())
        else {
            return self.fits_short(front);
        };
        let [first, second, third] = &self.blocks;
        let mut differs = block_differs(last, &self.last) | block_differs(block, first);
        if let Some((block, behind)) = behind.split_first_chunk::<BLOCK>() {
            differs |= block_differs(block, second);
            if let Some(block) = behind.first_chunk::<BLOCK>() {
                differs |= block_differs(block, third);
            }
        }
        differs == 0
    }

    /// The same of a front that is shorter than a block.
    #[inline(never)]
    fn fits_short(&self, front: &[u8]) -> bool {
        let [_, _, _, last] = &self.last;
        let known = self.blocks.iter().flatten();
        let words = front.as_chunks::<8>().0.iter().zip(known);
        let differs = words.fold(0, |differs, (word, known)| differs | word_differs(word, known));
        front.last_chunk::<8>().is_some_and(|word| differs | word_differs(word, last) == 0)
    }

    /// Where the closing brace stands, if the front [fits](Self::fits) and the line is the last member.
    #[inline]
    fn close_of(&self, text: &[u8]) -> Option<usize> {
        let end = end_of_line(text)?;
        let is_closed = swar::is_closed(text.get(..end)?, self.length);
        (is_closed || self.escapes(text, end).is_some()).then_some(end.wrapping_add(1))
    }

    /// The same with what may be hidden in it. A byte is sought as the line is passed anyway.
    fn closed(&self, text: &[u8], sought: Option<u8>) -> Option<Closed> {
        let end = end_of_line(text)?;
        let before = text.get(..end)?;
        let found = match sought {
            Some(byte) => swar::closed_with(before, self.length, byte),
            None => swar::is_closed(before, self.length).then_some(true),
        };
        let may_hide = self.hides || found.is_none() && self.escapes(text, end)? >= Escapes::Nested;
        Some(Closed { at: end.wrapping_add(1), may_hide, lacks: found == Some(false), front: self.front() })
    }

    fn front(&self) -> Front {
        Front { serial: self.serial, length: self.length }
    }

    /// The record, if its front [fits](Self::fits).
    #[inline]
    fn read<'a>(&self, text: &'a [u8]) -> Option<RecordView<'a>> {
        let end = end_of_line(text)?;
        let escapes = match swar::closed_with_quotes(text.get(..end)?, self.length) {
            Some(true) => Escapes::Short,
            Some(false) => Escapes::None,
            None => self.escapes(text, end)?,
        };
        let mut view = RecordView::empty(text);
        view.message = Some((MemberSpan { start: self.length, end }, escapes));
        view.members = self.members;
        view.has_sought = self.has_sought;
        view.close = end.wrapping_add(1);
        view.hides = self.hides || escapes >= Escapes::Nested;
        view.front = self.front();
        view.stream_name = self.stream_name;
        view.stream = self.stream.and_then(|(start, end)| text.get(start..end));
        view.level = self.level.and_then(|[key, value]| {
            Some((text.get(key.0..key.1)?, Value::String(text.get(value.0..value.1)?)))
        });
        Some(view)
    }

    /// The escapes of a line that has others than those of quotes, or is not ASCII.
    #[inline(never)]
    fn escapes(&self, text: &[u8], end: usize) -> Option<Escapes> {
        let (found, _, escapes) = plain_end(text, self.length)?;
        let line = text.get(self.length..end)?;
        let is_text = found == end && is_utf8(line);
        is_text.then_some(escapes)
    }

    /// The layout of a record, if it can have one: strings only, the line last, and little in front of it.
    fn of(view: &RecordView<'_>) -> Option<HeadLayout> {
        let text = view.text;
        let (line, _) = view.message?;
        let head = text.get(..line.start)?;
        let is_plain = view.rest.is_none() && head.is_ascii();
        if !is_plain || head.len() > BLOCKS * BLOCK || text.get(line.end..)? != END.as_slice() {
            return None;
        }
        let mut bytes = [0u8; BLOCKS * BLOCK];
        let mut masks = [0u8; BLOCKS * BLOCK];
        bytes.get_mut(..head.len())?.copy_from_slice(head);
        masks.get_mut(..head.len())?.fill(0xff);
        let mut members = Members::open(text, Level::Plain).ok()?;
        // All but the line, which is not passed once more.
        for _ in 1..view.members {
            let Value::String(value) = members.next().ok()??.value else { return None };
            if value.contains(&b'\\') {
                continue;
            }
            let start = (value.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
            for (byte, mask) in value.iter().zip(masks.get_mut(start..)?) {
                *mask = if byte.is_ascii_digit() { 0xf0 } else { 0xff };
            }
        }
        let place = |part: &[u8]| {
            let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
            let end = start.wrapping_add(part.len());
            (end <= head.len()).then_some((start, end))
        };
        let stream = match view.stream {
            Some(stream) => Some(place(stream)?),
            None => None,
        };
        let level = match view.level {
            Some((key, Value::String(value))) => Some([place(key)?, place(value)?]),
            Some(_) => return None,
            None => None,
        };
        let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let known = |(bytes, mask): (&[u8; 8], &[u8; 8])| (word(bytes), word(mask));
        let mut blocks = [[(0, 0); 4]; BLOCKS];
        let both = bytes.as_chunks::<8>().0.iter().zip(masks.as_chunks::<8>().0);
        for (place, pair) in blocks.iter_mut().flatten().zip(both) {
            *place = known(pair);
        }
        // From the end, as far as there is something.
        let mut last = [(0, 0); 4];
        let (mut bytes, mut masks) = (bytes.get(..head.len())?, masks.get(..head.len())?);
        bytes.last_chunk::<8>()?;
        for place in last.iter_mut().rev() {
            let Some(pair) = bytes.last_chunk::<8>().zip(masks.last_chunk::<8>()) else { break };
            *place = known(pair);
            bytes = bytes.get(..bytes.len().wrapping_sub(8))?;
            masks = masks.get(..masks.len().wrapping_sub(8))?;
        }
        Some(HeadLayout {
            blocks,
            last,
            length: head.len(),
            members: view.members,
            has_sought: view.has_sought,
            stream,
            stream_name: view.stream_name,
            level,
            hides: has_hidden(head),
            serial: 0,
        })
    }
}

/// Where the line ends of a record that ends with it.
#[inline]
fn end_of_line(text: &[u8]) -> Option<usize> {
    let last = u16::from_le_bytes(*text.last_chunk::<2>()?);
    (last == u16::from_le_bytes(*END)).then_some(text.len().wrapping_sub(END.len()))
}

/// What differs between a block and a known one where that is compared.
#[inline(always)]
fn block_differs(block: &[u8; BLOCK], [one, two, three, four]: &KnownBlock) -> u64 {
    let [a, b, c, d] = block.as_chunks::<8>().0 else { return 1 };
    word_differs(a, one) | word_differs(b, two) | word_differs(c, three) | word_differs(d, four)
}

#[inline(always)]
fn word_differs(word: &[u8; 8], (wanted, mask): &(u64, u64)) -> u64 {
    (u64::from_le_bytes(*word) ^ wanted) & mask
}

/// Bytes of a block, and blocks that are compared at most.
const BLOCK: usize = 32;
const BLOCKS: usize = 3;
/// What ends a record whose line is its last member.
const END: &[u8; 2] = b"\"}";
/// After so many records that did not fit, only one in as many is learned from.
const MISFITS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Names;
    use proptest::prelude::*;

    fn names() -> Names {
        Names::new(vec!["log".into(), "message".into()], vec!["kubernetes".into()], vec!["level".into()])
    }

    fn learned(text: &str) -> RecordLayouts {
        let mut layouts = RecordLayouts { misfits: 1, ..RecordLayouts::default() };
        layouts.learn(&RecordView::read(text.as_bytes(), &names()).unwrap());
        layouts
    }

    const RECORD: &str =
        r#"{"time":"2026-11-20T10:00:00.123456789Z","stream":"stdout","_p":"F","log":"GET \"/\" 200"}"#;

    fn check(layouts: &mut RecordLayouts, text: &[u8]) -> Result<bool, TestCaseError> {
        let Some(view) = layouts.read(text) else { return Ok(false) };
        prop_assert!(std::str::from_utf8(text).is_ok());
        let full = RecordView::read(text, &names()).unwrap();
        // Only a layout knows what is hidden in front.
        let full = RecordView { front: view.front, hides: view.hides, ..full };
        prop_assert_eq!(format!("{view:?}"), format!("{full:?}"));
        prop_assert_eq!(layouts.close_of(text), Some(full.close));
        for byte in [None, Some(b'@'), Some(b'x'), Some(b'2')] {
            let closed = layouts.closed(text, byte).unwrap();
            prop_assert_eq!(closed.at, full.close);
            let (line, _) = full.message.unwrap();
            let has = byte.is_none_or(|byte| text[line.start..line.end].contains(&byte));
            prop_assert!(!has || !closed.lacks);
            prop_assert_eq!(closed.may_hide, view.hides);
        }
        Ok(true)
    }

    #[test]
    fn a_record_of_the_same_stream_fits_and_one_of_the_other_is_learned_beside_it() {
        let mut layouts = learned(RECORD);
        let later = RECORD.replace("10:00:00.123", "11:59:58.999").replace("200", "a longer line");
        let other = later.replace("stdout", "stderr");
        assert!(check(&mut layouts, later.as_bytes()).unwrap());
        assert!(!check(&mut layouts, other.as_bytes()).unwrap());
        layouts.learn(&RecordView::read(other.as_bytes(), &names()).unwrap());
        for text in [&other, &later, RECORD, &other] {
            assert!(check(&mut layouts, text.as_bytes()).unwrap(), "{text}");
        }
        assert_eq!(layouts.read(other.as_bytes()).unwrap().stream(), Some(b"stderr".as_slice()));
    }

    #[test]
    fn what_could_have_another_structure_does_not_fit() {
        let mut layouts = learned(RECORD);
        for (from, to) in [
            ("200\"}", "200\"} "),
            ("200\"}", "200\",\"a\":1}"),
            ("200\"}", "200\\\"}"),
            ("200", "2\"00"),
            ("\"F\"", "\"P\""),
            ("\"_p\":", "\"_q\":"),
            ("10:00:00", "10:0\"00"),
            ("10:00:00", "10:0\\00"),
            ("2026", "202a"),
        ] {
            assert!(layouts.read(RECORD.replacen(from, to, 1).as_bytes()).is_none(), "{to}");
        }
    }

    #[test]
    fn a_line_with_other_escapes_or_letters_fits_too_and_teaches_nothing() {
        let mut layouts = learned(RECORD);
        let before = format!("{:?}", layouts.heads);
        for line in ["a\\n", "a\\\\b", "é", "\\u00e9 \\\"x\\\" and more than a word", ""] {
            let text = RECORD.replace("GET \\\"/\\\" 200", line);
            assert!(check(&mut layouts, text.as_bytes()).unwrap(), "{line}");
        }
        let wrong = RECORD.replace("200\"}", "\\\\\",\"a\":\"b\"}");
        assert!(layouts.read(wrong.as_bytes()).is_none());
        layouts.learn(&RecordView::read(wrong.as_bytes(), &names()).unwrap());
        assert_eq!(format!("{:?}", layouts.heads), before);
    }

    #[test]
    fn numbers_long_heads_and_lines_in_front_have_no_layout() {
        let long = format!(r#"{{"time":"{}","log":"x"}}"#, "1".repeat(120));
        for text in [r#"{"a":1,"log":"x"}"#, r#"{"log":"x","a":"b"}"#, r#"{"a":"é","log":"x"}"#, &long] {
            let mut layouts = learned(text);
            assert!(layouts.read(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_head_that_changes_with_every_record_is_learned_seldom() {
        let mut layouts = learned(RECORD);
        let mut learned = 0;
        for n in 0..1000 {
            let text =
                format!(r#"{{"pod":"{}","log":"x and something more to fill a word"}}"#, "x".repeat(n % 50));
            if layouts.read(text.as_bytes()).is_none() {
                let before = format!("{:?}", layouts.heads);
                layouts.learn(&RecordView::read(text.as_bytes(), &names()).unwrap());
                learned += u32::from(before != format!("{:?}", layouts.heads));
            }
        }
        assert!(learned < 100, "{learned}");
    }

    proptest! {
        /// Whatever bytes are changed, a record that fits is what reading it in full gives.
        #[test]
        fn a_fit_is_a_proof(
            level in prop::option::of("[a-z0-9]{0,8}"), stream in "(stdout|stderr)", line in "[ -~]{0,60}",
            changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
                Just(b'"'), Just(b'\\'), Just(b'}'), Just(b'0'), Just(b'?'), Just(0xc3u8), any::<u8>()]), 0..4),
        ) {
            let level = level.map(|level| format!(r#""level":"{level}","#)).unwrap_or_default();
            let line = serde_json::to_string(&line).unwrap();
            let text = format!(r#"{{"time":"2026-11-20T10:00:00Z",{level}"stream":"{stream}","log":{line}}}"#);
            let mut layouts = learned(&text);
            check(&mut layouts, text.as_bytes())?;
            let mut changed = text.into_bytes();
            for (place, byte) in changes {
                let at = place.index(changed.len());
                changed[at] = byte;
            }
            check(&mut layouts, &changed)?;
        }
    }
}
