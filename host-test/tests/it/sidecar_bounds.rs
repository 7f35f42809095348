//! What pod lists and volumes do to the sidecar's program: memory, files, and that it answers all the while.

use crate::sidecar_program::{against, cost, kubelet, terminate};
use crate::support;
use host_test::kubelet::{FakeKubelet, FakePod, FakePodsApi, list};
use host_test::volume::DeafVolume;
use serde_json::Value;
use std::fs;
use std::io::Read as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(120);

/// A list that somebody makes who may make pods, or label one.
struct Hostile {
    what: &'static str,
    list: Vec<u8>,
    /// Files that there are in the end.
    files: RangeInclusive<usize>,
}

/// What a kubelet's answer can be made into.
fn hostile_lists() -> Vec<Hostile> {
    let small = |n: usize| FakePod::new("shop", &format!("web-{n}")).with("app", &format!("{n:064x}")).item();
    let noted = |n: usize| {
        let mut pod = FakePod::new("tenant-a", &format!("web-{n}"));
        pod.annotations = (0..64).map(|at| (format!("note-{at}"), "x".repeat(4000))).collect();
        pod.with("app", &format!("{n:064x}")).item()
    };
    let annotated = |count: usize| {
        let mut pod = FakePod::new("tenant-a", "many");
        pod.annotations = (0..count).map(|at| (format!("n{at}"), String::new())).collect();
        pod.item()
    };
    let labelled = |n: usize| {
        let mut pod = FakePod::new("tenant-a", &format!("web-{n}"));
        pod.labels = (0..1000).map(|at| (format!("label-{at}"), "x".repeat(63))).collect();
        (0..10).fold(pod, |pod, at| pod.with(&format!("c{at}"), &format!("{n:032x}{at:032x}"))).item()
    };
    let ballasted =
        |n: usize| FakePod { ballast: 20_000, ..FakePod::new("shop", &format!("web-{n}")) }.item();
    let typed = serde_json::json!({ "metadata": {
        "namespace": "tenant-a", "name": "typed", "labels": { "a": 1, "b": [1], "c": { "d": "e" }, "app": "web" },
        "annotations": [1, 2], "ownerReferences": { "kind": 1 }, "uid": 7 },
        "spec": { "nodeName": ["n"] }, "status": { "podIP": 1, "containerStatuses": { "name": "x" } } });
    let with_small = |odd: Value| list([odd].into_iter().chain((0..20).map(small)));
    let huge = FakePod { ballast: 12 << 20, ..FakePod::new("tenant-a", "huge") }.item();
    vec![
        Hostile { what: "28 MB of annotations", list: list((0..110).map(noted)), files: 110..=110 },
        Hostile {
            what: "40 pods of 10 containers and 1,000 labels",
            list: list((0..40).map(labelled)),
            files: 40..=40,
        },
        Hostile {
            what: "a pod of 600,000 annotations",
            list: with_small(annotated(600_000)),
            files: 20..=21,
        },
        // Larger than a list may have it; where pods come one by one that costs nothing.
        Hostile { what: "a pod of 12 MiB", list: with_small(huge), files: 20..=21 },
        Hostile { what: "60 MB", list: list((0..3_000).map(ballasted)), files: 3_000..=3_000 },
        Hostile { what: "values that are no strings", list: with_small(typed), files: 21..=21 },
        Hostile {
            what: "100,000 pods",
            list: list((0..100_000).map(|n| FakePod::new("shop", &format!("p{n}")).item())),
            files: 1_000..=40_000,
        },
    ]
}

fn count(root: &Path) -> usize {
    fs::read_dir(root.join("pods")).map_or(0, Iterator::count)
}

/// Guarantees: each is taken, with all annotations wanted, polled and followed; a pod over a limit costs itself only; and the program
/// stays below the memory that conf/ gives it, together with its files, which are in memory too.
#[test]
fn no_list_makes_it_large_and_what_is_over_a_limit_costs_itself_only() {
    for Hostile { what, list: bytes, files } in hostile_lists() {
        let items: Vec<Value> = match serde_json::from_slice::<Value>(&bytes).unwrap()["items"].take() {
            Value::Array(items) => items,
            other => panic!("{other}"),
        };
        let polled = tempfile::tempdir().unwrap();
        let kubelet = kubelet(bytes);
        let arguments = ["--interval", "1s", "--annotations", "*", "--source", "kubelet"];
        let asked = Asked::start(&kubelet, polled.path(), &arguments);
        assert!(kubelet.wait_until(|asked| asked.lists >= 3, LONG), "{what}");
        within_bounds(what, "polled", asked, polled.path(), &files);

        let followed = tempfile::tempdir().unwrap();
        let socket = followed.path().join("api.sock");
        let _api = FakePodsApi::start(&socket, &items).unwrap();
        let arguments =
            ["--annotations", "*", "--source", "pods-api", "--pods-api-socket", socket.to_str().unwrap()];
        let asked = Asked::start(&kubelet, followed.path(), &arguments);
        asked.wait_for("/metrics", |_, text| text.contains("\nnodesieve_sidecar_streaming 1\n"));
        within_bounds(what, "followed", asked, followed.path(), &files);
    }
}

