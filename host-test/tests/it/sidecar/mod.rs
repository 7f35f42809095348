//! The sidecar against every failure mode of a kubelet, and what the compiled filter makes of its files.

mod identity;
mod life;
pub(crate) mod running;
mod stream;
mod volume;

use host_test::kubelet::{FailureMode, FakeKubelet, FakePod, KubeletOptions, list};
use host_test::sidecar::{TOKEN, settings};
use nodesieve_sidecar::exposition;
use nodesieve_sidecar::{LogEvent, PodListSource, Sidecar, SidecarSettings, TlsTrust};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn kubelet(pods: &[FakePod]) -> FakeKubelet {
    let options = KubeletOptions { token: Some(TOKEN.into()), ..KubeletOptions::default() };
    FakeKubelet::start(options, list(pods.iter().map(FakePod::item))).unwrap()
}

/// As many pods as a small node has.
fn pods(count: usize) -> Vec<FakePod> {
    (0..count).map(|n| FakePod::new("shop", &format!("web-{n}")).with("app", &format!("{n:064x}"))).collect()
}

/// A sidecar that polls on demand, and its log events.
struct Polled {
    sidecar: Sidecar,
    events: Arc<Mutex<Vec<LogEvent>>>,
    runtime: tokio::runtime::Runtime,
}

impl Polled {
    fn new(settings: SidecarSettings) -> Polled {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let events: Arc<Mutex<Vec<LogEvent>>> = Arc::default();
        let heard = Arc::clone(&events);
        let log = move |said: &LogEvent| heard.lock().unwrap().push(said.clone());
        let sidecar = runtime.block_on(Sidecar::start(settings, Box::new(log))).unwrap();
        Polled { sidecar, events, runtime }
    }

    fn poll(&mut self) -> bool {
        self.runtime.block_on(self.sidecar.once())
    }

    fn metric(&self, series: &str) -> f64 {
        let text = self.runtime.block_on(self.sidecar.metrics());
        exposition::value(&text, series).unwrap_or_else(|| panic!("no {series} in\n{text}"))
    }

    fn failed(&self, kind: &str) -> f64 {
        self.metric(&format!("nodesieve_sidecar_polls_failed_total{{kind=\"{kind}\"}}"))
    }

    fn events(&self) -> Vec<LogEvent> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }
}

/// Every file of a directory with its content and when it was written.
fn files(directory: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    // What is being written has another name until it is whole, and is gone by the time that it is looked at.
    entries
        .filter(|entry| is_whole(entry.file_name().to_str().unwrap()))
        .map(|entry| {
            let written = entry.metadata().unwrap().modified().unwrap();
            (entry.file_name().into_string().unwrap(), (fs::read(entry.path()).unwrap(), written))
        })
        .collect()
}

/// Whether a name in the pods' directory is that of a pod's file.
pub(crate) fn is_whole(name: &str) -> bool {
    name.ends_with(".json") && !name.starts_with('.')
}

fn kubelet_of(settings: &mut SidecarSettings) -> &mut nodesieve_sidecar::KubeletSettings {
    match &mut settings.source {
        Some(PodListSource::Kubelet(kubelet)) => kubelet,
        other => panic!("{other:?}"),
    }
}

