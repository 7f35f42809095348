//! Chains as charts and guides have them, before and after `migrate`: the same logs through a real Fluent Bit with both.
//!
//! The rule it keeps: what is delivered is the same, but where the report says otherwise.

use crate::fluent_bit::program;
use crate::support;
use host_test::kubelet::{FakeKubelet, KubeletOptions};
use host_test::migrate::{Fate, Migration, migrate};
use host_test::replay::write_pods;
use host_test::sidecar::TOKEN;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// As the fluent/fluent-bit chart has it.
const HELM: &str = "\
[SERVICE]
    Flush 1
    Log_Level warn
@INCLUDE input.conf
[FILTER]
    Name kubernetes
    Match kube.*
    Merge_Log On
    Keep_Log Off
    K8S-Logging.Parser On
    K8S-Logging.Exclude On
    @KUBELET@
[OUTPUT]
    Name file
    Match kube.*
    Path @OUT@
    Format plain
";

/// As aws-for-fluent-bit and Container Insights have it: a tag of its own, and a key for what is merged.
const AWS: &str = "\
[SERVICE]
    Flush 1
    Log_Level warn
[INPUT]
    Name tail
    Tag application.var.log.containers.<file>
    Tag_Regex (?<file>[^/]+)$
    Path @LOGS@/*.log
    multiline.parser docker, cri
    Read_from_Head On
[FILTER]
    Name kubernetes
    Match application.*
    Kube_Tag_Prefix application.var.log.containers.
    Merge_Log On
    Merge_Log_Key log_processed
    K8S-Logging.Exclude Off
    Labels Off
    Annotations Off
    @KUBELET@
[OUTPUT]
    Name file
    Match application.*
    Path @OUT@
    Format plain
";

/// With what people add: noise goes before the metadata, namespaces and labels behind it.
const GREPS: &str = "\
[SERVICE]
    Flush 1
    Log_Level warn
@INCLUDE input.conf
[FILTER]
    Name grep
    Match kube.*
    Exclude log (GET|HEAD) /healthz
    Exclude log kube-probe/
[FILTER]
    Name kubernetes
    Match kube.*
    @KUBELET@
[FILTER]
    Name grep
    Match kube.*
    Exclude $kubernetes['namespace_name'] ^(kube-system|monitoring)$
    Exclude $kubernetes['labels']['app'] ^cart$
[FILTER]
    Name grep
    Match kube.*
    Regex $kubernetes['container_name'] ^[a-m].*
[OUTPUT]
    Name file
    Match kube.*
    Path @OUT@
    Format plain
";

/// Filters that stay, before and behind, and a grep that has to stay behind them.
const LIFTED: &str = "\
[SERVICE]
    Flush 1
    Log_Level warn
@INCLUDE input.conf
[FILTER]
    Name record_modifier
    Match *
    Record cluster test
[FILTER]
    Name kubernetes
    Match kube.*
    Annotations Off
    @KUBELET@
[FILTER]
    Name nest
    Match kube.*
    Operation lift
    Nested_under kubernetes
    Add_prefix k8s_
[FILTER]
    Name grep
    Match kube.*
    Exclude k8s_container_name ^istio-
[FILTER]
    Name modify
    Match kube.*
    Remove k8s_pod_id
    Rename k8s_host node
[OUTPUT]
    Name file
    Match kube.*
    Path @OUT@
    Format plain
";

/// The same in YAML, with a limit that is far away and a tag that is rewritten.
const OPERATOR: &str = "\
service:
  flush: 1
  log_level: warn
pipeline:
  inputs:
    - name: tail
      tag: kube.var.log.containers.<file>
      tag_regex: '(?<file>[^/]+)$'
      path: '@LOGS@/*.log'
      multiline.parser: docker, cri
      read_from_head: true
  filters:
    - name: kubernetes
      match: kube.*
      merge_log: true
      keep_log: true
      @YAML_KUBELET@
    - name: grep
      match: kube.*
      logical_op: or
      exclude:
        - stream ^stderr$
        - $kubernetes['namespace_name'] ^payments
    - name: throttle
      match: kube.*
      rate: 100000
      window: 5
    - name: rewrite_tag
      match: kube.*
      rule: $stream ^(stdout)$ out.$TAG true
      emitter_mem_buf_limit: 200M
  outputs:
    - name: file
      match: '*.log'
      path: '@OUT@'
      format: plain
";

/// With a tag of its own making, and an expression that takes it apart.
const OWN_TAGS: &str = "\
[SERVICE]
    Flush 1
    Log_Level warn
    Parsers_File @ROOT@/parsers.conf
[INPUT]
    Name tail
    Tag app.<namespace_name>.<container_name>.<pod_name>
    Tag_Regex (?<pod_name>[a-z0-9]([-a-z0-9.]*[a-z0-9])?)_(?<namespace_name>[^_]+)_(?<container_name>.+)-[a-z0-9]{64}\\.log$
    Path @LOGS@/*.log
    multiline.parser docker, cri
    Read_from_Head On
[FILTER]
    Name kubernetes
    Match app.*
    Kube_Tag_Prefix app.
    Regex_Parser own-tag
    Annotations Off
    @KUBELET@
[FILTER]
    Name grep
    Match app.*
    Exclude $kubernetes['labels']['app'] ^cart$
[OUTPUT]
    Name file
    Match app.*
    Path @OUT@
    Format plain
";

/// Without metadata: rules alone.
const BARE: &str = "\
[SERVICE]
    Flush 1
    Log_Level warn
@INCLUDE input.conf
[FILTER]
    Name grep
    Match kube.*
    Regex log [Ee]rror|\\s5\\d\\d\\s
    Exclude log never
[OUTPUT]
    Name file
    Match kube.*
    Path @OUT@
    Format plain
";

const INPUT: &str = "\
[INPUT]
    Name tail
    Tag kube.var.log.containers.<file>
    Tag_Regex (?<file>[^/]+)$
    Path @LOGS@/*.log
    multiline.parser docker, cri
    Read_from_Head On
";

const PARSERS: &str = "\
[PARSER]
    Name own-tag
    Format regex
    Regex ^(?<namespace_name>[^.]+)\\.(?<container_name>[^.]+)\\.(?<pod_name>.+)$
";

const KUBELET: [(&str, &str); 8] = [
    ("Kube_URL", "https://127.0.0.1:@PORT@"),
    ("Kube_CA_File", "@ROOT@/ca.crt"),
    ("Kube_Token_File", "@ROOT@/token"),
    ("Use_Kubelet", "On"),
    ("Kubelet_Host", "127.0.0.1"),
    ("Kubelet_Port", "@PORT@"),
    ("Kube_Meta_Cache_TTL", "60"),
    ("Buffer_Size", "0"),
];

#[test]
fn chains_deliver_the_same_after_migration() {
    let Some(program) = program() else { return };
    let logs = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(support::conf().join("samples/containers")).unwrap() {
        let path = entry.unwrap().path();
        let (name, content) =
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap());
        // What the report names for every chain: cut file names and ids of other runs.
        let is_named = name.starts_with("customer-orders") || name.starts_with("importer");
        if !is_named && !content.windows(3).any(|part| part == b" P ") {
            fs::write(logs.path().join(name), content).unwrap();
        }
    }
    for (name, chain) in [
        ("helm.conf", HELM),
        ("aws.conf", AWS),
        ("greps.conf", GREPS),
        ("lifted.conf", LIFTED),
        ("operator.yaml", OPERATOR),
        ("bare.conf", BARE),
        ("own-tags.conf", OWN_TAGS),
    ] {
        let both = both(&program, name, chain, logs.path());
        assert!(!both.before.is_empty(), "{name} delivers something");
        let report = || {
            format!(
                "{name}: {} before, {} after\n{}\n{:#?}",
                total(&both.before),
                total(&both.after),
                both.rules,
                both.migration.report
            )
        };
        let lost = both.before.iter().find(|(text, times)| both.after.get(*text) != Some(times));
        let more = both.after.iter().find(|(text, times)| both.before.get(*text) != Some(times));
        assert!(lost.is_none() && more.is_none(), "{}\nbefore {lost:?}\nafter {more:?}", report());
        let is_impossible = both.migration.report.iter().any(|line| line.fate == Fate::Impossible);
        assert_eq!(is_impossible, name == "helm.conf", "{}", report());
    }
}

type Delivered = BTreeMap<String, usize>;

struct Both {
    migration: Migration,
    rules: String,
    before: Delivered,
    after: Delivered,
}

fn total(delivered: &Delivered) -> usize {
    delivered.values().sum()
}

fn both(program: &Path, name: &str, chain: &str, logs: &Path) -> Both {
    let root = tempfile::tempdir().unwrap();
    let pod_list = fs::read(support::conf().join("samples/podlist.json")).unwrap();
    let options = KubeletOptions { token: Some(TOKEN.into()), ..KubeletOptions::default() };
    let kubelet = FakeKubelet::start(options, pod_list.as_slice()).unwrap();
    fs::write(root.path().join("ca.crt"), kubelet.ca_pem()).unwrap();
    fs::write(root.path().join("token"), TOKEN).unwrap();
    let out = root.path().join("out");
    let settings = |separator: &str, indent: &str| {
        let lines = KUBELET.iter().map(|(key, value)| format!("{key}{separator}{value}"));
        lines.collect::<Vec<_>>().join(&format!("\n{indent}"))
    };
    let placed = |text: &str| {
        text.replace("@KUBELET@", &settings(" ", "    "))
            .replace("@YAML_KUBELET@", &settings(": ", "      "))
            .replace("@PORT@", &kubelet.address().port().to_string())
            .replace("@ROOT@", &root.path().display().to_string())
            .replace("@LOGS@", &logs.display().to_string())
            .replace("@OUT@", &out.display().to_string())
    };
    fs::write(root.path().join("input.conf"), placed(INPUT)).unwrap();
    fs::write(root.path().join("parsers.conf"), PARSERS).unwrap();
    let old = root.path().join(name);
    fs::write(&old, placed(chain)).unwrap();
    let migration = migrate(&old).unwrap();
    let before = delivered(program, &old, &out, root.path());
    let content = |name: &str| migration.files.iter().find(|(own, _)| own == name).unwrap().1.clone();
    let new = root.path().join("new");
    for folder in ["etc/nodesieve", "run/nodesieve/pods", "var/lib/nodesieve/filter"] {
        fs::create_dir_all(new.join(folder)).unwrap();
    }
    write_pods(&pod_list, &new.join("run/nodesieve/pods")).unwrap();
    let rules = content("nodesieve.yaml");
    let rooted = new.display();
    let paths = format!(
        "pods: {{ dir: {rooted}/run/nodesieve/pods }}\nmetrics: {{ file: {rooted}/run/nodesieve/metrics.prom }}\nstate: {{ dir: {rooted}/var/lib/nodesieve/filter }}\n"
    );
    fs::write(new.join("etc/nodesieve/nodesieve.yaml"), format!("{rules}{paths}")).unwrap();
    let pipeline = content(name).replace(
        "/etc/nodesieve,/run/nodesieve,/var/lib/nodesieve/filter",
        &format!("{rooted}/etc/nodesieve,{rooted}/run/nodesieve,{rooted}/var/lib/nodesieve/filter"),
    );
    fs::write(new.join(name), pipeline).unwrap();
    let after = delivered(program, &new.join(name), &out, root.path());
    Both { migration, rules, before, after }
}

/// What a Fluent Bit with this configuration writes to a folder, until it writes no more.
fn delivered(program: &Path, conf: &Path, out: &Path, root: &Path) -> Delivered {
    let _ = fs::remove_dir_all(out);
    fs::create_dir_all(out).unwrap();
    let log = fs::File::create(root.join("log")).unwrap();
    let mut child = Command::new(program)
        .arg("-c")
        .arg(conf)
        .env("NODESIEVE_MODULE", support::module())
        .env("NODE_NAME", "node")
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let size = || -> u64 {
        fs::read_dir(out)
            .unwrap()
            .flatten()
            .filter_map(|entry| entry.metadata().ok())
            .map(|data| data.len())
            .sum()
    };
    let (mut last, mut since, deadline) = (0, Instant::now(), Instant::now() + LONG);
    while Instant::now() < deadline && (last == 0 || since.elapsed() < QUIET) {
        assert!(child.try_wait().unwrap().is_none(), "{}", fs::read_to_string(root.join("log")).unwrap());
        let now = size();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut found = Delivered::new();
    for entry in fs::read_dir(out).unwrap().flatten() {
        for line in fs::read_to_string(entry.path()).unwrap().lines() {
            let record: Value =
                serde_json::from_str(line).unwrap_or_else(|reason| panic!("{line}: {reason}"));
            *found.entry(record.to_string()).or_default() += 1;
        }
    }
    found
}

const LONG: Duration = Duration::from_secs(60);
/// After so long without a byte there is no more to come.
const QUIET: Duration = Duration::from_millis(2500);
