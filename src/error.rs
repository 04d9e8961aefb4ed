//! The errors of the whole broker.

use kafka_protocol::error::ResponseError;
use std::{fmt, io, path::Path, path::PathBuf};

/// The result of an operation that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One flat enum. A variant exists if a caller branches on it or a response needs its fields.
#[derive(Debug)]
pub enum Error {
    /// Only an error code of Kafka.
    Code(ResponseError),
    /// An error code of Kafka and a message for the client.
    Explained(ResponseError, String),
    /// The disk of a log directory failed; the directory goes offline.
    Disk {
        /// The file or directory of the failed call.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The peer went away. Nothing is wrong with the broker.
    Disconnected(io::Error),
    /// A batch, a frame or a file has invalid bytes.
    Corrupt {
        /// What is wrong with them.
        what: String,
    },
    /// The batch has been appended before (DUPLICATE_SEQUENCE_NUMBER). The response says where.
    Duplicate {
        /// The offset of the first record of the earlier append.
        base_offset: i64,
        /// The log append time of the earlier append; -1 under CreateTime.
        append_time: i64,
    },
    /// A batch has more bytes, decompressed, than it may have there.
    TooExpanded {
        /// How many it may have.
        bytes_max: usize,
    },
    /// A setting, a command line or a directory that the operator must correct.
    Config(String),
    /// The broker is stopping.
    Closed,
}

impl Error {
    /// A disk error about `path`. If too many files are open, the disk is not at fault: the error
    /// is then an `Explained` KAFKA_STORAGE_ERROR, which may be retried.
    pub fn disk(path: &Path, source: io::Error) -> Error {
        match source.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => Error::Explained(
                ResponseError::KafkaStorageError,
                format!("{}: {source}: raise the limit (ulimit -n)", path.display()),
            ),
            _ => Error::Disk { path: path.to_owned(), source },
        }
    }

    /// Whether the disk was full. Nothing is broken, and the operation may succeed later.
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Error::Disk { source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded))
    }

    /// An error about invalid bytes.
    pub fn corrupt(what: impl Into<String>) -> Error {
        Error::Corrupt { what: what.into() }
    }

    /// A file has a version that only a newer broker can read.
    pub fn unknown_version(path: &Path, found: impl fmt::Display, known: &str) -> Error {
        Error::newer(path, format!("version {found} is not known here (only {known} is)"))
    }

    /// A file has something in it that only a newer broker can read; `why` says what.
    pub fn newer(path: &Path, why: impl fmt::Display) -> Error {
        Error::Config(format!(
            "{}: {why}. Nothing was changed: start the broker again that wrote it, or a newer \
             klamm.",
            path.display()
        ))
    }

    /// Kafka's error code. This is the only place where an error is translated to a code.
    pub fn code(&self) -> ResponseError {
        match self {
            Error::Code(code) | Error::Explained(code, _) => *code,
            Error::Disk { .. } => ResponseError::KafkaStorageError,
            Error::Corrupt { .. } => ResponseError::CorruptMessage,
            Error::Duplicate { .. } => ResponseError::DuplicateSequenceNumber,
            Error::TooExpanded { .. } => ResponseError::InvalidRecord,
            Error::Config(_) => ResponseError::InvalidConfig,
            Error::Closed => ResponseError::NotLeaderOrFollower,
            Error::Disconnected(_) => ResponseError::NetworkException,
        }
    }

    /// The message for the client, if there is one.
    pub fn message(&self) -> Option<String> {
        match self {
            Error::Code(_) => None,
            Error::Explained(_, message) | Error::Config(message) => Some(message.clone()),
            other => Some(other.to_string()),
        }
    }
}

impl From<ResponseError> for Error {
    fn from(code: ResponseError) -> Error {
        Error::Code(code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Code(code) => write!(f, "{code}"),
            Error::Explained(code, message) => write!(f, "{code}: {message}"),
            Error::Disk { path, source } => {
                write!(f, "{}: {source}", path.display())?;
                match source.kind() {
                    io::ErrorKind::PermissionDenied => f.write_str(
                        ". Give the user that the broker runs as the right to read and write there \
                         (chown), or name another directory in log.dirs",
                    ),
                    io::ErrorKind::ReadOnlyFilesystem => f.write_str(
                        ". Mount the file system writable, or name another directory in log.dirs",
                    ),
                    _ => Ok(()),
                }
            }
            Error::Corrupt { what } => write!(f, "corrupt {what}"),
            Error::Duplicate { base_offset, .. } => write!(f, "appended before at {base_offset}"),
            Error::TooExpanded { bytes_max } => {
                write!(f, "The batch holds more than {bytes_max} bytes")
            }
            Error::Config(message) => f.write_str(message),
            Error::Disconnected(source) => match source.kind() {
                io::ErrorKind::ConnectionRefused => write!(f, "nobody listens there: {source}"),
                _ => write!(f, "the peer went away: {source}"),
            },
            Error::Closed => f.write_str("the broker is stopping"),
        }
    }
}

impl std::error::Error for Error {}
