//! The table that `replay` prints.

use crate::ledger::Ledger;
use crate::measured;
use crate::replay::ReplayOutcome;
use crate::table::{Align, Table, bytes, grouped};
use nodesieve_preview::fleet::Fleet;
use nodesieve_preview::money::ThreeWays;
use nodesieve_preview::numbers::dollars;
use nodesieve_preview::survey::{Breakdown, Named, TimeSpan};

/// The whole report as text, and what it comes to for a fleet.
pub fn text(outcome: &ReplayOutcome, fleet: Option<&Fleet>) -> String {
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
        "dollars are for 30 days of this node; {} per GB Firehose, {} per GB CloudWatch Logs ({})\n\
         with kubernetes filter: every line with Fluent Bit's whole object, as most have it today; saved is against that\n\
         aggregated is what a container writes between two flushes {} s apart\n\n",
        ledger.prices.firehose_per_gb,
        ledger.prices.cloudwatch_per_gb,
        ledger.prices.date,
        ledger.flush_seconds
    ));
    if let Some(fleet) = fleet {
        out.push_str(&of_fleet(fleet));
    }
    out.push_str(&measured::table(&outcome.metrics));
    out.push_str(&namespaces(&outcome.breakdown).to_string());
    out.push_str(&over_time(&outcome.breakdown));
    out.push('\n');
    match outcome.imbalances.as_slice() {
        [] => out.push_str(&format!("{}\n", adds_up(outcome))),
        wrong => wrong.iter().for_each(|line| out.push_str(&format!("does not add up: {line}\n"))),
    }
    for (index, loss) in &outcome.losses {
        out.push_str(&format!("fault: record {index}: {loss}\n"));
    }
    out
}

/// The sums of a run in one line.
pub fn adds_up(outcome: &ReplayOutcome) -> String {
    let ledger = &outcome.ledger;
    let held = match ledger.held {
        0 => String::new(),
        held => format!(" + held for a recall {held}"),
    };
    let recalled = match ledger.recalled {
        0 => String::new(),
        recalled => format!(" ({recalled} of them recalled)"),
    };
    format!(
        "adds up: seen {} = kept {}{recalled} + dropped {}; dropped = in counts {} + in summaries {} + unreported {}{held}; \
         delivered {}; faults {}",
        ledger.seen,
        ledger.kept,
        ledger.dropped,
        ledger.counted,
        ledger.summarised,
        ledger.open,
        ledger.delivered,
        ledger.faults
    )
}

fn namespaces(breakdown: &Breakdown) -> Table {
    let mut table = Table::new(&[
        ("namespace", Align::Left),
        ("seen", Align::Right),
        ("kept", Align::Right),
        ("bytes in", Align::Right),
        ("bytes out", Align::Right),
        ("", Align::Left),
    ]);
    let most = breakdown.namespaces.iter().map(|named| named.volume.seen).max().unwrap_or_default();
    for Named { name, volume } in &breakdown.namespaces {
        table.row(vec![
            name.clone(),
            grouped(volume.seen),
            grouped(volume.kept),
            bytes(volume.bytes_in),
            bytes(volume.bytes_out),
            bar(volume.kept, volume.dropped, most),
        ]);
    }
    table
}

/// Seen and kept over time, a character for each span.
fn over_time(breakdown: &Breakdown) -> String {
    let most = breakdown.times.iter().map(|span| span.volume.seen).max().unwrap_or_default();
    let line = |of: fn(&TimeSpan) -> u64| {
        breakdown.times.iter().map(|span| column(of(span), most)).collect::<String>()
    };
    let start = breakdown.times.first().map(|span| span.start.as_str()).unwrap_or_default();
    format!(
        "\nover time from {start}, a column is {} s, the highest {} records\nseen  {}\nkept  {}\n",
        breakdown.time_step_seconds,
        grouped(most),
        line(|span| span.volume.seen),
        line(|span| span.volume.kept)
    )
}

/// Kept and dropped as a bar; the longest is of `most` records.
fn bar(kept: u64, dropped: u64, most: u64) -> String {
    let cells = |part: u64| part.saturating_mul(BAR).checked_div(most).unwrap_or_default();
    let all = cells(kept.saturating_add(dropped)).max(u64::from(kept.saturating_add(dropped) > 0));
    let filled = cells(kept).max(u64::from(kept > 0)).min(all);
    let repeat = |cell: &str, count: u64| cell.repeat(usize::try_from(count).unwrap_or_default());
    format!("{}{}", repeat("█", filled), repeat("░", all.saturating_sub(filled)))
}

