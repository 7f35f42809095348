//! The sample node: which pods are on it and what they run. This is the table to read, or to change, for
//! what the samples are made of.

use super::fleet::{SampleContainer, SamplePod};
use super::schedule::SampleRun;
use super::workload::WorkloadKind;

/// The node's name, as AWS gives it.
pub const NODE_NAME: &str = "ip-10-0-1-23.eu-central-1.compute.internal";

/// A name so long that the kubelet has to cut the log file's: 40 of the 64 digits of the id remain.
const LONG_POD: &str = "customer-orders-reconciliation-hourly-7kq2m-transform-and-load-orders-of-all-regions-\
                        into-the-warehouse-with-deduplication-and-currency-conversion-\
                        step-3-of-5-try-1-2839471056";

/// For an annotation that no naive escaping survives.
const CHANGE_CAUSE: &str = "deploy of \"chat-gateway\" 7.2.0:\n  - größere Nachrichten (bis 64 KiB)\n\
                            \t- 日本語の検索\n\t- path C:\\spool removed 🎉\n\
                            reviewed, see https://wiki.example.com/changes/4711?a=1&b=<2>";

/// All pods, with the container ids that belong to `seed`.
pub fn pods(seed: u64) -> Vec<SamplePod> {
    let groups = [shops(), payments(), platform(), batch(), monitoring(), tenants()];
    groups.into_iter().flatten().map(|pod| pod.numbered(seed)).collect()
}

fn sidecar(lines: usize) -> SampleContainer {
    SampleContainer::new("istio-proxy", "docker.io/istio/proxyv2:1.27.3", WorkloadKind::IstioProxy, lines)
}

fn shops() -> Vec<SamplePod> {
    let catalog = "registry.example.com/shop/catalog:3.14.2";
    let web = |index, tier: &str, lines| {
        SamplePod::of_stateful_set("shop-us", "web", index, "6c8f9d7b5")
            .label("tier", tier)
            .label("slot", if index == 1 { "blue" } else { "green" })
            .with(
                SampleContainer::new("web", "docker.io/library/nginx:1.29.3", WorkloadKind::StaticWeb, lines)
                    .probed(1),
            )
            .aged(604_800 - index)
    };
    vec![
        SamplePod::of_deployment("shop-eu", "catalog", "7d9c5b8f6d", "x2k4q")
            .label("tier", "backend")
            .label("service.istio.io/canonical-name", "catalog")
            .annotation("prometheus.io/scrape", "true")
            .annotation(
                "sidecar.istio.io/status",
                "{\"initContainers\":[\"istio-init\"],\"containers\":[\"istio-proxy\"]}",
            )
            .with(
                SampleContainer::new(
                    "istio-init",
                    "docker.io/istio/proxyv2:1.27.3",
                    WorkloadKind::IstioInit,
                    14,
                )
                .before_the_others()
                .living(&[SampleRun::within(1, 2)]),
            )
            .with(
                SampleContainer::new("catalog", catalog, WorkloadKind::JsonTrace, 1_300)
                    .probed(5)
                    .living(&[born_at(4)]),
            )
            .with(sidecar(850).living(&[born_at(3)]))
            .aged(0),
        SamplePod::of_deployment("shop-eu", "cart", "5f6b7c9d48", "lm7zt")
            .label("tier", "backend")
            .label("app.kubernetes.io/part-of", "shop")
            .with(SampleContainer::new(
                "cart",
                "registry.example.com/shop/cart:2.8.0",
                WorkloadKind::JavaSpring,
                1_200,
            )),
        SamplePod::of_deployment("shop-eu", "preview", "84d7c6f5b9", "q9w8d")
            .label("tier", "backend")
            .with(SampleContainer::new(
                "preview",
                "registry.example.com/shop/preview:pr-812",
                WorkloadKind::JsonTrace,
                300,
            ))
            .unlisted(),
        SamplePod::of_deployment("shop-us", "catalog", "7d9c5b8f6d", "9hv5r")
            .label("tier", "backend")
            .with(SampleContainer::new("catalog", catalog, WorkloadKind::JsonTrace, 1_000).probed(5))
            .with(sidecar(600)),
        web(1, "frontend", 250),
        web(10, "frontend-canary", 150),
    ]
}

