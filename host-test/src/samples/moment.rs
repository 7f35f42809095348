//! The samples' own clock, so that no line depends on when the generator runs, and the many ways in which
//! programs print a time.

/// Nanoseconds since 2026-11-01T00:00:00Z; all samples lie within that month, which spares a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SampleTime(u64);

/// Unix time of the origin of [`SampleTime`].
const ORIGIN_UNIX_SECONDS: u64 = 1_793_491_200;
const NANOS: u64 = 1_000_000_000;

/// 2026-11-20T10:00:00Z: when the recorded ten minutes start.
pub const WINDOW_START: SampleTime = SampleTime((19 * 24 + 10) * 3600 * NANOS);

impl SampleTime {
    /// This moment moved on by `nanos`.
    pub fn plus_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// This moment moved on by `seconds`.
    pub fn plus_seconds(self, seconds: u64) -> Self {
        self.plus_nanos(seconds * NANOS)
    }

    /// This moment moved back by `seconds`, not beyond the start of the month.
    pub fn minus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds * NANOS))
    }

    /// Nanoseconds until `later`, 0 if that has passed.
    pub fn nanos_until(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0)
    }

    /// Milliseconds since the Unix epoch.
    pub fn unix_millis(self) -> u64 {
        ORIGIN_UNIX_SECONDS * 1000 + self.0 / 1_000_000
    }

    /// Seconds since the Unix epoch.
    pub fn unix_seconds(self) -> u64 {
        ORIGIN_UNIX_SECONDS + self.0 / NANOS
    }

    /// `10:00:00`
    pub fn clock(self) -> String {
        let second = self.0 / NANOS;
        format!("{:02}:{:02}:{:02}", second / 3600 % 24, second / 60 % 60, second % 60)
    }

    /// `2026-11-20`
    pub fn date(self) -> String {
        format!("2026-11-{:02}", self.day())
    }

    /// `2026-11-20T10:00:00Z`, as the Kubernetes API prints times.
    pub fn rfc3339(self) -> String {
        format!("{}T{}Z", self.date(), self.clock())
    }

    /// `2026-11-20T10:00:00.123Z`
    pub fn rfc3339_millis(self) -> String {
        format!("{}T{}.{:03}Z", self.date(), self.clock(), self.fraction() / 1_000_000)
    }

    /// `2026-11-20T10:00:00.123456Z`
    pub fn rfc3339_micros(self) -> String {
        format!("{}T{}.{:06}Z", self.date(), self.clock(), self.fraction() / 1000)
    }

    /// `2026-11-20T10:00:00.123456789Z`, always nine digits, as containerd prints it.
    pub fn rfc3339_nanos(self) -> String {
        format!("{}T{}.{:09}Z", self.date(), self.clock(), self.fraction())
    }

    /// `2026-11-20 10:00:00.123` with `mark` between seconds and milliseconds.
    pub fn spaced_millis(self, mark: char) -> String {
        format!("{} {}{mark}{:03}", self.date(), self.clock(), self.fraction() / 1_000_000)
    }

    /// `1120 10:00:00.123456`, the way klog starts a line after the severity letter.
    pub fn klog(self) -> String {
        format!("11{:02} {}.{:06}", self.day(), self.clock(), self.fraction() / 1000)
    }

    /// `20/Nov/2026:10:00:00 +0000`, the time of the combined log format.
    pub fn common_log(self) -> String {
        format!("{:02}/Nov/2026:{} +0000", self.day(), self.clock())
    }

    /// `Nov 20 10:00:00`, the time of BSD syslog.
    pub fn syslog(self) -> String {
        format!("Nov {:2} {}", self.day(), self.clock())
    }

    fn day(self) -> u64 {
        1 + self.0 / NANOS / 86_400
    }

    fn fraction(self) -> u64 {
        self.0 % NANOS
    }
}
