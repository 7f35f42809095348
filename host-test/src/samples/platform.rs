//! The node's own components: kube-proxy in klog's format, etcd, istiod and its init container.

use serde_json::json;

use super::cri::CriLine;
use super::dice::Dice;
use super::moment::SampleTime;
use super::workload::SampleWorkload;

/// A component that logs with klog, always on stderr.
pub struct Klog;

impl SampleWorkload for Klog {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let number = dice.between(10, 9_999);
        let (severity, place, message) = match dice.between(0, 19) {
            0..=6 => ('I', "proxier.go:805", format!("\"SyncProxyRules complete\" elapsed=\"{number}µs\"")),
            7..=11 => (
                'I',
                "reflector.go:430",
                format!(
                    "\"Caches populated\" type=\"*v1.EndpointSlice\" reflector=\"factory.go:160\" rv={number}"
                ),
            ),
            12..=15 => (
                'I',
                "servicechangetracker.go:106",
                format!("\"Service updated ports\" service=\"shop-eu/catalog\" portCount={}", number % 4 + 1),
            ),
            16..=17 => (
                'W',
                "reflector.go:569",
                format!("watch of *v1.Node ended with: too old resource version: {number}"),
            ),
            18 => (
                'W',
                "warnings.go:70",
                "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned(),
            ),
            _ => (
                'E',
                "proxier.go:1564",
                format!("\"Failed to execute iptables-restore\" err=\"exit status 4\" rules={number}"),
            ),
        };
        vec![CriLine::err(format!("{severity}{}       1 {place}] {message}", now.klog()))]
    }
}

/// A static etcd.
pub struct Etcd;

impl SampleWorkload for Etcd {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let ts = now.rfc3339_micros();
        let revision = dice.between(48_000_000, 48_900_000);
        let took = format!("{}.{:06}ms", dice.between(101, 900), dice.between(1, 999_999));
        let record = match dice.between(0, 3) {
            0 => json!({
                "level": "info", "ts": ts, "caller": "mvcc/kvstore_compaction.go:72",
                "msg": "finished scheduled compaction", "compact-revision": revision, "took": took,
                "hash": dice.between(1, u64::from(u32::MAX)), "current-db-size-bytes": 68_616_192_u64,
            }),
            1 => json!({
                "level": "info", "ts": ts, "caller": "mvcc/index.go:214",
                "msg": "compact tree index", "revision": revision,
            }),
            2 => json!({
                "level": "warn", "ts": ts, "caller": "txn/util.go:93",
                "msg": "apply request took too long", "took": took, "expected-duration": "100ms",
                "prefix": "read-only range ", "response": "range_response_count:1 size:5",
                "request": "key:\"/registry/leases/kube-system/kube-scheduler\" ",
            }),
            _ => json!({
                "level": "info", "ts": ts, "caller": "etcdserver/server.go:2090",
                "msg": "saved snapshot", "snapshot-index": revision,
            }),
        };
        vec![CriLine::err(record.to_string())]
    }
}

/// Istio's control plane, with columns parted by tabs.
pub struct Istiod;

impl SampleWorkload for Istiod {
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine> {
        let (count, version) = (dice.between(1, 40), dice.hex(8));
        let tail = match dice.between(0, 4) {
            0 => format!(
                "info\tads\tPush debounce stable[{count}] 1 for config EndpointSlice/shop-eu/catalog-{}: \
                 100.{:04}ms since last change, full=false",
                dice.hex(5),
                dice.between(1, 9_999)
            ),
            1 => format!("info\tads\tXDS: Pushing Services:{count} ConnectedEndpoints:2 Version:{version}"),
            2 => format!("info\tads\tCDS: PUSH for node:catalog-7d9c5b8f6d-x2k4q.shop-eu resources:{count}"),
            3 => format!(
                "info\tads\tEDS: PUSH request for node:web-10.shop-us resources:{count} size:{count}kB"
            ),
            _ => "warn\tkube\tskipping gateway \"public\": port 8443 is already bound".to_owned(),
        };
        vec![CriLine::out(format!("{}\t{tail}", now.rfc3339_micros()))]
    }
}

/// The init container that redirects a pod's traffic to its sidecar.
#[derive(Default)]
pub struct IstioInit {
    printed: usize,
}

const RULES: &[&str] = &[
    "* nat",
    "-N ISTIO_INBOUND",
    "-N ISTIO_REDIRECT",
    "-N ISTIO_IN_REDIRECT",
    "-N ISTIO_OUTPUT",
    "-A ISTIO_INBOUND -p tcp --dport 15008 -j RETURN",
    "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001",
    "-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006",
    "-A PREROUTING -p tcp -j ISTIO_INBOUND",
    "-A OUTPUT -p tcp -j ISTIO_OUTPUT",
    "-A ISTIO_OUTPUT -o lo -s 127.0.0.6/32 -j RETURN",
    "-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN",
    "-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN",
    "COMMIT",
];

impl SampleWorkload for IstioInit {
    fn burst(&mut self, _now: SampleTime, _dice: &mut Dice) -> Vec<CriLine> {
        let rule = RULES.get(self.printed % RULES.len()).copied().unwrap_or_default();
        self.printed += 1;
        vec![CriLine::out(rule)]
    }

    fn last_words(&mut self, now: SampleTime, _dice: &mut Dice) -> Vec<CriLine> {
        vec![CriLine::out(format!("{}\tinfo\tistio-init completed", now.rfc3339_micros()))]
    }
}
