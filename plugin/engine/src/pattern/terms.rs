//! Term patterns, compiled and matched.

use crate::line::Line;
use crate::pattern::search::Needle;

/// What a term asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It must occur.
    Plain,
    /// It must not occur.
    Excluded,
    /// One of these must occur, unless the pattern has terms of another sign.
    Optional,
}

/// The terms of a pattern in the order written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms(Vec<(Sign, Needle)>);

impl Terms {
    /// Adds a term; its text is not empty.
    pub(super) fn push(&mut self, sign: Sign, text: String) {
        self.0.push((sign, Needle::new(text)));
    }

    /// The terms with their signs.
    pub fn iter(&self) -> impl Iterator<Item = (Sign, &str)> {
        self.0.iter().map(|(sign, needle)| (*sign, needle.text()))
    }

    /// Whether the pattern has optional terms that decide nothing, because plain or excluded ones stand beside them.
    pub fn optional_are_ignored(&self) -> bool {
        self.has(Sign::Optional) && (self.has(Sign::Plain) || self.has(Sign::Excluded))
    }

    /// Whether the line matches.
    pub fn matches(&self, line: &Line<'_>) -> bool {
        let mut only_optional = true;
        for (sign, needle) in &self.0 {
            let wanted = match sign {
                Sign::Optional => continue,
                Sign::Plain => true,
                Sign::Excluded => false,
            };
            only_optional = false;
            if needle.occurs_in(line) != wanted {
                return false;
            }
        }
        !only_optional || self.0.is_empty() || self.0.iter().any(|(_, needle)| needle.occurs_in(line))
    }

    fn has(&self, wanted: Sign) -> bool {
        self.0.iter().any(|(sign, _)| *sign == wanted)
    }
}

#[cfg(test)]
mod tests {
    use crate::json::push_string;
    use crate::line::Line;
    use crate::pattern::Pattern;

    /// Checks a pattern against events; `+` before an event that must match, `-` before one that must not.
    #[track_caller]
    fn check(pattern: &str, events: &[&str]) {
        let compiled = Pattern::parse(pattern).unwrap();
        for event in events {
            let (expected, event) = event.split_at(1);
            let mut content = Vec::new();
            push_string(&mut content, event.as_bytes());
            let line = Line::new(&content[1..content.len() - 1]);
            assert_eq!(compiled.matches(&line), expected == "+", "{pattern} on {event}");
        }
    }

    #[test]
    fn terms_are_substrings_and_all_must_occur() {
        check("ERROR", &["+[ERROR 400] BAD REQUEST", "+a1ERRORCODE: -1", "-[Error] x", "-"]);
        check("ERROR ARGUMENTS", &["+[ERROR 419] MISSING ARGUMENTS", "-[ERROR 401] UNAUTHORIZED REQUEST"]);
        check("\"INTERNAL SERVER ERROR\"", &["+[ERROR 500] INTERNAL SERVER ERROR", "-INTERNAL ERROR SERVER"]);
        check(
            "\"[ERROR]\" Exception",
            &["+16 [ERROR] Unhanded exception: InvalidQueryException", "-[INFO] Exception"],
        );
    }

    #[test]
    fn excluded_terms_must_not_occur() {
        check("ERROR -ARGUMENTS", &["+[ERROR 400] BAD REQUEST", "-[ERROR 419] MISSING ARGUMENTS", "-INFO"]);
        check("-ERROR", &["+all fine", "-[ERROR 400]", "+"]);
        check(
            "\"ERROR\" - \"Exiting\"",
            &["-Exiting with ERRORCODE: -1", "+[ERROR] A fatal exception has occurred"],
        );
        check("a-b", &["+a", "-a-b", "-ab"]);
    }

    #[test]
    fn optional_terms_count_only_among_themselves() {
        check("?ERROR ?ARGUMENTS", &["+[ERROR 400]", "+[INFO] INVALID ARGUMENTS PROVIDED", "-[INFO] 200 OK"]);
        check("?ERROR ?ARGUMENTS REQUEST", &["+[INFO] REQUEST FAILED", "-[ERROR 419] MISSING ARGUMENTS"]);
        check("?ERROR -x", &["+nothing", "-ERROR x"]);
    }

    #[test]
    fn empty_patterns_match_everything() {
        check("", &["+anything", "+"]);
        check("   ", &["+anything"]);
        check("\" \"", &["+x", "+a b", "+"]);
    }

    #[test]
    fn a_phrase_may_hold_what_json_escapes() {
        check("\"\\\"GET\"", &["+10.0.0.1 \"GET / HTTP/1.1\"", "-GET /"]);
        check("\"C:\\\\temp\"", &["+in C:\\temp\\x", "-in C:/temp"]);
        check("nERROR", &["-a\nERROR", "+nERROR", "+a\nnERROR"]);
        check("größe", &["+die größe", "-die grosse"]);
        check("\"\u{1b}[31m\"", &["+\u{1b}[31mred"]);
        check("ERR", &["+ERR\n"]);
    }
}
