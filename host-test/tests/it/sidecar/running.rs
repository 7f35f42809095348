//! The main loop in a thread: outages, what is new on the node, health and metrics, the end.

use super::{files, kubelet, kubelet_of, pods};
use host_test::kubelet::{FailureMode, FakeKubelet, FakePod, list};
use host_test::sidecar::{RunningSidecar, settings};
use nodesieve_sidecar::SidecarSettings;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

/// Settings under which a loop is quick to watch.
fn running(kubelet: &FakeKubelet, root: &Path) -> SidecarSettings {
    SidecarSettings { interval: Duration::from_secs(1), ..settings(kubelet, root).unwrap() }
}

#[test]
fn the_loop_outlives_an_outage_and_its_age_is_in_the_metrics() {
    let kubelet = kubelet(&pods(5));
    let root = tempfile::tempdir().unwrap();
    let mut settings = running(&kubelet, root.path());
    kubelet_of(&mut settings).read_timeout = Duration::from_millis(300);
    kubelet.set_mode(FailureMode::Hang);
    let directory = settings.pods_dir.clone();
    let sidecar =
        RunningSidecar::start(SidecarSettings { ready_after: Duration::from_secs(3600), ..settings })
            .unwrap();
    let timeouts = "nodesieve_sidecar_polls_failed_total{kind=\"timeout\"}";
    sidecar.wait_until(timeouts, |count| count >= 2.0, LONG).unwrap();
    assert_eq!(sidecar.get("/readyz").unwrap(), (503, "no list so far\n".into()));
    assert_eq!(sidecar.get("/healthz").unwrap(), (200, "ok\n".into()));
    kubelet.set_mode(FailureMode::Ok);
    // A list is counted as soon as it has come; its files, which make the sidecar ready, are written beside the loop.
    sidecar.wait_until("nodesieve_sidecar_ready", |ready| ready == 1.0, LONG).unwrap();
    assert_eq!(sidecar.get("/readyz").unwrap(), (200, "ready\n".into()));
    assert_eq!(files(&directory).len(), 5);
    kubelet.set_mode(FailureMode::Null);
    sidecar.wait_until("nodesieve_sidecar_poll_age_seconds", |age| age > 2.0, LONG).unwrap();
    kubelet.set_mode(FailureMode::Ok);
    sidecar.wait_until("nodesieve_sidecar_poll_age_seconds", |age| age < 1.0, LONG).unwrap();
    let events = sidecar.events();
    assert_eq!(events.len(), 4, "two outages, two lines each: {events:?}");
}

