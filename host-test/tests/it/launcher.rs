//! The image's entry point with a real Fluent Bit: good machine code is taken, and nothing that is wrong with it, with the node or
//! with Fluent Bit keeps the portable module from being loaded instead.
//!
//! Each choice is that of the program as the image has it. Skipped where there is no `fluent-bit` or no `wamrc`.

use crate::{fluent_bit, images, support};
use host_test::artefact;
use host_test::guest::Returned;
use nodesieve_engine::rule_test;
use nodesieve_launcher::{MODULE_VARIABLE, RECORD, RULE, TAG, VARIABLES};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, Permissions};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Answers as Fluent Bit does whose filter works, when it is probed; else tells its module, number and arguments and ends.
const FAKE: &str = r#"
case "$*" in
  *"-i dummy"*) PROBE ;;
  *) echo "ran module=$NODESIEVE_MODULE pid=$$ arguments=$*"; exit 7 ;;
esac
"#;
const GOOD: &str = r#"echo '{"nodesieve":{"rule":"probe"}}'; sleep 60"#;

/// A directory with the launcher's probe, and what it chooses from.
struct Image {
    directory: tempfile::TempDir,
    fluent_bit: PathBuf,
}

impl Image {
    /// With what stands for machine code.
    fn new(fluent_bit: &Path, machine_code: &[u8]) -> Image {
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

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn machine_code(&self) -> String {
        self.at("nodesieve.aot").display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
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
    fn choice(&self, arguments: &[&str]) -> (String, Output) {
        let output = self.command(arguments).output().unwrap();
        (the_line(&output), output)
    }

    /// With a good Fluent Bit and something wrong: the reason why the portable module was loaded.
    #[track_caller]
    fn reason(&self) -> String {
        let (line, output) = self.choice(&["--version"]);
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).starts_with("Fluent Bit v"), "{output:?}");
        let start = format!("nodesieve: load portable module {}: ", support::module().display());
        line.strip_prefix(&start).unwrap_or_else(|| panic!("{line}")).to_owned()
    }
}

/// The one line of the launcher on stderr.
#[track_caller]
fn the_line(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("nodesieve: ")).collect();
    let [line] = lines[..] else { panic!("one line, not {said}") };
    line.to_owned()
}

/// Machine code for this processor, by the Dockerfile's own command.
fn machine_code() -> Option<&'static [u8]> {
    images::machine_code(images::this_architecture())
}

/// A pipeline that says which filter it has and filters one record, and its answer.
fn arguments(probe_dir: &Path) -> Vec<String> {
    let text = format!(
        "-q -f 0.1 -i dummy -t {TAG} -p samples=1 -p rate=50 -p dummy={RECORD} -F wasm -m * -p wasm_path=${{{MODULE_VARIABLE}}} \
         -p function_name=filter -p accessible_paths={} -o stdout -m * -p format=json_lines",
        probe_dir.display()
    );
    text.split(' ').map(str::to_owned).collect()
}

/// Scenario: the shipped probe on good machine code; then Fluent Bit runs with a pipeline and is stopped.
/// Guarantees: machine code is loaded, in the same process, and SIGTERM and exit code are Fluent Bit's own.
#[test]
fn good_machine_code_is_loaded_and_the_process_becomes_fluent_bit() {
    let Some((program, _guard)) = fluent_bit::program() else { return };
    let Some(code) = machine_code() else { return };
    let image = Image::new(&program, code);
    let (line, output) = image.choice(&["--version"]);
    assert!(line.starts_with(&format!("nodesieve: load machine code {}: ", image.machine_code())), "{line}");
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).starts_with("Fluent Bit v"));

    let arguments = arguments(&image.at("probe"));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut child = image.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut answer = [0; 1];
    child.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
    let process = fs::read_link(format!("/proc/{}/exe", child.id())).unwrap();
    assert_eq!(process, program.canonicalize().unwrap());
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains(&format!("\"rule\":\"{RULE}\"")), "{output:?}");

    let refused = image.command(&["-i", "no-such-input"]).output().unwrap();
    let alone = Command::new(&program).args(["-i", "no-such-input"]).output().unwrap();
    assert!(alone.status.code() != Some(0) && alone.status.code() == refused.status.code());
}

