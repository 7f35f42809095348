//! The failure modes of the fake Pods API.

use std::fmt;
use std::str::FromStr;
use tonic::Status;

/// How the fake Pods API answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamMode {
    /// With its pods and their changes.
    #[default]
    Ok,
    /// Only under the name that a beta may have one day.
    BetaOnly,
    /// Not to who asks for some fields only.
    NoMask,
    /// UNIMPLEMENTED: the feature gate is off.
    Unimplemented,
    /// PERMISSION_DENIED.
    Denied,
    /// FAILED_PRECONDITION: it does not know its pods yet.
    NotReady,
    /// It takes the call and does not answer.
    Silent,
    /// Half of its pods, and then nothing.
    Stall,
    /// All of its pods, and then nothing: no change, and no answer to any other call.
    Hang,
    /// All of its pods, and then the end of the stream.
    Ends,
    /// All of its pods, and then RESOURCE_EXHAUSTED, as to a client that is too slow.
    Slow,
    /// Pods that are none and events of a later version among its own.
    BadPods,
    /// A message of 17 MiB.
    TooLarge,
    /// Something that is no HTTP/2.
    Garbage,
    /// It closes each connection.
    Close,
}

impl StreamMode {
    /// Every mode with its name.
    pub const ALL: [(StreamMode, &'static str); 15] = [
        (StreamMode::Ok, "ok"),
        (StreamMode::BetaOnly, "beta-only"),
        (StreamMode::NoMask, "no-mask"),
        (StreamMode::Unimplemented, "unimplemented"),
        (StreamMode::Denied, "denied"),
        (StreamMode::NotReady, "not-ready"),
        (StreamMode::Silent, "silent"),
        (StreamMode::Stall, "stall"),
        (StreamMode::Hang, "hang"),
        (StreamMode::Ends, "ends"),
        (StreamMode::Slow, "slow"),
        (StreamMode::BadPods, "bad-pods"),
        (StreamMode::TooLarge, "too-large"),
        (StreamMode::Garbage, "garbage"),
        (StreamMode::Close, "close"),
    ];

    /// The status with which a watch is refused, if it is.
    pub(super) fn status(self, is_beta: bool, has_mask: bool) -> Option<Status> {
        match self {
            StreamMode::Unimplemented => Some(Status::unimplemented("unknown service")),
            StreamMode::BetaOnly if !is_beta => Some(Status::unimplemented("unknown service v1alpha1.Pods")),
            StreamMode::Denied => Some(Status::permission_denied("not for you")),
            StreamMode::NotReady => Some(Status::failed_precondition("Kubelet is initializing")),
            StreamMode::NoMask if has_mask => Some(Status::invalid_argument("unknown field mask")),
            _ if is_beta && self != StreamMode::BetaOnly => {
                Some(Status::unimplemented("unknown service v1beta1.Pods"))
            }
            _ => None,
        }
    }

    /// The mode's name on the command line.
    pub fn name(self) -> &'static str {
        StreamMode::ALL.iter().find(|(mode, _)| *mode == self).map_or("ok", |(_, name)| name)
    }
}

impl fmt::Display for StreamMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no mode's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read mode of the Pods API {0:?}: not one of {names}", names = StreamMode::ALL.map(|(_, name)| name).join(", "))]
pub struct StreamModeError(String);

impl FromStr for StreamMode {
    type Err = StreamModeError;

    fn from_str(text: &str) -> Result<StreamMode, StreamModeError> {
        let found = StreamMode::ALL.iter().find(|(_, name)| *name == text.trim());
        found.map(|(mode, _)| *mode).ok_or_else(|| StreamModeError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_has_a_name_of_its_own_that_reads_back() {
        for (index, (mode, name)) in StreamMode::ALL.into_iter().enumerate() {
            assert_eq!(mode as usize, index);
            assert_eq!((name.parse(), mode.to_string().as_str()), (Ok(mode), name));
        }
        assert!("sleepy".parse::<StreamMode>().is_err());
    }
}
