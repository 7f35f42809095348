//! The keys under which programs write a message, an error and a status.

/// Where the message of a JSON line stands by default, the first that is a string: of zap, zerolog, pino, bunyan, logrus,
/// klog, logstash, structlog, Docker, Serilog, OpenTelemetry, GELF, hclog and .NET, and what went wrong where there is no other.
pub const MESSAGE_KEYS: [&str; 17] = [
    "message",
    "msg",
    "event",
    "log",
    "@mt",
    "@m",
    "Message",
    "body",
    "short_message",
    "text",
    "@message",
    "MESSAGE",
    "M",
    "textPayload",
    "error",
    "err",
    "exception",
];

/// Where what went wrong stands beside it.
pub(super) const ERRORS: [&[u8]; 11] = [
    b"error",
    b"err",
    b"exception",
    b"error.message",
    b"error.type",
    b"Exception",
    b"exc_info",
    b"@x",
    b"thrown",
    b"stack_trace",
    b"stackTrace",
];

/// Where a status stands; from [`ANSWERS`] on in an object of that name: pino-http's, ECS', Envoy's.
pub(super) const STATUSES: [&[u8]; 26] = [
    b"status",
    b"Status",
    b"StatusCode",
    b"httpStatus",
    b"httpStatusCode",
    b"http.status",
    b"responseStatus",
    b"statusCode",
    b"status_code",
    b"statuscode",
    b"response_code",
    b"responseCode",
    b"http_status",
    b"http.status_code",
    b"http.response.status_code",
    b"code",
    b"resp",
    b"DownstreamStatus",
    b"grpc.code",
    b"grpc_code",
    b"grpc_status",
    b"grpcStatus",
    b"res",
    b"response",
    b"http",
    b"httpRequest",
];

pub(super) const ANSWERS: usize = 22;

pub(super) const ERROR_LENGTHS: u64 = lengths(&ERRORS);

pub(super) const STATUS_LENGTHS: u64 = lengths(&STATUSES);

/// A bit for each length that a name has.
pub(super) const fn lengths(names: &[&[u8]]) -> u64 {
    let (mut lengths, mut at) = (0u64, 0usize);
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // While compiling.
    while at < names.len() {
        lengths |= 1 << names[at].len();
        at += 1;
    }
    lengths
}
