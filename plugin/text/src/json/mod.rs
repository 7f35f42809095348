//! JSON read in place: members, strings and scalars of a text are found without building a tree.
//!
//! The host hands records as JSON text, and the line inside is often JSON again, there with every quote escaped
//! once more. [`Members`] walks both: the record ([`Level::Plain`]) and the line inside the record's string
//! ([`Level::Quoted`]) without unescaping it. The walk is iterative, and containers deeper than [`MAX_DEPTH`] are
//! refused, so no record can exhaust the guest's stack.
//!
//! What is accepted is a superset of JSON: the structure must be right, scalars are not checked. The text comes
//! from a printer, and whoever gets it next parses it again.

mod embedded;
mod escape;
mod grammar;
mod members;
mod outline;
mod reader;
mod token;
mod unreadable;

pub use embedded::Embedded;
pub use escape::{Escapes, cut, has_nested_units, push_string, unescape, unescape_into, unescape_start};
pub use members::{Level, Malformed, Member, Members, Value};
pub(crate) use members::{PassedString, stands_for};
pub use outline::{Outline, forget_room};
pub use reader::JsonReader;
pub use token::skip_blank;
pub(crate) use token::{find_backslash, plain_end};
pub use unreadable::quote_unreadable;

/// Members of a record: to put one together takes a place for each.
pub const MAX_MEMBERS: usize = 65_536;
/// How deep containers may nest inside a record.
pub const MAX_DEPTH: u32 = 256;

/// A member of the object at the start of `text` by its path of keys, or `None` when there is none.
///
/// Of duplicate keys the last wins, as it does for every JSON reader downstream. Blanks before the object are
/// allowed; text behind it is not looked at.
pub fn lookup<'a>(text: &'a [u8], level: Level, path: &[Box<str>]) -> Option<Value<'a>> {
    let (first, rest) = path.split_first()?;
    let member = |text: &'a [u8], key: &str| last_member(Members::open(text, level).ok()?, key);
    let mut found = member(text, first)?;
    for key in rest {
        match found {
            Value::Object(inner) => found = member(inner, key)?,
            _ => return None,
        }
    }
    Some(found)
}

/// The last member with a key.
pub(crate) fn last_member<'a>(mut members: Members<'a>, key: &str) -> Option<Value<'a>> {
    let (mut found, level) = (None, members.level());
    while let Ok(Some(member)) = members.next() {
        if member.has_key(key.as_bytes(), level) {
            found = Some(member.value);
        }
    }
    found
}
