//! `init`, `completions`, `man`: what somebody needs who has the program and nothing else.

use crate::cli::arguments::{Arguments, InitArguments};
use crate::cli::commands::{node_logs, print};
use crate::inputs;
use crate::suggest;
use anyhow::Context as _;
use clap::CommandFactory as _;
use nodesieve_engine::config::model::InputSettings;
use nodesieve_preview::pods::PodTable;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn init(arguments: &InitArguments) -> anyhow::Result<ExitCode> {
    let list = arguments.pods.as_deref().map(inputs::pod_list).transpose()?;
    let pods = list.as_deref().map_or(Ok(PodTable::default()), PodTable::of).map_err(anyhow::Error::msg)?;
    let records = match arguments.logs.as_slice() {
        [] => Vec::new(),
        paths => node_logs(paths, &InputSettings::default().tag_prefix, list.as_deref())?,
    };
    let text = suggest::rule_file(&records, &pods);
    if arguments.out.as_os_str() == "-" {
        print(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).create_new(!arguments.force);
    let shown = arguments.out.display();
    let mut file = options.open(&arguments.out).map_err(|reason| match reason.kind() {
        std::io::ErrorKind::AlreadyExists => {
            anyhow::anyhow!("create {shown}: it is there already; --force takes its place")
        }
        _ => anyhow::Error::new(reason).context(format!("create {shown}")),
    })?;
    file.write_all(text.as_bytes()).with_context(|| format!("write {shown}"))?;
    if !records.is_empty() {
        anstream::eprintln!(
            "its tests hold a line of your logs for each rule: take out what must not stand in a rule file"
        );
    }
    anstream::eprintln!(
        "wrote {shown}; next: nodesieve check {shown}, nodesieve replay --rules {shown} --logs ..."
    );
    Ok(ExitCode::SUCCESS)
}

pub(super) fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "nodesieve", &mut out);
    print(&String::from_utf8_lossy(&out))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(out: Option<&Path>) -> anyhow::Result<ExitCode> {
    if let Some(directory) = out {
        let write = || {
            std::fs::create_dir_all(directory)?;
            clap_mangen::generate_to(Arguments::command(), directory)
        };
        write().with_context(|| format!("write manual pages to {}", directory.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut out).context("write the manual page")?;
    print(&String::from_utf8_lossy(&out))?;
    Ok(ExitCode::SUCCESS)
}
