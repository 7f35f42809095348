//! The Dockerfile: what it builds, copies and names agrees with the code. Its build commands are those that the harness runs for the
//! artefacts that everything else is tested with. That the stages run is in `images_built.rs`.

use crate::manifests::{named, text};
use crate::support;
use host_test::artefact;
use nodesieve_launcher::{LauncherSettings, MODULE_VARIABLE};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

fn dockerfile() -> String {
    fs::read_to_string(support::conf().join("Dockerfile")).unwrap()
}

/// The default of a build argument.
pub(crate) fn argument(name: &str) -> String {
    let file = dockerfile();
    let found =
        file.lines().find_map(|line| line.strip_prefix("ARG ")?.strip_prefix(name)?.strip_prefix('='));
    found.unwrap().to_owned()
}

/// A stage's instructions.
fn stage(name: &str) -> Vec<String> {
    let file = dockerfile();
    let from = file
        .lines()
        .skip_while(|line| !(line.starts_with("FROM ") && line.ends_with(&format!(" AS {name}"))));
    let mut stage: Vec<String> = from.map(str::to_owned).collect();
    let end =
        stage.iter().skip(1).position(|line| line.starts_with("FROM ")).map_or(stage.len(), |at| at + 1);
    stage.truncate(end);
    assert!(stage.len() > 1, "{name}");
    stage
}

fn numbers(version: &str) -> Vec<u32> {
    version.split(['.', '-']).map_while(|part| part.parse().ok()).collect()
}

#[test]
fn versions_are_new_enough_and_pinned() {
    let manifest = fs::read_to_string(artefact::workspace().join("Cargo.toml")).unwrap();
    let needed =
        manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"')).unwrap();
    assert!(numbers(&argument("RUST")) >= numbers(needed));
    assert!(numbers(&argument("FLUENT_BIT")) >= vec![4, 2, 3]);
    assert!(argument("DEBIAN").ends_with("-slim") && argument("RUST").ends_with("-slim-trixie"));
    for version in [argument("RUST"), argument("FLUENT_BIT"), argument("WAMR")] {
        assert_eq!(numbers(&version).len(), 3, "{version} is not one version");
    }
    let file = dockerfile();
    let version = env!("CARGO_PKG_VERSION");
    for image in ["nodesieve/fluent-bit", "nodesieve/sidecar"] {
        assert!(file.contains(&format!("-t {image}:{version} ")), "{image}");
    }
}

#[test]
fn it_builds_and_copies_what_is_tested() {
    let builder = stage("builder").join("\n");
    let readme = crate::documents::all();
    let command = "cargo build --package nodesieve --profile module --target wasm32-wasip1";
    assert!(readme.contains(command), "{command}");
    assert!(builder.contains(&command.replace("cargo build", "cargo build --locked")), "{command}");
    let below = support::module().strip_prefix(artefact::workspace()).unwrap().display().to_string();
    assert!(builder.contains(&format!("cp {below} /")), "{builder}");
    for name in ["fluent-bit-portable", "ahead-of-time"] {
        let stage = stage(name).join("\n");
        assert!(stage.contains("COPY --from=builder /nodesieve.wasm "), "{stage}");
    }
    // What is static has a directory named by the processor that it is for.
    for (name, program) in
        [("sidecar", artefact::sidecar().unwrap()), ("launcher", artefact::launcher().unwrap())]
    {
        if !artefact::is_static(&program) {
            crate::support::skip("musl", "no target with musl");
            return;
        }
        let below = program.strip_prefix(artefact::workspace()).unwrap().display().to_string();
        let here = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        let below = below.replace(&here, "$(cat /static-target)");
        assert!(builder.contains(&format!("cp \"{below}\" /")), "{builder}");
        let command = format!("cargo build --locked --package nodesieve-{name} --profile {name} --target");
        assert!(builder.contains(&format!("{command} \"$(cat /static-target)\"")), "{builder}");
        let head = std::fs::read(&program).unwrap();
        assert!(!head.windows(4).any(|bytes| bytes == b"ld-l" || bytes == b"ld-m"), "{name} wants a loader");
    }
    assert_eq!(stage("sidecar")[0], "FROM scratch AS sidecar");
    assert!(
        stage("sidecar").contains(&"COPY --from=builder /nodesieve-sidecar /nodesieve-sidecar".to_owned())
    );
}

