//! What `grep` and `throttle` did, as rules.
//!
//! Source of their meaning: Fluent Bit 5.1.1, plugins/filter_grep/grep.c and plugins/filter_throttle/throttle.c.

use super::chain::{Chain, Section};
use super::expression::Expression;
use super::report::{Fate, ReportLine};
use serde_json::{Map, Value, json};

/// A rule that takes the place of an old filter, or a part of it.
#[derive(Clone, Debug)]
pub(super) struct NewRule {
    pub(super) name: String,
    /// `when`, as YAML; empty for every record.
    pub(super) when: Vec<(&'static str, String)>,
    pub(super) action: RuleAction,
    pub(super) reason: String,
    /// A record that it decides.
    pub(super) sample: Option<Value>,
}

#[derive(Clone, Debug)]
pub(super) enum RuleAction {
    Drop,
    /// Rate and burst.
    Limit(String, u64),
}

/// What became of an old filter.
pub(super) struct Translated {
    pub(super) rules: Vec<NewRule>,
    /// Where the new one keeps or drops other records, for a person.
    pub(super) differs: Vec<String>,
}

/// What the `kubernetes` filter does to a record before others see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    /// Whether the old filter stands behind it.
    pub(super) is_behind: bool,
    pub(super) merges: bool,
    pub(super) keeps_log: bool,
}

/// A condition of a `grep`: a field and an expression.
struct Test {
    path: Vec<String>,
    expression: Expression,
    excludes: bool,
}

/// A `grep` as rules that drop.
///
/// # Errors
/// Why it cannot be translated, for a person.
pub(super) fn grep(
    filter: &Section,
    name: &str,
    chain: &Chain,
    before: Before,
) -> Result<Translated, String> {
    let mut tests = Vec::new();
    for (key, value) in &filter.properties {
        let excludes = match key.to_ascii_lowercase().as_str() {
            "regex" => false,
            "exclude" => true,
            "name" | "match" | "match_regex" | "logical_op" | "alias" | "log_level" => continue,
            other => return Err(format!("{other} is not known")),
        };
        let values = match value {
            Value::Array(items) => items.iter().map(super::chain::written).collect(),
            one => vec![super::chain::written(one)],
        };
        for value in values {
            tests.push(test(&chain.resolved(&value), excludes, before)?);
        }
    }
    let mut translated = Translated { rules: Vec::new(), differs: Vec::new() };
    let place = &filter.place;
    if tests.iter().any(|test| test.path.first().is_some_and(|key| key == "kubernetes") && !test.excludes) {
        translated.differs.push(
            "records whose metadata is not known (yet) are kept; grep drops them, because the field is missing".into(),
        );
    }
    let mut add = |condition: String, sample: Option<Value>, part: usize, what: &str| {
        let name = if part == 0 { name.to_owned() } else { format!("{name}-{}", part + 1) };
        translated.rules.push(NewRule {
            name,
            when: vec![("record", format!("{{ {condition} }}"))],
            action: RuleAction::Drop,
            reason: format!("{what} of grep at {place}"),
            sample,
        });
    };
    let operator = filter.text("logical_op").unwrap_or_default().to_ascii_lowercase();
    match operator.as_str() {
        "and" | "or" => {
            let excludes = tests.first().is_some_and(|test| test.excludes);
            let is_and = operator == "and";
            // What drops: every or any exclusion, no or not every expression that has to match.
            let all = tests.iter().map(|test| if excludes { test.matches() } else { test.misses() });
            let joint = if excludes == is_and { " && " } else { " || " };
            let condition = all.map(|one| format!("({one})")).collect::<Vec<_>>().join(joint);
            let sample = if excludes { together(&tests, is_and) } else { None };
            if !condition.is_empty() {
                add(condition, sample, 0, if excludes { "exclude" } else { "regex" });
            }
        }
        _ => {
            // One by one, and the first `regex` decides either way.
            for (part, test) in tests.iter().enumerate() {
                if test.excludes {
                    add(test.matches(), test.record(), part, "exclude");
                } else {
                    add(test.misses(), None, part, "regex");
                    if part + 1 < tests.len() {
                        translated.differs.push(
                            "what stands behind its first regex was never asked, and is left out".into(),
                        );
                    }
                    break;
                }
            }
        }
    }
    Ok(translated)
}

/// A line of the report for each option of a filter that rules take the place of.
pub(super) fn options(filter: &Section, rules: &[String]) -> Vec<ReportLine> {
    let line = |(key, value): &(String, Value)| {
        let (fate, how) = match key.to_ascii_lowercase().as_str() {
            "name" => return None,
            "match" | "match_regex" => (Fate::Translated, "the module takes the same records".to_owned()),
            "alias" | "log_level" => {
                (Fate::Gone, "is about a filter that is no more; metrics name the rules".to_owned())
            }
            "print_status" => {
                (Fate::Gone, "nodesieve_rule_dropped_total has the numbers, rule by rule".to_owned())
            }
            "rate" | "window" | "interval" => {
                (Fate::Translated, "`rate` and `burst` of the limit".to_owned())
            }
            _ => (Fate::Translated, format!("in {}", rules.join(", "))),
        };
        let values = match value {
            Value::Array(items) => items.iter().map(super::chain::written).collect::<Vec<_>>().join("; "),
            one => super::chain::written(one),
        };
        Some(ReportLine { place: filter.place.clone(), what: format!("{key} {values}"), fate, how })
    };
    filter.properties.iter().filter_map(line).collect()
}

