//! Flags and environment variables to values, with every mistake collected: the reason why there is no library for it (clap ends at the
//! first value that is wrong, and knows no mistakes of two settings together).

use super::SettingsError;
use super::table::{COMMANDS, SETTINGS, Setting};
use nodesieve_engine::config::parse_bytes;
use nodesieve_engine::diag::did_you_mean;
use nodesieve_engine::glob::Globs;
use nodesieve_engine::time::parse_duration;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What was said, and the mistakes in it so far.
pub(super) struct SettingsReader<'v> {
    flags: BTreeMap<&'static str, String>,
    variables: &'v BTreeMap<String, String>,
    mistakes: Vec<String>,
}

impl<'v> SettingsReader<'v> {
    /// Takes the arguments apart; the second is what is to be done besides having settings.
    pub(super) fn new(
        arguments: impl IntoIterator<Item = OsString>,
        variables: &'v BTreeMap<String, String>,
    ) -> (SettingsReader<'v>, BTreeSet<&'static str>) {
        let mut reader = SettingsReader { flags: BTreeMap::new(), variables, mistakes: Vec::new() };
        let mut commands = BTreeSet::new();
        let mut parser = lexopt::Parser::from_args(arguments);
        loop {
            match parser.next() {
                Ok(None) => return (reader, commands),
                Ok(Some(lexopt::Arg::Long(name))) => {
                    let name = name.to_owned();
                    reader.flag(&name, &mut parser, &mut commands);
                }
                Ok(Some(lexopt::Arg::Short('h'))) => {
                    commands.insert("help");
                }
                Ok(Some(lexopt::Arg::Short(letter))) => reader.mistake(format!("-{letter}: no such flag")),
                Ok(Some(lexopt::Arg::Value(value))) => {
                    reader.mistake(format!("{}: every argument is a flag", value.to_string_lossy()));
                }
                Err(error) => reader.mistake(error.to_string()),
            }
        }
    }

    fn flag(&mut self, name: &str, parser: &mut lexopt::Parser, commands: &mut BTreeSet<&'static str>) {
        if let Some((command, _)) = COMMANDS.iter().find(|(command, _)| *command == name) {
            commands.insert(command);
            return;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.flag == name) else {
            let known =
                SETTINGS.iter().map(|setting| setting.flag).chain(COMMANDS.map(|(command, _)| command));
            let help =
                did_you_mean(name, known).map(|near| format!("; did you mean --{near}?")).unwrap_or_default();
            // What follows is its value, if it had one: not a second mistake.
            if let Some(mut values) = parser.try_raw_args()
                && values.peek().is_some_and(|value| !value.to_string_lossy().starts_with('-'))
            {
                values.next();
            } else {
                parser.optional_value();
            }
            return self.mistake(format!("--{name}: no such flag{help}"));
        };
        if setting.value.is_empty() {
            self.flags.insert(setting.flag, "true".to_owned());
            return;
        }
        match parser.value().map(OsString::into_string) {
            Ok(Ok(value)) => {
                self.flags.insert(setting.flag, value);
            }
            Ok(Err(value)) => self.mistake(format!("--{name} {}: not UTF-8", value.to_string_lossy())),
            Err(_) => self.mistake(format!("--{name}: a value is missing, {}", setting.value)),
        }
    }

    /// All is read.
    pub(super) fn finish(self) -> Result<(), SettingsError> {
        if self.mistakes.is_empty() { Ok(()) } else { Err(SettingsError(self.mistakes)) }
    }

    pub(super) fn mistake(&mut self, text: impl Into<String>) {
        self.mistakes.push(text.into());
    }

