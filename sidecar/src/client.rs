//! One request to the kubelet, `GET /pods`, and the answer as pod files.
//!
//! The rules it keeps: every wait has a time limit (connecting, silence, the whole poll); the answer is parsed as it streams
//! and never held in memory as a whole; the path is exactly `/pods`, which `nodes/pods` permits (KEP-2862), while anything else would ask for
//! `nodes/proxy`. Each request has a connection of its own: at two a minute a broken one costs more than it saves.

use crate::off_loop::OffLoop;
use crate::settings::KubeletSettings;
use crate::tls::{self, TlsError};
use crate::trust::Doubt;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use nodesieve_podlist::{Limits, ListError, PodFiles, project};
use rustls::ClientConfig;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Why a poll brought no list.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// The token cannot be read, or is none.
    #[error("read token {}: {reason}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The CA certificates cannot be had.
    #[error(transparent)]
    Ca(TlsError),
    /// No connection.
    #[error("connect: {0}")]
    Connect(io::Error),
    /// No TLS: the certificate is not trusted, or the kubelet has none yet.
    #[error("shake hands: {0}")]
    Tls(io::Error),
    /// Nothing came for too long.
    #[error("{stage}: not within {limit:?}")]
    TimedOut {
        /// What was being done.
        stage: &'static str,
        /// For how long.
        limit: Duration,
    },
    /// The connection broke before the answer was whole.
    #[error("read answer: it broke off: {0}")]
    Broken(hyper::Error),
    /// 401.
    #[error("the token is refused (401): {0}")]
    Unauthorized(String),
    /// 403.
    #[error("not permitted (403): {0}")]
    Forbidden(String),
    /// Any other status than 200.
    #[error("status {code}: {said}")]
    Status {
        /// The status.
        code: u16,
        /// How the answer starts.
        said: String,
    },
    /// The answer is no list.
    #[error(transparent)]
    List(#[from] ListError),
    /// The list is implausible.
    #[error(transparent)]
    Doubt(#[from] Doubt),
    /// The file that is read instead of asking a kubelet cannot be read.
    #[error("read pod list {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

impl PollError {
    /// Every kind there is, as the label `kind` of the metrics has it.
    pub const KINDS: [&'static str; 15] = [
        "ca",
        "connect",
        "cut",
        "empty",
        "file",
        "forbidden",
        "json",
        "no_items",
        "shrunk",
        "status",
        "timeout",
        "tls",
        "token",
        "too_large",
        "unauthorized",
    ];

    /// The kind of this one, out of [`PollError::KINDS`].
    pub fn kind(&self) -> &'static str {
        match self {
            PollError::Token { .. } => "token",
            PollError::Ca(_) => "ca",
            PollError::Connect(_) => "connect",
            PollError::Tls(_) => "tls",
            PollError::TimedOut { .. } => "timeout",
            PollError::Broken(_) | PollError::List(ListError::Cut { .. } | ListError::Read(_)) => "cut",
            PollError::Unauthorized(_) => "unauthorized",
            PollError::Forbidden(_) => "forbidden",
            PollError::Status { .. } => "status",
            PollError::List(ListError::Json(_)) => "json",
            PollError::List(ListError::NoItems) => "no_items",
            PollError::List(ListError::TooLarge { .. }) => "too_large",
            PollError::Doubt(Doubt::Empty) => "empty",
            PollError::Doubt(Doubt::Shrunk { .. }) => "shrunk",
            PollError::File { .. } => "file",
        }
    }

    /// What could help, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            PollError::Forbidden(_) => Some(
                "the service account needs a ClusterRole with get on nodes/pods; Kubernetes before 1.33 knows only \
                 nodes/proxy for that",
            ),
            PollError::Unauthorized(_) => Some(
                "the kubelet has to authenticate by webhook, and the token to be for the API server's audience",
            ),
            PollError::Tls(_) => Some(
                "a kubelet has no certificate for up to a minute after its node has started; one that signs its own \
                 needs --kubelet-insecure-tls",
            ),
            _ => None,
        }
    }
}

/// Asks one kubelet.
#[derive(Debug)]
pub struct KubeletClient {
    kubelet: KubeletSettings,
    tls: tls::TlsClient,
    tokens: OffLoop,
}

impl KubeletClient {
    /// A client; nothing is read or asked yet.
    pub fn new(kubelet: KubeletSettings) -> KubeletClient {
        KubeletClient { tls: tls::TlsClient::new(kubelet.trust.clone()), tokens: OffLoop::default(), kubelet }
    }

