//! Three kinds of time, three types, and none of them read here.
//!
//! [`EventTime`] is what the record says, [`Now`] is what the caller's clock says, `Duration` is a distance. A clock
//! that goes back grants nothing: an elapsed time is never negative.

use std::time::Duration;

/// When a record says it happened: seconds and nanoseconds since 1970, as Fluent Bit hands them over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventTime {
    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub sec: u32,
    /// Nanoseconds within the second; values of a thousand million and more are carried over.
    pub nsec: u32,
}

impl EventTime {
    /// The time so many nanoseconds after 1970 began.
    pub fn from_nanos(nanos: u64) -> EventTime {
        let sec = u32::try_from(nanos / NANOS).unwrap_or(u32::MAX);
        EventTime { sec, nsec: (nanos % NANOS) as u32 }
    }

    /// Nanoseconds since 1970.
    #[inline]
    pub fn as_nanos(self) -> u64 {
        u64::from(self.sec).wrapping_mul(NANOS).wrapping_add(u64::from(self.nsec))
    }

    /// The instant in RFC 3339, UTC, to the millisecond: `2026-11-24T00:10:29.250Z`.
    pub fn to_rfc3339(self) -> String {
        let nanos = self.as_nanos();
        let (seconds, milliseconds) = (nanos / NANOS, nanos % NANOS / 1_000_000);
        let (year, month, day) = civil_from_days(seconds / 86_400);
        let of_day = seconds % 86_400;
        let (hour, minute, second) = (of_day / 3600, of_day % 3600 / 60, of_day % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
    }

    /// The distance to an earlier or later time, without a sign.
    pub fn distance(self, other: EventTime) -> Duration {
        Duration::from_nanos(self.as_nanos().abs_diff(other.as_nanos()))
    }
}

/// The caller's wall clock: nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now(pub u64);

impl Now {
    /// How long ago `earlier` was, or `None` when the clock has gone back behind it.
    pub fn since(self, earlier: Now) -> Option<Duration> {
        self.0.checked_sub(earlier.0).map(Duration::from_nanos)
    }

    /// So much later; at the end of time for ever.
    pub fn after(self, duration: Duration) -> Now {
        let whole = duration.as_secs().saturating_mul(NANOS);
        Now(self.0.saturating_add(whole).saturating_add(u64::from(duration.subsec_nanos())))
    }

    /// Whole seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0 / NANOS
    }

    /// The same as a record says it.
    pub fn event_time(self) -> EventTime {
        EventTime::from_nanos(self.0)
    }
}

/// Reads `500ms`, `60s`, `10m`, `2h`, `1d` and sums such as `1h30m`.
///
/// # Errors
/// `None` for an empty text, a number without unit (`60`), an unknown unit (`5w`) or more than 292 years.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = 0u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at_checked(letters)?;
        let nanos = match unit {
            "ms" => 1_000_000,
            "s" => NANOS,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(nanos)?)?;
        rest = tail;
    }
    Some(Duration::from_nanos(total))
}

/// Reads an RFC 3339 instant (`2026-12-31T00:00:00Z`, `2026-12-31T01:30:00.5+01:30`) as seconds since 1970.
///
/// # Errors
/// `None` for anything else: a missing offset, a day that is not in the calendar, a time past 23:59:60.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let (date, clock) = text.split_at_checked(10)?;
    let (year, month, day) = (number(date, 0, 4)?, number(date, 5, 7)?, number(date, 8, 10)?);
    let dashes = date.as_bytes().get(4) == Some(&b'-') && date.as_bytes().get(7) == Some(&b'-');
    let clock = clock.strip_prefix(['T', 't', ' '])?;
    let (hour, minute, second) = (number(clock, 0, 2)?, number(clock, 3, 5)?, number(clock, 6, 8)?);
    let colons = clock.as_bytes().get(2) == Some(&b':') && clock.as_bytes().get(5) == Some(&b':');
    if !dashes || !colons || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut zone = clock.get(8..)?;
    if let Some(fraction) = zone.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        zone = if digits == 0 { return None } else { fraction.get(digits..)? };
    }
    let offset = match zone.as_bytes().first()? {
        b'Z' | b'z' if zone.len() == 1 => 0,
        sign @ (b'+' | b'-') if zone.len() == 6 && zone.as_bytes().get(3) == Some(&b':') => {
            let (hours, minutes) = (number(zone, 1, 3)?, number(zone, 4, 6)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?;
            if *sign == b'+' { seconds } else { seconds.checked_neg()? }
        }
        _ => return None,
    };
    let days = days_from_civil(year, month, day)?;
    let of_day = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    days.checked_mul(86_400)?.checked_add(of_day)?.checked_sub(offset)
}

