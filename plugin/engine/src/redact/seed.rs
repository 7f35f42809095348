//! The key of `with: hash`: who has it can tell whether two records name the same person, and nobody else can find out who that is by
//! trying all there are.
//!
//! Source: HMAC (RFC 2104) with SHA-256 (FIPS 180-4), of which the first 64 bits are shown.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;

/// A key, ready to hash with.
#[derive(Clone)]
pub struct Seed(Hmac<Sha256>);

impl Seed {
    /// A key from what a file holds, without blanks around it; `None` of less than [`SEED_BYTES`].
    pub fn new(bytes: &[u8]) -> Option<Seed> {
        let bytes = bytes.trim_ascii();
        if bytes.len() < SEED_BYTES {
            return None;
        }
        Hmac::new_from_slice(bytes).ok().map(Seed)
    }

    /// One that everybody knows, for trying rules out: what is hashed with it is no secret.
    pub fn to_try() -> Option<Seed> {
        Seed::new(b"nodesieve tries rules with this")
    }

    /// The hash of a text, as 16 hexadecimal digits.
    pub(super) fn hash(&self, text: &[u8]) -> String {
        let mut hmac = self.0.clone();
        hmac.update(text);
        let hash = hmac.finalize().into_bytes();
        hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Nothing of the key is shown.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed")
    }
}

/// Bytes that a seed has at least: fewer could be tried out.
pub const SEED_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_hmac_with_sha_256_does() {
        // RFC 4231, test case 2, has a key of four bytes; this is case 1.
        let seed = Seed::new(&[0x0b; 20]).unwrap();
        assert_eq!(seed.hash(b"Hi There"), "b0344c61d8db3853");
    }

    #[test]
    fn a_seed_that_could_be_tried_out_is_none() {
        assert!(Seed::new(b"  fifteen bytes..\n").is_none() && Seed::new(b"sixteen bytes...\n").is_some());
        assert_eq!(format!("{:?}", Seed::new(b"sixteen bytes...")), "Some(Seed)");
    }
}
