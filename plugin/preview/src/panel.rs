//! The volume as HTML, for the page in a browser and for the report: one renderer, so that both show the same.
//!
//! The rule it keeps: markup is written with maud, which escapes whatever comes from a log or a rule file, in text and in
//! attributes, and nothing needs a script. Kept is plain and dropped is striped, so that it reads in black and white too.

mod chart;

use crate::fleet::Fleet;
use crate::ledger::{Ledger, RuleLine};
use crate::money::ThreeWays;
use crate::numbers::{bytes, grouped, percent};
use crate::survey::{Breakdown, Named};
use chart::over_time;
use maud::{Markup, html};

/// The sections in their order: id and heading.
pub const SECTIONS: [(&str, &str); 6] = [
    ("volume-headline", "Volume"),
    ("by-rule", "By rule"),
    ("by-namespace", "By namespace"),
    ("over-time", "Over time"),
    ("templates", "Top templates"),
    ("cost", "Cost"),
];

/// What the rows of guards and rules are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Buttons that a script lets choose the records of one.
    Buttons,
    /// Text, where there is no script.
    Text,
}

/// The whole panel. `wrong` is where the numbers do not add up, `fleet` what so many nodes come to if that is asked for.
pub fn volume(
    ledger: &Ledger,
    breakdown: &Breakdown,
    wrong: &[String],
    rows: Rows,
    fleet: Option<&Fleet>,
) -> String {
    let parts = [
        headline(ledger, wrong),
        by_rule(ledger, rows),
        by_namespace(&breakdown.namespaces),
        over_time(&breakdown.times, breakdown.time_step_seconds),
        templates(&breakdown.templates),
        cost(ledger, fleet),
    ];
    let panel = html! {
        div class="volume" {
            @for ((id, title), body) in SECTIONS.into_iter().zip(parts) {
                section id=(id) aria-labelledby={ (id) "-title" } {
                    h2 id={ (id) "-title" } { (title) }
                    (body)
                }
            }
        }
    };
    panel.into_string()
}

/// What was measured, of histograms without their buckets; nothing when nothing was.
pub fn measured(series: &[(String, String)]) -> String {
    let shown: Vec<&(String, String)> =
        series.iter().filter(|(series, _)| !series.contains("_bucket{")).collect();
    let left = shown.len().saturating_sub(MOST_MEASURED);
    if shown.is_empty() {
        return String::new();
    }
    let section = html! {
        section id="measured" aria-labelledby="measured-title" {
            h2 id="measured-title" { "Measured" }
            table {
                thead { tr { th scope="col" { "series" } th scope="col" { "value" } } }
                tbody {
                    @for (series, value) in shown.into_iter().take(MOST_MEASURED) {
                        tr { th scope="row" { (series) } td { (value) } }
                    }
                }
            }
            @if left > 0 { p class="totals" { "and " (left) " more" } }
        }
    };
    section.into_string()
}

/// Most series that are shown.
const MOST_MEASURED: usize = 60;

fn headline(ledger: &Ledger, wrong: &[String]) -> Markup {
    let share = |part| percent(part, ledger.seen);
    let span = if ledger.span_seconds > 0.0 { duration(ledger.span_seconds) } else { String::new() };
    let usd = |amount| usd(ledger, amount);
    let figures = [
        ("figure", "Records seen", ledger.seen, span),
        ("figure kept", "Kept", ledger.kept, share(ledger.kept)),
        ("figure dropped", "Dropped", ledger.dropped, share(ledger.dropped)),
    ];
    let spent = &ledger.dollars;
    let dollars = |name, ways: ThreeWays<f64>| {
        (name, usd(ways.kubernetes_filter), usd(ways.nodesieve), ways.kubernetes_filter, ways.nodesieve)
    };
    let pairs = [
        (
            "Bytes, with the kubernetes filter → with nodesieve",
            bytes(ledger.bytes_kubernetes_filter),
            bytes(ledger.bytes_out),
            ledger.bytes_kubernetes_filter as f64,
            ledger.bytes_out as f64,
        ),
        dollars("Firehose, a month", spent.firehose_aggregated),
        dollars("CloudWatch Logs, a month", spent.cloudwatch),
    ];
    html! {
        dl class="figures" {
            @for (class, name, number, share) in figures {
                div class=(class) {
                    dt { (name) }
                    dd { span class="number" { (count(number)) } span class="share" { (share) } }
                }
            }
        }
        (bar(ledger.kept, ledger.dropped, ledger.seen))
        dl class="pairs" {
            @for (name, before, after, from, to) in pairs {
                div {
                    dt { (name) }
                    dd { (before) " → " b { (after) } " " span.change.more[to > from] { (change(from, to)) } }
                }
            }
        }
        @for line in wrong {
            p class="note" role="alert" { "Does not add up: " (line) }
        }
    }
}