fn payments() -> Vec<SamplePod> {
    vec![
        SamplePod::of_deployment("payments", "checkout", "6b9f8d5c7", "tn4wx")
            .label("tier", "backend")
            .label("compliance", "pci")
            .with(
                SampleContainer::new(
                    "checkout",
                    "registry.example.com/pay/checkout:11.0.3",
                    WorkloadKind::JsonXray,
                    850,
                )
                .probed(5),
            ),
        SamplePod::of_deployment("payments", "ledger", "78c5d9b6f4", "kd8s2")
            .label("tier", "backend")
            .label("compliance", "pci")
            .with(SampleContainer::new(
                "ledger",
                "registry.example.com/pay/ledger:4.1.0",
                WorkloadKind::JsonTraceparent,
                700,
            )),
        SamplePod::of_deployment("payments", "fraud-scorer", "59d6f7c8b", "vb6jp")
            .label("tier", "worker")
            .with(SampleContainer::new(
                "worker",
                "registry.example.com/pay/fraud:0.31.1",
                WorkloadKind::PythonWorker,
                650,
            )),
    ]
}

fn platform() -> Vec<SamplePod> {
    vec![
        SamplePod::of_deployment("ingress", "ingress-nginx-controller", "64f5c7d8b9", "zc5hn")
            .label("app.kubernetes.io/component", "controller")
            .with(
                SampleContainer::new(
                    "controller",
                    "registry.k8s.io/ingress-nginx/controller:v1.13.3",
                    WorkloadKind::IngressNginx,
                    1_200,
                )
                .probed(5),
            ),
        SamplePod::of_deployment("istio-system", "istiod", "7c4d8f9b65", "r5t6m")
            .label("istio", "pilot")
            .with(SampleContainer::new(
                "discovery",
                "docker.io/istio/pilot:1.27.3",
                WorkloadKind::Istiod,
                200,
            )),
        SamplePod::of_daemon_set("kube-system", "kube-proxy", "8fj4w", "6d4f9c8b7")
            .label("k8s-app", "kube-proxy")
            .with(SampleContainer::new(
                "kube-proxy",
                "registry.k8s.io/kube-proxy:v1.33.5",
                WorkloadKind::Klog,
                380,
            )),
        SamplePod::of_deployment("kube-system", "coredns", "668d6bf9bc", "p7x2c")
            .label("k8s-app", "kube-dns")
            .with(SampleContainer::new(
                "coredns",
                "registry.k8s.io/coredns/coredns:v1.12.0",
                WorkloadKind::CoreDns,
                650,
            )),
        SamplePod::of_manifest("etcd", NODE_NAME).with(SampleContainer::new(
            "etcd",
            "registry.k8s.io/etcd:3.5.21-0",
            WorkloadKind::Etcd,
            200,
        )),
    ]
}

fn batch() -> Vec<SamplePod> {
    let importer_runs = [
        SampleRun::within(5, 100),
        SampleRun::within(112, 250),
        SampleRun::within(273, 440),
        SampleRun::within(483, 590),
    ];
    vec![
        // 29919480 minutes after the epoch it is 2026-11-20T10:00:00Z.
        SamplePod::of_cron_job("batch", "nightly-report", 29_919_480, "h6k9b").label("tier", "batch").with(
            SampleContainer::new(
                "report",
                "registry.example.com/batch/report:1.4.0",
                WorkloadKind::CronReport,
                220,
            )
            .living(&[SampleRun::within(3, 190)]),
        ),
        SamplePod::of_deployment("batch", "importer", "86b7d5c9f", "w4d7q")
            .label("tier", "batch")
            .with(
                SampleContainer::new(
                    "importer",
                    "registry.example.com/batch/importer:0.9.1",
                    WorkloadKind::GoPanic,
                    24,
                )
                .living(&importer_runs),
            )
            .aged(0),
        SamplePod::of_stateful_set("batch", "exporter", 0, "75d9c8f6b").label("tier", "batch").with(
            SampleContainer::new(
                "exporter",
                "registry.example.com/batch/exporter:2.2.7",
                WorkloadKind::LongLines,
                120,
            ),
        ),
        SamplePod::of_deployment("batch", "thumbnailer", "f8c6d7b95", "5x9nl")
            .label("tier", "batch")
            .with(
                SampleContainer::new(
                    "thumbnailer",
                    "registry.example.com/batch/thumbs:9.9.9",
                    WorkloadKind::Blanks,
                    0,
                )
                .living(&[]),
            )
            .aged(0),
    ]
}

