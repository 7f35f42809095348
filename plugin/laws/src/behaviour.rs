//! What an input came to, as a number: two inputs with the same number are the same news.

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher as _};

/// What an input came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Behaviour(u64);

impl Behaviour {
    /// The number of what can be told apart.
    pub fn of(what: impl Hash) -> Behaviour {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        Behaviour(hasher.finish())
    }
}

/// The name of an enum's variant, without what is in it.
pub(crate) fn variant(value: &impl Debug) -> String {
    let shown = format!("{value:?}");
    shown.split(|end: char| !end.is_alphanumeric()).next().unwrap_or_default().to_owned()
}
