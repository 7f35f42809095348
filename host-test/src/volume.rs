//! A small volume of its own, so that it can be full.
//!
//! It exists because a full or read-only disk cannot be imitated by a directory. The rule it keeps: what is mounted is
//! unmounted when its [`Volume`] is dropped. Mounting takes a permission that not every machine gives.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted tmpfs.
#[derive(Debug)]
pub struct Volume(PathBuf);

impl Volume {
    /// Mounts one with room for so many bytes at a directory.
    ///
    /// # Errors
    /// What `mount` says, most often that it is not permitted.
    pub fn mount(path: &Path, bytes: u64) -> io::Result<Volume> {
        mount(&["-t", "tmpfs", "-o", &format!("size={bytes},mode=755"), "none"], path)?;
        Ok(Volume(path.to_owned()))
    }

    /// Changes its options, such as `ro` or `size=1m`.
    ///
    /// # Errors
    /// What `mount` says.
    pub fn remount(&self, options: &str) -> io::Result<()> {
        mount(&["-o", &format!("remount,{options}"), "none"], &self.0)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: a program that has just been killed may hold a file for another moment.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

fn mount(arguments: &[&str], path: &Path) -> io::Result<()> {
    let output = Command::new("mount").args(arguments).arg(path).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}
