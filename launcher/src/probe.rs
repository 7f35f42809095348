//! One Fluent Bit that filters one record with the machine code, and ends with the answer.
//!
//! It exists because nothing but running the machine code tells whether it runs: the runtime checks its own version and the
//! architecture, not the processor's instructions. The rule it keeps: whatever the process does or leaves undone, the probe is
//! over after its time limit, and the process with it. It needs no file of its own (the root file system may be read-only): the
//! pipeline is on the command line.

use crate::LaunchError;
use crate::evidence::{ProbeAnswer, RECORD, Said, TAG, add};
use crate::settings::LauncherSettings;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// What WAMR's compiler begins its files with.
const MAGIC: [u8; 4] = *b"\0aot";
/// Between two looks at the process while it says nothing.
const POLL: Duration = Duration::from_millis(5);
/// How many reads may wait to be looked at: a probe that never stops talking has to wait too.
const WAITING: usize = 16;
/// How long the last words and the end of a process are waited for: its children may hold its pipes open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Which pipe.
#[derive(Clone, Copy)]
enum Pipe {
    Stdout,
    Stderr,
}

/// Asks the machine code; how long it took to answer. `signal` is that of a signal to end, or 0.
///
/// # Errors
/// [`LaunchError`]: why the machine code must not be taken.
pub(crate) fn probe(settings: &LauncherSettings, signal: &AtomicUsize) -> Result<Duration, LaunchError> {
    require_machine_code(&settings.machine_code)?;
    let started = Instant::now();
    let program = &settings.fluent_bit;
    let failed = |action| move |reason| LaunchError::Probe { action, program: program.to_owned(), reason };
    let mut command = Command::new(program);
    command.args(pipeline(settings)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = without_core_dump(|| command.spawn()).map_err(failed("start"))?;
    let answered = listen(&mut child).map_err(failed("listen to")).and_then(|heard| {
        Watch { settings, signal, heard, deadline: started + settings.probe_timeout }.answer(&mut child)
    });
    end(&mut child);
    answered.map(|()| started.elapsed())
}

/// Kills and reaps. A process that the kernel does not let go, as one that waits for a dead disk, is not waited for.
fn end(child: &mut Child) {
    // Fails only when it is over already.
    let _ = child.kill();
    let until = Instant::now() + LAST_WORDS;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Starts a process that leaves no core file behind: an end by a signal is an answer here. Fluent Bit itself keeps its limit.
fn without_core_dump<T>(start: impl FnOnce() -> T) -> T {
    let before = getrlimit(Resource::Core);
    // Neither can fail: the limit that can be lowered by anybody goes down and up again.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..before });
    let started = start();
    let _ = setrlimit(Resource::Core, before);
    started
}

fn require_machine_code(path: &Path) -> Result<(), LaunchError> {
    let mut start = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match read {
        Ok(()) if start == MAGIC => Ok(()),
        Err(reason) if reason.kind() != std::io::ErrorKind::UnexpectedEof => {
            Err(LaunchError::Read { path: path.to_owned(), reason })
        }
        Ok(()) | Err(_) => Err(LaunchError::OtherFile { path: path.to_owned() }),
    }
}

/// The arguments: one record, the filter, its answer on stdout.
fn pipeline(settings: &LauncherSettings) -> Vec<OsString> {
    let with = |key: &str, value: &Path| {
        let mut argument = OsString::from(key);
        argument.push("=");
        argument.push(value);
        argument
    };
    let input = ["-f", "0.02", "-i", "dummy", "-t", TAG, "-p", "samples=1", "-p", "rate=100", "-p"];
    let filter = ["-F", "wasm", "-m", "*", "-p", "event_format=json", "-p", "function_name=filter"];
    let output = ["-o", "stdout", "-m", "*", "-p", "format=json_lines"];
    let mut arguments: Vec<OsString> = input.map(OsString::from).into();
    arguments.push(format!("dummy={RECORD}").into());
    arguments.extend(filter.map(OsString::from));
    arguments.extend(["-p".into(), "wasm_stack_size=256k".into()]);
    arguments.extend(["-p".into(), with("wasm_path", &settings.machine_code)]);
    arguments.extend(["-p".into(), with("accessible_paths", &settings.probe_dir)]);
    arguments.extend(output.map(OsString::from));
    arguments
}

/// Reads both pipes in threads of their own, which end with them.
fn listen(child: &mut Child) -> std::io::Result<Receiver<(Pipe, Vec<u8>)>> {
    let (sender, receiver) = sync_channel(WAITING);
    if let Some(stdout) = child.stdout.take() {
        forward(Pipe::Stdout, stdout, sender.clone())?;
    }
    if let Some(stderr) = child.stderr.take() {
        forward(Pipe::Stderr, stderr, sender)?;
    }
    Ok(receiver)
}

fn forward(
    pipe: Pipe,
    mut from: impl Read + Send + 'static,
    to: SyncSender<(Pipe, Vec<u8>)>,
) -> std::io::Result<()> {
    let forward = move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let bytes = buffer.get(..count).unwrap_or_default();
            if to.send((pipe, bytes.to_vec())).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().spawn(forward).map(drop)
}

/// What is looked at while the probe runs.
struct Watch<'a> {
    settings: &'a LauncherSettings,
    signal: &'a AtomicUsize,
    heard: Receiver<(Pipe, Vec<u8>)>,
    deadline: Instant,
}

impl Watch<'_> {
    fn answer(&self, child: &mut Child) -> Result<(), LaunchError> {
        let path = || self.settings.machine_code.clone();
        let mut said = Said::default();
        loop {
            self.hear(&mut said, POLL);
            match said.answer() {
                ProbeAnswer::Right => return Ok(()),
                ProbeAnswer::Wrong => {
                    return Err(LaunchError::OtherAnswer { path: path(), said: said.complaint() });
                }
                ProbeAnswer::None => {}
            }
            let signal = self.signal.load(Ordering::Relaxed);
            if signal != 0 {
                let signal = i32::try_from(signal).unwrap_or_default();
                return Err(LaunchError::ToldToEnd { path: path(), signal });
            }
            let ended = child.try_wait().map_err(|reason| LaunchError::Probe {
                action: "watch",
                program: self.settings.fluent_bit.clone(),
                reason,
            })?;
            if let Some(status) = ended {
                let until = Instant::now() + LAST_WORDS;
                while Instant::now() < until && self.hear(&mut said, POLL) {}
                return Err(LaunchError::Ended { path: path(), how: how(status), said: said.complaint() });
            }
            if Instant::now() >= self.deadline {
                let limit = self.settings.probe_timeout;
                return Err(LaunchError::TimedOut { path: path(), limit, said: said.complaint() });
            }
        }
    }

    /// Takes what comes within `wait`; false when nothing can come any more.
    fn hear(&self, said: &mut Said, wait: Duration) -> bool {
        match self.heard.recv_timeout(wait) {
            Ok((Pipe::Stdout, bytes)) => add(&mut said.stdout, &bytes),
            Ok((Pipe::Stderr, bytes)) => add(&mut said.stderr, &bytes),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(wait);
                return false;
            }
        }
        true
    }
}

/// An exit code, or a signal by its name.
fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => match signal_hook::low_level::signal_name(signal) {
            Some(name) => format!("signal {name}"),
            None => format!("signal {signal}"),
        },
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_named_by_its_code_or_signal() {
        for (raw, expected) in
            [(0, "exit code 0"), (256, "exit code 1"), (4, "signal SIGILL"), (11, "signal SIGSEGV")]
        {
            assert_eq!(how(ExitStatus::from_raw(raw)), expected);
        }
    }

    #[test]
    fn the_pipeline_names_the_machine_code_and_nothing_that_is_the_node_s() {
        let (settings, _) = LauncherSettings::read(|_| None);
        let arguments: Vec<String> =
            pipeline(&settings).into_iter().map(|argument| argument.into_string().unwrap()).collect();
        assert!(arguments.contains(&"wasm_path=/opt/nodesieve/nodesieve.aot".to_owned()));
        assert!(arguments.contains(&"accessible_paths=/opt/nodesieve/probe".to_owned()));
        assert!(!arguments.iter().any(|argument| argument.contains("/var/lib") || argument.contains("http")));
    }
}
