//! What can be said on the command line.

use crate::fluent_bit::InjectedFault;
use crate::kubelet::{FailureMode, StreamMode};
use crate::ledger::Ledger;
use crate::money::{CLOUDWATCH_PER_GB, FIREHOSE_PER_GB, FLUSH_SECONDS, Prices};
use crate::samples::DEFAULT_SEED;
use clap::{Args, Parser, Subcommand, ValueEnum};
use nodesieve_preview::fleet::{Fleet, Quotas};
use nodesieve_preview::run::SEED;
use std::path::PathBuf;

/// Drives the compiled nodesieve filter as Fluent Bit does.
///
/// Without a command: `replay` of conf/samples with conf/rules/example-cluster.yaml.
#[derive(Debug, Parser)]
#[command(name = "nodesieve", version, about)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Logs through the filter and on to a Firehose endpoint, with a ledger that adds up
    Replay(ReplayArguments),
    /// Replays the same input through two rule files and shows what changes; with --metrics, compares two releases by their numbers
    Diff(DiffArguments),
    /// Validates rule files, runs their tests, and shows every mistake with its place
    Check(CheckArguments),
    /// For each record on stdin: every rule with the condition that failed, and the verdict
    Explain(ExplainArguments),
    /// Prints the lines of stdin that a CloudWatch pattern matches, or answers questions in batch
    Match(MatchArguments),
    /// Runs a real Fluent Bit (FLUENT_BIT or PATH) on the sample logs and compares what arrives with the replay
    FluentBit(FluentBitArguments),
    /// Runs the compiled filter under hostile records, changing rules and pods, jumping clocks, failing files and restarts
    Soak(SoakArguments),
    /// Counts the guest instructions that a record costs, by path through the filter
    Bench(BenchArguments),
    /// Shows verdicts of a node's filter as they are made, from the sidecar's tap (--tap-listen) and a rule file with `tap: {}`
    Tap(TapArguments),
    /// Serves a fake of a node's kubelet on 127.0.0.1 that can be made to misbehave while it runs
    Kubelet(KubeletArguments),
    /// Serves a page on 127.0.0.1 that shows what rules do to lines, with the filter's own engine in it
    Playground(PlaygroundArguments),
    /// Writes the filter as a component of the component model, for hosts other than Fluent Bit
    Component(ComponentArguments),
    /// Reads a Fluent Bit configuration and writes the pipeline, rules and report that take its place
    Migrate(MigrateArguments),
    /// Writes the sample logs and pod list that conf/samples holds
    Samples(SamplesArguments),
    /// Writes a rule file to start from; with --logs a rule in shadow mode for each of their dearest kinds of line
    #[command(visible_alias = "suggest")]
    Init(InitArguments),
    /// Prints completions for a shell
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
    /// Prints the manual page; with --out writes one for each command too
    Man {
        /// The directory for them, such as /usr/local/share/man/man1
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

impl Command {
    /// What runs when nothing is asked for.
    pub(super) fn main_job() -> Command {
        Command::Replay(ReplayArguments::default())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Default, Args)]
pub(super) struct ReplayArguments {
    /// Rule file [default: conf/rules/example-cluster.yaml]
    #[arg(long, value_name = "FILE")]
    pub(super) rules: Option<PathBuf>,
    /// Delivers to this endpoint instead of the embedded one, to a delivery stream called nodesieve. Requests are signed
    /// with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, for AWS_REGION, AWS_DEFAULT_REGION or the
    /// region in the host's name
    #[arg(long, value_name = "URL")]
    pub(super) firehose: Option<String>,
    /// Writes the delivered records in order, summaries with the tag nodesieve.tick
    #[arg(long, value_name = "FILE.ndjson")]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) fleet: FleetArguments,
    /// Writes a page with plots, to read in a browser or to print
    #[arg(long, value_name = "FILE.html")]
    pub(super) report: Option<PathBuf>,
    /// Takes warnings and notes about rules that met nothing for errors: the exit code is 1
    #[arg(long)]
    pub(super) strict: bool,
    #[command(flatten)]
    pub(super) run: InputArguments,
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: OutputFormat,
}

/// How many nodes there are, and what a stream takes.
#[derive(Debug, Args)]
pub(super) struct FleetArguments {
    /// Scales to a fleet of so many nodes like this one: dollars a year, and what a Firehose stream has to take
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) nodes: Option<u32>,
    /// Records a second that one Firehose stream takes
    #[arg(long, value_name = "N", default_value_t = Quotas::default().records, value_parser = positive)]
    pub(super) quota_records: f64,
    /// MiB a second that one Firehose stream takes
    #[arg(long, value_name = "MIB", default_value_t = Quotas::default().mib, value_parser = positive)]
    pub(super) quota_mib: f64,
    /// Calls of PutRecordBatch a second that one Firehose stream takes
    #[arg(long, value_name = "N", default_value_t = Quotas::default().requests, value_parser = positive)]
    pub(super) quota_requests: f64,
}

