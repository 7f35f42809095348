//! The calls of WASI preview 1 that std does not offer, or not as cheaply.
//!
//! Source: wasi_snapshot_preview1, as WAMR implements it. The rule kept here: whatever a call answers, what comes of it is a value; a
//! clock that cannot be read is at zero, and a host without randomness gives the seed zero.
#![expect(unsafe_code, reason = "the calls take pointers")]

use nodesieve_engine::time::Now;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::wasi::ffi::OsStringExt as _;
use std::path::PathBuf;

/// The wall clock: std's costs more than twice as much in the interpreter.
pub(crate) fn now() -> Now {
    let mut nanoseconds = 0u64;
    // SAFETY: the pointer is to a live u64.
    let failed = unsafe { raw::clock_time_get(raw::REALTIME, 1_000_000, &mut nanoseconds) };
    Now(if failed == 0 { nanoseconds } else { 0 })
}

/// A random number.
pub(crate) fn seed() -> u64 {
    let mut seed = [0u8; 8];
    // SAFETY: the pointer is to eight live bytes.
    unsafe { raw::random_get(seed.as_mut_ptr(), seed.len()) };
    u64::from_le_bytes(seed)
}

/// Writes at a place of a file; how many bytes were written.
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    let vector = raw::Ciovec { bytes: bytes.as_ptr(), length: bytes.len() };
    let mut written = 0usize;
    let descriptor = file.as_raw_fd() as u32;
    // SAFETY: the vector is one, of as many live bytes as it says; the result goes to a live usize.
    let failed = unsafe { raw::fd_pwrite(descriptor, &vector, 1, offset, &mut written) };
    if failed == 0 { Ok(written) } else { Err(io::Error::from_raw_os_error(i32::from(failed))) }
}

/// The directories in `accessible_paths`, in their order, by the names they were configured with.
pub(crate) fn preopened_directories() -> Vec<PathBuf> {
    let mut directories = Vec::new();
    for descriptor in 3..64 {
        let mut prestat = raw::Prestat { kind: 0, name_length: 0 };
        // SAFETY: the pointer is to a live Prestat.
        if unsafe { raw::fd_prestat_get(descriptor, &mut prestat) } != 0 {
            break;
        }
        let mut name = vec![0u8; prestat.name_length];
        // SAFETY: the pointer is to as many live bytes as the length says.
        if unsafe { raw::fd_prestat_dir_name(descriptor, name.as_mut_ptr(), name.len()) } == 0 {
            directories.push(PathBuf::from(OsString::from_vec(name)));
        }
    }
    directories
}

mod raw {
    /// `clockid_t`: the wall clock.
    pub(super) const REALTIME: u32 = 0;

    /// `prestat_t`; the one kind there is, 0, is a directory.
    #[repr(C)]
    pub(super) struct Prestat {
        pub(super) kind: u8,
        pub(super) name_length: usize,
    }

    /// `ciovec_t`
    #[repr(C)]
    pub(super) struct Ciovec {
        pub(super) bytes: *const u8,
        pub(super) length: usize,
    }

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        pub(super) fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u16;
        pub(super) fn random_get(buffer: *mut u8, length: usize) -> u16;
        pub(super) fn fd_prestat_get(descriptor: u32, prestat: *mut Prestat) -> u16;
        pub(super) fn fd_prestat_dir_name(descriptor: u32, name: *mut u8, length: usize) -> u16;
        pub(super) fn fd_pwrite(
            descriptor: u32,
            vectors: *const Ciovec,
            count: usize,
            offset: u64,
            written: *mut usize,
        ) -> u16;
    }
}
