//! conf/helm: the chart renders to what kustomize does, its values are checked, and its files are those of conf/.

mod renderer;

use crate::manifests::{Rendered, from_afar, strictly_valid};
use crate::support;
use renderer::Renderer;
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn chart() -> PathBuf {
    support::conf().join("helm/nodesieve")
}

/// What the release `nodesieve` is with these values.
fn rendered(values: &Value) -> String {
    Renderer::new(&chart(), "nodesieve", "nodesieve", values).render()
}

fn documents(text: &str) -> Vec<Value> {
    let documents = yaml_serde::Deserializer::from_str(text);
    documents
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|document| !document.is_null())
        .collect()
}

/// Objects by kind and name, without what only one of the two has: kustomize's namespace and the hashes behind its names, the chart's label
/// for the release and what restarts its pods.
fn comparable(text: &str) -> BTreeMap<(String, String), Value> {
    let mut text = text.to_owned();
    for document in documents(&text) {
        let name = document["metadata"]["name"].as_str().unwrap().to_owned();
        if document["kind"] == "ConfigMap"
            && let Some((plain, hash)) = name.rsplit_once('-')
            && hash.len() == 10
        {
            text = text.replace(&name, plain);
        }
    }
    let mut objects = BTreeMap::new();
    for mut document in documents(&text) {
        strip(&mut document);
        let name = |key: &str| document[key].as_str().unwrap().to_owned();
        let key = (name("kind"), document["metadata"]["name"].as_str().unwrap().to_owned());
        if key.0 != "Namespace" {
            assert!(objects.insert(key.clone(), document).is_none(), "{key:?} is there twice");
        }
    }
    objects
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| {
                !["app.kubernetes.io/instance", "nodesieve.io/pipeline", "nodesieve.io/destination"]
                    .contains(&key.as_str())
            });
            map.values_mut().for_each(strip);
        }
        Value::Array(list) => {
            list.iter_mut().for_each(strip);
            // Lists of named things are merged by their names; their order says nothing.
            list.sort_by_key(|item| item["mountPath"].as_str().or(item["name"].as_str()).map(str::to_owned));
        }
        // A block may end with a blank line or not.
        Value::String(text) => *text = text.trim_end().to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What a kustomization of a user's is, with these components and lines.
fn kustomized(components: &[&str], more: &str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let conf = from_afar(directory.path(), &support::conf());
    let components: Vec<String> = components.iter().map(|name| format!("{conf}/k8s/{name}")).collect();
    let text = format!("resources: [ {conf} ]\ncomponents: [ {} ]\n{more}", components.join(", "));
    fs::write(directory.path().join("kustomization.yaml"), text).unwrap();
    Rendered::of(directory.path()).map(|rendered| rendered.text)
}

#[track_caller]
fn same(values: &Value, components: &[&str], more: &str) {
    let Some(expected) = kustomized(components, more) else { return };
    let (chart, kustomize) = (comparable(&rendered(values)), comparable(&expected));
    assert_eq!(chart.keys().collect::<Vec<_>>(), kustomize.keys().collect::<Vec<_>>());
    for (key, object) in &kustomize {
        assert_eq!(first_difference(&chart[key], object), None, "{key:?}");
    }
}

/// Where two values first differ, and how.
fn first_difference(one: &Value, other: &Value) -> Option<String> {
    let inside = |key: &str, one: Option<&Value>, other: Option<&Value>| {
        let (null, null_too) = (Value::Null, Value::Null);
        let found = first_difference(one.unwrap_or(&null), other.unwrap_or(&null_too))?;
        Some(format!("{key}.{found}"))
    };
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            keys.into_iter().find_map(|key| inside(key, one.get(key), other.get(key)))
        }
        (Value::Array(one), Value::Array(other)) => {
            (0..one.len().max(other.len())).find_map(|at| inside(&at.to_string(), one.get(at), other.get(at)))
        }
        _ => (one != other).then(|| format!(": {one} and by kustomize {other}")),
    }
}

#[test]
fn the_chart_is_what_kustomize_makes() {
    same(&json!({}), &[], "");
}

#[test]
fn each_value_is_what_its_component_is() {
    same(&json!({ "metadata": { "source": "pods-api" } }), &["pods-api"], "");
    same(&json!({ "metadata": { "permission": "nodes/proxy" } }), &["before-1.33"], "");
    same(&json!({ "networkPolicy": { "enabled": true } }), &["network-policy"], "");
    same(&json!({ "monitoring": { "enabled": true } }), &["monitoring"], "");
    same(&json!({ "tap": true }), &["tap"], "");
    same(&json!({ "teams": ["payments"] }), &["teams"], "");
    let digest = format!("sha256:{:064}", 7);
    let values = json!({
        "images": { "sidecar": { "repository": "mine/sidecar", "digest": digest } },
        "destination": { "region": "eu-central-1", "deliveryStream": "mine" },
    });
    let more = format!(
        "images:\n  - {{ name: nodesieve/sidecar, newName: mine/sidecar, digest: '{digest}' }}\nconfigMapGenerator:\n  - {{ name: \
         nodesieve-destination, namespace: nodesieve, behavior: merge, literals: [ AWS_REGION=eu-central-1, DELIVERY_STREAM=mine ] }}\n"
    );
    same(&values, &[], &more);
}

