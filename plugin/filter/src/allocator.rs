//! Memory by size classes: what the host and the engine ask for with every record is given and taken back in a few dozen
//! instructions.
//!
//! The host copies tag and record into two blocks of ours and frees them after the call; a general allocator takes four hundred
//! instructions for that. Here a block that is freed waits in the list of its class for the next one of that class. What is
//! larger than the largest class, and the blocks themselves, come from [`Backing`], the allocator behind. The rules kept here:
//! every block has its class in front of it, so that freeing needs no search; when the allocator behind has nothing left, what
//! waits in the lists is given back to it before anything fails.
//!
//! The host gets no block for a record beyond [`MAX_RECORD`], nor one that would leave less than [`RESERVE`]: what the engine needs
//! to decide the worst record has room then, whatever has come before.
#![expect(unsafe_code, reason = "an allocator hands out pointers")]

use std::ptr::{NonNull, null_mut};

/// The allocator behind: blocks of any size.
pub(crate) trait Backing {
    /// A block, aligned to `align`, a power of two; `None` when there is no memory left.
    fn take(&mut self, size: usize, align: usize) -> Option<NonNull<u8>>;

    /// Takes a block back.
    ///
    /// # Safety
    /// The block is from [`Backing::take`] with this size and alignment, and nobody uses it any more.
    unsafe fn give(&mut self, block: NonNull<u8>, size: usize, align: usize);
}

/// An allocator with lists of free blocks in front of another.
pub(crate) struct SizeClasses<B> {
    /// One for each class, and as many more as make every number of five bits one of them.
    free: [*mut FreeBlock; LISTS],
    behind: B,
    /// Bytes that came from behind and have not gone back.
    taken: usize,
    /// Set while the allocator behind is asked: what never comes back from there has left it half changed.
    is_behind: bool,
}

/// What stands at the start of a block that is free.
struct FreeBlock {
    next: *mut FreeBlock,
}

/// What stands right in front of a block that is in use, and stays when it is free.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Header {
    /// Its class, or [`CLASSES`] and more for one that is from the allocator behind alone: then how its start is aligned.
    class: u32,
    /// Bytes that can be used.
    room: u32,
}

impl<B: Backing> SizeClasses<B> {
    pub(crate) const fn new(behind: B) -> SizeClasses<B> {
        SizeClasses { free: [null_mut(); LISTS], behind, taken: 0, is_behind: false }
    }

    /// As [`SizeClasses::allocate`], for a record of the host's: null when there would be too little left to decide it, of `whole`
    /// bytes in all.
    #[inline(always)]
    pub(crate) fn allocate_record(&mut self, size: usize, whole: usize) -> *mut u8 {
        if size > LARGEST && !self.has_room_for(size, whole) {
            return null_mut();
        }
        self.allocate(size)
    }

    #[cold]
    #[inline(never)]
    fn has_room_for(&self, size: usize, whole: usize) -> bool {
        let left = whole.saturating_sub(self.taken);
        size <= MAX_RECORD.wrapping_add(1) && left.saturating_sub(size) >= RESERVE
    }

    /// A block of at least this size, aligned to eight bytes; null when there is no memory left.
    #[inline(always)]
    pub(crate) fn allocate(&mut self, size: usize) -> *mut u8 {
        if size <= LARGEST
            && let Some(first) = self.free.get_mut(class_of(size) % LISTS)
            && !first.is_null()
        {
            let block = *first;
            // SAFETY: what is in a list is free, ours, and starts with the next one.
            *first = unsafe { (*block).next };
            return block.cast();
        }
        self.carve(size)
    }

    /// A block that no list has.
    #[cold]
    #[inline(never)]
    fn carve(&mut self, size: usize) -> *mut u8 {
        let class = class_of(size);
        let (room, class) =
            if size <= LARGEST { (room_of(class), class as u32) } else { (size, ALIGNED_TO_HEADER) };
        self.take(room, HEADER, class)
    }

    /// A block of at least this size whose alignment, a power of two, is more than eight bytes.
    pub(crate) fn allocate_aligned(&mut self, align: usize, size: usize) -> *mut u8 {
        if align <= HEADER {
            return self.allocate(size);
        }
        match u32::try_from(align).ok().and_then(|align| align.checked_add(CLASSES as u32)) {
            Some(class) => self.take(size, align, class),
            None => null_mut(),
        }
    }

