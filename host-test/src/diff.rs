//! Two rule files on the same input: what changes, rule by rule and in all.
//!
//! Rules are paired by stage and name; a rule that only one file has counts as one that decides nothing in the other. Equal
//! numbers are not yet equal records (two samplers may keep as many), so the delivered records are compared as well.

use crate::ledger::{Ledger, RuleLine};
use crate::replay::{Replay, ReplayError, TICK_TAG};
use crate::table::{Align, Table, bytes, grouped};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// What one rule file makes of the input.
#[derive(Debug)]
pub struct DiffSide {
    /// The numbers.
    pub ledger: Ledger,
    /// How often each delivered record came, by its hash. Summaries are not among them: they only sum up.
    delivered: BTreeMap<u64, u64>,
    /// Where the numbers do not add up.
    pub imbalances: Vec<String>,
}

impl DiffSide {
    /// Runs a replay.
    ///
    /// # Errors
    /// As [`Replay::run`].
    pub fn of(replay: &Replay<'_>) -> Result<DiffSide, ReplayError> {
        let mut delivered = BTreeMap::<u64, u64>::new();
        let outcome = replay.run(
            |_| {},
            |record, text| {
                if record.tag.as_bytes() == TICK_TAG {
                    return;
                }
                let mut hasher = DefaultHasher::new();
                (&record.tag, record.time, text).hash(&mut hasher);
                let count = delivered.entry(hasher.finish()).or_default();
                *count = count.saturating_add(1);
            },
        )?;
        Ok(DiffSide { ledger: outcome.ledger, delivered, imbalances: outcome.imbalances })
    }

    /// Delivered records that the other has not delivered as they are.
    fn only_here(&self, other: &DiffSide) -> u64 {
        let there = |hash| other.delivered.get(hash).copied().unwrap_or_default();
        self.delivered.iter().map(|(hash, count)| count.saturating_sub(there(hash))).sum()
    }
}

/// The changes. Serialised as the `--format json` of `diff`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// Whether there are any.
    pub changed: bool,
    /// Guards, rules, outcomes and rules in shadow mode of either file, in the order of the new one.
    pub rules: Vec<RuleChange>,
    /// The numbers of the whole.
    pub totals: Totals,
}

/// What changes of one guard, rule or outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    /// Its name.
    pub name: String,
    /// `guard`, `rule`, `outcome`, or `shadow`, which drops nothing.
    pub stage: String,
    /// Records decided.
    pub matched: Change<u64>,
    /// Of these, kept.
    pub kept: Change<u64>,
    /// Of these, dropped.
    pub dropped: Change<u64>,
    /// Bytes of the dropped.
    pub dropped_bytes: Change<u64>,
}

/// What changes of the whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Totals {
    /// Records kept.
    pub kept: Change<u64>,
    /// Records dropped.
    pub dropped: Change<u64>,
    /// Summaries of what was dropped.
    pub summaries: Change<u64>,
    /// Kept records that the other file drops, or keeps with other metadata or another count.
    pub only_here: Change<u64>,
    /// Bytes of JSON kept.
    pub bytes_out: Change<u64>,
    /// Bytes that Firehose bills with lines aggregated.
    pub billed_bytes_aggregated: Change<u64>,
    /// Bytes that it bills with a record per line.
    pub billed_bytes: Change<u64>,
    /// Dollars for 30 days of Firehose with lines aggregated.
    pub firehose_aggregated: Change<f64>,
    /// The same with a record per line.
    pub firehose: Change<f64>,
    /// Dollars for 30 days of CloudWatch Logs.
    pub cloudwatch: Change<f64>,
}

/// A number before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change<T> {
    /// With the old file.
    pub old: T,
    /// With the new one.
    pub new: T,
}

impl Diff {
    /// The changes from one to the other.
    pub fn between(old: &DiffSide, new: &DiffSide) -> Diff {
        let totals = Totals::between(old, new);
        let rules = rules(&old.ledger, &new.ledger);
        let changed = totals.are_changed(new) || rules.iter().any(RuleChange::is_one);
        Diff { changed, rules, totals }
    }
}