fn by_rule(ledger: &Ledger, rows: Rows) -> Markup {
    let most = ledger.rules.iter().map(|rule| rule.matched).max().unwrap_or_default();
    let row = |rule: &RuleLine| {
        let stage = if rule.stage == "outcome" { meaning(&rule.name) } else { &rule.stage };
        html! {
            span class="name" { (rule.name) span class="stage" { (stage) } }
            span class="seen" { (count(rule.matched)) " seen" }
            (bar(rule.kept, rule.dropped, most))
            span class="counts" {
                span { (count(rule.kept)) " kept" }
                span { (count(rule.dropped)) " dropped" }
            }
        }
    };
    html! {
        (legend())
        ol class="rows" {
            @for rule in &ledger.rules {
                li {
                    @match rows {
                        Rows::Buttons => {
                            button type="button" aria-pressed="false" class="row" data-row=(rule.name)
                                data-stage=(rule.stage) { (row(rule)) }
                        }
                        Rows::Text => {
                            span class="row" data-row=(rule.name) data-stage=(rule.stage) { (row(rule)) }
                        }
                    }
                }
            }
        }
        @if !ledger.shadows.is_empty() { (in_shadow_mode(&ledger.shadows)) }
    }
}

fn in_shadow_mode(shadows: &[RuleLine]) -> Markup {
    let most = shadows.iter().map(|rule| rule.matched).max().unwrap_or_default();
    html! {
        h3 id="shadow-title" { "In shadow mode: counted, not obeyed" }
        ul class="rows shadow" aria-labelledby="shadow-title" {
            @for rule in shadows {
                li {
                    span class="row" data-shadow=(rule.name) {
                        span class="name" { (rule.name) span class="stage" { "shadow" } }
                        span class="seen" {
                            "would drop " (count(rule.dropped)) " of " (count(rule.matched))
                        }
                        (bar(rule.matched.saturating_sub(rule.dropped), rule.dropped, most))
                    }
                }
            }
        }
    }
}

fn by_namespace(namespaces: &[Named]) -> Markup {
    let most = namespaces.iter().map(|named| named.volume.seen).max().unwrap_or_default();
    let line = |word: &str, class: &str, records: u64, size: u64| {
        html! {
            span { (word) }
            span class="bar" style={ "--" (class) ": " (width(records, most)) } aria-hidden="true" {
                i class=(class) {}
            }
            span class="amount" {
                (count(records)) @if records == 1 { " record, " } @else { " records, " } (bytes(size))
            }
        }
    };
    html! {
        ol class="rows" {
            @for Named { name, volume } in namespaces {
                li {
                    span class="row" {
                        span class="name" { (name) }
                        span class="seen" { (percent(volume.kept, volume.seen)) " kept" }
                        span class="before-after" {
                            (line("before", "seen", volume.seen, volume.bytes_in))
                            (line("after", "kept", volume.kept, volume.bytes_out))
                        }
                    }
                }
            }
        }
    }
}

