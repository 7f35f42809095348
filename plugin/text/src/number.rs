//! Numbers as filter patterns compare them: whole numbers exactly, however long; all others as doubles.
//!
//! A number of digits alone is a whole number of any size. One with a fraction or an exponent is a double, as it is to
//! the JSON reader behind CloudWatch. The two are compared by their exact values, so 9007199254740993 is not
//! 9007199254740992.0. What is beyond the doubles equals nothing and is neither more nor less than anything.

use std::cmp::Ordering;

/// A number, borrowed from the text it stands in.
#[derive(Clone, Copy, Debug)]
pub enum Number<'a> {
    /// Its sign and its digits without leading zeros; zero has none.
    Whole {
        /// Whether it has a minus sign.
        negative: bool,
        /// Its digits without leading zeros.
        digits: &'a [u8],
    },
    /// Any other.
    Double(f64),
}

impl<'a> Number<'a> {
    /// Reads `[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?`, which includes every JSON number.
    pub fn read(text: &'a [u8]) -> Option<Number<'a>> {
        let (negative, rest) = match text.split_first() {
            Some((b'-', rest)) => (true, rest),
            Some((b'+', rest)) => (false, rest),
            _ => (false, text),
        };
        let digits = count_digits(rest);
        if digits == rest.len() && digits > 0 {
            let zeros = rest.iter().take_while(|&&byte| byte == b'0').count();
            return Some(Number::Whole { negative, digits: rest.get(zeros..)? });
        }
        let mut at = digits;
        let mut has_digits = digits > 0;
        if rest.get(at) == Some(&b'.') {
            at = at.wrapping_add(1);
            let fraction = count_digits(rest.get(at..)?);
            has_digits |= fraction > 0;
            at = at.wrapping_add(fraction);
        }
        if !has_digits {
            return None;
        }
        if let Some(b'e' | b'E') = rest.get(at) {
            at = at.wrapping_add(1);
            if let Some(b'+' | b'-') = rest.get(at) {
                at = at.wrapping_add(1);
            }
            let exponent = count_digits(rest.get(at..)?);
            if exponent == 0 {
                return None;
            }
            at = at.wrapping_add(exponent);
        }
        if at != rest.len() {
            return None;
        }
        // This grammar is within that of the standard library.
        std::str::from_utf8(text).ok()?.parse().ok().map(Number::Double)
    }

    /// How it compares to another; `None` when one of them is beyond the doubles.
    pub fn compare(self, other: Number<'_>) -> Option<Ordering> {
        match (self, other) {
            (Number::Double(one), Number::Double(other)) => {
                (one.is_finite() && other.is_finite()).then(|| one.partial_cmp(&other)).flatten()
            }
            (
                Number::Whole { negative: one_negative, digits: one },
                Number::Whole { negative: other_negative, digits: other },
            ) => {
                if is_beyond(one) || is_beyond(other) {
                    return None;
                }
                // Zero has no digits and no sign.
                let (one_negative, other_negative) =
                    (one_negative && !one.is_empty(), other_negative && !other.is_empty());
                Some(match (one_negative, other_negative) {
                    (false, true) => Ordering::Greater,
                    (true, false) => Ordering::Less,
                    (false, false) => magnitude(one, other),
                    (true, true) => magnitude(other, one),
                })
            }
            (Number::Whole { negative, digits }, Number::Double(double)) => {
                whole_to_double(negative, digits, double)
            }
            (Number::Double(double), Number::Whole { negative, digits }) => {
                whole_to_double(negative, digits, double).map(Ordering::reverse)
            }
        }
    }

    /// The text that a JSON number has for quoted values, wildcards and regular expressions: a whole number's digits,
    /// else what Java's `Double.toString` makes of it (`12.0`, `1.0E10`, `Infinity`).
    pub fn text(self) -> String {
        match self {
            Number::Whole { digits: [], .. } => "0".into(),
            Number::Whole { negative, digits } => {
                let sign = if negative { "-" } else { "" };
                format!("{sign}{}", String::from_utf8_lossy(digits))
            }
            Number::Double(double) => double_text(double),
        }
    }
}

/// A whole number of at most 15 digits, which is nearly every number in a log.
#[inline]
pub fn small(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    let mut sum = 0i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum = sum.wrapping_mul(10).wrapping_add(i64::from(digit));
    }
    Some(if negative { sum.wrapping_neg() } else { sum })
}

/// A number without an exponent, in millionths: of at most nine digits and six behind the point, or of at most twelve and none, which is
/// nearly every number in a log. Numbers of no more digits are doubles of their own, in the same order, so that two compare as
/// their millionths do.
#[inline]
pub fn millionths(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > 16 {
        return None;
    }
    let (whole, rest) = leading_number(digits, 0);
    let digits = digits.len().wrapping_sub(rest.len());
    let sum = match rest {
        [] if digits <= 12 => whole.wrapping_mul(1_000_000),
        [b'.', fraction @ ..] if digits <= 9 => {
            let (sum, behind) = leading_number(fraction, whole);
            let scale = TEN_TO.get(6usize.checked_sub(fraction.len())?)?;
            behind.is_empty().then(|| sum.wrapping_mul(*scale))?
        }
        _ => return None,
    };
    (digits > 0).then(|| if negative { sum.wrapping_neg() } else { sum })
}