/// One of nine heights; the least is for nothing at all.
fn column(part: u64, most: u64) -> char {
    let height = part.saturating_mul(8).div_ceil(most.max(1));
    usize::try_from(height).ok().and_then(|height| " ▁▂▃▄▅▆▇█".chars().nth(height)).unwrap_or('█')
}

/// Length of the longest bar.
const BAR: u64 = 24;

fn rules(ledger: &Ledger) -> Table {
    let mut table = Table::new(&[
        ("rule", Align::Left),
        ("", Align::Left),
        ("matched", Align::Right),
        ("kept", Align::Right),
        ("dropped", Align::Right),
        ("bytes dropped", Align::Right),
        ("", Align::Left),
    ]);
    let most = ledger.rules.iter().map(|rule| rule.matched).max().unwrap_or_default();
    for rule in &ledger.rules {
        let numbers = [rule.matched, rule.kept, rule.dropped].map(grouped);
        table.row(
            [rule.name.clone(), rule.stage.clone()]
                .into_iter()
                .chain(numbers)
                .chain([bytes(rule.dropped_bytes), bar(rule.kept, rule.dropped, most)])
                .collect(),
        );
    }
    let total = [ledger.seen, ledger.kept, ledger.dropped].map(grouped);
    let dropped_bytes = ledger.rules.iter().map(|rule| rule.dropped_bytes).sum();
    table.row(
        ["total".to_owned(), String::new()]
            .into_iter()
            .chain(total)
            .chain([bytes(dropped_bytes), "█ kept  ░ dropped".to_owned()])
            .collect(),
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

/// Bytes and dollars of each way: without metadata, with the filter that most have, and with this one.
fn bills(ledger: &Ledger) -> Table {
    let mut table = Table::new(&[
        ("billed, and dollars a month", Align::Left),
        ("raw", Align::Right),
        ("with kubernetes filter", Align::Right),
        ("with nodesieve", Align::Right),
        ("saved", Align::Right),
        ("by dropping", Align::Right),
        ("by leaner metadata", Align::Right),
    ]);
    let money = |amount| if ledger.is_timed() { dollars(amount) } else { "-".to_owned() };
    let all = ledger.billed.zip(ledger.dollars).zip(ledger.saved).named();
    for (name, ((billed, spent), saved)) in all {
        let ThreeWays { raw, kubernetes_filter, nodesieve } = billed.map(bytes);
        table.row(vec![
            name.to_owned(),
            raw,
            kubernetes_filter,
            nodesieve,
            String::new(),
            String::new(),
            String::new(),
        ]);
        let ThreeWays { raw, kubernetes_filter, nodesieve } = spent.map(money);
        let parts = [spent.kubernetes_filter - spent.nodesieve, saved.dropped_records, saved.leaner_metadata];
        let row = ["  $".to_owned(), raw, kubernetes_filter, nodesieve];
        table.row(row.into_iter().chain(parts.map(money)).collect());
    }
    table
}

/// Dollars a year, what one stream has to take, and what is asked of whom.
fn of_fleet(fleet: &Fleet) -> String {
    let nodes = grouped(u64::from(fleet.nodes));
    let mut table = Table::new(&[
        (&format!("{nodes} nodes, dollars a year"), Align::Left),
        ("raw", Align::Right),
        ("with kubernetes filter", Align::Right),
        ("with nodesieve", Align::Right),
        ("saved", Align::Right),
    ]);
    for (name, ways) in fleet.dollars_a_year.named() {
        let saved = dollars(ways.kubernetes_filter - ways.nodesieve);
        let ThreeWays { raw, kubernetes_filter, nodesieve } = ways.map(dollars);
        table.row(vec![name.to_owned(), raw, kubernetes_filter, nodesieve, saved]);
    }
    format!("{table}{}\n\n", fleet.demands().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_every_part_that_is_there() {
        assert_eq!(bar(12, 12, 24), "████████████░░░░░░░░░░░░");
        assert_eq!(
            (bar(0, 0, 24), bar(1, 0, 24_000), bar(0, 1, 24_000)),
            ("".into(), "█".into(), "░".into())
        );
        assert_eq!(bar(0, 0, 0), "");
    }

    #[test]
    fn a_column_is_empty_only_for_nothing() {
        assert_eq!([0, 1, 500, 1000].map(|part| column(part, 1000)), [' ', '▁', '▄', '█']);
        assert_eq!(column(0, 0), ' ');
    }
}
