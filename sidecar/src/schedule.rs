//! When the kubelet is asked: each `interval`, and sooner when something new has appeared on the node.
//!
//! It takes the time as an argument, so that every case can be tested without waiting. The rules kept here:
//!
//! - a new container is asked for at once, then 1, 2, 4 and 8 s after it appeared, until it is in the list, because
//!   kubelet reports ids late;
//! - but never more than once a second, whatever appears: the first of a burst is not held up, the rest waits for the
//!   next second;
//! - after a failure the next try comes after 1 s, then 2, 4 and so on up to `interval`, each a little at random, so that
//!   sidecars do not retry in step;
//! - at most [`MOST_WAITED_FOR`] things are waited for; beyond that a new one is asked for once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Something that should be in the list soon.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Awaited {
    /// A container, by its id (without scheme; the beginning of it where kubelet had to cut a file's name).
    Container(String),
    /// A pod, by its uid.
    Pod(String),
}

/// Why a poll is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The interval is over, or it is a retry after a failure.
    Regular,
    /// Something new has appeared.
    Early,
}

/// The schedule.
#[derive(Debug)]
pub struct Schedule {
    interval: Duration,
    random: fastrand::Rng,
    /// When the next poll is due even if nothing appears.
    regular: Instant,
    /// When to poll for something that appeared and is not known by name.
    unnoted: Option<Instant>,
    /// The start of the last poll.
    last: Option<Instant>,
    /// Failures since the last success.
    failures: u32,
    awaited: HashMap<Awaited, Wait>,
}

/// Since when something is awaited, and how often it was asked for.
#[derive(Clone, Copy, Debug)]
struct Wait {
    since: Instant,
    /// How often it was asked for.
    asked: usize,
}

impl Schedule {
    /// A schedule whose first poll is due at once.
    pub fn new(interval: Duration, now: Instant, seed: u64) -> Schedule {
        Schedule {
            interval,
            random: fastrand::Rng::with_seed(seed),
            regular: now,
            unnoted: None,
            last: None,
            failures: 0,
            awaited: HashMap::new(),
        }
    }

    /// When the next poll is due.
    pub fn due(&self) -> Instant {
        let next = self.early().map_or(self.regular, |early| early.min(self.regular));
        self.last.map_or(next, |last| next.max(after(last, LEAST)))
    }

    /// Something has appeared that the last list does not have.
    pub fn appeared(&mut self, what: Awaited, now: Instant) {
        if self.awaited.len() >= MOST_WAITED_FOR && !self.awaited.contains_key(&what) {
            return self.something_appeared(now);
        }
        self.awaited.entry(what).or_insert(Wait { since: now, asked: 0 });
    }

    /// Something has appeared whose name is not known.
    pub fn something_appeared(&mut self, now: Instant) {
        self.unnoted.get_or_insert(now);
    }

    /// A poll starts.
    pub fn started(&mut self, now: Instant) -> Reason {
        let reason = if self.regular <= now { Reason::Regular } else { Reason::Early };
        self.last = Some(now);
        self.unnoted = None;
        for wait in self.awaited.values_mut().filter(|wait| wait.due().is_some_and(|due| due <= now)) {
            // One poll counts for all the times that have passed since: polls are a second apart.
            while wait.due().is_some_and(|due| due <= now) {
                wait.asked = wait.asked.saturating_add(1);
            }
        }
        reason
    }

    /// A poll has brought a list. Returns how many of those awaited are not in it and will not be asked for again.
    pub fn succeeded(&mut self, now: Instant, is_listed: impl Fn(&Awaited) -> bool) -> u64 {
        self.failures = 0;
        self.regular = after(now, self.interval.mul_f64(0.9 + self.random.f64() / 5.0));
        self.awaited.retain(|what, _| !is_listed(what));
        self.give_up()
    }

    /// A poll has failed. Returns the same as [`Schedule::succeeded`].
    pub fn failed(&mut self, now: Instant) -> u64 {
        let doubled = FIRST_RETRY.saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        let pause = doubled.min(self.interval);
        self.regular = after(now, pause.mul_f64(0.75 + self.random.f64() / 4.0));
        self.give_up()
    }

    /// How many are waited for.
    pub fn awaited(&self) -> usize {
        self.awaited.len()
    }

    fn early(&self) -> Option<Instant> {
        self.awaited.values().filter_map(Wait::due).chain(self.unnoted).min()
    }

    fn give_up(&mut self) -> u64 {
        let before = self.awaited.len();
        self.awaited.retain(|_, wait| wait.due().is_some());
        before.saturating_sub(self.awaited.len()) as u64
    }
}

impl Wait {
    /// When it is asked for next; never again after the last time.
    fn due(&self) -> Option<Instant> {
        AFTER.get(self.asked).map(|seconds| after(self.since, Duration::from_secs(*seconds)))
    }
}

/// The later instant; the same one where the clock cannot represent it.
fn after(instant: Instant, pause: Duration) -> Instant {
    instant.checked_add(pause).unwrap_or(instant)
}

