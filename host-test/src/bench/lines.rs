//! The lines that the pods of a benchmark write, as their libraries write them.
//!
//! The rule it keeps: JSON has blanks behind its colons (`"level": "info"`), as Python's `json.dumps` writes it, and every
//! line names the zone, so that one term matches them all.

use crate::samples::{CriStream, Dice, SampleTime};

/// What a container writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// A service that logs its requests as JSON, with trace ids.
    JsonRequests,
    /// A worker that logs as JSON.
    JsonWorker,
    /// A web server's access log, probes and assets among the requests.
    AccessLog,
    /// A worker that logs as text.
    TextWorker,
}

/// One container's lines.
pub(super) struct LineWriter {
    program: Program,
    size: usize,
}

impl LineWriter {
    /// Lines of about `size` bytes.
    pub(super) fn new(program: Program, size: usize) -> LineWriter {
        LineWriter { program, size }
    }

    /// Where the next line goes.
    pub(super) fn stream(&self, dice: &mut Dice) -> CriStream {
        let is_error_output = self.program == Program::TextWorker || dice.percent(5);
        if is_error_output { CriStream::Stderr } else { CriStream::Stdout }
    }

    /// The next line.
    pub(super) fn next(&self, now: SampleTime, dice: &mut Dice) -> String {
        match self.program {
            Program::JsonRequests if dice.percent(80) => self.json_request(dice),
            Program::JsonRequests | Program::JsonWorker => self.json_message(dice),
            Program::AccessLog => self.access(now, dice),
            Program::TextWorker => self.text(now, dice),
        }
    }

    fn json_request(&self, dice: &mut Dice) -> String {
        let status = dice.status();
        let level = if status >= 500 { "error" } else { level(dice) };
        let mut line = format!(
            r#"{{"level": "{level}", "msg": "{} /api/{}/{}", "status": {status}, "ms": {}, "zone": "euw1", "trace_id": "{}""#,
            dice.pick(&["GET", "GET", "GET", "POST"]),
            dice.pick(&["orders", "carts", "items", "users"]),
            dice.between(10_000, 99_999),
            dice.between(1, 99),
            dice.hex(32),
        );
        self.fill_json(&mut line, "body", dice);
        line
    }

    fn json_message(&self, dice: &mut Dice) -> String {
        let level = level(dice);
        let message = match dice.between(0, 9) {
            0..=2 => "heartbeat".to_owned(),
            3..=5 => format!("cache miss for key user:{}", dice.between(10_000, 99_999)),
            _ => format!("synchronised {} of {} rows", dice.between(1, 99), dice.between(100, 999)),
        };
        let mut line = format!(
            r#"{{"level": "{level}", "logger": "app.{}", "msg": "{message}", "zone": "euw1", "took": 0.{:03}, "attempt": {}"#,
            dice.pick(&["sync", "stock", "prices"]),
            dice.between(1, 999),
            dice.between(1, 3),
        );
        self.fill_json(&mut line, "detail", dice);
        line
    }

    fn access(&self, now: SampleTime, dice: &mut Dice) -> String {
        let (request, status, agent) = match dice.between(0, 99) {
            0..=24 => ("GET /healthz".to_owned(), 200, "kube-probe/1.33"),
            25..=39 => (
                format!("GET /assets/app.{}.js", dice.hex(8)),
                dice.pick(&[200, 304, 304]),
                "Mozilla/5.0 (X11; Linux x86_64)",
            ),
            _ => (
                format!("GET /products/{}", dice.between(10_000, 99_999)),
                dice.status(),
                "Mozilla/5.0 (X11; Linux x86_64)",
            ),
        };
        let mut line = format!(
            r#"{} - - [{}] "{request} HTTP/1.1" {status} {} "-" "{agent}" 0.{:03} euw1"#,
            dice.pod_ip(),
            now.common_log(),
            dice.between(2, 99_999),
            dice.between(1, 999),
        );
        self.fill_text(&mut line, dice);
        line
    }

    fn text(&self, now: SampleTime, dice: &mut Dice) -> String {
        let mut line = format!(
            "{} {:<5} [worker-{}] com.acme.{} euw1 - order {} has {} of {} items",
            now.spaced_millis(','),
            level(dice).to_uppercase(),
            dice.between(1, 8),
            dice.pick(&["stock.Import", "orders.Reserve", "prices.Sync"]),
            dice.between(10_000, 99_999),
            dice.between(1, 9),
            dice.between(10, 99),
        );
        self.fill_text(&mut line, dice);
        line
    }

    /// Ends the object, with a member in front of the end where there is room for one.
    fn fill_json(&self, line: &mut String, key: &str, dice: &mut Dice) {
        if self.missing(line) > 30 {
            line.push_str(&format!(r#", "{key}": ""#));
            self.words(line, 2, dice);
            line.push('"');
        }
        line.push('}');
    }

    fn fill_text(&self, line: &mut String, dice: &mut Dice) {
        if self.missing(line) > 8 {
            line.push(' ');
            self.words(line, 0, dice);
        }
    }

    /// Words until only `rest` bytes are missing.
    fn words(&self, line: &mut String, rest: usize, dice: &mut Dice) {
        while self.missing(line) > rest {
            line.push_str(dice.pick(&WORDS));
            line.push(' ');
        }
        line.pop();
    }

    fn missing(&self, line: &str) -> usize {
        self.size.saturating_sub(line.len())
    }
}

fn level(dice: &mut Dice) -> &'static str {
    match dice.between(0, 99) {
        0..=14 => "debug",
        15..=91 => "info",
        92..=96 => "warn",
        _ => "error",
    }
}

/// What long lines are filled with. No term of the rules that are measured is among them.
const WORDS: [&str; 12] = [
    "after",
    "retry",
    "upstream",
    "answered",
    "in",
    "12ms",
    "queue",
    "of",
    "3",
    "warehouse",
    "moved",
    "batch",
];
