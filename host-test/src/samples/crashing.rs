//! Programs that fail at length: Java stack traces, Python tracebacks and a Go panic, each over many lines.

use super::cri::CriLine;
use super::dice::Dice;
use super::moment::SampleTime;
use super::workload::SampleWorkload;

/// Every how many bursts a program fails; a fixed beat, so that each sample has failures of every shape.
const FAILS_EVERY: u64 = 13;

/// A Spring Boot shop.
#[derive(Default)]
pub struct JavaSpring {
    bursts: u64,
}

const LOGGERS: &[(&str, &str)] = &[
    ("c.e.shop.CartController", "added item to cart"),
    ("c.e.shop.CartService", "recalculated totals"),
    ("c.e.shop.pricing.VoucherRules", "voucher applied, discount"),
    ("o.s.web.servlet.DispatcherServlet", "Completed 200 OK, request"),
    ("com.zaxxer.hikari.pool.HikariPool", "HikariPool-1 - Pool stats (total=10, active=3, idle=7), sample"),
];

const FRAMES: &[&str] = &[
    "com.example.shop.CartService.merge(CartService.java:118)",
    "com.example.shop.CartController.add(CartController.java:57)",
    "java.base/jdk.internal.reflect.DirectMethodHandleAccessor.invoke(DirectMethodHandleAccessor.java:103)",
    "org.springframework.web.method.support.InvocableHandlerMethod.doInvoke(InvocableHandlerMethod.java:258)",
    "org.springframework.web.servlet.DispatcherServlet.doDispatch(DispatcherServlet.java:1089)",
    "org.springframework.web.servlet.FrameworkServlet.service(FrameworkServlet.java:903)",
    "org.apache.catalina.core.ApplicationFilterChain.doFilter(ApplicationFilterChain.java:138)",
    "org.apache.tomcat.util.net.NioEndpoint$SocketProcessor.doRun(NioEndpoint.java:1736)",
    "java.base/java.lang.Thread.run(Thread.java:1583)",
];

impl JavaSpring {
    fn line(now: SampleTime, level: &str, logger: &str, message: &str, dice: &mut Dice) -> CriLine {
        // Spring keeps the last 15 characters of a thread's name.
        let thread = dice.pick(&["nio-8080-exec-1", "nio-8080-exec-4", "nio-8080-exec-7", "io-8080-exec-10"]);
        let at = now.spaced_millis('.');
        CriLine::out(format!("{at} {level:>5} 1 --- [{thread:>15}] {logger:<40} : {message}"))
    }

    fn stack_trace(now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let problem = dice.pick(&[
            "java.lang.NullPointerException: Cannot invoke \"Cart.getItems()\" because \"cart\" is null",
            "org.springframework.dao.DataAccessResourceFailureException: could not open JDBC connection",
            "java.lang.IllegalStateException: cart 8f2c is already checked out",
        ]);
        let head = "Servlet.service() for servlet [dispatcherServlet] threw exception";
        let mut lines = vec![
            Self::line(now, "ERROR", "o.a.c.c.C.[.[.[/].[dispatcherServlet]", head, dice),
            CriLine::out(""),
            CriLine::out(problem),
        ];
        let depth = dice.between(6, 16) as usize;
        lines.extend(FRAMES.iter().cycle().take(depth).map(|frame| CriLine::out(format!("\tat {frame}"))));
        if dice.percent(70) {
            lines.push(CriLine::out("Caused by: java.net.SocketTimeoutException: Read timed out"));
            lines.push(CriLine::out(
                "\tat java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:278)",
            ));
            lines.push(CriLine::out(
                "\tat org.postgresql.core.VisibleBufferedInputStream.read(Unknown Source)",
            ));
            lines.push(CriLine::out(format!("\t... {} more", dice.pick(&[23, 41, 57]))));
        }
        lines
    }
}

impl SampleWorkload for JavaSpring {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        self.bursts += 1;
        if self.bursts.is_multiple_of(FAILS_EVERY * 2) {
            return Self::stack_trace(now, dice);
        }
        let (logger, message) = dice.pick(LOGGERS);
        let level = dice.pick(&["INFO", "INFO", "INFO", "INFO", "INFO", "INFO", "DEBUG", "WARN"]);
        let message = format!("{message} {}", dice.hex(6));
        vec![Self::line(now, level, logger, &message, dice)]
    }
}