/// Scenario: a kubelet misbehaves in one way after the other, and behaves again after each.
/// Guarantees: not a byte and not a time on disk changes, the failure is counted under its kind, one line says so, and one
/// says that it is over.
#[test]
fn whatever_a_kubelet_answers_the_files_stay_as_they_are() {
    let kubelet = kubelet(&pods(30));
    let root = tempfile::tempdir().unwrap();
    let mut settings = settings(&kubelet, root.path()).unwrap();
    settings.limits.max_list = 1_000_000;
    let silence = kubelet_of(&mut settings);
    silence.read_timeout = Duration::from_millis(200);
    silence.total_timeout = Duration::from_millis(900);
    let directory = settings.pods_dir.clone();
    let mut sidecar = Polled::new(settings);
    assert!(sidecar.poll());
    let before = files(&directory);
    assert_eq!(before.len(), 30);
    assert!(matches!(sidecar.events().as_slice(), [LogEvent::Info(_)]));

    let kinds = [
        (FailureMode::Empty, "empty"),
        (FailureMode::Null, "no_items"),
        (FailureMode::NoItems, "no_items"),
        (FailureMode::Array, "no_items"),
        (FailureMode::BrokenOff, "cut"),
        (FailureMode::Cut, "cut"),
        (FailureMode::Tiny, "shrunk"),
        (FailureMode::Slow, "timeout"),
        (FailureMode::Stall, "timeout"),
        (FailureMode::Hang, "timeout"),
        (FailureMode::Unauthorized, "unauthorized"),
        (FailureMode::Forbidden, "forbidden"),
        (FailureMode::Error, "status"),
        (FailureMode::Html, "json"),
        (FailureMode::Endless, "too_large"),
        (FailureMode::NoCertificate, "tls"),
        (FailureMode::Close, "tls"),
    ];
    assert_eq!(kinds.len() + 1, FailureMode::ALL.len(), "every mode but ok");
    for (mode, kind) in kinds {
        kubelet.set_mode(mode);
        let counted = sidecar.failed(kind);
        assert!(!sidecar.poll() && !sidecar.poll(), "{mode}");
        assert_eq!(sidecar.failed(kind), counted + 2.0, "{mode}: {:?}", sidecar.events());
        assert_eq!(files(&directory), before, "{mode}");
        let events = sidecar.events();
        let [LogEvent::Warning(told)] = events.as_slice() else { panic!("{mode}: {events:?}") };
        assert!(told.contains("; the pod files stay as they are"), "{mode}: {told}");
        kubelet.set_mode(FailureMode::Ok);
        assert!(sidecar.poll(), "{mode}");
        assert!(
            matches!(sidecar.events().as_slice(), [LogEvent::Info(over)] if over.contains("works again after 2 failures"))
        );
        assert_eq!(files(&directory), before, "{mode}: nothing changed, so nothing is written");
    }
    assert_eq!(sidecar.metric("nodesieve_sidecar_polls_total"), 1.0 + 3.0 * 17.0);
    assert_eq!(kubelet.asked().others, 0, "nothing but /pods is ever asked");
}

#[test]
fn a_refusal_says_what_is_missing() {
    let kubelet = kubelet(&pods(3));
    let root = tempfile::tempdir().unwrap();
    let mut sidecar = Polled::new(settings(&kubelet, root.path()).unwrap());
    kubelet.set_mode(FailureMode::Forbidden);
    sidecar.poll();
    let expected = format!(
        "poll {}/pods: not permitted (403): Forbidden (user=system:serviceaccount:nodesieve:nodesieve, verb=get, \
         resource=nodes, subresource(s)=[pods proxy]); the pod files stay as they are; hint: the service account needs a \
         ClusterRole with get on nodes/pods; Kubernetes before 1.33 knows only nodes/proxy for that",
        kubelet.url()
    );
    assert_eq!(sidecar.events(), [LogEvent::Warning(expected)]);
}

#[test]
fn the_token_is_read_for_each_request() {
    let kubelet = kubelet(&pods(3));
    let root = tempfile::tempdir().unwrap();
    let mut settings = settings(&kubelet, root.path()).unwrap();
    let token_file = kubelet_of(&mut settings).token_file.clone();
    let mut sidecar = Polled::new(settings);
    fs::write(&token_file, "an old one").unwrap();
    assert!(!sidecar.poll());
    assert_eq!((sidecar.failed("unauthorized"), kubelet.asked().strangers), (1.0, 1));
    fs::write(&token_file, TOKEN).unwrap();
    assert!(sidecar.poll());
    fs::remove_file(&token_file).unwrap();
    assert!(!sidecar.poll());
    assert_eq!((sidecar.failed("token"), kubelet.asked().pods), (1.0, 2), "without a token nothing is asked");
}

