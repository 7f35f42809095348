//! What others make and we take in: crates on the terms of `.deny.toml`, and the hosted workflows' actions, each by its commit.
//! And what we give out: a release is made by jobs that may only read, and published by jobs that build nothing.

use crate::support;
use host_test::artefact;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Each workflow by its file's name: text and content.
fn workflows() -> Vec<(String, String, Value)> {
    let files = fs::read_dir(artefact::workspace().join(".github/workflows")).unwrap();
    let found: Vec<_> = files
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let content: Value = yaml_serde::from_str(&text).unwrap();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), text, content)
        })
        .collect();
    assert!(found.len() >= 2, "{found:?}");
    found
}

fn release() -> (String, Value) {
    let found = workflows().into_iter().find(|(name, _, _)| name == "release.yml");
    found.map(|(_, text, content)| (text, content)).unwrap()
}

fn jobs(workflow: &Value) -> impl Iterator<Item = (&String, &Value)> {
    workflow["jobs"].as_object().unwrap().iter()
}

fn steps(job: &Value) -> impl Iterator<Item = &Value> {
    job["steps"].as_array().unwrap().iter()
}

/// What a job's steps give to a shell, with each run of white space and each line's end as one space.
fn commands(job: &Value) -> String {
    let scripts: Vec<&str> = steps(job).filter_map(|step| step["run"].as_str()).collect();
    words(&scripts.join("\n").replace("\\\n", " "))
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn dockerfile() -> String {
    fs::read_to_string(support::conf().join("Dockerfile")).unwrap()
}

/// Guarantees: whoever moves an action's tag changes nothing of ours.
#[test]
fn hosted_actions_are_named_by_commit() {
    let mut actions = 0;
    for (_, text, content) in workflows() {
        let mut named = 0;
        for line in text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses:"))
        {
            named += 1;
            let (action, version) =
                line.split_once('#').unwrap_or_else(|| panic!("no version behind {line}"));
            let commit = action.trim().split_once('@').unwrap().1;
            assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{line}");
            assert!(version.trim().starts_with('v'), "{line}");
        }
        // Written in another way, one would not be among these lines.
        let used = jobs(&content).flat_map(|(_, job)| steps(job)).filter(|step| step["uses"].is_string());
        assert_eq!(named, used.count());
        actions += named;
    }
    assert!(actions > 0);
}

/// Guarantees: no job may write but the two that publish, each what it needs, and these run nothing that is ours or a crate's.
#[test]
fn only_the_jobs_that_publish_may_write_and_these_build_nothing() {
    let may_write = json!({
        "images": { "attestations": "write", "id-token": "write", "packages": "write" },
        "release": { "attestations": "write", "contents": "write", "id-token": "write" },
    });
    for (name, text, content) in workflows() {
        assert_eq!(content["permissions"], json!({ "contents": "read" }), "{name}");
        let published = if name == "release.yml" { may_write.clone() } else { json!({}) };
        let permitted: serde_json::Map<String, Value> = jobs(&content)
            .filter_map(|(name, job)| Some((name.clone(), job.get("permissions")?.clone())))
            .collect();
        assert_eq!(Value::Object(permitted), published, "{name}");
        let lines = text.lines().filter(|line| line.contains(": write")).count();
        let listed = published.as_object().unwrap().values().map(|job| job.as_object().unwrap().len());
        assert_eq!(lines, listed.sum::<usize>(), "{name}");
        for job in published.as_object().unwrap().keys().map(|name| &content["jobs"][name]) {
            let uses = steps(job).filter_map(|step| step["uses"].as_str()).collect::<String>();
            assert!(!uses.contains("actions/checkout"), "{uses}");
            let commands = commands(job);
            for tool in ["cargo", "docker run", "docker build", "npm", "pip", "./"] {
                assert!(!commands.contains(tool), "{tool}: {commands}");
            }
        }
    }
}

/// Guarantees: nobody's title, branch or tag becomes a part of a script, and no proposal of a stranger's runs with our rights.
#[test]
fn nothing_from_outside_is_written_into_a_script() {
    for (name, text, content) in workflows() {
        for trigger in ["pull_request_target", "workflow_run", "issue_comment"] {
            assert!(!text.contains(trigger), "{name}: {trigger}");
        }
        for script in jobs(&content).flat_map(|(_, job)| steps(job)).filter_map(|step| step["run"].as_str()) {
            // All of an expression's text, not only an event's: what a script needs is in its environment.
            assert!(!script.contains("${{"), "{name}: {script}");
        }
    }
}

/// Guarantees: nothing is released that CI's own command has not passed, and no token lies beside what is built.
#[test]
fn a_release_is_tested_before_it_is_built() {
    let (_, content) = release();
    let jobs = &content["jobs"];
    assert!(commands(&jobs["test"]).ends_with("bash .ci/run"), "{}", jobs["test"]);
    assert_eq!(content["on"], json!({ "push": { "tags": ["v*"] } }));
    for (job, needs) in [
        ("build", json!("test")),
        ("cli", json!("build")),
        ("images", json!(["build", "cli"])),
        ("release", json!("images")),
    ] {
        assert_eq!(jobs[job]["needs"], needs, "{job}");
    }
    for (name, job) in self::jobs(&content) {
        for step in steps(job) {
            if step["uses"].as_str().is_some_and(|action| action.starts_with("actions/checkout@")) {
                assert_eq!(step["with"]["persist-credentials"], json!(false), "{name}");
            }
        }
    }
    assert!(commands(&jobs["release"]).contains("gh release create \"$GITHUB_REF_NAME\""));
    assert!(commands(&jobs["release"]).contains(" --draft --verify-tag "));
}

/// Scenario: the first step's script with the tag of this version, with another one, and without the compiler's checksum.
/// Guarantees: what is wanting is said in words before the tests run.
#[test]
fn a_tag_of_another_version_and_a_missing_checksum_are_told() {
    let (_, content) = release();
    let script = steps(&content["jobs"]["test"]).find_map(|step| step["run"].as_str()).unwrap().to_owned();
    let run = |tag: &str, checksum: &str| {
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script])
            .env("GITHUB_REF_NAME", tag)
            .env("WAMRC_SHA256", checksum)
            .current_dir(artefact::workspace())
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let version = env!("CARGO_PKG_VERSION");
    let (ours, checksum) = (format!("v{version}"), "0".repeat(64));
    assert_eq!(run(&ours, &checksum), (true, String::new()));
    let (is_well, said) = run("v99.0.0", &checksum);
    assert!(
        !is_well && said.contains(&format!("the tag is v99.0.0 and the version in Cargo.toml {version}"))
    );
    let (is_well, said) = run(&ours, "");
    assert!(!is_well && said.contains("set the repository variable WAMRC_SHA256"), "{said}");
}

