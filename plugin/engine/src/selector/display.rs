//! A selector printed in its normal form, so that it reads back as itself.

use crate::selector::{EqualsSign, LabelCondition, Requirement, Selector};
use std::collections::BTreeSet;
use std::fmt;

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            fmt::Display::fmt(requirement, f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.condition == LabelCondition::Absent {
            f.write_str("!")?;
        }
        f.write_str(&self.key)?;
        let (operator, value) = match &self.condition {
            LabelCondition::Exists | LabelCondition::Absent => return Ok(()),
            LabelCondition::In(values) => return set(f, " in (", values),
            LabelCondition::NotIn(values) => return set(f, " notin (", values),
            LabelCondition::Equals(EqualsSign::Single, value) => ("=", value),
            LabelCondition::Equals(EqualsSign::Double, value) => ("==", value),
            LabelCondition::Differs(value) => ("!=", value),
            LabelCondition::Above(bound) => (">", &bound.digits),
            LabelCondition::Below(bound) => ("<", &bound.digits),
        };
        f.write_str(operator)?;
        f.write_str(value)
    }
}

/// The empty value sorts first, so a set with it starts with a comma: `(,a)`.
fn set(f: &mut fmt::Formatter<'_>, opening: &str, values: &BTreeSet<String>) -> fmt::Result {
    f.write_str(opening)?;
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            f.write_str(",")?;
        }
        f.write_str(value)?;
    }
    f.write_str(")")
}
