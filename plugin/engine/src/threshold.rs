//! Probability sampling that agrees with traces: 56-bit randomness against a 56-bit threshold.
//!
//! Source: OpenTelemetry, *Tracestate: probability sampling* (`th` and `rv`). A record is kept when its randomness is
//! not below the threshold; randomness comes from the trace id, from a hash of a key, or from a seeded generator. The
//! comparison is one and the same, so what a low rate keeps, every higher rate keeps too.

/// A probability from 2^-56 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probability(f64);

impl Probability {
    /// Reads `0.1` or `1/10`.
    ///
    /// # Errors
    /// `None` for anything that is not above 0 and at most 1 (`0`, `1.5`, `3/2`), or not a number (`10%`).
    pub fn parse(text: &str) -> Option<Probability> {
        let digits = |text: &str| {
            let valid = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            if valid { text.parse::<f64>().ok() } else { None }
        };
        let value = match text.split_once('/') {
            Some((part, whole)) => digits(part.trim())? / digits(whole.trim())?,
            None => digits(text)?,
        };
        (SMALLEST..=1.0).contains(&value).then_some(Probability(value))
    }

    /// The number itself.
    pub fn value(self) -> f64 {
        self.0
    }
}

/// What a randomness must reach for its record to be kept: 0 keeps all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u64);

impl Threshold {
    /// The threshold of a probability, rounded to four significant hexadecimal digits as the specification advises
    /// (more where the threshold starts with `f`s, so that small probabilities stay exact).
    pub fn new(probability: Probability) -> Threshold {
        let p = probability.value();
        // p is at most 1, so the rejected part fits into 56 bits; scaling by a power of two is exact.
        let rejected = MAX.saturating_sub((p * MAX as f64).round() as u64);
        let leading = leading_fs(p);
        let digits = PRECISION.saturating_add(leading).clamp(1, 14);
        let dropped_bits = 14u32.saturating_sub(digits).saturating_mul(4);
        let half = (1u64 << dropped_bits) >> 1;
        let rounded = rejected.saturating_add(half) >> dropped_bits << dropped_bits;
        Threshold(rounded.min(MAX.saturating_sub(1)))
    }

    /// Whether a record of this randomness is kept. Only the low 56 bits count.
    pub fn keeps(self, randomness: u64) -> bool {
        randomness & MASK >= self.0
    }

    /// Reads the `th` text.
    ///
    /// # Errors
    /// `None` for anything but 1 to 14 hexadecimal digits in lower case.
    pub fn parse(text: &[u8]) -> Option<Threshold> {
        let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.is_empty() || text.len() > 14 || !text.iter().all(is_hex) {
            return None;
        }
        let digits = u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()?;
        let missing = 14usize.saturating_sub(text.len()).saturating_mul(4);
        Some(Threshold(digits.checked_shl(u32::try_from(missing).ok()?)?))
    }

    /// The share of records that are kept.
    pub fn probability(self) -> f64 {
        MAX.saturating_sub(self.0) as f64 / MAX as f64
    }

    /// The `th` text: 14 hexadecimal digits without trailing zeros, `0` when all is kept.
    pub fn text(self) -> String {
        let text = format!("{:014x}", self.0);
        let text = text.trim_end_matches('0');
        if text.is_empty() { "0".to_owned() } else { text.to_owned() }
    }
}

/// The randomness in an explicit `rv`: exactly 14 hexadecimal digits in lower case.
///
/// # Errors
/// `None` for anything else.
pub fn explicit_randomness(text: &[u8]) -> Option<u64> {
    if text.len() == 14 { Threshold::parse(text).map(|Threshold(digits)| digits) } else { None }
}

/// How many hexadecimal `f`s the threshold of a probability starts with.
fn leading_fs(p: f64) -> u32 {
    // p = m * 2^e with 0.5 <= m < 1: each four binary places below 1 are one `f`. The exponent is read from the bits.
    let biased = (p.to_bits() >> 52) & 0x7ff;
    let exponent = i64::try_from(biased).unwrap_or_default().saturating_sub(1022);
    u32::try_from(exponent.saturating_neg().max(0) / 4).unwrap_or_default()
}

/// 2^56.
const MAX: u64 = 1 << 56;
const MASK: u64 = (1 << 56) - 1;
/// 2^-56, the smallest probability there is.
const SMALLEST: f64 = 1.0 / (MAX as f64);
/// Significant digits of a threshold, as the specification advises.
const PRECISION: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn threshold(text: &str) -> Threshold {
        Threshold::new(Probability::parse(text).unwrap())
    }

    #[test]
    fn thresholds_are_those_of_the_specification() {
        for (rate, th) in [
            ("1", "0"),
            ("1/2", "8"),
            ("1/3", "aaab"),
            ("1/4", "c"),
            ("1/5", "cccd"),
            ("1/8", "e"),
            ("1/10", "e666"),
            ("1/16", "f"),
            ("1/100", "fd70a"),
            ("1/1000", "ffbe77"),
            ("1/10000", "fff9724"),
            ("0.1", "e666"),
        ] {
            assert_eq!(threshold(rate).text(), th, "{rate}");
        }
    }

    #[test]
    fn the_boundary_itself_is_kept() {
        let half = threshold("1/2");
        assert!(half.keeps(1 << 55) && !half.keeps((1 << 55) - 1) && half.keeps(MASK));
        assert!(half.keeps(u64::MAX) && threshold("1").keeps(0));
    }

    #[test]
    fn only_probabilities_are_rates() {
        for wrong in
            ["0", "1.5", "3/2", "10%", "-0.1", "", "1/0", "0/1", "a", "1/", "nan", "1e-3", "0.1/0.2/0.3"]
        {
            assert_eq!(Probability::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Probability::parse("1 / 4").map(Probability::value), Some(0.25));
    }

    /// Scenario: 100,000 random ids at rates of 1/100 and 1/10.
    /// Guarantees: what the low rate keeps the high one keeps too, and both keep their share within five deviations.
    #[test]
    fn rates_nest_and_hold_their_share() {
        let mut rng = fastrand::Rng::with_seed(7);
        let (low, high) = (threshold("1/100"), threshold("1/10"));
        let mut kept = (0, 0);
        for _ in 0..100_000 {
            let randomness = rng.u64(..);
            kept.0 += u32::from(low.keeps(randomness));
            kept.1 += u32::from(high.keeps(randomness));
            assert!(!low.keeps(randomness) || high.keeps(randomness));
        }
        assert!((843..=1157).contains(&kept.0) && (9526..=10474).contains(&kept.1), "{kept:?}");
    }

    proptest! {
        #[test]
        fn a_threshold_is_near_its_probability(whole in 1u32..1_000_000) {
            let p = 1.0 / f64::from(whole);
            let Threshold(th) = Threshold::new(Probability::parse(&format!("1/{whole}")).unwrap());
            let effective = (MAX - th) as f64 / MAX as f64;
            prop_assert!((effective / p - 1.0).abs() < 0.001, "{whole}: {effective}");
        }
    }
}
