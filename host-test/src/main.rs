//! `nodesieve`: see `--help`, or run it without arguments for the main job.

fn main() -> std::process::ExitCode {
    host_test::cli::main()
}
