//! A record as the JSON object that it is, for those who look for fields beside its line.
//!
//! The line is most of a record, and whoever has the record has passed it already. The rule kept here: nobody passes it once more to
//! look for a field.

use crate::json::{self, Level, Malformed, Members, PassedString, Value};

/// A record's own text, and where its line stands in it.
#[derive(Clone, Copy, Debug)]
pub struct RecordObject<'a> {
    text: &'a [u8],
    line: Option<PassedString>,
}

impl<'a> RecordObject<'a> {
    pub(super) fn with_line(text: &'a [u8], line: Option<PassedString>) -> RecordObject<'a> {
        RecordObject { text, line }
    }

    /// The walk over its members.
    ///
    /// # Errors
    /// As [`Members::open`].
    pub fn members(&self) -> Result<Members<'a>, Malformed> {
        Members::open_passed(self.text, self.line)
    }

    /// A member by its path of keys; of duplicate keys the last.
    pub fn lookup(&self, path: &[Box<str>]) -> Option<Value<'a>> {
        let (first, rest) = path.split_first()?;
        match (json::last_member(self.members().ok()?, first)?, rest) {
            (found, []) => Some(found),
            (Value::Object(inner), rest) => json::lookup(inner, Level::Plain, rest),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::json::{self, Level, Members};
    use crate::record::{Names, RecordView};
    use proptest::prelude::*;

    proptest! {
        /// Guarantees: what a record says does not depend on who has read its line before.
        #[test]
        fn a_field_is_what_it_is_without_a_line(
            front in "(\"(a|log|time)\": ?(1|\"x\"|\"[a-z]{17}\\\\n\"|\\{\"log\":\"y{20}\"\\}),){0,4}",
            line in "([a-z]{1,20}|\\\\\"|\\\\n|\\\\u00e9|é){0,6}",
            back in "(,\"(a|log|stream)\":(true|\"z{20}\")){0,3}",
        ) {
            let text = format!("{{{front}\"log\":\"{line}\"{back}}}");
            let names = Names::new(vec!["log".into()], Vec::new(), Vec::new());
            let record = RecordView::read(text.as_bytes(), &names).unwrap();
            for key in ["a", "log", "time", "stream", "none"] {
                let path = [Box::from(key)];
                prop_assert_eq!(record.object().lookup(&path), json::lookup(text.as_bytes(), Level::Plain, &path));
            }
            let mut expected = Members::open(text.as_bytes(), Level::Plain).unwrap();
            let mut found = record.object().members().unwrap();
            while let Some(member) = expected.next().unwrap() {
                let own = found.next().unwrap().unwrap();
                prop_assert_eq!((own.value, own.escapes, own.end), (member.value, member.escapes, member.end));
            }
            prop_assert!(found.next().unwrap().is_none());
        }
    }
}
