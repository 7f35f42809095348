//! The sidecar against a kubelet in every mood, and what the compiled filter makes of its files.

use crate::support;
use host_test::guest::Returned;
use host_test::kubelet::{Kubelet, Mode, Options, Pod, list};
use host_test::sidecar::{RunningSidecar, TOKEN, settings};
use nodesieve_sidecar::{Settings, Sidecar, Source, TlsTrust, Words};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(60);

fn kubelet(pods: &[Pod]) -> Kubelet {
    let options = Options { token: Some(TOKEN.into()), ..Options::default() };
    Kubelet::start(options, list(pods.iter().map(Pod::item))).unwrap()
}

/// As many pods as a small node has.
fn pods(count: usize) -> Vec<Pod> {
    (0..count).map(|n| Pod::new("shop", &format!("web-{n}")).with("app", &format!("{n:064x}"))).collect()
}

/// A sidecar that polls when told to, and what it says.
struct Polled {
    sidecar: Sidecar,
    words: Arc<Mutex<Vec<Words>>>,
    runtime: tokio::runtime::Runtime,
}

impl Polled {
    fn new(settings: Settings) -> Polled {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let words: Arc<Mutex<Vec<Words>>> = Arc::default();
        let heard = Arc::clone(&words);
        let log = move |said: &Words| heard.lock().unwrap().push(said.clone());
        let sidecar = runtime.block_on(Sidecar::start(settings, Box::new(log))).unwrap();
        Polled { sidecar, words, runtime }
    }

    fn poll(&mut self) -> bool {
        self.runtime.block_on(self.sidecar.once())
    }

    fn metric(&self, series: &str) -> f64 {
        let text = self.sidecar.metrics();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
    }

    fn failed(&self, kind: &str) -> f64 {
        self.metric(&format!("nodesieve_sidecar_polls_failed_total{{kind=\"{kind}\"}}"))
    }

    fn words(&self) -> Vec<Words> {
        std::mem::take(&mut *self.words.lock().unwrap())
    }
}

/// Every file of a directory with its content and when it was written.
fn files(directory: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let written = entry.metadata().unwrap().modified().unwrap();
            (entry.file_name().into_string().unwrap(), (fs::read(entry.path()).unwrap(), written))
        })
        .collect()
}

