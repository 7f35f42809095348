//! The report: a line for each old option, so that nothing is weaker without a word.

use std::fmt;

/// What became of an option or a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The new pipeline says the same.
    Translated,
    /// It stands where it stood.
    Kept,
    /// It is the sidecar's now.
    Sidecar,
    /// It is needed no more.
    Gone,
    /// It cannot be had; the line says what to do instead.
    Impossible,
    /// Other records are kept or dropped, or they look different; the line says which.
    Differs,
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportLine {
    /// Where it stood.
    pub place: String,
    /// What it was.
    pub what: String,
    /// What became of it.
    pub fate: Fate,
    /// How, for a person.
    pub how: String,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fate::Translated => "translated",
            Fate::Kept => "kept",
            Fate::Sidecar => "sidecar",
            Fate::Gone => "not needed",
            Fate::Impossible => "IMPOSSIBLE",
            Fate::Differs => "DIFFERS",
        })
    }
}

/// The report as Markdown.
pub(super) fn text(source: &str, lines: &[ReportLine]) -> String {
    let mut text = format!(
        "# What became of {source}\n\n`DIFFERS` and `IMPOSSIBLE` are what to read: everything else does what it did.\n\n\
         | where | what | became | how |\n|---|---|---|---|\n"
    );
    for ReportLine { place, what, fate, how } in lines {
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        text.push_str(&format!("| {} | `{}` | {fate} | {} |\n", cell(place), cell(what), cell(how)));
    }
    text
}
