//! Applications that log JSON, in three dialects. Several requests are in flight at a time, so that lines of
//! one trace are interleaved with those of others, as on a real node.

use serde_json::{Value, json};

use super::cri::CriLine;
use super::dice::Dice;
use super::moment::SampleTime;
use super::workload::SampleWorkload;

/// A request in flight: all its lines carry the same trace id.
#[derive(Clone)]
struct Request {
    trace: String,
    method: &'static str,
    path: String,
    status: u64,
    client: String,
    lines_left: u64,
}

/// What one line tells of a request.
struct FlowStep {
    request: Request,
    last: bool,
    status: u64,
    micros: u64,
}

impl FlowStep {
    fn millis(&self) -> f64 {
        self.micros as f64 / 1000.0
    }
}

/// The requests that a server is working on.
#[derive(Default)]
struct InFlight(Vec<Request>);

impl InFlight {
    /// The next line of some request; `new_trace` makes the id of one that comes in.
    fn step(&mut self, dice: &mut Dice, new_trace: impl FnOnce(&mut Dice) -> String) -> FlowStep {
        let arrives = self.0.len() < 2 || (self.0.len() < 9 && dice.percent(34));
        let chosen = if arrives {
            let trace = new_trace(dice);
            self.0.push(new_request(trace, dice));
            self.0.len() - 1
        } else {
            dice.between(0, self.0.len() as u64 - 1) as usize
        };
        let micros = dice.latency_micros();
        self.0[chosen].lines_left -= 1;
        if self.0[chosen].lines_left == 0 {
            let request = self.0.swap_remove(chosen);
            FlowStep { last: true, status: request.status, micros: micros * 2, request }
        } else {
            // A call on the way may fail while the request, with a retry, succeeds.
            let status = if dice.percent(8) { dice.pick(&[404, 429, 500, 503, 504]) } else { 200 };
            FlowStep { last: false, status, micros, request: self.0[chosen].clone() }
        }
    }
}

fn new_request(trace: String, dice: &mut Dice) -> Request {
    let item = dice.between(1000, 99_999);
    let path = match dice.between(0, 6) {
        0 => format!("/api/v1/products/{item}"),
        1 => format!("/api/v1/products/{item}/reviews?page={}", dice.between(1, 9)),
        2 => format!("/api/v1/search?q={}", dice.pick(&["lamp", "desk+chair", "caf%C3%A9+table", "rug"])),
        3 => format!("/api/v1/carts/{}", dice.hex(8)),
        4 => format!("/api/v2/prices?sku=SKU-{item}"),
        5 => format!("/api/v1/stock/{item}"),
        _ => "/api/v1/categories".to_owned(),
    };
    let method = dice.pick(&["GET", "GET", "GET", "GET", "POST", "PUT", "DELETE"]);
    let (status, client) = (dice.status(), dice.public_ip());
    Request { trace, method, path, status, client, lines_left: dice.between(2, 5) }
}

/// The reasons that servers give for a status.
fn reason(status: u64, dice: &mut Dice) -> &'static str {
    match status {
        400 => "validation failed: field \"quantity\" must be > 0",
        401 => "token expired",
        404 => dice.pick(&["no such product", "no route"]),
        409 => "version conflict, retry",
        429 => "rate limit exceeded for tenant",
        500 => dice.pick(&[
            "pq: deadlock detected",
            "runtime error: invalid memory address or nil pointer dereference",
            "json: cannot unmarshal string into Go struct field Item.price of type int64",
        ]),
        502 => "upstream connect error or disconnect/reset before headers",
        503 => "circuit breaker \"inventory\" is open",
        504 => "context deadline exceeded",
        _ => "",
    }
}

const WORK: &[&str] = &[
    "cache lookup",
    "db query done",
    "inventory responded",
    "price rules applied",
    "feature flags evaluated",
    "rendered template",
    "published event to topic \"catalog.viewed\"",
];

/// A Go service with W3C trace ids.
pub struct JsonTrace {
    service: String,
    in_flight: InFlight,
}

