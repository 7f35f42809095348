//! The playground: a page with the engine in it, served on 127.0.0.1 or written to a directory for any web server.
//!
//! The rule it keeps: the page is its own files and nothing else. The engine is compiled from this workspace, its JavaScript
//! glue comes from wasm-bindgen's library at the crate's own version, and everything else is in this program.

mod serve;

pub use serve::{PageServer, ServeError};

use crate::artefact::{self, ArtefactError};
use flate2::Compression;
use flate2::write::GzEncoder;
use nodesieve_preview::inputs::log_file;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use thiserror::Error;
use wasm_bindgen_cli_support::Bindgen;

/// Why there is no page.
#[derive(Debug, Error)]
pub enum PageError {
    /// The engine could not be built.
    #[error(transparent)]
    Build(#[from] ArtefactError),
    /// No glue for it.
    #[error("make JavaScript glue for {path}: {reason}")]
    Glue {
        /// The compiled engine.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Something could not be read or written.
    #[error("{action} {path}: {reason}")]
    File {
        /// `read`, `compress` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
}

/// A file of the page.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its path below the page's address.
    pub name: String,
    /// What a web server must call it.
    pub media_type: &'static str,
    /// Its content.
    pub content: Vec<u8>,
}

/// How many lines of the sample logs come with the page: enough to show every part of it, few enough to keep it small.
const SAMPLE_LINES: usize = 2500;

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => { [$(($name, include_bytes!(concat!("../playground/", $name)).as_slice())),+] };
}

/// What is in this program.
const EMBEDDED: [(&str, &[u8]); 18] = embedded![
    "index.html",
    "page.css",
    "panel.css",
    "app.js",
    "bytes.js",
    "client.js",
    "draft.js",
    "editor.js",
    "explanation.js",
    "format.js",
    "inputs.js",
    "layout.js",
    "lines.js",
    "prices.js",
    "share.js",
    "theme.js",
    "worker.js",
    "vendor/codemirror.js",
];

/// Every file of the page.
///
/// # Errors
/// [`PageError`].
pub fn page() -> Result<Vec<Asset>, PageError> {
    let mut assets: Vec<Asset> =
        EMBEDDED.into_iter().map(|(name, content)| asset(name, content.to_vec())).collect();
    assets.extend(engine()?);
    let conf = artefact::workspace().join("conf");
    assets.push(asset("rules.yaml", read(&conf.join(crate::shipped::EXAMPLE_RULES))?));
    let samples = conf.join("samples");
    assets.push(asset("sample.gz", compressed(&sample(&samples.join("containers"))?, &samples)?));
    let pods = samples.join("podlist.json");
    assets.push(asset("pods.gz", compressed(&read(&pods)?, &pods)?));
    Ok(assets)
}

/// Writes the page into a directory.
///
/// # Errors
/// [`PageError::File`].
pub fn write(assets: &[Asset], directory: &Path) -> Result<(), PageError> {
    for asset in assets {
        let path = directory.join(&asset.name);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, &asset.content));
        written.map_err(|reason| PageError::File { action: "write", path, reason })?;
    }
    Ok(())
}

/// The engine and its glue.
fn engine() -> Result<Vec<Asset>, PageError> {
    let path = artefact::face("browser")?;
    let glue = |reason: anyhow::Error| PageError::Glue { path: path.clone(), reason: format!("{reason:#}") };
    let mut output = Bindgen::new()
        .input_path(&path)
        .web(true)
        .and_then(|bindgen| {
            bindgen
                .out_name("engine")
                .typescript(false)
                .remove_name_section(true)
                .remove_producers_section(true)
                .generate_output()
        })
        .map_err(glue)?;
    let js = output.js().as_bytes().to_vec();
    let wasm = output.wasm_mut().emit_wasm();
    Ok(vec![asset("engine.js", js), asset("engine_bg.wasm", wasm)])
}

/// A part from the middle of the sample logs, of all files, as `tail -n +1` prints them.
fn sample(containers: &Path) -> Result<Vec<u8>, PageError> {
    let error = |reason| PageError::File { action: "read", path: containers.to_owned(), reason };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(containers).map_err(error)? {
        files.push(entry.map_err(error)?.path());
    }
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        texts.push((name, read(&file)?));
    }
    let mut times: Vec<_> =
        texts.iter().flat_map(|(_, text)| log_file(text, "")).map(|record| record.time).collect();
    times.sort_unstable();
    let start = times.len().saturating_sub(SAMPLE_LINES) / 2;
    let at = |index: usize| times.get(index).or(times.last()).copied().unwrap_or_default();
    let window = at(start)..at(start.saturating_add(SAMPLE_LINES));
    let mut all = Vec::new();
    for (name, text) in texts {
        let mut part = Vec::new();
        let mut is_inside = false;
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            // A line without a time belongs to what is before it.
            let time = log_file(line, "").first().map(|record| record.time).filter(|time| *time != (0, 0));
            is_inside = time.map_or(is_inside, |time| window.contains(&time));
            if is_inside {
                part.extend_from_slice(line);
            }
        }
        if !part.is_empty() {
            all.extend_from_slice(format!("==> /var/log/containers/{name} <==\n").as_bytes());
            all.extend_from_slice(&part);
        }
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<u8>, PageError> {
    std::fs::read(path).map_err(|reason| PageError::File { action: "read", path: path.to_owned(), reason })
}

fn compressed(content: &[u8], path: &Path) -> Result<Vec<u8>, PageError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let done = encoder.write_all(content).and_then(|()| encoder.finish());
    done.map_err(|reason| PageError::File { action: "compress", path: path.to_owned(), reason })
}

fn asset(name: &str, content: Vec<u8>) -> Asset {
    let media_type = match Path::new(name).extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("gz") => "application/gzip",
        _ => "text/plain; charset=utf-8",
    };
    Asset { name: name.to_owned(), media_type, content }
}