impl Default for FleetArguments {
    fn default() -> FleetArguments {
        let Quotas { records, mib, requests } = Quotas::default();
        FleetArguments { nodes: None, quota_records: records, quota_mib: mib, quota_requests: requests }
    }
}

impl FleetArguments {
    /// The fleet, if one is asked for and the run says something of a month.
    pub(super) fn fleet(&self, ledger: &Ledger) -> Option<Fleet> {
        let FleetArguments { nodes, quota_records, quota_mib, quota_requests } = *self;
        let quotas = Quotas { records: quota_records, mib: quota_mib, requests: quota_requests };
        Fleet::of(nodes?, ledger, quotas)
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "a number above 0".to_owned())
}

#[derive(Debug, Args)]
pub(super) struct DiffArguments {
    /// Rule file; with --metrics, what a node's /metrics has answered
    #[arg(value_name = "OLD")]
    pub(super) old: PathBuf,
    /// The same of the new one
    #[arg(value_name = "NEW")]
    pub(super) new: PathBuf,
    /// Compares the metrics of two releases that run side by side, per thousand records; several nodes' behind one another in a file are summed
    #[arg(long, conflicts_with_all = ["pods", "logs", "records", "wasm", "strict"])]
    pub(super) metrics: bool,
    /// How far apart shares may be before that is a difference, in percent of the larger one
    #[arg(long, value_name = "PERCENT", default_value_t = 20.0, value_parser = positive, requires = "metrics")]
    pub(super) tolerance: f64,
    /// Takes warnings and notes about rules that met nothing for errors: the exit code is 1
    #[arg(long)]
    pub(super) strict: bool,
    #[command(flatten)]
    pub(super) run: InputArguments,
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: OutputFormat,
}

#[derive(Debug, Args)]
pub(super) struct TapArguments {
    /// The sidecar's tap, such as the local end of `kubectl port-forward`
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:2022", conflicts_with = "node")]
    pub(super) url: String,
    /// A node: its pod of nodesieve is found and reached by kubectl
    #[arg(long, value_name = "NAME")]
    pub(super) node: Option<String>,
    /// The namespace of that pod
    #[arg(long, value_name = "NAMESPACE", default_value = "nodesieve", requires = "node")]
    pub(super) kube_namespace: String,
    /// For how long
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(super) seconds: u32,
    /// Guards, rules and outcomes by a glob, such as `probes` or `none`
    #[arg(long, value_name = "GLOB")]
    pub(super) rule: Option<String>,
    /// Namespaces by a glob
    #[arg(long, value_name = "GLOB")]
    pub(super) namespace: Option<String>,
    /// kept or dropped only
    #[arg(long, value_parser = ["kept", "dropped"])]
    pub(super) verdict: Option<String>,
    /// Lines that match a CloudWatch pattern only
    #[arg(long = "match", value_name = "PATTERN")]
    pub(super) pattern: Option<String>,
    /// A share of all, such as 0.1
    #[arg(long, value_name = "SHARE", value_parser = positive)]
    pub(super) sample: Option<f64>,
    /// Lines a second at most; the rule file may allow fewer
    #[arg(long, value_name = "LINES")]
    pub(super) rate: Option<u32>,
    /// Lines as they are and not masked, where the rule file says `tap: { raw: true }`
    #[arg(long)]
    pub(super) raw: bool,
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: OutputFormat,
}

/// What a replay is of, whatever the rules.
#[derive(Debug, Args)]
pub(super) struct InputArguments {
    /// Pods, as `kubectl get pods -A -o json` or `-o yaml` or a kubelet lists them, of one node or many [default: conf/samples/podlist.json for the sample logs, else none]
    #[arg(long, value_name = "FILE")]
    pub(super) pods: Option<PathBuf>,
    /// Log files, also compressed (gzip, zstd), or directories such as /var/log/containers and /var/log/pods; - is stdin [default: conf/samples/containers]
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "records")]
    pub(super) logs: Vec<PathBuf>,
    /// Records instead of logs, one {"tag","time":[s,ns],"record"} per line
    #[arg(long, value_name = "FILE.ndjson")]
    pub(super) records: Option<PathBuf>,
    /// The compiled filter [default: NODESIEVE_WASM, else built now]
    #[arg(long, value_name = "FILE.wasm")]
    pub(super) wasm: Option<PathBuf>,
    /// What the filter's random numbers start from
    #[arg(long, default_value_t = SEED)]
    pub(super) seed: u64,
    /// Dollars per GB of Firehose ingestion
    #[arg(long, value_name = "DOLLARS", default_value_t = FIREHOSE_PER_GB)]
    pub(super) price_firehose: f64,
    /// Dollars per GB of CloudWatch Logs ingestion
    #[arg(long, value_name = "DOLLARS", default_value_t = CLOUDWATCH_PER_GB)]
    pub(super) price_cloudwatch: f64,
    /// How often Fluent Bit flushes, in seconds: lines of a container in one flush share a record that Firehose bills
    #[arg(long, value_name = "SECONDS", default_value_t = FLUSH_SECONDS, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) flush: u32,
}

