//! Every setting: its flag, its variable, what its value is, its default, and what it is for.
//!
//! The one place for all of that: the help, the README's table (held equal by a test) and the reading of settings
//! come from here.

/// A setting as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The flag without its dashes.
    pub flag: &'static str,
    /// The environment variable that says the same; a flag wins.
    pub variable: &'static str,
    /// What the value is; empty for a switch, whose variable is `true` or `false`.
    pub value: &'static str,
    /// What holds when nothing is said; empty when that is nothing.
    pub default: &'static str,
    /// What it is for.
    pub meaning: &'static str,
}

/// All settings, in the order in which they are shown.
pub const SETTINGS: [Setting; 30] = [
    Setting {
        flag: "source",
        variable: "NODESIEVE_SOURCE",
        value: "WORD",
        default: "auto",
        meaning: "where pods come from: `pods-api`, `kubelet` (its `/pods`), `file`, or `auto`: the Pods API while it can be had, the kubelet's `/pods` while not",
    },
    Setting {
        flag: "pods-api-socket",
        variable: "NODESIEVE_PODS_API_SOCKET",
        value: "PATH",
        default: "/var/lib/kubelet/pods-api/pods-api.sock",
        meaning: "the Unix socket of the kubelet's Pods API (Kubernetes 1.37 and later)",
    },
    Setting {
        flag: "kubelet-host",
        variable: "HOST_IP",
        value: "ADDRESS",
        default: "",
        meaning: "the node's kubelet, an IP address (IPv6 too) or a name; needed unless `--source pods-api` or `--pods-file` is given",
    },
    Setting {
        flag: "kubelet-port",
        variable: "NODESIEVE_KUBELET_PORT",
        value: "PORT",
        default: "10250",
        meaning: "its port",
    },
    Setting {
        flag: "kubelet-ca",
        variable: "NODESIEVE_KUBELET_CA",
        value: "FILE",
        default: "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        meaning: "certificates (PEM) of who may have signed the kubelet's; read again when the file changes",
    },
    Setting {
        flag: "kubelet-server-name",
        variable: "NODESIEVE_KUBELET_SERVER_NAME",
        value: "NAME",
        default: "",
        meaning: "the name that the kubelet's certificate has to have, when it is not that of `--kubelet-host`",
    },
    Setting {
        flag: "kubelet-insecure-tls",
        variable: "NODESIEVE_KUBELET_INSECURE_TLS",
        value: "",
        default: "",
        meaning: "takes any certificate: for clusters whose kubelets sign their own. Whoever answers on the port gets the token",
    },
    Setting {
        flag: "token-file",
        variable: "NODESIEVE_TOKEN_FILE",
        value: "FILE",
        default: "/var/run/secrets/kubernetes.io/serviceaccount/token",
        meaning: "the service account's token; read for each request, because it changes",
    },
    Setting {
        flag: "interval",
        variable: "NODESIEVE_INTERVAL",
        value: "DURATION",
        default: "30s",
        meaning: "from one request to the next, give or take a tenth; also the longest pause after failures",
    },
    Setting {
        flag: "connect-timeout",
        variable: "NODESIEVE_CONNECT_TIMEOUT",
        value: "DURATION",
        default: "5s",
        meaning: "for the connection with its TLS handshake",
    },
    Setting {
        flag: "read-timeout",
        variable: "NODESIEVE_READ_TIMEOUT",
        value: "DURATION",
        default: "10s",
        meaning: "for how long nothing may come while an answer is waited for",
    },
    Setting {
        flag: "total-timeout",
        variable: "NODESIEVE_TOTAL_TIMEOUT",
        value: "DURATION",
        default: "25s",
        meaning: "for a request as a whole",
    },
    Setting {
        flag: "max-list",
        variable: "NODESIEVE_MAX_LIST",
        value: "BYTES",
        default: "64MiB",
        meaning: "the largest answer that is read; it never is in memory as a whole",
    },
    Setting {
        flag: "pods-dir",
        variable: "NODESIEVE_PODS_DIR",
        value: "DIRECTORY",
        default: "/run/nodesieve/pods",
        meaning: "where the pod files go: the `pods.dir` of the rule file",
    },
    Setting {
        flag: "grace",
        variable: "NODESIEVE_GRACE",
        value: "DURATION",
        default: "10m",
        meaning: "for how long the file of a pod stays that is not in the list any more: its last lines are read late",
    },
    Setting {
        flag: "labels",
        variable: "NODESIEVE_LABELS",
        value: "GLOBS",
        default: "*",
        meaning: "keys of labels that are written, separated by commas",
    },
    Setting {
        flag: "labels-deny",
        variable: "NODESIEVE_LABELS_DENY",
        value: "GLOBS",
        default: "",
        meaning: "keys of labels that are not, whatever `--labels` says",
    },
    Setting {
        flag: "annotations",
        variable: "NODESIEVE_ANNOTATIONS",
        value: "GLOBS",
        // Those that are read by default. Anybody may write 256 kB of others onto a pod, and all of a list are held at once.
        default: "fluentbit.io/exclude*,nodesieve.io/*",
        meaning: "keys of annotations that are written, separated by commas",
    },
    Setting {
        flag: "annotations-deny",
        variable: "NODESIEVE_ANNOTATIONS_DENY",
        value: "GLOBS",
        default: "kubectl.kubernetes.io/last-applied-configuration",
        meaning: "keys of annotations that are not, whatever `--annotations` says",
    },
    Setting {
        flag: "max-value",
        variable: "NODESIEVE_MAX_VALUE",
        value: "BYTES",
        default: "16KiB",
        meaning: "the longest label or annotation that is written; a longer one is left out as a whole and counted",
    },
    Setting {
        flag: "max-pod",
        variable: "NODESIEVE_MAX_POD",
        value: "BYTES",
        default: "64KiB",
        meaning: "labels and annotations of one pod that are written, together; beyond that its longest annotations go, then its longest labels",
    },
    Setting {
        flag: "max-total",
        variable: "NODESIEVE_MAX_TOTAL",
        value: "BYTES",
        default: "8MiB",
        meaning: "all pods as they are held, and all pod files: beyond that each pod has less room, and files of pods that are gone go early",
    },
    Setting {
        flag: "logs-dir",
        variable: "NODESIEVE_LOGS_DIR",
        value: "DIRECTORY",
        default: "/var/log/containers",
        meaning: "a new file in it, a container's log, is a reason to ask at once; `off` watches nothing",
    },
    Setting {
        flag: "pod-logs-dir",
        variable: "NODESIEVE_POD_LOGS_DIR",
        value: "DIRECTORY",
        default: "/var/log/pods",
        meaning: "the same for a new directory in it, which kubelet makes before a pod's first container starts; or `off`",
    },
    Setting {
        flag: "listen",
        variable: "NODESIEVE_LISTEN",
        value: "ADDRESS:PORT",
        default: "[::]:2021",
        meaning: "where `/healthz`, `/readyz` and `/metrics` are served; a node without IPv6 gets `0.0.0.0`; or `off`",
    },
    Setting {
        flag: "ready-after",
        variable: "NODESIEVE_READY_AFTER",
        value: "DURATION",
        default: "20s",
        meaning: "after that `/readyz` says yes even without an answer from the kubelet: logs must not wait for it",
    },
    Setting {
        flag: "filter-metrics",
        variable: "NODESIEVE_FILTER_METRICS",
        value: "FILE",
        default: "/run/nodesieve/metrics.prom",
        meaning: "the filter's `metrics.file`, served along under `/metrics`",
    },
    Setting {
        flag: "tap-listen",
        variable: "NODESIEVE_TAP_LISTEN",
        value: "ADDRESS:PORT",
        default: "off",
        meaning: "where `/tap` shows verdicts as they are made, on loopback only, such as `127.0.0.1:2022`; or `off`",
    },
    Setting {
        flag: "filter-tap",
        variable: "NODESIEVE_FILTER_TAP",
        value: "FILE",
        default: "/run/nodesieve/tap.ndjson",
        meaning: "the filter's `tap.file`, from which `/tap` reads",
    },
    Setting {
        flag: "pods-file",
        variable: "NODESIEVE_PODS_FILE",
        value: "FILE",
        default: "",
        meaning: "a pod list to read in place of asking a kubelet, for use without one",
    },
];

/// Flags that are no settings: there is nothing to say about them in the environment.
pub(super) const COMMANDS: [(&str, &str); 3] = [
    ("once", "asks once, writes the pod files and ends: 0 when that went well, 1 when not"),
    ("help", "prints this"),
    ("version", "prints the version"),
];
