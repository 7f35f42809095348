//! What a record must have for the conditions of a rule to hold, as far as that can be seen at a glance: most rules are not asked at
//! all about most records.
//!
//! The rule kept here: a need that is not met is a proof that the conditions do not hold. Whatever a condition cannot say so
//! cheaply it leaves open, so that it may always hold. Conditions under `not` have no needs, those
//! under `any` what all alternatives need.

/// What the conditions need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The levels, by [`crate::facts::level_bit`].
    pub(crate) levels: u8,
    /// The streams, by [`crate::facts::stream_bit`].
    pub(crate) streams: u8,
    /// The line has one of these texts, as the host writes them inside a JSON string; none: it need not have any.
    pub(crate) texts: Vec<Box<[u8]>>,
}

impl Default for Needs {
    /// Nothing.
    fn default() -> Needs {
        Needs { levels: u8::MAX, streams: u8::MAX, texts: Vec::new() }
    }
}

impl Needs {
    /// That the line has one of these texts.
    pub(crate) fn one_of(texts: Vec<Box<[u8]>>) -> Needs {
        Needs { texts, ..Needs::default() }
    }

    /// What is needed where one of several sets of conditions must hold: what each of them may be met with.
    pub(crate) fn of_any(all: impl Iterator<Item = Needs>) -> Needs {
        let mut either = Needs { levels: 0, streams: 0, texts: Vec::new() };
        let mut has_texts = true;
        for Needs { levels, streams, texts } in all {
            either.levels |= levels;
            either.streams |= streams;
            has_texts &= !texts.is_empty();
            either.texts.extend(texts);
        }
        if !has_texts || either.texts.len() > MOST_TEXTS {
            either.texts = Vec::new();
        }
        either
    }

    /// What is needed where all of several conditions must hold. Of the texts those stay that are the hardest to come by.
    pub(crate) fn and(self, other: Needs) -> Needs {
        let texts = if strength(&other.texts) > strength(&self.texts) { other.texts } else { self.texts };
        Needs { levels: self.levels & other.levels, streams: self.streams & other.streams, texts }
    }
}

/// Most texts of which a line has one: more are no help in passing lines by.
const MOST_TEXTS: usize = 16;

/// The length of the shortest text: long ones are found quickly and seldom.
fn strength(texts: &[Box<[u8]>]) -> usize {
    texts.iter().map(|text| text.len()).min().unwrap_or_default()
}