    /// A block with `room` bytes behind its header; in front of that, as many bytes as its alignment takes.
    fn take(&mut self, room: usize, align: usize, class: u32) -> *mut u8 {
        let (Some(whole), Ok(noted)) = (room.checked_add(align), u32::try_from(room)) else {
            return null_mut();
        };
        self.is_behind = true;
        let taken = match self.behind.take(whole, align) {
            Some(block) => Some(block),
            None => {
                self.give_back();
                self.behind.take(whole, align)
            }
        };
        self.is_behind = false;
        let Some(start) = taken else { return null_mut() };
        self.taken = self.taken.saturating_add(whole);
        // SAFETY: the block has `align` bytes, at least a header's, in front of its room.
        unsafe {
            let block = start.as_ptr().add(align);
            block.cast::<Header>().sub(1).write(Header { class, room: noted });
            block
        }
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// The block is null or from this allocator, and nobody uses it any more.
    #[inline(always)]
    pub(crate) unsafe fn free(&mut self, block: *mut u8) {
        if block.is_null() {
            return;
        }
        // SAFETY: every block of ours has a header.
        let class = unsafe { (*block.cast::<Header>().sub(1)).class };
        match self.free.get_mut(class as usize % LISTS) {
            Some(first) if class < CLASSES as u32 => {
                let block: *mut FreeBlock = block.cast();
                // SAFETY: nobody uses it any more, and the smallest class has room for a pointer.
                unsafe { (*block).next = *first };
                *first = block;
            }
            // SAFETY: the caller's.
            _ => unsafe { self.give(block) },
        }
    }

    /// Moves a block to one of another size, unless it has room where it is; null, and nothing changed, when there is no memory
    /// left.
    ///
    /// # Safety
    /// As [`SizeClasses::free`].
    pub(crate) unsafe fn reallocate(&mut self, block: *mut u8, size: usize) -> *mut u8 {
        if block.is_null() {
            return self.allocate(size);
        }
        // SAFETY: every block of ours has a header.
        let room = unsafe { *block.cast::<Header>().sub(1) }.room as usize;
        // A large block that shrinks to a fraction is moved, so that the rest is not lost.
        if size <= room && size >= room / 4 {
            return block;
        }
        let moved = self.allocate(size);
        if !moved.is_null() {
            // SAFETY: both have that many bytes and are not the same; the old one is not used any more.
            unsafe {
                moved.copy_from_nonoverlapping(block, room.min(size));
                self.free(block);
            }
        }
        moved
    }

    /// Gives all blocks in the lists back to the allocator behind.
    #[cold]
    fn give_back(&mut self) {
        for class in 0..CLASSES {
            let mut next =
                self.free.get_mut(class).map_or(null_mut(), |first| std::mem::replace(first, null_mut()));
            while !next.is_null() {
                let block: *mut u8 = next.cast();
                // SAFETY: what was in a list is free and ours, with its header in front, and starts with the next one.
                unsafe {
                    next = (*next).next;
                    self.give(block);
                }
            }
        }
    }

    /// # Safety
    /// As [`SizeClasses::free`]; the block is not null.
    #[cold]
    #[inline(never)]
    unsafe fn give(&mut self, block: *mut u8) {
        // SAFETY: every block of ours has a header.
        let header = unsafe { *block.cast::<Header>().sub(1) };
        let align = match (header.class as usize).checked_sub(CLASSES) {
            None | Some(0) => HEADER,
            Some(align) => align,
        };
        let whole = (header.room as usize).wrapping_add(align);
        self.taken = self.taken.saturating_sub(whole);
        let was_behind = std::mem::replace(&mut self.is_behind, true);
        // SAFETY: `take` has taken it so, and nobody uses it any more.
        unsafe {
            if let Some(start) = NonNull::new(block.sub(align)) {
                self.behind.give(start, whole, align);
            }
        }
        self.is_behind = was_behind;
    }
}

/// The smallest class with room for this size, which is [`LARGEST`] at most.
#[inline(always)]
fn class_of(size: usize) -> usize {
    let whole = (size as u32).wrapping_add(ROUND_UP) | (SMALLEST - 1);
    (SMALLEST - 1).leading_zeros().wrapping_sub(whole.leading_zeros()) as usize
}

/// Bytes that a block of a class can hold, behind its header.
fn room_of(class: usize) -> usize {
    (SMALLEST as usize).wrapping_shl(class as u32).wrapping_sub(HEADER)
}

/// The largest record, in bytes of its JSON text; a larger one is not handed over, and what stands for it says so.
pub(crate) const MAX_RECORD: usize = 32 << 20;
/// What is left at the least when the host has been given a block for a record of more than 64 kB.
const RESERVE: usize = 32 << 20;

/// Blocks of 32 bytes, of 64, and so on.
const SMALLEST: u32 = 32;
/// The last class has 64 kB.
const CLASSES: usize = 12;
const LISTS: usize = 32;
/// The largest size that has a class.
const LARGEST: usize = (32 << (CLASSES - 1)) - HEADER;
const HEADER: usize = size_of::<Header>();
const ROUND_UP: u32 = HEADER as u32 - 1;
/// The class of a block from the allocator behind that is aligned as all are.
const ALIGNED_TO_HEADER: u32 = CLASSES as u32;

#[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
pub(crate) use exported::{is_whole, left};

#[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
mod exported {
    //! libc's allocator, which the host and libc itself call, and Rust's. And one function that libc has too slow.
    #![expect(clippy::arithmetic_side_effects, reason = "nothing leaves the length")]

    use super::{Backing, SizeClasses};
    use dlmalloc::Dlmalloc;
    use std::alloc::{GlobalAlloc, Layout};
    use std::cell::UnsafeCell;
    use std::ptr::{NonNull, null_mut};

    struct Behind(Dlmalloc);

