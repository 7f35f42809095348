//! What the filter does besides filtering: rules and pod files are read, metrics are written.
//!
//! There is no timer and no last call. A `dummy` input with the tag [`TICK_TAG`] is the clock; without it the chores
//! ride on ordinary records, at most once a second. Nothing here can lose a record: a file that is missing, broken or
//! on a full disk changes a counter and nothing else.

use nodesieve_engine::config::{self, RuleFile};
use nodesieve_engine::diag::{Paint, render_all};
use nodesieve_engine::engine::{Answer, Engine, Input};
use nodesieve_engine::metrics::Metric;
use nodesieve_engine::pods::{MAX_FILE_BYTES, PodSource, Unavailable};
use nodesieve_engine::time::Now;
use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The tag of the input that is our clock.
pub(crate) const TICK_TAG: &[u8] = b"nodesieve.tick";
/// The rule file, in the first directory of `accessible_paths` that has it.
const RULE_FILE: &str = "nodesieve.yaml";
/// How often chores are done without a tick input.
const CHORES_EVERY: Duration = Duration::from_secs(1);
/// Largest rule file, in bytes: a ConfigMap holds 1 MiB at most.
const MAX_RULE_BYTES: u64 = 1 << 20;

/// A filter with its files.
pub(crate) struct Host {
    engine: Engine,
    /// What the filter can see at all.
    directories: Vec<PathBuf>,
    rule_file: Option<PathBuf>,
    /// What the rule file looked like when it was last read.
    stamp: Option<Stamp>,
    pods: PodDirectory,
    chores_done: Option<Now>,
    metrics_written: Option<Now>,
}

