//! Access logs of proxies and servers: nginx in the combined format, Envoy in Istio's default text format,
//! CoreDNS queries, and the kubelet's probes as servers log them.

use super::cri::CriLine;
use super::dice::Dice;
use super::moment::SampleTime;
use super::workload::SampleWorkload;

/// The sample node's own address, from which the kubelet probes.
pub const NODE_IP: &str = "10.0.1.23";

const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36",
    "curl/8.16.0",
    "Go-http-client/2.0",
    "okhttp/5.1.0",
];

const PAGES: &[&str] =
    &["/", "/products", "/cart", "/assets/app.9f3c1b.js", "/assets/site.css", "/favicon.ico", "/de/hilfe"];

const REFERERS: &[&str] = &["-", "-", "https://shop.example.com/", "https://www.example.org/search?q=a%20b"];

/// What a server logs when the kubelet asks for its health.
pub fn probe(now: SampleTime, dice: &mut Dice) -> CriLine {
    let (status, size) = if dice.percent(1) { (503, 19) } else { (200, 2) };
    CriLine::out(format!(
        "{NODE_IP} - - [{}] \"GET /healthz HTTP/1.1\" {status} {size} \"-\" \"kube-probe/1.33\"",
        now.common_log()
    ))
}

fn combined(now: SampleTime, paths: &[&str], version: &str, dice: &mut Dice) -> String {
    let path = dice.pick(paths);
    let query = if dice.percent(15) { format!("?v={}", dice.hex(6)) } else { String::new() };
    let user = if dice.percent(3) { "svc-crawler" } else { "-" };
    let status = if dice.percent(8) { 304 } else { dice.status() };
    let size = if status == 304 || status == 204 { 0 } else { dice.between(120, 180_000) };
    format!(
        "{} - {user} [{}] \"{} {path}{query} HTTP/{version}\" {status} {size} \"{}\" \"{}\"",
        dice.public_ip(),
        now.common_log(),
        dice.pick(&["GET", "GET", "GET", "GET", "GET", "HEAD", "POST"]),
        dice.pick(REFERERS),
        dice.pick(AGENTS),
    )
}

/// The controller of ingress-nginx.
pub struct IngressNginx;

impl SampleWorkload for IngressNginx {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let access = CriLine::out(combined(now, PAGES, dice.pick(&["1.1", "2.0", "2.0"]), dice));
        if dice.percent(96) {
            return vec![access];
        }
        let trouble = format!(
            "{} {} [error] 31#31: *{} upstream timed out (110: Operation timed out) while reading response \
             header from upstream, client: {}, server: shop.example.com, request: \"GET {} HTTP/2.0\", \
             upstream: \"http://{}:8080/\", host: \"shop.example.com\"",
            now.date().replace('-', "/"),
            now.clock(),
            dice.between(10_000, 99_999),
            dice.public_ip(),
            dice.pick(PAGES),
            dice.pod_ip(),
        );
        vec![CriLine::err(trouble), access]
    }
}

/// An nginx that serves files.
pub struct StaticWeb;

impl SampleWorkload for StaticWeb {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        vec![CriLine::out(combined(now, &["/", "/index.html", "/img/hero.webp", "/robots.txt"], "1.1", dice))]
    }
}

/// Istio's sidecar.
pub struct IstioProxy;

impl SampleWorkload for IstioProxy {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        if dice.percent(1) {
            let text = format!(
                "{}\tinfo\txdsproxy\tconnected to upstream XDS server: istiod.istio-system.svc:15012\tid={}",
                now.rfc3339_micros(),
                dice.between(2, 60)
            );
            return vec![CriLine::err(text)];
        }
        let status = dice.status();
        let (flags, details) = match status {
            503 => ("UF", "upstream_reset_before_response_started{connection_failure}"),
            504 => ("UT", "upstream_response_timeout"),
            _ => ("-", "via_upstream"),
        };
        let (total, pod, peer) = (dice.latency_micros() / 1000, dice.pod_ip(), dice.pod_ip());
        let service =
            dice.pick(&["catalog.shop-eu", "inventory.shop-eu", "prices.shop-us", "ledger.payments"]);
        vec![CriLine::out(format!(
            "[{}] \"{} /api/v1/products/{} HTTP/1.1\" {status} {flags} {details} - \"-\" {} {} {total} {} \
             \"{}\" \"{}\" \"{}\" \"{service}.svc.cluster.local:8080\" \"{pod}:8080\" \
             inbound|8080|| 127.0.0.6:{} {pod}:8080 {peer}:{} \
             outbound_.8080_._.{service}.svc.cluster.local default",
            now.rfc3339_millis(),
            dice.pick(&["GET", "GET", "GET", "POST"]),
            dice.between(1000, 99_999),
            dice.between(0, 900),
            dice.between(12, 40_000),
            total.saturating_sub(1),
            dice.public_ip(),
            dice.pick(AGENTS),
            dice.uuid(),
            dice.client_port(),
            dice.client_port(),
        ))]
    }
}

/// CoreDNS with the `log` plugin.
pub struct CoreDns;

const NAMES: &[&str] = &[
    "catalog.shop-eu.svc.cluster.local.",
    "ledger.payments.svc.cluster.local.",
    "istiod.istio-system.svc.cluster.local.",
    "api.example.com.",
];

impl SampleWorkload for CoreDns {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        if dice.percent(1) {
            return vec![CriLine::out(format!(
                "[ERROR] plugin/errors: 2 api.example.com. A: read udp 10.42.0.2:{}->10.0.0.2:53: \
                 i/o timeout",
                dice.client_port()
            ))];
        }
        let (client, port) = (dice.pod_ip(), dice.client_port());
        let name = dice.pick(NAMES);
        // A resolver tries the search list first, and asks for both address families at once.
        let missing = dice.percent(30);
        let name = if missing { format!("{name}tenant-a.svc.cluster.local.") } else { name.to_owned() };
        let (code, flags) = if missing {
            ("NXDOMAIN", "qr,aa,rd")
        } else {
            ("NOERROR", dice.pick(&["qr,aa,rd", "qr,rd,ra"]))
        };
        let query = |family: &str, dice: &mut Dice| {
            CriLine::out(format!(
                "[INFO] {client}:{port} - {} \"{family} IN {name} udp {} false 512\" {code} \
                 {flags} {} 0.{:09}s",
                dice.between(1, 65_535),
                name.len() + 17,
                dice.between(60, 240),
                dice.between(60_000, 9_000_000) + now.unix_millis() % 1000,
            ))
        };
        vec![query("A", dice), query("AAAA", dice)]
    }
}
