//! JSON by a library that is not ours, as the reference: members as they stand in a text.

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Whether a text is JSON, whatever its depth.
pub(crate) fn is_json(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok() && serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// Keys and the text of their values, in their order and with those that are there twice; `None` for what is no object.
pub(crate) fn members(text: &[u8]) -> Option<Vec<(String, &str)>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = reader.deserialize_map(InOrder).ok()?;
    reader.end().ok()?;
    Some(found)
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Vec<(String, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
            found.push((key, value.get()));
        }
        Ok(found)
    }
}

/// A text as the content of a JSON string with every character as `\u`: a way to write it that no printer takes.
pub(crate) fn escaped_throughout(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// The content of a JSON string with every character beyond ASCII as `\u`, as the host writes it unless it is told otherwise.
pub(crate) fn ascii_only(content: &str) -> String {
    let mut out = String::new();
    for character in content.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            out.push_str(&escaped_throughout(character.encode_utf8(&mut [0; 4])));
        }
    }
    out
}