    /// What was said, without the default.
    pub(super) fn given(&self, flag: &'static str) -> Option<&str> {
        let setting = setting(flag)?;
        let said = self.flags.get(flag).or_else(|| self.variables.get(setting.variable));
        said.map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn value(&self, flag: &'static str) -> String {
        let default = setting(flag).map_or("", |setting| setting.default);
        self.given(flag).unwrap_or(default).to_owned()
    }

    /// Reads a value, or notes the mistake: the flag or variable with its value, and what it should be.
    fn read<T>(
        &mut self,
        flag: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(flag);
        let found = read(&value);
        if found.is_none() {
            let place = match (self.flags.contains_key(flag), setting(flag)) {
                (false, Some(setting)) => format!("{}={value}", setting.variable),
                _ => format!("--{flag} {value}"),
            };
            self.mistake(format!("{place}: {expected}"));
        }
        found
    }

    /// A duration from `least` to `most`, which are written like one.
    pub(super) fn duration(&mut self, flag: &'static str, least: &str, most: &str) -> Option<Duration> {
        let range = parse_duration(least).unwrap_or_default()..=parse_duration(most).unwrap_or(Duration::MAX);
        let expected = format!("a duration with its unit (500ms, 30s, 5m) from {least} to {most}");
        self.read(flag, &expected, |text| parse_duration(text).filter(|duration| range.contains(duration)))
    }

    pub(super) fn bytes(&mut self, flag: &'static str) -> Option<u64> {
        self.read(flag, "a size with its unit (64B, 16KiB, 10MB)", parse_bytes)
    }

    /// One of these words.
    pub(super) fn one_of<T: Copy>(&mut self, flag: &'static str, words: &[(&str, T)]) -> Option<T> {
        let expected = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        self.read(flag, &format!("one of {expected}"), |text| {
            words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
        })
    }

    pub(super) fn port(&mut self, flag: &'static str) -> Option<u16> {
        self.read(flag, "a port from 1 to 65535", |text| text.parse().ok().filter(|port| *port > 0))
    }

    pub(super) fn path(&mut self, flag: &'static str) -> Option<PathBuf> {
        self.read(flag, "an absolute path", |text| {
            Some(PathBuf::from(text)).filter(|path| path.is_absolute())
        })
    }

    pub(super) fn path_or_off(&mut self, flag: &'static str) -> Option<PathBuf> {
        if self.value(flag) == "off" { None } else { self.path(flag) }
    }

    pub(super) fn address_or_off(&mut self, flag: &'static str) -> Option<SocketAddr> {
        if self.value(flag) == "off" {
            return None;
        }
        self.read(flag, "an IP address and a port (0.0.0.0:2021, [::]:2021), or off", |text| {
            text.parse().ok()
        })
    }

    pub(super) fn switch(&mut self, flag: &'static str) -> Option<bool> {
        self.read(flag, "true or false", |text| match text {
            "true" => Some(true),
            "false" | "" => Some(false),
            _ => None,
        })
    }

    pub(super) fn globs(&self, flag: &'static str) -> Globs {
        let value = self.value(flag);
        Globs::new(value.split(',').map(str::trim).filter(|glob| !glob.is_empty()))
    }
}

fn setting(flag: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.flag == flag)
}

/// What `--help` prints.
pub(super) fn help() -> String {
    let mut out = String::from(
        "Asks the node's kubelet for its pods and writes a file for each, from which the filter takes its metadata.\n\n\
         Usage: nodesieve-sidecar [flags]\n",
    );
    // Writing to a String cannot fail.
    for Setting { flag, variable, value, default, meaning } in SETTINGS {
        let space = if value.is_empty() { "" } else { " " };
        let default = if default.is_empty() { String::new() } else { format!(" [default: {default}]") };
        let _ = write!(
            out,
            "\n  --{flag}{space}{value}  ({variable})\n      {}{default}\n",
            meaning.replace('`', "")
        );
    }
    for (command, meaning) in COMMANDS {
        let _ = write!(out, "\n  --{command}\n      {meaning}\n");
    }
    out.push_str("\nExit codes: 0 told to stop, 1 the one poll failed, 2 cannot start, 64 bad settings.\n");
    out
}
