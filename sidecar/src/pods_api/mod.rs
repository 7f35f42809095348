//! The kubelet's Pods API: a stream of the node's pods as they change, over a Unix socket, without a token.
//!
//! Kubernetes has it since 1.36 (alpha) and on by default since 1.37 (beta). Sources: `staging/src/k8s.io/kubelet/pkg/apis/pods/v1alpha1/api.proto`
//! and `pkg/kubelet/apis/pods/server.go` of kubernetes/kubernetes (v0.37.0-beta.0, July 2026), and its own test
//! `test/e2e_node/pods_api_test.go`. Where these and the documents disagree, the sources are followed:
//!
//! - KEP-4188 and kubernetes.io show messages `PodWatchRequest` and `v1.Pod pod = 1`; the sources have `WatchPodsRequest`, and events of a type
//!   and the pod's bytes. The beta's package is still called `v1alpha1`.
//! - The documents promise field masks as gRPC metadata; the sources of the beta read none. One is sent all the same, in the form in which
//!   an earlier draft read it (`x-kubernetes-fieldmask`, paths with commas), so that a kubelet that knows it sends less.
//! - There is no need to list first: a watch begins with each pod that there is, one by one, and says when that was all.
//!
//! The rule it keeps: every wait before the first event has a limit, and afterwards a small request now and then tells a kubelet that hangs from a
//! node on which nothing happens.

mod error;

pub use error::StreamError;

use nodesieve_podlist::protobuf::{
    EventType, GetPodRequest, GetPodResponse, WatchPodsEvent, WatchPodsRequest, read_pod,
};
use nodesieve_podlist::{Limits, Pod};
use std::future::pending;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

/// What a stream tells.
#[derive(Debug)]
pub(crate) enum Update {
    /// A stream begins: each pod that there is comes now.
    Begins,
    /// A pod that is new or has changed.
    Pod(Box<Pod>),
    /// A pod that is gone: namespace, name and uid.
    Gone(Box<Pod>),
    /// A pod that cannot be used.
    Skipped,
    /// All pods that there were have been told.
    Synced,
    /// The kubelet answers.
    Alive,
    /// So many bytes have come.
    Received(u64),
    /// The stream is over.
    Ended(StreamError),
}

/// How a kubelet's Pods API is followed.
#[derive(Clone, Debug)]
pub(crate) struct PodsApi {
    pub socket: PathBuf,
    pub limits: Arc<Limits>,
    /// The longest silence while an answer is waited for.
    pub silence: Duration,
    /// Without an event for so long, the kubelet is asked whether it is there.
    pub quiet: Duration,
}

impl PodsApi {
    /// Follows the API until it fails, which is the last update.
    pub(crate) async fn follow(self, updates: mpsc::Sender<Update>) {
        let error = match self.streams(&updates).await {
            Err(Some(error)) => error,
            // Nobody listens any more.
            Err(None) => return,
            Ok(never) => match never {},
        };
        let _ = updates.send(Update::Ended(error)).await;
    }

    /// One stream after the other: each begins with all pods, so what a kubelet under load has left out is there again.
    async fn streams(
        &self,
        updates: &mpsc::Sender<Update>,
    ) -> Result<std::convert::Infallible, Option<StreamError>> {
        let mut api = Api::connect(&self.socket, self.silence).await?;
        loop {
            let events = api.watch(self.silence).await?;
            tell(updates, Update::Begins).await?;
            self.read(events, &mut api, updates).await?;
        }
    }

    /// Reads a stream for [`RENEWED_AFTER`].
    async fn read(
        &self,
        mut events: Streaming<WatchPodsEvent>,
        api: &mut Api,
        updates: &mpsc::Sender<Update>,
    ) -> Result<(), Option<StreamError>> {
        let over = after(RENEWED_AFTER);
        let mut is_synced = false;
        let mut probe: Option<Probe> = None;
        // Until all is told silence is a fault, later the next probe.
        let mut next = after(self.silence);
        loop {
            tokio::select! {
                event = events.message() => {
                    let event = event.map_err(StreamError::from_status)?.ok_or(StreamError::Ended)?;
                    is_synced |= event.r#type == EventType::InitialSyncComplete as i32;
                    self.tell_event(event, updates).await?;
                    next = after(if is_synced { self.quiet } else { self.silence });
                }
                answer = async { match &mut probe { Some(probe) => probe.await, None => pending().await } } => {
                    probe = None;
                    answer?;
                    tell(updates, Update::Alive).await?;
                    next = after(self.quiet);
                }
                () = sleep_until(next.min(over)) => match is_synced {
                    false => return Err(Some(StreamError::Silent(self.silence))),
                    true if Instant::now() >= over => return Ok(()),
                    true => {
                        probe.get_or_insert_with(|| Box::pin(api.clone().probe(self.silence)));
                        next = after(self.quiet);
                    }
                },
            }
        }
    }

    async fn tell_event(
        &self,
        event: WatchPodsEvent,
        updates: &mpsc::Sender<Update>,
    ) -> Result<(), Option<StreamError>> {
        let bytes = (event.pod.len() as u64).saturating_add(FRAME);
        tell(updates, Update::Received(bytes)).await?;
        let update = match EventType::try_from(event.r#type) {
            Ok(EventType::InitialSyncComplete) => Update::Synced,
            Ok(kind @ (EventType::Added | EventType::Modified | EventType::Deleted)) => {
                match read_pod(&event.pod, &self.limits) {
                    Ok(Some(pod)) if kind == EventType::Deleted => Update::Gone(Box::new(pod)),
                    Ok(Some(pod)) => Update::Pod(Box::new(pod)),
                    Ok(None) | Err(_) => Update::Skipped,
                }
            }
            // Of a later version: nothing is known about the pod by it.
            Ok(EventType::Unspecified) | Err(_) => return Ok(()),
        };
        tell(updates, update).await
    }
}

