//! Guards and rules by their places, and what is known of how far a record was asked for.
//!
//! The rule kept here: an id is good for the set that gave it out, and for no other.

/// A guard or rule of a set, by its place in guards and rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RuleId(pub(super) usize);

/// How far a record was asked for by the guards and rules of its tag, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskedUntil {
    /// Nobody knows.
    Unknown,
    /// It meets the conditions of this one, and of none before it.
    Met(RuleId),
    /// It meets those of none.
    End,
}

impl AskedUntil {
    /// Whether it meets the conditions of this one, if that is known.
    #[inline]
    pub(super) fn has_met(self, id: Option<RuleId>) -> Option<bool> {
        let id = id?;
        match self {
            AskedUntil::Met(last) if id == last => Some(true),
            AskedUntil::Met(last) if id > last => None,
            AskedUntil::Met(_) | AskedUntil::End => Some(false),
            AskedUntil::Unknown => None,
        }
    }
}

/// The bit that every line has.
pub(super) const NO_TEXT: u64 = 1 << 63;
