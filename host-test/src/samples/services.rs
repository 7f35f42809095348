//! Services with line formats of their own: logfmt and syslog.

use super::cri::CriLine;
use super::dice::Dice;
use super::moment::SampleTime;
use super::workload::SampleWorkload;

/// Prometheus and its companions.
pub struct Logfmt;

impl SampleWorkload for Logfmt {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let number = dice.between(1_000, 99_999);
        let tail = match dice.between(0, 6) {
            0 => format!(
                "caller=head.go:612 level=info component=tsdb msg=\"Head GC\" duration={}.{number}ms",
                dice.between(1, 80)
            ),
            1 => format!(
                "caller=checkpoint.go:100 level=info component=tsdb msg=\"Creating checkpoint\" \
                 from_segment={number} mint=1795161600000"
            ),
            2 => format!(
                "caller=scrape.go:1741 level=warn component=\"scrape manager\" scrape_pool=kubernetes-pods \
                 target=http://{}:9090/metrics msg=\"Append failed\" err=\"out of order sample\"",
                dice.pod_ip()
            ),
            3 => format!(
                "caller=compact.go:576 level=info msg=\"write block\" ulid=01KA{} note=",
                dice.hex(22).to_uppercase()
            ),
            4 => format!(
                "caller=dedupe.go:112 level=warn msg=\"Failed to send batch\" \
                 url=https://metrics.example.com err=\"server returned \\\"429 slow down\\\"\" count={number}"
            ),
            5 => format!(
                "caller=manager.go:219 level=error component=\"rule manager\" group=slo.rules \
                 msg=\"Evaluating rule failed\" rule=\"record: job:errors:rate5m\\nexpr: sum by (job) \
                 (rate(errors_total[5m]))\\n\" n={number}"
            ),
            _ => format!(
                "caller=main.go:1216 level=info msg=\"Completed loading of configuration file\" n={number}"
            ),
        };
        vec![CriLine::err(format!("ts={} {tail}", now.rfc3339_millis()))]
    }
}

/// A mail relay whose lines still carry the syslog priority.
pub struct Syslog;

impl SampleWorkload for Syslog {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let (pid, queue) = (dice.between(80, 400), dice.hex(10).to_uppercase());
        let client = dice.pod_ip();
        let (priority, tail) = match dice.between(0, 9) {
            0..=2 => (6, format!("smtpd[{pid}]: connect from unknown[{client}]")),
            3..=4 => (6, format!("smtpd[{pid}]: {queue}: client=unknown[{client}]")),
            5..=6 => (
                6,
                format!(
                    "smtp[{pid}]: {queue}: to=<orders@example.com>, relay=mx.example.com[192.0.2.25]:25, \
                     delay=0.{}, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {})",
                    dice.between(10, 99),
                    dice.hex(10).to_uppercase()
                ),
            ),
            7 => (5, format!("qmgr[{pid}]: {queue}: removed")),
            8 => {
                (4, format!("smtpd[{pid}]: warning: hostname host.example.net does not resolve to {client}"))
            }
            _ => (
                3,
                format!(
                    "smtp[{pid}]: error: {queue}: to=<billing@example.com>, relay=none, dsn=4.4.1, \
                     status=deferred (connect to mx.example.org[198.51.100.25]:25: Connection timed out)"
                ),
            ),
        };
        vec![CriLine::out(format!("<{priority}>{} mail-relay postfix/{tail}", now.syslog()))]
    }
}
