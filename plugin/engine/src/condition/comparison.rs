//! Comparisons as they are written in front of a value: `>=error`, `<60s`.

/// A comparison of two ordered values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `=`, or no sign
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    More,
}

impl Ordered {
    /// Whether `left` compares to `right` as asked.
    pub fn holds<T: Ord>(self, left: T, right: T) -> bool {
        match self {
            Ordered::Less => left < right,
            Ordered::AtMost => left <= right,
            Ordered::Equal => left == right,
            Ordered::AtLeast => left >= right,
            Ordered::More => left > right,
        }
    }

    /// The comparison in front of a text, and the rest of it.
    pub(super) fn split(text: &str) -> (Ordered, &str) {
        for (sign, comparison) in [
            ("<=", Ordered::AtMost),
            (">=", Ordered::AtLeast),
            ("<", Ordered::Less),
            (">", Ordered::More),
            ("=", Ordered::Equal),
        ] {
            if let Some(rest) = text.strip_prefix(sign) {
                return (comparison, rest.trim());
            }
        }
        (Ordered::Equal, text)
    }
}
