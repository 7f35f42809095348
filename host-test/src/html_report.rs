//! `replay --report`: what a rule file makes of a node's logs as one page without scripts, to send and to print.
//!
//! It shows what the playground shows, by the same renderer and style sheet.

use crate::replay::ReplayOutcome;
use maud::{DOCTYPE, PreEscaped, html};
use nodesieve_preview::fleet::Fleet;
use nodesieve_preview::panel::{self, Rows, volume};

/// The page. `rules` and `input` say what was replayed, `fleet` what it comes to for so many nodes.
pub fn html(outcome: &ReplayOutcome, rules: &str, input: &str, fleet: Option<&Fleet>) -> String {
    let volume = volume(&outcome.ledger, &outcome.breakdown, &outcome.imbalances, Rows::Text, fleet);
    // Where it does not add up, the first section says so.
    let mut notes: Vec<String> =
        outcome.losses.iter().map(|(index, loss)| format!("fault: record {index}: {loss}")).collect();
    if outcome.imbalances.is_empty() {
        notes.push(crate::report::adds_up(outcome));
    }
    let measured = crate::measured::series(&outcome.metrics).into_iter();
    let measured =
        panel::measured(&measured.map(|one| (one.series, one.value.to_string())).collect::<Vec<_>>());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "nodesieve report: " (rules) }
                style { (PreEscaped(PANEL)) (PreEscaped(PAGE)) }
            }
            body {
                header {
                    h1 { "nodesieve report" }
                    p { "What " b { (rules) } " makes of " b { (input) } ", by the compiled filter." }
                }
                main {
                    (PreEscaped(volume))
                    (PreEscaped(measured))
                    @for note in &notes { p class="totals" { (note) } }
                }
                footer { "nodesieve " (env!("CARGO_PKG_VERSION")) }
            }
        }
    };
    page.into_string()
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