/// A Python queue worker.
#[derive(Default)]
pub struct PythonWorker {
    bursts: u64,
}

impl PythonWorker {
    fn line(now: SampleTime, level: &str, message: &str) -> CriLine {
        CriLine::err(format!("{} {level} fraud.worker {message}", now.spaced_millis(',')))
    }

    fn traceback(frames: &[(&str, u64, &str, &str)], problem: &str) -> Vec<CriLine> {
        let mut lines = vec![CriLine::err("Traceback (most recent call last):")];
        for (file, number, function, code) in frames {
            lines.push(CriLine::err(format!("  File \"{file}\", line {number}, in {function}")));
            lines.push(CriLine::err(format!("    {code}")));
        }
        lines.push(CriLine::err(problem));
        lines
    }

    fn failure(&self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let mut lines = vec![Self::line(now, "ERROR", &format!("job {} failed", dice.hex(12)))];
        let text = dice.pick(&["12,5O", "NaN%", "--", "1e"]);
        lines.extend(Self::traceback(
            &[
                (
                    "/app/fraud/worker.py",
                    dice.between(80, 140),
                    "run",
                    "score = self.model.score(job.features)",
                ),
                ("/app/fraud/model.py", 61, "score", "amount = float(features[\"amount\"])"),
            ],
            &format!("ValueError: could not convert string to float: '{text}'"),
        ));
        // Python's own words between an exception and the one that its handler raised.
        if self.bursts == FAILS_EVERY * 2 {
            lines.push(CriLine::err(""));
            lines.push(CriLine::err("During handling of the above exception, another exception occurred:"));
            lines.push(CriLine::err(""));
            lines.extend(Self::traceback(
                &[
                    ("/app/fraud/worker.py", 149, "run", "self.dead_letters.push(job)"),
                    (
                        "/usr/lib/python3.13/site-packages/redis/client.py",
                        624,
                        "execute_command",
                        "conn.connect()",
                    ),
                ],
                "redis.exceptions.ConnectionError: Error 111 connecting to redis:6379. Connection refused.",
            ));
        }
        lines
    }
}

impl SampleWorkload for PythonWorker {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        self.bursts += 1;
        if self.bursts.is_multiple_of(FAILS_EVERY) {
            return self.failure(now, dice);
        }
        let (transaction, score) = (dice.hex(12), dice.between(0, 999));
        let (level, verdict) = if score > 950 { ("WARNING", "review") } else { ("INFO", "accept") };
        let message = format!("scored transaction tx={transaction} score=0.{score:03} verdict={verdict}");
        vec![Self::line(now, level, &message)]
    }
}

/// A Go importer that does not survive its input.
pub struct GoPanic;

impl GoPanic {
    fn line(now: SampleTime, message: &str) -> CriLine {
        CriLine::err(format!("{} {} {message}", now.date().replace('-', "/"), now.clock()))
    }
}

impl SampleWorkload for GoPanic {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let (row, feed) = (dice.between(1, 90_000), dice.pick(&["prices", "stock", "suppliers"]));
        vec![Self::line(now, &format!("imported chunk feed={feed} first_row={row} rows=500"))]
    }

    fn first_words(&mut self, now: SampleTime, _dice: &mut Dice) -> Vec<CriLine> {
        vec![
            Self::line(now, "importer v0.9.1 starting"),
            Self::line(now, "connected to queue.example.com:5672"),
        ]
    }

    fn last_words(&mut self, _now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let index = dice.between(3, 9);
        [
            &format!("panic: runtime error: index out of range [{index}] with length 3"),
            "",
            "goroutine 1 [running]:",
            &format!("main.parseRow({{0xc000{}, 0x3, 0x3}})", dice.hex(6)),
            "\t/app/parse.go:88 +0x2f4",
            "main.run(0xc00011e000)",
            "\t/app/main.go:71 +0x1a5",
            "main.main()",
            "\t/app/main.go:42 +0x1d",
            "exit status 2",
        ]
        .map(CriLine::err)
        .into()
    }
}