fn monitoring() -> Vec<SamplePod> {
    vec![
        SamplePod::of_stateful_set("monitoring", "prometheus", 0, "5b8d7f6c9")
            .label("app.kubernetes.io/name", "prometheus")
            .with(SampleContainer::new(
                "prometheus",
                "quay.io/prometheus/prometheus:v2.55.1",
                WorkloadKind::Logfmt,
                260,
            ))
            .with(SampleContainer::new(
                "config-reloader",
                "quay.io/prometheus-operator/prometheus-config-reloader:v0.86.1",
                WorkloadKind::Logfmt,
                20,
            )),
        SamplePod::of_daemon_set("monitoring", "node-exporter", "b2m8k", "79f6c5d8b")
            .label("app.kubernetes.io/name", "node-exporter")
            .annotation("fluentbit.io/exclude", "true")
            .with(SampleContainer::new(
                "node-exporter",
                "quay.io/prometheus/node-exporter:v1.10.2",
                WorkloadKind::Logfmt,
                60,
            )),
    ]
}

fn tenants() -> Vec<SamplePod> {
    vec![
        SamplePod::of_deployment("tenant-a", "rule-engine", "6f7d9c5b84", "c8l5v")
            .label("tier", "backend")
            .with(SampleContainer::new(
                "engine",
                "registry.example.com/a/rules:5.0.0-rc1",
                WorkloadKind::DebugFlood,
                4_100,
            )),
        SamplePod::of_deployment("tenant-a", "chat-gateway", "9c8b7d6f5", "n6q4s")
            .label("tier", "frontend")
            .annotation("kubernetes.io/change-cause", CHANGE_CAUSE)
            .with(SampleContainer::new(
                "gateway",
                "registry.example.com/a/chat:7.2.0",
                WorkloadKind::Chat,
                520,
            )),
        SamplePod::of_deployment("tenant-a", "dev-server", "b6d5f9c87", "jt2x8")
            .label("tier", "development")
            .with(SampleContainer::new("vite", "registry.example.com/a/dev:latest", WorkloadKind::Ansi, 360)),
        SamplePod::of_deployment("tenant-a", "mail-relay", "d9f8b7c65", "g4z7h").label("tier", "infra").with(
            SampleContainer::new(
                "postfix",
                "registry.example.com/a/mail-relay:3.10.4",
                WorkloadKind::Syslog,
                270,
            ),
        ),
        SamplePod::of_deployment("tenant-a", "label-printer", "c5b9d8f76", "m2w6k")
            .label("tier", "legacy")
            .with(SampleContainer::new(
                "printer",
                "registry.example.com/a/labels:0.1.0",
                WorkloadKind::Blanks,
                90,
            )),
        SamplePod::of_workflow("tenant-a", "customer-orders-reconciliation-hourly-7kq2m", LONG_POD).with(
            SampleContainer::new(
                "transform-customer-orders",
                "registry.example.com/a/etl:2026.11",
                WorkloadKind::WorkflowStep,
                80,
            ),
        ),
    ]
}

/// The life of a container that starts within the window and goes on after it.
fn born_at(seconds: u64) -> SampleRun {
    SampleRun { ends: false, ..SampleRun::within(seconds, 600) }
}
