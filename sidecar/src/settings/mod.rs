//! Settings: flags and environment variables, parsed and validated.
//!
//! The rule it keeps: all mistakes are found in one pass and reported together, each with the flag or variable that it is
//! in. A unit has to be said: `30` could be seconds or minutes.

mod read;
mod table;

pub use table::{SETTINGS, Setting};

use nodesieve_podlist::{KeyFilter, Limits};
use read::SettingsReader;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// All that the sidecar has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SidecarSettings {
    /// The socket of the kubelet's Pods API; `None` when it is not to be used.
    pub pods_api: Option<PathBuf>,
    /// Where the list of pods comes from while the Pods API cannot be had; nowhere if `None`.
    pub source: Option<PodListSource>,
    /// From one poll to the next.
    pub interval: Duration,
    /// What of a list is taken.
    pub limits: Limits,
    /// Where the pod files go.
    pub pods_dir: PathBuf,
    /// For how long the file of a pod that is gone stays.
    pub grace: Duration,
    /// Directories in which something new is a reason to poll.
    pub watched: Watched,
    /// Where health and metrics are served; nowhere if `None`.
    pub listen: Option<SocketAddr>,
    /// For how long the first good poll is waited for.
    pub ready_after: Duration,
    /// The filter's metrics.
    pub filter_metrics: PathBuf,
    /// Where verdicts are shown; nowhere if `None`.
    pub tap: Option<TapSettings>,
}

/// Where verdicts are shown, and where the filter puts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapSettings {
    /// A loopback address.
    pub listen: SocketAddr,
    /// The filter's `tap.file`.
    pub answers: PathBuf,
}

/// Where the list of pods comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodListSource {
    /// The node's kubelet.
    Kubelet(KubeletSettings),
    /// A file.
    File {
        /// Where it is.
        path: PathBuf,
        /// For reading it as a whole.
        total_timeout: Duration,
    },
}

/// How the kubelet is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeletSettings {
    /// An IP address or a name.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whose certificates are taken.
    pub trust: TlsTrust,
    /// The file with the bearer token.
    pub token_file: PathBuf,
    /// For the TCP connection and the TLS handshake together.
    pub connect_timeout: Duration,
    /// The longest silence while an answer is waited for.
    pub read_timeout: Duration,
    /// For one request as a whole.
    pub total_timeout: Duration,
}

/// Whose certificates are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsTrust {
    /// Those signed by one in this file, for this name; without one, for the host.
    Authority {
        /// PEM.
        ca_file: PathBuf,
        /// The name in the certificate.
        server_name: Option<String>,
    },
    /// Anybody's.
    Anybody,
}

/// Directories that are watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Logs of containers, `<pod>_<namespace>_<container>-<id>.log`.
    pub logs: Option<PathBuf>,
    /// A directory for each pod, `<namespace>_<pod>_<uid>`.
    pub pod_logs: Option<PathBuf>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Poll until told to stop.
    Run(Box<SidecarSettings>),
    /// Poll once.
    Once(Box<SidecarSettings>),
    /// Print this and end.
    Print(String),
}

/// Everything that is wrong with the settings, a line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError(pub Vec<String>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("read settings:")?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

/// Reads settings from arguments (without the program's name) and environment variables. A flag wins over its
/// variable, a variable that is empty says nothing.
///
/// # Errors
/// [`SettingsError`] with all mistakes: a flag that does not exist, a duration without its unit, a number out of its
/// range, a source without what it needs.
pub fn settings(
    arguments: impl IntoIterator<Item = OsString>,
    variables: &BTreeMap<String, String>,
) -> Result<Order, SettingsError> {
    let (mut reader, commands) = SettingsReader::new(arguments, variables);
    if commands.contains("help") {
        return Ok(Order::Print(read::help()));
    }
    if commands.contains("version") {
        return Ok(Order::Print(format!("nodesieve-sidecar {}\n", env!("CARGO_PKG_VERSION"))));
    }
    let settings = lower(&mut reader);
    match (reader.finish(), settings) {
        (Ok(()), Some(settings)) if commands.contains("once") => Ok(Order::Once(Box::new(settings))),
        (Ok(()), Some(settings)) => Ok(Order::Run(Box::new(settings))),
        (Ok(()), None) => Err(SettingsError(Vec::new())),
        (Err(mistakes), _) => Err(mistakes),
    }
}

