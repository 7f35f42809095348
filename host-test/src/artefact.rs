//! Finds what is deployed, or compiles it: the harness tests the module and the sidecar that nodes run and nothing else.
//!
//! The module, in this order: `--wasm` or `NODESIEVE_WASM`; a build with the active toolchain, whose wasm target is added when it
//! is missing; a build with Debian's `rustc-web` and its own standard library. A build.rs would do this in every
//! check of an editor, so it is done here, when the module is needed, once per process.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use thiserror::Error;

/// The target of the Fluent Bit module.
const TARGET: &str = "wasm32-wasip1";

/// Why there is no module.
#[derive(Debug, Clone, Error)]
pub enum ArtefactError {
    /// The file that was named is not there.
    #[error("find filter module {0}: no such file")]
    Missing(PathBuf),
    /// Neither toolchain can build it.
    #[error(
        "build filter: no toolchain for {target}; run `rustup target add {target}`, or install Debian's packages \
         rustc-web, rust-web-src, wasi-libc and lld ({reason})"
    )]
    NoToolchain {
        /// For what it was to be built.
        target: &'static str,
        /// Why the target could not be added.
        reason: String,
    },
    /// The compiler said no.
    #[error("build filter: {command} failed:\n{output}")]
    Build {
        /// The command.
        command: String,
        /// What it printed.
        output: String,
    },
    /// What is inside of the program could not be written to a file.
    #[error("unpack {name}: {reason}")]
    Unpack {
        /// What.
        name: String,
        /// Why.
        reason: String,
    },
    /// The compiler could not be started.
    #[error("build filter: start {command}: {reason}")]
    Start {
        /// The command.
        command: String,
        /// Why.
        reason: String,
    },
}

/// The module: `named` if given, else `NODESIEVE_WASM`, else built now.
///
/// # Errors
/// [`ArtefactError`]; a failed build is remembered and not tried again in this process.
pub fn module(named: Option<&Path>) -> Result<PathBuf, ArtefactError> {
    let from_environment = std::env::var_os("NODESIEVE_WASM").map(PathBuf::from);
    if let Some(path) = named.map(Path::to_owned).or(from_environment) {
        return if path.is_file() { Ok(path) } else { Err(ArtefactError::Missing(path)) };
    }
    static BUILT: OnceLock<Result<PathBuf, ArtefactError>> = OnceLock::new();
    BUILT.get_or_init(|| embedded().unwrap_or_else(build)).clone()
}

/// The module that is inside of the program, as a file.
#[cfg(feature = "embedded")]
fn embedded() -> Option<Result<PathBuf, ArtefactError>> {
    const MODULE: &[u8] = include_bytes!(env!("NODESIEVE_EMBEDDED"));
    Some(unpacked("nodesieve.wasm", |path| std::fs::write(path, MODULE)))
}

#[cfg(not(feature = "embedded"))]
fn embedded() -> Option<Result<PathBuf, ArtefactError>> {
    None
}

