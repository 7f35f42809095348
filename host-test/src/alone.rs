//! `nodesieve` with the filter inside, for releases: it needs nothing beside it. A program of its own, so that a build of it does not take
//! the place of the other.

fn main() -> std::process::ExitCode {
    host_test::cli::main()
}
