//! The seed of hashes, from the file that the rules name.
//!
//! The rule kept here: without it nothing is shown that would be hashed; and as soon as the file is there, it is read.

use super::Housekeeping;
use crate::files::{read_bytes, say};
use nodesieve_engine::metrics::Metric;
use nodesieve_engine::redact::{SEED_BYTES, Seed};
use std::path::Path;

impl Housekeeping {
    /// Reads the seed for rules that have just been put in force, and says once what is wrong with it.
    pub(super) fn read_redact_seed(&mut self) {
        let Some(path) = self.engine.rules().redact_seed.clone() else {
            return self.engine.set_redact_seed(None);
        };
        let found = read_bytes(Path::new(&path), MOST);
        let seed = found.as_deref().ok().and_then(Seed::new);
        let is_there = seed.is_some();
        self.engine.set_redact_seed(seed);
        if !is_there && self.lacks_redact_seed() {
            let reason = match found {
                Ok(_) => format!("it has less than {SEED_BYTES} bytes"),
                Err(error) => error.to_string(),
            };
            say(&format!("nodesieve: read redact_seed {path}: {reason}; what would be hashed is masked\n"));
        }
    }

    /// Looks again for a seed that was not there.
    pub(super) fn seek_redact_seed(&mut self) {
        if !self.lacks_redact_seed() {
            return;
        }
        let path = self.engine.rules().redact_seed.as_ref();
        let found = path.and_then(|path| read_bytes(Path::new(path), MOST).ok());
        if let Some(seed) = found.as_deref().and_then(Seed::new) {
            self.engine.set_redact_seed(Some(seed));
        }
    }

    fn lacks_redact_seed(&self) -> bool {
        self.engine.counters().get(Metric::RedactSeedMissing) > 0
    }
}

/// Bytes of the file that count.
const MOST: u64 = 4096;
