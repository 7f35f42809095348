//! About how many keys there were, counted in the bits of a small table.

/// How many distinct keys came, told from a bitmap of their hashes.
#[derive(Default, Debug)]
pub(super) struct Distinct {
    bits: Option<Box<[u64; WORDS]>>,
    set: u32,
    pub(super) count: f64,
}

impl Distinct {
    /// A new key finds a free bit with the chance free / all, so each one that does stands for all / free keys. Grows
    /// to some 78,000 at most, when all bits are set. (The logarithm of linear counting would pull in a library.)
    pub(super) fn insert(&mut self, key: u64) {
        let bits = self.bits.get_or_insert_with(|| Box::new([0; WORDS]));
        // Mixed once more: the caller's table takes its place from the same hash.
        let place = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 51;
        let mask = 1u64 << (place % 64);
        if let Some(word) = bits.get_mut((place / 64) as usize)
            && *word & mask == 0
        {
            *word |= mask;
            self.count += f64::from(BITS) / f64::from(BITS.saturating_sub(self.set).max(1));
            self.set = self.set.saturating_add(1);
        }
    }

    /// The count; begins anew.
    pub(super) fn take(&mut self) -> f64 {
        match &mut self.bits {
            Some(bits) if self.set > 0 => bits.fill(0),
            // Nothing came for a whole interval.
            _ => self.bits = None,
        }
        self.set = 0;
        std::mem::take(&mut self.count)
    }
}

/// 2^13: the place of a bit is the highest 13 bits of a hash.
pub(super) const BITS: u32 = 8192;

pub(super) const WORDS: usize = 128;
