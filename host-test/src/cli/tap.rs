//! `nodesieve tap`: verdicts of a node as they are made.

use crate::cli::arguments::{OutputFormat, TapArguments};
use crate::cli::commands::print;
use anyhow::Context as _;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

/// Exit code 1: the filter has refused, or does not answer.
pub(super) fn tap(arguments: &TapArguments) -> anyhow::Result<ExitCode> {
    let forwarded =
        arguments.node.as_deref().map(|node| Forwarded::to(node, &arguments.kube_namespace)).transpose()?;
    let base = forwarded.as_ref().map_or(arguments.url.as_str(), |forwarded| &forwarded.url);
    let url = format!("{}/tap", base.trim_end_matches('/'));
    let mut request = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .new_agent()
        .get(&url)
        .query("seconds", arguments.seconds.to_string());
    let texts = [
        ("rule", arguments.rule.clone()),
        ("namespace", arguments.namespace.clone()),
        ("verdict", arguments.verdict.clone()),
        ("match", arguments.pattern.clone()),
        ("sample", arguments.sample.map(|share| share.to_string())),
        ("rate", arguments.rate.map(|rate| rate.to_string())),
        ("raw", arguments.raw.then(|| "true".to_owned())),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            request = request.query(name, value);
        }
    }
    let mut response = request.call().with_context(|| format!("ask {url}"))?;
    if response.status() != 200 {
        let said = response.body_mut().read_to_string().unwrap_or_default();
        anyhow::bail!("ask {url}: {}: {}", response.status(), said.trim());
    }
    let mut code = ExitCode::SUCCESS;
    for line in BufReader::new(response.body_mut().as_reader()).lines() {
        let line = line.with_context(|| format!("read {url}"))?;
        let read: Value = serde_json::from_str(&line).with_context(|| format!("read {url}: {line}"))?;
        let text = |key: &str| read[key].as_str().unwrap_or_default();
        if matches!(text("tap"), "refused" | "silent" | "failed") {
            code = ExitCode::from(1);
        }
        match (arguments.format, read.get("tap")) {
            (OutputFormat::Json, _) => print(&format!("{line}\n"))?,
            (OutputFormat::Text, Some(_)) => {
                anstream::eprintln!("\x1b[2m{}\x1b[0m", plain(&told(&read)));
            }
            (OutputFormat::Text, None) => print(&format!("{}\n", plain(&shown(&read))))?,
        }
    }
    Ok(code)
}

/// Without what moves a terminal's cursor: lines and names are from outside.
fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// What is said about the tap itself.
fn told(line: &Value) -> String {
    let what = line["tap"].as_str().unwrap_or_default();
    match (line["lines"].as_u64(), line["reason"].as_str()) {
        (Some(lines), _) => format!("tap: {lines} lines {what}"),
        (None, Some(reason)) => format!("tap: {what}: {reason}"),
        (None, None) => format!("tap: {what}"),
    }
}

/// One verdict: time, container, what became of it and why, the line.
fn shown(line: &Value) -> String {
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    let reason = if text("reason").is_empty() { String::new() } else { format!(" ({})", text("reason")) };
    format!(
        "{} {}/{}/{} {} by {} {}{reason}: {}",
        text("time"),
        text("namespace"),
        text("pod"),
        text("container"),
        text("verdict"),
        text("stage"),
        text("rule"),
        text("line")
    )
}

/// A way to a node's tap, for as long as this is there.
struct Forwarded {
    url: String,
    kubectl: Child,
}

impl Forwarded {
    fn to(node: &str, namespace: &str) -> anyhow::Result<Forwarded> {
        let field = format!("--field-selector=spec.nodeName={node}");
        let found = Command::new("kubectl")
            .args([
                "-n",
                namespace,
                "get",
                "pods",
                "-l",
                "app.kubernetes.io/name=nodesieve",
                &field,
                "-o",
                "name",
            ])
            .stderr(Stdio::inherit())
            .output()
            .context("run kubectl")?;
        let names = String::from_utf8_lossy(&found.stdout).into_owned();
        let pod = names
            .lines()
            .next()
            .with_context(|| format!("find nodesieve's pod on {node}: there is none in {namespace}"))?;
        let mut kubectl = Command::new("kubectl")
            .args(["-n", namespace, "port-forward", "--address=127.0.0.1", pod, ":2022"])
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .context("run kubectl")?;
        let mut said = String::new();
        if let Some(stdout) = kubectl.stdout.take() {
            BufReader::new(stdout).read_line(&mut said).context("read what kubectl says")?;
        }
        // `Forwarding from 127.0.0.1:41234 -> 2022`
        let address = said.split_whitespace().find(|word| word.starts_with("127.0.0.1:"));
        let Some(address) = address else {
            let _ = kubectl.kill();
            let _ = kubectl.wait();
            anyhow::bail!("forward to {pod}: kubectl says {:?}", said.trim());
        };
        let url = format!("http://{address}");
        std::thread::sleep(Duration::from_millis(100));
        Ok(Forwarded { url, kubectl })
    }
}

impl Drop for Forwarded {
    fn drop(&mut self) {
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
    }
}