    /// What is asked, as a URL.
    pub fn url(&self) -> String {
        format!("https://{}/pods", self.authority())
    }

    /// Asks once.
    ///
    /// # Errors
    /// [`PollError`]; what came so far is thrown away then.
    pub async fn pods(&mut self, limits: Arc<Limits>) -> Result<PodFiles, PollError> {
        let total = self.kubelet.total_timeout;
        let token = self.token().await?;
        let config = self.tls.config().await.map_err(PollError::Ca)?;
        within(total, "poll as a whole", self.ask(token, config, limits)).await?
    }

    async fn ask(
        &self,
        token: HeaderValue,
        config: Arc<ClientConfig>,
        limits: Arc<Limits>,
    ) -> Result<PodFiles, PollError> {
        let KubeletSettings { host, port, connect_timeout, read_timeout, .. } = &self.kubelet;
        let (host, name) =
            (host.trim_matches(['[', ']']), self.tls.server_name(host).map_err(PollError::Ca)?);
        let connection = within(*connect_timeout, "connect", async {
            let socket = TcpStream::connect((host, *port)).await.map_err(PollError::Connect)?;
            let _ = socket.set_nodelay(true);
            TlsConnector::from(config).connect(name, socket).await.map_err(PollError::Tls)
        });
        let socket = TokioIo::new(connection.await??);
        let mut http = http1::Builder::new();
        let (mut sender, connection) =
            http.max_buf_size(MAX_BUFFER).handshake(socket).await.map_err(PollError::Broken)?;
        // Dropped with this function, which ends the connection whatever the outcome.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let request = self.request(token.clone());
        let response = within(*read_timeout, "wait for an answer", sender.send_request(request));
        let response = response.await?.map_err(PollError::Broken)?;
        let status = response.status();
        if status == StatusCode::OK {
            return read_list(response, *read_timeout, limits).await;
        }
        let said = said(response, *read_timeout, &token).await;
        Err(match status {
            StatusCode::UNAUTHORIZED => PollError::Unauthorized(said),
            StatusCode::FORBIDDEN => PollError::Forbidden(said),
            code => PollError::Status { code: code.as_u16(), said },
        })
    }

    fn request(&self, token: HeaderValue) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = hyper::Uri::from_static("/pods");
        let headers = request.headers_mut();
        // A host that does not fit into a header has not been connected to either.
        headers.insert(HOST, self.authority().parse().unwrap_or(HeaderValue::from_static("kubelet")));
        headers.insert(AUTHORIZATION, token);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let agent = concat!("nodesieve-sidecar/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        request
    }

    fn authority(&self) -> String {
        let KubeletSettings { host, port, .. } = &self.kubelet;
        if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }

    /// The token as it is now: kubelet writes a new one before the old one expires.
    async fn token(&self) -> Result<HeaderValue, PollError> {
        let path = &self.kubelet.token_file;
        let failed = |reason| PollError::Token { path: path.clone(), reason };
        let file = path.clone();
        let token = self.tokens.io(move || std::fs::read_to_string(file)).await.map_err(failed)?;
        let no_token = || failed(io::Error::other("it holds no token"));
        let token = Some(token.trim()).filter(|token| !token.is_empty()).ok_or_else(no_token)?;
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| no_token())?;
        header.set_sensitive(true);
        Ok(header)
    }
}

async fn within<T>(
    limit: Duration,
    stage: &'static str,
    future: impl Future<Output = T>,
) -> Result<T, PollError> {
    timeout(limit, future).await.map_err(|_| PollError::TimedOut { stage, limit })
}

/// Reads the list as it comes, in a thread of its own because the JSON reader waits for its bytes.
async fn read_list(
    response: Response<Incoming>,
    silence: Duration,
    limits: Arc<Limits>,
) -> Result<PodFiles, PollError> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let reading = tokio::task::spawn_blocking(move || {
        project(Chunks { receiver, rest: Bytes::new(), is_over: false }, &limits)
    });
    let mut body = response.into_body();
    while let Some(frame) = within(silence, "read answer", body.frame()).await? {
        let Ok(chunk) = frame.map_err(PollError::Broken)?.into_data() else { continue };
        if sender.send(Some(chunk)).await.is_err() {
            // The reader has seen enough.
            break;
        }
    }
    let _ = sender.send(None).await;
    drop(sender);
    match reading.await {
        Ok(list) => Ok(list?),
        Err(lost) => Err(ListError::Read(io::Error::other(lost)).into()),
    }
}