fn number(text: &str, from: usize, to: usize) -> Option<i64> {
    let digits = text.get(from..to)?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let before_month = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    let (start, end) = (*before_month.get(index)?, *before_month.get(index.checked_add(1)?)?);
    let mut length = i64::checked_sub(end, start)?;
    if leap && month == 2 {
        length = length.checked_add(1)?;
    }
    if day < 1 || day > length {
        return None;
    }
    let past = year.checked_sub(1)?;
    let every = |start: i64, years: i64| past.checked_sub(start)?.checked_div_euclid(years);
    let leap_days = every(1968, 4)?.checked_sub(every(1900, 100)?)?.checked_add(every(1600, 400)?)?;
    let leap_today = i64::from(leap && month > 2);
    let of_year = i64::checked_add(start, day)?.checked_sub(1)?.checked_add(leap_today)?;
    year.checked_sub(1970)?.checked_mul(365)?.checked_add(leap_days)?.checked_add(of_year)
}

/// The date so many days after 1970-01-01: years are counted off, then months. A `u32` of seconds ends in 2106.
fn civil_from_days(mut days: u64) -> (u64, u64, u64) {
    let is_leap =
        |year: u64| (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let mut year = 1970u64;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        match days.checked_sub(length) {
            Some(rest) => days = rest,
            None => break,
        }
        year = year.wrapping_add(1);
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1u64;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        match days.checked_sub(length) {
            Some(rest) => days = rest,
            None => break,
        }
        month = month.wrapping_add(1);
    }
    (year, month, days.wrapping_add(1))
}

const NANOS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_with_units_only() {
        assert_eq!(parse_duration("60s"), Some(Duration::from_secs(60)));
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        for wrong in ["", "60", "s", "5w", "-5s", "1.5s", "99999999999999d"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn reads_rfc3339_instants() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("2024-02-29T12:00:00Z", 1_709_208_000),
            ("2026-12-31T00:00:00Z", 1_798_675_200),
            ("2026-12-31T01:30:00.25+01:30", 1_798_675_200),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("1969-12-31T23:59:59Z", -1),
        ] {
            assert_eq!(parse_rfc3339(text), Some(expected), "{text}");
        }
        for wrong in [
            "2026-12-31",
            "2026-12-31T00:00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-12-31T24:00:00Z",
            "2026-12-31T00:00:00+1:00",
            "2026-12-31T00:00:00.Z",
        ] {
            assert_eq!(parse_rfc3339(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn instants_are_written_as_they_are_read() {
        let time = |sec, nsec| EventTime { sec, nsec };
        assert_eq!(time(0, 0).to_rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(1_709_208_000, 5_999_999).to_rfc3339(), "2024-02-29T12:00:00.005Z");
        for sec in (0..u32::MAX).step_by(7_654_321) {
            assert_eq!(parse_rfc3339(&time(sec, 0).to_rfc3339()), Some(i64::from(sec)));
        }
        assert_eq!(time(u32::MAX, u32::MAX).to_rfc3339(), "2106-02-07T06:28:19.294Z");
    }

    #[test]
    fn a_clock_that_goes_back_has_no_elapsed_time() {
        assert_eq!(Now(5).since(Now(9)), None);
        assert_eq!(Now(9).since(Now(5)), Some(Duration::from_nanos(4)));
    }
}
