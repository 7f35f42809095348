//! The failure modes of the fake kubelet.

use std::fmt;
use std::str::FromStr;

/// How the fake kubelet answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailureMode {
    /// With its pods.
    #[default]
    Ok,
    /// With no pods, as right after a restart.
    Empty,
    /// With `{"items":null}`.
    Null,
    /// With `{}`.
    NoItems,
    /// With an array.
    Array,
    /// With half of its list, and then it closes the connection.
    BrokenOff,
    /// With half of its list as if it were the whole.
    Cut,
    /// With the first of its pods only.
    Tiny,
    /// With a byte of its list every 20 ms.
    Slow,
    /// Half of its list, and then nothing.
    Stall,
    /// It takes the request and does not answer, until the mode changes.
    Hang,
    /// 401.
    Unauthorized,
    /// 403, with kubelet's text.
    Forbidden,
    /// 500.
    Error,
    /// An HTML page, as a proxy sends it.
    Html,
    /// A list without end.
    Endless,
    /// No TLS: a kubelet without its serving certificate ends the handshake.
    NoCertificate,
    /// It closes each connection.
    Close,
}

impl FailureMode {
    /// Every mode with its name.
    pub const ALL: [(FailureMode, &'static str); 18] = [
        (FailureMode::Ok, "ok"),
        (FailureMode::Empty, "empty"),
        (FailureMode::Null, "null"),
        (FailureMode::NoItems, "no-items"),
        (FailureMode::Array, "array"),
        (FailureMode::BrokenOff, "broken-off"),
        (FailureMode::Cut, "cut"),
        (FailureMode::Tiny, "tiny"),
        (FailureMode::Slow, "slow"),
        (FailureMode::Stall, "stall"),
        (FailureMode::Hang, "hang"),
        (FailureMode::Unauthorized, "unauthorized"),
        (FailureMode::Forbidden, "forbidden"),
        (FailureMode::Error, "error"),
        (FailureMode::Html, "html"),
        (FailureMode::Endless, "endless"),
        (FailureMode::NoCertificate, "no-certificate"),
        (FailureMode::Close, "close"),
    ];

    /// Whether no request is answered, so that none could change the mode either.
    pub fn is_deaf(self) -> bool {
        matches!(self, FailureMode::NoCertificate | FailureMode::Close)
    }

    /// The mode's name on the command line.
    pub fn name(self) -> &'static str {
        FailureMode::ALL.iter().find(|(mode, _)| *mode == self).map_or("ok", |(_, name)| name)
    }
}

impl fmt::Display for FailureMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no mode's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read kubelet mode {0:?}: not one of {names}", names = FailureMode::ALL.map(|(_, name)| name).join(", "))]
pub struct FailureModeError(String);

impl FromStr for FailureMode {
    type Err = FailureModeError;

    fn from_str(text: &str) -> Result<FailureMode, FailureModeError> {
        let found = FailureMode::ALL.iter().find(|(_, name)| *name == text.trim());
        found.map(|(mode, _)| *mode).ok_or_else(|| FailureModeError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_has_a_name_of_its_own_that_reads_back() {
        for (index, (mode, name)) in FailureMode::ALL.into_iter().enumerate() {
            assert_eq!(mode as usize, index);
            assert_eq!((name.parse(), mode.to_string().as_str()), (Ok(mode), name));
        }
        let error = "sleepy".parse::<FailureMode>().unwrap_err().to_string();
        assert!(error.starts_with("read kubelet mode \"sleepy\": not one of ok, empty, "), "{error}");
    }
}
