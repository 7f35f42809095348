//! The cluster services in conf/: valid manifests, without three mistakes of the guide that they follow.

use crate::manifests::{Rendered, from_afar, list, named, strictly_valid, text};
use crate::support;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    support::conf().join("cluster-services")
}

fn add_on(name: &str) -> Value {
    serde_json::from_slice(&fs::read(directory().join("eks-addons").join(name)).unwrap()).unwrap()
}

/// A component on this manifest, as a user would have it.
fn on(component: &str, manifest: &str) -> Option<Rendered> {
    let place = tempfile::tempdir().unwrap();
    let component = from_afar(place.path(), &directory().join(component));
    fs::write(place.path().join("upstream.yaml"), manifest).unwrap();
    let kustomization = format!("resources: [ upstream.yaml ]\ncomponents: [ {component} ]\n");
    fs::write(place.path().join("kustomization.yaml"), kustomization).unwrap();
    Rendered::of(place.path())
}

/// Seconds of lameduck in a Corefile, and the Corefile without it.
fn lameduck(corefile: &str) -> (u64, String) {
    let (before, after) = corefile.split_once("lameduck ").unwrap();
    let (seconds, after) = after.split_once("s\n").unwrap();
    (seconds.parse().unwrap(), format!("{before}{after}").trim().to_owned())
}

#[test]
fn coredns_is_never_killed_in_its_lameduck() {
    let Some(rendered) = Rendered::of(&directory().join("self-managed")) else { return };
    let own = lameduck(text(&rendered.config_map("coredns")["data"]["Corefile"]));
    let is_coredns = |deployment: &&&Value| deployment["metadata"]["name"] == "coredns";
    let deployments = rendered.kinds("Deployment");
    let pod = &deployments.iter().find(is_coredns).unwrap()["spec"]["template"]["spec"];
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() >= own.0 + 20);
    let ready = &named(&pod["containers"], "coredns")["readinessProbe"]["httpGet"];
    assert_eq!((&ready["path"], &ready["port"]), (&"/ready".into(), &8181.into()));

    // The add-on cannot change the default termination period of 30 s.
    let add_on = add_on("coredns.json");
    let managed = lameduck(text(&add_on["corefile"]));
    assert!(managed.0 <= 20);
    assert_eq!(managed.1, own.1, "the same Corefile but for the lameduck");
    assert!(add_on.get("replicaCount").is_none(), "it would undo the autoscaling");
    assert!(add_on["autoScaling"]["minReplicas"].as_u64().unwrap() >= 2);
    strictly_valid(&rendered.text);
}

#[test]
fn the_autoscaler_has_kubernetes_own_numbers_and_may_only_scale_coredns() {
    let Some(rendered) = Rendered::of(&directory().join("self-managed")) else { return };
    let linear: Value =
        serde_json::from_str(text(&rendered.config_map("coredns-autoscaler")["data"]["linear"])).unwrap();
    assert_eq!((&linear["coresPerReplica"], &linear["nodesPerReplica"]), (&256.into(), &16.into()));
    assert_eq!((&linear["min"], &linear["preventSinglePointFailure"]), (&2.into(), &true.into()));
    for rule in list(&rendered.the("Role")["rules"]) {
        assert_eq!(list(&rule["resourceNames"]).len(), 1, "{rule}");
    }
    assert_eq!(rendered.the("ClusterRole")["rules"][0]["verbs"], serde_json::json!(["list", "watch"]));
}

#[test]
fn metrics_server_grows_with_the_nodes() {
    let upstream = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: metrics-server, namespace: kube-system }\nspec:\n  \
        selector: { matchLabels: { k8s-app: metrics-server } }\n  template:\n    metadata: { labels: { k8s-app: metrics-server } }\n    \
        spec:\n      containers:\n        - name: metrics-server\n          image: metrics-server:v0.8.0\n          \
        resources: { requests: { cpu: 100m, memory: 200Mi } }\n";
    let Some(rendered) = on("metrics-server", upstream) else { return };
    let pod = &rendered.the("Deployment")["spec"]["template"]["spec"];
    assert!(named(&pod["containers"], "metrics-server").get("resources").is_none(), "the nanny sets them");
    let command = named(&pod["containers"], "metrics-server-nanny")["command"].to_string();
    for argument in
        ["--extra-cpu=1m", "--extra-memory=2Mi", "--minClusterSize=100", "--deployment=metrics-server"]
    {
        assert!(command.contains(argument), "{argument}");
    }
    strictly_valid(&rendered.text);
    assert_eq!(add_on("metrics-server.json"), serde_json::json!({ "addonResizer": { "enabled": true } }));
}

#[test]
fn the_node_local_cache_runs_on_every_node() {
    let upstream = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: { name: node-local-dns, namespace: kube-system }\nspec:\n  \
        selector: { matchLabels: { k8s-app: node-local-dns } }\n  template:\n    metadata: { labels: { k8s-app: node-local-dns } }\n    \
        spec:\n      dnsPolicy: Default\n      containers: [ { name: node-cache, image: k8s-dns-node-cache:1.26.4 } ]\n";
    let Some(rendered) = on("nodelocal-dns", upstream) else { return };
    let pod = &rendered.the("DaemonSet")["spec"]["template"]["spec"];
    assert_eq!(pod["tolerations"], serde_json::json!([{ "operator": "Exists" }]));
    assert_eq!(pod["priorityClassName"], "system-node-critical");
    assert!(named(&pod["containers"], "node-cache")["image"].is_string(), "what was there is still there");
    strictly_valid(&rendered.text);
}

#[test]
fn no_dns_policy_is_left_without_a_nameserver() {
    fn files(directory: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }
    let all = [files(&directory()), files(&support::conf().join("k8s"))].concat();
    assert!(all.len() > 12);
    for path in all.iter().filter(|path| path.extension().is_some_and(|ending| ending == "yaml")) {
        let source = fs::read_to_string(path).unwrap();
        assert!(
            !source.contains("dnsPolicy: None") && !source.contains("dnsPolicy: \"None\""),
            "{}",
            path.display()
        );
    }
    let ndots = fs::read_to_string(directory().join("workloads/ndots.yaml")).unwrap();
    let workload: Value = yaml_serde::from_str(&ndots).unwrap();
    let pod = &workload["spec"]["template"]["spec"];
    assert_eq!(pod["dnsPolicy"], "ClusterFirst");
    assert_eq!(named(&pod["dnsConfig"]["options"], "ndots")["value"], "2");
    strictly_valid(&ndots);
}