/// `None` only where the reader has noted a mistake. Everything is asked for before anything is given up.
fn lower(reader: &mut SettingsReader<'_>) -> Option<SidecarSettings> {
    let sources = sources(reader);
    let interval = reader.duration("interval", "1s", "1h");
    let limits = limits(reader);
    let pods_dir = reader.path("pods-dir");
    let grace = reader.duration("grace", "0s", "1d");
    let watched =
        Watched { logs: reader.path_or_off("logs-dir"), pod_logs: reader.path_or_off("pod-logs-dir") };
    let listen = reader.address_or_off("listen");
    let ready_after = reader.duration("ready-after", "0s", "1h");
    let filter_metrics = reader.path("filter-metrics");
    let tap = tap(reader);
    let (pods_api, source) = sources?;
    Some(SidecarSettings {
        pods_api,
        source,
        interval: interval?,
        limits: limits?,
        pods_dir: pods_dir?,
        grace: grace?,
        watched,
        listen,
        ready_after: ready_after?,
        filter_metrics: filter_metrics?,
        tap,
    })
}

fn tap(reader: &mut SettingsReader<'_>) -> Option<TapSettings> {
    let listen = reader.address_or_off("tap-listen")?;
    let answers = reader.path("filter-tap")?;
    if !listen.ip().is_loopback() {
        reader.mistake(
            "--tap-listen is for loopback only, such as 127.0.0.1:2022: kubectl port-forward reaches it",
        );
    }
    Some(TapSettings { listen, answers })
}

/// Where pods come from, in words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Auto,
    PodsApi,
    Kubelet,
    File,
}

fn sources(reader: &mut SettingsReader<'_>) -> Option<(Option<PathBuf>, Option<PodListSource>)> {
    let named = reader.one_of(
        "source",
        &[
            ("auto", Source::Auto),
            ("pods-api", Source::PodsApi),
            ("kubelet", Source::Kubelet),
            ("file", Source::File),
        ],
    );
    let socket = reader.path("pods-api-socket");
    let file = reader.given("pods-file").map(PathBuf::from);
    let host = reader.given("kubelet-host").map(str::to_owned);
    match named {
        Some(Source::Auto | Source::Kubelet) if file.is_none() && host.is_none() => reader.mistake(
            "--kubelet-host or HOST_IP is needed: in a pod, the downward API's status.hostIP; or --source pods-api for the \
             kubelet's Pods API alone; or --pods-file for use without a kubelet",
        ),
        Some(Source::File) if file.is_none() => reader.mistake("--pods-file is needed for --source file"),
        Some(source @ (Source::PodsApi | Source::Kubelet)) if file.is_some() => {
            let name = if source == Source::Kubelet { "kubelet" } else { "pods-api" };
            reader.mistake(format!("--pods-file is of no use with --source {name}"));
        }
        _ => {}
    }
    let total_timeout = reader.duration("total-timeout", "100ms", "1h");
    let kubelet = kubelet(reader, host, total_timeout);
    Some(match (named?, file) {
        (Source::Auto | Source::File | Source::Kubelet, Some(path)) => {
            (None, Some(PodListSource::File { path, total_timeout: total_timeout? }))
        }
        (Source::PodsApi, _) => (Some(socket?), None),
        (Source::Auto, None) => (Some(socket?), Some(PodListSource::Kubelet(kubelet?))),
        (Source::Kubelet | Source::File, None) => (None, Some(PodListSource::Kubelet(kubelet?))),
    })
}

/// How the kubelet is asked, if it is known where it is.
fn kubelet(
    reader: &mut SettingsReader<'_>,
    host: Option<String>,
    total_timeout: Option<Duration>,
) -> Option<KubeletSettings> {
    let port = reader.port("kubelet-port");
    let ca_file = reader.path("kubelet-ca");
    let server_name = reader.given("kubelet-server-name").map(str::to_owned);
    let is_insecure = reader.switch("kubelet-insecure-tls");
    let token_file = reader.path("token-file");
    let connect_timeout = reader.duration("connect-timeout", "100ms", "10m");
    let read_timeout = reader.duration("read-timeout", "100ms", "10m");
    Some(KubeletSettings {
        host: host?,
        port: port?,
        trust: if is_insecure? {
            TlsTrust::Anybody
        } else {
            TlsTrust::Authority { ca_file: ca_file?, server_name }
        },
        token_file: token_file?,
        connect_timeout: connect_timeout?,
        read_timeout: read_timeout?,
        total_timeout: total_timeout?,
    })
}

fn limits(reader: &mut SettingsReader<'_>) -> Option<Limits> {
    let keys = |allow, deny| KeyFilter { allow: reader.globs(allow), deny: reader.globs(deny) };
    let labels = keys("labels", "labels-deny");
    let annotations = keys("annotations", "annotations-deny");
    let max_list = reader.bytes("max-list");
    let max_value = reader.bytes("max-value");
    let max_pod = reader.bytes("max-pod");
    let max_total = reader.bytes("max-total");
    Some(Limits {
        max_list: max_list?,
        labels,
        annotations,
        max_value: max_value?,
        max_pod: max_pod?,
        max_total: max_total?,
    })
}

#[cfg(test)]
mod tests;
