//! The section `tap`: who may look at verdicts while they are made, and for how much; and what somebody asks to see.
//!
//! The rule kept here: the rule file sets the limits, a request stays below them. A request is text from outside: whatever is in it,
//! the answer is a request that is good or a reason.

use crate::diag::Code;
use crate::glob::Globs;
use crate::json::{self, Level, Outline, Value};
use crate::pattern::Pattern;
use crate::policy::Action;
use crate::time::Now;
use crate::yaml::{Mistakes, Node, Section};
use std::fmt;
use std::time::Duration;

/// What a tap may at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tap {
    /// The file in which somebody asks.
    pub request: String,
    /// The file that has the last lines.
    pub file: String,
    /// Whether lines may be shown as they are; else what varies in them is masked.
    pub raw: bool,
    /// Lines a second.
    pub rate: u32,
    /// Bytes of the file.
    pub bytes: usize,
    /// How long one request holds.
    pub longest: Duration,
}

impl Default for Tap {
    fn default() -> Tap {
        Tap {
            request: "/run/nodesieve/pods/.tap".into(),
            file: "/run/nodesieve/tap.ndjson".into(),
            raw: false,
            rate: 50,
            bytes: 256 << 10,
            longest: Duration::from_secs(600),
        }
    }
}

impl Tap {
    /// Reads the section.
    pub(crate) fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Tap> {
        let known = ["request", "file", "raw", "rate", "bytes", "longest"];
        let section = Section::open(node, "tap", &known, mistakes)?;
        let mut tap = Tap::default();
        for (key, what, slot) in
            [("request", "tap.request", &mut tap.request), ("file", "tap.file", &mut tap.file)]
        {
            if let Some(node) = section.get(key) {
                *slot = mistakes.path(node, what)?;
            }
        }
        if let Some(node) = section.get("raw") {
            tap.raw = mistakes.boolean(node, "tap.raw")?;
        }
        if let Some(node) = section.get("rate") {
            tap.rate = u32::try_from(mistakes.count(node, "tap.rate", 1..=1000)?).unwrap_or(tap.rate);
        }
        if let Some(node) = section.get("bytes") {
            tap.bytes = mistakes.size(node, "tap.bytes", (16 << 10)..=(1 << 20))?;
        }
        if let Some(node) = section.get("longest") {
            tap.longest = mistakes.duration(node, "tap.longest")?;
            if tap.longest > Duration::from_secs(3600) {
                mistakes.note(
                    Code::Duration,
                    &node.span,
                    "a tap holds for an hour at most: somebody watches it",
                );
            }
        }
        if tap.request == tap.file {
            mistakes.note(
                Code::Path,
                &node.span,
                "tap.request and tap.file must be apart: answers are no requests",
            );
        }
        Some(tap)
    }
}

/// What somebody asks to see.
#[derive(Clone, Debug, PartialEq)]
pub struct TapRequest {
    /// Until when, by the clock.
    pub until: Now,
    /// Only kept ones, or only dropped ones.
    pub verdict: Option<Action>,
    /// Names of guards, rules and outcomes.
    pub rule: Option<Globs>,
    /// Namespaces.
    pub namespace: Option<Globs>,
    /// Of all these a share, 0 to 1.
    pub sample: f64,
    /// What the line matches.
    pub pattern: Option<Pattern>,
    /// Whether lines are to be shown as they are.
    pub raw: bool,
    /// Lines a second.
    pub rate: u32,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TapError {
    /// It is no JSON object.
    NoObject,
    /// A member that nobody knows.
    Unknown(String),
    /// A member with a value that it cannot have: the member and what it may be.
    Value(&'static str, String),
    /// Lines as they are, which the rule file does not allow.
    Raw,
}

impl fmt::Display for TapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TapError::NoObject => f.write_str("read tap request: it is not one JSON object"),
            TapError::Unknown(name) => {
                write!(f, "read tap request: `{name}` is nothing that can be asked for")
            }
            TapError::Value(name, reason) => write!(f, "read tap request: {name}: {reason}"),
            TapError::Raw => {
                f.write_str("read tap request: raw: the rule file does not say `tap: { raw: true }`")
            }
        }
    }
}

impl std::error::Error for TapError {}

