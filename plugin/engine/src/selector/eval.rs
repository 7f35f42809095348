//! Whether a requirement holds for a label: `Requirement.Matches` of apimachinery.

use crate::selector::{LabelCondition, Requirement};

impl Requirement {
    /// Whether it holds for the value of its label, which is `None` where the label is missing.
    pub(super) fn holds(&self, label: Option<&str>) -> bool {
        match &self.condition {
            LabelCondition::Exists => label.is_some(),
            LabelCondition::Absent => label.is_none(),
            LabelCondition::Equals(_, value) => label == Some(value.as_str()),
            LabelCondition::Differs(value) => label != Some(value.as_str()),
            LabelCondition::In(values) => label.is_some_and(|label| values.contains(label)),
            LabelCondition::NotIn(values) => !label.is_some_and(|label| values.contains(label)),
            LabelCondition::Above(bound) => label.and_then(integer).is_some_and(|label| label > bound.number),
            LabelCondition::Below(bound) => label.and_then(integer).is_some_and(|label| label < bound.number),
        }
    }
}

/// What `strconv.ParseInt(text, 10, 64)` reads, which Rust reads alike: one sign or none, ASCII digits, no overflow.
pub(super) fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}
