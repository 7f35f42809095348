//! Hashes, each with its own promise.
//!
//! [`randomness`] must give the same answer forever and on every node, because two agents that sample by the same
//! key must keep the same records: XXH3, whose output is fixed by its specification. [`WordHasher`] only spreads
//! table keys and may change with any release; it takes eight bytes per step because the guest is interpreted.

use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Hashes table keys; not stable across releases, never used for a decision.
pub type BuildWordHasher = BuildHasherDefault<WordHasher>;

/// The 56-bit randomness of a sampling key, as the engine's `sample::Threshold` compares it.
///
/// XXH3-64 of the key with `seed`, its low 8 bits cut off. Records with equal keys get equal randomness on every
/// node, whatever the rate: what a low rate keeps, a higher one keeps too.
pub fn randomness(key: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(key, seed) >> 8
}

/// XXH3-64 of a text: the same for ever, for what is written to disk or compared between nodes.
pub fn xxh3(text: &[u8]) -> u64 {
    xxh3_64_with_seed(text, 0)
}

/// A multiply-and-rotate hasher over 8-byte words.
#[derive(Default, Clone, Copy)]
pub struct WordHasher(u64);

impl WordHasher {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        // Tables take their slot from the low bits and their tag from the high ones; a multiply fills only the high.
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut left = bytes;
        while let Some((block, behind)) = left.split_first_chunk::<32>() {
            block.as_chunks::<8>().0.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
            left = behind;
        }
        while let Some((word, behind)) = left.split_first_chunk::<8>() {
            self.mix(u64::from_le_bytes(*word));
            left = behind;
        }
        // The last word overlaps the one before.
        let last = match bytes.last_chunk::<8>() {
            Some(word) => *word,
            None => {
                let mut word = [0u8; 8];
                word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                word
            }
        };
        self.mix(u64::from_le_bytes(last) ^ ((bytes.len() as u64) << 56));
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_u8(&mut self, _: u8) {
        // `str` ends its hash with a 0xff byte to keep neighbouring strings apart; our keys are hashed alone.
    }
}

/// What [`WordHasher`] makes of a text.
pub fn words(text: &[u8]) -> u64 {
    let mut hasher = WordHasher::default();
    hasher.write(text);
    hasher.finish()
}

/// A bit for a key, by its length and its ends: two keys that share one are seldom the same, and two that do not never.
#[inline]
pub const fn key_bit(key: &[u8]) -> u64 {
    let (Some(first), Some(last)) = (key.first(), key.last()) else { return 1 };
    let mixed = (key.len() as u32).wrapping_mul(7) ^ *first as u32 ^ (*last as u32).wrapping_mul(5);
    1u64.wrapping_shl(mixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first value is the published XXH3-64 of the empty input with seed 0 (0x2d06800538d394c2).
    #[test]
    fn randomness_is_the_published_xxh3() {
        assert_eq!(randomness(b"", 0), 0x002d_0680_0538_d394);
        assert!(randomness(b"checkout", 7) < 1 << 56);
        assert_ne!(randomness(b"checkout", 7), randomness(b"checkout", 8));
    }

    #[test]
    fn keys_that_share_a_long_prefix_spread_over_the_low_bits() {
        let mut buckets = [0u32; 64];
        for n in 0..6400 {
            let mut hasher = WordHasher::default();
            hasher.write(format!("kube.var.log.containers.checkout-7d9f8b6c5-{n:05}_shop-eu_app").as_bytes());
            buckets[(hasher.finish() & 63) as usize] += 1;
        }
        assert!(buckets.iter().all(|&count| (40..=170).contains(&count)), "{buckets:?}");
    }
}
