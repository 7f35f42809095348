//! The shape of a record: what stands between the values of its strings.
//!
//! Records of one input look alike: the same keys in the same order, all values strings, as
//! `{"time":"…","stream":"…","_p":"…","log":"…"}`. A shape is the text between the values, learned from one record and
//! tried on the next: where it fits, the structure is known without looking at keys. The rule kept here: a text that is
//! the pieces of a shape with string contents between them has the structure of the record that the shape was learned
//! from, so a fit is never a guess. What does not fit is read in full.

use crate::json::{Malformed, Value, plain_end};
use crate::record::layout::{Closed, Front, RecordLayouts};
use crate::record::{MemberSpan, Names, RecordView, StreamName};
use crate::swar;

/// What stands between the values of a record's strings.
#[derive(Debug, Default)]
pub struct RecordShape {
    /// Of records whose line comes last, what is known of the front of each stream's.
    pub(super) layouts: RecordLayouts,
    /// From the start of the text to the first value, between values, and from the last value to the end.
    pieces: Vec<Box<[u8]>>,
    /// Whether one of the keys is sought.
    has_sought: bool,
    /// Which value is the line.
    message: Option<usize>,
    /// Which value is the stream.
    stream: Option<usize>,
    /// Which value is a level.
    level: Option<usize>,
    /// How far before it its key stands, and how long that is.
    level_key: (usize, usize),
    /// How far before the end of the text the closing brace stands.
    close_from_end: usize,
}

impl RecordShape {
    /// The record, if it is laid out as one before it: it is ASCII then, and has the structure of that one.
    #[inline]
    pub fn quick<'a>(&mut self, text: &'a [u8]) -> Option<RecordView<'a>> {
        self.layouts.read(text)
    }

    /// Where the closing brace of a record stands that is laid out as one before it. It has a member then, none of our keys, and
    /// no number.
    #[inline]
    pub fn close_of(&mut self, text: &[u8]) -> Option<usize> {
        self.layouts.close_of(text)
    }

    /// The same, whether something may be [hidden](RecordView::may_hide) in it, and whether its line lacks a byte that is sought.
    #[inline]
    pub fn closed(&mut self, text: &[u8], sought: Option<u8>) -> Option<Closed> {
        self.layouts.closed(text, sought)
    }

    /// The record, if it has this shape.
    pub(super) fn read<'a>(&self, text: &'a [u8]) -> Option<RecordView<'a>> {
        let (last, pieces) = self.pieces.split_last()?;
        let mut view = RecordView::empty(text);
        let mut at = 0usize;
        for (index, piece) in pieces.iter().enumerate() {
            let start = at.wrapping_add(piece.len());
            if !swar::equal(text.get(at..start)?, piece) {
                return None;
            }
            let (end, _, escapes) = plain_end(text, start)?;
            if self.message == Some(index) {
                view.message = Some((MemberSpan { start, end }, escapes));
            }
            if self.stream == Some(index) {
                view.stream = text.get(start..end);
                view.stream_name = view.stream.map(StreamName::of).unwrap_or_default();
            }
            if self.level == Some(index) {
                let key = start.wrapping_sub(self.level_key.0);
                let key = text.get(key..key.wrapping_add(self.level_key.1)).unwrap_or_default();
                view.level = text.get(start..end).map(|value| (key, Value::String(value)));
            }
            at = end;
        }
        if !swar::equal(text.get(at..)?, last) {
            return None;
        }
        view.members = pieces.len();
        view.has_sought = self.has_sought;
        view.close = text.len().wrapping_sub(self.close_from_end);
        Some(view)
    }

    /// Reads a record in full and takes its shape, if it has one: strings only, and no key of ours.
    pub(super) fn learn<'a>(&mut self, text: &'a [u8], names: &Names) -> Result<RecordView<'a>, Malformed> {
        let mut values: Option<Vec<MemberSpan>> = Some(Vec::new());
        let view = RecordView::read_noting(text, names, &mut |member| {
            let Some(known) = &mut values else { return };
            match member.value {
                Value::String(content) if known.len() < MAX_MEMBERS => {
                    let start = member.value_start.wrapping_add(1);
                    known.push(MemberSpan { start, end: start.wrapping_add(content.len()) });
                }
                _ => values = None,
            }
        })?;
        self.pieces.clear();
        let Some(values) = values else { return Ok(view) };
        if values.is_empty() || !view.doubled().is_empty() {
            return Ok(view);
        }
        let position = |start: usize| values.iter().position(|value| value.start == start);
        self.message = view.message.and_then(|(span, _)| position(span.start));
        let place = |part: &[u8]| (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
        self.stream = view.stream.map(place).and_then(position);
        self.level = None;
        if let Some((key, Value::String(value))) = view.level {
            self.level = position(place(value));
            self.level_key = (place(value).wrapping_sub(place(key)), key.len());
        }
        self.has_sought = view.has_sought;
        self.close_from_end = text.len().wrapping_sub(view.close);
        let mut from = 0usize;
        for value in &values {
            self.pieces.push(text.get(from..value.start).unwrap_or_default().into());
            from = value.end;
        }
        self.pieces.push(text.get(from..).unwrap_or_default().into());
        Ok(view)
    }
}