fn templates(templates: &[Named]) -> Markup {
    let most = templates.iter().map(|named| named.volume.seen).max().unwrap_or_default();
    html! {
        ol class="rows" {
            @for Named { name, volume } in templates {
                li {
                    span class="row" {
                        code { (name) }
                        (bar(volume.kept, volume.dropped, most))
                        span class="counts" {
                            span { (count(volume.seen)) " seen, " (bytes(volume.bytes_in)) }
                            span { (count(volume.kept)) " kept" }
                            span { (count(volume.dropped)) " dropped" }
                        }
                    }
                }
            }
        }
    }
}

fn cost(ledger: &Ledger, fleet: Option<&Fleet>) -> Markup {
    let usd = |amount| usd(ledger, amount);
    let prices = ledger.prices;
    let all = ledger.billed.zip(ledger.dollars).zip(ledger.saved).named();
    html! {
        table {
            thead {
                tr {
                    th scope="col" { span class="quiet" { "Billed" } }
                    th scope="col" { "raw" }
                    th scope="col" { "with kubernetes filter" }
                    th scope="col" { "with nodesieve" }
                    th scope="col" { "saved" }
                }
            }
            @for (index, (name, ((billed, spent), saved))) in all.into_iter().enumerate() {
                tbody {
                    tr { th class="group" id={ "cost-" (index) } scope="rowgroup" colspan="5" { (name) } }
                    tr {
                        th scope="row" { "billed bytes" }
                        td { (bytes(billed.raw)) }
                        td { (bytes(billed.kubernetes_filter)) }
                        td { (bytes(billed.nodesieve)) }
                        td { (change(billed.kubernetes_filter as f64, billed.nodesieve as f64)) }
                    }
                    tr {
                        th scope="row" { "a month" }
                        td { (usd(spent.raw)) }
                        td { (usd(spent.kubernetes_filter)) }
                        td { (usd(spent.nodesieve)) }
                        td { (usd(spent.kubernetes_filter - spent.nodesieve)) }
                    }
                    @if ledger.is_timed() {
                        tr {
                            th scope="row" { "saved by" }
                            td colspan="4" {
                                (usd(saved.dropped_records)) " dropped records, "
                                (usd(saved.leaner_metadata)) " leaner metadata"
                            }
                        }
                    }
                }
            }
        }
        p class="note" {
            "Raw is every line without metadata, with kubernetes filter every line with Fluent Bit's whole object, as most have it \
             today; saved is against that. Firehose at $" (prices.firehose_per_gb) " a GB, each record rounded up to 5 KiB, aggregated what a \
             container writes between two flushes " (ledger.flush_seconds) " s apart; CloudWatch Logs at $"
            (prices.cloudwatch_per_gb) " a GB (" (prices.date) "). "
            @if ledger.is_timed() {
                "Dollars are for 30 days of this node at this rate."
            } @else {
                "Nothing is known of a month: the lines have no times, or are of less than 10 s."
            }
        }
        @if let Some(fleet) = fleet { (of_fleet(ledger, fleet)) }
    }
}

fn of_fleet(ledger: &Ledger, fleet: &Fleet) -> Markup {
    let usd = |amount| usd(ledger, amount);
    html! {
        table id="fleet" {
            thead {
                tr {
                    th scope="col" { (count(u64::from(fleet.nodes))) " nodes" }
                    th scope="col" { "raw" }
                    th scope="col" { "with kubernetes filter" }
                    th scope="col" { "with nodesieve" }
                    th scope="col" { "saved" }
                }
            }
            @for (name, ways) in fleet.dollars_a_year.named() {
                tbody {
                    tr { th class="group" scope="rowgroup" colspan="5" { (name) } }
                    tr {
                        th scope="row" { "a year" }
                        td { (usd(ways.raw)) }
                        td { (usd(ways.kubernetes_filter)) }
                        td { (usd(ways.nodesieve)) }
                        td { (usd(ways.kubernetes_filter - ways.nodesieve)) }
                    }
                }
            }
        }
        @for line in fleet.demands() {
            p class="note" { (line) }
        }
    }
}

