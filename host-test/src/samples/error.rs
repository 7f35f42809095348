//! What can go wrong while the samples are written: only the file system can.

use std::{fmt, io, path::PathBuf};

/// A sample file or folder could not be written.
#[derive(Debug)]
pub enum SamplesError {
    /// The folder for the samples could not be made.
    CreateDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A log file or the pod list could not be written.
    WriteFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

impl fmt::Display for SamplesError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateDir { path, reason } => {
                write!(out, "cannot create sample directory {}: {reason}", path.display())
            }
            Self::WriteFile { path, reason } => {
                write!(out, "cannot write sample file {}: {reason}", path.display())
            }
        }
    }
}

impl std::error::Error for SamplesError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::CreateDir { reason, .. } | Self::WriteFile { reason, .. } => Some(reason),
        }
    }
}
