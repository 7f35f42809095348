//! The project's sample data: ten minutes of the container logs of one Kubernetes node, and the kubelet's pod
//! list to go with them. Made up, but shaped like the real thing down to the traps, and the same for the same
//! seed, so that tests and benchmarks can rely on it without any recording of real logs in the repository.
//!
//! `node` is the table of what runs on the node; the modules named after programs write the lines.

mod access_logs;
mod crashing;
mod cri;
mod dice;
mod error;
mod fleet;
mod flood;
mod json_apps;
mod moment;
mod node;
mod oddities;
mod platform;
mod podlist;
mod schedule;
mod services;
mod text_apps;
mod workload;

use std::fs;
use std::path::Path;

pub use error::SamplesError;

// What other generators of logs draw from, tell the time by and write files with.
pub(crate) use cri::{CriLine, CriLog, CriStream};
pub(crate) use dice::Dice;
pub(crate) use moment::{SampleTime, WINDOW_START};

use fleet::{SampleContainer, SamplePod};
use schedule::Probes;

/// The seed of the samples that the documentation shows.
pub const DEFAULT_SEED: u64 = 20_261_120;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Container log files.
    pub files: usize,
    /// CRI lines in all of them.
    pub lines: usize,
    /// Pods in the pod list.
    pub pods: usize,
    /// Bytes of all log files, without the pod list.
    pub bytes: u64,
}

/// Writes `containers/*.log` and `podlist.json` under `dir`; the same seed gives the same bytes. Files of the
/// same names are replaced, others (the logs of another seed among them) are left alone.
pub fn write(dir: &Path, seed: u64) -> Result<Summary, SamplesError> {
    let samples = generate(seed);
    let containers = dir.join("containers");
    fs::create_dir_all(&containers)
        .map_err(|reason| SamplesError::CreateDir { path: containers.clone(), reason })?;
    for log in &samples.logs {
        write_file(&containers.join(&log.name), &log.bytes)?;
    }
    write_file(&dir.join("podlist.json"), &samples.podlist)?;
    Ok(samples.summary())
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), SamplesError> {
    fs::write(path, bytes).map_err(|reason| SamplesError::WriteFile { path: path.to_owned(), reason })
}

struct LogFile {
    name: String,
    lines: usize,
    bytes: Vec<u8>,
}

struct Samples {
    logs: Vec<LogFile>,
    podlist: Vec<u8>,
    listed_pods: usize,
}

impl Samples {
    fn summary(&self) -> Summary {
        Summary {
            files: self.logs.len(),
            lines: self.logs.iter().map(|log| log.lines).sum(),
            pods: self.listed_pods,
            bytes: self.logs.iter().map(|log| log.bytes.len() as u64).sum(),
        }
    }
}

fn generate(seed: u64) -> Samples {
    let pods = node::pods(seed);
    let mut logs = Vec::new();
    for pod in &pods {
        for container in &pod.containers {
            logs.extend(container_logs(pod, container, seed));
        }
    }
    let listed_pods = pods.iter().filter(|pod| pod.listed).count();
    Samples { logs, podlist: podlist::render(&pods, seed), listed_pods }
}