/// When a new container is asked for, in seconds after it appeared.
const AFTER: [u64; 5] = [0, 1, 2, 4, 8];
/// From the start of one poll to the start of the next at the least.
const LEAST: Duration = Duration::from_secs(1);
/// The pause after a first failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// More than a node has pods, and their containers: it takes a flood of foreign file names to reach it.
const MOST_WAITED_FOR: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    struct Node {
        start: Instant,
        schedule: Schedule,
    }

    impl Node {
        /// After a first poll at second 0.
        fn new(seed: u64) -> Node {
            let start = Instant::now();
            let mut schedule = Schedule::new(INTERVAL, start, seed);
            assert_eq!(schedule.due(), start);
            assert_eq!(schedule.started(start), Reason::Regular);
            assert_eq!(schedule.succeeded(start, |_| true), 0);
            Node { start, schedule }
        }

        fn at(&self, seconds: f64) -> Instant {
            self.start + Duration::from_secs_f64(seconds)
        }

        /// Seconds from the start to the next poll.
        fn due(&self) -> f64 {
            (self.schedule.due() - self.start).as_secs_f64()
        }

        fn appears(&mut self, id: &str, seconds: f64) {
            let now = self.at(seconds);
            self.schedule.appeared(Awaited::Container(id.into()), now);
        }

        /// Polls when due, with this list of ids, and returns when that was.
        fn poll(&mut self, listed: &[&str]) -> (f64, Reason) {
            let now = self.schedule.due();
            let reason = self.schedule.started(now);
            self.schedule
                .succeeded(now, |what| listed.iter().any(|id| *what == Awaited::Container((*id).to_owned())));
            ((now - self.start).as_secs_f64(), reason)
        }
    }

    #[test]
    fn polls_are_an_interval_apart_give_or_take_a_tenth() {
        let mut spread = Vec::new();
        for seed in 0..50 {
            let mut node = Node::new(seed);
            let (first, reason) = node.poll(&[]);
            let (second, _) = node.poll(&[]);
            assert_eq!(reason, Reason::Regular);
            assert!((27.0..=33.0).contains(&first) && (27.0..=33.0).contains(&(second - first)));
            spread.push(first);
        }
        spread.sort_by(f64::total_cmp);
        assert!(spread[49] - spread[0] > 4.0, "{spread:?}");
    }

    #[test]
    fn a_new_container_is_asked_for_at_once_and_until_it_is_listed() {
        let mut node = Node::new(1);
        node.appears("a", 10.0);
        let polls: Vec<_> = (0..5).map(|_| node.poll(&[])).collect();
        let expected = [10.0, 11.0, 12.0, 14.0, 18.0].map(|seconds| (seconds, Reason::Early));
        assert_eq!(polls, expected);
        assert_eq!(node.schedule.awaited(), 0, "given up");
        assert!(node.due() > 40.0);

        let mut node = Node::new(1);
        node.appears("a", 10.0);
        assert_eq!((node.poll(&[]).0, node.poll(&["a"]).0), (10.0, 11.0));
        assert!(node.due() >= 38.0);
    }

    #[test]
    fn a_burst_costs_one_poll_a_second() {
        let mut node = Node::new(2);
        for n in 0..100 {
            node.appears(&n.to_string(), 10.0);
        }
        assert_eq!(node.poll(&["0"]).0, 10.0);
        for n in 100..200 {
            node.appears(&n.to_string(), 10.3);
        }
        assert_eq!(node.poll(&[]).0, 11.0);
        let all: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(node.poll(&all).0, 12.0);
        assert!(node.due() > 27.0);
    }

    #[test]
    fn what_appears_right_after_a_poll_waits_for_its_second() {
        let mut node = Node::new(3);
        node.appears("a", 10.0);
        node.poll(&["a"]);
        node.appears("b", 10.01);
        assert_eq!(node.poll(&["b"]), (11.0, Reason::Early));
    }

    #[test]
    fn failures_are_further_and_further_apart_up_to_the_interval() {
        let mut node = Node::new(4);
        let mut now = node.schedule.due();
        let mut pauses = Vec::new();
        for _ in 0..40 {
            node.schedule.started(now);
            node.schedule.failed(now);
            pauses.push((node.schedule.due() - now).as_secs_f64());
            now = node.schedule.due();
        }
        for (pause, longest) in
            pauses.iter().zip([1.0f64, 2.0, 4.0, 8.0, 16.0].into_iter().chain(std::iter::repeat(30.0)))
        {
            assert!((longest * 0.75..=longest.max(1.0)).contains(pause), "{pauses:?}");
        }
        node.schedule.started(now);
        node.schedule.succeeded(now, |_| false);
        assert!((node.schedule.due() - now).as_secs_f64() >= 27.0);
        node.schedule.failed(now);
        assert!((node.schedule.due() - now).as_secs_f64() <= 1.0, "after a success it starts anew");
    }

    #[test]
    fn what_is_waited_for_during_an_outage_is_given_up_in_the_end() {
        let mut node = Node::new(5);
        node.appears("a", 0.5);
        let mut given_up = 0;
        for _ in 0..20 {
            let now = node.schedule.due();
            node.schedule.started(now);
            given_up += node.schedule.failed(now);
        }
        assert_eq!((given_up, node.schedule.awaited()), (1, 0));
    }

    #[test]
    fn a_flood_of_names_is_bounded_and_still_causes_a_poll() {
        let mut node = Node::new(6);
        for n in 0..3000 {
            node.appears(&n.to_string(), 10.0);
        }
        assert_eq!(node.schedule.awaited(), MOST_WAITED_FOR);
        for _ in 0..5 {
            node.poll(&[]);
        }
        assert_eq!(node.schedule.awaited(), 0);
        let now = node.at(20.0);
        node.schedule.something_appeared(now);
        assert_eq!(node.poll(&[]), (20.0, Reason::Early));
        assert!(node.due() > 46.0);
    }
}
