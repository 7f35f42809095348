//! What a rule file makes of lines, in numbers and explanations: log files become records as Fluent Bit would make them, and the
//! verdicts on them become a ledger, a survey, a bill and a page.
//!
//! **The promise:** no clock, no file, no socket, as in the engine. So `nodesieve replay`, its report and the page in a browser
//! are the same code, and one of them cannot show another number than the other.
//!
//! In the order of a run: [`inputs`] reads lines, [`clock`] ticks, [`tally`] counts with [`reported`] and [`billing`], [`today`] is what to
//! compare with,
//! [`survey`] sorts by namespace, time and template, [`ledger`] and [`money`] are what comes out, [`panel`] shows it;
//! [`explanation`] and [`findings`] are what the engine says, as JSON.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod billing;
pub mod bundle;
pub mod clock;
pub mod counts;
pub mod doubts;
pub mod explanation;
pub mod findings;
pub mod fleet;
pub mod host_json;
pub mod inputs;
pub mod ledger;
pub mod money;
pub mod numbers;
pub mod page;
pub mod panel;
pub mod pods;
pub mod reported;
pub mod run;
pub mod survey;
pub mod tally;
pub mod today;
