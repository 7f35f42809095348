//! The tap over HTTP: `GET /tap?seconds=60&rule=probes` asks the filter to show verdicts, and streams them as they come.
//!
//! It exists because the filter has no socket. A request is a file in the pods' directory, which the filter looks at with each tick; the
//! answers are a ring in a file of the filter's. The rule kept here: one tap at a time, on loopback only, with a limit to its
//! time; what a slow reader misses is told, and neither files nor readers keep the main loop waiting.

use crate::off_loop::OffLoop;
use crate::serve::StartError;
use crate::settings::TapSettings;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The server.
#[derive(Debug)]
pub(crate) struct TapServer {
    listener: TcpListener,
    address: SocketAddr,
    files: Arc<TapFiles>,
}

#[derive(Debug)]
struct TapFiles {
    request: PathBuf,
    answers: PathBuf,
    /// Held by the tap that is open.
    open: Arc<Mutex<()>>,
    /// Reads the answers.
    reading: OffLoop,
    /// Writes and removes the request.
    writing: OffLoop,
}

impl TapFiles {
    /// Removes the request, if its volume answers.
    async fn withdraw(&self) {
        let path = self.request.clone();
        let _ = self.writing.io(move || fs::remove_file(path)).await;
    }
}

impl TapServer {
    /// Listens; a request that an earlier sidecar has left is taken away.
    pub(crate) async fn bind(settings: &TapSettings, pods_dir: &Path) -> Result<TapServer, StartError> {
        let failed = |reason| StartError::Bind { address: settings.listen, reason };
        let listener = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let request = pods_dir.join(REQUEST);
        let files = TapFiles {
            request,
            answers: settings.answers.clone(),
            open: Arc::default(),
            reading: OffLoop::default(),
            writing: OffLoop::default(),
        };
        files.withdraw().await;
        Ok(TapServer { listener, address, files: Arc::new(files) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `end` is there or its sender is gone; an open tap is closed then.
    pub(crate) async fn run(self, mut end: oneshot::Receiver<()>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = &mut end => break,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                    Ok((socket, _)) => {
                        connections.spawn(serve(socket, Arc::clone(&self.files)));
                    }
                    Err(_) => sleep(PAUSE).await,
                },
            }
        }
        connections.abort_all();
        self.files.withdraw().await;
    }
}

/// A body that comes line by line.
struct TapBody(mpsc::Receiver<Bytes>);

impl Body for TapBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

async fn serve(socket: TcpStream, files: Arc<TapFiles>) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(&request, &files);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(LONGEST_HEADER);
    // An error means that the peer broke off; its tap ends with its next line.
    let _ = timeout(LONGEST, http.serve_connection(TokioIo::new(socket), service)).await;
}

fn answer(request: &Request<Incoming>, files: &Arc<TapFiles>) -> Response<TapBody> {
    let (path, query) = (request.uri().path(), request.uri().query());
    let (lines, body) = mpsc::channel(MOST_WAITING);
    let mut response = Response::new(TapBody(body));
    let content_type = |text| HeaderValue::from_static(text);
    response.headers_mut().insert(CONTENT_TYPE, content_type("text/plain; charset=utf-8"));
    let mut refuse = |status: StatusCode, text: &str| {
        *response.status_mut() = status;
        // There is room: nothing has been sent yet.
        let _ = lines.try_send(Bytes::from(format!("{text}\n")));
    };
    match (path, read_query(query.unwrap_or_default())) {
        // A page in the browser of whoever forwards the port may reach it by a name of its own.
        _ if !is_from_here(request.headers()) => {
            refuse(StatusCode::FORBIDDEN, "only as 127.0.0.1 or localhost, and not for a page")
        }
        _ if request.method() != Method::GET => refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET"),
        ("/tap", Err(mistake)) => refuse(StatusCode::BAD_REQUEST, &mistake),
        ("/tap", Ok((request, lasts))) => match Arc::clone(&files.open).try_lock_owned() {
            Err(_) => refuse(StatusCode::CONFLICT, "another tap is open: one at a time"),
            Ok(turn) => {
                response.headers_mut().insert(CONTENT_TYPE, content_type("application/x-ndjson"));
                tokio::spawn(tap(Arc::clone(files), request, lasts, lines, turn));
            }
        },
        _ => refuse(
            StatusCode::NOT_FOUND,
            "/tap?seconds=60 and, of these, rule, namespace, verdict, match, sample, rate, raw",
        ),
    }
    response
}

/// Whether a request is for a loopback name and was not made by a page.
fn is_from_here(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name);
    let is_loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&name);
    is_loopback && !headers.contains_key(ORIGIN)
}

