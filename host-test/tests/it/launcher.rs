//! The image's entry point with a Fluent Bit that is a shell script: nothing that it does, and nothing that is wrong with the
//! launcher's surroundings, keeps the portable module from being loaded. With a real one: `machine_code.rs`.
//!
//! What runs is the program as the image has it.

use crate::support;
use host_test::artefact;
use nodesieve_launcher::{MODULE_VARIABLE, VARIABLES};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Less than what a probe sleeps for, and more than any machine needs.
const LONG: Duration = Duration::from_secs(600);

/// Answers as Fluent Bit does whose filter works, when it is probed; else tells its module, number and arguments and ends.
const FAKE: &str = r#"
case "$*" in
  *"-i dummy"*) PROBE ;;
  *) echo "ran module=$NODESIEVE_MODULE pid=$$ arguments=$*"; exit 7 ;;
esac
"#;
const GOOD: &str = r#"echo '{"nodesieve":{"rule":"probe"}}'; sleep 900"#;

/// A directory with the launcher's probe, and what it chooses from.
pub(crate) struct Image {
    directory: tempfile::TempDir,
    fluent_bit: PathBuf,
}

impl Image {
    /// With what stands for machine code.
    pub(crate) fn new(fluent_bit: &Path, machine_code: &[u8]) -> Image {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("probe")).unwrap();
        let rules = support::conf().join("probe/nodesieve.yaml");
        fs::copy(rules, directory.path().join("probe/nodesieve.yaml")).unwrap();
        fs::write(directory.path().join("nodesieve.aot"), machine_code).unwrap();
        Image { directory, fluent_bit: fluent_bit.to_owned() }
    }

    /// With a shell script for a Fluent Bit, which does this when it is probed.
    fn faked(probe: &str) -> Image {
        let mut image = Image::new(Path::new(""), b"\0aot");
        image.fluent_bit = image.at("fluent-bit");
        // Written under another name: a file that is open for writing in any process cannot be run.
        let written = image.at("script");
        fs::write(&written, format!("#!/bin/sh{}", FAKE.replace("PROBE", probe))).unwrap();
        fs::set_permissions(&written, Permissions::from_mode(0o755)).unwrap();
        fs::rename(written, &image.fluent_bit).unwrap();
        image
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn machine_code(&self) -> String {
        self.at("nodesieve.aot").display().to_string()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(artefact::launcher().unwrap());
        command
            .args(arguments)
            .env_remove(MODULE_VARIABLE)
            .env("NODESIEVE_PORTABLE_MODULE", support::module())
            .env("NODESIEVE_MACHINE_CODE", self.at("nodesieve.aot"))
            .env("NODESIEVE_PROBE_DIR", self.at("probe"))
            .env("NODESIEVE_FLUENT_BIT", &self.fluent_bit)
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end; what it said of its choice, one line.
    pub(crate) fn choice(&self, arguments: &[&str]) -> (String, Output) {
        let output = self.command(arguments).output().unwrap();
        (the_line(&output), output)
    }

    /// With a good Fluent Bit and something wrong: the reason why the portable module was loaded.
    #[track_caller]
    pub(crate) fn reason(&self) -> String {
        let (line, output) = self.choice(&["--version"]);
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).starts_with("Fluent Bit v"), "{output:?}");
        let start = format!("nodesieve-launcher: load portable module {}: ", support::module().display());
        line.strip_prefix(&start).unwrap_or_else(|| panic!("{line}")).to_owned()
    }
}

/// The one line of the launcher on stderr.
#[track_caller]
pub(crate) fn the_line(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("nodesieve-launcher: ")).collect();
    let [line] = lines[..] else { panic!("one line, not {said}") };
    line.to_owned()
}

