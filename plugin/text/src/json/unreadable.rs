//! Numbers that the host prints and cannot read back.

use crate::json::plain_end;

/// Whether the host prints this scalar but cannot parse it: `nan`, `inf`, and doubles that round to infinity when
/// their 16 printed digits are read back (`1.797693134862316e+308`, the largest double).
pub fn is_unreadable(scalar: &[u8]) -> bool {
    let digits = match scalar.strip_prefix(b"-") {
        Some(rest) => rest,
        None => scalar,
    };
    match digits.first() {
        Some(b'n' | b'N') => digits.len() != 4 || digits != b"null",
        Some(b'i' | b'I') => true,
        // 309 digits and more without an exponent are read by nobody's printer; the text is parsed all the same.
        Some(b'0'..=b'9')
            if digits.len() > 300
                || digits
                    .iter()
                    .position(|byte| matches!(byte, b'e' | b'E'))
                    .is_some_and(|at| is_large(digits, at)) =>
        {
            std::str::from_utf8(scalar)
                .ok()
                .and_then(|text| text.parse::<f64>().ok())
                .is_some_and(f64::is_infinite)
        }
        _ => false,
    }
}

/// Whether a number with an exponent, whose letter stands at `at`, may be beyond the doubles: not with a short exponent and few digits.
fn is_large(digits: &[u8], at: usize) -> bool {
    let exponent = digits.get(at..).unwrap_or_default().len();
    // `e+99` and 200 digits are 10^299 at the most.
    let is_short =
        exponent <= 3 || exponent == 4 && matches!(digits.get(at.wrapping_add(1)), Some(b'+' | b'-'));
    !is_short || at > 200
}

/// Copies a JSON text with every unreadable number in quotes, whatever its depth; how many there were.
///
/// Only tokens are looked at. A text that is no JSON is copied as far as it can be told apart.
pub fn quote_unreadable(text: &[u8], out: &mut Vec<u8>) -> usize {
    out.clear();
    let (mut at, mut copied, mut quoted) = (0usize, 0usize, 0usize);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => at = plain_end(text, at.wrapping_add(1)).map_or(text.len(), |(_, after, _)| after),
            b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\n' | b'\t' | b'\r' => at = at.wrapping_add(1),
            _ => {
                let rest = text.get(at..).unwrap_or_default();
                let ends =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' | b'"');
                let end = at.wrapping_add(rest.iter().position(ends).unwrap_or(rest.len()));
                let token = text.get(at..end).unwrap_or_default();
                if is_unreadable(token) {
                    quoted = quoted.wrapping_add(1);
                    out.extend_from_slice(text.get(copied..at).unwrap_or_default());
                    out.push(b'"');
                    out.extend_from_slice(token);
                    out.push(b'"');
                    copied = end;
                }
                at = end;
            }
        }
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    quoted
}

/// Unreadable scalars in one record; one with more is given up rather than the guest's memory.
pub(super) const MAX_UNREADABLE: usize = 1 << 18;
