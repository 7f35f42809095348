//! The command line: data on stdout, messages on stderr; exit 0 when all is well, 1 for findings, 2 for failure.

mod arguments;
mod benchmarks;
mod commands;
mod explain;
mod faces;
mod first_steps;
mod migration;
mod soak;
mod tap;
mod trouble;

use crate::artefact;
use arguments::{Arguments, Command};
use clap::Parser as _;
use std::process::ExitCode;

/// The program: what fails is said in one line.
#[must_use]
pub fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("\x1b[1;31merror\x1b[0m: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs what the command line asks for; without a command, the main job.
///
/// # Errors
/// Whatever kept a command from its work. Findings are no error but an exit code.
fn run() -> anyhow::Result<ExitCode> {
    let code = run_command();
    artefact::clean_up();
    code
}

fn run_command() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command.unwrap_or_else(Command::main_job) {
        Command::Replay(replay) => commands::replay(&replay),
        Command::Diff(diff) => commands::diff(&diff),
        Command::Check(check) => commands::check(&check),
        Command::Explain(explain) => explain::explain(&explain),
        Command::Match(arguments) => commands::matching(&arguments),
        Command::FluentBit(arguments) if arguments.bench => benchmarks::fluent_bit(&arguments),
        Command::FluentBit(arguments) => match (arguments.kubelet, arguments.fault) {
            (Some(mode), _) => trouble::kubelet(&arguments, mode),
            (None, Some(fault)) => trouble::fault(&arguments, fault),
            (None, None) => commands::fluent_bit(&arguments),
        },
        Command::Soak(arguments) => soak::soak(&arguments),
        Command::Bench(arguments) => benchmarks::bench(&arguments),
        Command::Tap(arguments) => tap::tap(&arguments),
        Command::Kubelet(arguments) => trouble::serve(&arguments),
        Command::Playground(arguments) => faces::playground(&arguments),
        Command::Component(arguments) => faces::component(&arguments),
        Command::Migrate(arguments) => migration::migrate(&arguments),
        Command::Samples(samples) => commands::samples(&samples),
        Command::Init(arguments) => first_steps::init(&arguments),
        Command::Completions { shell } => first_steps::completions(shell),
        Command::Man { out } => first_steps::man(out.as_deref()),
    }
}

/// Whether an error only says that nobody reads our output any more.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
