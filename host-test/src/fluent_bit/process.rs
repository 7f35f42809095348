//! The process of a Fluent Bit: started, watched, ended.
//!
//! It exists apart from [`super::Running`], which owns the node around it, so that what is done with a process can be read in
//! one place. The rule it keeps: every failure carries the end of Fluent Bit's log.

use super::node::TemporaryNode;
use super::{FluentBitError, MODULE};
use crate::firehose::FirehoseOptions;
use nodesieve_launcher::MODULE_VARIABLE;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The filter's file in [`MODULE`].
pub(super) const MODULE_FILE: &str = "nodesieve.wasm";
/// For how long Fluent Bit may take to answer on its port.
pub(super) const START: Duration = Duration::from_secs(30);
/// For how long Fluent Bit may take to end: its `grace` of 30 s, and some more on a busy machine.
pub(super) const STOP: Duration = Duration::from_secs(45);
/// Between two looks.
pub(super) const POLL: Duration = Duration::from_millis(20);
/// How much of the log an error shows, in lines. What Fluent Bit only informs about is left out.
const LOG_LINES: usize = 20;
/// Variables of the environment that would send Fluent Bit to another account or through a proxy.
const REMOVED: [&str; 6] =
    ["AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"];

pub(super) fn spawn(program: &Path, conf: &Path, node: &TemporaryNode) -> Result<Child, FluentBitError> {
    let log = log_file(node);
    // Behind what an earlier run on the same node has said.
    let output = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(|reason| FluentBitError::Make { path: log, reason })?;
    let both = output.try_clone().map(|clone| (Stdio::from(clone), Stdio::from(output)));
    let start_failed = |reason| FluentBitError::Start { path: program.to_owned(), reason };
    let (stdout, stderr) = both.map_err(start_failed)?;
    let mut command = Command::new(program);
    for variable in REMOVED {
        command.env_remove(variable);
    }
    command
        .arg("-c")
        .arg(conf)
        .current_dir(node.root())
        .env("AWS_ACCESS_KEY_ID", "nodesieve")
        .env("AWS_SECRET_ACCESS_KEY", "nodesieve")
        .env("AWS_REGION", "us-east-1")
        .env("DELIVERY_STREAM", FirehoseOptions::default().stream)
        .env("NODE_NAME", "node-1")
        // What the image's entry point says; the file may be machine code, which the runtime knows by its first bytes.
        .env(MODULE_VARIABLE, node.at(MODULE).join(MODULE_FILE))
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .map_err(start_failed)
}

pub(super) fn wait_for_port(
    child: &mut Child,
    port: u16,
    node: &TemporaryNode,
) -> Result<(), FluentBitError> {
    let deadline = Instant::now() + START;
    loop {
        // In this order: a program that could not bind has ended, whoever else answers on the port.
        let answers = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        if let Some(status) = ended(child)? {
            return Err(FluentBitError::Ended { action: "start", status, log: tail(&log(node)) });
        }
        if answers {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(FluentBitError::TimedOut {
                what: format!("answer on port {port}"),
                timeout: START,
                progress: "nothing answers".into(),
                log: tail(&log(node)),
            });
        }
        std::thread::sleep(POLL);
    }
}

pub(super) fn free_port() -> Result<u16, FluentBitError> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|listener| listener.local_addr());
    let address = listener.map_err(|reason| FluentBitError::Make { path: "a free port".into(), reason })?;
    Ok(address.port())
}

pub(super) fn ended(child: &mut Child) -> Result<Option<ExitStatus>, FluentBitError> {
    let process = child.id();
    child.try_wait().map_err(|reason| FluentBitError::Process { action: "watch", process, reason })
}

/// Sends SIGTERM.
pub(super) fn terminate(child: &Child) -> Result<(), FluentBitError> {
    kill_process(Pid::from_child(child), Signal::TERM).map_err(|reason| FluentBitError::Process {
        action: "send SIGTERM to",
        process: child.id(),
        reason: reason.into(),
    })
}

/// CPU time of a process so far, in milliseconds; 0 where the system does not say.
pub(super) fn cpu_ms(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name in brackets: user and system time, in ticks of 10 ms.
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or(Vec::new(), |(_, rest)| rest.split(' ').collect());
    let ticks =
        |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) * 10
}

/// The most memory that a process has had resident, in bytes (`VmHWM`).
pub(super) fn most_memory(process: u32) -> Result<u64, FluentBitError> {
    let path = PathBuf::from(format!("/proc/{process}/status"));
    let status = fs::read_to_string(&path).map_err(|reason| FluentBitError::Read { path, reason })?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
    Ok(kilobytes.and_then(|text| text.parse::<u64>().ok()).unwrap_or_default().saturating_mul(1024))
}

/// Kills and reaps; both fail only when it is over already.
pub(super) fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn log_file(node: &TemporaryNode) -> PathBuf {
    node.at("/fluent-bit.log")
}

pub(super) fn log(node: &TemporaryNode) -> String {
    fs::read(log_file(node)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

pub(super) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.contains("[ info]")).collect();
    lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_its_last_lines_of_note() {
        let log: String = (1..=30).map(|line| format!("{line}\n[x] [ info] no\n")).collect();
        assert!(tail(&log).starts_with("11\n") && tail(&log).ends_with("\n30"));
        assert_eq!(tail(""), "");
    }
}