/// The answer's chunks as a reader. `None` marks the end; a channel that closes without it is an answer that broke off.
struct Chunks {
    receiver: mpsc::Receiver<Option<Bytes>>,
    rest: Bytes,
    is_over: bool,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            // A reader may ask again after the end.
            match self.receiver.blocking_recv() {
                Some(Some(chunk)) => self.rest = chunk,
                Some(None) => self.is_over = true,
                None if self.is_over => return Ok(0),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let chunk = self.rest.split_to(buffer.len().min(self.rest.len()));
        let read = (&*chunk).read(buffer)?;
        Ok(read)
    }
}

/// How an answer that is no list starts, in one line; kubelet says there what it wanted to see. It goes into the log, so one that
/// sends any part of our token back is not repeated.
async fn said(response: Response<Incoming>, silence: Duration, token: &HeaderValue) -> String {
    let first = timeout(silence, response.into_body().frame()).await;
    let chunk = first
        .ok()
        .flatten()
        .and_then(Result::ok)
        .and_then(|frame| frame.into_data().ok())
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&chunk);
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SAID).collect();
    if has_part_of(&line, token.as_bytes()) {
        return "(an answer with our token in it)".to_owned();
    }
    line.trim().to_owned()
}

/// Whether a text has so much of a secret that it is no accident.
fn has_part_of(text: &str, secret: &[u8]) -> bool {
    let secret = secret.strip_prefix(b"Bearer ").unwrap_or(secret);
    secret.windows(TELLING.min(secret.len().max(1))).any(|part| holds(text.as_bytes(), part))
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Bytes of a token in a row that stand in no other text.
const TELLING: usize = 12;
/// Characters of an answer that is no list.
const MAX_SAID: usize = 200;
/// hyper's buffer for what is read, in bytes; by itself it would grow to some 400 kB.
const MAX_BUFFER: usize = 64 << 10;
/// Chunks on their way to the reader.
const CHUNKS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_a_part_of_the_token_is_known() {
        let token = b"Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IjEyMyJ9.abc";
        assert!(
            has_part_of("Forbidden: eyJhbGciOiJSUzI1NiIs", token) && has_part_of("x tpZCI6IjEyMyJ9 y", token)
        );
        assert!(!has_part_of("Forbidden (user=system:node, verb=get)", token) && !has_part_of("", token));
        assert!(has_part_of("short", b"short") && !has_part_of("anything", b"Bearer xyz"));
    }
    use crate::settings::TlsTrust;

    fn client(host: &str) -> KubeletClient {
        KubeletClient::new(KubeletSettings {
            host: host.into(),
            port: 10250,
            trust: TlsTrust::Anybody,
            token_file: "/nonexistent/token".into(),
            connect_timeout: Duration::from_secs(1),
            read_timeout: Duration::from_secs(1),
            total_timeout: Duration::from_secs(1),
        })
    }

    #[test]
    fn an_ipv6_address_is_written_in_brackets() {
        assert_eq!(client("10.0.0.1").url(), "https://10.0.0.1:10250/pods");
        assert_eq!(client("fd00::1").url(), "https://[fd00::1]:10250/pods");
        assert_eq!(client("[fd00::1]").url(), "https://[fd00::1]:10250/pods");
    }

    #[test]
    fn without_a_token_nothing_is_asked() {
        let error = crate::off_loop::waited_for(client("10.0.0.1").token()).unwrap_err();
        assert_eq!(error.kind(), "token");
        assert!(error.to_string().starts_with("read token /nonexistent/token: "), "{error}");
    }

    #[test]
    fn chunks_are_read_through_to_the_end_and_a_lost_sender_is_no_end() {
        let chunks = |last: Option<Option<&'static str>>| {
            let (sender, receiver) = mpsc::channel(8);
            for chunk in [Some(Some("ab")), Some(Some("")), Some(Some("cde")), last].into_iter().flatten() {
                sender.try_send(chunk.map(|text| Bytes::from_static(text.as_bytes()))).unwrap();
            }
            Chunks { receiver, rest: Bytes::new(), is_over: false }
        };
        let mut text = String::new();
        chunks(Some(None)).read_to_string(&mut text).unwrap();
        assert_eq!(text, "abcde");
        let mut over = chunks(Some(None));
        over.read_to_string(&mut text).unwrap();
        assert_eq!(over.read(&mut [0]).unwrap(), 0, "asked again after the end");
        assert!(chunks(None).read_to_string(&mut text).is_err());
    }
}