/// Records of more members are read in full each time.
const MAX_MEMBERS: usize = 64;

impl<'a> RecordView<'a> {
    pub(super) fn empty(text: &'a [u8]) -> RecordView<'a> {
        RecordView {
            text,
            close: 0,
            members: 0,
            has_sought: false,
            message: None,
            stream: None,
            stream_name: StreamName::Other,
            level: None,
            hides: true,
            front: Front::default(),
            rest: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Escapes;
    use proptest::prelude::*;

    fn names() -> Names {
        Names::new(vec!["log".into(), "message".into()], vec!["kubernetes".into()], vec!["level".into()])
    }

    type Seen<'a> = (Option<(Vec<u8>, Escapes)>, Option<&'a [u8]>, Option<[&'a [u8]; 2]>, usize, usize);

    fn seen<'a>(view: &RecordView<'a>) -> Seen<'a> {
        let line = view.line().map(|line| (line.raw().to_vec(), line.escapes()));
        let level = view.level.and_then(|(key, value)| match value {
            Value::String(text) => Some([key, text]),
            _ => None,
        });
        (line, view.stream(), level, view.members, view.close)
    }

    fn any_record() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            4 => "[a\"\\\\}{,:é\n]{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
            1 => Just("1".to_owned()),
            1 => Just("{\"x\":\"y\"}".to_owned()),
        ];
        let member = ("log|stream|message|kubernetes|level|b", value)
            .prop_map(|(key, value)| format!("\"{key}\":{value}"));
        (prop::collection::vec(member, 0..4), "[ ]{0,1}")
            .prop_map(|(members, blank)| format!("{{{}{blank}}}{blank}", members.join(",")))
    }

    #[test]
    fn a_shape_fits_the_next_record_and_not_another() {
        let mut shape = RecordShape::default();
        let first = br#"{"time":"1","stream":"stdout","log":"a"}"#;
        assert!(shape.read(first).is_none());
        shape.learn(first, &names()).unwrap();
        let view = shape.read(br#"{"time":"22","stream":"stderr","log":"\"b\\"}"#).unwrap();
        assert_eq!(
            (view.line().unwrap().raw(), view.stream()),
            (br#"\"b\\"#.as_slice(), Some(b"stderr".as_slice()))
        );
        for other in [
            r#"{"time":"1","stream":"stdout","log":"a","x":1}"#,
            r#"{"time":"1","stream":"stdout"}"#,
            r#"{"time":1,"stream":"stdout","log":"a"}"#,
            r#"{"time":"1","stream":"stdout","log":"a"} x"#,
            "",
        ] {
            assert!(shape.read(other.as_bytes()).is_none(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_fits_reads_as_in_full(records in prop::collection::vec(any_record(), 1..6)) {
            let mut shape = RecordShape::default();
            for text in &records {
                let full = RecordView::read(text.as_bytes(), &names());
                let shaped = RecordView::read_shaped(text.as_bytes(), &names(), &mut shape);
                prop_assert_eq!(shaped.as_ref().ok().map(seen), full.as_ref().ok().map(seen), "{}", text);
                if let (Ok(shaped), Ok(full)) = (shaped, full) {
                    let append = [crate::record::Append { key: "kubernetes", value: b"{}" }];
                    let (mut one, mut other) = (Vec::new(), Vec::new());
                    prop_assert_eq!(shaped.write(&append, 1000, &mut one), full.write(&append, 1000, &mut other));
                    prop_assert_eq!(one, other);
                }
            }
        }
    }
}