/// The number that `before` becomes with the digits at the start of a text, and what is left behind them.
#[inline(always)]
fn leading_number(text: &[u8], before: i64) -> (i64, &[u8]) {
    let (mut sum, mut rest) = (before, text);
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        sum = sum.wrapping_mul(10).wrapping_add(i64::from(digit.wrapping_sub(b'0')));
        rest = behind;
    }
    (sum, rest)
}

/// Powers of ten.
const TEN_TO: [i64; 7] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

fn count_digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Orders two digit strings without leading zeros.
fn magnitude(one: &[u8], other: &[u8]) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// Whether a whole number is beyond the doubles.
fn is_beyond(digits: &[u8]) -> bool {
    // The largest double has 309 digits.
    digits.len() > 309
        || (digits.len() == 309
            && std::str::from_utf8(digits)
                .ok()
                .and_then(|text| text.parse::<f64>().ok())
                .is_none_or(f64::is_infinite))
}

fn whole_to_double(negative: bool, digits: &[u8], double: f64) -> Option<Ordering> {
    if !double.is_finite() || is_beyond(digits) {
        return None;
    }
    let negative = negative && !digits.is_empty();
    if negative != (double < 0.0) {
        // Zero and minus zero are the same.
        let is_zero = digits.is_empty() && double == 0.0;
        return Some(match (is_zero, negative) {
            (true, _) => Ordering::Equal,
            (false, true) => Ordering::Less,
            (false, false) => Ordering::Greater,
        });
    }
    // Formatting without decimals is exact for a double without a fraction.
    let whole = double.abs().trunc();
    let text = if whole == 0.0 { String::new() } else { format!("{whole:.0}") };
    let order = magnitude(digits, text.as_bytes());
    let order = if order == Ordering::Equal && double.abs() > whole { Ordering::Less } else { order };
    Some(if negative { order.reverse() } else { order })
}

