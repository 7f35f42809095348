//! The ABI of Fluent Bit's wasm filter in JSON mode (4.2 and later): with [`crate::allocator`] and [`crate::wasi`] the only file with
//! `unsafe`.
//!
//! Source: Fluent Bit, src/wasm/flb_wasm.c and plugins/filter_wasm/filter_wasm.c. One call per record; tag and record
//! are copied into our memory with our own `malloc`, each with a NUL behind it, and freed after the call. The answer
//! is a NUL-terminated text that the host copies before it frees them: an empty one drops the record, so one buffer of
//! ours serves for all answers, and the record itself may be the answer.
//!
//! A trap would lose the record and leave our state as it was in the middle of the call. [`State::inside`] notices
//! that a call did not return; from then on records pass untouched and the metrics say so, until the next tick: then a new filter
//! starts from what was saved. That is sound because nothing of the old one is used any more: its memory is left as it is and never
//! given back, the room that JSON is read into too. Nothing else outlives a call but the allocator, and that one knows whether it was
//! left in the middle of something.
//! Every time costs the memory of a filter and some of the stack, so it is done [`MOST_RECOVERIES`] times.
#![expect(unsafe_code, reason = "the ABI passes pointers")]

use crate::allocator::{self, MAX_RECORD};
use crate::files::say;
use crate::housekeeping::Housekeeping;
use crate::wasi::{now, preopened_directories, seed};
use nodesieve_engine::engine::{Answer, Clock, Input, TICK_TAG, marker};
use nodesieve_engine::json::forget_room;
use nodesieve_engine::metrics::Metric;
use nodesieve_engine::time::{EventTime, Now};
use std::cell::UnsafeCell;
use std::time::Duration;

/// Puts the NUL behind a text that the host stops at. It is not a part of the text: where there is room it is written into that, which
/// costs no call.
#[inline(always)]
fn end_with_nul(text: &mut Vec<u8>) {
    match text.spare_capacity_mut().first_mut() {
        Some(behind) => _ = behind.write(0),
        None => text.push(0),
    }
}

/// Everything that lives from one call to the next.
struct State {
    housekeeping: Option<Housekeeping>,
    answer: Vec<u8>,
    clock: HostClock,
    /// Set for the time of a call.
    inside: bool,
    /// Set when a call found `inside` set: when that was.
    broken: Option<Now>,
    /// How often a new filter has started for that.
    recoveries: u32,
    /// Whether it has been said that no other will.
    has_given_up: bool,
}

struct SingleThreaded(UnsafeCell<State>);

// SAFETY: Fluent Bit runs filters in one thread and the module has no threads; nothing else can reach the cell.
unsafe impl Sync for SingleThreaded {}

static STATE: SingleThreaded = SingleThreaded(UnsafeCell::new(State {
    housekeeping: None,
    answer: Vec::new(),
    clock: HostClock { read: Now(0), second: 0, left: 0, ticks: false },
    inside: false,
    broken: None,
    recoveries: 0,
    has_given_up: false,
}));

/// What is said of a record that the host could not hand over.
const NOT_HANDED_OVER: &str = "the record did not fit into the filter's memory";
/// What is said of one that is larger than any may be.
const TOO_LARGE: &str = "the record is larger than 32 MiB";
/// How often a filter starts anew in the place of one that a call never returned from.
const MOST_RECOVERIES: u32 = 8;
/// Memory that a new filter needs at the least.
const NEEDED_TO_START: usize = 24 << 20;

/// The answer that drops a record.
static DROP: [u8; 1] = [0];

/// Fluent Bit's entry point: `sec` and `nsec` are the record's time, lengths do not count the NULs.
///
/// Returns the answer as the module header describes it; never null.
#[unsafe(no_mangle)]
pub extern "C" fn filter(
    tag: *const u8,
    tag_len: u32,
    sec: u32,
    nsec: u32,
    record: *const u8,
    record_len: u32,
) -> *const u8 {
    // SAFETY: calls do not overlap, see `SingleThreaded`; the host does not call back in before this one returns.
    let state = unsafe { &mut *STATE.0.get() };
    // SAFETY: where not null, the host has put that many bytes there and frees them only after the call.
    let (tag, text) = unsafe { (bytes(tag, tag_len), bytes(record, record_len)) };
    let tag = tag.unwrap_or_default();
    if std::mem::replace(&mut state.inside, true) {
        state.broken = Some(now());
    }
    if state.broken.is_some() {
        state.recover(tag == TICK_TAG);
    }
    let answer = match text {
        Some(text) => state.answer(Input { tag, time: EventTime { sec, nsec }, text }),
        None => state.mark_lost(tag, record_len),
    };
    let pointer = match answer {
        Answer::Drop => DROP.as_ptr(),
        Answer::Keep => state.answer.as_ptr(),
        Answer::Echo => record,
    };
    state.inside = false;
    pointer
}

impl State {
    fn housekeeping(&mut self) -> &mut Housekeeping {
        self.housekeeping.get_or_insert_with(started)
    }

    /// Decides; the text of [`Answer::Keep`] stands NUL-terminated in `self.answer`.
    fn answer(&mut self, input: Input<'_>) -> Answer {
        let State { housekeeping, answer: out, clock, broken, .. } = self;
        if broken.is_some() {
            return self.pass_through(input);
        }
        let housekeeping = match housekeeping {
            Some(housekeeping) => housekeeping,
            None => housekeeping.insert(started()),
        };
        let lately = clock.lately(&input);
        let answer = housekeeping.filter(input, (lately, clock), out);
        if answer == Answer::Keep {
            end_with_nul(out);
        }
        answer
    }

