//! What is applied to a cluster: rendered by kustomize, strictly valid, and in agreement with the code and itself.
//!
//! Skipped where there is no kubectl; the schemas of Kubernetes need Python's kubernetes-validate besides.

use crate::support;
use nodesieve_engine::time::parse_duration;
use serde::Deserialize as _;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A rendered kustomization: its text and its resources.
pub(crate) struct Rendered {
    pub(crate) text: String,
    resources: Vec<Value>,
}

impl Rendered {
    /// Renders a directory; `None` where there is no kubectl.
    pub(crate) fn of(directory: &Path) -> Option<Rendered> {
        let Ok(output) = Command::new("kubectl").arg("kustomize").arg(directory).output() else {
            crate::support::skip("kubectl", "no kubectl");
            return None;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let documents = yaml_serde::Deserializer::from_str(&text);
        let resources = documents.map(|document| Value::deserialize(document).unwrap()).collect();
        Some(Rendered { text, resources })
    }

    pub(crate) fn kinds(&self, kind: &str) -> Vec<&Value> {
        self.resources.iter().filter(|resource| resource["kind"] == kind).collect()
    }

    #[track_caller]
    pub(crate) fn the(&self, kind: &str) -> &Value {
        let [only] = self.kinds(kind)[..] else { panic!("one {kind}") };
        only
    }

    pub(crate) fn config_map(&self, prefix: &str) -> &Value {
        let is_it =
            |map: &&Value| map["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(prefix));
        self.kinds("ConfigMap").into_iter().find(is_it).unwrap()
    }
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The one of a list with this name.
#[track_caller]
pub(crate) fn named<'v>(values: &'v Value, name: &str) -> &'v Value {
    list(values).iter().find(|value| value["name"] == name).unwrap_or_else(|| panic!("{name} in {values:#}"))
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// What may be done with what.
fn permissions(rendered: &Rendered) -> BTreeSet<String> {
    let roles = rendered.kinds("ClusterRole").into_iter().chain(rendered.kinds("Role"));
    roles
        .flat_map(|role| list(&role["rules"]))
        .flat_map(|rule| {
            assert!(rule.get("nonResourceURLs").is_none());
            list(&rule["resources"]).iter().flat_map(|resource| {
                list(&rule["verbs"]).iter().map(move |verb| format!("{} {}", text(verb), text(resource)))
            })
        })
        .collect()
}

/// A setting's default, as a node gets it when the manifest says nothing.
fn default_of(flag: &str) -> &'static str {
    nodesieve_sidecar::SETTINGS.iter().find(|setting| setting.flag == flag).unwrap().default
}

/// The value of a key in the shipped pipeline, of which there is only one.
fn pipeline(key: &str) -> String {
    let text = fs::read_to_string(support::conf().join("fluent-bit.yaml")).unwrap();
    let values: Vec<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": ")).collect();
    let [value] = values[..] else { panic!("{key}: {values:?}") };
    value.to_owned()
}