impl Default for InputArguments {
    fn default() -> InputArguments {
        InputArguments {
            pods: None,
            logs: Vec::new(),
            records: None,
            wasm: None,
            seed: SEED,
            price_firehose: FIREHOSE_PER_GB,
            price_cloudwatch: CLOUDWATCH_PER_GB,
            flush: FLUSH_SECONDS,
        }
    }
}

impl InputArguments {
    /// What is replayed, for people.
    pub(super) fn shown(&self) -> String {
        let names = self.logs.iter().chain(&self.records).map(|path| path.display().to_string());
        let names: Vec<String> = names.collect();
        if names.is_empty() { "the sample logs".into() } else { names.join(", ") }
    }

    pub(super) fn prices(&self) -> Prices {
        Prices::given(self.price_firehose, self.price_cloudwatch)
    }
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// Rule files
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Says what of the rules meets nothing in these logs, as replay does
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(super) logs: Vec<PathBuf>,
    /// Pods, as for replay: names in conditions that none has are told
    #[arg(long, value_name = "FILE")]
    pub(super) pods: Option<PathBuf>,
    /// Takes warnings and notes for errors: the exit code is 1
    #[arg(long)]
    pub(super) strict: bool,
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: OutputFormat,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// Rule file [default: conf/rules/example-cluster.yaml]
    #[arg(long, value_name = "FILE")]
    pub(super) rules: Option<PathBuf>,
    /// Pods, as for replay; without them, metadata is missing
    #[arg(long, value_name = "FILE")]
    pub(super) pods: Option<PathBuf>,
    /// Replays these logs, as for replay, and explains the lines that --grep and --at choose; without it lines come from stdin:
    /// records, container logs, `kubectl logs`, or any text
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(super) logs: Vec<PathBuf>,
    /// Only lines with this text
    #[arg(long, value_name = "TEXT")]
    pub(super) grep: Option<String>,
    /// Only lines of this time, as far as it is given: 2026-11-20T10:00:05 is a second, 2026-11-20T10:00 a minute
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
    /// Most lines that are explained
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) limit: usize,
    /// Judges each record by itself, whatever came before it
    #[arg(long)]
    pub(super) alone: bool,
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: OutputFormat,
}

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// Where the rule file goes; - is stdout
    #[arg(value_name = "FILE", default_value = "nodesieve.yaml")]
    pub(super) out: PathBuf,
    /// Logs, as for replay
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(super) logs: Vec<PathBuf>,
    /// Pods, as for replay
    #[arg(long, value_name = "FILE")]
    pub(super) pods: Option<PathBuf>,
    /// Takes the place of a file that is there
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct MatchArguments {
    /// The pattern; each line of stdin is an event
    #[arg(required_unless_present = "batch", conflicts_with = "batch")]
    pub(super) pattern: Option<String>,
    /// Reads {"pattern","event"} or {"selector","labels"} per line, answers {"match":bool} or {"error":{...}}
    #[arg(long)]
    pub(super) batch: bool,
}