/// What an outcome means.
pub fn meaning(outcome: &str) -> &'static str {
    match outcome {
        "none" => "no rule matched",
        "unknown" => "metadata missing",
        "exclude" => "dropped by an annotation",
        "fault" => "could not be read",
        _ => "outcome",
    }
}

fn bar(kept: u64, dropped: u64, most: u64) -> Markup {
    let style = format!("--kept: {}; --dropped: {}", width(kept, most), width(dropped, most));
    html! {
        span class="bar" style=(style) aria-hidden="true" { i class="kept" {} i class="dropped" {} }
    }
}

/// What plain and striped mean.
fn legend() -> Markup {
    html! {
        p class="legend" aria-hidden="true" {
            span { span class="bar" style="--kept: 100%" { i class="kept" {} } "kept" }
            span { span class="bar" style="--dropped: 100%" { i class="dropped" {} } "dropped" }
        }
    }
}

fn width(part: u64, most: u64) -> String {
    format!("{:.1}%", part as f64 / most.max(1) as f64 * 100.0)
}

/// A number in groups that do not break apart.
fn count(number: u64) -> String {
    grouped(number).replace(' ', "\u{202f}")
}

fn usd(ledger: &Ledger, amount: f64) -> String {
    if !ledger.is_timed() {
        return "\u{2013}".into();
    }
    let cents = format!("{:.2}", amount.abs());
    let (whole, part) = cents.split_once('.').unwrap_or((&cents, "00"));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    let sign = if amount < 0.0 { "\u{2212}" } else { "" };
    format!("{sign}${whole}.{part}")
}

/// By how much a number falls or rises.
fn change(from: f64, to: f64) -> String {
    if from <= 0.0 {
        return String::new();
    }
    let part = (to - from) / from * 100.0;
    let sign = if part < 0.0 { '\u{2212}' } else { '+' };
    format!("{sign}{:.1}%", part.abs())
}

/// A length of time in its largest unit.
fn duration(seconds: f64) -> String {
    let units = [(86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds >= *size).unwrap_or((1.0, "s"));
    let shown = format!("{:.1}", seconds / size);
    format!("{} {unit}", shown.strip_suffix(".0").unwrap_or(&shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::Volume;

    #[test]
    fn nothing_from_a_log_or_a_rule_file_is_markup() {
        let hostile = "\"><script>alert('x')</script>&";
        let rule =
            RuleLine { name: hostile.into(), stage: hostile.into(), matched: 1, ..RuleLine::default() };
        let ledger = Ledger { rules: vec![rule.clone()], shadows: vec![rule], ..Ledger::default() };
        let named = Named { name: hostile.into(), volume: Volume { seen: 1, kept: 1, ..Volume::default() } };
        let breakdown =
            Breakdown { namespaces: vec![named.clone()], templates: vec![named], ..Breakdown::default() };
        let html = volume(&ledger, &breakdown, &[hostile.to_owned()], Rows::Buttons, None);
        assert!(!html.contains("<script") && html.contains("&quot;&gt;&lt;script&gt;alert('x')"), "{html}");
        for (id, title) in SECTIONS {
            assert!(html.contains(&format!("id=\"{id}\"")) && html.contains(title), "{id}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_ledger() {
        let ledger = Ledger {
            seen: 20_095,
            kept: 95,
            dropped: 20_000,
            bytes_kubernetes_filter: 1000,
            bytes_out: 400,
            ..Ledger::default()
        };
        let html = volume(&ledger, &Breakdown::default(), &[], Rows::Text, None);
        assert!(
            html.contains("20\u{202f}095") && html.contains("0.5%") && html.contains("\u{2212}60.0%"),
            "{html}"
        );
    }

    #[test]
    fn lengths_of_time_are_short() {
        let shown = [0.0, 5.0, 90.0, 600.0, 5400.0, 172_800.0].map(duration);
        assert_eq!(shown, ["0 s", "5 s", "1.5 min", "10 min", "1.5 h", "2 d"]);
    }
}
