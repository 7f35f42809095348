//! The fake kubelet's Pods API: gRPC on a Unix socket, and the failure modes of a real one.
//!
//! It answers as `pkg/kubelet/apis/pods/server.go` of Kubernetes v0.37.0-beta.0 does: a watch begins with each pod, says when that was all,
//! and goes on with what changes; of a pod that is gone it sends name, namespace and uid.

mod message;
mod mode;

pub use mode::StreamMode;

use crate::fake::FakeError;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use axum::serve::Listener;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use message::{bytes_of, minimal_bytes_of, uid_of};
use nodesieve_podlist::protobuf::{
    EventType, GetPodRequest, GetPodResponse, WatchPodsEvent, WatchPodsRequest,
};
use prost::bytes::Bytes;
use serde_json::Value;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tonic::server::Grpc;
use tonic::{Response as Answer, Status};
use tonic_prost::ProstCodec;

/// What was asked of the API since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounts {
    /// Connections accepted.
    pub connections: u64,
    /// Watches begun.
    pub watches: u64,
    /// Pods asked for by uid.
    pub gets: u64,
    /// Events sent.
    pub events: u64,
    /// What they had, in bytes.
    pub bytes: u64,
    /// Watches that asked for some fields only.
    pub masked: u64,
}

/// A running API. Dropping it leaves its socket behind, as a kubelet does that is killed.
pub struct FakePodsApi {
    socket: PathBuf,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    mode: StreamMode,
    pods: Vec<(String, Bytes, Bytes)>,
    watchers: Vec<mpsc::UnboundedSender<WatchPodsEvent>>,
    counts: StreamCounts,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakePodsApi {
    /// Serves these items of a pod list on a socket, in the place of one that is there.
    ///
    /// # Errors
    /// [`FakeError::Thread`] when the socket or the thread cannot be had.
    pub fn start(socket: &Path, items: &[Value]) -> Result<FakePodsApi, FakeError> {
        let shared = Arc::<Shared>::default();
        let failed = |reason| FakeError::Socket { path: socket.to_owned(), reason };
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let listener = {
            let _context = runtime.enter();
            UnixListener::bind(socket).map_err(failed)?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let (accepting, routes) = (Accepting { listener, shared: Arc::clone(&shared) }, routes(&shared));
        let thread = std::thread::Builder::new()
            .name("fake pods api".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = axum::serve(accepting, routes).into_future() => {}
                        _ = stopped => {}
                    }
                });
            })
            .map_err(failed)?;
        let api = FakePodsApi { socket: socket.to_owned(), shared, stop: Some(stop), thread: Some(thread) };
        api.set_pods(items);
        Ok(api)
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Behaves like this from the next request on.
    pub fn set_mode(&self, mode: StreamMode) {
        self.shared.lock().mode = mode;
    }

    /// Ends all streams, as a kubelet does that is restarted.
    pub fn end_streams(&self) {
        self.shared.lock().watchers.clear();
    }

    /// Has these pods now, and tells who watches what has changed.
    pub fn set_pods(&self, items: &[Value]) {
        let pods: Vec<_> =
            items.iter().map(|item| (uid_of(item), bytes_of(item), minimal_bytes_of(item))).collect();
        let mut inner = self.shared.lock();
        let before = std::mem::replace(&mut inner.pods, pods.clone());
        let known = |list: &[(String, Bytes, Bytes)], uid: &str| {
            list.iter().find(|(other, ..)| other == uid).map(|(_, bytes, _)| bytes.clone())
        };
        for (uid, _, minimal) in &before {
            if known(&pods, uid).is_none() {
                inner.tell(EventType::Deleted, minimal.clone());
            }
        }
        for (uid, bytes, _) in &pods {
            match known(&before, uid) {
                None => inner.tell(EventType::Added, bytes.clone()),
                Some(old) if old != *bytes => inner.tell(EventType::Modified, bytes.clone()),
                Some(_) => {}
            }
        }
    }

    /// A snapshot of the counts.
    pub fn asked(&self) -> StreamCounts {
        self.shared.lock().counts
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for FakePodsApi {
    fn drop(&mut self) {
        self.end();
    }
}

impl Inner {
    fn tell(&mut self, kind: EventType, pod: Bytes) {
        if self.mode == StreamMode::Hang {
            return;
        }
        let event = WatchPodsEvent { r#type: kind as i32, pod };
        let (events, bytes) = (self.watchers.len() as u64, event.pod.len() as u64);
        self.counts.events += events;
        self.counts.bytes += events * bytes;
        self.watchers.retain(|watcher| watcher.send(event.clone()).is_ok());
    }
}

/// Connections; in some modes nobody gets as far as HTTP.
struct Accepting {
    listener: UnixListener,
    shared: Arc<Shared>,
}

impl Listener for Accepting {
    type Io = UnixStream;
    type Addr = tokio::net::unix::SocketAddr;

    async fn accept(&mut self) -> (UnixStream, Self::Addr) {
        loop {
            let Ok((socket, address)) = self.listener.accept().await else { continue };
            let mode = {
                let mut inner = self.shared.lock();
                inner.counts.connections += 1;
                inner.mode
            };
            match mode {
                StreamMode::Close => {}
                StreamMode::Garbage => {
                    let _ = socket.writable().await;
                    let _ = socket.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>no gRPC</html>");
                }
                _ => return (socket, address),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

fn routes(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/v1alpha1.Pods/WatchPods", post(watch))
        .route("/v1alpha1.Pods/GetPod", post(get))
        .route("/v1beta1.Pods/WatchPods", post(watch))
        .route("/v1beta1.Pods/GetPod", post(get))
        .with_state(Arc::clone(shared))
}

type Events = BoxStream<'static, Result<WatchPodsEvent, Status>>;

async fn watch(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let is_beta = request.uri().path().starts_with("/v1beta1");
    let has_mask = request.headers().contains_key("x-kubernetes-fieldmask");
    let service = tower::service_fn(move |_: tonic::Request<WatchPodsRequest>| {
        let shared = Arc::clone(&shared);
        async move { events(&shared, is_beta, has_mask).await.map(Answer::new) }
    });
    let mut grpc = Grpc::new(ProstCodec::<WatchPodsEvent, WatchPodsRequest>::default());
    grpc.server_streaming(service, request).await.map(Body::new)
}

async fn events(shared: &Shared, is_beta: bool, has_mask: bool) -> Result<Events, Status> {
    let mode = shared.lock().mode;
    if let Some(status) = mode.status(is_beta, has_mask) {
        return Err(status);
    }
    if mode == StreamMode::Silent {
        std::future::pending::<Infallible>().await;
    }
    let mut inner = shared.lock();
    inner.counts.watches += 1;
    inner.counts.masked += u64::from(has_mask);
    let event = |kind: EventType, pod: Bytes| WatchPodsEvent { r#type: kind as i32, pod };
    let mut first: Vec<WatchPodsEvent> =
        inner.pods.iter().map(|(_, pod, _)| event(EventType::Added, pod.clone())).collect();
    match mode {
        StreamMode::Stall => first.truncate(first.len() / 2),
        StreamMode::TooLarge => first.insert(0, event(EventType::Added, vec![0; 17 << 20].into())),
        _ => first.push(event(EventType::InitialSyncComplete, Bytes::new())),
    }
    if mode == StreamMode::BadPods {
        first.insert(0, event(EventType::Added, Bytes::from_static(&[0xff, 1, 2])));
        first.insert(1, event(EventType::Unspecified, Bytes::new()));
        first.insert(2, WatchPodsEvent { r#type: 99, pod: Bytes::new() });
    }
    inner.counts.events += first.len() as u64;
    inner.counts.bytes += first.iter().map(|event| event.pod.len() as u64).sum::<u64>();
    let first = stream::iter(first.into_iter().map(Ok));
    if mode == StreamMode::Slow {
        let told_off = stream::iter([Err(Status::resource_exhausted("watch client channel closed"))]);
        return Ok(first.chain(told_off).boxed());
    }
    let (sender, receiver) = mpsc::unbounded_channel();
    if mode != StreamMode::Ends {
        inner.watchers.push(sender);
    }
    let later = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|event| (Ok(event), receiver))
    });
    Ok(first.chain(later).boxed())
}

async fn get(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let service = tower::service_fn(move |request: tonic::Request<GetPodRequest>| {
        let shared = Arc::clone(&shared);
        async move {
            let uid = request.into_inner().pod_uid;
            let (mode, pod) = {
                let mut inner = shared.lock();
                inner.counts.gets += 1;
                (
                    inner.mode,
                    inner.pods.iter().find(|(known, ..)| *known == uid).map(|(_, pod, _)| pod.clone()),
                )
            };
            if matches!(mode, StreamMode::Hang | StreamMode::Silent) {
                std::future::pending::<Infallible>().await;
            }
            match pod {
                Some(pod) => Ok(Answer::new(GetPodResponse { pod })),
                None => Err(Status::not_found(format!("pod with UID {uid} not found"))),
            }
        }
    });
    let mut grpc = Grpc::new(ProstCodec::<GetPodResponse, GetPodRequest>::default());
    grpc.unary(service, request).await.map(Body::new)
}
