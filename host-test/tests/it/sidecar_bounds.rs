//! What pod lists and volumes do to the sidecar's program: memory, files, and that it answers all the while.

use crate::sidecar_program::{against, cost, kubelet, terminate};
use crate::support;
use host_test::kubelet::{FakeKubelet, FakePod, FakePodsApi, list};
use host_test::volume::DeafVolume;
use serde_json::Value;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(120);

/// A list that somebody makes who may make pods, or label one.
struct Hostile {
    what: &'static str,
    list: Vec<u8>,
    /// Files that there are in the end.
    files: std::ops::RangeInclusive<usize>,
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
        Hostile { what: "a pod of 12 MiB", list: with_small(huge), files: 20..=20 },
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

/// Guarantees: each is taken, with all annotations wanted; a pod over a limit costs itself only; and it stays below the memory that
/// conf/ gives it, together with its files, which are in memory too.
#[test]
fn no_list_makes_it_large_and_what_is_over_a_limit_costs_itself_only() {
    for Hostile { what, list, files } in hostile_lists() {
        let kubelet = kubelet(list);
        let root = tempfile::tempdir().unwrap();
        let mut child = against(&kubelet, root.path(), &["--interval", "1s", "--annotations", "*"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        assert!(kubelet.wait_until(|asked| asked.lists >= 3, LONG), "{what}");
        let deadline = Instant::now() + LONG;
        while !files.contains(&count(root.path())) {
            assert!(Instant::now() < deadline, "{what}: {} files", count(root.path()));
            std::thread::sleep(Duration::from_millis(20));
        }
        let (largest, _) = cost(&child);
        terminate(&child);
        assert!(child.wait().unwrap().success(), "{what}");
        let sizes = fs::read_dir(root.path().join("pods"))
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len());
        let bytes: u64 = sizes.sum();
        eprintln!("{what}: {largest} kB at most, {} files of {bytes} bytes", count(root.path()));
        assert!(largest < 24_000, "{what}: {largest} kB");
        assert!(bytes < 12 << 20, "{what}: {bytes} bytes");
    }
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

/// Scenario: the volume of the pod files and of the filter's metrics is a file system that answers nothing, as one whose server is gone.
/// Guarantees: health and metrics are answered, polls go on, readiness does not wait for it, one line says so, and it ends when told to.
#[test]
fn a_volume_that_hangs_stops_neither_health_nor_polls() {
    let root = tempfile::tempdir().unwrap();
    let hung = root.path().join("hung");
    fs::create_dir(&hung).unwrap();
    let volume = match DeafVolume::mount(&hung) {
        Ok(volume) => volume,
        Err(error) => return support::skip("mount", &error.to_string()),
    };
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

/// Scenario: the dearest list in a control group with the memory that conf/ gives the sidecar, its files in memory as there.
/// Guarantees: it is not killed.
#[test]
fn the_memory_that_conf_gives_it_is_enough() {
    let daemonset = fs::read_to_string(support::conf().join("k8s/daemonset.yaml")).unwrap();
    let limit = daemonset.split("limits: { memory: ").nth(1).unwrap().split("Mi").next().unwrap();
    let limit: u64 = limit.parse::<u64>().unwrap() << 20;
    let Some(group) = ControlGroup::with(limit) else {
        return support::skip("cgroup", "no control group for memory can be made");
    };
    let kubelet = kubelet(hostile_lists().swap_remove(0).list);
    let root = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut child = against(&kubelet, root.path(), &["--interval", "1s", "--annotations", "*"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    group.add(&child);
    assert!(kubelet.wait_until(|asked| asked.lists >= 5, LONG));
    terminate(&child);
    assert!(child.wait().unwrap().success(), "killed");
    eprintln!("{:?} bytes at most of {limit}", group.most());
    assert_eq!(count(root.path()), 110);
}

/// A control group for memory, of version 1 or 2, which ends with this.
struct ControlGroup(PathBuf);

impl ControlGroup {
    fn with(limit: u64) -> Option<ControlGroup> {
        let name = format!("nodesieve-{}", std::process::id());
        for (parent, file) in
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        {
            let group = ControlGroup(Path::new(parent).join(&name));
            if fs::create_dir(&group.0).is_ok() && fs::write(group.0.join(file), limit.to_string()).is_ok() {
                return Some(group);
            }
        }
        None
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
