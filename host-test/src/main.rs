//! `nodesieve`: see `--help`, or run it without arguments for the main job.

use std::process::ExitCode;

fn main() -> ExitCode {
    match host_test::cli::run() {
        Ok(code) => code,
        Err(error) if host_test::cli::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("\x1b[1;31merror\x1b[0m: {error:#}");
            ExitCode::from(2)
        }
    }
}