/// What `write` makes under a name, in a directory that [`clean_up`] takes away.
pub(crate) fn unpacked(
    name: &str,
    write: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<PathBuf, ArtefactError> {
    let error =
        |reason: std::io::Error| ArtefactError::Unpack { name: name.to_owned(), reason: reason.to_string() };
    let path = {
        let mut folder = UNPACKED.lock().unwrap_or_else(PoisonError::into_inner);
        if folder.is_none() {
            *folder = Some(tempfile::Builder::new().prefix("nodesieve-").tempdir().map_err(error)?);
        }
        folder.as_ref().map(|folder| folder.path().join(name)).unwrap_or_default()
    };
    write(&path).map_err(error)?;
    Ok(path)
}

/// Takes away what was unpacked. A static is never dropped, so the program says when it ends.
pub fn clean_up() {
    drop(UNPACKED.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// Where what is inside of the program was unpacked.
static UNPACKED: Mutex<Option<tempfile::TempDir>> = Mutex::new(None);

/// The sidecar's program as a node runs it, static with musl; for this machine's own C library where that target cannot be had.
/// Built now, once per process.
///
/// # Errors
/// [`ArtefactError`]; a failed build is remembered and not tried again in this process.
pub fn sidecar() -> Result<PathBuf, ArtefactError> {
    static BUILT: OnceLock<Result<PathBuf, ArtefactError>> = OnceLock::new();
    BUILT.get_or_init(|| build_static("sidecar", std::env::consts::ARCH, &[])).clone()
}

/// The launcher's program as the image has it, static with musl; for this machine's own C library where that target cannot be
/// had. Built now, once per process.
///
/// # Errors
/// [`ArtefactError`]; a failed build is remembered and not tried again in this process.
pub fn launcher() -> Result<PathBuf, ArtefactError> {
    static BUILT: OnceLock<Result<PathBuf, ArtefactError>> = OnceLock::new();
    BUILT.get_or_init(|| build_static("launcher", std::env::consts::ARCH, &[])).clone()
}

/// The sidecar's or the launcher's program for another processor, with these variables for its compiler and linker.
///
/// # Errors
/// [`ArtefactError`]; where the target cannot be had, one for this machine is no answer.
pub fn program_for(machine: &str, name: &str, variables: &[(&str, &str)]) -> Result<PathBuf, ArtefactError> {
    let program = build_static(name, machine, variables)?;
    if is_static(&program) { Ok(program) } else { Err(ArtefactError::Missing(program)) }
}

/// Whether [`sidecar`] or [`launcher`] was built as the image has it.
pub fn is_static(program: &Path) -> bool {
    program.iter().any(|part| part.to_string_lossy().ends_with("-musl"))
}

/// The workspace that this harness was compiled in.
pub fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

fn build() -> Result<PathBuf, ArtefactError> {
    build_for(TARGET, "module", &[])
}

/// The module once more, with the names of its functions: the same instructions, built apart so that neither takes the other's
/// place.
///
/// # Errors
/// [`ArtefactError`].
#[cfg(feature = "playground")]
pub fn module_with_names() -> Result<PathBuf, ArtefactError> {
    let variables = [("NODESIEVE_KEEP_NAMES", "1"), ("CARGO_PROFILE_MODULE_STRIP", "none")];
    let root = workspace();
    build_into(&root, &root.join("target/with-names"), TARGET, "module", &[], &variables)
}

/// A face for another host than Fluent Bit, as core wasm: its feature is also the name of its profile.
///
/// # Errors
/// [`ArtefactError`].
#[cfg(any(feature = "component", feature = "playground"))]
pub(crate) fn face(feature: &str) -> Result<PathBuf, ArtefactError> {
    build_for("wasm32-unknown-unknown", feature, &["--features", feature])
}

fn build_for(target: &'static str, profile: &str, more: &[&str]) -> Result<PathBuf, ArtefactError> {
    let root = workspace();
    build_into(&root, &root.join("target"), target, profile, more, &[])
}

/// The module, built anew from the sources in `root`, which may be a copy of this workspace.
///
/// # Errors
/// [`ArtefactError`].
pub fn module_of(root: &Path) -> Result<PathBuf, ArtefactError> {
    build_into(root, &root.join("target"), TARGET, "module", &["--quiet", "--locked"], &[])
}

fn build_into(
    root: &Path,
    target_dir: &Path,
    target: &'static str,
    profile: &str,
    more: &[&str],
    variables: &[(&str, &str)],
) -> Result<PathBuf, ArtefactError> {
    let mut cargo = match add_target(target) {
        Ok(()) => rustup_cargo(),
        Err(reason) => debian_cargo(profile).ok_or(ArtefactError::NoToolchain { target, reason })?,
    };
    cargo
        .args([
            "build",
            "--package",
            "nodesieve",
            "--profile",
            profile,
            "--target",
            target,
            "--manifest-path",
        ])
        .arg(root.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target_dir)
        .args(more)
        .envs(variables.iter().copied());
    let module = target_dir.join(target).join(profile).join("nodesieve.wasm");
    if !module.exists() {
        eprintln!("building the filter for {target}");
    }
    run(&mut cargo)?;
    if module.is_file() { Ok(module) } else { Err(ArtefactError::Missing(module)) }
}

/// Builds a program of this package and profile, which are called alike.
fn build_static(name: &str, machine: &str, variables: &[(&str, &str)]) -> Result<PathBuf, ArtefactError> {
    let (root, mut cargo) = (workspace(), rustup_cargo());
    let target_dir = root.join("target");
    let package = format!("nodesieve-{name}");
    cargo
        .args(["build", "--package", &package, "--profile", name, "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target_dir);
    let target = format!("{machine}-unknown-linux-musl");
    let directory = match add_target(&target) {
        Ok(()) => {
            // What is C in it is for no C library, so any compiler for this processor will do.
            cargo.args(["--target", &target]).env("TARGET_CC", "cc").envs(variables.iter().copied());
            target_dir.join(&target)
        }
        Err(reason) => {
            eprintln!("building the {name} for this machine only: {reason}");
            target_dir
        }
    };
    let program = directory.join(name).join(&package);
    if !program.exists() {
        eprintln!("building the {name}");
    }
    run(&mut cargo)?;
    if program.is_file() { Ok(program) } else { Err(ArtefactError::Missing(program)) }
}

/// Adds a target to the active toolchain where it is missing; the error is why it cannot be had.
fn add_target(target: &str) -> Result<(), String> {
    if has_target(target) {
        return Ok(());
    }
    eprintln!("adding the target {target} to the active toolchain");
    let added = run(Command::new("rustup").args(["target", "add", target]));
    match added {
        // The compiler in use may be none of rustup's.
        Ok(()) if !has_target(target) => Err(format!("the compiler in use has no {target}")),
        other => other.map_err(|error| error.to_string()),
    }
}

fn has_target(target: &str) -> bool {
    target_libdir(target).is_some_and(|dir| dir.read_dir().is_ok_and(|mut files| files.next().is_some()))
}

fn target_libdir(target: &str) -> Option<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "target-libdir", "--target", target]).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(path.trim()))
}

fn rustup_cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    without_inherited_flags(&mut cargo);
    cargo
}

