//! The program: choose a module, say which, become Fluent Bit.
#![forbid(unsafe_code)]

use nodesieve_launcher::{LauncherSettings, choose, launch};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a shell says of a command that cannot be run.
const CANNOT_RUN: u8 = 127;
/// What a shell adds to the number of the signal that has ended a command.
const ENDED_BY_SIGNAL: usize = 128;

fn main() -> ExitCode {
    let (settings, mistakes) = LauncherSettings::read(|name| std::env::var_os(name));
    for mistake in mistakes {
        say(&mistake);
    }
    // As process 1 of a container it would not be ended by these unless it listens; Fluent Bit sets its own handlers.
    let signal = Arc::new(AtomicUsize::new(0));
    for number in [SIGTERM, SIGINT] {
        // Without them a container that is stopped in the middle of the probe is stopped a little later.
        let _ =
            signal_hook::flag::register_usize(number, Arc::clone(&signal), number.unsigned_abs() as usize);
    }
    let choice = match choose(&settings, &signal) {
        Ok(choice) => choice,
        Err(error) => {
            say(&error.to_string());
            return ended_by(signal.load(Ordering::Relaxed));
        }
    };
    say(&choice.to_string());
    let number = signal.load(Ordering::Relaxed);
    if number != 0 {
        return ended_by(number);
    }
    match launch(&settings, &choice, std::env::args_os().skip(1)) {
        Ok(never) => match never {},
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(CANNOT_RUN)
        }
    }
}

fn ended_by(signal: usize) -> ExitCode {
    ExitCode::from(u8::try_from(ENDED_BY_SIGNAL.saturating_add(signal)).unwrap_or(CANNOT_RUN))
}

/// One line to the log, which may be a closed pipe: that is no reason to end.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "nodesieve-launcher: {text}");
}
