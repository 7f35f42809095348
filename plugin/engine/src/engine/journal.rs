//! The journal: what changes between two writes of the saved state, one small write at a fixed place for each change.
//!
//! The host says nothing when it ends, so whatever is to outlive it must be on disk after every record. A row's unreported counts
//! are 32 bytes at a place of their own, overwritten whenever a record changes them; a header says whose journal it is, whether its
//! filter lives, and how many of the saved summaries the host has taken. The rule kept here: a place counts only when it is of the
//! epoch of the saved state beside it, so that what is written before a new state is saved never counts with that one, and a place
//! that is torn or none of ours counts as not written.

use crate::metrics::RowId;
use crate::time::Now;
use crate::unreported::Unreported;

/// Bytes of a place; the first is the header's.
pub const SLOT: usize = 32;

/// A write to a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalWrite {
    /// Where it goes.
    pub offset: u64,
    /// What goes there.
    pub bytes: [u8; SLOT],
}

/// The header of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalHeader {
    /// The epoch of the saved state in which the next number counts.
    pub epoch: u32,
    /// How many of that state's summaries the host has taken.
    pub taken: u32,
    /// When its filter wrote last.
    pub alive: Now,
}

/// A journal as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Journal<'j>(pub &'j [u8]);

impl JournalHeader {
    /// The header as written.
    pub fn write(self) -> JournalWrite {
        let words = [MAGIC, u64::from(self.epoch) << 32 | u64::from(self.taken), self.alive.0];
        JournalWrite { offset: 0, bytes: sealed(words, 0) }
    }
}

/// A row's unreported counts as written.
pub(super) fn write_row(epoch: u32, row: RowId, unreported: Unreported) -> JournalWrite {
    let place = place_of(row);
    let words = [u64::from(epoch), unreported.records, unreported.bytes];
    JournalWrite { offset: place.wrapping_mul(SLOT as u64), bytes: sealed(words, place) }
}

impl Journal<'_> {
    /// Its header, if it has one of ours.
    pub fn header(&self) -> Option<JournalHeader> {
        let [magic, counts, alive] = self.words(0)?;
        let (epoch, taken) = ((counts >> 32) as u32, counts as u32);
        (magic == MAGIC).then_some(JournalHeader { epoch, taken, alive: Now(alive) })
    }

    /// What a row had unreported at the end, if that has changed since the state of this epoch was saved.
    pub(super) fn row(&self, epoch: u32, row: RowId) -> Option<Unreported> {
        let [of, records, bytes] = self.words(place_of(row))?;
        (of == u64::from(epoch)).then_some(Unreported { records, bytes })
    }

    fn words(&self, place: u64) -> Option<[u64; 3]> {
        let start = usize::try_from(place).ok()?.checked_mul(SLOT)?;
        let slot = self.0.get(start..start.checked_add(SLOT)?)?;
        let mut words =
            slot.chunks_exact(8).filter_map(|word| Some(u64::from_le_bytes(word.try_into().ok()?)));
        let found = [words.next()?, words.next()?, words.next()?];
        (words.next()? == seal(found, place)).then_some(found)
    }
}

/// The header has the first place.
fn place_of(row: RowId) -> u64 {
    (row.index() as u64).wrapping_add(1)
}

fn sealed(words: [u64; 3], place: u64) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    let [a, b, c] = words;
    let mut rest = bytes.as_mut_slice();
    for word in [a, b, c, seal(words, place)] {
        if let Some((first, behind)) = std::mem::take(&mut rest).split_first_chunk_mut::<8>() {
            *first = word.to_le_bytes();
            rest = behind;
        }
    }
    bytes
}

/// Tells a place that was written whole, and there, from one that was not.
fn seal(words: [u64; 3], place: u64) -> u64 {
    let mut seal = place ^ MAGIC;
    for word in words {
        seal = (seal ^ word).wrapping_mul(PRIME).rotate_left(29);
    }
    seal
}

/// `nsjrnl1`, and a NUL.
const MAGIC: u64 = u64::from_le_bytes(*b"nsjrnl1\0");
/// Odd, with bits all over.
const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Counters, Stage};

    fn file(writes: &[JournalWrite]) -> Vec<u8> {
        let mut file = Vec::new();
        for write in writes {
            let end = write.offset as usize + SLOT;
            file.resize(file.len().max(end), 0);
            file[write.offset as usize..end].copy_from_slice(&write.bytes);
        }
        file
    }

    fn rows() -> [RowId; 3] {
        let mut counters = Counters::default();
        ["a", "b", "c"].map(|name| counters.row_of(name, Stage::Rule))
    }

    #[test]
    fn what_was_written_in_this_epoch_counts_and_nothing_else() {
        let [a, b, c] = rows();
        let counts = |records| Unreported { records, bytes: records * 100 };
        let header = JournalHeader { epoch: 7, taken: 2, alive: Now(99) };
        let written = file(&[
            header.write(),
            write_row(6, a, counts(5)),
            write_row(7, c, counts(1)),
            write_row(7, c, counts(2)),
        ]);
        let journal = Journal(&written);
        assert_eq!(journal.header(), Some(header));
        assert_eq!([a, b, c].map(|row| journal.row(7, row)), [None, None, Some(counts(2))]);
        assert_eq!(journal.row(6, a), Some(counts(5)));
    }

    #[test]
    fn a_torn_or_foreign_place_is_as_one_that_was_not_written() {
        let [a, b, _] = rows();
        let counts = Unreported { records: 3, bytes: 300 };
        let mut written =
            file(&[JournalHeader { epoch: 1, taken: 0, alive: Now(1) }.write(), write_row(1, a, counts)]);
        for at in 0..written.len() {
            written[at] ^= 0x10;
            let journal = Journal(&written);
            assert_eq!(journal.header().is_some(), at >= SLOT, "{at}");
            assert_eq!(journal.row(1, a).is_some(), at < SLOT, "{at}");
            written[at] ^= 0x10;
        }
        // Moved to another place, it is none.
        let row: Vec<u8> = written[SLOT..].to_vec();
        written.extend(row);
        assert_eq!(Journal(&written).row(1, b), None);
        for length in 0..2 * SLOT {
            assert_eq!(Journal(&written[..length]).row(1, a), None);
        }
        assert_eq!(Journal(b"").header(), None);
    }
}
