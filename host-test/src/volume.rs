//! A small volume of its own, so that it can be full.
//!
//! It exists because a full or read-only disk cannot be imitated by a directory. The rule it keeps: what is mounted is
//! unmounted when its [`TmpfsVolume`] is dropped. Mounting takes a permission that not every machine gives.

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

/// A mounted tmpfs.
#[derive(Debug)]
pub struct TmpfsVolume(PathBuf);

impl TmpfsVolume {
    /// Mounts one with room for so many bytes at a directory.
    ///
    /// # Errors
    /// What the system says, most often that it is not permitted.
    pub fn mount(path: &Path, bytes: u64) -> io::Result<TmpfsVolume> {
        let options = format!("size={bytes},mode=755");
        let data = CString::new(options.as_str())?;
        mount("none", path, "tmpfs", MountFlags::empty(), data.as_c_str())
            .map_err(|reason| failed("mount a tmpfs", &options, reason))?;
        Ok(TmpfsVolume(path.to_owned()))
    }

    /// Changes its options, such as `ro`, `rw` or `size=1m`.
    ///
    /// # Errors
    /// What the system says.
    pub fn remount(&self, options: &str) -> io::Result<()> {
        // Read-only is a flag of the mount; everything else belongs to the file system.
        let flags = match options.split(',').any(|option| option == "ro") {
            true => MountFlags::RDONLY,
            false => MountFlags::empty(),
        };
        let data: Vec<&str> = options.split(',').filter(|option| !["ro", "rw"].contains(option)).collect();
        mount_remount(&self.0, flags, data.join(","))
            .map_err(|reason| failed("remount a tmpfs", options, reason))
    }
}

impl Drop for TmpfsVolume {
    fn drop(&mut self) {
        // Lazily: a program that has just been killed may hold a file for another moment.
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// A file system that answers nothing: whoever looks into it waits until this is dropped.
#[derive(Debug)]
pub struct DeafVolume {
    path: PathBuf,
    /// The server's side, on which nobody reads. When it is closed, all that wait get an error.
    _server: File,
}

impl DeafVolume {
    /// Mounts one at a directory.
    ///
    /// # Errors
    /// What the system says, most often that it is not permitted.
    pub fn mount(path: &Path) -> io::Result<DeafVolume> {
        let server = File::options().read(true).write(true).open("/dev/fuse")?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", server.as_raw_fd());
        let data = CString::new(options.as_str())?;
        mount("none", path, "fuse", MountFlags::NODEV | MountFlags::NOSUID, data.as_c_str())
            .map_err(|reason| failed("mount a file system that answers nothing", &options, reason))?;
        Ok(DeafVolume { path: path.to_owned(), _server: server })
    }
}

impl Drop for DeafVolume {
    fn drop(&mut self) {
        let _ = unmount(&self.path, UnmountFlags::DETACH | UnmountFlags::FORCE);
    }
}

/// The system's answer with what was asked of it; whoever mounts names the directory.
fn failed(action: &str, options: &str, reason: rustix::io::Errno) -> io::Error {
    io::Error::new(reason.kind(), format!("{action} with {options}: {}", io::Error::from(reason)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_asked_for() {
        let error = TmpfsVolume::mount(Path::new("/nonexistent/nodesieve"), 4096).unwrap_err().to_string();
        assert!(error.starts_with("mount a tmpfs with size=4096,mode=755: "), "{error}");
    }
}