#[test]
fn nothing_may_be_done_but_asking_kubelets_for_their_pods() {
    let Some(rendered) = Rendered::of(&support::conf()) else { return };
    assert_eq!(permissions(&rendered), ["get nodes/pods".to_owned()].into());
    let binding = rendered.the("ClusterRoleBinding");
    assert_eq!(binding["roleRef"]["name"], rendered.the("ClusterRole")["metadata"]["name"]);
    let account = rendered.the("ServiceAccount");
    let [subject] = list(&binding["subjects"]) else { panic!("one subject") };
    for key in ["name", "namespace"] {
        assert_eq!(subject[key], account["metadata"][key]);
    }
    let pod = &rendered.the("DaemonSet")["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], account["metadata"]["name"]);
    assert_eq!(
        (&pod["automountServiceAccountToken"], &account["automountServiceAccountToken"]),
        (&false.into(), &false.into())
    );
    // Fluent Bit has no token.
    let mounts = |container: &Value| {
        list(&container["volumeMounts"])
            .iter()
            .map(|mount| text(&mount["name"]).to_owned())
            .collect::<Vec<_>>()
    };
    assert!(mounts(named(&pod["initContainers"], "sidecar")).contains(&"kubelet-access".into()));
    assert!(!mounts(named(&pod["containers"], "fluent-bit")).contains(&"kubelet-access".into()));
}

/// A kustomization as a user writes it, with these components.
fn with_components(components: &[&str]) -> Option<Rendered> {
    let directory = tempfile::tempdir().unwrap();
    let conf = from_afar(directory.path(), &support::conf());
    let components: Vec<String> = components.iter().map(|name| format!("{conf}/k8s/{name}")).collect();
    let kustomization = format!("resources: [ {conf} ]\ncomponents: [ {} ]\n", components.join(", "));
    fs::write(directory.path().join("kustomization.yaml"), kustomization).unwrap();
    Rendered::of(directory.path())
}

/// The way from one directory to another, up to the root and down again: kustomize takes no absolute paths.
pub(crate) fn from_afar(from: &Path, to: &Path) -> String {
    let up = "../".repeat(from.canonicalize().unwrap().components().count() - 1);
    format!("{up}{}", to.canonicalize().unwrap().display().to_string().trim_start_matches('/'))
}

/// Guarantees: what the head of conf/kustomization.yaml tells users to write does what it says.
#[test]
fn region_stream_and_images_are_a_users_to_say() {
    let directory = tempfile::tempdir().unwrap();
    let conf = from_afar(directory.path(), &support::conf());
    let kustomization = format!(
        "resources: [ {conf} ]\nimages:\n  - {{ name: nodesieve/sidecar, newName: mine/sidecar, digest: 'sha256:{:064}' }}\n\
         configMapGenerator:\n  - {{ name: nodesieve-destination, namespace: nodesieve, behavior: merge, literals: [ AWS_REGION=eu-central-1, \
         DELIVERY_STREAM=mine ] }}\n",
        0
    );
    fs::write(directory.path().join("kustomization.yaml"), kustomization).unwrap();
    let Some(rendered) = Rendered::of(directory.path()) else { return };
    let destination = rendered.config_map("nodesieve-destination");
    assert_eq!(
        destination["data"],
        serde_json::json!({ "AWS_REGION": "eu-central-1", "DELIVERY_STREAM": "mine" })
    );
    let pod = &rendered.the("DaemonSet")["spec"]["template"]["spec"];
    let agent = named(&pod["containers"], "fluent-bit");
    assert_eq!(agent["envFrom"][0]["configMapRef"]["name"], destination["metadata"]["name"]);
    assert!(text(&named(&pod["initContainers"], "sidecar")["image"]).starts_with("mine/sidecar@sha256:"));
}

#[test]
fn old_clusters_get_the_dangerous_permission_only_when_asked_for() {
    let Some(rendered) = with_components(&["before-1.33"]) else { return };
    assert_eq!(permissions(&rendered), ["get nodes/proxy".to_owned()].into());
}

/// Guarantees: who follows the Pods API has no permission, no token and no capability, reads the directory of the socket and nothing
/// else of the kubelet's, and is told to use it.
#[test]
fn the_pods_api_takes_no_permission_and_no_token() {
    let Some(rendered) = with_components(&["pods-api"]) else { return };
    let pod = &rendered.the("DaemonSet")["spec"]["template"]["spec"];
    let sidecar = named(&pod["initContainers"], "sidecar");
    assert!(["ClusterRole", "ClusterRoleBinding"].iter().all(|kind| rendered.kinds(kind).is_empty()));
    let volumes: Vec<&str> = list(&pod["volumes"]).iter().map(|volume| text(&volume["name"])).collect();
    assert!(volumes.contains(&"pods-api") && !volumes.contains(&"kubelet-access"), "{volumes:?}");
    let mount = named(&sidecar["volumeMounts"], "pods-api");
    let socket = default_of("pods-api-socket");
    assert_eq!(Path::new(socket).parent(), Some(Path::new(text(&mount["mountPath"]))));
    assert_eq!(mount["readOnly"], true);
    assert_eq!(named(&pod["volumes"], "pods-api")["hostPath"]["path"], mount["mountPath"]);
    let mounts = list(&sidecar["volumeMounts"]).iter().map(|mount| text(&mount["name"])).collect::<Vec<_>>();
    assert_eq!(
        mounts.iter().collect::<BTreeSet<_>>(),
        ["container-logs", "filter-metrics", "pod-logs", "pods", "pods-api"].iter().collect()
    );
    let context = &sidecar["securityContext"];
    assert_eq!((&context["runAsUser"], &context["runAsNonRoot"]), (&0.into(), &false.into()));
    assert_eq!(context["capabilities"], serde_json::json!({ "drop": ["ALL"] }));
    assert_eq!(
        (&context["allowPrivilegeEscalation"], &context["readOnlyRootFilesystem"]),
        (&false.into(), &true.into())
    );
    assert_eq!(named(&sidecar["env"], "NODESIEVE_SOURCE")["value"], "pods-api");
    assert!(list(&sidecar["env"]).iter().all(|variable| variable["name"] != "HOST_IP"));
    strictly_valid(&rendered.text);
}

/// Guarantees: the ports that monitoring scrapes are open to monitoring only, and what is asked outside is what the programs ask.
#[test]
fn the_network_policy_lets_through_what_is_needed_and_nothing_else() {
    let Some(rendered) = with_components(&["network-policy"]) else { return };
    let pod = &rendered.the("DaemonSet")["spec"]["template"];
    let policy = &rendered.the("NetworkPolicy")["spec"];
    for (key, value) in policy["podSelector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&pod["metadata"]["labels"][key], value);
    }
    let ports = |rules: &Value| -> BTreeSet<i64> {
        let ports = list(rules).iter().flat_map(|rule| list(&rule["ports"]));
        ports.map(|port| port["port"].as_i64().unwrap()).collect()
    };
    let containers = list(&pod["spec"]["initContainers"]).iter().chain(list(&pod["spec"]["containers"]));
    let served: BTreeSet<i64> = containers
        .flat_map(|container| list(&container["ports"]))
        .map(|port| port["containerPort"].as_i64().unwrap())
        .collect();
    assert_eq!(ports(&policy["ingress"]), served);
    assert!(list(&policy["ingress"]).iter().all(|rule| !list(&rule["from"]).is_empty()), "from somebody");
    let kubelet = default_of("kubelet-port").parse().unwrap();
    assert_eq!(ports(&policy["egress"]), [53, 80, 443, kubelet].into());
    assert_eq!(policy["policyTypes"], serde_json::json!(["Ingress", "Egress"]));
    strictly_valid(&rendered.text);
}

#[test]
fn monitoring_scrapes_the_ports_that_there_are() {
    let Some(rendered) = with_components(&["monitoring"]) else { return };
    let pod = &rendered.the("DaemonSet")["spec"]["template"]["spec"];
    let ports = |containers: &str| {
        let ports = list(&pod[containers]).iter().flat_map(|container| list(&container["ports"]));
        ports.map(|port| text(&port["name"]).to_owned()).collect::<Vec<_>>()
    };
    let ports = [ports("initContainers"), ports("containers")].concat();
    let monitor = rendered.the("PodMonitor");
    let endpoints = list(&monitor["spec"]["podMetricsEndpoints"]);
    assert!(
        endpoints.len() == 2 && endpoints.iter().all(|end| ports.contains(&text(&end["port"]).to_owned()))
    );
    let labels = &rendered.the("DaemonSet")["spec"]["template"]["metadata"]["labels"];
    for (key, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&labels[key], value);
    }
    assert_eq!(rendered.config_map("nodesieve-dashboard")["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(permissions(&rendered), ["get nodes/pods".to_owned()].into());
}

#[test]
fn every_path_is_on_the_volume_that_it_has_to_be_on() {
    let Some(rendered) = Rendered::of(&support::conf()) else { return };
    let pod = &rendered.the("DaemonSet")["spec"]["template"]["spec"];
    let (sidecar, agent) =
        (named(&pod["initContainers"], "sidecar"), named(&pod["containers"], "fluent-bit"));
    let mut used = BTreeSet::new();
    for container in [sidecar, agent] {
        for mount in list(&container["volumeMounts"]) {
            assert!(mount.get("subPath").is_none(), "a subPath never changes again: {mount}");
            named(&pod["volumes"], text(&mount["name"]));
            used.insert(text(&mount["name"]));
        }
    }
    assert_eq!(used.len(), list(&pod["volumes"]).len(), "a volume that nobody mounts");

    // The mount that a path is on: the longest that it starts with.
    let mount = |container: &Value, path: &str| -> (String, bool) {
        let on = list(&container["volumeMounts"])
            .iter()
            .filter(|mount| Path::new(path).starts_with(text(&mount["mountPath"])));
        let mount = on
            .max_by_key(|mount| text(&mount["mountPath"]).len())
            .unwrap_or_else(|| panic!("{path} is on no volume"));
        (text(&mount["name"]).to_owned(), mount["readOnly"] == true)
    };
    let on = |name: &str, read_only: bool| (name.to_owned(), read_only);
    // Each writes what is its own, and sees the other's.
    assert_eq!(mount(sidecar, default_of("pods-dir")), on("pods", false));
    assert_eq!(mount(agent, default_of("pods-dir")), on("pods", true));
    let metrics = text(&named(&sidecar["env"], "NODESIEVE_FILTER_METRICS")["value"]);
    assert_eq!(mount(sidecar, metrics), on("filter-metrics", true));
    assert_eq!(mount(agent, default_of("filter-metrics")), on("filter-metrics", false));
    let within = |container: &Value, path: &str| {
        let mount = named(&container["volumeMounts"], "filter-metrics")["mountPath"].clone();
        Path::new(path).strip_prefix(text(&mount)).unwrap().to_owned()
    };
    assert_eq!(within(sidecar, metrics), within(agent, default_of("filter-metrics")), "the same file");
    assert_eq!(mount(sidecar, default_of("token-file")), on("kubelet-access", true));
    assert_eq!(mount(sidecar, default_of("kubelet-ca")), on("kubelet-access", true));
    assert_eq!(mount(sidecar, default_of("logs-dir")), on("container-logs", true));
    assert_eq!(mount(sidecar, default_of("pod-logs-dir")), on("pod-logs", true));
    assert_eq!(mount(agent, &pipeline("db")), on("state", false));
    assert_eq!(mount(agent, &pipeline("storage.path")), on("state", false));
    assert_eq!(mount(agent, &pipeline("path")), on("logs", true));
    for (path, volume) in pipeline("accessible_paths").split(',').zip([
        on("rules", true),
        on("filter-metrics", false),
        on("filter-state", false),
    ]) {
        assert_eq!(mount(agent, path), volume);
    }
    for volume in ["pods", "filter-metrics"] {
        assert_eq!(named(&pod["volumes"], volume)["emptyDir"]["medium"], "Memory");
    }
    assert!(named(&pod["volumes"], "state")["hostPath"]["path"].is_string());
}

#[test]
fn times_ports_names_and_versions_agree() {
    let Some(rendered) = Rendered::of(&support::conf()) else { return };
    let pod = &rendered.the("DaemonSet")["spec"]["template"]["spec"];
    let (sidecar, agent) =
        (named(&pod["initContainers"], "sidecar"), named(&pod["containers"], "fluent-bit"));
    let grace: i64 = pipeline("grace").parse().unwrap();
    assert!(pod["terminationGracePeriodSeconds"].as_i64().unwrap() > grace);
    assert_eq!(sidecar["restartPolicy"], "Always", "a native sidecar");
    let probe = &sidecar["startupProbe"];
    let wait = probe["periodSeconds"].as_i64().unwrap() * probe["failureThreshold"].as_i64().unwrap();
    assert!(wait as u64 > parse_duration(default_of("ready-after")).unwrap().as_secs());
    assert!(
        default_of("listen").ends_with(&format!(":{}", named(&sidecar["ports"], "metrics")["containerPort"]))
    );
    assert_eq!(named(&agent["ports"], "http")["containerPort"].to_string(), pipeline("http_port"));
    assert!(pod["dnsPolicy"] != "None" && pod["hostNetwork"].is_null());
    for container in [sidecar, agent] {
        let image = text(&container["image"]);
        assert!(image.ends_with(concat!(":", env!("CARGO_PKG_VERSION"))), "{image}");
        let context = &container["securityContext"];
        assert_eq!(
            (&context["allowPrivilegeEscalation"], &context["readOnlyRootFilesystem"]),
            (&false.into(), &true.into())
        );
        assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]));
        let probes = ["startupProbe", "livenessProbe", "readinessProbe", "lifecycle"];
        let is_exec = |probe: &&str| container[*probe].to_string().contains("\"exec\"");
        assert!(!probes.iter().any(is_exec), "there is no shell in the images");
    }
    assert_eq!(sidecar["securityContext"]["runAsNonRoot"], true);

    // Every variable of the pipeline is set, one of them by the image's entry point.
    let destination = rendered.config_map("nodesieve-destination");
    let env: BTreeSet<&str> = list(&agent["env"])
        .iter()
        .map(|env| text(&env["name"]))
        .chain(destination["data"].as_object().unwrap().keys().map(String::as_str))
        .collect();
    let source = fs::read_to_string(support::conf().join("fluent-bit.yaml")).unwrap();
    for variable in source.split("${").skip(1).map(|rest| rest.split_once('}').unwrap().0) {
        assert_ne!(env.contains(variable), variable == nodesieve_launcher::MODULE_VARIABLE, "{variable}");
    }
    assert_eq!(named(&sidecar["env"], "HOST_IP")["valueFrom"]["fieldRef"]["fieldPath"], "status.hostIP");

    // Another pipeline restarts Fluent Bit, other rules do not.
    let pipeline = rendered.config_map("nodesieve-pipeline");
    assert_ne!(pipeline["metadata"]["name"], "nodesieve-pipeline");
    assert_eq!(text(&pipeline["data"]["fluent-bit.yaml"]).trim_end(), source.trim_end());
    assert_eq!(rendered.config_map("nodesieve-rules")["metadata"]["name"], "nodesieve-rules");
    assert_eq!(named(&pod["volumes"], "pipeline")["configMap"]["name"], pipeline["metadata"]["name"]);
    assert!(list(&agent["args"])[0].as_str().unwrap().ends_with("/fluent-bit.yaml"));
}

