//! Members that nobody asks for, passed without being taken apart.
//!
//! A line may have hundreds of members, and none of them a level. The rule kept here: where the walk stands behind them is where it
//! would stand had it handed them over one by one; what is unlike most members is left to it.

use super::{Level, Members};
use crate::json::token::{find_backslash, quoted_end};

impl Members<'_> {
    /// Passes the members that come next as long as they are dull by their key, and like most: with blanks behind the comma and the colon
    /// only. Of a line only, at [`Level::Quoted`], and not at its start. As many as `most`; how many are left of those.
    #[inline]
    pub(crate) fn pass_dull(&mut self, most: u32, is_dull: impl Fn(&[u8]) -> bool) -> u32 {
        let Some(mut rest) = self.text.get(self.at..).filter(|_| self.level == Level::Quoted && !self.first)
        else {
            return most;
        };
        let mut left = most;
        while left > 0 {
            let key = behind_three(rest, *b",\\\"");
            let Some(key) = key.or_else(|| behind_comma(rest)) else { break };
            let Some(length) = find_backslash(key) else { break };
            let Some((name, behind)) = key.split_at_checked(length) else { break };
            let place = |part: &[u8]| self.text.len().wrapping_sub(part.len());
            let value = match behind_three(behind, *b"\\\":") {
                Some(value) => value,
                // With escapes it is none that anybody asks for.
                None => {
                    let Some((_, after, _)) = quoted_end(self.text, place(key)) else { break };
                    let Some([b':', value @ ..]) = self.text.get(after..) else { break };
                    value
                }
            };
            let value = behind_blanks(value);
            if !is_dull(name) {
                break;
            }
            rest = match behind_value(value) {
                Some(behind) => behind,
                None => {
                    let end = match value {
                        [b'{' | b'[', ..] => self.container(place(value)).map(|(_, end)| end),
                        [b'\\', b'"', ..] => self.string(place(value)).map(|(_, end, _)| end),
                        _ => self.scalar(place(value)).map(|(_, end)| end),
                    };
                    let Ok(end) = end else { break };
                    self.text.get(end..).unwrap_or_default()
                }
            };
            left = left.wrapping_sub(1);
        }
        self.at = self.text.len().wrapping_sub(rest.len());
        left
    }
}

/// What is left behind three bytes, if something is; they are compared at once.
#[inline(always)]
fn behind_three(text: &[u8], [one, two, three]: [u8; 3]) -> Option<&[u8]> {
    let word = u32::from_le_bytes(*text.first_chunk::<4>()?);
    if word & 0xff_ffff != u32::from_le_bytes([one, two, three, 0]) {
        return None;
    }
    text.get(3..)
}

/// What is left behind a comma, blanks and the quote of a key: an object that is printed over lines.
#[inline(always)]
fn behind_comma(text: &[u8]) -> Option<&[u8]> {
    let [b',', rest @ ..] = text else { return None };
    behind_blanks(rest).strip_prefix(br#"\""#)
}

/// What is left behind blanks: a space, or ends of lines and tabs as a string has them.
#[inline(always)]
fn behind_blanks(text: &[u8]) -> &[u8] {
    let mut rest = text;
    loop {
        rest = match rest {
            [b'\\', letter, behind @ ..] if *letter > b'\\' && matches!(letter, b'n' | b't' | b'r') => behind,
            [b' ', behind @ ..] => behind,
            _ => return rest,
        };
    }
}

/// What is left behind a string inside a string that has no escapes, or behind a whole number that is a member or an element.
#[inline(always)]
pub(super) fn behind_value(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'\\', b'"', content @ ..] => match content.get(find_backslash(content)?..)? {
            [b'\\', b'"', behind @ ..] => Some(behind),
            _ => None,
        },
        [b'0'..=b'9', rest @ ..] => {
            let mut rest = rest;
            while let [b'0'..=b'9', behind @ ..] = rest {
                rest = behind;
            }
            matches!(rest, [b',' | b'}' | b']', ..]).then_some(rest)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::json::{Level, Members, push_string};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn what_is_not_passed_is_what_the_walk_hands_over_without(
            members in "(\"(a|ab|level|a{17}|a\\\\\"b)\"(:|:|:|=)( ?|\t|  |\r\n)(1|234|-5|1\\.5|1x|true|null|\"x\"|\"x{9}\\\\n\"|\"x{20}\"|\\{\"a\":1\\}|\\[1,2\\])(,|, |,\n\t|,\n\n  |;|,,)){0,9}",
            quoted in any::<bool>(),
        ) {
            let text = format!("{{{members}\"end\":1}}");
            let mut written = Vec::new();
            push_string(&mut written, text.as_bytes());
            let (text, level) = if quoted { (&written[1..written.len() - 1], Level::Quoted) } else { (text.as_bytes(), Level::Plain) };
            let is_dull = |key: &[u8]| key != b"level" && key != b"ab";
            let kept = |passes: bool| {
                let (mut walk, mut kept) = (Members::open(text, level).unwrap(), Vec::new());
                loop {
                    match walk.next() {
                        Ok(Some(member)) => {
                            if !is_dull(member.key) {
                                kept.push((member.key, member.value, member.end));
                            }
                            if passes {
                                walk.pass_dull(u32::MAX, is_dull);
                            }
                        }
                        end => return (kept, end.map(|_| ()), walk.position()),
                    }
                }
            };
            let (found, expected) = (kept(true), kept(false));
            prop_assert_eq!((&found.0, found.1.is_ok()), (&expected.0, expected.1.is_ok()));
            prop_assert!(found.1.is_err() || found.2 == expected.2);
        }
    }
}
