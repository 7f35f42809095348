//! The program: settings or exit code 64, then run until told to stop.
#![forbid(unsafe_code)]

use nodesieve_engine::time::EventTime;
use nodesieve_sidecar::{Log, LogEvent, Order, Sidecar, settings};
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

fn main() -> ExitCode {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let (settings, is_once) = match settings(std::env::args_os().skip(1), &variables.collect()) {
        Ok(Order::Run(settings)) => (settings, false),
        Ok(Order::Once(settings)) => (settings, true),
        Ok(Order::Print(text)) => {
            // A reader that is gone is no failure.
            let _ = std::io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(mistakes) => {
            say("error", &mistakes.to_string());
            return ExitCode::from(64);
        }
    };
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(reason) => {
            say("error", &format!("start runtime: {reason}"));
            return ExitCode::from(2);
        }
    };
    let code = runtime.block_on(async {
        if is_once {
            let settings = nodesieve_sidecar::SidecarSettings { listen: None, tap: None, ..*settings };
            return match Sidecar::start(settings, log()).await {
                Ok(mut sidecar) => ExitCode::from(u8::from(!sidecar.once().await)),
                Err(error) => failed(&error),
            };
        }
        let signals =
            signal(SignalKind::terminate()).and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
        let signals = match signals {
            Ok(signals) => signals,
            Err(error) => return failed(&error),
        };
        match Sidecar::start(*settings, log()).await {
            Ok(sidecar) => {
                sidecar.run(told_to_stop(signals)).await;
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        }
    });
    end(runtime);
    code
}

async fn told_to_stop((mut terminate, mut interrupt): (Signal, Signal)) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// A name that is being looked up, or a list that is being read, is not waited for.
fn end(runtime: Runtime) {
    runtime.shutdown_timeout(Duration::from_millis(100));
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    say("error", &error.to_string());
    ExitCode::from(2)
}

fn log() -> Log {
    Box::new(|event| match event {
        LogEvent::Info(text) => say("info", text),
        LogEvent::Warning(text) => say("warning", text),
    })
}

/// One line, with the time, to stderr; a log that nobody takes any more is no reason to end.
fn say(level: &str, text: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = EventTime { sec: u32::try_from(now.as_secs()).unwrap_or(u32::MAX), nsec: now.subsec_nanos() };
    let _ = writeln!(std::io::stderr(), "{} {level}: {text}", now.to_rfc3339());
}