/// Debian's compiler has no library for the target, but its source: std is built along, against Debian's wasi-libc.
fn debian_cargo(profile: &str) -> Option<Command> {
    let parts = ["/usr/bin/cargo", "/usr/bin/rustc", "/usr/lib/wasm32-wasi/libc.a"];
    if !parts.iter().all(|part| Path::new(part).exists()) {
        return None;
    }
    let mut cargo = Command::new("/usr/bin/cargo");
    without_inherited_flags(&mut cargo);
    cargo
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_WASIP1_LINKER", "wasm-ld")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld")
        .env(
            "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS",
            "-Clink-self-contained=no -L/usr/lib/wasm32-wasi -Clink-arg=-lc",
        )
        .arg("-Zbuild-std=std,panic_abort")
        // std is a dependency like any other here, and what is linked into the module must not be left unoptimised.
        .arg("--config")
        .arg(format!("profile.{profile}.package.'*'.opt-level=2"));
    Some(cargo)
}

/// Flags meant for the harness's own build (coverage, sanitizers) do not fit the module.
fn without_inherited_flags(cargo: &mut Command) {
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
    ] {
        cargo.env_remove(name);
    }
}

fn run(command: &mut Command) -> Result<(), ArtefactError> {
    let shown = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|reason| ArtefactError::Start { command: shown.clone(), reason: reason.to_string() })?;
    if output.status.success() {
        return Ok(());
    }
    Err(ArtefactError::Build { command: shown, output: String::from_utf8_lossy(&output.stderr).into_owned() })
}
