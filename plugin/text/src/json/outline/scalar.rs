//! What stands in an outline besides strings and containers, read strictly.

/// What is left behind a number, `true`, `false` or `null`.
#[inline]
pub(super) fn scalar(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b't', b'r', b'u', b'e', behind @ ..] | [b'n', b'u', b'l', b'l', behind @ ..] => Some(behind),
        [b'f', b'a', b'l', b's', b'e', behind @ ..] => Some(behind),
        _ => number(rest),
    }
}

/// The length of the escape that `text` starts with.
pub(super) fn escape(text: &[u8]) -> Option<usize> {
    match text.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => text.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

/// What is left behind the JSON number that `text` starts with.
#[inline]
pub(super) fn number(text: &[u8]) -> Option<&[u8]> {
    let unsigned = match text {
        [b'-', behind @ ..] => behind,
        _ => text,
    };
    let mut rest = digits(unsigned)?;
    // A leading zero stands alone.
    if unsigned.first() == Some(&b'0') && unsigned.len().wrapping_sub(rest.len()) > 1 {
        return None;
    }
    if let [b'.', fraction @ ..] = rest {
        rest = digits(fraction)?;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        rest = match exponent {
            [b'+' | b'-', behind @ ..] => digits(behind)?,
            _ => digits(exponent)?,
        };
    }
    Some(rest)
}

/// What is left behind digits, of which there is at least one.
#[inline(always)]
pub(super) fn digits(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    while let [b'0'..=b'9', behind @ ..] = rest {
        rest = behind;
    }
    (rest.len() < text.len()).then_some(rest)
}