/// The objects of this kind.
fn of_kind(text: &str, kind: &str) -> Vec<Value> {
    documents(text).into_iter().filter(|document| document["kind"] == kind).collect()
}

#[test]
fn rules_and_pipeline_are_texts_and_only_a_pipeline_restarts() {
    let checksum = |values: &Value| {
        of_kind(&rendered(values), "DaemonSet")[0]["spec"]["template"]["metadata"]["annotations"].clone()
    };
    let rules = "version: 1\n# mine: {{ not a template }}\nrules: []\n";
    let text = rendered(&json!({ "rules": rules }));
    let maps = of_kind(&text, "ConfigMap");
    let map = |name: &str| maps.iter().find(|map| map["metadata"]["name"] == name);
    assert_eq!(
        map("nodesieve-rules").unwrap()["data"]["nodesieve.yaml"].as_str().unwrap().trim_end(),
        rules.trim_end()
    );
    assert_eq!(checksum(&json!({ "rules": rules })), checksum(&json!({})));
    assert_ne!(checksum(&json!({ "pipeline": "service: {}\n" })), checksum(&json!({})));
    assert_ne!(checksum(&json!({ "destination": { "region": "eu-west-1" } })), checksum(&json!({})));
    let own = rendered(&json!({ "rulesConfigMap": "mine" }));
    assert!(of_kind(&own, "ConfigMap").iter().all(|map| map["metadata"]["name"] != "nodesieve-rules"));
    assert!(own.contains("configMap: { name: mine }"));
}

/// Guarantees: two releases, as for a canary, share no object and no directory of a node.
#[test]
fn two_releases_are_apart() {
    let values = |dir: &str, pool: &str| json!({ "stateDir": dir, "nodeSelector": { "pool": pool } });
    let [stable, canary] = [("stable", "/var/lib/nodesieve"), ("canary", "/var/lib/nodesieve-canary")]
        .map(|(name, dir)| Renderer::new(&chart(), name, "nodesieve", &values(dir, name)).render());
    let names = |text: &str| {
        documents(text)
            .iter()
            .map(|object| (object["kind"].to_string(), object["metadata"]["name"].to_string()))
            .collect::<BTreeSet<_>>()
    };
    assert!(names(&stable).is_disjoint(&names(&canary)));
    let set = |text: &str| of_kind(text, "DaemonSet").remove(0);
    let selector = |set: &Value| set["spec"]["selector"]["matchLabels"].clone();
    assert_ne!(selector(&set(&stable)), selector(&set(&canary)));
    for set in [set(&stable), set(&canary)] {
        for (key, value) in selector(&set).as_object().unwrap() {
            assert_eq!(&set["spec"]["template"]["metadata"]["labels"][key], value);
        }
        assert_eq!(set["spec"]["template"]["spec"]["nodeSelector"]["kubernetes.io/os"], "linux");
    }
    assert!(
        canary.contains("path: /var/lib/nodesieve-canary/filter,")
            && !canary.contains("path: /var/lib/nodesieve,")
    );
}

#[test]
fn without_machine_code_the_portable_module_is_named() {
    let set = of_kind(&rendered(&json!({ "machineCode": false })), "DaemonSet").remove(0);
    let agent = &set["spec"]["template"]["spec"]["containers"][0];
    let module = agent["env"]
        .as_array()
        .unwrap()
        .iter()
        .find(|env| env["name"] == nodesieve_launcher::MODULE_VARIABLE);
    let dockerfile = fs::read_to_string(support::conf().join("Dockerfile")).unwrap();
    assert!(dockerfile.contains(module.unwrap()["value"].as_str().unwrap()));
}

