//! A rule engine that somebody left at debug level: the flood that a filter is for.

use super::cri::CriLine;
use super::dice::Dice;
use super::moment::SampleTime;
use super::workload::SampleWorkload;

/// Plain and logfmt debug lines, and the rare one that matters.
pub struct DebugFlood;

impl SampleWorkload for DebugFlood {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let at = now.rfc3339_millis();
        if dice.percent(1) {
            let rules = dice.between(180, 190);
            return vec![CriLine::out(format!("{at} INFO  [engine] reloaded rule set rules={rules}"))];
        }
        // The flood comes in spurts: one evaluated document leaves several lines.
        (0..dice.between(2, 9)).map(|_| CriLine::out(debug_line(&at, dice))).collect()
    }
}

fn debug_line(at: &str, dice: &mut Dice) -> String {
    let (rule, took) = (dice.between(1, 190), dice.between(3, 900));
    match dice.between(0, 5) {
        0 => format!("{at} DEBUG [engine] evaluating rule={rule} doc={}", dice.hex(12)),
        1 => format!("{at} DEBUG [engine] rule={rule} matched=false took={took}us"),
        2 => format!("{at} DEBUG [cache] get key=rule:{rule}:{} hit={}", dice.hex(4), dice.percent(80)),
        3 => format!(
            "ts={at} level=debug component=matcher rule={rule} msg=\"compiled pattern\" took={took}us"
        ),
        4 => {
            format!("ts={at} level=debug component=pool msg=\"borrowed worker\" worker={} idle=3", rule % 16)
        }
        _ => format!("ts={at} level=debug component=queue msg=heartbeat depth={took}"),
    }
}