/// One log file for each life of `container`.
fn container_logs(pod: &SamplePod, container: &SampleContainer, seed: u64) -> Vec<LogFile> {
    let lives = container.runs.iter().zip(&container.ids);
    lives
        .map(|(run, id)| {
            let name = fleet::log_file_name(pod, container, id);
            // The id makes each life of a container a subject of its own.
            let mut dice = Dice::of(seed, &name);
            let mut program = container.kind.start(container.name);
            let probes = Probes::every(container.probe_seconds, *run, &mut dice);
            let log = schedule::record(program.as_mut(), *run, container.lines, probes, &mut dice);
            LogFile { name, lines: log.lines(), bytes: log.into_bytes() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;

    /// Text that only one kind of program writes, or one trap that the samples have to have.
    const MARKS: &[(&str, &str)] = &[
        ("json with trace_id", "\"trace_id\":\""),
        ("json with x-ray ids", "\"xray_trace_id\":\"1-6b001a2"),
        ("json with traceparent", "\"traceparent\":\"00-"),
        ("nginx access log", "\"Mozilla/5.0 (X11; Linux x86_64"),
        ("nginx error log", "[error] 31#31: *"),
        ("envoy access log", "inbound|8080||"),
        ("istio-init", "-A ISTIO_OUTPUT"),
        ("spring", "c.e.shop.CartController "),
        ("java frame", " F \tat org.springframework."),
        ("java cause", " F Caused by: "),
        ("java rest", "\t... 23 more"),
        ("python traceback", "Traceback (most recent call last):"),
        ("python error", "ValueError: could not"),
        ("python chain", "During handling of the above exception, another exception occurred:"),
        ("klog info", " F I1120 10:0"),
        ("klog warning", " F W1120 10:0"),
        ("klog error", " F E1120 10:0"),
        ("etcd", "\"caller\":\"mvcc/"),
        ("istiod", "\tinfo\tads\t"),
        ("coredns", "\"AAAA IN "),
        ("probe", "\"GET /healthz HTTP/1.1\" 200 2 \"-\" \"kube-probe/1.33\""),
        ("plain debug", " DEBUG [engine]"),
        ("logfmt debug", " level=debug "),
        ("go panic", "panic: runtime error"),
        ("goroutine", "goroutine 1 [running]:"),
        ("exit status", "exit status 2"),
        ("logfmt", " level=warn component=\"scrape manager\""),
        ("cron report", "nightly report"),
        ("carriage return", "\rrendering: 100%"),
        ("workflow step", "transformed batch"),
        ("japanese", "こんにちは"),
        ("umlauts", "Grüße"),
        ("right to left", "مرحبا"),
        ("emoji", "🎉"),
        ("json escapes", "caf\\u00e9"),
        ("surrogate escapes", "\\ud83c\\udf89"),
        ("backslash and tab", "WARN\tspool C:\\spool\\"),
        ("syslog", " F <3>Nov 20 10:0"),
        ("partial", "Z stdout P "),
        ("colour", "\u{1b}[32mINF\u{1b}[0m"),
        ("empty line", " stdout F \n"),
        ("blank line", " stdout F    \n"),
    ];

    fn all_text(samples: &Samples) -> String {
        samples.logs.iter().map(|log| str::from_utf8(&log.bytes).expect(&log.name)).collect()
    }

    fn hash(samples: &Samples) -> u64 {
        let parts = samples.logs.iter().flat_map(|log| [log.name.as_bytes(), &log.bytes]);
        parts.chain([&samples.podlist[..]]).flatten().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    #[test]
    fn the_seed_decides_every_byte() {
        assert_eq!(hash(&generate(7)), hash(&generate(7)));
        assert_ne!(hash(&generate(7)), hash(&generate(8)));
    }

    #[test]
    fn sizes_hold_for_any_seed() {
        for seed in [DEFAULT_SEED, 0, 1, u64::MAX] {
            let summary = generate(seed).summary();
            assert!((19_500..=20_500).contains(&summary.lines), "seed {seed}: {summary:?}");
            assert!(summary.bytes <= 5_000_000, "seed {seed}: {summary:?}");
            assert!((25..=35).contains(&summary.files), "seed {seed}: {summary:?}");
        }
    }

    #[test]
    fn every_kind_of_line_is_there() {
        let text = all_text(&generate(DEFAULT_SEED));
        for (what, mark) in MARKS {
            assert!(text.contains(mark), "no {what}");
        }
    }

    #[test]
    fn probes_and_debug_lines_have_their_share() {
        let text = all_text(&generate(DEFAULT_SEED));
        let count = |mark: &str| text.lines().filter(|line| line.contains(mark)).count();
        let all = text.lines().count();
        let probes = count("kube-probe/1.33") * 100 / all;
        assert!((15..=20).contains(&probes), "{probes}");
        let debug = (count(" DEBUG [") + count(" level=debug ")) * 100 / all;
        assert!((18..=22).contains(&debug), "{debug}");
    }

    #[test]
    fn lines_are_cri_and_time_never_runs_back() {
        for log in generate(DEFAULT_SEED).logs {
            let text = str::from_utf8(&log.bytes).expect("a cut must not fall into a character");
            let mut last = "";
            for line in text.strip_suffix('\n').expect("ends with a line feed").split('\n') {
                let [time, stream, flag, content] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else {
                    panic!("{}: {line:?}", log.name);
                };
                assert!(time.len() == 30 && time.ends_with('Z') && time > last, "{}: {time}", log.name);
                assert!(("2026-11-20T10:00".."2026-11-20T10:10:01").contains(&time), "{}: {time}", log.name);
                assert!(stream == "stdout" || stream == "stderr", "{line:?}");
                assert!(flag == "F" || (flag == "P" && content.len() == cri::MAX_CONTENT), "{}", log.name);
                assert!(content.len() <= cri::MAX_CONTENT);
                last = time;
            }
            assert_eq!(text.matches('\n').count(), log.lines);
        }
    }

    #[test]
    fn long_lines_come_in_all_sizes() {
        let text = all_text(&generate(DEFAULT_SEED));
        let (mut size, mut sizes) = (0, Vec::new());
        for line in text.split_terminator('\n') {
            // 30 bytes of time, 6 of stream, one of flag, and the blanks after each.
            let (head, content) = line.split_at(40);
            size += content.len();
            if head.ends_with(" F ") {
                sizes.push(size);
                size = 0;
            }
        }
        assert!(sizes.contains(&200_000));
        assert!(sizes.contains(&cri::MAX_CONTENT), "a line that just fits");
        assert!(sizes.contains(&(cri::MAX_CONTENT + 1)), "a line with one byte too many");
        assert!(sizes.iter().filter(|size| (20_000..=40_000).contains(*size)).count() >= 4);
    }

    #[test]
    fn logs_and_pod_list_agree_but_for_the_planted_gaps() {
        let samples = generate(DEFAULT_SEED);
        let list: Value = serde_json::from_slice(&samples.podlist).expect("the pod list is JSON");
        let (mut known, mut silent) = (HashSet::new(), Vec::new());
        for item in list["items"].as_array().expect("items") {
            let (name, namespace) = (&item["metadata"]["name"], &item["metadata"]["namespace"]);
            let prefix =
                format!("{}_{}_", name.as_str().expect("name"), namespace.as_str().expect("namespace"));
            if !samples.logs.iter().any(|log| log.name.starts_with(&prefix)) {
                silent.push(prefix.clone());
            }
            known.insert(prefix);
        }
        assert_eq!(silent, ["thumbnailer-f8c6d7b95-5x9nl_batch_"]);
        let orphans = samples.logs.iter().filter(|log| !known.iter().any(|pod| log.name.starts_with(pod)));
        let orphans: Vec<_> = orphans.map(|log| log.name.split('_').next()).collect();
        assert_eq!(orphans, [Some("preview-84d7c6f5b9-q9w8d")]);
        assert_eq!(known.len(), samples.summary().pods);
    }

    #[test]
    fn the_crash_loop_has_four_lives_of_which_two_are_known() {
        let samples = generate(DEFAULT_SEED);
        let list = String::from_utf8(samples.podlist).expect("the pod list is UTF-8");
        let lives = samples.logs.iter().filter(|log| log.name.contains("_importer-"));
        let known = lives.map(|log| {
            let id = &log.name[log.name.len() - 68..log.name.len() - 4];
            list.contains(&format!("containerd://{id}"))
        });
        assert_eq!(known.collect::<Vec<_>>(), [false, false, true, true]);
    }

    #[test]
    fn the_long_name_is_cut_to_255_bytes() {
        let samples = generate(DEFAULT_SEED);
        let longest = samples.logs.iter().map(|log| &log.name).max_by_key(|name| name.len()).expect("logs");
        assert_eq!(longest.len(), 255);
        let id = longest.strip_suffix(".log").and_then(|stem| stem.rsplit_once('-')).expect("an id").1;
        assert_eq!(id.len(), 40);
        let list = String::from_utf8(samples.podlist).expect("the pod list is UTF-8");
        let at = list.find(&format!("containerd://{id}")).expect("the whole id is in the pod list");
        assert_eq!(list[at..].split('"').next().map(str::len), Some("containerd://".len() + 64));
    }

    #[test]
    fn what_is_written_is_what_was_generated() {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let dir = temporary.path().join("new");
        let summary = write(&dir, DEFAULT_SEED).expect("the temporary directory is writable");
        let files = fs::read_dir(dir.join("containers")).expect("containers").count();
        assert_eq!(files, summary.files);
        assert!(dir.join("podlist.json").is_file());
        // A file where the folder should be: the error names the path.
        let error = write(&dir.join("podlist.json"), 1).expect_err("a file is no folder");
        assert!(error.to_string().contains("podlist.json/containers"), "{error}");
    }
}