/// A stage's command that begins like this, for a shell.
fn shell_command(name: &str, start: &str) -> String {
    let stage = stage(name);
    let lines = stage.iter().map(String::as_str).skip_while(|line| !line.starts_with(start));
    let mut command = Vec::new();
    for line in lines {
        command.push(line);
        if !line.ends_with('\\') {
            break;
        }
    }
    command.join("\n").strip_prefix("RUN ").unwrap().to_owned()
}

/// Guarantees: a compiler that nobody has vouched for is not unpacked, and no checksum is made up.
#[test]
fn the_compiler_for_machine_code_is_checked() {
    assert!(stage("wamrc").contains(&"ARG WAMRC_SHA256".to_owned()), "a checksum without a default");
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().display();
    let run = |command: &str, checksum: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-ec", command]).env("WAMRC_SHA256", checksum).env("WAMR", "2.4.1");
        let output = shell.current_dir(directory.path()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let command = shell_command("wamrc", "RUN ").replace("cd /wamrc", &format!("cd {here}/wamrc"));
    // What `ADD` brings: an archive from an address, the program itself, or that under another name.
    let archive = "printf '#!/bin/sh' > wamrc && tar -czf wamrc-2.4.1-x86_64.tar.gz wamrc && rm wamrc";
    for put in [archive, "printf '#!/bin/sh' > wamrc", "printf '#!/bin/sh' > my-wamrc"] {
        assert!(run(&format!("rm -rf wamrc && mkdir wamrc && cd wamrc && {put}"), "").0);
        let checksum = run("sha256sum wamrc/*", "").1.split(' ').next().unwrap().to_owned();
        for (given, expected) in [("", "no checksum for wamrc 2.4.1"), (&"0".repeat(64), "FAILED")] {
            let (is_well, said) = run(&command, given);
            assert!(!is_well && said.contains(expected), "{said}");
        }
        let (is_well, said) = run(&command, &checksum);
        assert!(is_well && run("wamrc/wamrc && ls wamrc", "").1 == "wamrc\n", "{said}");
    }
}

#[test]
fn it_agrees_with_the_pipeline_and_the_manifests() {
    let read = |name: &str| -> Value {
        yaml_serde::from_str(&fs::read_to_string(support::conf().join(name)).unwrap()).unwrap()
    };
    let pipeline = read("fluent-bit.yaml");
    let wasm_path = text(&named(&pipeline["pipeline"]["filters"], "wasm")["wasm_path"]);
    assert_eq!(wasm_path, format!("${{{MODULE_VARIABLE}}}"));
    // Everything is where the launcher looks for it.
    let (settings, _) = LauncherSettings::read(|_| None);
    let (portable, whole) = (stage("fluent-bit-portable"), stage("fluent-bit"));
    let copies = |stage: &[String], to: &Path| {
        stage.iter().any(|line| line.starts_with("COPY ") && line.ends_with(&format!(" {}", to.display())))
    };
    assert!(copies(&portable, &settings.portable) && copies(&whole, &settings.machine_code));
    assert!(copies(&portable, &settings.probe_dir.join("nodesieve.yaml")));
    assert_eq!(whole[0], "FROM fluent-bit-portable AS fluent-bit");
    let entry = "ENTRYPOINT [ \"/nodesieve-launcher\" ]".to_owned();
    assert!(portable.contains(&entry) && copies(&portable, Path::new("/nodesieve-launcher")));
    assert!(portable.contains(&"CMD [ \"--config=/fluent-bit/etc/nodesieve/fluent-bit.yaml\" ]".to_owned()));
    for stage in [&portable, &whole] {
        assert!(!stage.iter().any(|line| line.starts_with("USER ") || line.starts_with("RUN ")), "{stage:?}");
    }
    let sidecar = stage("sidecar").join("\n");
    assert!(sidecar.contains("USER 65532:65532") && sidecar.contains("EXPOSE 2021"));
    let pod = &read("k8s/daemonset.yaml")["spec"]["template"]["spec"];
    let container = named(&pod["initContainers"], "sidecar");
    let context = &container["securityContext"];
    assert_eq!((&context["runAsUser"], &context["runAsGroup"]), (&65532.into(), &65532.into()));
    assert_eq!(named(&container["ports"], "metrics")["containerPort"], 2021);
    assert!(text(&container["image"]).starts_with("nodesieve/sidecar:"));
    let agent = named(&pod["containers"], "fluent-bit");
    assert!(text(&agent["image"]).starts_with("nodesieve/fluent-bit:"));
    assert!(agent.get("command").is_none(), "a command would take the place of the launcher");
    assert_eq!(agent["args"], serde_json::json!(["--config=/fluent-bit/etc/nodesieve/fluent-bit.yaml"]));
}

/// The processor of this machine, by the name that image builds have for it.
pub(crate) fn this_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        _ => "arm64",
    }
}