/// Waits for the files, ends the program and looks at what it took.
fn within_bounds(what: &str, how: &str, asked: Asked, root: &Path, files: &RangeInclusive<usize>) {
    let deadline = Instant::now() + LONG;
    while !files.contains(&count(root)) {
        assert!(Instant::now() < deadline, "{what} {how}: {} files", count(root));
        std::thread::sleep(Duration::from_millis(20));
    }
    let (largest, _) = cost(&asked.child);
    let said = asked.end();
    let sizes = fs::read_dir(root.join("pods")).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    let bytes: u64 = sizes.sum();
    eprintln!("{what} {how}: {largest} kB at most, {} files of {bytes} bytes", count(root));
    assert!(largest < 24_000, "{what} {how}: {largest} kB: {said}");
    assert!(bytes < 12 << 20, "{what} {how}: {bytes} bytes");
}

/// Scenario: 250 pods, and changes of their labels without end, as the Pods API tells them. `NODESIEVE_FUZZ_SECONDS` makes it a million.
/// Guarantees: memory does not grow with them.
#[test]
fn changes_without_end_leave_memory_as_it_is() {
    let changes = if std::env::var_os("NODESIEVE_FUZZ_SECONDS").is_some() { 1_000_000 } else { 50_000 };
    let mut pods: Vec<FakePod> = (0..250)
        .map(|n| {
            let mut pod = FakePod::new("tenant-a", &format!("service-{n}-7d9c5b8f6d-x2k4q"));
            pod.labels.extend((0..8).map(|n| (format!("app.kubernetes.io/label-{n}"), format!("value-{n}"))));
            pod.with("app", &format!("{n:064x}"))
        })
        .collect();
    let items = |pods: &[FakePod]| pods.iter().map(FakePod::item).collect::<Vec<_>>();
    let root = tempfile::tempdir().unwrap();
    let socket = root.path().join("api.sock");
    let api = FakePodsApi::start(&socket, &items(&pods)).unwrap();
    let kubelet = kubelet(list([]));
    let arguments = ["--source", "pods-api", "--pods-api-socket", socket.to_str().unwrap()];
    let mut child = against(&kubelet, root.path(), &arguments).stderr(Stdio::null()).spawn().unwrap();
    let label = |root: &Path, pod: &FakePod| -> Option<Value> {
        let text = fs::read(root.join(format!("pods/tenant-a_{}.json", pod.name))).ok()?;
        Some(serde_json::from_slice::<Value>(&text).ok()?["labels"]["app"].clone())
    };
    let (mut early, mut round) = (0, 0);
    while round * 250 < changes {
        round += 1;
        for pod in &mut pods {
            pod.labels[0].1 = format!("round-{round}");
        }
        api.set_pods(&items(&pods));
        // A kubelet puts out who is a hundred events behind.
        let deadline = Instant::now() + LONG;
        while label(root.path(), &pods[249]) != Some(format!("round-{round}").into()) {
            assert!(Instant::now() < deadline, "round {round}");
            std::thread::sleep(Duration::from_millis(1));
        }
        if round == 20 {
            early = cost(&child).0;
        }
    }
    let (largest, milliseconds) = cost(&child);
    terminate(&child);
    assert!(child.wait().unwrap().success());
    eprintln!("{early} kB after 5,000 changes, {largest} kB after {changes}, {milliseconds} ms of CPU");
    assert!(largest < 16_000 && largest < early + 1_000, "{early} kB, then {largest} kB");
}

/// Asks a program that listens on a port of its own, by HTTP.
struct Asked {
    child: Child,
    port: u16,
}

impl Asked {
    fn start(kubelet: &FakeKubelet, root: &Path, arguments: &[&str]) -> Asked {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let arguments: Vec<&str> =
            ["--listen", &address].into_iter().chain(arguments.iter().copied()).collect();
        let child = against(kubelet, root, &arguments).stderr(Stdio::piped()).spawn().unwrap();
        Asked { child, port }
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
        let mut response = agent.get(format!("http://127.0.0.1:{}{path}", self.port)).call().ok()?;
        Some((response.status().as_u16(), response.body_mut().read_to_string().ok()?))
    }

