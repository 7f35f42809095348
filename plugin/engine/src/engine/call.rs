//! One call of the host: what it hands over, and how it is answered.

use crate::engine::why::Why;
use crate::policy::Action;
use crate::time::{EventTime, Now};

/// The tag of the input that is our clock: [`super::Engine::tick`] takes its records, [`super::Engine::filter`] all others.
pub const TICK_TAG: &[u8] = b"nodesieve.tick";

/// One record as the host hands it over.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The tag.
    pub tag: &'a [u8],
    /// When the record says it happened.
    pub time: EventTime,
    /// The record as JSON text.
    pub text: &'a [u8],
}

/// Where the time of arrival comes from. To ask the host costs as much as a tenth of a record that is dropped at once, so it is
/// asked for what needs the time and not for every record.
pub trait Clock {
    /// The time, by the clock.
    fn now(&mut self) -> Now;
}

/// A clock that stands still.
impl Clock for Now {
    fn now(&mut self) -> Now {
        *self
    }
}

/// How the host is answered for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is dropped.
    Drop,
    /// It is kept as what was written to the output buffer.
    Keep,
    /// It is kept as it came: it could not be read.
    Echo,
}

/// What was decided and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Keep or drop.
    pub action: Action,
    /// What decided.
    pub why: Why,
}