/// Guarantees: a file that is missing, or that Fluent Bit refuses or dies of, is not loaded, and the reason is told.
#[test]
fn bad_machine_code_is_told_and_not_loaded() {
    let Some((program, _guard)) = fluent_bit::program() else { return };
    let image = Image::new(&program, b"");
    assert_eq!(
        image.reason(),
        format!(
            "read machine code {}: it does not begin as WAMR's compiler begins its files",
            image.machine_code()
        )
    );
    fs::remove_file(image.machine_code()).unwrap();
    let reason = image.reason();
    assert!(
        reason.starts_with(&format!("read machine code {}: No such file", image.machine_code())),
        "{reason}"
    );
    // Interpreted, the portable module would answer as well.
    for content in [fs::read(support::module()).unwrap(), b"garbage, no module of any kind".to_vec()] {
        assert!(Image::new(&program, &content).reason().contains("does not begin as WAMR's compiler"));
    }
    let refused = |content: &[u8]| {
        let image = Image::new(&program, content);
        let reason = image.reason();
        let start = format!("probe machine code {}: Fluent Bit ended with ", image.machine_code());
        eprintln!("{reason}");
        reason.strip_prefix(&start).unwrap_or_else(|| panic!("{reason}")).to_owned()
    };
    let garbage = refused(&[b"\0aot\x05\0\0\0".as_slice(), &[0xab; 4096]].concat());
    assert!(garbage.contains("Load wasm module failed"), "{garbage}");

    let Some(code) = machine_code() else { return };
    let mut other_version = code.to_vec();
    other_version[4] += 1;
    let reason = refused(&other_version);
    assert!(reason.contains("unknown binary version"), "{reason}");
    for part in [8, 100, code.len() / 3, code.len() / 2, code.len() - 100, code.len() - 1] {
        refused(&code[..part]);
    }
    let other = match images::this_architecture() {
        "amd64" => "arm64",
        _ => "amd64",
    };
    let Some(other) = images::machine_code(other) else { return };
    let reason = refused(other);
    assert!(reason.contains("Load wasm module failed. error: AOT module load failed"), "{reason}");
    // Instructions that no processor knows, and one that only the kernel may use.
    let (unknown, forbidden) =
        if cfg!(target_arch = "x86_64") { ([0x0f, 0x0b], Some([0xf4; 2])) } else { ([0; 2], None) };
    assert_eq!(refused(&with_instructions(code, unknown)), "signal SIGILL");
    if let Some(forbidden) = forbidden {
        assert_eq!(refused(&with_instructions(code, forbidden)), "signal SIGABRT: caught signal (SIGSEGV)");
    }
    assert!(!Path::new("core").exists(), "a core file was left behind");
}

/// The same with this in the place of all instructions.
fn with_instructions(code: &[u8], instructions: [u8; 2]) -> Vec<u8> {
    let mut code = code.to_vec();
    const TEXT: u32 = 2;
    let number = |code: &[u8], at: usize| u32::from_le_bytes(code[at..at + 4].try_into().unwrap());
    let mut at = 8;
    while number(&code, at) != TEXT {
        // Sections begin at multiples of four.
        at = (at + 8 + number(&code, at + 4) as usize).next_multiple_of(4);
    }
    let end = at + 8 + number(&code, at + 4) as usize;
    let start = at + 12 + number(&code, at + 8) as usize;
    for (index, byte) in code[start..end].iter_mut().enumerate() {
        *byte = instructions[index % 2];
    }
    code
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
        ("sleep 60", "no answer in 500ms"),
        ("exec 2>&- >&-; sleep 60", "no answer in 500ms"),
        ("(sleep 60) & exit 3", "Fluent Bit ended with exit code 3"),
        ("echo '{\"log\":\"untouched\"}'; sleep 60", "the filter did not answer as it should"),
        ("while :; do echo x; echo y >&2; done", "no answer in 500ms: y"),
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
                "nodesieve: load portable module {module}: probe machine code {}: {expected}",
                image.machine_code()
            ),
            "{probe}"
        );
        let ran = format!("ran module={module} pid={process} arguments=-c a b $HOME\n");
        assert_eq!(String::from_utf8_lossy(&output.stdout), ran, "{probe}");
        assert_eq!(output.status.code(), Some(7), "{probe}");
        assert!(started.elapsed() < Duration::from_secs(20), "{probe}: {:?}", started.elapsed());
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
        "nodesieve: read NODESIEVE_PROBE_TIMEOUT=soon: ",
        "nodesieve: load portable module ",
        "nodesieve: run /nonexistent/fluent-bit: ",
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
    assert_eq!(the_line(&output), "nodesieve: load /mine.wasm: NODESIEVE_MODULE says so");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("ran module=/mine.wasm pid="));
    // An empty one says nothing.
    let output = Image::faked(GOOD).command(&["-V"]).env(MODULE_VARIABLE, "").output().unwrap();
    assert!(the_line(&output).starts_with("nodesieve: load machine code "), "{output:?}");
}