    #[track_caller]
    fn wait_for(&self, path: &str, holds: impl Fn(u16, &str) -> bool) {
        let deadline = Instant::now() + LONG;
        loop {
            let found = self.get(path);
            if found.as_ref().is_some_and(|(status, text)| holds(*status, text)) {
                return;
            }
            assert!(Instant::now() < deadline, "{path}: {found:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn end(mut self) -> String {
        terminate(&self.child);
        let _ = self.child.wait();
        let mut said = String::new();
        let _ = self.child.stderr.take().unwrap().read_to_string(&mut said);
        said
    }
}

/// A file system that answers nothing, and where it is.
fn deaf_volume(root: &Path) -> Option<(DeafVolume, PathBuf)> {
    let hung = root.join("hung");
    fs::create_dir(&hung).unwrap();
    match DeafVolume::mount(&hung) {
        Ok(volume) => Some((volume, hung)),
        Err(error) => {
            support::skip("mount", &error.to_string());
            None
        }
    }
}

/// Scenario: the volume of the pod files and of the filter's metrics is a file system that answers nothing, as one whose server is gone.
/// Guarantees: health and metrics are answered, polls go on, readiness does not wait for it, one line says so, and it ends when told to.
#[test]
fn a_volume_that_hangs_stops_neither_health_nor_polls() {
    let root = tempfile::tempdir().unwrap();
    let Some((volume, hung)) = deaf_volume(root.path()) else { return };
    let kubelet = kubelet(list((0..3).map(|n| FakePod::new("shop", &format!("web-{n}")).item())));
    let (pods, metrics): (PathBuf, PathBuf) = (hung.join("pods"), hung.join("metrics.prom"));
    let arguments = [
        "--interval",
        "1s",
        "--pods-dir",
        pods.to_str().unwrap(),
        "--filter-metrics",
        metrics.to_str().unwrap(),
    ];
    let asked = Asked::start(&kubelet, root.path(), &arguments);
    asked.wait_for("/healthz", |status, _| status == 200);
    assert!(kubelet.wait_until(|asked| asked.lists >= 5, LONG), "polls go on");
    asked.wait_for("/metrics", |_, text| text.contains("\nnodesieve_sidecar_pods 3\n"));
    asked.wait_for("/readyz", |status, _| status == 200);
    asked.wait_for("/healthz", |status, _| status == 200);
    let lists = kubelet.asked().lists;
    assert!(kubelet.wait_until(|asked| asked.lists >= lists + 3, LONG), "and on");
    // What hangs in the system cannot end before the volume does.
    terminate(&asked.child);
    drop(volume);
    let said = asked.end();
    let lines = |part: &str| said.lines().filter(|line| line.contains(part)).count();
    assert_eq!(lines("write pod files to"), 1, "{said}");
    assert_eq!(lines("read filter's metrics"), 1, "{said}");
}

/// Scenario: all that the sidecar reads for a poll, one thing after the other, is on such a file system: the list, the token, the
/// certificates.
/// Guarantees: health is answered, each poll fails after a limit and says why, and no more than one thread hangs.
#[test]
fn a_volume_that_hangs_costs_a_poll_and_not_the_loop() {
    let root = tempfile::tempdir().unwrap();
    let Some((volume, hung)) = deaf_volume(root.path()) else { return };
    let file = hung.join("file");
    let file = file.to_str().unwrap();
    let kubelet = kubelet(list((0..3).map(|n| FakePod::new("shop", &format!("web-{n}")).item())));
    let mut hanging = Vec::new();
    for (flag, kind) in [("--pods-file", "file"), ("--token-file", "token"), ("--kubelet-ca", "ca")] {
        let scratch = tempfile::tempdir().unwrap();
        let arguments = ["--interval", "1s", "--total-timeout", "1s", flag, file];
        let asked = Asked::start(&kubelet, scratch.path(), &arguments);
        let failed = |least: u64| {
            asked.wait_for("/metrics", |_, text| {
                let series = format!("nodesieve_sidecar_polls_failed_total{{kind=\"{kind}\"}} ");
                let count = text.lines().find_map(|line| line.strip_prefix(&series)).unwrap_or("0");
                count.parse::<u64>().unwrap() >= least
            });
        };
        failed(1);
        let threads = fs::read_dir(format!("/proc/{}/task", asked.child.id())).unwrap().count();
        failed(3);
        asked.wait_for("/healthz", |status, _| status == 200);
        let later = fs::read_dir(format!("/proc/{}/task", asked.child.id())).unwrap().count();
        assert_eq!(threads, later, "{flag}");
        hanging.push((flag, asked));
    }
    // What hangs in the system cannot end before the volume does.
    hanging.iter().for_each(|(_, asked)| terminate(&asked.child));
    drop(volume);
    for (flag, asked) in hanging {
        let said = asked.end();
        let lines = said.lines().filter(|line| line.contains("as on a volume that hangs")).count();
        assert!(lines == 1 && said.contains(file), "{flag}: {said}");
    }
}

/// Scenario: the dearest list in a control group with the memory that conf/ gives the sidecar, its files in memory as there; polled, then
/// followed.
/// Guarantees: it is not killed.
#[track_caller]
fn the_memory_of_conf_is_enough(version: ControlGroups) {
    let daemonset = fs::read_to_string(support::conf().join("k8s/daemonset.yaml")).unwrap();
    let limit = daemonset.split("limits: { memory: ").nth(1).unwrap().split("Mi").next().unwrap();
    let limit: u64 = limit.parse::<u64>().unwrap() << 20;
    let bytes = hostile_lists().swap_remove(0).list;
    let pods = serde_json::from_slice::<Value>(&bytes).unwrap();
    let kubelet = kubelet(bytes);
    for source in ["kubelet", "pods-api"] {
        let group = match ControlGroup::with(version, limit) {
            Ok(group) => group,
            Err(reason) => return support::skip(version.name(), &reason),
        };
        let root = tempfile::tempdir_in("/dev/shm").unwrap();
        let socket = root.path().join("api.sock");
        let _api = FakePodsApi::start(&socket, pods["items"].as_array().unwrap()).unwrap();
        let socket = socket.to_str().unwrap();
        let arguments =
            ["--interval", "1s", "--annotations", "*", "--source", source, "--pods-api-socket", socket];
        let mut child = against(&kubelet, root.path(), &arguments).stderr(Stdio::null()).spawn().unwrap();
        group.add(&child);
        let deadline = Instant::now() + LONG;
        while count(root.path()) < 110 {
            assert!(child.try_wait().unwrap().is_none() && Instant::now() < deadline, "{source}");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(source == "pods-api" || kubelet.wait_until(|asked| asked.lists >= 5, LONG));
        terminate(&child);
        assert!(child.wait().unwrap().success(), "{source}: killed");
        eprintln!("{source}: {:?} bytes at most of {limit}", group.most());
        assert_eq!(count(root.path()), 110);
    }
}

#[test]
fn the_memory_that_conf_gives_it_is_enough_by_cgroup_v1() {
    the_memory_of_conf_is_enough(ControlGroups::V1);
}

#[test]
fn the_memory_that_conf_gives_it_is_enough_by_cgroup_v2() {
    the_memory_of_conf_is_enough(ControlGroups::V2);
}

#[derive(Clone, Copy)]
enum ControlGroups {
    V1,
    V2,
}

impl ControlGroups {
    fn name(self) -> &'static str {
        match self {
            ControlGroups::V1 => "cgroup-v1",
            ControlGroups::V2 => "cgroup-v2",
        }
    }

    /// Where groups for memory are made; why not, if they cannot be.
    fn parent(self) -> Result<PathBuf, String> {
        if let ControlGroups::V1 = self {
            let parent = PathBuf::from("/sys/fs/cgroup/memory");
            let is_there = parent.join("memory.limit_in_bytes").exists();
            return if is_there { Ok(parent) } else { Err("version 1 has no memory here".into()) };
        }
        for parent in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from) {
            let has = |file: &str| {
                let text = fs::read_to_string(parent.join(file)).unwrap_or_default();
                text.split_whitespace().any(|controller| controller == "memory")
            };
            if has("cgroup.controllers") {
                // Those below get it when nobody has said so yet.
                let told = fs::write(parent.join("cgroup.subtree_control"), "+memory");
                let failed = |error| format!("{} hands no memory down: {error}", parent.display());
                return if has("cgroup.subtree_control") {
                    Ok(parent)
                } else {
                    Err(told.map_or_else(failed, |()| "no memory".into()))
                };
            }
        }
        Err("version 2 has no memory here".into())
    }
}

/// A control group for memory, which ends with this.
struct ControlGroup(PathBuf);

impl ControlGroup {
    fn with(version: ControlGroups, limit: u64) -> Result<ControlGroup, String> {
        let group = ControlGroup(version.parent()?.join(format!("nodesieve-{}", std::process::id())));
        let file = match version {
            ControlGroups::V1 => "memory.limit_in_bytes",
            ControlGroups::V2 => "memory.max",
        };
        fs::create_dir(&group.0)
            .and_then(|()| fs::write(group.0.join(file), limit.to_string()))
            .map_err(|error| format!("no group can be made: {error}"))?;
        Ok(group)
    }

    fn add(&self, child: &Child) {
        fs::write(self.0.join("cgroup.procs"), child.id().to_string()).unwrap();
    }

    fn most(&self) -> Option<String> {
        let read = |name| fs::read_to_string(self.0.join(name)).ok();
        read("memory.max_usage_in_bytes").or_else(|| read("memory.peak")).map(|text| text.trim().to_owned())
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
