//! The table that `replay` prints.

use crate::ledger::Ledger;
use crate::replay::Outcome;
use crate::table::{Align, Table, bytes, grouped};
use nodesieve_preview::numbers::dollars;

/// The whole report as text.
pub fn text(outcome: &Outcome) -> String {
    let ledger = &outcome.ledger;
    let mut out = rules(ledger).to_string();
    if !ledger.shadows.is_empty() {
        out.push('\n');
        out.push_str(&shadows(ledger).to_string());
    }
    out.push('\n');
    out.push_str(&totals(ledger).to_string());
    out.push('\n');
    out.push_str(&bills(ledger).to_string());
    out.push_str(&format!(
        "dollars are for 30 days of this node; {} per GB Firehose, {} per GB CloudWatch Logs ({})\n\n",
        ledger.prices.firehose_per_gb, ledger.prices.cloudwatch_per_gb, ledger.prices.date
    ));
    match outcome.imbalances.as_slice() {
        [] => out.push_str(&format!(
            "adds up: seen {} = kept {} + dropped {}; dropped = in counts {} + in summaries {} + open {}; \
             delivered {}; faults {}\n",
            ledger.seen,
            ledger.kept,
            ledger.dropped,
            ledger.counted,
            ledger.summarised,
            ledger.open,
            ledger.delivered,
            ledger.faults
        )),
        wrong => wrong.iter().for_each(|line| out.push_str(&format!("does not add up: {line}\n"))),
    }
    for (index, loss) in &outcome.losses {
        out.push_str(&format!("fault: record {index}: {loss}\n"));
    }
    out
}

fn rules(ledger: &Ledger) -> Table {
    let mut table = Table::new(&[
        ("rule", Align::Left),
        ("", Align::Left),
        ("matched", Align::Right),
        ("kept", Align::Right),
        ("dropped", Align::Right),
        ("bytes dropped", Align::Right),
    ]);
    for rule in &ledger.rules {
        let numbers = [rule.matched, rule.kept, rule.dropped].map(grouped);
        table.row(
            [rule.name.clone(), rule.stage.clone()]
                .into_iter()
                .chain(numbers)
                .chain([bytes(rule.dropped_bytes)])
                .collect(),
        );
    }
    let total = [ledger.seen, ledger.kept, ledger.dropped].map(grouped);
    let dropped_bytes = ledger.rules.iter().map(|rule| rule.dropped_bytes).sum();
    table.row(
        ["total".to_owned(), String::new()].into_iter().chain(total).chain([bytes(dropped_bytes)]).collect(),
    );
    table
}

/// What rules in shadow mode would save.
fn shadows(ledger: &Ledger) -> Table {
    let mut table = Table::new(&[
        ("in shadow mode", Align::Left),
        ("would decide", Align::Right),
        ("would drop", Align::Right),
        ("would save", Align::Right),
    ]);
    for rule in &ledger.shadows {
        table.row(vec![
            rule.name.clone(),
            grouped(rule.matched),
            grouped(rule.dropped),
            bytes(rule.dropped_bytes),
        ]);
    }
    table
}

fn totals(ledger: &Ledger) -> Table {
    let mut table = Table::new(&[("records", Align::Left), ("", Align::Right)]);
    let rows = [
        ("decided by sampling", ledger.sampled),
        ("summaries", ledger.summaries),
        ("continuation lines", ledger.continued),
        ("enriched", ledger.enriched),
        ("metadata missing", ledger.metadata_missing),
        ("no container tag", ledger.no_container_tag),
        ("truncated", ledger.truncated),
        ("faults", ledger.faults),
        ("delivered", ledger.delivered),
        ("in PutRecordBatch calls", ledger.firehose_calls),
    ];
    for (name, number) in rows {
        table.row(vec![name.to_owned(), grouped(number)]);
    }
    table
}

fn bills(ledger: &Ledger) -> Table {
    let mut table = Table::new(&[
        ("bytes and dollars", Align::Left),
        ("without", Align::Right),
        ("with nodesieve", Align::Right),
        ("$ without", Align::Right),
        ("$ with", Align::Right),
        ("$ saved", Align::Right),
    ]);
    for bill in ledger.bills() {
        let saved = bill.dollars_without - bill.dollars_with;
        let money = [bill.dollars_without, bill.dollars_with, saved].map(dollars);
        let sizes = [bytes(bill.bytes_without), bytes(bill.bytes_with)];
        table.row([bill.name.to_owned()].into_iter().chain(sizes).chain(money).collect());
    }
    table
}
