//! The volume as HTML, for the page in a browser and for the report: one renderer, so that both show the same.
//!
//! The rule it keeps: whatever comes from a log or a rule file is escaped, in text and in attributes, and nothing needs a
//! script. Kept is plain and dropped is striped, so that it reads in black and white too.

mod chart;

use crate::ledger::{Ledger, RuleLine};
use crate::numbers::{bytes, grouped, percent};
use crate::survey::{Breakdown, Named};
use chart::over_time;
use std::fmt::Write as _;

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

/// The whole panel. `wrong` is where the numbers do not add up.
pub fn volume(ledger: &Ledger, breakdown: &Breakdown, wrong: &[String], rows: Rows) -> String {
    let mut out = String::from("<div class=\"volume\">\n");
    let parts = [
        headline(ledger, wrong),
        by_rule(ledger, rows),
        by_namespace(&breakdown.namespaces),
        over_time(&breakdown.times, breakdown.time_step_seconds),
        templates(&breakdown.templates),
        cost(ledger),
    ];
    for ((id, title), body) in SECTIONS.into_iter().zip(parts) {
        put(
            &mut out,
            format_args!(
                "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n{body}</section>\n"
            ),
        );
    }
    out.push_str("</div>\n");
    out
}

/// Text for HTML, inside an element or an attribute's quotes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

fn headline(ledger: &Ledger, wrong: &[String]) -> String {
    let mut out = String::from("<dl class=\"figures\">\n");
    let share = |part| percent(part, ledger.seen);
    let span = if ledger.span_seconds > 0.0 { duration(ledger.span_seconds) } else { String::new() };
    let usd = |amount| usd(ledger, amount);
    let figures = [
        ("", "Records seen", ledger.seen, span),
        (" kept", "Kept", ledger.kept, share(ledger.kept)),
        (" dropped", "Dropped", ledger.dropped, share(ledger.dropped)),
    ];
    for (class, name, number, share) in figures {
        put(
            &mut out,
            format_args!(
                "<div class=\"figure{class}\"><dt>{name}</dt><dd><span class=\"number\">{}</span><span class=\"share\">{share}</span></dd></div>\n",
                count(number)
            ),
        );
    }
    put(
        &mut out,
        format_args!("</dl>\n{}\n<dl class=\"pairs\">\n", bar(ledger.kept, ledger.dropped, ledger.seen)),
    );
    let money = &ledger.money;
    let pairs = [
        (
            "Bytes in → bytes out",
            bytes(ledger.bytes_in),
            bytes(ledger.bytes_out),
            ledger.bytes_in as f64,
            ledger.bytes_out as f64,
        ),
        (
            "Firehose, a month",
            usd(money.firehose_unfiltered_aggregated),
            usd(money.firehose_aggregated),
            money.firehose_unfiltered_aggregated,
            money.firehose_aggregated,
        ),
        (
            "CloudWatch Logs, a month",
            usd(money.cloudwatch_unfiltered),
            usd(money.cloudwatch),
            money.cloudwatch_unfiltered,
            money.cloudwatch,
        ),
    ];
    for (name, before, after, from, to) in pairs {
        put(
            &mut out,
            format_args!(
                "<div><dt>{name}</dt><dd>{before} → <b>{after}</b> <span class=\"change{}\">{}</span></dd></div>\n",
                if to > from { " more" } else { "" },
                change(from, to)
            ),
        );
    }
    out.push_str("</dl>\n");
    for line in wrong {
        put(
            &mut out,
            format_args!("<p class=\"note\" role=\"alert\">Does not add up: {}</p>\n", escaped(line)),
        );
    }
    out
}

fn by_rule(ledger: &Ledger, rows: Rows) -> String {
    let (opening, closing) = match rows {
        Rows::Buttons => ("button type=\"button\" aria-pressed=\"false\"", "button"),
        Rows::Text => ("span", "span"),
    };
    let most = ledger.rules.iter().map(|rule| rule.matched).max().unwrap_or_default();
    let mut out = format!("{LEGEND}<ol class=\"rows\">\n");
    for rule in &ledger.rules {
        let name = escaped(&rule.name);
        let stage = escaped(if rule.stage == "outcome" { meaning(&rule.name) } else { &rule.stage });
        put(
            &mut out,
            format_args!(
                "<li><{opening} class=\"row\" data-row=\"{name}\" data-stage=\"{}\">\n\
                 <span class=\"name\">{name}<span class=\"stage\">{stage}</span></span><span class=\"seen\">{} seen</span>\n\
                 {}\n<span class=\"counts\"><span>{} kept</span><span>{} dropped</span></span>\n</{closing}></li>\n",
                escaped(&rule.stage),
                count(rule.matched),
                bar(rule.kept, rule.dropped, most),
                count(rule.kept),
                count(rule.dropped)
            ),
        );
    }
    out.push_str("</ol>\n");
    if !ledger.shadows.is_empty() {
        in_shadow_mode(&mut out, &ledger.shadows);
    }
    out
}