/// Guarantees: what is released is what the images have in them, built by the commands that the documents name.
#[test]
fn a_release_has_what_the_images_have() {
    let (text, content) = release();
    let build = commands(&content["jobs"]["build"]);
    let file = dockerfile();
    let module = "cargo build --locked --package nodesieve --profile module --target wasm32-wasip1";
    assert!(build.contains(module) && file.contains(module), "{build}");
    // Machine code, sidecar and launcher are taken out of the images: their commands stand in the Dockerfile alone.
    for only_there in
        ["wamrc -", "--disable-simd", "--package nodesieve-sidecar", "--package nodesieve-launcher"]
    {
        assert!(!text.contains(only_there), "{only_there}");
    }
    assert!(build.contains(
        "for image in fluent-bit sidecar; do docker buildx build --platform linux/amd64,linux/arm64"
    ));
    assert!(build.contains("--file conf/Dockerfile --target \"$image\""), "{build}");
    for image in ["fluent-bit", "sidecar"] {
        assert!(
            file.lines().any(|line| line.starts_with("FROM ") && line.ends_with(&format!(" AS {image}")))
        );
    }
    // What is copied out of an image is where the image has it.
    for (taken, put) in [
        ("$image/opt/nodesieve/nodesieve.wasm", "/opt/nodesieve/nodesieve.wasm"),
        ("$image/opt/nodesieve/nodesieve.aot", "/opt/nodesieve/nodesieve.aot"),
        ("$image/nodesieve-launcher", "/nodesieve-launcher"),
        ("linux_$processor/nodesieve-sidecar", "/nodesieve-sidecar"),
    ] {
        assert!(build.contains(&format!("{taken}\" ")), "{taken}");
        let is_put = |line: &str| line.starts_with("COPY --from=") && line.ends_with(&format!(" {put}"));
        assert!(file.lines().any(is_put), "{put}");
    }
    let arguments: BTreeSet<&str> =
        build.split("--build-arg ").skip(1).filter_map(|rest| rest.split_whitespace().next()).collect();
    assert_eq!(arguments, BTreeSet::from(["DEBIAN", "FLUENT_BIT", "RUST", "WAMRC_SHA256"]));
    for argument in arguments {
        assert!(file.lines().any(|line| line.starts_with(&format!("ARG {argument}"))), "{argument}");
    }
    // Each tag that an argument has by default becomes the digest of the image that the Dockerfile builds on.
    for (argument, image) in [("RUST", "rust"), ("DEBIAN", "debian"), ("FLUENT_BIT", "fluent/fluent-bit")] {
        assert!(build.contains(&format!("{argument}={image}")), "{argument}");
        assert!(file.contains(&format!(" {image}:${{{argument}}} AS ")), "{argument}");
        assert!(file.lines().any(|line| line.starts_with(&format!("ARG {argument}="))), "{argument}");
    }
    let alone = "--package host-test --features embedded --bin nodesieve-alone";
    assert!(commands(&content["jobs"]["cli"]).contains(&format!("cargo build --locked --release {alone}")));
    assert!(words(&crate::documents::all()).contains(&format!("cargo build --release {alone}")));
}