/// A query as the text of a request without its end, and for how long it holds.
fn read_query(query: &str) -> Result<(BTreeMap<String, String>, Duration), String> {
    let mut asked = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name), decoded(value));
        if !KNOWN.contains(&name.as_str()) {
            return Err(format!("`{name}` is nothing that can be asked for; known: {}", KNOWN.join(", ")));
        }
        asked.insert(name, value);
    }
    let seconds = asked.remove("seconds").unwrap_or_else(|| "60".into());
    let seconds = seconds.parse::<u64>().ok().filter(|seconds| (1..=3600).contains(seconds));
    let lasts = seconds.map(Duration::from_secs).ok_or("seconds: a number from 1 to 3600")?;
    Ok((asked, lasts))
}

/// `%41` and `+` as what they stand for.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (first, behind) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let (high, low) = (hex(*high).unwrap_or_default(), hex(*low).unwrap_or_default());
                bytes.push(high.wrapping_mul(16).wrapping_add(low));
                rest = after;
            }
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Asks, and hands on what is answered, until the time is over or nobody listens any more.
async fn tap(
    files: Arc<TapFiles>,
    mut asked: BTreeMap<String, String>,
    lasts: Duration,
    lines: mpsc::Sender<Bytes>,
    turn: OwnedMutexGuard<()>,
) {
    let started = Instant::now();
    let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_add(lasts);
    asked.insert("until".into(), until.as_secs().to_string());
    let request = serde_json::to_vec(&asked).unwrap_or_default();
    let mut ring = Ring::default();
    // What an earlier tap was shown is no answer to this one.
    if let Some(text) = on_disk(&files).await {
        ring.news(&text);
    }
    let path = files.request.clone();
    let written = files.writing.io(move || put(&path, &request)).await;
    let told = written.err().map(|reason| format!("write {}: {reason}", files.request.display()));
    let mut missed = 0u64;
    let mut is_answered = false;
    let mut is_over = told.is_some();
    if let Some(reason) = told {
        send(&lines, &said("failed", &reason), &mut missed);
    }
    while !is_over && !lines.is_closed() && started.elapsed() < lasts.saturating_add(AFTER) {
        sleep(EVERY).await;
        let text = on_disk(&files).await.unwrap_or_default();
        let News { lines: news, missed: gone } = ring.news(&text);
        missed = missed.saturating_add(gone);
        for line in news {
            is_answered = true;
            is_over |= line.contains("\"tap\":\"closed\"") || line.contains("\"tap\":\"refused\"");
            send(&lines, line, &mut missed);
        }
        if !is_answered && started.elapsed() > LONGEST_SILENCE {
            let reason = "the filter does not answer: the tap is off without `tap: {}` in its rule file, and answers come with ticks";
            send(&lines, &said("silent", reason), &mut missed);
            is_over = true;
        }
    }
    files.withdraw().await;
    drop(turn);
}

/// A line of our own.
fn said(what: &str, reason: &str) -> String {
    serde_json::json!({ "tap": what, "reason": reason }).to_string()
}

/// Hands a line on, if there is room; else it is missed. What was missed before is told first.
fn send(lines: &mpsc::Sender<Bytes>, line: &str, missed: &mut u64) {
    if *missed > 0 && lines.capacity() > 1 {
        let text = format!("{{\"tap\":\"missed\",\"lines\":{missed}}}\n");
        if lines.try_send(Bytes::from(text)).is_ok() {
            *missed = 0;
        }
    }
    if lines.try_send(Bytes::from(format!("{line}\n"))).is_err() {
        *missed = missed.saturating_add(1);
    }
}

/// How far the filter's answers have been read.
#[derive(Debug, Default)]
struct Ring {
    instance: String,
    sequence: u64,
}

/// What is new in them, and how many lines have gone before they were seen.
struct News<'t> {
    lines: Vec<&'t str>,
    missed: u64,
}

impl Ring {
    fn news<'t>(&mut self, text: &'t str) -> News<'t> {
        let mut news = News { lines: Vec::new(), missed: 0 };
        for line in text.lines() {
            let Some((sequence, instance)) = numbered(line) else { continue };
            if instance != self.instance {
                // Another filter counts anew.
                *self = Ring { instance: instance.to_owned(), sequence: sequence.saturating_sub(1) };
            }
            if sequence > self.sequence {
                news.missed =
                    news.missed.saturating_add(sequence.saturating_sub(self.sequence).saturating_sub(1));
                self.sequence = sequence;
                news.lines.push(line);
            }
        }
        news
    }
}

/// The number of a line and the filter that has given it.
fn numbered(line: &str) -> Option<(u64, &str)> {
    let rest = line.strip_prefix("{\"sequence\":")?;
    let (sequence, rest) = rest.split_once(",\"instance\":\"")?;
    let (instance, _) = rest.split_once('"')?;
    Some((sequence.parse().ok()?, instance))
}