    impl Backing for Behind {
        fn take(&mut self, size: usize, align: usize) -> Option<NonNull<u8>> {
            // SAFETY: the size is not zero, the alignment a power of two.
            NonNull::new(unsafe { self.0.malloc(size, align) })
        }

        unsafe fn give(&mut self, block: NonNull<u8>, size: usize, align: usize) {
            // SAFETY: the caller's.
            unsafe { self.0.free(block.as_ptr(), size, align) }
        }
    }

    struct SingleThreaded(UnsafeCell<SizeClasses<Behind>>);

    // SAFETY: the module has no threads, and no allocator calls itself.
    unsafe impl Sync for SingleThreaded {}

    static HEAP: SingleThreaded = SingleThreaded(UnsafeCell::new(SizeClasses::new(Behind(Dlmalloc::new()))));

    #[inline(always)]
    fn heap() -> &'static mut SizeClasses<Behind> {
        // SAFETY: calls do not overlap, see `SingleThreaded`, and the reference does not outlive its call.
        unsafe { &mut *HEAP.0.get() }
    }

    /// Whether the allocator is whole after a call that never returned.
    pub(crate) fn is_whole() -> bool {
        !heap().is_behind
    }

    /// Bytes that could still be taken.
    pub(crate) fn left() -> usize {
        MEMORY.saturating_sub(heap().taken)
    }

    /// What may be taken in all: the module's maximum (`build.rs`) without its stack and data.
    const MEMORY: usize = (128 << 20) - (2 << 20);

    struct OfRust;

    #[global_allocator]
    static OF_RUST: OfRust = OfRust;

    // SAFETY: what `SizeClasses` gives is aligned and apart from all else, and it does not unwind.
    unsafe impl GlobalAlloc for OfRust {
        #[inline(always)]
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            if layout.align() <= 8 {
                heap().allocate(layout.size())
            } else {
                heap().allocate_aligned(layout.align(), layout.size())
            }
        }

        #[inline(always)]
        unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
            // SAFETY: the caller's.
            unsafe { heap().free(block) }
        }

        #[inline(always)]
        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            if layout.align() <= 8 {
                // SAFETY: the caller's.
                return unsafe { heap().reallocate(block, size) };
            }
            let moved = heap().allocate_aligned(layout.align(), size);
            if !moved.is_null() {
                // SAFETY: both have that many bytes and are not the same; the old one is not used any more.
                unsafe {
                    moved.copy_from_nonoverlapping(block, layout.size().min(size));
                    heap().free(block);
                }
            }
            moved
        }
    }

    /// C's `malloc`, by which the host asks for a record's memory; null when there is not enough left.
    #[unsafe(no_mangle)]
    pub extern "C" fn malloc(size: usize) -> *mut u8 {
        heap().allocate_record(size, MEMORY)
    }

    /// C's `free`.
    ///
    /// # Safety
    /// The block is null or from one of these functions, and nobody uses it any more.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn free(block: *mut u8) {
        // SAFETY: the caller's.
        unsafe { heap().free(block) }
    }

    /// C's `realloc`.
    ///
    /// # Safety
    /// As [`free`].
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn realloc(block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe { heap().reallocate(block, size) }
    }

    /// C's `calloc`.
    #[unsafe(no_mangle)]
    pub extern "C" fn calloc(count: usize, size: usize) -> *mut u8 {
        let Some(whole) = count.checked_mul(size) else { return null_mut() };
        let block = heap().allocate(whole);
        if !block.is_null() {
            // SAFETY: it has that many bytes.
            unsafe { block.write_bytes(0, whole) };
        }
        block
    }

    /// C's `aligned_alloc`; null for an alignment that is no power of two.
    #[unsafe(no_mangle)]
    pub extern "C" fn aligned_alloc(align: usize, size: usize) -> *mut u8 {
        if align.is_power_of_two() { heap().allocate_aligned(align, size) } else { null_mut() }
    }

    /// C's `memcmp`: what every comparison of texts comes to. libc's goes byte by byte, eight instructions for each.
    ///
    /// # Safety
    /// Both point to so many bytes.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, length: usize) -> i32 {
        let mut at = 0usize;
        // SAFETY: all that is read lies before the length.
        unsafe {
            while length - at >= 8 {
                let a = one.add(at).cast::<u64>().read_unaligned();
                let b = other.add(at).cast::<u64>().read_unaligned();
                if a != b {
                    break;
                }
                at += 8;
            }
            while at < length {
                let (a, b) = (*one.add(at), *other.add(at));
                if a != b {
                    return i32::from(a) - i32::from(b);
                }
                at += 1;
            }
        }
        0
    }

    /// POSIX' `posix_memalign`: 0, or `EINVAL` or `ENOMEM` as WASI numbers them.
    ///
    /// # Safety
    /// `into` points to a pointer.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn posix_memalign(into: *mut *mut u8, align: usize, size: usize) -> i32 {
        if !align.is_power_of_two() {
            return 28;
        }
        let block = heap().allocate_aligned(align, size);
        if block.is_null() {
            return 48;
        }
        // SAFETY: the caller's.
        unsafe { into.write(block) };
        0
    }
}

#[cfg(test)]
mod tests;