impl TapRequest {
    /// Reads a request, such as `{"until":1795168800,"rule":"probes","verdict":"dropped","sample":0.1}`.
    ///
    /// # Errors
    /// [`TapError`].
    pub fn read(text: &str, tap: &Tap, now: Now) -> Result<TapRequest, TapError> {
        let outline = Outline::of(text.as_bytes(), Level::Plain).ok_or(TapError::NoObject)?;
        let mut request = TapRequest {
            until: Now(0),
            verdict: None,
            rule: None,
            namespace: None,
            sample: 1.0,
            pattern: None,
            raw: false,
            rate: tap.rate,
        };
        for name in outline.names(text.as_bytes()) {
            let value = outline.get(text.as_bytes(), Level::Plain, name.as_bytes());
            let string = match value {
                Some(Value::String(content)) => String::from_utf8(json::unescape(content)).ok(),
                Some(Value::Scalar(text)) => std::str::from_utf8(text).ok().map(str::to_owned),
                _ => None,
            };
            let value = string.unwrap_or_default();
            let wrong = |name: &'static str, reason: &str| {
                TapError::Value(name, format!("{reason}, found `{value}`"))
            };
            match name.as_str() {
                "until" => {
                    let seconds = value.parse::<u64>().map_err(|_| wrong("until", "seconds since 1970"))?;
                    request.until = Now(seconds.saturating_mul(1_000_000_000));
                }
                "verdict" => {
                    request.verdict = Some(match value.as_str() {
                        "kept" => Action::Keep,
                        "dropped" => Action::Drop,
                        _ => return Err(wrong("verdict", "kept or dropped")),
                    });
                }
                "rule" => request.rule = Some(Globs::new([value.as_str()])),
                "namespace" => request.namespace = Some(Globs::new([value.as_str()])),
                "sample" => {
                    let share = value.parse::<f64>().ok().filter(|share| *share > 0.0 && *share <= 1.0);
                    request.sample = share.ok_or_else(|| wrong("sample", "a share above 0, at most 1"))?;
                }
                "match" => {
                    let pattern = Pattern::parse(&value);
                    request.pattern = Some(pattern.map_err(|error| wrong("match", &error.to_string()))?);
                }
                "raw" => {
                    request.raw = value == "true";
                    if request.raw && !tap.raw {
                        return Err(TapError::Raw);
                    }
                }
                "rate" => {
                    let rate = value.parse::<u32>().ok().filter(|rate| *rate > 0);
                    request.rate = rate.ok_or_else(|| wrong("rate", "lines a second"))?.min(tap.rate);
                }
                _ => return Err(TapError::Unknown(name)),
            }
        }
        let longest = u64::try_from(tap.longest.as_nanos()).unwrap_or(u64::MAX);
        request.until = Now(request.until.0.min(now.0.saturating_add(longest)));
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Now = Now(1_795_168_800_000_000_000);

    fn read(text: &str) -> Result<TapRequest, TapError> {
        TapRequest::read(text, &Tap::default(), NOW)
    }

    #[test]
    fn a_request_stays_below_the_limits_of_the_rule_file() {
        let request =
            read(r#"{"until":9999999999,"rate":100000,"sample":0.5,"rule":"probe*","verdict":"dropped"}"#)
                .unwrap();
        assert_eq!(request.until, Now(NOW.0 + 600_000_000_000));
        assert_eq!((request.rate, request.sample, request.verdict), (50, 0.5, Some(Action::Drop)));
        assert!(request.rule.unwrap().matches("probes"));
        assert_eq!(read("{}").unwrap().until, Now(0), "without an end it is over");
    }

    proptest! {
        /// Whatever stands in the file, there is a request within the limits or a reason.
        #[test]
        fn any_text_is_a_request_or_a_reason(
            text in prop_oneof![".*", r#"\{("(until|rate|sample|match|rule|raw)":("?[0-9a-z.*{}$ =-]{0,9}"?),?){0,4}\}"#]
        ) {
            if let Ok(request) = read(&text) {
                prop_assert!(request.until.0 <= NOW.0 + 600_000_000_000 && request.rate <= 50);
                prop_assert!(request.sample > 0.0 && request.sample <= 1.0 && !request.raw);
            }
        }
    }

    #[test]
    fn what_is_no_request_is_told_with_its_member() {
        for (text, reason) in [
            ("", "not one JSON object"),
            ("[]", "not one JSON object"),
            (r#"{"until":"soon"}"#, "until: seconds since 1970, found `soon`"),
            (r#"{"verdict":"lost"}"#, "verdict: kept or dropped, found `lost`"),
            (r#"{"sample":0}"#, "sample: "),
            (r#"{"sample":"NaN"}"#, "sample: "),
            (r#"{"match":"{ $.a"}"#, "match: "),
            (r#"{"rate":-1}"#, "rate: "),
            (r#"{"raw":true}"#, "raw: the rule file does not say"),
            (r#"{"rules":"a"}"#, "`rules` is nothing that can be asked for"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with("read tap request: ") && error.contains(reason), "{text}: {error}");
        }
    }
}