/// The filter as machine code, by the command of the stage `ahead-of-time`, once per process; `None`, and said so, where there is
/// no `wamrc`.
pub(crate) fn machine_code(architecture: &str) -> Option<&'static [u8]> {
    static AMD64: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    static ARM64: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let made = match architecture {
        "amd64" => &AMD64,
        "arm64" => &ARM64,
        other => panic!("no image for {other}"),
    };
    let code = made.get_or_init(|| compiled_ahead_of_time(architecture)).as_deref();
    if code.is_none() {
        crate::support::skip("wamrc", "no wamrc");
    }
    code
}

fn compiled_ahead_of_time(architecture: &str) -> Option<Vec<u8>> {
    let version = Command::new("wamrc").arg("--version").output();
    let version = version.ok().filter(|output| output.status.success())?;
    let version = String::from_utf8(version.stdout).unwrap();
    assert_eq!(version.split_whitespace().last(), Some(argument("WAMR").as_str()));
    let directory = tempfile::tempdir().unwrap();
    fs::copy(support::module(), directory.path().join("nodesieve.wasm")).unwrap();
    let command = shell_command("ahead-of-time", "RUN case ");
    let output = Command::new("sh")
        .args(["-ec", &command])
        .env("TARGETARCH", architecture)
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // A processor that it does not know is passed over with a word.
    assert!(output.status.success() && !said.contains("not a recognized processor"), "{said}");
    Some(fs::read(directory.path().join("nodesieve.aot")).unwrap())
}

/// Guarantees: one compiler makes the code of both processors that images are for, and no other is guessed.
#[test]
fn machine_code_is_made_for_both_processors() {
    for (architecture, machine) in [("amd64", 62_u16), ("arm64", 183)] {
        let Some(code) = machine_code(architecture) else { return };
        assert!(code.starts_with(b"\0aot"));
        // After magic, version, and the first section's type and size: the ELF fields of the target, `e_machine` the fourth.
        assert_eq!(code.get(22..24), Some(&machine.to_le_bytes()[..]), "{architecture}");
    }
}

/// Guarantees: the machine that builds the images makes the programs of the other processor too, by the Dockerfile's own compiler
/// and linker, and they need nothing of any base.
#[test]
fn the_programs_are_made_for_the_other_processor_too() {
    if Command::new("clang").arg("--version").output().is_err() {
        return crate::support::skip("clang", "no clang");
    }
    let builder = stage("builder").join("\n");
    let exported = builder.lines().find_map(|line| line.trim().strip_prefix("export ")).unwrap();
    let exported: Vec<(&str, &str)> = exported.split(' ').filter_map(|word| word.split_once('=')).collect();
    assert_eq!(exported.len(), 3, "{exported:?}");
    let (machine, number) = match std::env::consts::ARCH {
        "x86_64" => ("aarch64", 183_u16),
        _ => ("x86_64", 62),
    };
    for name in ["launcher", "sidecar"] {
        let program = artefact::program_for(machine, name, &exported).unwrap();
        let bytes = fs::read(&program).unwrap();
        assert_eq!(bytes.get(18..20), Some(&number.to_le_bytes()[..]), "{name}: e_machine");
        assert!(!bytes.windows(4).any(|bytes| bytes == b"ld-l" || bytes == b"ld-m"), "{name} wants a loader");
        eprintln!("{name} for {machine}: {} bytes", bytes.len());
        // Where an emulator is found, it starts too.
        let emulator = Command::new(format!("qemu-{machine}-static")).arg(&program).arg("--version").output();
        if let (Ok(output), "sidecar") = (emulator, name) {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains(env!("CARGO_PKG_VERSION")), "{output:?}");
        }
    }
}