/// Guarantees: the tick's distance is in the pipeline, once, and a changed one restarts the pods that read it.
#[test]
fn ticks_come_as_often_as_the_value_says() {
    let pipeline = |values: &Value| {
        let maps = of_kind(&rendered(values), "ConfigMap");
        let map = maps.iter().find(|map| map["metadata"]["name"] == "nodesieve-pipeline").unwrap();
        map["data"]["fluent-bit.yaml"].as_str().unwrap().to_owned()
    };
    let every = |text: &str| -> Vec<Value> {
        let pipeline: Value = yaml_serde::from_str(text).unwrap();
        let inputs = pipeline["pipeline"]["inputs"].as_array().unwrap().clone();
        inputs.iter().filter_map(|input| input.get("interval_sec").cloned()).collect()
    };
    assert_eq!(every(&pipeline(&json!({}))), [1]);
    assert_eq!(every(&pipeline(&json!({ "tick": 5 }))), [5]);
    let own = "pipeline: { inputs: [ { interval_sec: 1 } ] }\n";
    assert_eq!(
        every(&pipeline(&json!({ "tick": 5, "pipeline": own }))),
        [1],
        "a pipeline of one's own is as it is"
    );
    let annotations = |values: &Value| {
        of_kind(&rendered(values), "DaemonSet")[0]["spec"]["template"]["metadata"]["annotations"].clone()
    };
    assert_ne!(annotations(&json!({ "tick": 5 })), annotations(&json!({})));
}

#[test]
fn what_it_renders_to_is_strictly_valid() {
    for values in [
        json!({}),
        json!({ "metadata": { "source": "pods-api", "annotations": "team/*" } }),
        json!({ "networkPolicy": { "enabled": true }, "machineCode": false, "serviceAccount": { "annotations": { "a/b": "c" } } }),
    ] {
        strictly_valid(&rendered(&values));
    }
}

/// Guarantees: the schema knows each value and no other; a tree in the place of the rules' text, an unknown key and a misspelt word are
/// refused.
#[test]
fn the_schema_takes_the_values_and_refuses_what_is_none() {
    let check = "import json, sys, jsonschema\nschema, values = json.load(open(sys.argv[1])), json.loads(sys.argv[2])\n\
        jsonschema.Draft7Validator.check_schema(schema)\njsonschema.validate(values, schema)\n";
    let validate = |values: &Value| {
        let schema = chart().join("values.schema.json");
        Command::new("python3").args(["-c", check]).arg(schema).arg(values.to_string()).output().unwrap()
    };
    let is_there = Command::new("python3").args(["-c", "import jsonschema"]).output();
    if !is_there.is_ok_and(|output| output.status.success()) {
        return support::skip("jsonschema", "no jsonschema for python3");
    }
    let values: Value =
        yaml_serde::from_str(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap();
    let output = validate(&values);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for bad in [
        json!({ "rules": { "version": 1 } }),
        json!({ "rule": "version: 1" }),
        json!({ "metadata": { "source": "podsapi", "permission": "nodes/pods", "annotations": "" } }),
        json!({ "images": { "sidecar": { "repository": "x", "tag": "1", "digest": "sha256:12" } } }),
        json!({ "stateDir": "var/lib" }),
        json!({ "tick": 0 }),
        json!({ "tick": "1s" }),
    ] {
        assert!(!validate(&bad).status.success(), "{bad}");
    }
}

/// Guarantees: each value is used by a template, and the chart's files are those of conf/ themselves.
#[test]
fn no_value_and_no_file_is_of_no_use() {
    let templates: String = chart()
        .join("templates")
        .read_dir()
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let values: Value =
        yaml_serde::from_str(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap();
    let mut unused = Vec::new();
    walk(&values, ".Values".into(), &templates, &mut unused);
    assert_eq!(unused, Vec::<String>::new());
    for file in chart().join("files").read_dir().unwrap() {
        let path = file.unwrap().path();
        assert!(path.is_symlink() && path.is_file(), "{}", path.display());
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(templates.contains(&format!("\"files/{name}\"")), "{name}");
    }
}

fn walk(value: &Value, path: String, templates: &str, unused: &mut Vec<String>) {
    if templates.contains(&format!("{path} ")) || templates.contains(&format!("{path})")) {
        return;
    }
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(key, value)| walk(value, format!("{path}.{key}"), templates, unused));
        }
        _ => unused.push(path),
    }
}