fn in_shadow_mode(out: &mut String, shadows: &[RuleLine]) {
    let most = shadows.iter().map(|rule| rule.matched).max().unwrap_or_default();
    out.push_str(
        "<h3 id=\"shadow-title\">In shadow mode: counted, not obeyed</h3>\n\
         <ul class=\"rows shadow\" aria-labelledby=\"shadow-title\">\n",
    );
    for rule in shadows {
        let name = escaped(&rule.name);
        put(
            out,
            format_args!(
                "<li><span class=\"row\" data-shadow=\"{name}\">\n<span class=\"name\">{name}<span class=\"stage\">shadow</span></span>\
                 <span class=\"seen\">would drop {} of {}</span>\n{}\n</span></li>\n",
                count(rule.dropped),
                count(rule.matched),
                bar(rule.matched.saturating_sub(rule.dropped), rule.dropped, most)
            ),
        );
    }
    out.push_str("</ul>\n");
}

fn by_namespace(namespaces: &[Named]) -> String {
    let most = namespaces.iter().map(|named| named.volume.seen).max().unwrap_or_default();
    let mut out = String::from("<ol class=\"rows\">\n");
    for Named { name, volume } in namespaces {
        let line = |word: &str, class: &str, records: u64, size: u64| {
            format!(
                "<span>{word}</span><span class=\"bar\" style=\"--{class}: {}\" aria-hidden=\"true\"><i class=\"{class}\"></i></span>\
                 <span class=\"amount\">{} {}, {}</span>\n",
                width(records, most),
                count(records),
                if records == 1 { "record" } else { "records" },
                bytes(size)
            )
        };
        put(
            &mut out,
            format_args!(
                "<li><span class=\"row\">\n<span class=\"name\">{}</span><span class=\"seen\">{} kept</span>\n\
                 <span class=\"before-after\">\n{}{}</span>\n</span></li>\n",
                escaped(name),
                percent(volume.kept, volume.seen),
                line("before", "seen", volume.seen, volume.bytes_in),
                line("after", "kept", volume.kept, volume.bytes_out)
            ),
        );
    }
    out.push_str("</ol>\n");
    out
}

fn templates(templates: &[Named]) -> String {
    let most = templates.iter().map(|named| named.volume.seen).max().unwrap_or_default();
    let mut out = String::from("<ol class=\"rows\">\n");
    for Named { name, volume } in templates {
        put(
            &mut out,
            format_args!(
                "<li><span class=\"row\">\n<code>{}</code>\n{}\n<span class=\"counts\"><span>{} seen, {}</span><span>{} kept</span>\
                 <span>{} dropped</span></span>\n</span></li>\n",
                escaped(name),
                bar(volume.kept, volume.dropped, most),
                count(volume.seen),
                bytes(volume.bytes_in),
                count(volume.kept),
                count(volume.dropped)
            ),
        );
    }
    out.push_str("</ol>\n");
    out
}

fn cost(ledger: &Ledger) -> String {
    let mut out = String::from(
        "<table>\n<thead><tr><th scope=\"col\"><span class=\"quiet\">Billed</span></th><th scope=\"col\">without</th>\
         <th scope=\"col\">with</th><th scope=\"col\">saved</th></tr></thead>\n",
    );
    for (index, bill) in ledger.bills().into_iter().enumerate() {
        put(
            &mut out,
            format_args!(
                "<tbody>\n<tr><th class=\"group\" id=\"cost-{index}\" scope=\"rowgroup\" colspan=\"4\">{}</th></tr>\n\
                 <tr><th scope=\"row\">billed bytes</th><td>{}</td><td>{}</td><td>{}</td></tr>\n\
                 <tr><th scope=\"row\">a month</th><td>{}</td><td>{}</td><td>{}</td></tr>\n</tbody>\n",
                bill.name,
                bytes(bill.bytes_without),
                bytes(bill.bytes_with),
                change(bill.bytes_without as f64, bill.bytes_with as f64),
                usd(ledger, bill.dollars_without),
                usd(ledger, bill.dollars_with),
                usd(ledger, bill.dollars_without - bill.dollars_with)
            ),
        );
    }
    let prices = ledger.prices;
    put(
        &mut out,
        format_args!(
            "</table>\n<p class=\"note\">Firehose at ${} a GB, each record rounded up to 5 KiB, aggregated what a container writes between \
             two flushes {} s apart; CloudWatch Logs at ${} a GB ({}). {}</p>\n",
            prices.firehose_per_gb,
            ledger.flush_seconds,
            prices.cloudwatch_per_gb,
            escaped(prices.date),
            if ledger.is_timed() {
                "Dollars are for 30 days of this node at this rate."
            } else {
                "Nothing is known of a month: the lines have no times, or are of less than 10 s."
            }
        ),
    );
    out
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

fn bar(kept: u64, dropped: u64, most: u64) -> String {
    format!(
        "<span class=\"bar\" style=\"--kept: {}; --dropped: {}\" aria-hidden=\"true\"><i class=\"kept\"></i><i class=\"dropped\"></i></span>",
        width(kept, most),
        width(dropped, most)
    )
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

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}

const LEGEND: &str = "<p class=\"legend\" aria-hidden=\"true\"><span><span class=\"bar\" style=\"--kept: 100%\"><i class=\"kept\"></i></span>kept</span>\
<span><span class=\"bar\" style=\"--dropped: 100%\"><i class=\"dropped\"></i></span>dropped</span></p>\n";
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
        let html = volume(&ledger, &breakdown, &[hostile.to_owned()], Rows::Buttons);
        assert!(
            !html.contains("<script") && html.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)"),
            "{html}"
        );
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
            bytes_in: 1000,
            bytes_out: 400,
            ..Ledger::default()
        };
        let html = volume(&ledger, &Breakdown::default(), &[], Rows::Text);
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
