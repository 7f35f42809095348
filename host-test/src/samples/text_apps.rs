//! Programs that write for people: a nightly report with progress bars, a workflow step, a development server
//! in colour and a label printer with empty lines.

use super::cri::CriLine;
use super::dice::Dice;
use super::moment::SampleTime;
use super::workload::SampleWorkload;

/// The nightly report, which ends within the window.
#[derive(Default)]
pub struct CronReport {
    region: u64,
}

impl SampleWorkload for CronReport {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        self.region += 1;
        let (region, rows) = (self.region, dice.between(1_000, 900_000));
        let mut lines = vec![CriLine::out(format!("[{}] region {region:03}: read {rows} rows", now.clock()))];
        if region.is_multiple_of(10) {
            // A progress bar draws over itself: many states, one line.
            let states =
                [10, 40, 70, 100].map(|done| format!("\rrendering: {done:3}%|{}", "#".repeat(done / 10)));
            lines.push(CriLine::err(states.concat()));
        }
        if dice.percent(4) {
            lines
                .push(CriLine::err(format!("[{}] region {region:03}: 2 rows without currency", now.clock())));
        }
        lines
    }

    fn first_words(&mut self, now: SampleTime, _dice: &mut Dice) -> Vec<CriLine> {
        vec![
            CriLine::out("========================================"),
            CriLine::out("  nightly report, business day 2026-11-19"),
            CriLine::out("========================================"),
            CriLine::out(format!("[{}] starting", now.clock())),
        ]
    }

    fn last_words(&mut self, now: SampleTime, _dice: &mut Dice) -> Vec<CriLine> {
        let clock = now.clock();
        vec![
            CriLine::out(format!("[{clock}] uploaded s3://reports.example.com/2026-11-19.pdf")),
            CriLine::out("done"),
        ]
    }
}

/// One step of a workflow.
#[derive(Default)]
pub struct WorkflowStep {
    batch: u64,
}

impl SampleWorkload for WorkflowStep {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        self.batch += 1;
        let (batch, rows) = (self.batch, dice.between(200, 9_000));
        let level = dice.pick(&["INFO", "INFO", "INFO", "WARN"]);
        vec![CriLine::out(format!(
            "time=\"{}\" level={level} transformed batch {batch} rows={rows}",
            now.rfc3339()
        ))]
    }
}

/// A development server that believes in a terminal.
pub struct Ansi;

impl SampleWorkload for Ansi {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let clock = now.clock();
        let module = dice.pick(&["/src/App.vue", "/src/cart/Total.vue", "/src/i18n.ts"]);
        let text = match dice.between(0, 4) {
            0 => format!(
                "\x1b[2m{clock}\x1b[22m \x1b[36m\x1b[1m[vite]\x1b[22m\x1b[39m \x1b[32mhmr update\x1b[39m \
                 \x1b[2m{module}\x1b[22m"
            ),
            1 => format!(
                "\x1b[90m{clock}\x1b[0m \x1b[32mINF\x1b[0m served \x1b[36mpath=\x1b[0m{module} \
                 \x1b[36mms=\x1b[0m{}",
                dice.between(1, 90)
            ),
            2 => format!("\x1b[90m{clock}\x1b[0m \x1b[33mWRN\x1b[0m slow \x1b[36mmodule=\x1b[0m{module}"),
            3 => format!(
                "\x1b[90m{clock}\x1b[0m \x1b[1;31mERR\x1b[0m \x1b[31mFailed to resolve import\x1b[0m \
                 \"./{}\" from \"{module}\"",
                dice.hex(5)
            ),
            _ => format!(
                "\x1b[38;5;{}m\u{25cf}\x1b[0m compiled in \x1b[1m{} ms\x1b[0m\x1b[K",
                dice.between(16, 231),
                dice.between(20, 900)
            ),
        };
        vec![CriLine::out(text)]
    }
}

/// A label printer: its spacing is meant for paper.
#[derive(Default)]
pub struct Blanks {
    labels: u64,
}

impl SampleWorkload for Blanks {
    fn burst(&mut self, _now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        self.labels += 1;
        let label =
            CriLine::out(format!("    LABEL {:05}   parcel {}", self.labels, dice.between(100_000, 999_999)));
        match self.labels % 6 {
            0 => vec![label, CriLine::out("")],
            2 => vec![label, CriLine::out("   ")],
            4 => vec![CriLine::out("\t"), label, CriLine::err("")],
            _ => vec![label],
        }
    }
}