impl JsonTrace {
    /// The service in the container `name`.
    pub fn new(name: &str) -> Self {
        Self { service: name.to_owned(), in_flight: InFlight::default() }
    }
}

impl SampleWorkload for JsonTrace {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let step = self.in_flight.step(dice, |dice| dice.hex(32));
        let status = step.status;
        let level = match status {
            500.. => "error",
            400.. => dice.pick(&["warn", "error"]),
            _ => "info",
        };
        let msg = if step.last { "request completed" } else { dice.pick(WORK) };
        let mut record = json!({
            "ts": now.rfc3339_micros(),
            "level": level,
            "service": self.service,
            "trace_id": step.request.trace,
            "span_id": dice.hex(16),
            "method": step.request.method,
            "path": step.request.path,
            "status": status,
            "duration_ms": step.millis(),
            "msg": msg,
        });
        if status >= 400 {
            record["error"] = Value::from(reason(status, dice));
        }
        if status == 500 {
            let line = dice.between(20, 400);
            record["stack"] = Value::from(format!(
                "main.(*Server).handle\n\t/src/http/server.go:{line}\nnet/http.HandlerFunc.ServeHTTP\n\t\
                 /usr/local/go/src/net/http/server.go:2294"
            ));
        }
        vec![CriLine::out(record.to_string())]
    }
}

/// A service on AWS with X-Ray trace ids.
pub struct JsonXray {
    component: String,
    in_flight: InFlight,
}

impl JsonXray {
    /// The service in the container `name`.
    pub fn new(name: &str) -> Self {
        Self { component: name.to_owned(), in_flight: InFlight::default() }
    }
}

impl SampleWorkload for JsonXray {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        // The id starts with the Unix time of the request in hexadecimal digits.
        let step = self.in_flight.step(dice, |dice| format!("1-{:08x}-{}", now.unix_seconds(), dice.hex(24)));
        let status = step.status;
        let severity = match status {
            500.. => dice.pick(&["ERROR", "ERROR", "CRITICAL"]),
            400.. => "WARNING",
            _ => "INFO",
        };
        let message = match status {
            400.. => reason(status, dice),
            _ if step.last => "order placed",
            _ => dice.pick(&["card authorised", "stock reserved", "address verified", "voucher checked"]),
        };
        let record = json!({
            "timestamp": now.rfc3339_millis(),
            "severity": severity,
            "xray_trace_id": step.request.trace,
            "component": self.component,
            "order": {
                "id": format!("ord_{}", dice.base64(10).replace(['+', '/'], "x")),
                "total": {
                    "minor": dice.between(199, 250_000),
                    "currency": dice.pick(&["EUR", "USD", "GBP"]),
                },
                "items": dice.between(1, 12),
            },
            "http": { "status": status, "client": step.request.client },
            "elapsed_us": step.micros,
            "message": message,
        });
        let text = record.to_string();
        vec![if status >= 500 { CriLine::err(text) } else { CriLine::out(text) }]
    }
}

/// A Node service with pino's numeric levels and the `traceparent` header as it came.
pub struct JsonTraceparent {
    name: String,
    in_flight: InFlight,
}

impl JsonTraceparent {
    /// The service in the container `name`.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), in_flight: InFlight::default() }
    }
}

impl SampleWorkload for JsonTraceparent {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let step = self.in_flight.step(dice, |dice| {
            let sampled = dice.pick(&["00", "01", "01"]);
            format!("00-{}-{}-{sampled}", dice.hex(32), dice.hex(16))
        });
        let status = step.status;
        let level = match status {
            500.. => 50,
            400.. => 40,
            _ => 30,
        };
        let mut record = json!({
            "level": level,
            "time": now.unix_millis(),
            "pid": 1,
            "name": self.name,
            "traceparent": step.request.trace,
            "req": { "method": step.request.method, "url": step.request.path },
            "res": { "statusCode": status },
            "responseTime": step.millis(),
            "msg": if step.last { "request completed" } else { dice.pick(WORK) },
        });
        if status >= 500 {
            record["err"] = json!({ "type": "Error", "message": reason(status, dice), "code": null });
        }
        vec![CriLine::out(record.to_string())]
    }
}