/// Guarantees: a container that is stopped while the probe runs ends at once, and starts nothing.
#[test]
fn sigterm_during_the_probe_is_the_end() {
    let image = Image::faked("echo > probed; exec sleep 60");
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
        assert!(started.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.status.signal()), (Some(143), None));
    assert!(
        output.stdout.is_empty() && the_line(&output).ends_with("told to end by signal 15"),
        "{output:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(20));
}

/// Scenario: the image as a pod has it: not one directory that can be written to, temporary ones included.
/// Guarantees: machine code is taken all the same.
#[test]
fn nothing_has_to_be_writable() {
    let Some((program, _guard)) = fluent_bit::program() else { return };
    let Some(code) = machine_code() else { return };
    let image = Image::new(&program, code);
    // The superuser may write anywhere but on a file system that is mounted read-only, as /proc is in effect.
    let mut command = image.command(&["--version"]);
    let output = command.current_dir("/proc/self").env("TMPDIR", "/nonexistent").output().unwrap();
    assert!(the_line(&output).starts_with("nodesieve: load machine code "), "{output:?}");
    let left = |name: &str| fs::read_dir(image.at(name)).unwrap().count();
    assert_eq!((left(""), left("probe")), (2, 1), "the probe has written something");
}

/// Guarantees: the probe's rule file loads without a warning, and the portable module, called as Fluent Bit calls it, gives the
/// answer that the launcher asks of the machine code.
#[test]
fn the_portable_module_passes_the_same_probe() {
    let source = fs::read_to_string(support::conf().join("probe/nodesieve.yaml")).unwrap();
    let loaded = rule_test::load_explained(&source).unwrap();
    assert_eq!(loaded.warnings, []);
    let (mut guest, _tree) = support::start(&source);
    let Returned::Kept(answer) = guest.filter(TAG.as_bytes(), (1_763_632_800, 0), RECORD.as_bytes()) else {
        panic!("a record")
    };
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains(&format!("\"rule\":\"{RULE}\"")), "{answer}");
}

/// Prints what the page about machine code tells: how long the probe takes, and the size of the program.
#[test]
fn it_is_small_static_and_quick() {
    let program = artefact::launcher().unwrap();
    let file = fs::read(&program).unwrap();
    assert!(file.len() < 600_000, "{} bytes", file.len());
    // The path of a dynamic loader is nowhere in it.
    let has = |text: &[u8]| file.windows(text.len()).any(|window| window == text);
    assert_eq!(artefact::is_static(&program), !has(b"/ld-linux") && !has(b"/ld-musl"));
    eprintln!("{} bytes of program", file.len());
    let Some((fluent_bit, _guard)) = fluent_bit::program() else { return };
    let Some(code) = machine_code() else { return };
    let image = Image::new(&fluent_bit, code);
    let mut took: Vec<u64> = (0..9)
        .map(|_| {
            let line = image.choice(&["--version"]).0;
            line.split(' ').rev().nth(1).unwrap().parse().unwrap_or_else(|_| panic!("{line}"))
        })
        .collect();
    took.sort_unstable();
    eprintln!("the probe took {} ms, at most {} ms", took[4], took[8]);
    assert!(took[4] < 1000, "{took:?}");
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