    /// The record did not fit into our memory: what goes on in its place says so, and no count is off.
    fn mark_lost(&mut self, tag: &[u8], bytes: u32) -> Answer {
        if tag == TICK_TAG {
            return Answer::Drop;
        }
        let fault = if bytes as usize > MAX_RECORD { TOO_LARGE } else { NOT_HANDED_OVER };
        marker(fault, bytes as usize, &mut self.answer);
        let bytes_out = self.answer.len();
        end_with_nul(&mut self.answer);
        // One whose start never returned is not started again.
        if self.broken.is_none() {
            self.housekeeping().count_untouched(Metric::FaultNull, bytes as usize, bytes_out);
        } else if let Some(housekeeping) = &mut self.housekeeping {
            housekeeping.count_untouched(Metric::FaultNull, bytes as usize, bytes_out);
        }
        Answer::Keep
    }

    /// A call never returned. On the next tick, or a second later where there are no ticks, a new filter takes the old one's place.
    #[cold]
    #[inline(never)]
    fn recover(&mut self, is_tick: bool) {
        let is_due = is_tick
            || self.broken.is_some_and(|since| now().since(since).is_none_or(|past| past >= NO_TICK_FOR));
        if !is_due || self.has_given_up {
            return;
        }
        let can = self.recoveries < MOST_RECOVERIES
            && allocator::is_whole()
            && allocator::left() >= NEEDED_TO_START;
        if !can {
            self.has_given_up = true;
            say(
                "nodesieve: a call never returned, and the filter cannot start anew: records pass untouched until a restart\n",
            );
            return;
        }
        self.recoveries = self.recoveries.saturating_add(1);
        // What the old ones hold may be half changed: it is neither read nor given back.
        // SAFETY: both point into ourselves; no reference to what they held is left, because no call is under way but this one.
        unsafe {
            (&raw mut self.housekeeping).write(None);
            (&raw mut self.answer).write(Vec::new());
        }
        forget_room();
        let times = self.recoveries;
        say(&format!(
            "nodesieve: a call never returned and its record is lost; the filter starts anew from what was saved ({times} of \
             {MOST_RECOVERIES} times)\n"
        ));
        self.housekeeping().note_recoveries(times);
        self.broken = None;
    }

    /// The engine's state may be half changed: only counters, which hold no invariant, go on.
    fn pass_through(&mut self, input: Input<'_>) -> Answer {
        let is_tick = input.tag == TICK_TAG;
        // Without one, it was its start that never returned.
        let Some(housekeeping) = &mut self.housekeeping else {
            return if is_tick { Answer::Drop } else { Answer::Echo };
        };
        housekeeping.note_pass_through();
        if is_tick {
            housekeeping.write_metrics_when_due(now());
            return Answer::Drop;
        }
        housekeeping.count_untouched(Metric::FaultUnfinished, input.text.len(), input.text.len());
        Answer::Echo
    }
}

#[inline(never)]
fn started() -> Housekeeping {
    Housekeeping::start(&preopened_directories(), seed())
}

/// # Safety
/// A pointer that is not null must point to `length` bytes that stay for the call.
unsafe fn bytes<'a>(pointer: *const u8, length: u32) -> Option<&'a [u8]> {
    // SAFETY: the caller's.
    (!pointer.is_null()).then(|| unsafe { std::slice::from_raw_parts(pointer, length as usize) })
}

/// The host's clock, read again for every second of records, after every tick, and after so many records; for each where no ticks
/// come, since then nothing else would show that time goes on.
struct HostClock {
    read: Now,
    /// The second of the record for which it was read.
    second: u32,
    /// For how many more records of that second that will do.
    left: u32,
    /// Whether there is a tick input.
    ticks: bool,
}

impl HostClock {
    /// A time that will do for this record, as long as no policy asks.
    #[inline]
    fn lately(&mut self, input: &Input<'_>) -> Now {
        let is_tick = input.tag.len() == TICK_TAG.len() && input.tag == TICK_TAG;
        if self.left == 0 || input.time.sec != self.second || is_tick {
            self.read_again(input.time.sec, is_tick);
        } else {
            self.left = self.left.wrapping_sub(1);
        }
        self.read
    }

    #[inline(never)]
    fn read_again(&mut self, second: u32, is_tick: bool) {
        self.ticks |= is_tick;
        self.read = now();
        self.second = second;
        // A record without a time of its own happened when it came.
        let will_do = self.ticks && !is_tick && second != 0;
        self.left = if will_do { RECORDS_A_READING } else { 0 };
    }
}

impl Clock for HostClock {
    fn now(&mut self) -> Now {
        self.read = now();
        self.read
    }
}

/// How long records pass untouched at the most where there are no ticks.
const NO_TICK_FOR: Duration = Duration::from_secs(1);
/// For how many records of one second a reading of the clock will do.
const RECORDS_A_READING: u32 = 64;

#[cfg(own_initialize)]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// What a reactor module runs before its first call. Defined here where rustc does not link a start file that does;
/// without it the linker wraps every export in a call to the constructors and destructors.
#[cfg(own_initialize)]
#[unsafe(no_mangle)]
pub extern "C" fn _initialize() {
    // SAFETY: the host calls this once, before anything else.
    unsafe { __wasm_call_ctors() }
}
