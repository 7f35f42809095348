//! Mistakes in a rule file as JSON, for programs and for an editor.

use nodesieve_engine::diag::Diagnostic;
use serde::Serialize;

/// A mistake as `--format json` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// The stable code.
    pub code: &'static str,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A finding with its place as an editor counts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// What is wrong and where.
    #[serde(flatten)]
    pub finding: Finding,
    /// Where it starts, in UTF-16 units from the start of the source.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
}

/// A diagnostic as a finding in `file`.
pub fn finding(diagnostic: &Diagnostic, source: &str, file: &str) -> Finding {
    let (line, column) = diagnostic.position(source);
    Finding {
        file: file.to_owned(),
        line,
        column,
        code: diagnostic.code.name(),
        severity: if diagnostic.code.is_warning() { "warning" } else { "error" },
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone(),
    }
}

/// A diagnostic with its place in UTF-16 units.
pub fn placed(diagnostic: &Diagnostic, source: &str, file: &str) -> Placed {
    let units = |byte: usize| {
        let end = source.floor_char_boundary(byte);
        source.get(..end).unwrap_or_default().encode_utf16().count()
    };
    let (from, to) = (units(diagnostic.span.start), units(diagnostic.span.end));
    Placed { finding: finding(diagnostic, source, file), from, to: to.max(from) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodesieve_engine::diag::Code;

    #[test]
    fn places_are_counted_as_an_editor_counts_them() {
        let source = "a: \"😀é\"\nbad: 1\n";
        let start = source.find("bad").unwrap();
        let placed = placed(&Diagnostic::new(Code::UnknownKey, start..start + 3, "m"), source, "f");
        assert_eq!((placed.from, placed.to), (9, 12));
        assert_eq!((placed.finding.line, placed.finding.column, placed.finding.severity), (2, 1, "error"));
    }
}