impl Totals {
    fn between(old: &DiffSide, new: &DiffSide) -> Totals {
        fn both<T>(old: &DiffSide, new: &DiffSide, number: impl Fn(&Ledger) -> T) -> Change<T> {
            Change { old: number(&old.ledger), new: number(&new.ledger) }
        }
        Totals {
            kept: both(old, new, |ledger| ledger.kept),
            dropped: both(old, new, |ledger| ledger.dropped),
            summaries: both(old, new, |ledger| ledger.summaries),
            only_here: Change { old: old.only_here(new), new: new.only_here(old) },
            bytes_out: both(old, new, |ledger| ledger.bytes_out),
            billed_bytes_aggregated: both(old, new, |ledger| ledger.billed_bytes_aggregated),
            billed_bytes: both(old, new, |ledger| ledger.billed_bytes),
            firehose_aggregated: both(old, new, |ledger| ledger.dollars.firehose_aggregated.nodesieve),
            firehose: both(old, new, |ledger| ledger.dollars.firehose.nodesieve),
            cloudwatch: both(old, new, |ledger| ledger.dollars.cloudwatch.nodesieve),
        }
    }
}

impl Totals {
    /// Whether any record is decided otherwise. Bills are not compared: they follow from that, and also depend on the length of
    /// the texts in summaries.
    fn are_changed(&self, new: &DiffSide) -> bool {
        let same = Totals::between(new, new);
        [
            (self.kept, same.kept),
            (self.dropped, same.dropped),
            (self.summaries, same.summaries),
            (self.only_here, same.only_here),
            (self.bytes_out, same.bytes_out),
        ]
        .iter()
        .any(|(this, other)| this != other)
    }
}

impl RuleChange {
    fn is_one(&self) -> bool {
        [self.matched, self.kept, self.dropped, self.dropped_bytes]
            .iter()
            .any(|change| change.old != change.new)
    }
}

fn rules(old: &Ledger, new: &Ledger) -> Vec<RuleChange> {
    fn lines(ledger: &Ledger) -> impl Iterator<Item = &RuleLine> {
        ledger.rules.iter().chain(&ledger.shadows)
    }
    let same = |one: &RuleLine, other: &RuleLine| one.name == other.name && one.stage == other.stage;
    let gone = lines(old).filter(|line| !lines(new).any(|other| same(line, other)));
    let nothing = RuleLine::default();
    let change = |line: &RuleLine| {
        let find = |ledger| lines(ledger).find(|other| same(line, other)).unwrap_or(&nothing);
        let (old, new) = (find(old), find(new));
        RuleChange {
            name: line.name.clone(),
            stage: line.stage.clone(),
            matched: Change { old: old.matched, new: new.matched },
            kept: Change { old: old.kept, new: new.kept },
            dropped: Change { old: old.dropped, new: new.dropped },
            dropped_bytes: Change { old: old.dropped_bytes, new: new.dropped_bytes },
        }
    };
    let mut changes: Vec<RuleChange> = lines(new).chain(gone).map(change).collect();
    // In the order in which a record meets them.
    changes.sort_by_key(|line| {
        ["guard", "rule", "outcome"].iter().position(|stage| *stage == line.stage).unwrap_or(3)
    });
    changes
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.changed {
            return writeln!(
                f,
                "nothing changes: {} kept, {} dropped",
                self.totals.kept.new, self.totals.dropped.new
            );
        }
        let number = |name| (name, Align::Right);
        let mut table = Table::new(&[
            ("rule", Align::Left),
            ("", Align::Left),
            number("matched"),
            number("new"),
            number("change"),
            number("kept"),
            number("new"),
            number("change"),
            number("dropped"),
            number("new"),
            number("change"),
            number("bytes dropped"),
            number("new"),
        ]);
        for rule in &self.rules {
            let numbers = [rule.matched, rule.kept, rule.dropped].into_iter().flat_map(cells);
            let dropped = [rule.dropped_bytes.old, rule.dropped_bytes.new].map(bytes);
            table.row(
                [rule.name.clone(), rule.stage.clone()].into_iter().chain(numbers).chain(dropped).collect(),
            );
        }
        write!(f, "{table}\n{}", totals(&self.totals))
    }
}

