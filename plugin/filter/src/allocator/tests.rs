//! The size classes against a model of what is out, and against exhaustion.

use super::*;
use proptest::prelude::*;
use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;

/// So many bytes; what is out is counted.
struct Limited {
    left: usize,
    out: BTreeMap<usize, (usize, usize)>,
}

impl Backing for Limited {
    fn take(&mut self, size: usize, align: usize) -> Option<NonNull<u8>> {
        self.left = self.left.checked_sub(size)?;
        let block = NonNull::new(unsafe { alloc(Layout::from_size_align(size, align).unwrap()) })?;
        self.out.insert(block.as_ptr() as usize, (size, align));
        Some(block)
    }

    unsafe fn give(&mut self, block: NonNull<u8>, size: usize, align: usize) {
        assert_eq!(self.out.remove(&(block.as_ptr() as usize)), Some((size, align)));
        self.left += size;
        unsafe { dealloc(block.as_ptr(), Layout::from_size_align(size, align).unwrap()) };
    }
}

#[derive(Clone, Debug)]
enum Call {
    Allocate(usize),
    Align(u32, usize),
    Free(usize),
    Reallocate(usize, usize),
}

fn any_size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0usize..600, 2 => 0usize..70_000, 1 => Just(LARGEST), 1 => Just(LARGEST + 1)]
}

fn any_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => any_size().prop_map(Call::Allocate),
        1 => (0u32..8, 0usize..300).prop_map(|(align, size)| Call::Align(align, size)),
        4 => any::<usize>().prop_map(Call::Free),
        2 => (any::<usize>(), any_size()).prop_map(|(at, size)| Call::Reallocate(at, size)),
    ]
}

proptest! {
    /// Blocks are aligned, apart from each other and keep what is in them; in the end all can be given back.
    #[test]
    fn blocks_are_apart_and_keep_what_is_in_them(calls in prop::collection::vec(any_call(), 1..120)) {
        let mut heap = SizeClasses::new(Limited { left: 1 << 20, out: BTreeMap::new() });
        let mut blocks: Vec<(*mut u8, usize, u8)> = Vec::new();
        let check = |blocks: &[(*mut u8, usize, u8)]| {
            for &(block, size, mark) in blocks {
                let bytes = unsafe { std::slice::from_raw_parts(block, size) };
                assert!(bytes.iter().all(|byte| *byte == mark));
            }
        };
        for (index, call) in calls.into_iter().enumerate() {
            let mark = index as u8;
            let new = match call {
                Call::Allocate(size) => Some((heap.allocate(size), size, 8)),
                Call::Align(align, size) => Some((heap.allocate_aligned(1 << align, size), size, 1usize << align)),
                Call::Free(at) if !blocks.is_empty() => {
                    let (block, ..) = blocks.swap_remove(at % blocks.len());
                    unsafe { heap.free(block) };
                    None
                }
                Call::Reallocate(at, size) if !blocks.is_empty() => {
                    let at = at % blocks.len();
                    let (block, old, mark) = blocks[at];
                    let moved = unsafe { heap.reallocate(block, size) };
                    if !moved.is_null() {
                        let kept = unsafe { std::slice::from_raw_parts(moved, old.min(size)) };
                        prop_assert!(kept.iter().all(|byte| *byte == mark));
                        blocks.swap_remove(at);
                        Some((moved, size, 8))
                    } else { None }
                }
                Call::Free(_) | Call::Reallocate(..) => None,
            };
            if let Some((block, size, align)) = new && !block.is_null() {
                prop_assert_eq!(block as usize % align, 0);
                unsafe { block.write_bytes(mark, size) };
                blocks.push((block, size, mark));
            }
            check(&blocks);
        }
        for (block, ..) in blocks {
            unsafe { heap.free(block) };
        }
        heap.give_back();
        prop_assert_eq!((heap.behind.left, heap.behind.out.len()), (1 << 20, 0));
    }
}

#[test]
fn a_block_that_is_freed_is_the_next_one_of_its_class() {
    let mut heap = SizeClasses::new(Limited { left: 1 << 20, out: BTreeMap::new() });
    let block = heap.allocate(100);
    unsafe { heap.free(block) };
    assert_eq!((heap.allocate(120), heap.behind.out.len()), (block, 1));
    assert_ne!(heap.allocate(121), block);
}

#[test]
fn what_waits_in_lists_is_given_back_before_anything_fails() {
    let mut heap = SizeClasses::new(Limited { left: 70_000, out: BTreeMap::new() });
    let small: Vec<_> = (0..60).map(|_| heap.allocate(1000)).collect();
    assert!(heap.allocate(50_000).is_null(), "it is all in use");
    small.into_iter().for_each(|block| unsafe { heap.free(block) });
    assert!(!heap.allocate(50_000).is_null());
}

#[test]
fn a_record_leaves_what_the_engine_needs() {
    let whole = RESERVE + MAX_RECORD + 4_000_000;
    let mut heap = SizeClasses::new(Limited { left: whole, out: BTreeMap::new() });
    assert!(heap.allocate_record(MAX_RECORD + 2, whole).is_null());
    let first = heap.allocate_record(MAX_RECORD + 1, whole);
    assert!(!first.is_null());
    assert!(heap.allocate_record(4_000_000, whole).is_null());
    assert!(!heap.allocate(4_000_000).is_null(), "the engine itself may");
    assert!(!heap.allocate_record(60_000, whole).is_null(), "small ones always");
    unsafe { heap.free(first) };
    assert!(!heap.allocate_record(4_000_000, whole).is_null());
}

#[test]
fn what_has_been_taken_is_known_and_comes_to_nothing() {
    let mut heap = SizeClasses::new(Limited { left: 1 << 20, out: BTreeMap::new() });
    let blocks = [heap.allocate(100), heap.allocate(200_000), heap.allocate_aligned(64, 100)];
    assert_eq!(heap.taken, (1 << 20) - heap.behind.left);
    blocks.into_iter().for_each(|block| unsafe { heap.free(block) });
    heap.give_back();
    assert_eq!((heap.taken, heap.is_behind), (0, false));
}

#[test]
fn a_size_beyond_all_memory_is_refused() {
    let mut heap = SizeClasses::new(Limited { left: 1 << 20, out: BTreeMap::new() });
    assert!(heap.allocate(usize::MAX).is_null());
    assert!(heap.allocate(usize::MAX - 8).is_null());
    assert!(heap.allocate_aligned(1 << 30, usize::MAX - 5).is_null());
}

#[test]
fn every_size_has_the_smallest_class_with_room_for_it() {
    for size in (0..3000).chain([LARGEST - 1, LARGEST]) {
        let class = class_of(size);
        assert!(room_of(class) >= size, "{size}");
        assert!(class == 0 || room_of(class - 1) < size, "{size}");
    }
}