/// Java's `Double.toString` with the shortest digits: plain between 0.001 and ten million, else with an exponent, and
/// always with a fraction.
fn double_text(double: f64) -> String {
    if double.is_infinite() {
        return if double < 0.0 { "-Infinity".into() } else { "Infinity".into() };
    }
    let sign = if double.is_sign_negative() { "-" } else { "" };
    if double == 0.0 {
        return format!("{sign}0.0");
    }
    // `d.ddde-n` with the shortest digits that read back as the same double.
    let mut scientific = format!("{:e}", double.abs());
    if !scientific.contains('.') {
        // Java looks among two digits and more for the nearest: 4.9E-324, not 5.0E-324.
        let two_digits = format!("{:.1e}", double.abs());
        if two_digits.parse() == Ok(double.abs()) {
            scientific = two_digits;
        }
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits = mantissa.replace('.', "");
    let digits = if digits.len() == 2 { digits.trim_end_matches('0') } else { &digits };
    let (mut whole, mut fraction) = (String::new(), String::new());
    let point = match exponent {
        -3..=6 => exponent.saturating_add(1),
        _ => 1,
    };
    if point <= 0 {
        whole.push('0');
        (point..0).for_each(|_| fraction.push('0'));
        fraction.push_str(digits);
    } else {
        for (index, digit) in (0..).zip(digits.chars()) {
            if index < point { whole.push(digit) } else { fraction.push(digit) }
        }
        while i32::try_from(whole.len()).unwrap_or(i32::MAX) < point {
            whole.push('0');
        }
    }
    if fraction.is_empty() {
        fraction.push('0');
    }
    match exponent {
        -3..=6 => format!("{sign}{whole}.{fraction}"),
        _ => format!("{sign}{whole}.{fraction}E{exponent}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn order(one: &str, other: &str) -> Option<Ordering> {
        let read = |text: &'static str| Number::read(text.as_bytes()).expect(text);
        read(String::leak(one.into())).compare(read(String::leak(other.into())))
    }

    #[test]
    fn spellings_of_a_value_are_equal() {
        for other in ["1", "1.0", "1e0", "+1", "01", "1.", "10e-1", ".1e1"] {
            assert_eq!(order("1", other), Some(Ordering::Equal), "{other}");
        }
        for zero in ["0", "-0", "0.0", "-0.0", "000", "0e5", "1e-400"] {
            assert_eq!(order("0", zero), Some(Ordering::Equal), "{zero}");
            assert_eq!(order("0.0", zero), Some(Ordering::Equal), "{zero}");
        }
    }

    #[test]
    fn whole_numbers_are_exact_and_doubles_are_not() {
        assert_eq!(order("9007199254740993", "9007199254740992"), Some(Ordering::Greater));
        assert_eq!(order("9007199254740993", "9007199254740992.0"), Some(Ordering::Greater));
        assert_eq!(order("9007199254740993.0", "9007199254740992"), Some(Ordering::Equal));
        assert_eq!(order("-9007199254740993", "-9007199254740992.0"), Some(Ordering::Less));
        assert_eq!(order("0.1", "0.1000000000000000055"), Some(Ordering::Equal));
        assert_eq!(order("1", "1.5"), Some(Ordering::Less));
        assert_eq!(order("-1", "-1.5"), Some(Ordering::Greater));
        assert_eq!(order("0", "-0.5"), Some(Ordering::Greater));
        assert_eq!(order("-1", "0.5"), Some(Ordering::Less));
    }

    #[test]
    fn what_is_beyond_the_doubles_compares_to_nothing() {
        let huge = "9".repeat(310);
        for beyond in ["1e309", "-1e309", &huge] {
            for other in ["1", "1.5", "1e309", &huge] {
                assert_eq!(order(beyond, other), None, "{beyond} {other}");
            }
        }
        assert_eq!(order(&"1".repeat(309), &"1".repeat(309)), Some(Ordering::Equal));
    }

    #[test]
    fn short_numbers_have_millionths() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-0.0", Some(0)),
            ("0.123", Some(123_000)),
            ("-12.5", Some(-12_500_000)),
            ("7.", Some(7_000_000)),
            ("123456789.123456", Some(123_456_789_123_456)),
            ("999999999999", Some(999_999_999_999_000_000)),
            ("1234567890123", None),
            ("1234567890.5", None),
            ("0.1234567", None),
            (".5", None),
            ("1e3", None),
            ("1.2.3", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(millionths(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_not_read() {
        for text in ["", "+", "-", ".", "e5", "1e", "1e+", "1.2.3", "0x1", "inf", "nan", "1 ", "--1", ".e1"] {
            assert!(Number::read(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn texts_are_those_of_java() {
        for (number, text) in [
            ("12", "12"),
            ("-0", "0"),
            ("12.0", "12.0"),
            ("1e3", "1000.0"),
            ("1e10", "1.0E10"),
            ("12345678.5", "1.23456785E7"),
            ("9999999.0", "9999999.0"),
            ("1e7", "1.0E7"),
            ("0.001", "0.001"),
            ("0.00099", "9.9E-4"),
            ("0.00001", "1.0E-5"),
            ("123.456", "123.456"),
            ("-0.0", "-0.0"),
            ("1e309", "Infinity"),
            ("-1e309", "-Infinity"),
            ("1.5e300", "1.5E300"),
            ("100.0", "100.0"),
            ("0.01", "0.01"),
            ("5e-324", "4.9E-324"),
            ("1e-323", "9.9E-324"),
        ] {
            assert_eq!(Number::read(number.as_bytes()).unwrap().text(), text, "{number}");
        }
    }

    proptest! {
        /// Near each other and alike, in whatever way they are written.
        #[test]
        fn millionths_are_in_the_order_of_the_numbers(
            one in "-?(0|[1-9][0-9]{0,13}|[0-9]{1,3})(\\.[0-9]{0,7})?", change in any::<prop::sample::Index>(), digit in "[-0-9.]?",
        ) {
            let at = change.index(one.len());
            let other = format!("{}{digit}{}", &one[..at], &one[at + 1..]);
            for (one, other) in [(&one, &one), (&one, &other), (&other, &one)] {
                fn read(text: &str) -> Option<(Number<'_>, i64)> {
                    Some((Number::read(text.as_bytes())?, millionths(text.as_bytes())?))
                }
                if let (Some((one, first)), Some((other, second))) = (read(one), read(other)) {
                    prop_assert_eq!(one.compare(other), Some(first.cmp(&second)));
                }
                prop_assert!(millionths(other.as_bytes()).is_none() || Number::read(other.as_bytes()).is_some());
            }
        }

        #[test]
        fn texts_read_back_as_the_same_number(bits in any::<u64>()) {
            let double = f64::from_bits(bits);
            prop_assume!(double.is_finite());
            prop_assert_eq!(double_text(double).parse::<f64>().unwrap(), double);
        }

        #[test]
        fn agrees_with_exact_integers(one in any::<i64>(), other in any::<i64>(), double in -1e19f64..1e19) {
            prop_assert_eq!(order(&one.to_string(), &other.to_string()), Some(one.cmp(&other)));
            let short = one % 1_000_000_000_000_000;
            prop_assert_eq!(small(short.to_string().as_bytes()), Some(short));
            prop_assert_eq!(small(format!("1{}", short.abs()).as_bytes()).is_some(), short.abs() < 100_000_000_000_000);
            let whole = double.trunc();
            prop_assert_eq!(millionths(short.to_string().as_bytes()).is_some(), short.abs() < 1_000_000_000_000);
            let exact = i128::from(one).cmp(&(whole as i128));
            let expected = if exact != Ordering::Equal { exact } else { whole.partial_cmp(&double).unwrap() };
            prop_assert_eq!(order(&one.to_string(), &format!("{double:?}")), Some(expected));
        }
    }
}