fn totals(totals: &Totals) -> Table {
    let mut table = Table::new(&[
        ("total", Align::Left),
        ("old", Align::Right),
        ("new", Align::Right),
        ("change", Align::Right),
    ]);
    let mut row =
        |name: &str, cells: [String; 3]| table.row([name.to_owned()].into_iter().chain(cells).collect());
    row("records kept", cells(totals.kept));
    row("records dropped", cells(totals.dropped));
    row("summaries", cells(totals.summaries));
    row("delivered by this one only", cells(totals.only_here));
    row("bytes out", sizes(totals.bytes_out));
    row("billed, lines aggregated", sizes(totals.billed_bytes_aggregated));
    row("billed, a record per line", sizes(totals.billed_bytes));
    row("$ Firehose, lines aggregated", dollars(totals.firehose_aggregated));
    row("$ Firehose, a record per line", dollars(totals.firehose));
    row("$ CloudWatch Logs", dollars(totals.cloudwatch));
    table
}

/// Old, new, and the change with its sign; no change is an empty cell.
fn shown<T: Copy + PartialOrd>(change: Change<T>, show: fn(T) -> String, less: fn(T, T) -> T) -> [String; 3] {
    let Change { old, new } = change;
    let by = if new > old {
        format!("+{}", show(less(new, old)))
    } else if new < old {
        format!("-{}", show(less(old, new)))
    } else {
        String::new()
    };
    [show(old), show(new), by]
}

fn cells(change: Change<u64>) -> [String; 3] {
    shown(change, grouped, u64::saturating_sub)
}

fn sizes(change: Change<u64>) -> [String; 3] {
    shown(change, bytes, u64::saturating_sub)
}

fn dollars(change: Change<f64>) -> [String; 3] {
    // Logs without times, or of a few seconds, say nothing about a month.
    if change.old == 0.0 && change.new == 0.0 {
        return ["-".to_owned(), "-".to_owned(), String::new()];
    }
    shown(change, |dollars| format!("{dollars:.2}"), |larger, smaller| larger - smaller)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(rules: &[(&str, u64, u64)], delivered: &[u64]) -> DiffSide {
        let line = |(name, kept, dropped): &(&str, u64, u64)| RuleLine {
            name: (*name).to_owned(),
            stage: "rule".to_owned(),
            matched: kept + dropped,
            kept: *kept,
            dropped: *dropped,
            dropped_bytes: dropped * 10,
        };
        let ledger = Ledger { rules: rules.iter().map(line).collect(), ..Ledger::default() };
        DiffSide {
            ledger,
            delivered: delivered.iter().map(|hash| (*hash, 1)).collect(),
            imbalances: Vec::new(),
        }
    }

    #[test]
    fn a_side_does_not_differ_from_itself() {
        let side = side(&[("a", 1, 2)], &[7]);
        assert!(!Diff::between(&side, &side).changed);
        assert_eq!(Diff::between(&side, &side).to_string(), "nothing changes: 0 kept, 0 dropped\n");
    }

    #[test]
    fn rules_that_only_one_file_has_count_as_nothing_in_the_other() {
        let diff = Diff::between(&side(&[("a", 1, 2)], &[]), &side(&[("b", 3, 0)], &[]));
        let found: Vec<_> =
            diff.rules.iter().map(|rule| (&*rule.name, rule.matched.old, rule.matched.new)).collect();
        assert_eq!(found, [("b", 0, 3), ("a", 3, 0)]);
        assert!(diff.changed);
        assert!(diff.to_string().contains("-3"), "{diff}");
    }

    #[test]
    fn other_records_in_the_same_number_are_a_change() {
        let diff = Diff::between(&side(&[("a", 1, 2)], &[7]), &side(&[("a", 1, 2)], &[8]));
        assert_eq!((diff.changed, diff.totals.only_here), (true, Change { old: 1, new: 1 }));
    }
}