#[test]
fn only_a_kubelet_of_the_cluster_gets_the_token() {
    let (kubelet, other) = (kubelet(&pods(3)), kubelet(&[]));
    let root = tempfile::tempdir().unwrap();
    let mut settings = settings(&kubelet, root.path()).unwrap();
    let TlsTrust::Authority { ca_file, .. } = kubelet_of(&mut settings).trust.clone() else { panic!() };
    let mut sidecar = Polled::new(settings.clone());
    fs::write(&ca_file, other.ca_pem()).unwrap();
    assert!(!sidecar.poll());
    assert_eq!((sidecar.failed("tls"), kubelet.asked().pods), (1.0, 0));
    // The authority has changed: the file is read again.
    fs::write(&ca_file, format!("{}{}", other.ca_pem(), kubelet.ca_pem())).unwrap();
    assert!(sidecar.poll());
    fs::remove_file(&ca_file).unwrap();
    assert!(!sidecar.poll());
    assert_eq!(sidecar.failed("ca"), 1.0);

    let named = |name: &str| TlsTrust::Authority { ca_file: ca_file.clone(), server_name: Some(name.into()) };
    fs::write(&ca_file, kubelet.ca_pem()).unwrap();
    for (trust, is_good) in [(named("localhost"), true), (named("node-7"), false), (TlsTrust::Anybody, true)]
    {
        kubelet_of(&mut settings).trust = trust.clone();
        assert_eq!(Polled::new(settings.clone()).poll(), is_good, "{trust:?}");
    }
}

#[test]
fn a_file_in_place_of_a_kubelet_is_read_each_time() {
    let kubelet = kubelet(&[]);
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("pods.json");
    let settings = SidecarSettings {
        source: Some(PodListSource::File { path: path.clone(), total_timeout: LONG }),
        ..settings(&kubelet, root.path()).unwrap()
    };
    let directory = settings.pods_dir.clone();
    let mut sidecar = Polled::new(settings);
    assert!(!sidecar.poll());
    assert_eq!(sidecar.failed("file"), 1.0);
    fs::write(&path, list(pods(2).iter().map(FakePod::item))).unwrap();
    assert!(sidecar.poll());
    assert_eq!(files(&directory).len(), 2);
    assert_eq!(kubelet.asked().connections, 0);
}

/// Scenario: the volume is full for one pod (a directory is where its file should be), then the whole directory is a file.
/// Guarantees: it is said once, counted, the other pods are written, and the next list repairs it.
#[test]
fn a_volume_that_cannot_be_written_costs_only_what_it_must() {
    let kubelet = kubelet(&pods(3));
    let root = tempfile::tempdir().unwrap();
    let settings = settings(&kubelet, root.path()).unwrap();
    let directory = settings.pods_dir.clone();
    fs::create_dir_all(directory.join("shop_web-1.json/x")).unwrap();
    let mut sidecar = Polled::new(settings);
    assert!(!sidecar.poll() && !sidecar.poll());
    assert_eq!(sidecar.metric("nodesieve_sidecar_files_failed_total"), 2.0);
    assert!(directory.join("shop_web-0.json").is_file() && directory.join("shop_web-2.json").is_file());
    let warnings =
        |events: &[LogEvent]| events.iter().filter(|word| matches!(word, LogEvent::Warning(_))).count();
    assert_eq!(warnings(&sidecar.events()), 1);
    fs::remove_dir_all(&directory).unwrap();
    fs::write(&directory, "").unwrap();
    assert!(!sidecar.poll());
    fs::remove_file(&directory).unwrap();
    assert!(sidecar.poll());
    assert!(sidecar.events().contains(&LogEvent::Info("pod files: can be written again after 0 s".into())));
    assert_eq!(files(&directory).len(), 3);
}