fn test(value: &str, excludes: bool, before: Before) -> Result<Test, String> {
    let value = value.trim();
    let (key, expression) = value.split_once(' ').ok_or_else(|| format!("`{value}` has no expression"))?;
    if value.contains("${") {
        return Err("it has a variable of the environment".to_owned());
    }
    let path = path(key).ok_or_else(|| format!("`{key}` is no field that a rule can ask for"))?;
    let first = path.first().map(String::as_str).unwrap_or_default();
    let is_own = matches!(first, "log" | "stream" | "time" | "_p" | "kubernetes");
    if before.is_behind && before.merges && !is_own {
        return Err(format!(
            "`{key}` may come from the line that was merged, and rules see the record before that"
        ));
    }
    if before.is_behind && before.merges && !before.keeps_log && first == "log" {
        return Err(
            "without the line (Keep_Log Off) it sees only lines that were not merged, and rules see all"
                .to_owned(),
        );
    }
    if !before.is_behind && first == "kubernetes" {
        return Err("there is no metadata yet where it stands".to_owned());
    }
    let expression = Expression::translate(expression.trim())
        .map_err(|what| format!("its expression has {what}, which a pattern cannot say"))?;
    Ok(Test { path, expression, excludes })
}

/// The keys of `log`, `$log` or `$kubernetes['labels']['app']`.
fn path(key: &str) -> Option<Vec<String>> {
    let key = key.strip_prefix('$').unwrap_or(key);
    let (first, mut rest) = key.split_at(key.find('[').unwrap_or(key.len()));
    let mut path = vec![first.to_owned()];
    while let Some(inner) = rest.strip_prefix('[') {
        let (quoted, behind) = inner.split_once(']')?;
        let name = quoted
            .strip_prefix('\'')
            .and_then(|q| q.strip_suffix('\''))
            .or_else(|| quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"')))?;
        path.push(name.to_owned());
        rest = behind;
    }
    let is_plain = |name: &String| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
    };
    (rest.is_empty() && path.iter().all(is_plain)).then_some(path)
}

impl Test {
    fn selector(&self) -> String {
        let mut selector = "$".to_owned();
        for name in &self.path {
            let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            selector.push_str(&if is_word { format!(".{name}") } else { format!(".['{name}']") });
        }
        selector
    }

    fn matches(&self) -> String {
        format!("{} = {}", self.selector(), self.expression.pattern())
    }

    fn misses(&self) -> String {
        let selector = self.selector();
        format!("{selector} NOT EXISTS || {selector} != {}", self.expression.pattern())
    }

    /// A record that matches.
    fn record(&self) -> Option<Value> {
        let mut value = Value::from(self.expression.sample()?);
        for name in self.path.iter().rev() {
            value = json!({ name: value });
        }
        Some(value)
    }
}

/// A record that all match, or the first.
fn together(tests: &[Test], all: bool) -> Option<Value> {
    if !all {
        return tests.first()?.record();
    }
    let mut record = Map::new();
    for test in tests {
        let Value::Object(own) = test.record()? else { return None };
        for (key, value) in own {
            if record.insert(key, value).is_some() {
                return None;
            }
        }
    }
    Some(Value::Object(record))
}

/// A `throttle` as a limit on all that reaches it.
///
/// # Errors
/// Why it cannot be translated.
pub(super) fn throttle(filter: &Section, name: &str) -> Result<Translated, String> {
    let number =
        |key: &str, default: f64| filter.text(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rate, window) = (number("rate", 1.0), number("window", 5.0));
    // As the filter does it, which takes a rate of 1 and less for none.
    let rate = if rate <= 1.0 { 1.0 } else { rate };
    let interval = filter.text("interval").unwrap_or_else(|| "1".into());
    let (digits, unit) =
        interval.split_at(interval.find(|c: char| !c.is_ascii_digit()).unwrap_or(interval.len()));
    let seconds = match unit {
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("its interval `{interval}`")),
    } * digits.parse::<f64>().map_err(|_| format!("its interval `{interval}`"))?;
    let per_hour = rate * 3600.0 / seconds;
    let written = match () {
        () if (rate / seconds).fract() == 0.0 => format!("{}/s", rate / seconds),
        () if (per_hour / 60.0).fract() == 0.0 => format!("{}/m", per_hour / 60.0),
        () => format!("{}/h", per_hour.round().max(1.0)),
    };
    let burst = (rate * window).round().max(1.0) as u64;
    let rule = NewRule {
        name: name.to_owned(),
        when: Vec::new(),
        action: RuleAction::Limit(written, burst),
        reason: format!("throttle at {}", filter.place),
        sample: None,
    };
    let differs = vec![format!(
        "which records pass differs in a burst: throttle takes {rate} in each of {window} slices of {interval} on the average, and starts \
             afresh with every slice; the limit has {burst} at once and then goes by the clock. Over time both let as many through"
    )];
    Ok(Translated { rules: vec![rule], differs })
}
