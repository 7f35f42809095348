//! A time as Fluent Bit reads it, which takes what it can of a text.
//!
//! Source: `flb_parser_time_lookup` in src/flb_parser.c with `%Y-%m-%dT%H:%M:%S.%L%z` and `time_strict` off, as the parsers
//! `cri` and `docker` have it, and `flb_strptime` (OpenBSD's). What stands behind the first thing that does not fit is not
//! read: without a fraction the zone is none of it, `2026-11-20 10:00:00` is midnight, and a year alone is the last day of the
//! year before.

/// What a time comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostTime {
    /// Seconds and nanoseconds since 1970.
    At((u32, u32)),
    /// The time of reading: none is written, or 1970 itself.
    Now,
    /// Outside of 1970 to 2106: there is no such record.
    Never,
}

/// Reads a time.
pub(super) fn host_time(text: &[u8]) -> HostTime {
    // The host copies the text as a C string.
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    let mut fields = TimeFields { rest: text.get(..end).unwrap_or_default(), ..TimeFields::default() };
    fields.read();
    let days = days_from_civil(fields.year, fields.month).saturating_add(fields.day).saturating_sub(1);
    let seconds = days
        .saturating_mul(86_400)
        .saturating_add(fields.hour.saturating_mul(3600))
        .saturating_add(fields.minute.saturating_mul(60))
        .saturating_add(fields.second)
        .saturating_sub(fields.offset);
    match (u32::try_from(seconds), fields.nanoseconds) {
        (Ok(0), 0) => HostTime::Now,
        (Ok(seconds), nanoseconds @ ..1_000_000_000) => HostTime::At((seconds, nanoseconds)),
        _ => HostTime::Never,
    }
}

struct TimeFields<'t> {
    rest: &'t [u8],
    year: i64,
    /// From 0.
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    /// In seconds, east of Greenwich.
    offset: i64,
}

impl Default for TimeFields<'_> {
    fn default() -> Self {
        TimeFields {
            rest: b"",
            // What C's `struct tm` has when nothing is written to it.
            year: 1900,
            month: 0,
            day: 0,
            hour: 0,
            minute: 0,
            second: 0,
            nanoseconds: 0,
            offset: 0,
        }
    }
}

impl TimeFields<'_> {
    /// Field by field, up to the first that is not there.
    fn read(&mut self) -> Option<()> {
        self.year = self.number(0, 9999)?;
        self.literal(b'-')?;
        self.month = self.number(1, 12)?.saturating_sub(1);
        self.literal(b'-')?;
        self.day = self.number(1, 31)?;
        self.literal(b'T')?;
        self.hour = self.number(0, 23)?;
        self.literal(b':')?;
        self.minute = self.number(0, 59)?;
        self.literal(b':')?;
        self.second = self.number(0, 60)?;
        self.literal(b'.')?;
        self.fraction()?;
        self.zone()
    }

    fn literal(&mut self, expected: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        (*first == expected).then(|| self.rest = rest)
    }

    /// OpenBSD's `_conv_num`: digits for as long as the limit leaves room for another.
    fn number(&mut self, least: i64, most: i64) -> Option<i64> {
        let (mut value, mut room) = (0i64, most);
        let mut rest = self.rest;
        loop {
            let (digit, behind) = rest.split_first().filter(|(digit, _)| digit.is_ascii_digit())?;
            value = value.saturating_mul(10).saturating_add(i64::from(digit.saturating_sub(b'0')));
            rest = behind;
            room /= 10;
            let goes_on = value.saturating_mul(10) <= most && room > 0;
            if !goes_on || !rest.first().is_some_and(u8::is_ascii_digit) {
                break;
            }
        }
        self.rest = rest;
        (least..=most).contains(&value).then_some(value)
    }

    /// At most nine digits.
    fn fraction(&mut self) -> Option<()> {
        let digits = self.rest.iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
        let (fraction, rest) = self.rest.split_at_checked(digits).filter(|(digits, _)| !digits.is_empty())?;
        let text = std::str::from_utf8(fraction).ok()?;
        self.nanoseconds = format!("{text:0<9}").parse().ok()?;
        self.rest = rest;
        Some(())
    }

    /// `Z`, `+01:00`, `+0100`, `+01`, `UTC`, `GMT`, and North America's.
    fn zone(&mut self) -> Option<()> {
        let rest = self.rest.trim_ascii_start();
        let hours = |hours: i64| hours.saturating_mul(3600);
        self.offset = match rest {
            [b'E' | b'C' | b'M' | b'P', b'S' | b'D', b'T', ..] => {
                let (zone, kind) = (rest.first()?, rest.get(1)?);
                let standard = [b'E', b'C', b'M', b'P'].iter().position(|known| known == zone)?;
                let summer = i64::from(*kind == b'D');
                hours(summer.saturating_sub(5).saturating_sub(i64::try_from(standard).ok()?))
            }
            [sign @ (b'+' | b'-'), a, b, behind @ ..] if a.is_ascii_digit() && b.is_ascii_digit() => {
                let two = |a: u8, b: u8| {
                    let value = |digit: u8| i64::from(digit.saturating_sub(b'0'));
                    value(a).saturating_mul(10).saturating_add(value(b))
                };
                let behind = behind.strip_prefix(b":").unwrap_or(behind);
                let minutes = match behind {
                    [c, d, ..] if c.is_ascii_digit() && d.is_ascii_digit() => two(*c, *d),
                    [c, ..] if c.is_ascii_digit() => return None,
                    _ => 0,
                };
                let offset = hours(two(*a, *b)).saturating_add(minutes.saturating_mul(60));
                if *sign == b'-' { offset.saturating_neg() } else { offset }
            }
            _ => return None,
        };
        Some(())
    }
}