/// So long from now; now where the clock cannot represent it.
fn after(pause: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(pause).unwrap_or(now)
}

type Probe = Pin<Box<dyn Future<Output = Result<(), StreamError>> + Send>>;

async fn tell(updates: &mpsc::Sender<Update>, update: Update) -> Result<(), Option<StreamError>> {
    updates.send(update).await.map_err(|_| None)
}

/// A connection.
#[derive(Clone, Debug)]
struct Api {
    grpc: Grpc<Channel>,
    /// The service that the kubelet has.
    service: &'static Service,
}

/// The paths of a version.
#[derive(Debug)]
struct Service {
    watch: &'static str,
    get: &'static str,
}

/// The versions, in the order in which they are tried. The beta's package is still the alpha's; whoever renames it keeps both for a
/// while.
const SERVICES: [Service; 2] = [
    Service { watch: "/v1alpha1.Pods/WatchPods", get: "/v1alpha1.Pods/GetPod" },
    Service { watch: "/v1beta1.Pods/WatchPods", get: "/v1beta1.Pods/GetPod" },
];

impl Api {
    async fn connect(socket: &Path, silence: Duration) -> Result<Api, StreamError> {
        let stream = timeout(silence, UnixStream::connect(socket));
        let stream =
            stream.await.map_err(|_| StreamError::Silent(silence))?.map_err(StreamError::from_connect)?;
        // One connection: when it breaks, who follows begins anew.
        let once = Arc::new(Mutex::new(Some(stream)));
        let connector = tower::service_fn(move |_: Uri| {
            let stream = once.lock().unwrap_or_else(PoisonError::into_inner).take();
            async move { stream.map(hyper_util::rt::TokioIo::new).ok_or(std::io::ErrorKind::NotConnected) }
        });
        let connector = tower::ServiceExt::map_err(connector, std::io::Error::from);
        let endpoint = Endpoint::from_static("http://localhost").initial_stream_window_size(WINDOW);
        let channel = timeout(silence, endpoint.connect_with_connector(connector));
        let channel = channel
            .await
            .map_err(|_| StreamError::Silent(silence))?
            .map_err(|error| StreamError::Garbage(error.to_string()))?;
        let grpc = Grpc::new(channel).max_decoding_message_size(MAX_MESSAGE);
        Ok(Api { grpc, service: &SERVICES[0] })
    }

    /// Begins a watch, by the first version that the kubelet has.
    async fn watch(&mut self, silence: Duration) -> Result<Streaming<WatchPodsEvent>, StreamError> {
        let mut last = StreamError::Unimplemented;
        for service in &SERVICES {
            self.service = service;
            // A kubelet that knows field masks may want them otherwise.
            for with_mask in [true, false] {
                match timeout(silence, self.ask_watch(with_mask)).await {
                    Ok(Ok(events)) => return Ok(events),
                    Ok(Err(status)) if status.code() == Code::InvalidArgument && with_mask => continue,
                    Ok(Err(status)) => last = StreamError::from_status(status),
                    Err(_) => last = StreamError::Silent(silence),
                }
                break;
            }
            if !matches!(last, StreamError::Unimplemented) {
                break;
            }
        }
        Err(last)
    }

    async fn ask_watch(&mut self, with_mask: bool) -> Result<Streaming<WatchPodsEvent>, Status> {
        self.ready().await?;
        let mut request = Request::new(WatchPodsRequest {});
        if with_mask {
            request.metadata_mut().insert(FIELD_MASK, MetadataValue::from_static(FIELDS));
        }
        let codec = ProstCodec::<WatchPodsRequest, WatchPodsEvent>::default();
        let path = PathAndQuery::from_static(self.service.watch);
        self.grpc.server_streaming(request, path, codec).await.map(tonic::Response::into_inner)
    }

    /// Asks for a pod that there is not: that there is none is an answer.
    async fn probe(mut self, silence: Duration) -> Result<(), StreamError> {
        let answer = timeout(silence, async {
            self.ready().await?;
            let codec = ProstCodec::<GetPodRequest, GetPodResponse>::default();
            let request = Request::new(GetPodRequest { pod_uid: "nodesieve".into() });
            self.grpc.unary(request, PathAndQuery::from_static(self.service.get), codec).await.map(drop)
        });
        match answer.await {
            Ok(Err(status)) if status.code() == Code::Unavailable => Err(StreamError::from_status(status)),
            Ok(_) => Ok(()),
            Err(_) => Err(StreamError::Silent(silence)),
        }
    }

    async fn ready(&mut self) -> Result<(), Status> {
        self.grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))
    }
}

/// Metadata for a field mask, and what a pod file needs.
const FIELD_MASK: &str = "x-kubernetes-fieldmask";
const FIELDS: &str = "metadata.name,metadata.namespace,metadata.uid,metadata.creationTimestamp,metadata.deletionTimestamp,\
    metadata.labels,metadata.annotations,metadata.ownerReferences,spec.nodeName,status.podIP,\
    status.initContainerStatuses,status.containerStatuses,status.ephemeralContainerStatuses";
/// The largest message. A pod as etcd takes it has 1.5 MiB at most, but a static pod is not in etcd; one that is larger than a list may
/// have it costs itself, so such a one has to be read.
const MAX_MESSAGE: usize = 16 << 20;
/// What the kubelet may send before it is read, in bytes.
const WINDOW: u32 = 256 << 10;
/// What gRPC and the event put around a pod, in bytes, about.
const FRAME: u64 = 12;
/// A stream is replaced by a new one after that.
const RENEWED_AFTER: Duration = Duration::from_secs(30 * 60);