/// Where there is a real Helm it is the judge.
#[test]
fn helm_itself_renders_the_same() {
    let run = |arguments: &[&str]| Command::new("helm").args(arguments).arg(chart()).output();
    let Ok(lint) = run(&["lint", "--strict"]) else { return support::skip("helm", "no helm") };
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
    let output = run(&["template", "nodesieve", "--namespace", "nodesieve"]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(comparable(&text), comparable(&rendered(&json!({}))));
}

/// Guarantees: values for other charts have the filter's own settings, mount what it may see, and are read by a real Fluent Bit.
#[test]
fn beside_another_chart_the_filter_has_what_it_needs() {
    let shipped = fs::read_to_string(support::conf().join("fluent-bit.conf")).unwrap();
    let setting = |text: &str, key: &str| -> String {
        let found = text
            .lines()
            .filter_map(|line| line.trim().split_once(' '))
            .rfind(|(name, _)| name.eq_ignore_ascii_case(key));
        found.unwrap_or_else(|| panic!("{key}")).1.trim().to_owned()
    };
    for (file, filters, inputs) in [
        ("fluent-bit.yaml", "/config/filters", "/config/inputs"),
        ("aws-for-fluent-bit.yaml", "/additionalFilters", "/additionalInputs"),
    ] {
        let text = fs::read_to_string(support::conf().join("helm/beside").join(file)).unwrap();
        let values: Value = yaml_serde::from_str(&text).unwrap();
        let classic = |pointer: &str| values.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        for key in ["function_name", "event_format", "wasm_stack_size", "accessible_paths"] {
            assert_eq!(setting(&classic(filters), key), setting(&shipped, key), "{file}: {key}");
        }
        assert!(classic(inputs).contains("nodesieve.tick"), "{file}");
        let mounts = values["extraVolumeMounts"].as_array().unwrap();
        let mounted: BTreeSet<&str> =
            mounts.iter().map(|mount| mount["mountPath"].as_str().unwrap()).collect();
        assert_eq!(mounted, setting(&shipped, "accessible_paths").split(',').collect(), "{file}");
        for mount in mounts {
            let volumes = values["extraVolumes"].as_array().unwrap();
            assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{file}: {mount}");
        }
        let Some(program) = crate::fluent_bit::program() else { continue };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fluent-bit.conf");
        let parts = [classic(inputs), classic(filters), "[OUTPUT]\n    Name null\n    Match *\n".to_owned()];
        // Directories that are there; and it loads the module.
        let here = directory.path().display().to_string();
        let text = parts.join("\n").replace(&setting(&shipped, "accessible_paths"), &here);
        fs::write(&path, text).unwrap();
        let output = Command::new(program)
            .args(["--dry-run", "-c"])
            .arg(&path)
            .env("NODE_NAME", "n")
            .env("NODESIEVE_MODULE", support::module())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{file}: {}",
            String::from_utf8_lossy(&output.stderr).replace('\n', " / ")
        );
    }
}

/// Guarantees: every file, target, parameter, value, object and metric in the ten commands is there.
#[test]
fn the_ten_commands_name_what_there_is() {
    let page = fs::read_to_string(support::conf().join("../docs/deploy.md")).unwrap();
    let commands = page.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0.to_owned();
    let lines: Vec<&str> = commands.lines().collect();
    assert_eq!(lines.len(), 10, "ten commands");
    let more = page.split("```sh\n").nth(2).unwrap().split("```").next().unwrap();
    let words: Vec<&str> = commands.split_whitespace().chain(more.split_whitespace()).collect();
    let dockerfile = fs::read_to_string(support::conf().join("Dockerfile")).unwrap();
    let template = fs::read_to_string(support::conf().join("aws/cloudformation.yaml")).unwrap();
    let values: Value =
        yaml_serde::from_str(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap();
    let value = |path: &str| {
        path.replace("\\.", "\0").split('.').try_fold(&values, |value, key| {
            match value.get(key.replace('\0', ".")) {
                Some(value) => Some(value),
                // A label of a node is a user's own.
                None if key.contains('\0') => Some(value),
                None => None,
            }
        })
    };
    let (mut files, mut settings) = (0, 0);
    for pair in words.windows(2) {
        let [option, word] = pair else { panic!() };
        if word.starts_with("conf/") || word.contains("=conf/") {
            let file = word.split_once('=').map_or(*word, |(_, file)| file);
            assert!(support::conf().join("..").join(file).exists(), "{file}");
            files += 1;
        }
        match *option {
            "--target" => assert!(dockerfile.contains(&format!(" AS {word}\n")), "{word}"),
            "--build-arg" => {
                assert!(dockerfile.contains(&format!("ARG {}", word.split('=').next().unwrap())), "{word}")
            }
            "--parameter-overrides" => {
                assert!(
                    template.contains(&format!("\n  {}:\n    Type:", word.split('=').next().unwrap())),
                    "{word}"
                );
            }
            "--set" | "--set-file" => {
                settings += 1;
                let path = word.split('=').next().unwrap();
                assert!(value(path).is_some(), "{path}");
            }
            _ => {}
        }
    }
    assert!(files >= 6 && settings >= 6, "{files} files, {settings} settings");
    let objects = comparable(&rendered(&json!({})));
    assert!(
        objects.contains_key(&("DaemonSet".into(), "nodesieve".into()))
            && commands.contains("daemonset/nodesieve")
    );
    let metrics = crate::documents::all();
    let asked = lines[9].split_once("nodesieve_(").unwrap().1.split_once(')').unwrap().0;
    for name in asked.split('|') {
        assert!(metrics.contains(&format!("| `nodesieve_{name}` |")), "{name}");
        assert!(page.contains(&format!("`nodesieve_{name}`")), "{name} is explained");
    }
}
