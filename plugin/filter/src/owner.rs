//! Whose the state directory is: two filters that write one state file would report the counts of both twice, or lose them.
//!
//! Two `wasm` filters in one Fluent Bit have the same rule file, and so the same `state.dir`. There are no locks under WASI, so
//! the owner writes its name and the time into a file, every tick. The rule kept here: who finds a name that is still being
//! written keeps off, and says so; who finds one that is not written any more is the next life of a filter that has ended, and
//! takes over.

use crate::files::write_whole;
use nodesieve_engine::time::Now;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file, in the state directory.
pub(crate) const OWNER_FILE: &str = "state.owner";
/// How long a name is believed that is not written again.
const STALE: Duration = Duration::from_secs(3);

/// Whether the state may be read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is ours.
    Own,
    /// It may be another's; nobody knows yet.
    Waiting,
    /// Another filter lives and writes it.
    Refused,
}

/// The claim of one filter to one directory.
#[derive(Debug)]
pub(crate) struct Owner {
    name: String,
    file: PathBuf,
    claim: Claim,
}

#[derive(Debug)]
enum Claim {
    /// Nothing has been looked at.
    None,
    /// Another name was there and not old, since then.
    Watching {
        seen: String,
        since: Now,
    },
    Owned,
    Refused,
}

impl Owner {
    /// A claim to `directory` that has not been made. `instance` is a number of this filter's own.
    pub(crate) fn new(directory: &Path, instance: u64) -> Owner {
        let file = directory.join(OWNER_FILE);
        Owner { name: format!("{instance:016x}"), file, claim: Claim::None }
    }

    /// Makes the claim, holds it, or waits for it. Called on every tick, and before the first record.
    pub(crate) fn check(&mut self, now: Now) -> Standing {
        let written = fs::read_to_string(&self.file).unwrap_or_default();
        let name = written.split_whitespace().next();
        let is_ours = name == Some(self.name.as_str());
        self.claim = match std::mem::replace(&mut self.claim, Claim::None) {
            Claim::None if name.is_none() || is_ours || is_stale(&written, now) => Claim::Owned,
            Claim::None => Claim::Watching { seen: written, since: now },
            Claim::Watching { seen, .. } if seen != written && !is_ours => Claim::Refused,
            // A clock that went back says nothing about how long it was.
            Claim::Watching { since, .. } if now.since(since).is_none_or(|waited| waited >= STALE) => {
                Claim::Owned
            }
            Claim::Watching { seen, since } => Claim::Watching { seen, since },
            Claim::Owned if name.is_some() && !is_ours => Claim::Refused,
            Claim::Owned => Claim::Owned,
            Claim::Refused => Claim::Refused,
        };
        match self.claim {
            Claim::Owned => {
                // One that cannot be written says so when the state cannot be written either.
                let _ = write_whole(&self.file, format!("{} {}\n", self.name, now.0).as_bytes());
                Standing::Own
            }
            Claim::None | Claim::Watching { .. } => Standing::Waiting,
            Claim::Refused => Standing::Refused,
        }
    }
}

/// Whether the time in what is written is long ago, or no time at all.
fn is_stale(written: &str, now: Now) -> bool {
    let time = written.split_whitespace().nth(1).and_then(|time| time.parse().ok()).map(Now);
    time.and_then(|time| now.since(time)).is_none_or(|age| age >= STALE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now(seconds * 1_000_000_000)
    }

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path = std::env::temp_dir().join(format!("nodesieve-owner-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Scratch(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn of_two_that_live_the_second_keeps_off() {
        let scratch = Scratch::new("two");
        let (mut one, mut other) = (Owner::new(&scratch.0, 1), Owner::new(&scratch.0, 2));
        assert_eq!(one.check(at(10)), Standing::Own);
        assert_eq!(other.check(at(10)), Standing::Waiting);
        assert_eq!((one.check(at(11)), other.check(at(11))), (Standing::Own, Standing::Refused));
        assert_eq!((one.check(at(12)), other.check(at(60))), (Standing::Own, Standing::Refused));
    }

    #[test]
    fn the_next_life_takes_over_from_one_that_has_ended() {
        let scratch = Scratch::new("next");
        assert_eq!(Owner::new(&scratch.0, 1).check(at(10)), Standing::Own);
        let mut soon = Owner::new(&scratch.0, 2);
        assert_eq!(
            [11, 12, 13, 14].map(|second| soon.check(at(second))),
            [Standing::Waiting, Standing::Waiting, Standing::Waiting, Standing::Own]
        );
        let mut late = Owner::new(&scratch.0, 3);
        assert_eq!(late.check(at(30)), Standing::Own);
        // The one before it, should it still live, sees that it is another's now.
        assert_eq!(soon.check(at(30)), Standing::Refused);
    }
}
