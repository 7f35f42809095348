//! Rates and sizes as people write them: `20/s`, `5MB/s`, `2GiB`, `1/100`.

use std::num::NonZeroU64;
use std::time::Duration;

/// An amount per time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What is counted.
    pub unit: Unit,
    /// How much of it.
    pub amount: NonZeroU64,
    /// In how long.
    pub per: Duration,
}

/// What a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Records.
    Records,
    /// Bytes of JSON text as the record came.
    Bytes,
}

impl Rate {
    /// How much in a second.
    pub fn per_second(self) -> f64 {
        self.amount.get() as f64 / self.per.as_secs_f64()
    }
}

/// Reads `20/s`, `1.5/s`, `300/m`, `5MB/s`, `2GiB/day`.
///
/// # Errors
/// `None` without a time (`20`), for an unknown unit (`20/w`, `5Mb/s`), zero, and more than 10^15.
pub(crate) fn parse_rate(text: &str) -> Option<Rate> {
    let (amount, per) = text.split_once('/')?;
    let seconds = match per.trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" | "day" => 86_400,
        _ => return None,
    };
    let amount = amount.trim();
    let unit = if amount.ends_with(|last: char| last.is_ascii_digit()) { Unit::Records } else { Unit::Bytes };
    let mut per = Duration::from_secs(seconds);
    // Of a fraction of a record in a second, a whole one in a longer time is made.
    let fraction = amount.split_once('.').map_or(0, |(_, digits)| digits.len());
    let amount = if unit == Unit::Records && fraction > 0 {
        let scale = 10u32.checked_pow(u32::try_from(fraction).ok().filter(|digits| *digits <= 6)?)?;
        per = per.checked_mul(scale)?;
        whole(&amount.replace('.', ""))?
    } else if unit == Unit::Records {
        whole(amount)?
    } else {
        parse_bytes(amount)?
    };
    Some(Rate { unit, amount: NonZeroU64::new(amount)?, per })
}

/// Reads `2GiB`, `1.5MB`, `500kB`, `64B`.
///
/// # Errors
/// `None` without a unit (`500`), for an unknown one (`5Mb`), and for more than 10^15 bytes.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit: u64 = match unit.trim_start() {
        "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    let (whole_part, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut bytes = whole(whole_part)?.checked_mul(unit)?;
    if !fraction.is_empty() {
        let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok().filter(|digits| *digits <= 6)?)?;
        bytes = bytes.checked_add(whole(fraction)?.checked_mul(unit)?.checked_div(scale)?)?;
    }
    (bytes <= MOST).then_some(bytes)
}

/// Reads `1/100` as 100.
///
/// # Errors
/// `None` for anything but one part in a whole number.
pub(crate) fn parse_one_in(text: &str) -> Option<NonZeroU64> {
    let (one, many) = text.split_once('/')?;
    if one.trim() != "1" {
        return None;
    }
    NonZeroU64::new(whole(many.trim())?)
}

fn whole(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok().filter(|number| *number <= MOST) } else { None }
}

/// The largest number there is here: no sum or product of two of what is measured overflows.
const MOST: u64 = 1_000_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_an_amount_and_a_time() {
        let rate =
            |text: &str| parse_rate(text).map(|rate| (rate.unit, rate.amount.get(), rate.per.as_secs()));
        assert_eq!(rate("20/s"), Some((Unit::Records, 20, 1)));
        assert_eq!(rate(" 300 / m "), Some((Unit::Records, 300, 60)));
        assert_eq!(rate("1/h"), Some((Unit::Records, 1, 3600)));
        assert_eq!(rate("0.5/s"), Some((Unit::Records, 5, 10)));
        assert_eq!(rate("5MB/s"), Some((Unit::Bytes, 5_000_000, 1)));
        assert_eq!(rate("1.5GiB/day"), Some((Unit::Bytes, 3 << 29, 86_400)));
        for wrong in ["20", "20/w", "5Mb/s", "0/s", "-1/s", "/s", "1/", "1e3/s", "1.1234567/s", "a/s", "0B/s"]
        {
            assert_eq!(rate(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(parse_bytes("64B"), Some(64));
        assert_eq!(parse_bytes("500 kB"), Some(500_000));
        assert_eq!(parse_bytes("2GiB"), Some(2 << 30));
        assert_eq!(parse_bytes("0.5KiB"), Some(512));
        for wrong in ["", "500", "5Mb", "B", ".5MB", "5.MB5", "99999TB"] {
            assert_eq!(parse_bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn one_in_many_is_nothing_else() {
        assert_eq!(parse_one_in("1/100").map(NonZeroU64::get), Some(100));
        for wrong in ["2/100", "1/0", "0.01", "1", "1/", "1/1.5"] {
            assert_eq!(parse_one_in(wrong), None, "{wrong}");
        }
    }
}