/// What tells one content of a file from the next without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl Host {
    /// A filter that finds its rules in the first of `directories` that holds a rule file.
    pub(crate) fn start(directories: &[PathBuf], seed: u64) -> Host {
        let rule_file =
            directories.iter().map(|directory| directory.join(RULE_FILE)).find(|path| path.exists());
        let rules = RuleFile::default();
        let pods = PodDirectory(PathBuf::from(&rules.pods.dir));
        let mut host = Host {
            engine: Engine::new(rules, seed),
            directories: directories.to_vec(),
            rule_file,
            stamp: None,
            pods,
            chores_done: None,
            metrics_written: None,
        };
        match &host.rule_file {
            Some(_) => host.reload(),
            None => {
                let places: Vec<_> =
                    directories.iter().map(|directory| directory.display().to_string()).collect();
                let places = places.join(", ");
                say(&format!(
                    "nodesieve: find {RULE_FILE}: in none of the accessible paths ({places}); all is kept\n"
                ));
            }
        }
        host
    }

    /// Decides one record and does the chores that are due. A tick answers [`Answer::Drop`] and is not counted.
    pub(crate) fn filter(&mut self, input: Input<'_>, now: Now, out: &mut Vec<u8>) -> Answer {
        if input.tag == TICK_TAG {
            self.engine.counters_mut().add(Metric::Ticks, 1);
            self.engine.counters_mut().set(Metric::TickSeen, 1);
            self.chores(now);
            out.clear();
            return Answer::Drop;
        }
        let has_tick = self.engine.counters().get(Metric::TickSeen) == 1;
        if !has_tick && is_due(self.chores_done, now, CHORES_EVERY) {
            self.chores(now);
        }
        self.engine.filter(input, now, &mut self.pods, out).0
    }

    /// Counts a record that never reached the engine.
    pub(crate) fn count_untouched(&mut self, fault: Metric, bytes_in: usize, bytes_out: usize) {
        self.engine.count_untouched(fault, bytes_in, bytes_out);
    }

    /// From now on records pass untouched: an earlier call never returned.
    pub(crate) fn note_pass_through(&mut self) {
        self.engine.counters_mut().set(Metric::PassThrough, 1);
    }

    /// Reads changed rules and writes metrics, each when it is due.
    pub(crate) fn chores(&mut self, now: Now) {
        self.chores_done = Some(now);
        if self.rule_file.is_none() {
            self.rule_file = find_rules(&self.directories);
        }
        match self.rule_file.as_deref().and_then(stamp) {
            // The rules stay in force; when the file comes back, it is read.
            None => {
                self.stamp = None;
                self.engine.counters_mut().set(Metric::ConfigValid, 0);
            }
            on_disk if on_disk != self.stamp => self.reload(),
            Some(_) => {}
        }
        self.write_metrics_when_due(now);
    }

    /// Writes the metrics file if the last time was long enough ago.
    pub(crate) fn write_metrics_when_due(&mut self, now: Now) {
        if is_due(self.metrics_written, now, self.engine.rules().metrics.every) {
            self.metrics_written = Some(now);
            self.write_metrics();
        }
    }

    fn reload(&mut self) {
        let Some(path) = self.rule_file.clone() else { return };
        self.stamp = stamp(&path);
        let is_first = self.engine.counters().get(Metric::Reloads) == 0;
        let kept =
            if is_first { "all is kept until it is mended" } else { "the rules before it stay in force" };
        let outcome = match read_rules(&path) {
            Err(error) => Err(format!("nodesieve: read {}: {error}; {kept}", path.display())),
            Ok(source) => match config::load(&source) {
                Ok(loaded) => {
                    if !loaded.warnings.is_empty() {
                        say(&render_all(
                            &loaded.warnings,
                            &source,
                            &path.display().to_string(),
                            Paint::Plain,
                        ));
                    }
                    Ok(loaded.rules)
                }
                Err(mistakes) => {
                    let shown = render_all(&mistakes, &source, &path.display().to_string(), Paint::Plain);
                    Err(format!(
                        "{shown}nodesieve: load {}: {} mistakes; {kept}",
                        path.display(),
                        mistakes.len()
                    ))
                }
            },
        };
        let counters = self.engine.counters_mut();
        match outcome {
            Ok(rules) => {
                counters.add(Metric::Reloads, 1);
                counters.set(Metric::ConfigValid, 1);
                for path in self.unreachable_paths(&rules) {
                    say(&format!("nodesieve: reach {path}: it lies under none of the accessible paths\n"));
                }
                self.pods = PodDirectory(PathBuf::from(&rules.pods.dir));
                self.engine.replace_rules(rules);
            }
            Err(message) => {
                counters.add(Metric::ReloadsRefused, 1);
                counters.set(Metric::ConfigValid, 0);
                say(&format!("{message}\n"));
            }
        }
    }

    /// Paths of a rule file that the filter can never open.
    fn unreachable_paths<'r>(&self, rules: &'r RuleFile) -> Vec<&'r str> {
        let is_visible =
            |path: &&str| self.directories.iter().any(|directory| Path::new(path).starts_with(directory));
        let paths = [rules.pods.dir.as_str(), rules.metrics.file.as_str()];
        paths.into_iter().filter(|path| !is_visible(path)).collect()
    }

    fn write_metrics(&mut self) {
        let text = self.engine.render_metrics(env!("CARGO_PKG_VERSION"));
        let path = PathBuf::from(&self.engine.rules().metrics.file);
        if write_whole(&path, text.as_bytes()).is_err() {
            self.engine.counters_mut().add(Metric::MetricsFailed, 1);
        }
    }
}

/// The directory that the sidecar fills.
struct PodDirectory(PathBuf);

impl PodSource for PodDirectory {
    fn read(&mut self, file_name: &str, into: &mut Vec<u8>) -> Result<(), Unavailable> {
        let file = File::open(self.0.join(file_name)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Unavailable::Missing,
            _ => Unavailable::Unreadable,
        })?;
        // One byte more than allowed is enough for the decoder to refuse the file.
        let limit = (MAX_FILE_BYTES as u64).saturating_add(1);
        file.take(limit).read_to_end(into).map(drop).map_err(|_| Unavailable::Unreadable)
    }
}

fn is_due(last: Option<Now>, now: Now, every: Duration) -> bool {
    // A clock that went back makes the chore due: waiting for it to catch up could take for ever.
    last.is_none_or(|last| now.since(last).is_none_or(|elapsed| elapsed >= every))
}

fn stamp(path: &Path) -> Option<Stamp> {
    let of = |metadata: Metadata| Stamp { modified: metadata.modified().ok(), bytes: metadata.len() };
    fs::metadata(path).ok().map(of)
}

fn find_rules(directories: &[PathBuf]) -> Option<PathBuf> {
    directories.iter().map(|directory| directory.join(RULE_FILE)).find(|path| path.exists())
}

fn read_rules(path: &Path) -> std::io::Result<String> {
    let mut source = String::new();
    File::open(path)?.take(MAX_RULE_BYTES.saturating_add(1)).read_to_string(&mut source)?;
    if source.len() as u64 > MAX_RULE_BYTES {
        return Err(std::io::Error::new(
            ErrorKind::FileTooLarge,
            format!("larger than {MAX_RULE_BYTES} bytes"),
        ));
    }
    Ok(source)
}

