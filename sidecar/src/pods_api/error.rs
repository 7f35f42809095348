//! Why the Pods API cannot be followed.

use std::io::{self, ErrorKind};
use std::time::Duration;
use tonic::{Code, Status};

/// Why a stream of pods did not begin, or ended.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// There is no socket: the kubelet is older than 1.36, has the feature gate off, or starts just now.
    #[error("no socket is there")]
    Missing,
    /// Nobody listens behind the socket: a kubelet that is gone has left it.
    #[error("nobody listens behind the socket: {0}")]
    Refused(io::Error),
    /// The socket may not be opened, or the kubelet says so.
    #[error("not permitted: {0}")]
    Denied(String),
    /// The kubelet has no such service.
    #[error("the kubelet has no Pods API behind it")]
    Unimplemented,
    /// The kubelet does not know its pods yet.
    #[error("the kubelet is starting: {0}")]
    NotReady(String),
    /// Nothing came for too long.
    #[error("silent for {0:?}")]
    Silent(Duration),
    /// The kubelet has ended it because too much was waiting.
    #[error("the kubelet has put us out for being slow or asking too much: {0}")]
    Exhausted(String),
    /// A message is too large.
    #[error("a message is too large: {0}")]
    TooLarge(String),
    /// What came is no gRPC, or none of ours.
    #[error("what came cannot be read: {0}")]
    Garbage(String),
    /// The connection or the stream was closed, as when a kubelet is restarted.
    #[error("the stream was closed")]
    Ended,
    /// Any other status.
    #[error("status {0}")]
    Status(String),
}

impl StreamError {
    /// Every kind there is, as the label `kind` of the metrics has it.
    pub const KINDS: [&'static str; 11] = [
        "denied",
        "ended",
        "exhausted",
        "garbage",
        "missing",
        "not_ready",
        "refused",
        "silent",
        "status",
        "too_large",
        "unimplemented",
    ];

    /// The kind of this one, out of [`StreamError::KINDS`].
    pub fn kind(&self) -> &'static str {
        match self {
            StreamError::Missing => "missing",
            StreamError::Refused(_) => "refused",
            StreamError::Denied(_) => "denied",
            StreamError::Unimplemented => "unimplemented",
            StreamError::NotReady(_) => "not_ready",
            StreamError::Silent(_) => "silent",
            StreamError::Exhausted(_) => "exhausted",
            StreamError::TooLarge(_) => "too_large",
            StreamError::Garbage(_) => "garbage",
            StreamError::Ended => "ended",
            StreamError::Status(_) => "status",
        }
    }

    pub(super) fn from_connect(error: io::Error) -> StreamError {
        match error.kind() {
            ErrorKind::NotFound => StreamError::Missing,
            ErrorKind::PermissionDenied => StreamError::Denied(error.to_string()),
            _ => StreamError::Refused(error),
        }
    }

    pub(super) fn from_status(status: Status) -> StreamError {
        let said = short(status.message());
        match status.code() {
            // How Go's and Rust's gRPC say that a connection has ended.
            Code::Unavailable | Code::Cancelled | Code::Ok => StreamError::Ended,
            Code::Unimplemented => StreamError::Unimplemented,
            Code::FailedPrecondition => StreamError::NotReady(said),
            Code::PermissionDenied | Code::Unauthenticated => StreamError::Denied(said),
            Code::ResourceExhausted => StreamError::Exhausted(said),
            Code::OutOfRange => StreamError::TooLarge(said),
            // What the transport cannot read is an inner error of the client's own, or unknown.
            Code::Internal | Code::Unknown | Code::DataLoss => StreamError::Garbage(said),
            code => StreamError::Status(format!("{code:?}: {said}")),
        }
    }
}

/// What the kubelet says, in one line that is no longer than a line.
fn short(said: &str) -> String {
    said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SAID).collect()
}

const MAX_SAID: usize = 200;
