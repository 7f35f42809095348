//! Which module Fluent Bit loads, and the step from here to there.
//!
//! The rule it keeps: there is always a choice, with a reason that is told in one line.

use crate::probe::probe;
use crate::{LaunchError, LauncherSettings, MODULE_VARIABLE};
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// The module that Fluent Bit gets, and why.
#[derive(Debug)]
pub enum ModuleChoice {
    /// The one that was named from outside.
    Given(OsString),
    /// The machine code: it has filtered a record here.
    MachineCode {
        /// The file.
        path: PathBuf,
        /// What it took to find out.
        took: Duration,
    },
    /// The portable module.
    Portable {
        /// The file.
        path: PathBuf,
        /// What is wrong with the machine code.
        because: LaunchError,
    },
}

impl ModuleChoice {
    /// What [`MODULE_VARIABLE`] becomes.
    pub fn module(&self) -> &OsStr {
        match self {
            ModuleChoice::Given(module) => module,
            ModuleChoice::MachineCode { path, .. } | ModuleChoice::Portable { path, .. } => path.as_os_str(),
        }
    }
}

impl fmt::Display for ModuleChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModuleChoice::Given(module) => {
                write!(f, "load {}: {MODULE_VARIABLE} says so", module.to_string_lossy())
            }
            ModuleChoice::MachineCode { path, took } => {
                write!(f, "load machine code {}: it answered in {} ms", path.display(), took.as_millis())
            }
            ModuleChoice::Portable { path, because } => {
                write!(f, "load portable module {}: {because}", path.display())
            }
        }
    }
}

/// Chooses. `signal` is the number of a signal that tells the container to end, or 0; it may change at any time.
///
/// # Errors
/// [`LaunchError::ToldToEnd`] and no other: nothing should be started any more.
pub fn choose(settings: &LauncherSettings, signal: &AtomicUsize) -> Result<ModuleChoice, LaunchError> {
    if let Some(module) = &settings.module {
        return Ok(ModuleChoice::Given(module.clone()));
    }
    match probe(settings, signal) {
        Ok(took) => Ok(ModuleChoice::MachineCode { path: settings.machine_code.clone(), took }),
        Err(error @ LaunchError::ToldToEnd { .. }) => Err(error),
        Err(because) => Ok(ModuleChoice::Portable { path: settings.portable.clone(), because }),
    }
}

/// Becomes Fluent Bit: process id, signals and exit code are its own from here on.
///
/// # Errors
/// [`LaunchError::Run`], the only way to return.
pub fn launch(
    settings: &LauncherSettings,
    choice: &ModuleChoice,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Infallible, LaunchError> {
    let program = &settings.fluent_bit;
    let reason = Command::new(program).args(arguments).env(MODULE_VARIABLE, choice.module()).exec();
    Err(LaunchError::Run { program: program.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> LauncherSettings {
        let look_up = |name: &str| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| OsString::from(value))
        };
        LauncherSettings::read(look_up).0
    }

    #[test]
    fn a_module_that_is_named_is_taken_unseen() {
        let choice = choose(&settings(&[(MODULE_VARIABLE, "/nowhere.wasm")]), &AtomicUsize::new(0)).unwrap();
        assert_eq!(choice.module(), "/nowhere.wasm");
        assert_eq!(choice.to_string(), "load /nowhere.wasm: NODESIEVE_MODULE says so");
    }

    #[test]
    fn without_machine_code_the_portable_module_is_loaded() {
        let settings = settings(&[("NODESIEVE_MACHINE_CODE", "/nonexistent/a.aot")]);
        let choice = choose(&settings, &AtomicUsize::new(0)).unwrap();
        assert_eq!(choice.module(), "/opt/nodesieve/nodesieve.wasm");
        let line = choice.to_string();
        let expected =
            "load portable module /opt/nodesieve/nodesieve.wasm: read machine code /nonexistent/a.aot: ";
        assert!(line.starts_with(expected), "{line}");
    }

    #[test]
    fn a_program_that_cannot_be_run_is_named() {
        let settings = settings(&[("NODESIEVE_FLUENT_BIT", "/nonexistent/fluent-bit")]);
        let error = launch(&settings, &ModuleChoice::Given("x".into()), []).unwrap_err().to_string();
        assert!(error.starts_with("run /nonexistent/fluent-bit: "), "{error}");
    }
}
