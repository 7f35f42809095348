//! Machine code through the image's entry point and a real Fluent Bit: good code is loaded, code that is wrong, or that the node
//! cannot run, is told and not loaded. That both forms decide alike is in `fluent_bit.rs`.
//!
//! Skipped where there is no `fluent-bit` or no `wamrc`.

use crate::launcher::{Image, the_line};
use crate::{fluent_bit, images, support};
use host_test::artefact;
use host_test::guest::Returned;
use nodesieve_engine::rule_test;
use nodesieve_launcher::{MODULE_VARIABLE, RECORD, RULE, TAG};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

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
    let Some(program) = fluent_bit::program() else { return };
    let Some(code) = machine_code() else { return };
    let image = Image::new(&program, code);
    let (line, output) = image.choice(&["--version"]);
    assert!(
        line.starts_with(&format!("nodesieve-launcher: load machine code {}: ", image.machine_code())),
        "{line}"
    );
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
    let Some(program) = fluent_bit::program() else { return };
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

/// Scenario: the kernel lets no memory of the process become executable, as SELinux's `deny_execmem` does (`PR_SET_MDWE`, Linux
/// 6.3).
/// Guarantees: Fluent Bit refuses the machine code, and filters with the portable module.
#[test]
fn where_no_memory_may_become_executable_the_portable_module_filters() {
    const DENIED: &str = "import ctypes, os, sys\n\
                          if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0: sys.exit(99)\n\
                          os.execv(sys.argv[1], sys.argv[1:])";
    let Some(program) = fluent_bit::program() else { return };
    let Some(code) = machine_code() else { return };
    let image = Image::new(&program, code);
    let is_there = Command::new("python3").args(["-c", DENIED, "/bin/true"]).status();
    if !is_there.is_ok_and(|status| status.success()) {
        crate::support::skip("mdwe", "no python3, or a kernel without PR_SET_MDWE");
        return;
    }
    let plain = image.command(&[]);
    let mut command = Command::new("python3");
    command.args(["-c", DENIED]).arg(plain.get_program()).args(arguments(&image.at("probe")));
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut answer = [0; 1];
    child.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let reason = "Load wasm module failed. error: AOT module load failed: allocate memory failed";
    assert!(the_line(&output).ends_with(reason), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains(&format!("\"rule\":\"{RULE}\"")), "{output:?}");
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

/// Scenario: the image as a pod has it: not one directory that can be written to, temporary ones included.
/// Guarantees: machine code is taken all the same.
#[test]
fn nothing_has_to_be_writable() {
    let Some(program) = fluent_bit::program() else { return };
    let Some(code) = machine_code() else { return };
    let image = Image::new(&program, code);
    // The superuser may write anywhere but on a file system that is mounted read-only, as /proc is in effect.
    let mut command = image.command(&["--version"]);
    let output = command.current_dir("/proc/self").env("TMPDIR", "/nonexistent").output().unwrap();
    assert!(the_line(&output).starts_with("nodesieve-launcher: load machine code "), "{output:?}");
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
    let Some(fluent_bit) = fluent_bit::program() else { return };
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