fn kubelet_of(settings: &mut Settings) -> &mut nodesieve_sidecar::Kubelet {
    match &mut settings.source {
        Source::Kubelet(kubelet) => kubelet,
        Source::File(path) => panic!("{}", path.display()),
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
    settings.limits.max_list = 4_000_000;
    let silence = kubelet_of(&mut settings);
    silence.read_timeout = Duration::from_millis(200);
    silence.total_timeout = Duration::from_millis(900);
    let directory = settings.pods_dir.clone();
    let mut sidecar = Polled::new(settings);
    assert!(sidecar.poll());
    let before = files(&directory);
    assert_eq!(before.len(), 30);
    assert!(matches!(sidecar.words().as_slice(), [Words::Info(_)]));

    let kinds = [
        (Mode::Empty, "empty"),
        (Mode::Null, "no_items"),
        (Mode::NoItems, "no_items"),
        (Mode::Array, "no_items"),
        (Mode::BrokenOff, "cut"),
        (Mode::Cut, "cut"),
        (Mode::Tiny, "shrunk"),
        (Mode::Slow, "timeout"),
        (Mode::Stall, "timeout"),
        (Mode::Hang, "timeout"),
        (Mode::Unauthorized, "unauthorized"),
        (Mode::Forbidden, "forbidden"),
        (Mode::Error, "status"),
        (Mode::Html, "json"),
        (Mode::Endless, "too_large"),
        (Mode::NoCertificate, "tls"),
        (Mode::Close, "tls"),
    ];
    assert_eq!(kinds.len() + 1, Mode::ALL.len(), "every mode but ok");
    for (mode, kind) in kinds {
        kubelet.set_mode(mode);
        let counted = sidecar.failed(kind);
        assert!(!sidecar.poll() && !sidecar.poll(), "{mode}");
        assert_eq!(sidecar.failed(kind), counted + 2.0, "{mode}: {:?}", sidecar.words());
        assert_eq!(files(&directory), before, "{mode}");
        let words = sidecar.words();
        let [Words::Warning(told)] = words.as_slice() else { panic!("{mode}: {words:?}") };
        assert!(told.contains("; the pod files stay as they are"), "{mode}: {told}");
        kubelet.set_mode(Mode::Ok);
        assert!(sidecar.poll(), "{mode}");
        assert!(
            matches!(sidecar.words().as_slice(), [Words::Info(over)] if over.contains("works again after 2 failures"))
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
    kubelet.set_mode(Mode::Forbidden);
    sidecar.poll();
    let expected = format!(
        "poll {}/pods: not permitted (403): Forbidden (user=system:serviceaccount:nodesieve:nodesieve, verb=get, \
         resource=nodes, subresource(s)=[pods proxy]); the pod files stay as they are; hint: the service account needs a \
         ClusterRole with get on nodes/pods; Kubernetes before 1.33 knows only nodes/proxy for that",
        kubelet.url()
    );
    assert_eq!(sidecar.words(), [Words::Warning(expected)]);
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
    let settings =
        Settings { source: Source::File(path.clone()), ..settings(&kubelet, root.path()).unwrap() };
    let directory = settings.pods_dir.clone();
    let mut sidecar = Polled::new(settings);
    assert!(!sidecar.poll());
    assert_eq!(sidecar.failed("file"), 1.0);
    fs::write(&path, list(pods(2).iter().map(Pod::item))).unwrap();
    assert!(sidecar.poll());
    assert_eq!(files(&directory).len(), 2);
    assert_eq!(kubelet.asked().connections, 0);
}

/// Scenario: the volume is full for one pod (a directory is where its file should be), then the whole directory is a file.
/// Guarantees: it is said once, counted, the other pods are written, and the next list heals it.
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
    let warnings = |words: &[Words]| words.iter().filter(|word| matches!(word, Words::Warning(_))).count();
    assert_eq!(warnings(&sidecar.words()), 1);
    fs::remove_dir_all(&directory).unwrap();
    fs::write(&directory, "").unwrap();
    assert!(!sidecar.poll());
    fs::remove_file(&directory).unwrap();
    assert!(sidecar.poll());
    assert!(sidecar.words().contains(&Words::Info("pod files: can be written again after 0 s".into())));
    assert_eq!(files(&directory).len(), 3);
}

/// A node with a filter that reads what the sidecar writes.
struct Node {
    kubelet: Kubelet,
    sidecar: Polled,
    guest: host_test::guest::Guest,
    seconds: u64,
    _trees: (TempDir, host_test::tree::NodeTree),
}

impl Node {
    fn new() -> Node {
        let kubelet = kubelet(&pods(1));
        let root = tempfile::tempdir().unwrap();
        let (guest, tree) = support::start("version: 1\nenrich: { fields: all }\n");
        let settings =
            Settings { pods_dir: tree.pods_directory(), ..settings(&kubelet, root.path()).unwrap() };
        let mut node = Node {
            kubelet,
            sidecar: Polled::new(settings),
            guest,
            seconds: 1_800_000_000,
            _trees: (root, tree),
        };
        node.passes(0);
        node
    }

    fn passes(&mut self, seconds: u64) {
        self.seconds += seconds;
        self.guest.clock().advance_to(self.seconds * 1_000_000_000);
    }

    /// The kubelet lists these, and the sidecar has asked.
    fn lists(&mut self, pods: &[Pod]) {
        self.kubelet.set_pods(list(pods.iter().map(Pod::item)));
        assert!(self.sidecar.poll());
    }

    /// What a record of this container carries.
    fn kubernetes(&mut self, pod: &str, id: &str) -> Value {
        let tag = format!("kube.var.log.containers.{pod}_shop_app-{id}.log");
        let time = (u32::try_from(self.seconds).unwrap(), 0);
        match self.guest.filter(tag.as_bytes(), time, br#"{"log":"x"}"#) {
            Returned::Kept(text) => serde_json::from_slice::<Value>(&text).unwrap()["kubernetes"].clone(),
            other => panic!("{other:?}"),
        }
    }
}

/// Scenario: a pod is made, gets its container, is relabelled, restarts, is deleted and made anew under its name; the new
/// one is listed beside the old one at first.
/// Guarantees: at each step the filter says of each run what is true of it, at the latest when its cache is over.
#[test]
fn a_pods_whole_life_is_seen_by_the_filter() {
    let id = |letter: &str| letter.repeat(64);
    let (first, second, third) = (id("a"), id("b"), id("c"));
    let mut node = Node::new();
    let mut pod = Pod::new("shop", "web");

    // The log is there before anything is known: the tag speaks, and nothing waits.
    let unknown = node.kubernetes("web", &first);
    assert_eq!((&unknown["pod_name"], &unknown["labels"]), (&Value::from("web"), &Value::Null));

    // Listed without its container id: the pod's keys, the tag's id, seen once the miss has been believed for 2 s.
    node.lists(&[Pod { containers: vec![("app".into(), String::new(), None)], ..pod.clone() }]);
    node.passes(2);
    let waiting = node.kubernetes("web", &first);
    assert_eq!((&waiting["pod_id"], &waiting["docker_id"]), (&"uid-of-web".into(), &first.as_str().into()));
    assert_eq!((&waiting["labels"]["app"], &waiting["container_image"]), (&"web".into(), &Value::Null));

    pod.containers = vec![("app".into(), first.clone(), None)];
    node.lists(&[pod.clone()]);
    node.passes(2);
    assert_eq!(node.kubernetes("web", &first)["container_image"], "r/app:1");

    // Relabelled: the cache holds for 60 s.
    pod.labels.push(("tier".into(), "gold".into()));
    node.lists(&[pod.clone()]);
    node.passes(59);
    assert_eq!(node.kubernetes("web", &first)["labels"]["tier"], Value::Null);
    node.passes(1);
    assert_eq!(node.kubernetes("web", &first)["labels"]["tier"], "gold");

    // Restarted: the new id is a new entry, read at once; the last lines of the old run keep theirs.
    pod.containers = vec![("app".into(), second.clone(), Some(first.clone()))];
    node.lists(&[pod.clone()]);
    assert_eq!(node.kubernetes("web", &second)["docker_id"], second.as_str());
    assert_eq!(node.kubernetes("web", &first)["docker_id"], first.as_str());
    assert_eq!(node.kubernetes("web", &second)["container_hash"], "r/app@sha256:9");

    // Deleted: gone from the list, and its last lines are still known, for the grace period.
    let other = Pod::new("shop", "other").with("app", &id("d"));
    node.lists(std::slice::from_ref(&other));
    node.passes(61);
    assert_eq!(node.kubernetes("web", &second)["labels"]["tier"], "gold");

    // Made anew under its name while the old one is still ending: both ids are known, the newer pod speaks.
    let new = Pod {
        uid: "uid-of-the-new".into(),
        created: "2026-11-20T11:00:00Z".into(),
        labels: vec![("tier".into(), "silver".into())],
        ..Pod::new("shop", "web").with("app", &third)
    };
    for order in [[pod.clone(), new.clone(), other.clone()], [new.clone(), other.clone(), pod.clone()]] {
        node.lists(&order);
        node.passes(61);
        let (now, old) = (node.kubernetes("web", &third), node.kubernetes("web", &second));
        assert_eq!((&now["pod_id"], &now["labels"]["tier"]), (&"uid-of-the-new".into(), &"silver".into()));
        assert_eq!((&now["docker_id"], &old["docker_id"]), (&third.as_str().into(), &second.as_str().into()));
        assert_eq!(old["container_image"], "r/app:1");
    }

    // A name that starts like another's is another's.
    node.lists(&[new, other, Pod::new("shop", "web-1").with("app", &id("e"))]);
    assert_eq!(node.kubernetes("web-1", &id("e"))["labels"]["app"], "web-1");
    assert_eq!(node.kubernetes("web", &third)["labels"]["tier"], "silver");
}

/// Settings under which a loop is quick to watch.
fn running(kubelet: &Kubelet, root: &Path) -> Settings {
    Settings { interval: Duration::from_secs(1), ..settings(kubelet, root).unwrap() }
}

#[test]
fn the_loop_outlives_an_outage_and_its_age_is_in_the_metrics() {
    let kubelet = kubelet(&pods(5));
    let root = tempfile::tempdir().unwrap();
    let mut settings = running(&kubelet, root.path());
    kubelet_of(&mut settings).read_timeout = Duration::from_millis(300);
    kubelet.set_mode(Mode::Hang);
    let directory = settings.pods_dir.clone();
    let sidecar =
        RunningSidecar::start(Settings { ready_after: Duration::from_secs(3600), ..settings }).unwrap();
    let timeouts = "nodesieve_sidecar_polls_failed_total{kind=\"timeout\"}";
    sidecar.wait_until(timeouts, |count| count >= 2.0, LONG).unwrap();
    assert_eq!(sidecar.get("/readyz").unwrap(), (503, "no list so far\n".into()));
    assert_eq!(sidecar.get("/healthz").unwrap(), (200, "ok\n".into()));
    kubelet.set_mode(Mode::Ok);
    sidecar.wait_until("nodesieve_sidecar_pods", |pods| pods == 5.0, LONG).unwrap();
    assert_eq!(sidecar.get("/readyz").unwrap(), (200, "ready\n".into()));
    assert_eq!(files(&directory).len(), 5);
    kubelet.set_mode(Mode::Null);
    sidecar.wait_until("nodesieve_sidecar_poll_age_seconds", |age| age > 2.0, LONG).unwrap();
    kubelet.set_mode(Mode::Ok);
    sidecar.wait_until("nodesieve_sidecar_poll_age_seconds", |age| age < 1.0, LONG).unwrap();
    let words = sidecar.words();
    assert_eq!(words.len(), 4, "two outages, two lines each: {words:?}");
}

#[test]
fn without_a_kubelet_it_is_ready_after_the_wait() {
    let kubelet = kubelet(&[]);
    let root = tempfile::tempdir().unwrap();
    let settings =
        Settings { ready_after: Duration::from_millis(1), ..settings(&kubelet, root.path()).unwrap() };
    drop(kubelet);
    let sidecar = RunningSidecar::start(settings).unwrap();
    sidecar.wait_until("nodesieve_sidecar_ready", |ready| ready == 1.0, LONG).unwrap();
    assert_eq!(sidecar.get("/readyz").unwrap(), (200, "ready, without a list so far\n".into()));
}

/// Scenario: the interval is half an hour; a pod's log directory appears, then its container's log, then kubelet knows
/// the container's id.
/// Guarantees: each is a reason to ask within the second; what is known already is none.
#[test]
fn what_is_new_on_the_node_is_asked_for_at_once() {
    let kubelet = kubelet(&pods(5));
    let root = tempfile::tempdir().unwrap();
    let settings =
        Settings { interval: Duration::from_secs(1800), ..settings(&kubelet, root.path()).unwrap() };
    let directory = settings.pods_dir.clone();
    let sidecar = RunningSidecar::start(settings).unwrap();
    sidecar.wait_until("nodesieve_sidecar_pods", |pods| pods == 5.0, LONG).unwrap();

    let (uid, id) = ("b933ddf3-013f-4aec-988b-32b504a2f8c0", "f".repeat(64));
    let new = Pod { uid: uid.into(), ..Pod::new("shop", "new") };
    let with = |new: Pod| list(pods(5).iter().chain([&new]).map(Pod::item));
    kubelet.set_pods(with(new.clone()));
    fs::create_dir(root.path().join(format!("var/log/pods/shop_new_{uid}"))).unwrap();
    sidecar.wait_until("nodesieve_sidecar_pods", |pods| pods == 6.0, LONG).unwrap();

    let log = root.path().join(format!("var/log/containers/new_shop_app-{id}.log"));
    std::os::unix::fs::symlink("/nowhere", log).unwrap();
    sidecar.wait_until("nodesieve_sidecar_awaited", |awaited| awaited == 1.0, LONG).unwrap();
    kubelet.set_pods(with(new.with("app", &id)));
    sidecar.wait_until("nodesieve_sidecar_awaited", |awaited| awaited == 0.0, LONG).unwrap();
    assert!(fs::read_to_string(directory.join("shop_new.json")).unwrap().contains(&id));
    let asked = kubelet.asked().pods;
    assert!((3..=7).contains(&asked), "{asked}");
    assert_eq!(sidecar.metric("nodesieve_sidecar_polls_early_total").unwrap(), Some(asked as f64 - 1.0));

    // A log of a container that is listed: nothing to ask.
    let known = root.path().join(format!("var/log/containers/web-0_shop_app-{:064x}.log", 0));
    std::os::unix::fs::symlink("/nowhere", known).unwrap();
    // One that is in no list is asked for, and by then the one before it has been looked at.
    let strange = root.path().join(format!("var/log/containers/x_y_z-{}.log", "9".repeat(64)));
    std::os::unix::fs::symlink("/nowhere", strange).unwrap();
    sidecar.wait_until("nodesieve_sidecar_awaited", |awaited| awaited == 1.0, LONG).unwrap();
    assert_eq!(sidecar.metric("nodesieve_sidecar_watching").unwrap(), Some(1.0));
}

#[test]
fn the_filters_metrics_are_served_along() {
    let kubelet = kubelet(&pods(1));
    let root = tempfile::tempdir().unwrap();
    let settings = settings(&kubelet, root.path()).unwrap();
    let filter_metrics = settings.filter_metrics.clone();
    let sidecar = RunningSidecar::start(settings).unwrap();
    sidecar.wait_until("nodesieve_sidecar_pods", |pods| pods == 1.0, LONG).unwrap();
    fs::write(&filter_metrics, nodesieve_engine::metrics::Counters::default().render("0.1.0")).unwrap();
    assert_eq!(sidecar.metric("nodesieve_records_seen_total").unwrap(), Some(0.0));
    let (status, text) = sidecar.get("/metrics").unwrap();
    assert_eq!(status, 200);
    parse_with_prometheus(&text);
    fs::write(&filter_metrics, "nodesieve_records_seen_total zero\n").unwrap();
    assert_eq!(sidecar.metric("nodesieve_records_seen_total").unwrap(), None);
    assert_eq!(sidecar.metric("nodesieve_sidecar_pods").unwrap(), Some(1.0), "our own still arrive");
}

/// Reads metrics with the parser of Prometheus' own Python client, where that is installed.
fn parse_with_prometheus(text: &str) {
    let script = "import sys\nfrom prometheus_client.parser import text_string_to_metric_families as parse\n\
        families = list(parse(sys.stdin.read()))\nnames = [f.name for f in families]\n\
        assert len(names) == len(set(names)), names\nassert all(f.documentation and f.type != 'unknown' for f in families)\n\
        print(sum(len(f.samples) for f in families))";
    let has = std::process::Command::new("python3").args(["-c", "import prometheus_client"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no python3 with prometheus_client");
        return;
    }
    let mut child = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the parser refuses\n{text}");
    let samples: usize = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    assert_eq!(samples, text.lines().filter(|line| !line.starts_with('#')).count());
}

#[test]
fn a_loop_that_is_told_to_stop_ends_within_a_second_even_while_the_kubelet_hangs() {
    let kubelet = kubelet(&pods(1));
    kubelet.set_mode(Mode::Hang);
    let root = tempfile::tempdir().unwrap();
    let sidecar = RunningSidecar::start(settings(&kubelet, root.path()).unwrap()).unwrap();
    assert!(kubelet.wait_until(|asked| asked.pods == 1, LONG));
    let address: std::net::SocketAddr = {
        // Somebody who connects and says nothing does not hold it up either.
        let (status, _) = sidecar.get("/healthz").unwrap();
        assert_eq!(status, 200);
        sidecar.address().unwrap()
    };
    let _silent = std::net::TcpStream::connect(address).unwrap();
    let started = Instant::now();
    drop(sidecar);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}