/// Guarantees: the page lists each file that a release has and no other, and its commands are those of the workflow.
#[test]
fn the_page_lists_the_files_that_a_release_has() {
    let (text, _) = release();
    let page = fs::read_to_string(artefact::workspace().join("docs/releases.md")).unwrap();
    let listed: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once(" |"))
        .flat_map(|(names, _)| names.split(", "))
        .map(|name| name.trim_matches('`'))
        .collect();
    let mut expected = BTreeSet::new();
    for file in [
        "nodesieve.wasm",
        "nodesieve-$processor.aot",
        "nodesieve-linux-$processor",
        "nodesieve-man.tar.gz",
        "nodesieve-sidecar-$processor",
        "nodesieve-launcher-$processor",
        "nodesieve-$version.tgz",
        "nodesieve-module.cdx.json",
        "nodesieve-sidecar.cdx.json",
        "nodesieve-launcher.cdx.json",
        "nodesieve-cli.cdx.json",
        "base-images.txt",
        "images.txt",
        "SHA256SUMS",
    ] {
        assert!(text.contains(file), "the workflow makes no {file}");
        for processor in ["amd64", "arm64"] {
            let name = file.replace("$processor", processor);
            expected.insert(name.replace("$version", env!("CARGO_PKG_VERSION")));
        }
    }
    assert_eq!(listed.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), expected);
    assert_eq!(listed.len(), expected.len(), "one is listed twice: {listed:?}");
    let said = words(&page.replace("\\\n", " "));
    for command in [
        "rustup target add wasm32-wasip1",
        "cargo build --locked --package nodesieve --profile module --target wasm32-wasip1",
        "gh attestation verify",
        "sha256sum --check",
    ] {
        assert!(said.contains(command), "{command}");
    }
}