#[test]
fn without_a_kubelet_it_is_ready_after_the_wait() {
    let kubelet = kubelet(&[]);
    let root = tempfile::tempdir().unwrap();
    let settings =
        SidecarSettings { ready_after: Duration::from_millis(1), ..settings(&kubelet, root.path()).unwrap() };
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
        SidecarSettings { interval: Duration::from_secs(1800), ..settings(&kubelet, root.path()).unwrap() };
    let directory = settings.pods_dir.clone();
    let sidecar = RunningSidecar::start(settings).unwrap();
    sidecar.wait_until("nodesieve_sidecar_pods", |pods| pods == 5.0, LONG).unwrap();

    let (uid, id) = ("b933ddf3-013f-4aec-988b-32b504a2f8c0", "f".repeat(64));
    let new = FakePod { uid: uid.into(), ..FakePod::new("shop", "new") };
    let with = |new: FakePod| list(pods(5).iter().chain([&new]).map(FakePod::item));
    kubelet.set_pods(with(new.clone()));
    fs::create_dir(root.path().join(format!("var/log/pods/shop_new_{uid}"))).unwrap();
    sidecar.wait_until("nodesieve_sidecar_pods", |pods| pods == 6.0, LONG).unwrap();

    let log = root.path().join(format!("var/log/containers/new_shop_app-{id}.log"));
    std::os::unix::fs::symlink("/nowhere", log).unwrap();
    sidecar.wait_until("nodesieve_sidecar_awaited", |awaited| awaited == 1.0, LONG).unwrap();
    kubelet.set_pods(with(new.with("app", &id)));
    sidecar.wait_until("nodesieve_sidecar_awaited", |awaited| awaited == 0.0, LONG).unwrap();
    // Five files at first, one with the pod, one with the container's id.
    sidecar.wait_until("nodesieve_sidecar_files_written_total", |written| written >= 7.0, LONG).unwrap();
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

/// Guarantees: whoever takes OpenMetrics gets the filter's exemplars where they belong, everybody else the text format.
#[test]
fn exemplars_are_for_those_who_take_openmetrics() {
    let kubelet = kubelet(&pods(1));
    let root = tempfile::tempdir().unwrap();
    let settings = settings(&kubelet, root.path()).unwrap();
    let filter_metrics = settings.filter_metrics.clone();
    let sidecar = RunningSidecar::start(settings).unwrap();
    let text = "# TYPE m histogram\nm_bucket{le=\"+Inf\"} 1\nm_sum 7\nm_count 1\n# EXEMPLAR m_bucket{le=\"+Inf\"} {trace_id=\"af\"} 7 5\n";
    fs::write(filter_metrics, text).unwrap();
    let ask = |accepted: &str| {
        let url = format!("http://{}/metrics", sidecar.address().unwrap());
        let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
        let mut response = agent.get(url).header("accept", accepted).call().unwrap();
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        (content_type, response.body_mut().read_to_string().unwrap())
    };
    let (content_type, text) = ask("application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"), "{content_type}");
    assert!(
        text.contains("\nm_bucket{le=\"+Inf\"} 1 # {trace_id=\"af\"} 7 5\n") && text.ends_with("# EOF\n"),
        "{text}"
    );
    let (content_type, text) = ask("text/plain");
    assert!(
        content_type.starts_with("text/plain; version=0.0.4") && !text.contains("# EOF"),
        "{content_type}"
    );
}

/// Reads metrics with the parser of Prometheus' own Python client, where that is installed.
pub(crate) fn parse_with_prometheus(text: &str) {
    let script = "import sys\nfrom prometheus_client.parser import text_string_to_metric_families as parse\n\
        families = list(parse(sys.stdin.read()))\nnames = [f.name for f in families]\n\
        assert len(names) == len(set(names)), names\nassert all(f.documentation and f.type != 'unknown' for f in families)\n\
        print(sum(len(f.samples) for f in families))";
    let has = std::process::Command::new("python3").args(["-c", "import prometheus_client"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        crate::support::skip("prometheus-client", "no python3 with prometheus_client");
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

/// Guarantees: kubelet's probe, which has a second, does not wait behind connections that send nothing; of these the
/// oldest are put out, so that there are never more than a few.
#[test]
fn silent_connections_keep_nobody_waiting() {
    let kubelet = kubelet(&pods(1));
    let root = tempfile::tempdir().unwrap();
    let sidecar = RunningSidecar::start(settings(&kubelet, root.path()).unwrap()).unwrap();
    let address = sidecar.address().unwrap();
    let silent: Vec<_> = (0..300).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    assert_eq!(sidecar.get("/healthz").unwrap().0, 200);
    let is_closed = |mut connection: &std::net::TcpStream, patience| {
        connection.set_read_timeout(Some(patience)).unwrap();
        // Closed reads as the end or as a reset, open as a timeout.
        match connection.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    };
    assert!(is_closed(&silent[0], LONG));
    assert!(!is_closed(&silent[299], Duration::from_millis(10)));
}

#[test]
fn a_loop_that_is_told_to_stop_ends_at_once_even_while_the_kubelet_hangs() {
    let kubelet = kubelet(&pods(1));
    kubelet.set_mode(FailureMode::Hang);
    let root = tempfile::tempdir().unwrap();
    let mut settings = settings(&kubelet, root.path()).unwrap();
    let hour = Duration::from_secs(3600);
    let patient = kubelet_of(&mut settings);
    (patient.read_timeout, patient.total_timeout) = (hour, hour);
    let sidecar = RunningSidecar::start(settings).unwrap();
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
    assert!(started.elapsed() < hour / 6, "{:?}", started.elapsed());
}