/// Guarantees: whatever a Fluent Bit does when it is probed, it is then run with the portable module, at once or after the time
/// limit, in the same process, with the arguments that were given.
#[test]
fn a_probe_that_fails_in_any_way_ends_in_the_portable_module() {
    let cases = [
        ("kill -SEGV $$", "Fluent Bit ended with signal SIGSEGV"),
        ("kill -ILL $$", "Fluent Bit ended with signal SIGILL"),
        ("echo '[x] [error] no such thing' >&2; exit 1", "Fluent Bit ended with exit code 1: no such thing"),
        ("exit 0", "Fluent Bit ended with exit code 0"),
        ("sleep 900", "no answer in 500ms"),
        ("exec 2>&- >&-; sleep 900", "no answer in 500ms"),
        ("(sleep 900) & exit 3", "Fluent Bit ended with exit code 3"),
        ("echo '{\"log\":\"untouched\"}'; sleep 900", "the filter did not answer as it should"),
        ("echo y >&2; exec yes", "no answer in 500ms: y"),
    ];
    for (probe, expected) in cases {
        let image = Image::faked(probe);
        let started = Instant::now();
        let mut command = image.command(&["-c", "a b", "$HOME"]);
        let child = command
            .env("NODESIEVE_PROBE_TIMEOUT", "500ms")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let process = child.id();
        let output = child.wait_with_output().unwrap();
        let module = support::module().display().to_string();
        assert_eq!(
            the_line(&output),
            format!(
                "nodesieve-launcher: load portable module {module}: probe machine code {}: {expected}",
                image.machine_code()
            ),
            "{probe}"
        );
        let ran = format!("ran module={module} pid={process} arguments=-c a b $HOME\n");
        assert_eq!(String::from_utf8_lossy(&output.stdout), ran, "{probe}");
        assert_eq!(output.status.code(), Some(7), "{probe}");
        assert!(started.elapsed() < LONG, "{probe}: {:?}", started.elapsed());
    }
}

/// Guarantees: a program that cannot be run is said, with the exit code of a shell, and so is a time limit that is none.
#[test]
fn a_fluent_bit_that_is_not_there_is_exit_code_127() {
    let image = Image::new(Path::new("/nonexistent/fluent-bit"), b"\0aot");
    let output = image.command(&[]).env("NODESIEVE_PROBE_TIMEOUT", "soon").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    let starts = [
        "nodesieve-launcher: read NODESIEVE_PROBE_TIMEOUT=soon: ",
        "nodesieve-launcher: load portable module ",
        "nodesieve-launcher: run /nonexistent/fluent-bit: ",
    ];
    assert_eq!(lines.len(), starts.len(), "{said}");
    assert!(lines.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{said}");
    assert!(lines[1].contains(": start probe /nonexistent/fluent-bit: "), "{said}");
    assert_eq!(output.status.code(), Some(127));
}

#[test]
fn a_module_that_is_named_is_loaded_without_a_probe() {
    let image = Image::faked("exit 99");
    let output = image.command(&["-V"]).env(MODULE_VARIABLE, "/mine.wasm").output().unwrap();
    assert_eq!(the_line(&output), "nodesieve-launcher: load /mine.wasm: NODESIEVE_MODULE says so");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("ran module=/mine.wasm pid="));
    // An empty one says nothing.
    let output = Image::faked(GOOD).command(&["-V"]).env(MODULE_VARIABLE, "").output().unwrap();
    assert!(the_line(&output).starts_with("nodesieve-launcher: load machine code "), "{output:?}");
}

/// Guarantees: a container that is stopped while the probe runs ends at once, and starts nothing.
#[test]
fn sigterm_during_the_probe_is_the_end() {
    let image = Image::faked("echo > probed; exec sleep 900");
    let mut command = image.command(&[]);
    let child = command
        .env("NODESIEVE_PROBE_TIMEOUT", "50s")
        .current_dir(image.directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !image.at("probed").exists() {
        assert!(started.elapsed() < LONG);
        thread::sleep(Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.status.signal()), (Some(143), None));
    assert!(
        output.stdout.is_empty() && the_line(&output).ends_with("told to end by signal 15"),
        "{output:?}"
    );
}

/// The page repeats the table of the code.
#[test]
fn the_page_repeats_the_variables() {
    let page = fs::read_to_string(support::conf().join("../docs/machine-code.md")).unwrap();
    for variable in VARIABLES {
        let default = match variable.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let row = format!("| `{}` | {default} | {} |", variable.name, variable.meaning);
        assert!(page.contains(&row), "the page lacks the row\n{row}");
    }
}
