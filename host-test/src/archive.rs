//! Files as they lie in archives, compressed or not.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A file's content, decompressed where it is gzip or zstd; of `-` what stdin has.
///
/// # Errors
/// What the system says, or that the archive is broken or larger than 4 GiB.
pub fn content(path: &Path) -> io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    if path.as_os_str() == "-" {
        raw = from_stdin()?;
    } else {
        File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut raw)?;
    }
    let mut out = Vec::new();
    match raw.as_slice() {
        [0x1f, 0x8b, ..] => {
            flate2::read::MultiGzDecoder::new(raw.as_slice()).take(MAX_FILE + 1).read_to_end(&mut out)?;
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut rest = raw.as_slice();
            // One frame behind the other, as several runs of zstd append them.
            while !rest.is_empty() {
                let frame = ruzstd::decoding::StreamingDecoder::new(&mut rest).map_err(io::Error::other)?;
                frame.take(MAX_FILE + 1).read_to_end(&mut out)?;
                if out.len() as u64 > MAX_FILE {
                    break;
                }
            }
        }
        _ => out = raw,
    }
    match out.len() as u64 > MAX_FILE {
        true => Err(io::Error::other(format!("more than {} GiB", MAX_FILE >> 30))),
        false => Ok(out),
    }
}

/// What stdin has, the same for all that ask: `diff` reads its input once for each of two rule files.
fn from_stdin() -> io::Result<Vec<u8>> {
    static READ: Mutex<Option<Vec<u8>>> = Mutex::new(None);
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if read.is_none() {
        let mut raw = Vec::new();
        io::stdin().lock().read_to_end(&mut raw)?;
        *read = Some(raw);
    }
    Ok(read.clone().unwrap_or_default())
}

/// Largest file, decompressed, in bytes: all of it is in memory.
const MAX_FILE: u64 = 4 << 30;
