//! Records whose own time is not that of the clock: late ones, and those without any.

use super::both_ways::BothWays;
use super::{NoPods, engine};
use crate::engine::{Answer, Input};
use crate::time::{EventTime, Now};

const START: u32 = 1_800_000_000;

/// Whether a record of this container and this second is kept when it comes at `now`.
fn is_kept(engine: &mut BothWays, container: &str, second: u32, now: u64) -> bool {
    let tag = format!("kube.var.log.containers.{container}-1_shop_{container}-0a.log");
    let time = EventTime { sec: second, nsec: 0 };
    let input = Input { tag: tag.as_bytes(), time, text: br#"{"log":"step done"}"# };
    engine.filter(input, &mut Now(now * 1_000_000_000), &mut NoPods, &mut Vec::new()).0 == Answer::Keep
}

/// Scenario: after an outage the file of a quiet container is read, a record a minute for two hours, and then that of a busy one,
/// ten a second for the same two hours. All of it arrives at once.
/// Guarantees: of the busy one comes what two hours of the goal are, and not what was left of one burst.
#[test]
fn a_quiet_backlog_does_not_use_up_the_time_of_a_busy_one() {
    for by in ["", ", by: container"] {
        let mut engine =
            engine(&format!("version: 1\nrules: [{{ name: goal, target: {{ rate: 2/s{by} }} }}]\n"));
        let now = u64::from(START) + 10_000;
        let quiet = (0..120).filter(|n| is_kept(&mut engine, "quiet", START + n * 60, now)).count();
        let busy = (0..72_000).filter(|n| is_kept(&mut engine, "busy", START + n / 10, now)).count();
        assert!(quiet > 100, "{quiet}");
        // With a key of its own its two hours are its own; without one it shares the clock that the quiet one has moved.
        let goal = 2 * 7200;
        if by.is_empty() {
            assert!(busy > 10, "{busy}");
        } else {
            assert!((goal * 8 / 10..=goal * 13 / 10).contains(&busy), "{busy} of {goal}");
        }
    }
}

/// Scenario: a container whose clock stands still, at no time at all or at one long ago, writes ten records a second.
/// Guarantees: a limit lets through what its rate is, for ever.
#[test]
fn a_clock_that_stands_still_is_no_end_of_a_limit() {
    for second in [0, 1, START - 86_400] {
        let mut engine = engine("version: 1\nrules: [{ name: slow, limit: { rate: 1/s, by: container } }]\n");
        let kept =
            (0..3000u64).filter(|n| is_kept(&mut engine, "stuck", second, u64::from(START) + n / 10)).count();
        assert!((290..=310).contains(&kept), "{kept} with time {second}");
    }
}
