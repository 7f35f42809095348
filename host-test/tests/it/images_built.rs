//! The images as buildah makes them of `conf/Dockerfile`, and what starts in them.
//!
//! By default the programs are those that the other tests have built, given in the place of the stage `builder`: less than a minute.
//! With `NODESIEVE_IMAGES=all` that stage runs too, from a Debian that debootstrap makes and this machine's Rust: a quarter of an
//! hour, and it needs the network. Base images are made here under the names that the Dockerfile has, so nothing is pulled.
//!
//! Skipped where there is no `buildah`, no permission to mount, or, in parts, no `fluent-bit` or `wamrc`.

use crate::{fluent_bit, images, support};
use host_test::artefact;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const SIDECAR_USER: u32 = 65532;

/// Images of their own, in a directory that goes with them, and a copy of what is built from.
struct Builds {
    directory: tempfile::TempDir,
}

impl Builds {
    /// Without what cannot be had here it says so and is none.
    fn new() -> Option<Builds> {
        if Command::new("buildah").arg("--version").output().is_err() {
            support::skip("buildah", "no buildah");
            return None;
        }
        let may_mount = Command::new("unshare").args(["--mount", "true"]).output();
        if !may_mount.is_ok_and(|output| output.status.success()) {
            support::skip("buildah", "no permission to mount");
            return None;
        }
        let builds = Builds { directory: tempfile::tempdir().unwrap() };
        for part in ["context", "prebuilt", "base"] {
            fs::create_dir(builds.at(part)).unwrap();
        }
        Some(builds)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// buildah without the daemon, the user namespaces and the overlays that a container in a container has not.
    fn buildah(&self, arguments: &[&str]) -> Output {
        Command::new("buildah")
            .args(["--storage-driver", "vfs", "--root"])
            .arg(self.at("images"))
            .arg("--runroot")
            .arg(self.at("run"))
            .args(arguments)
            .env("BUILDAH_ISOLATION", "chroot")
            .current_dir(self.at("context"))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.buildah(arguments);
        assert!(output.status.success(), "buildah {arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// An image of these files, under the name of one that would be pulled.
    fn base(&self, name: &str, root: &Path, variables: &[&str]) {
        let container = self.run(&["from", "scratch"]);
        self.run(&["add", "--quiet", &container, &root.display().to_string(), "/"]);
        for variable in variables {
            self.run(&["config", "--env", variable, &container]);
        }
        self.run(&["commit", "--quiet", "--rm", &container, name]);
    }

    /// A stage as an image of that name.
    fn build(&self, stage: &str, arguments: &[&str]) -> Output {
        let platform = format!("linux/{}", images::this_architecture());
        let name = format!("nodesieve/{stage}");
        let always = [
            "build",
            "--pull=never",
            "--platform",
            &platform,
            "-f",
            "conf/Dockerfile",
            "--target",
            stage,
            "-t",
            &name,
        ];
        self.buildah(&[&always[..], arguments, &["."]].concat())
    }

    #[track_caller]
    fn must_build(&self, stage: &str, arguments: &[&str]) -> BuiltImage {
        let started = Instant::now();
        let output = self.build(stage, arguments);
        assert!(output.status.success(), "{stage}: {}", said(&output));
        let name = format!("nodesieve/{stage}");
        let container = self.run(&["from", "--pull=never", &name]);
        let root = PathBuf::from(self.run(&["mount", &container]));
        let config: Value = serde_json::from_str(&self.run(&["inspect", "--type", "image", &name])).unwrap();
        let image = BuiltImage { root, config: config["OCIv1"]["config"].clone() };
        eprintln!("image {stage}: {} bytes, built in {:?}", image.bytes(), started.elapsed());
        image
    }

    /// What the Dockerfile's own stages read of the repository.
    fn copy_context(&self, parts: &[&str]) {
        for part in parts {
            let from = artefact::workspace().join(part);
            let copied = Command::new("cp").arg("-R").arg(from).arg(self.at("context")).status();
            assert!(copied.unwrap().success(), "{part}");
        }
    }
}

impl Drop for Builds {
    fn drop(&mut self) {
        // Their containers are mounted for as long as they are there.
        let _ = self.buildah(&["rm", "--all"]);
    }
}

struct BuiltImage {
    root: PathBuf,
    config: Value,
}

impl BuiltImage {
    fn strings(&self, key: &str) -> Vec<String> {
        serde_json::from_value(self.config[key].clone()).unwrap_or_default()
    }

    /// What a node's runtime starts.
    fn entry(&self) -> Vec<String> {
        self.strings("Entrypoint")
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut directories = vec![self.root.clone()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true => directories.push(entry.path()),
                    false => found.push(entry.path().strip_prefix(&self.root).unwrap().to_owned()),
                }
            }
        }
        found
    }

    fn bytes(&self) -> u64 {
        let size = |path: &PathBuf| fs::symlink_metadata(self.root.join(path)).unwrap().len();
        self.files().iter().map(size).sum()
    }

    /// A program that starts the image's entry in its root, with `shared` at the same place on both sides, as the user that the
    /// image names, and without a variable but these. It becomes that process, so signals and exit codes are its own.
    fn start(&self, script: &Path, variables: &str, shared: &str) {
        let user = self.config["User"].as_str().filter(|user| !user.is_empty()).unwrap_or("0:0");
        let script_text = format!(
            "#!/bin/sh\nset -e\nroot={}\nshared={shared}\nmkdir -p \"$root$shared\" \"$root/dev\" \"$root/proc\"\n\
             exec unshare --mount sh -ec 'root=$1 shared=$2; shift 2\n\
             mount --rbind \"$shared\" \"$root$shared\"; mount --rbind /dev \"$root/dev\"; mount -t proc proc \"$root/proc\"\n\
             exec env -i {variables} \"$(command -v chroot)\" --userspec={user} \"$root\" {} \"$@\"' sh \"$root\" \"$shared\" \"$@\"\n",
            self.root.display(),
            self.entry().join(" ")
        );
        // Under another name first: a file that any process has open for writing cannot be run.
        let written = script.with_extension("new");
        fs::write(&written, script_text).unwrap();
        fs::set_permissions(&written, Permissions::from_mode(0o755)).unwrap();
        fs::rename(written, script).unwrap();
    }
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

/// Puts programs of this machine into a root, each with the libraries that it is linked with, and the one that libc loads by itself when a
/// thread ends.
fn put_programs(root: &Path, programs: &[(&Path, &str)]) {
    for (program, place) in programs {
        let linked = Command::new("ldd").arg(program).output().unwrap();
        let libraries = String::from_utf8(linked.stdout).unwrap();
        let libraries: Vec<PathBuf> =
            libraries.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect();
        let beside_libc = libraries.iter().filter(|library| library.ends_with("libc.so.6"));
        let unwinder: Vec<PathBuf> = beside_libc
            .map(|libc| libc.with_file_name("libgcc_s.so.1"))
            .filter(|unwinder| unwinder.is_file())
            .collect();
        let libraries = libraries.into_iter().chain(unwinder);
        let files = libraries.map(|library| (library.clone(), library));
        for (from, to) in files.chain([(program.to_path_buf(), PathBuf::from(place))]) {
            let to = root.join(to.strip_prefix("/").unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(&from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        }
    }
}

/// Fluent Bit's own image: its program, and no shell.
fn put_fluent_bit(builds: &Builds, program: &Path) {
    let root = builds.at("base/fluent-bit");
    put_programs(&root, &[(program, "/fluent-bit/bin/fluent-bit")]);
    let name = format!("docker.io/fluent/fluent-bit:{}", images::argument("FLUENT_BIT"));
    builds.base(&name, &root, &[]);
}

fn found(program: &str) -> Option<PathBuf> {
    let found = Command::new("sh").args(["-c", "command -v \"$1\"", "sh", program]).output().unwrap();
    let path = String::from_utf8(found.stdout).unwrap();
    found.status.success().then(|| Path::new(path.trim()).canonicalize().unwrap())
}

/// A Debian of just what the stages run: a shell, its tools, and what the compiler needs.
fn put_debian(builds: &Builds, wamrc: &Path) {
    let root = builds.at("base/debian");
    let tools = ["sh", "ls", "mv", "rm", "chmod", "sha256sum", "tar", "gzip", "cat"];
    let tools: Vec<(PathBuf, String)> =
        tools.map(|tool| (found(tool).unwrap(), format!("/bin/{tool}"))).into();
    let mut programs: Vec<(&Path, &str)> =
        tools.iter().map(|(from, to)| (from.as_path(), to.as_str())).collect();
    programs.push((wamrc, "/unused/wamrc"));
    put_programs(&root, &programs);
    // Only its libraries: the program is the build's own business.
    fs::remove_dir_all(root.join("unused")).unwrap();
    let name = format!("docker.io/library/debian:{}", images::argument("DEBIAN"));
    builds.base(&name, &root, &["PATH=/bin:/usr/local/bin"]);
}

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

/// The sidecar's image: one file, which runs as a user of no name, needs no shell, writes its files and stops when told.
fn the_sidecar_starts(builds: &Builds, image: &BuiltImage) {
    assert_eq!(image.files(), [Path::new("nodesieve-sidecar")]);
    assert_eq!(image.config["User"], "65532:65532");
    assert_eq!(image.strings("Cmd"), Vec::<String>::new());
    let node = builds.at("sidecar-node");
    fs::create_dir(&node).unwrap();
    chown(&node, Some(SIDECAR_USER), Some(SIDECAR_USER)).unwrap();
    fs::set_permissions(builds.directory.path(), Permissions::from_mode(0o755)).unwrap();
    let list = node.join("pods.json");
    fs::copy(support::conf().join("samples/podlist.json"), &list).unwrap();
    fs::set_permissions(&list, Permissions::from_mode(0o644)).unwrap();
    let program = builds.at("start-sidecar");
    image.start(&program, "", &node.display().to_string());
    let directory = |name: &str| node.join(name).display().to_string();
    let arguments = [
        "--source=file".to_owned(),
        format!("--pods-file={}", list.display()),
        format!("--pods-dir={}", directory("pods")),
        format!("--filter-metrics={}", directory("metrics.prom")),
        "--logs-dir=off".to_owned(),
        "--pod-logs-dir=off".to_owned(),
        "--listen=127.0.0.1:0".to_owned(),
    ];
    let once = Command::new(&program).args(&arguments).arg("--once").output().unwrap();
    assert!(once.status.success(), "{}", said(&once));
    let pods = fs::read_dir(node.join("pods")).unwrap().count();
    assert!(pods > 1, "{pods}");

    let mut child = Command::new(&program).args(&arguments).stderr(Stdio::null()).spawn().unwrap();
    let process = Pid::from_child(&child);
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let until = Instant::now() + Duration::from_secs(30);
    // First it is the script, then the program, as its user.
    let uid = format!("\nUid:\t{SIDECAR_USER}\t{SIDECAR_USER}\t{SIDECAR_USER}\t{SIDECAR_USER}\n");
    let runs =
        || fs::read_to_string(&status).is_ok_and(|s| s.contains(&uid) && s.starts_with("Name:\tnodesieve-"));
    while !runs() {
        assert!(Instant::now() < until && child.try_wait().unwrap().is_none(), "not as {SIDECAR_USER}");
        std::thread::sleep(Duration::from_millis(10));
    }
    kill_process(process, Signal::TERM).unwrap();
    let ended = child.wait().unwrap();
    assert!(ended.success() || ended.code().is_none(), "{ended}");
}

/// Fluent Bit's image: the launcher chooses, the pipeline delivers every line, SIGTERM ends it well.
fn fluent_bit_delivers(builds: &Builds, image: &BuiltImage, choice: &str) {
    assert_eq!(image.entry(), ["/nodesieve-launcher"]);
    assert_eq!(image.strings("Cmd"), ["--config=/fluent-bit/etc/nodesieve/fluent-bit.yaml"]);
    let has_no = |name: &str| !image.root.join("bin").join(name).exists();
    assert!(has_no("sh") && has_no("bash") && has_no("busybox"), "a shell");
    let config = image.root.join("fluent-bit/etc/nodesieve/fluent-bit.yaml");
    assert_eq!(fs::read(config).unwrap(), fs::read(support::conf().join("fluent-bit.yaml")).unwrap());
    let program = builds.at("start-fluent-bit");
    let variables =
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "DELIVERY_STREAM", "NODE_NAME"]
            .map(|name| format!("{name}=\"${name}\""))
            .join(" ");
    // The node is a directory of the test's, the one with the configuration that follows `-c`.
    image.start(&program, &variables, "$(dirname \"$2\")");
    let (logs, lines) = fluent_bit::logs_of_whole_lines();
    let rules = "version: 1\nmetrics: { every: 1s }\nrules: []\n";
    let mut running = fluent_bit::start(
        &program,
        &support::module(),
        &support::conf().join("fluent-bit.yaml"),
        rules,
        logs.path(),
        None,
    );
    running.wait_for(lines, Duration::from_secs(60)).unwrap();
    let outcome = running.stop().unwrap();
    assert!(outcome.log.contains(&format!("nodesieve-launcher: load {choice}")), "{}", outcome.log);
    let delivered = outcome.records.len() as u64;
    assert_eq!((delivered, outcome.metrics.seen()), (lines, lines));
}

/// Scenario: the images of programs that are built; a compiler with a wrong checksum, and none; the same image without machine code.
#[test]
fn the_images_build_and_what_is_in_them_starts() {
    let Some(builds) = Builds::new() else { return };
    builds.copy_context(&["conf", ".dockerignore"]);
    let (sidecar, launcher) = (artefact::sidecar().unwrap(), artefact::launcher().unwrap());
    if !artefact::is_static(&sidecar) {
        return support::skip("musl", "no target with musl");
    }
    for (from, name) in [
        (support::module(), "nodesieve.wasm"),
        (sidecar, "nodesieve-sidecar"),
        (launcher, "nodesieve-launcher"),
    ] {
        fs::copy(from, builds.at("prebuilt").join(name)).unwrap();
    }
    let prebuilt = format!("builder={}", builds.at("prebuilt").display());
    let prebuilt = ["--build-context", &prebuilt];
    the_sidecar_starts(&builds, &builds.must_build("sidecar", &prebuilt));

    let Some(program) = fluent_bit::program() else { return };
    put_fluent_bit(&builds, &program);
    fluent_bit_delivers(&builds, &builds.must_build("fluent-bit-portable", &prebuilt), "portable module");
    let Some(wamrc) = found("wamrc") else { return support::skip("wamrc", "no wamrc") };
    put_debian(&builds, &wamrc);
    let image = with_machine_code(&builds, &wamrc, &prebuilt);
    fluent_bit_delivers(&builds, &image, "machine code");
}

/// The image with machine code, by a compiler from the context, as it is and in an archive, once it is vouched for.
fn with_machine_code(builds: &Builds, wamrc: &Path, more: &[&str]) -> BuiltImage {
    let local = builds.at("context/compiler");
    fs::create_dir(&local).unwrap();
    fs::copy(wamrc, local.join("wamrc")).unwrap();
    let checksum = format!("WAMRC_SHA256={}", sha256(wamrc));
    let from = ["--build-arg", "WAMRC=compiler/wamrc"];
    for (vouched, why) in
        [(&[][..], "no checksum for wamrc"), (&["--build-arg", &format!("WAMRC_SHA256={:064}", 0)], "FAILED")]
    {
        let output = builds.build("wamrc", &[&from[..], vouched].concat());
        assert!(!output.status.success() && said(&output).contains(why), "{}", said(&output));
    }
    builds.must_build("fluent-bit", &[&from[..], &["--build-arg", &checksum], more].concat())
}

/// Guarantees: every stage runs, the compilation included, and what it makes starts like what the tests have built.
#[test]
fn every_stage_of_the_images_runs() {
    if std::env::var_os("NODESIEVE_IMAGES").is_none_or(|value| value != "all") {
        return support::skip("images", "NODESIEVE_IMAGES is not `all`");
    }
    let Some(builds) = Builds::new() else { return };
    let Some(program) = fluent_bit::program() else { return };
    let Some(wamrc) = found("wamrc") else { return support::skip("wamrc", "no wamrc") };
    let files = [
        "conf",
        ".dockerignore",
        "Cargo.toml",
        "Cargo.lock",
        ".cargo",
        "plugin",
        "sidecar",
        "launcher",
        "host-test",
    ];
    builds.copy_context(&files);
    put_rust(&builds);
    put_fluent_bit(&builds, &program);
    put_debian(&builds, &wamrc);
    the_sidecar_starts(&builds, &builds.must_build("sidecar", &[]));
    let image = with_machine_code(&builds, &wamrc, &[]);
    let module = fs::read(image.root.join("opt/nodesieve/nodesieve.wasm")).unwrap();
    assert!(module == fs::read(support::module()).unwrap(), "the stage's module is another than the tests'");
    fluent_bit_delivers(&builds, &image, "machine code");
}

/// Rust's own image: a Debian with the active toolchain where that image has it. Its Cargo keeps crates where this machine's does: their
/// places are in the module's bytes, which are to be compared.
fn put_rust(builds: &Builds) {
    let root = builds.at("base/rust");
    let made = Command::new("debootstrap")
        .args(["--variant=minbase", "--include=ca-certificates", "stable"])
        .arg(&root)
        .output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", said(&made));
    let sh = |script: &str, arguments: &[&Path]| {
        let output = Command::new("sh").args(["-ec", script, "sh"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    };
    // This machine's authorities and names, by which it reaches registries.
    sh(
        "for file in ssl/certs/ca-certificates.crt resolv.conf; do cp -L /etc/$file \"$1/etc/$file\"; done",
        &[&root],
    );
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let sysroot = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let name = sysroot.file_name().unwrap();
    let toolchains = root.join("usr/local/rustup/toolchains");
    fs::create_dir_all(&toolchains).unwrap();
    fs::create_dir_all(root.join("usr/local/cargo")).unwrap();
    let rustup = found("rustup").unwrap();
    sh(
        "cp -R \"$1\" \"$2/\"; cp -R \"$(dirname \"$3\")\" \"$4/usr/local/cargo/\"",
        &[&sysroot, &toolchains, &rustup, &root],
    );
    let settings =
        format!("version = \"12\"\nprofile = \"minimal\"\ndefault_toolchain = \"{}\"\n", name.display());
    fs::write(root.join("usr/local/rustup/settings.toml"), settings).unwrap();
    let name = format!("docker.io/library/rust:{}", images::argument("RUST"));
    let path = "PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let home =
        std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").unwrap()));
    builds.base(&name, &root, &[path, "RUSTUP_HOME=/usr/local/rustup", &format!("CARGO_HOME={home}")]);
}