#[derive(Debug, Args)]
pub(super) struct FluentBitArguments {
    /// Rule file [default: one that is compared record by record, then conf/nodesieve.yaml]
    #[arg(long, value_name = "FILE")]
    pub(super) rules: Option<PathBuf>,
    /// The configuration to run, YAML or classic [default: conf/fluent-bit.yaml]
    #[arg(long, value_name = "FILE")]
    pub(super) conf: Option<PathBuf>,
    /// The compiled filter [default: NODESIEVE_WASM, else built now]
    #[arg(long, value_name = "FILE.wasm")]
    pub(super) wasm: Option<PathBuf>,
    /// What wamrc made of the compiled filter, for Fluent Bit to load instead of it
    #[arg(long, value_name = "FILE.aot", conflicts_with_all = ["kubelet", "fault"])]
    pub(super) aot: Option<PathBuf>,
    /// Seconds that Fluent Bit may take
    #[arg(long, default_value_t = 120)]
    pub(super) timeout: u64,
    /// Instead of the comparison: lets the kubelet misbehave like this (see `kubelet`) while lines are written, with
    /// nodesieve and with Fluent Bit's own kubernetes filter
    #[arg(long, value_name = "MODE")]
    pub(super) kubelet: Option<FailureMode>,
    /// Instead of the comparison: lets this go wrong while lines are written, as shipped
    /// and with the AWS chart's buffers: outage, throttle, partial, sigterm, kill, disk-full, reload or rotate
    #[arg(long, value_name = "FAULT", conflicts_with = "kubelet")]
    pub(super) fault: Option<InjectedFault>,
    /// Instead of the comparison: measures the CPU time and memory of Fluent Bit without a filter, with its own, with Lua
    /// and with nodesieve, side by side
    #[arg(long, conflicts_with_all = ["kubelet", "fault", "rules", "conf"])]
    pub(super) bench: bool,
    /// With --bench: how many lines each run reads
    #[arg(long, default_value_t = 300_000)]
    pub(super) records: usize,
    /// With --bench: how often each pipeline runs, in turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rounds: u32,
    /// With --kubelet or --fault: for how many seconds
    #[arg(long, default_value_t = 300)]
    pub(super) seconds: u64,
    /// With --kubelet or --fault: how many lines are written meanwhile
    #[arg(long, default_value_t = 100_000)]
    pub(super) lines: u64,
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: OutputFormat,
}

#[derive(Debug, Args)]
pub(super) struct SoakArguments {
    /// For how many seconds
    #[arg(long, default_value_t = 60)]
    pub(super) seconds: u64,
    /// Instead of a time: how many records. The same seed and number are the same run
    #[arg(long, conflicts_with = "seconds")]
    pub(super) records: Option<u64>,
    /// What everything that happens starts from
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Of so many calls for a file one fails; 0 for none
    #[arg(long, default_value_t = 50)]
    pub(super) faults: u32,
    /// The compiled filter [default: NODESIEVE_WASM, else built now]
    #[arg(long, value_name = "FILE.wasm")]
    pub(super) wasm: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: OutputFormat,
}

#[derive(Debug, Args)]
pub(super) struct BenchArguments {
    /// The compiled filter [default: NODESIEVE_WASM, else built now]
    #[arg(long, value_name = "FILE.wasm")]
    pub(super) wasm: Option<PathBuf>,
    /// Only these paths [default: all]
    #[arg(long = "path", value_name = "NAME", num_args = 1..)]
    pub(super) paths: Vec<String>,
    /// Instead of sums: which functions of the filter they are from. Builds the filter with names unless --wasm gives one
    #[arg(long)]
    pub(super) profile: bool,
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: OutputFormat,
}

#[derive(Debug, Args)]
pub(super) struct KubeletArguments {
    /// What it answers to GET /pods [default: conf/samples/podlist.json]
    #[arg(long, value_name = "FILE")]
    pub(super) pods: Option<PathBuf>,
    /// TCP port on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 10250)]
    pub(super) port: u16,
    /// The bearer token that it wants to see [default: any]
    #[arg(long, value_name = "TOKEN")]
    pub(super) token: Option<String>,
    /// Its failure mode at first. `PUT /fake/mode` changes it, except from no-certificate and close, which answer no request;
    /// `PUT /fake/pods` changes the list, and `GET /fake/asked` shows the counts of requests
    #[arg(long, default_value_t)]
    pub(super) mode: FailureMode,
    /// Serves the kubelet's Pods API on this Unix socket too
    #[arg(long, value_name = "PATH")]
    pub(super) pods_api_socket: Option<PathBuf>,
    /// The failure mode of its Pods API at first; `PUT /fake/stream-mode` changes it
    #[arg(long, default_value_t, requires = "pods_api_socket")]
    pub(super) stream_mode: StreamMode,
    /// Where its CA certificate is written
    #[arg(long, value_name = "FILE.pem")]
    pub(super) ca: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct PlaygroundArguments {
    /// TCP port on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 8040)]
    pub(super) port: u16,
    /// Writes the page into this directory instead, for any web server
    #[arg(long, value_name = "DIR", conflicts_with = "port")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ComponentArguments {
    /// Where to write it
    #[arg(long, value_name = "FILE.wasm")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct SamplesArguments {
    /// Where to write `containers/` and `podlist.json`
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// The same seed gives the same bytes
    #[arg(long, default_value_t = DEFAULT_SEED)]
    pub(super) seed: u64,
}

#[derive(Debug, Args)]
pub(super) struct MigrateArguments {
    /// The configuration, classic or YAML, with what it includes beside it
    pub(super) file: PathBuf,
    /// Where the new files go; made if it is not there
    #[arg(long, value_name = "DIRECTORY", default_value = "nodesieve-migration")]
    pub(super) out: PathBuf,
}
