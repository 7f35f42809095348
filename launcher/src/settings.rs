//! Settings: environment variables only.
//!
//! The launcher stands where the image's Fluent Bit stood, so every argument is Fluent Bit's and is handed on untouched. The rule
//! it keeps: a setting that cannot be read is said, and its default is taken; a variable that is empty says nothing.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The variable that `wasm_path` of the pipeline names. Set from outside, it is taken as it is.
pub const MODULE_VARIABLE: &str = "NODESIEVE_MODULE";

/// One setting, as documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LauncherVariable {
    /// Its name.
    pub name: &'static str,
    /// What it is without one; empty: nothing.
    pub default: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

const PORTABLE: LauncherVariable = LauncherVariable {
    name: "NODESIEVE_PORTABLE_MODULE",
    default: "/opt/nodesieve/nodesieve.wasm",
    meaning: "the portable module, which is interpreted",
};
const MACHINE_CODE: LauncherVariable = LauncherVariable {
    name: "NODESIEVE_MACHINE_CODE",
    default: "/opt/nodesieve/nodesieve.aot",
    meaning: "the machine code that is tried first",
};
const FLUENT_BIT: LauncherVariable = LauncherVariable {
    name: "NODESIEVE_FLUENT_BIT",
    default: "/fluent-bit/bin/fluent-bit",
    meaning: "the Fluent Bit that is probed and run",
};
const PROBE_DIR: LauncherVariable = LauncherVariable {
    name: "NODESIEVE_PROBE_DIR",
    default: "/opt/nodesieve/probe",
    meaning: "the directory with the probe's rule file, the only one that the probe sees",
};
const PROBE_TIMEOUT: LauncherVariable = LauncherVariable {
    name: "NODESIEVE_PROBE_TIMEOUT",
    default: "5s",
    meaning: "how long the probe may take, in `s` or `ms`",
};

/// All settings. The tables of the documentation repeat this one.
pub const VARIABLES: [LauncherVariable; 6] = [
    LauncherVariable {
        name: MODULE_VARIABLE,
        default: "",
        meaning: "the module to load, whatever it is; nothing is probed",
    },
    PORTABLE,
    MACHINE_CODE,
    FLUENT_BIT,
    PROBE_DIR,
    PROBE_TIMEOUT,
];

/// The longest time limit: kubelet's probes have given up by then.
const LONGEST: Duration = Duration::from_secs(60);

/// All that the launcher has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LauncherSettings {
    /// What [`MODULE_VARIABLE`] was set to.
    pub module: Option<OsString>,
    /// The portable module.
    pub portable: PathBuf,
    /// The machine code.
    pub machine_code: PathBuf,
    /// Fluent Bit's program.
    pub fluent_bit: PathBuf,
    /// What the probe can see.
    pub probe_dir: PathBuf,
    /// How long the probe may take.
    pub probe_timeout: Duration,
}

impl LauncherSettings {
    /// Reads them by a look-up of variables; the second are the mistakes in them, a line each.
    pub fn read(look_up: impl Fn(&str) -> Option<OsString>) -> (LauncherSettings, Vec<String>) {
        let said = |name: &str| look_up(name).filter(|value| !value.is_empty());
        let path = |variable: LauncherVariable| {
            PathBuf::from(said(variable.name).unwrap_or_else(|| variable.default.into()))
        };
        let mut mistakes = Vec::new();
        let default = duration(PROBE_TIMEOUT.default).unwrap_or(LONGEST);
        let probe_timeout = match said(PROBE_TIMEOUT.name) {
            None => default,
            Some(value) => duration(&value.to_string_lossy()).unwrap_or_else(|| {
                mistakes.push(format!(
                    "read {}={}: not a time from 1ms to {}s such as 5s or 500ms; {} is taken",
                    PROBE_TIMEOUT.name,
                    value.to_string_lossy(),
                    LONGEST.as_secs(),
                    PROBE_TIMEOUT.default
                ));
                default
            }),
        };
        let settings = LauncherSettings {
            module: said(MODULE_VARIABLE),
            portable: path(PORTABLE),
            machine_code: path(MACHINE_CODE),
            fluent_bit: path(FLUENT_BIT),
            probe_dir: path(PROBE_DIR),
            probe_timeout,
        };
        (settings, mistakes)
    }
}

/// A number with `s` or `ms`; a unit has to be said.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let found = match text.strip_suffix("ms") {
        Some(number) => Duration::from_millis(number.parse().ok()?),
        None => Duration::from_secs(text.strip_suffix('s')?.parse().ok()?),
    };
    (Duration::from_millis(1)..=LONGEST).contains(&found).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (LauncherSettings, Vec<String>) {
        LauncherSettings::read(|name| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn without_variables_everything_is_where_the_image_has_it() {
        let (settings, mistakes) = read(&[(MODULE_VARIABLE, ""), ("NODESIEVE_PROBE_TIMEOUT", "")]);
        assert_eq!(mistakes, Vec::<String>::new());
        assert_eq!(settings.module, None);
        assert_eq!(settings.machine_code, PathBuf::from("/opt/nodesieve/nodesieve.aot"));
        assert_eq!(settings.probe_timeout, Duration::from_secs(5));
    }

    #[test]
    fn a_time_limit_that_cannot_be_read_is_said_and_the_default_taken() {
        assert_eq!(read(&[("NODESIEVE_PROBE_TIMEOUT", "250ms")]).0.probe_timeout, Duration::from_millis(250));
        for value in ["5", "0s", "1h", "-1s", "61s", "99999999999999999999s"] {
            let (settings, mistakes) = read(&[("NODESIEVE_PROBE_TIMEOUT", value)]);
            assert_eq!((settings.probe_timeout, mistakes.len()), (Duration::from_secs(5), 1), "{value}");
        }
    }
}
