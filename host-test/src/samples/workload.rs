//! The kinds of program that run on the sample node, behind one interface for the scheduler.

use super::cri::CriLine;
use super::dice::Dice;
use super::moment::SampleTime;
use super::{access_logs, crashing, flood, json_apps, oddities, platform, services, text_apps};

/// A program that logs. Only `burst` matters for one that runs before and after the recorded window.
pub trait SampleWorkload {
    /// What it writes in one go at `now`: a single line, or several that belong together.
    fn burst(&mut self, now: SampleTime, dice: &mut Dice) -> Vec<CriLine>;

    /// What it writes as it starts, if it starts within the recorded window.
    fn first_words(&mut self, _now: SampleTime, _dice: &mut Dice) -> Vec<CriLine> {
        Vec::new()
    }

    /// What it writes as it ends, if it ends within the recorded window.
    fn last_words(&mut self, _now: SampleTime, _dice: &mut Dice) -> Vec<CriLine> {
        Vec::new()
    }
}

/// Which program a container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkloadKind {
    /// JSON lines with W3C trace ids in `trace_id`.
    JsonTrace,
    /// JSON lines with AWS X-Ray trace ids and `severity`.
    JsonXray,
    /// JSON lines in pino's shape with `traceparent`.
    JsonTraceparent,
    /// Ingress controller: combined access log, errors on stderr.
    IngressNginx,
    /// Envoy sidecar with Istio's default text access log.
    IstioProxy,
    /// Init container that prints the packet filter rules it set.
    IstioInit,
    /// Static web server: combined access log.
    StaticWeb,
    /// Spring Boot with Java stack traces.
    JavaSpring,
    /// Python worker with tracebacks.
    PythonWorker,
    /// Go program that panics in a loop.
    GoPanic,
    /// Kubernetes component with klog lines.
    Klog,
    /// CoreDNS with its query log.
    CoreDns,
    /// etcd: JSON in zap's shape.
    Etcd,
    /// istiod: tab-separated columns.
    Istiod,
    /// Prometheus and its exporters: logfmt.
    Logfmt,
    /// Mail relay with syslog priorities.
    Syslog,
    /// Nightly report: plain steps, progress bars with carriage returns.
    CronReport,
    /// Step of a workflow: plain lines.
    WorkflowStep,
    /// Thousands of debug lines.
    DebugFlood,
    /// Chat gateway with text in many scripts.
    Chat,
    /// Exporter with lines far above the CRI limit.
    LongLines,
    /// Development server with colours.
    Ansi,
    /// Label printer with empty and blank lines.
    Blanks,
}

impl WorkloadKind {
    /// A fresh program of this kind, running in the container `name`.
    pub fn start(self, name: &str) -> Box<dyn SampleWorkload> {
        match self {
            Self::JsonTrace => Box::new(json_apps::JsonTrace::new(name)),
            Self::JsonXray => Box::new(json_apps::JsonXray::new(name)),
            Self::JsonTraceparent => Box::new(json_apps::JsonTraceparent::new(name)),
            Self::IngressNginx => Box::new(access_logs::IngressNginx),
            Self::IstioProxy => Box::new(access_logs::IstioProxy),
            Self::StaticWeb => Box::new(access_logs::StaticWeb),
            Self::CoreDns => Box::new(access_logs::CoreDns),
            Self::JavaSpring => Box::new(crashing::JavaSpring::default()),
            Self::PythonWorker => Box::new(crashing::PythonWorker::default()),
            Self::GoPanic => Box::new(crashing::GoPanic),
            Self::Klog => Box::new(platform::Klog),
            Self::Etcd => Box::new(platform::Etcd),
            Self::Istiod => Box::new(platform::Istiod),
            Self::IstioInit => Box::new(platform::IstioInit::default()),
            Self::Logfmt => Box::new(services::Logfmt),
            Self::Syslog => Box::new(services::Syslog),
            Self::CronReport => Box::new(text_apps::CronReport::default()),
            Self::WorkflowStep => Box::new(text_apps::WorkflowStep::default()),
            Self::DebugFlood => Box::new(flood::DebugFlood),
            Self::Chat => Box::new(oddities::Chat),
            Self::LongLines => Box::new(oddities::LongLines::default()),
            Self::Ansi => Box::new(text_apps::Ansi),
            Self::Blanks => Box::new(text_apps::Blanks::default()),
        }
    }
}