/// Guarantees: no field that Kubernetes does not know, none of the wrong type, for the oldest, a middle and the newest
/// version.
#[test]
fn every_manifest_is_strictly_valid() {
    let Some(rendered) = Rendered::of(&support::conf()) else { return };
    strictly_valid(&rendered.text);
}

pub(crate) fn strictly_valid(manifests: &str) {
    if !Command::new("kubernetes-validate")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        crate::support::skip("kubernetes-validate", "no kubernetes-validate");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("all.yaml");
    fs::write(&path, manifests).unwrap();
    for version in ["1.33.0", "1.35.0", "1.37.0"] {
        let output = Command::new("kubernetes-validate")
            .args(["--strict", "-k", version])
            .arg(&path)
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("passed for resource"), "{version}: {said}");
        assert!(!said.contains("WARN"), "{version}: {said}");
    }
}

/// Guarantees: what shows verdicts is on loopback and no port of the pod, and who may look is for somebody else to say.
#[test]
fn the_tap_is_on_loopback_and_its_role_is_bound_to_nobody() {
    let Some(rendered) = with_components(&["tap"]) else { return };
    let may = ["get nodes/pods", "get pods", "list pods", "get pods/portforward", "create pods/portforward"];
    assert_eq!(permissions(&rendered), may.map(str::to_owned).into());
    assert!(rendered.kinds("RoleBinding").is_empty());
    let sidecar = named(&rendered.the("DaemonSet")["spec"]["template"]["spec"]["initContainers"], "sidecar");
    let value = |name: &str| text(&named(&sidecar["env"], name)["value"]).to_owned();
    assert!(value("NODESIEVE_TAP_LISTEN").parse::<std::net::SocketAddr>().unwrap().ip().is_loopback());
    assert_eq!(value("NODESIEVE_FILTER_TAP"), "/run/nodesieve/filter/tap.ndjson");
    assert_eq!(list(&sidecar["ports"]).len(), 1);
    strictly_valid(&rendered.text);
}

