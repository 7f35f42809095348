//! Whether a requirement holds for a label: `Requirement.Matches` of apimachinery.

use crate::selector::{Condition, Requirement};

impl Requirement {
    /// Whether it holds for the value of its label, which is `None` where the label is missing.
    pub(super) fn holds(&self, label: Option<&str>) -> bool {
        match &self.condition {
            Condition::Exists => label.is_some(),
            Condition::Absent => label.is_none(),
            Condition::Equals(_, value) => label == Some(value.as_str()),
            Condition::Differs(value) => label != Some(value.as_str()),
            Condition::In(values) => label.is_some_and(|label| values.contains(label)),
            Condition::NotIn(values) => !label.is_some_and(|label| values.contains(label)),
            Condition::Above(bound) => label.and_then(integer).is_some_and(|label| label > bound.number),
            Condition::Below(bound) => label.and_then(integer).is_some_and(|label| label < bound.number),
        }
    }
}

/// What `strconv.ParseInt(text, 10, 64)` reads, which Rust reads alike: one sign or none, ASCII digits, no overflow.
pub(super) fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}
