//! `replay --report`: what a rule file makes of a node's logs as one page without scripts, to send and to print.
//!
//! It shows what the playground shows, by the same renderer and style sheet.

use crate::replay::Outcome;
use nodesieve_preview::panel::{Rows, escaped, volume};

/// The page. `rules` and `input` say what was replayed.
pub fn html(outcome: &Outcome, rules: &str, input: &str) -> String {
    let volume = volume(&outcome.ledger, &outcome.breakdown, &outcome.imbalances, Rows::Text);
    let (rules, input) = (escaped(rules), escaped(input));
    // Where it does not add up, the first section says so.
    let mut notes: Vec<String> =
        outcome.losses.iter().map(|(index, loss)| format!("fault: record {index}: {loss}")).collect();
    if outcome.imbalances.is_empty() {
        notes.push(crate::report::adds_up(outcome));
    }
    let totals: String =
        notes.iter().map(|note| format!("<p class=\"totals\">{}</p>\n", escaped(note))).collect();
    let (panel, page, version) = (PANEL, PAGE, env!("CARGO_PKG_VERSION"));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>nodesieve report: {rules}</title>\n<style>\n{panel}{page}</style>\n</head>\n<body>\n\
         <header><h1>nodesieve report</h1><p>What <b>{rules}</b> makes of <b>{input}</b>, by the compiled filter.</p></header>\n\
         <main>\n{volume}{totals}</main>\n<footer>nodesieve {version}</footer>\n</body>\n</html>\n"
    )
}

const PANEL: &str = include_str!("../playground/panel.css");
const PAGE: &str = "
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 24px 16px; max-width: 860px; font-family: system-ui, sans-serif; font-size: 14px;
  background: light-dark(#fff, #151b23); color: light-dark(#1b2430, #e4e9f0); }
h1 { margin: 0; font-size: 22px; }
header p, footer, .totals { color: light-dark(#56616f, #9aa6b5); }
.totals { font-size: 12px; overflow-wrap: anywhere; }
footer { margin-top: 16px; font-size: 12px; }
@media print { :root { color-scheme: light; } body { padding: 0; max-width: none; } section { break-inside: avoid; } #templates, #by-rule { break-inside: auto; } }
";