/// Guarantees: what a team writes reaches the filter as the fragment of the namespace that the platform has named, it may edit that and
/// nothing else, and its absence keeps no pod from starting.
#[test]
fn a_team_may_edit_its_own_fragment_only() {
    let Some(rendered) = with_components(&["teams"]) else { return };
    let volume = named(&rendered.the("DaemonSet")["spec"]["template"]["spec"]["volumes"], "rules");
    let sources = list(&volume["projected"]["sources"]);
    let fragment =
        sources.iter().find(|source| source["configMap"]["name"] == "nodesieve-rules-payments").unwrap();
    assert_eq!(fragment["configMap"]["optional"], true);
    assert_eq!(fragment["configMap"]["items"][0]["path"], "rules.d/payments.yaml");
    let seed = sources.iter().find(|source| source["secret"]["name"] == "nodesieve-redact").unwrap();
    assert_eq!(
        (&seed["secret"]["optional"], text(&seed["secret"]["items"][0]["path"])),
        (&true.into(), "redact/seed")
    );
    let roles = rendered.kinds("Role");
    let role = roles.iter().find(|role| role["metadata"]["name"] == "nodesieve-rules-payments").unwrap();
    assert_eq!(role["rules"][0]["resourceNames"], serde_json::json!(["nodesieve-rules-payments"]));
    assert_eq!(role["rules"][0]["verbs"], serde_json::json!(["get", "update", "patch"]));
    assert!(rendered.kinds("RoleBinding").is_empty());
    let maps = rendered.kinds("ConfigMap");
    let team = maps.iter().find(|map| map["metadata"]["name"] == "nodesieve-rules-payments").unwrap();
    assert!(team["data"].is_null(), "an apply would take back what the team has written");
    strictly_valid(&rendered.text);
}
