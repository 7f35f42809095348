//! The sidecar's program as a node runs it: exit codes, signals, and what it costs.

use crate::sidecar::is_whole;
use host_test::artefact;
use host_test::kubelet::{FailureMode, FakeKubelet, FakePod, KubeletOptions, list};
use host_test::sidecar::TOKEN;
use rustix::process::{Pid, Signal};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(120);

pub(crate) fn kubelet(pod_list: Vec<u8>) -> FakeKubelet {
    FakeKubelet::start(KubeletOptions { token: Some(TOKEN.into()), ..KubeletOptions::default() }, pod_list)
        .unwrap()
}

/// The program with no environment but this.
fn program(variables: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(artefact::sidecar().unwrap());
    command.env_clear().envs(variables.iter().copied()).args(arguments).stdin(Stdio::null());
    command
}

/// The program against this kubelet, with its files below `root`.
pub(crate) fn against(kubelet: &FakeKubelet, root: &Path, arguments: &[&str]) -> Command {
    let path = |name: &str| root.join(name).display().to_string();
    fs::write(path("token"), TOKEN).unwrap();
    fs::write(path("ca.crt"), kubelet.ca_pem()).unwrap();
    let port = kubelet.address().port().to_string();
    let (token, ca, pods) = (path("token"), path("ca.crt"), path("pods"));
    let variables = [
        ("HOST_IP", "127.0.0.1"),
        ("NODESIEVE_KUBELET_PORT", port.as_str()),
        ("NODESIEVE_TOKEN_FILE", &token),
        ("NODESIEVE_KUBELET_CA", &ca),
        ("NODESIEVE_PODS_DIR", &pods),
        ("NODESIEVE_LISTEN", "127.0.0.1:0"),
        ("NODESIEVE_LOGS_DIR", "off"),
        ("NODESIEVE_POD_LOGS_DIR", "off"),
    ];
    program(&variables, arguments)
}