/// Guarantees: what the host of the workflows would refuse, or warn of, is not in them.
#[test]
fn the_workflows_pass_actionlint() {
    let folder = artefact::workspace().join(".github/workflows");
    let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    if Command::new("actionlint").arg("-version").output().is_err() {
        return support::skip("actionlint", "no actionlint");
    }
    let checked = Command::new("actionlint").args(files).current_dir(artefact::workspace()).output().unwrap();
    let said = [checked.stdout, checked.stderr].concat();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// Guarantees: whoever gets what nodes run can see what it is made of: each crate with version, licence and package URL.
#[test]
fn each_component_of_what_nodes_run_has_a_licence_and_a_package_url() {
    let Ok(version) = Command::new("cargo-cyclonedx").args(["cyclonedx", "--version"]).output() else {
        return support::skip("cargo-cyclonedx", "no cargo-cyclonedx");
    };
    assert!(version.status.success(), "{version:?}");
    // It writes beside each manifest of the workspace, so that it is given another one.
    let elsewhere = tempfile::tempdir().unwrap();
    for part in ["Cargo.toml", "Cargo.lock", ".cargo", "plugin", "sidecar", "launcher", "host-test"] {
        let copied =
            Command::new("cp").arg("-R").arg(artefact::workspace().join(part)).arg(elsewhere.path()).status();
        assert!(copied.unwrap().success(), "{part}");
    }
    let (_, content) = release();
    let build = commands(&content["jobs"]["build"]);
    for (name, folder, target, least) in [
        ("nodesieve-module", "plugin/filter", "wasm32-wasip1", "nodesieve-engine"),
        ("nodesieve-sidecar", "sidecar", "x86_64-unknown-linux-musl", "rustls"),
        ("nodesieve-launcher", "launcher", "x86_64-unknown-linux-musl", "rustix"),
    ] {
        assert!(build.contains(&format!("sbom {name}.cdx.json {folder} {target}")), "{name}: {build}");
        let written = Command::new("cargo-cyclonedx")
            .args(["cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5"])
            .args(["--override-filename", "sbom", "--target", target, "--manifest-path"])
            .arg(elsewhere.path().join(folder).join("Cargo.toml"))
            .current_dir(elsewhere.path())
            .output()
            .unwrap();
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        let sbom = fs::read(elsewhere.path().join(folder).join("sbom.json")).unwrap();
        let sbom: Value = serde_json::from_slice(&sbom).unwrap();
        assert_eq!((&sbom["bomFormat"], &sbom["specVersion"]), (&json!("CycloneDX"), &json!("1.5")));
        let components = sbom["components"].as_array().unwrap();
        assert!(components.iter().any(|component| component["name"] == least), "{name}: no {least}");
        for component in components.iter().chain([&sbom["metadata"]["component"]]) {
            let licences = component["licenses"].as_array().cloned().unwrap_or_default();
            let has_licence = licences.iter().any(|one| {
                [&one["expression"], &one["license"]["id"], &one["license"]["name"]]
                    .iter()
                    .any(|text| text.as_str().is_some_and(|text| !text.is_empty()))
            });
            let purl = format!("pkg:cargo/{}@", component["name"].as_str().unwrap());
            assert!(has_licence, "no licence: {component}");
            assert!(component["purl"].as_str().is_some_and(|text| text.starts_with(&purl)), "{component}");
        }
    }
}

/// Guarantees: licences, duplicates and sources of all crates are allowed ones. Known faults need the network: the hosted workflow.
#[test]
fn crates_keep_the_terms_of_the_deny_file() {
    if Command::new("cargo-deny").arg("--version").output().is_err() {
        return support::skip("cargo-deny", "no cargo-deny");
    }
    let checked = Command::new("cargo-deny")
        .args(["--color", "never", "check", "bans", "licenses", "sources"])
        .current_dir(artefact::workspace())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}
