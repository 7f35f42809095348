//! The commands around faces other than Fluent Bit's. They are behind features, so that the main job is built quickly.

use crate::cli::arguments::{ComponentArguments, PlaygroundArguments};
use std::process::ExitCode;

#[cfg(feature = "playground")]
pub(super) fn playground(arguments: &PlaygroundArguments) -> anyhow::Result<ExitCode> {
    use crate::playground::{PageServer, page, write};
    use anyhow::Context as _;
    let assets = page()?;
    if let Some(directory) = &arguments.out {
        write(&assets, directory)?;
        let bytes: usize = assets.iter().map(|asset| asset.content.len()).sum();
        anstream::eprintln!("{} files, {bytes} bytes, in {}", assets.len(), directory.display());
        return Ok(ExitCode::SUCCESS);
    }
    let server = PageServer::start(assets, arguments.port)
        .context("serve the playground; `--port 0` takes any that is free")?;
    super::commands::print(&format!("{}\n", server.url()))?;
    anstream::eprintln!("the playground; what is pasted there stays in the browser");
    loop {
        std::thread::park();
    }
}

#[cfg(not(feature = "playground"))]
pub(super) fn playground(_: &PlaygroundArguments) -> anyhow::Result<ExitCode> {
    without("playground")
}

#[cfg(feature = "component")]
pub(super) fn component(arguments: &ComponentArguments) -> anyhow::Result<ExitCode> {
    use anyhow::Context as _;
    let binary = crate::component::component()?;
    std::fs::write(&arguments.out, &binary).with_context(|| format!("write {}", arguments.out.display()))?;
    anstream::eprintln!("{} bytes in {}", binary.len(), arguments.out.display());
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(feature = "component"))]
pub(super) fn component(_: &ComponentArguments) -> anyhow::Result<ExitCode> {
    without("component")
}

#[cfg(not(all(feature = "component", feature = "playground")))]
fn without(feature: &str) -> anyhow::Result<ExitCode> {
    anyhow::bail!(
        "run {feature}: this program was built without it; use `cargo run --release --features {feature} -- {feature}`"
    )
}