/// Days from 1970 to the first of a month (from 0) of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64) -> i64 {
    // Years from March on, so that the leap day is the last.
    let shifted = if month < 2 { year.saturating_sub(1) } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = month.saturating_add(10).rem_euclid(12).saturating_mul(153).saturating_add(2) / 5;
    let leap = (of_era / 4).saturating_sub(of_era / 100);
    let days = of_era.saturating_mul(365).saturating_add(leap).saturating_add(of_year);
    era.saturating_mul(146_097).saturating_add(days).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each as Fluent Bit 5.1.1 read it.
    #[test]
    fn takes_of_a_time_what_it_can() {
        for (text, expected) in [
            ("2026-11-20T10:00:00.123456789Z", (1_795_168_800, 123_456_789)),
            ("2026-11-20T10:00:00.1Z ", (1_795_168_800, 100_000_000)),
            ("2026-11-20 10:00:00", (1_795_132_800, 0)),
            ("2026-11-20T10:00:00Z", (1_795_168_800, 0)),
            ("2026-11-20T10:00:00+01:00", (1_795_168_800, 0)),
            ("2026-11-20T10:00:00.5+01:00", (1_795_165_200, 500_000_000)),
            ("2026-11-20T10:00:00,5Z", (1_795_168_800, 0)),
            ("2026-11-20T10:00:00.1+0130", (1_795_163_400, 100_000_000)),
            ("2026-11-20T10:00:00.1-05", (1_795_186_800, 100_000_000)),
            ("2026-11-20T10:00:00.1 EST", (1_795_186_800, 100_000_000)),
            ("2026-11-20T10:00:00.1 UTC", (1_795_168_800, 100_000_000)),
            ("2026-11-20T10:00:60.1Z", (1_795_168_860, 100_000_000)),
            ("2026-11-20T10:00:00.1", (1_795_168_800, 100_000_000)),
            ("2026-11-20T10:00:00.1234567891234Z", (1_795_168_800, 123_456_789)),
            ("2026-11-20T10", (1_795_168_800, 0)),
            ("2026-11-20T24:00:00.1Z", (1_795_132_800, 0)),
            ("2026-13-40T10:00:00.1Z", (1_767_139_200, 0)),
            ("20261-11-20T10:00:00.1Z", (1_767_139_200, 0)),
            ("2026-02-30T10:00:00.1Z", (1_772_445_600, 100_000_000)),
            ("2026-1-2T3:4:5.6Z", (1_767_323_045, 600_000_000)),
            ("2026", (1_767_139_200, 0)),
            ("2026-11", (1_793_404_800, 0)),
            ("2026-11-20T10:00:00.-1Z", (1_795_168_800, 0)),
            ("1970-01-01T00:00:01Z", (1, 0)),
        ] {
            assert_eq!(host_time(text.as_bytes()), HostTime::At(expected), "{text}");
        }
    }

    #[test]
    fn some_times_cannot_be() {
        for text in [
            "never",
            "",
            " +2026-11-20T10:00:00.1Z",
            "1969-12-31T23:59:59.9Z",
            "2106-02-07T06:28:16.5Z",
            "\0\x002026-11-20T10:00:00.1Z",
        ] {
            assert_eq!(host_time(text.as_bytes()), HostTime::Never, "{text:?}");
        }
        assert_eq!(host_time(b"1970-01-01T00:00:00Z"), HostTime::Now);
    }
}