/// Writes to Fluent Bit's log, which may be a full disk or a closed pipe: `eprintln` would end the filter there.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Writes beside the file and renames, so that a reader never sees half of it.
fn write_whole(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, content)?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodesieve_engine::time::EventTime;

    /// A directory of its own for each test, removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path = std::env::temp_dir().join(format!("nodesieve-host-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(path.join("pods")).unwrap();
            Scratch(path)
        }

        fn rules(&self, rules: &str) -> String {
            let root = self.0.display();
            format!(
                "version: 1\npods: {{ dir: {root}/pods }}\nmetrics: {{ file: {root}/metrics.prom }}\n{rules}"
            )
        }

        fn put(&self, name: &str, content: &str) {
            fs::write(self.0.join(name), content).unwrap();
        }

        fn metric(&self, name: &str) -> String {
            let text = fs::read_to_string(self.0.join("metrics.prom")).unwrap();
            let line = text.lines().find(|line| line.split([' ', '{']).next() == Some(name)).unwrap();
            line.rsplit(' ').next().unwrap().to_owned()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const DROP_NOISE: &str = "rules: [{ name: noise, when: { message: noise }, drop: {}, reason: test }]\n";

    fn feed(host: &mut Host, tag: &str, text: &str, second: u64) -> Answer {
        let input = Input { tag: tag.as_bytes(), time: EventTime::default(), text: text.as_bytes() };
        host.filter(input, Now(second * 1_000_000_000), &mut Vec::new())
    }

    const NOISE: &str = r#"{"log":"noise"}"#;

    #[test]
    fn rules_change_when_their_file_does_and_stay_when_the_new_one_is_bad() {
        let scratch = Scratch::new("reload");
        scratch.put("nodesieve.yaml", &scratch.rules(DROP_NOISE));
        let mut host = Host::start(&[PathBuf::from("/nonexistent"), scratch.0.clone()], 1);
        assert_eq!(feed(&mut host, "t", NOISE, 100), Answer::Drop);

        scratch.put("nodesieve.yaml", &scratch.rules("rules: [{ nmae: x }]\n"));
        assert_eq!(feed(&mut host, "nodesieve.tick", "{}", 110), Answer::Drop);
        assert_eq!(feed(&mut host, "t", NOISE, 110), Answer::Drop, "the old rules stay");
        assert_eq!(scratch.metric("nodesieve_config_valid"), "0");
        assert_eq!(scratch.metric("nodesieve_reloads_refused_total"), "1");

        scratch.put("nodesieve.yaml", &scratch.rules("rules: []\n"));
        feed(&mut host, "nodesieve.tick", "{}", 120);
        assert_eq!(feed(&mut host, "t", NOISE, 120), Answer::Keep);
        assert_eq!(scratch.metric("nodesieve_config_valid"), "1");
        assert_eq!(scratch.metric("nodesieve_ticks_total"), "2");
    }

    #[test]
    fn a_config_map_swap_of_symlinks_takes_effect() {
        let scratch = Scratch::new("symlink");
        for (version, rules) in [("v1", DROP_NOISE), ("v2", "rules: []\n# changed\n")] {
            fs::create_dir_all(scratch.0.join(version)).unwrap();
            fs::write(scratch.0.join(version).join("nodesieve.yaml"), scratch.rules(rules)).unwrap();
        }
        std::os::unix::fs::symlink("v1", scratch.0.join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/nodesieve.yaml", scratch.0.join("nodesieve.yaml")).unwrap();
        let mut host = Host::start(std::slice::from_ref(&scratch.0), 1);
        assert_eq!(feed(&mut host, "t", NOISE, 100), Answer::Drop);
        std::os::unix::fs::symlink("v2", scratch.0.join("..data_tmp")).unwrap();
        fs::rename(scratch.0.join("..data_tmp"), scratch.0.join("..data")).unwrap();
        assert_eq!(feed(&mut host, "t", NOISE, 102), Answer::Keep);
    }

    #[test]
    fn without_rules_all_is_kept_and_said() {
        let scratch = Scratch::new("none");
        let mut host = Host::start(std::slice::from_ref(&scratch.0), 1);
        assert_eq!(feed(&mut host, "t", NOISE, 100), Answer::Keep);
        scratch.put("nodesieve.yaml", "version: 2\n");
        let mut host = Host::start(std::slice::from_ref(&scratch.0), 1);
        assert_eq!(feed(&mut host, "t", NOISE, 100), Answer::Keep);
        assert_eq!(host.engine.counters().get(Metric::ConfigValid), 0);
    }

    #[test]
    fn a_rule_file_that_comes_later_is_found_and_one_that_goes_is_missed() {
        let scratch = Scratch::new("late");
        let mut host = Host::start(std::slice::from_ref(&scratch.0), 1);
        assert_eq!(feed(&mut host, "t", NOISE, 100), Answer::Keep);
        scratch.put("nodesieve.yaml", &scratch.rules(DROP_NOISE));
        feed(&mut host, "nodesieve.tick", "{}", 101);
        assert_eq!(feed(&mut host, "t", NOISE, 101), Answer::Drop);
        fs::remove_file(scratch.0.join("nodesieve.yaml")).unwrap();
        feed(&mut host, "nodesieve.tick", "{}", 102);
        assert_eq!(host.engine.counters().get(Metric::ConfigValid), 0);
        assert_eq!(feed(&mut host, "t", NOISE, 102), Answer::Drop, "the rules stay");
    }

    #[test]
    fn a_rule_file_that_is_too_large_is_refused_and_not_cut() {
        let scratch = Scratch::new("large");
        scratch.put("nodesieve.yaml", &format!("{}#{}\n", scratch.rules(""), "x".repeat(1 << 20)));
        let host = Host::start(std::slice::from_ref(&scratch.0), 1);
        assert_eq!(host.engine.counters().get(Metric::ConfigValid), 0);
    }

    #[test]
    fn chores_ride_on_records_when_there_is_no_tick() {
        let scratch = Scratch::new("tickless");
        scratch.put("nodesieve.yaml", &scratch.rules(""));
        let mut host = Host::start(std::slice::from_ref(&scratch.0), 1);
        feed(&mut host, "t", NOISE, 100);
        assert_eq!(scratch.metric("nodesieve_tick_seen"), "0");
        fs::remove_file(scratch.0.join("metrics.prom")).unwrap();
        feed(&mut host, "t", NOISE, 105);
        assert!(!scratch.0.join("metrics.prom").exists(), "written every 10 s only");
        feed(&mut host, "t", NOISE, 110);
        // The chores come before the record they ride on.
        assert_eq!(scratch.metric("nodesieve_records_seen_total"), "2");
    }

    #[test]
    fn metrics_that_cannot_be_written_are_counted_and_cost_no_record() {
        let scratch = Scratch::new("full");
        scratch.put("nodesieve.yaml", "version: 1\nmetrics: { file: /nonexistent/metrics.prom }\n");
        let mut host = Host::start(std::slice::from_ref(&scratch.0), 1);
        assert_eq!(feed(&mut host, "t", NOISE, 100), Answer::Keep);
        assert_eq!(host.engine.counters().get(Metric::MetricsFailed), 1);
    }

    #[test]
    fn paths_that_the_filter_cannot_see_are_named() {
        let scratch = Scratch::new("paths");
        scratch.put("nodesieve.yaml", &scratch.rules(""));
        let host = Host::start(std::slice::from_ref(&scratch.0), 1);
        assert_eq!(host.unreachable_paths(host.engine.rules()), Vec::<&str>::new());
        let unseen = RuleFile::default();
        assert_eq!(host.unreachable_paths(&unseen), ["/run/nodesieve/pods", "/run/nodesieve/metrics.prom"]);
    }

    #[test]
    fn pod_files_are_read_with_a_limit() {
        let scratch = Scratch::new("pods");
        let mut pods = PodDirectory(scratch.0.join("pods"));
        let mut content = Vec::new();
        assert_eq!(pods.read("n_p.json", &mut content), Err(Unavailable::Missing));
        fs::write(scratch.0.join("pods/n_p.json"), vec![b' '; MAX_FILE_BYTES * 2]).unwrap();
        assert_eq!(pods.read("n_p.json", &mut content), Ok(()));
        assert_eq!(content.len(), MAX_FILE_BYTES + 1);
        fs::create_dir(scratch.0.join("pods/n_d.json")).unwrap();
        assert_eq!(pods.read("n_d.json", &mut Vec::new()), Err(Unavailable::Unreadable));
    }
}
