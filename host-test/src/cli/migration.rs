//! `migrate`: what it says and where the files go.

use crate::cli::arguments::MigrateArguments;
use crate::migrate::{Fate, migrate as migrated};
use anyhow::Context as _;
use std::fs;
use std::process::ExitCode;

pub(super) fn migrate(arguments: &MigrateArguments) -> anyhow::Result<ExitCode> {
    let migration = migrated(&arguments.file)?;
    let out = &arguments.out;
    fs::create_dir_all(out).with_context(|| format!("make {}", out.display()))?;
    let mut text = String::new();
    for (name, content) in &migration.files {
        let path = out.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
        text.push_str(&format!("{}\n", path.display()));
    }
    super::commands::print(&text)?;
    let to_read =
        migration.report.iter().filter(|line| matches!(line.fate, Fate::Differs | Fate::Impossible));
    for line in to_read {
        anstream::eprintln!("{} {}: {}: {}", line.place, line.what, line.fate, line.how);
    }
    Ok(ExitCode::SUCCESS)
}