/// The filter's answers; nothing while there are none or their volume hangs.
async fn on_disk(files: &TapFiles) -> Option<String> {
    let path = files.answers.clone();
    let read = files.reading.io(move || {
        // Opening a pipe could block for ever.
        if !fs::metadata(&path)?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = Vec::new();
        fs::File::open(&path)?.take(MAX_ANSWERS).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(String::from_utf8_lossy(&bytes).into_owned())
    });
    read.await.ok()
}

/// Writes beside the file and renames, so that the filter never reads half of it.
fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    fs::File::create(&beside)?.write_all(content)?;
    fs::rename(beside, path)
}

/// The request's name in the pods' directory: no pod's file is called so.
const REQUEST: &str = ".tap";
/// What can be asked for.
const KNOWN: [&str; 8] = ["seconds", "rule", "namespace", "verdict", "match", "sample", "rate", "raw"];
/// How often the answers are looked at; they come once a tick.
const EVERY: Duration = Duration::from_millis(250);
/// How long a filter may take to say that it has seen the request: some ticks.
const LONGEST_SILENCE: Duration = Duration::from_secs(15);
/// For how long the last lines are waited for.
const AFTER: Duration = Duration::from_secs(15);
/// How long a connection may take: the longest tap, and some.
const LONGEST: Duration = Duration::from_secs(3700);
/// How long a client may take to say what it wants.
const LONGEST_HEADER: Duration = Duration::from_secs(5);
/// Lines that wait for a slow reader.
const MOST_WAITING: usize = 1024;
/// Connections at a time.
const MOST_CONNECTIONS: usize = 8;
/// After a failure to accept.
const PAUSE: Duration = Duration::from_millis(100);
/// More than the filter's file ever has.
const MAX_ANSWERS: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_a_request_without_its_end() {
        let (asked, lasts) = read_query("seconds=5&match=%7B+%24.a+%3D+1+%7D&rule=pro*").unwrap();
        assert_eq!(lasts, Duration::from_secs(5));
        let expected =
            [("match", "{ $.a = 1 }"), ("rule", "pro*")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(asked, BTreeMap::from(expected));
        assert_eq!(read_query("").unwrap().1, Duration::from_secs(60));
        for bad in ["seconds=0", "seconds=soon", "seconds=99999", "until=5", "rules=a"] {
            assert!(read_query(bad).is_err(), "{bad}");
        }
        assert_eq!(decoded("100%25%zz%"), "100%%zz%");
    }

    #[test]
    fn only_loopback_names_are_answered_and_no_page() {
        let headers = |host: &str, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            origin.map(|origin| headers.insert(ORIGIN, origin.parse().unwrap()));
            is_from_here(&headers)
        };
        for host in ["127.0.0.1:2022", "localhost", "localhost:80", "[::1]:2022"] {
            assert!(headers(host, None), "{host}");
        }
        for (host, origin) in [
            ("evil.example:2022", None),
            ("127.0.0.1.evil.example", None),
            ("127.0.0.1", Some("http://127.0.0.1")),
            ("", None),
        ] {
            assert!(!headers(host, origin), "{host}");
        }
    }

    #[test]
    fn each_line_is_news_once_and_what_has_gone_is_counted() {
        let line = |n: u64, instance: &str| {
            format!("{{\"sequence\":{n},\"instance\":\"{instance}\",\"tap\":\"open\"}}\n")
        };
        let mut ring = Ring::default();
        let first = line(7, "a") + &line(8, "a") + "half a li";
        assert_eq!((ring.news(&first).lines.len(), ring.news(&first).lines.len()), (2, 0));
        let news = line(11, "a") + &line(12, "a");
        let News { lines, missed } = ring.news(&news);
        assert_eq!((lines.len(), missed), (2, 2));
        let other = line(1, "b");
        let News { lines, missed } = ring.news(&other);
        assert_eq!((lines.len(), missed), (1, 0), "another filter counts anew");
    }

    #[test]
    fn a_reader_that_is_slow_is_told_what_it_has_missed() {
        let (lines, mut body) = mpsc::channel(3);
        let mut missed = 0;
        (0..10).for_each(|n| send(&lines, &n.to_string(), &mut missed));
        assert_eq!(missed, 7);
        while body.try_recv().is_ok() {}
        send(&lines, "later", &mut missed);
        assert_eq!(body.try_recv().unwrap(), "{\"tap\":\"missed\",\"lines\":7}\n");
        assert_eq!((body.try_recv().unwrap(), missed), (Bytes::from("later\n"), 0));
    }
}