fn words(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn terminate(child: &Child) {
    rustix::process::kill_process(Pid::from_child(child), Signal::TERM).unwrap();
}

#[test]
fn bad_settings_are_exit_code_64_and_told_all_at_once() {
    let output = program(&[("NODESIEVE_GRACE", "soon")], &["--intervall=5s"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let words = words(&output);
    for part in ["--intervall: no such flag; did you mean --interval?", "HOST_IP", "NODESIEVE_GRACE=soon"] {
        assert!(words.contains(part), "{words}");
    }
    assert!(output.stdout.is_empty());
}

#[test]
fn help_and_version_go_to_stdout() {
    let output = program(&[], &["--help"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(String::from_utf8(output.stdout).unwrap().contains("--kubelet-host ADDRESS  (HOST_IP)"));
    assert_eq!(program(&[], &["--version"]).output().unwrap().stdout, b"nodesieve-sidecar 0.1.0\n");
}

#[test]
fn once_is_one_request_and_its_exit_code_says_how_it_went() {
    let kubelet = kubelet(list([FakePod::new("shop", "web").item()]));
    let root = tempfile::tempdir().unwrap();
    let output = against(&kubelet, root.path(), &["--once"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    assert!(root.path().join("pods/shop_web.json").is_file());
    kubelet.set_mode(FailureMode::Forbidden);
    let output = against(&kubelet, root.path(), &["--once"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).contains("warning: poll https://127.0.0.1:"), "{}", words(&output));
    assert_eq!(kubelet.asked().pods, 2);
}

#[test]
fn a_pod_list_in_a_file_needs_no_kubelet() {
    let root = tempfile::tempdir().unwrap();
    let pods = root.path().join("pods");
    let file = artefact::workspace().join("conf/samples/podlist.json");
    let arguments = [
        "--once",
        "--pods-file",
        file.to_str().unwrap(),
        "--pods-dir",
        pods.to_str().unwrap(),
        "--annotations-deny",
        "*",
    ];
    let output = program(&[], &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let files = fs::read_dir(pods).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let files: Vec<String> = files.collect();
    assert!(files.len() > 20 && files.iter().all(|file| !file.contains("config.seen")));
}

#[test]
fn sigterm_ends_it_at_once_while_the_kubelet_hangs() {
    let kubelet = kubelet(Vec::new());
    kubelet.set_mode(FailureMode::Hang);
    let root = tempfile::tempdir().unwrap();
    let patient = ["--read-timeout", "10m", "--total-timeout", "1h"];
    let mut child = against(&kubelet, root.path(), &patient).stderr(Stdio::null()).spawn().unwrap();
    assert!(kubelet.wait_until(|asked| asked.pods == 1, LONG));
    let started = Instant::now();
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(300), "{:?}", started.elapsed());
}

#[test]
fn a_port_that_is_taken_is_exit_code_2() {
    let kubelet = kubelet(Vec::new());
    let root = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = against(&kubelet, root.path(), &["--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(words(&output).contains(&format!("error: listen on {address}: ")), "{}", words(&output));
}

/// What the system says about a process: its largest resident set in kB, and the CPU it used, in milliseconds.
pub(crate) fn cost(child: &Child) -> (u64, u64) {
    let read = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap();
    let status = read("status");
    let largest = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let largest = largest.trim().trim_end_matches(" kB").parse().unwrap();
    // Behind the name in brackets; user and system time in ticks of 10 ms.
    let stat = read("stat");
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = [11, 12].iter().map(|field| fields[*field].parse::<u64>().unwrap()).sum();
    (largest, ticks * 10)
}

/// Scenario: 250 pods with a list of 5 MB, of which each poll changes a tenth.
/// Guarantees: less than 6 MB of program, 15 MB of memory, and a hundredth of a core at two polls a minute.
#[test]
fn a_large_node_costs_little() {
    let pods: Vec<FakePod> = (0..250)
        .map(|n| {
            let mut pod = FakePod::new("tenant-a", &format!("service-{n}-7d9c5b8f6d-x2k4q"));
            let labels = (0..8).map(|n| (format!("app.kubernetes.io/label-{n}"), format!("value-{n}")));
            pod.labels.extend(labels);
            pod.annotations = vec![
                ("prometheus.io/scrape".into(), "true".into()),
                ("checksum/config".into(), "0a".repeat(32)),
                ("kubectl.kubernetes.io/last-applied-configuration".into(), "{}".repeat(500)),
            ];
            FakePod { ballast: 18_000, ..pod }
                .with("app", &format!("{n:064x}"))
                .with("proxy", &format!("f{n:063x}"))
        })
        .collect();
    let answer = |round: usize| {
        let mut pods = pods.clone();
        for pod in pods.iter_mut().skip(round % 10).step_by(10) {
            pod.labels.push(("round".into(), round.to_string()));
        }
        list(pods.iter().map(FakePod::item))
    };
    let first = answer(0);
    assert!((5_000_000..6_000_000).contains(&first.len()), "{}", first.len());
    let kubelet = kubelet(first);
    let root = tempfile::tempdir().unwrap();
    let mut child =
        against(&kubelet, root.path(), &["--interval", "1s"]).stderr(Stdio::null()).spawn().unwrap();
    let polls = 12;
    for round in 1..=polls {
        assert!(kubelet.wait_until(|asked| asked.lists >= round, LONG));
        kubelet.set_pods(answer(usize::try_from(round).unwrap()));
    }
    let (largest, milliseconds) = cost(&child);
    terminate(&child);
    assert!(child.wait().unwrap().success());
    let each = milliseconds / kubelet.asked().lists;
    let bytes = fs::metadata(artefact::sidecar().unwrap()).unwrap().len();
    eprintln!("{bytes} bytes of program, {largest} kB at most, {each} ms of CPU for each poll");
    // One that was being written at the end is beside them, under a name that nobody reads.
    let names = fs::read_dir(root.path().join("pods")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| is_whole(name.to_str().unwrap())).count(), 250);
    assert!(largest < 15_000, "{largest} kB");
    assert!(bytes < 6_000_000, "{bytes} bytes");
}
