//! What can go wrong, as far as a caller branches on it or a client is told of it.

use kafka_protocol::error::ResponseError;
use std::{fmt, io, path::Path, path::PathBuf};

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One flat enum: a variant exists where a caller branches on it or an answer needs its fields.
#[derive(Debug)]
pub enum Error {
    /// Kafka's error code and nothing more.
    Code(ResponseError),
    /// Kafka's error code and a sentence for the person who asked.
    Explained(ResponseError, String),
    /// The disk under a log directory failed; the directory goes offline.
    Disk {
        /// The file or directory the call was about.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The peer went away; nothing is wrong with the broker.
    Disconnected(io::Error),
    /// Bytes that are not what they should be: a batch, a frame, a file.
    Corrupt {
        /// What was wrong, in words.
        what: String,
    },
    /// The batch was appended before; the answer is where (DUPLICATE_SEQUENCE_NUMBER).
    Duplicate {
        /// Offset of the first record of the earlier append.
        base_offset: i64,
        /// Its log append time, -1 under CreateTime.
        append_time: i64,
    },
    /// A setting, a command line or a directory that a person has to mend.
    Config(String),
    /// The broker is stopping.
    Closed,
}

impl Error {
    /// A disk error about `path`. Too many open files are no fault of the disk: whoever asked may
    /// ask again.
    pub fn disk(path: &Path, source: io::Error) -> Error {
        match source.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => Error::Explained(
                ResponseError::KafkaStorageError,
                format!("{}: {source}: raise the limit (ulimit -n)", path.display()),
            ),
            _ => Error::Disk { path: path.to_owned(), source },
        }
    }

    /// Whether there was no room for it: nothing is broken, and it may succeed later.
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Error::Disk { source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded))
    }

    /// Bytes that are not what they should be.
    pub fn corrupt(what: impl Into<String>) -> Error {
        Error::Corrupt { what: what.into() }
    }

    /// A file that a newer broker wrote.
    pub fn unknown_version(path: &Path, found: impl fmt::Display, known: &str) -> Error {
        Error::newer(path, format!("version {found} is not known here (only {known} is)"))
    }

    /// A file with something in it that a newer broker wrote: why it is not understood.
    pub fn newer(path: &Path, why: impl fmt::Display) -> Error {
        Error::Config(format!(
            "{}: {why}. Nothing was changed: start the broker again that wrote it, or a newer \
             klamm.",
            path.display()
        ))
    }

    /// The one place that turns a failure into Kafka's error code.
    pub fn code(&self) -> ResponseError {
        match self {
            Error::Code(code) | Error::Explained(code, _) => *code,
            Error::Disk { .. } => ResponseError::KafkaStorageError,
            Error::Corrupt { .. } => ResponseError::CorruptMessage,
            Error::Duplicate { .. } => ResponseError::DuplicateSequenceNumber,
            Error::Config(_) => ResponseError::InvalidConfig,
            Error::Closed => ResponseError::NotLeaderOrFollower,
            Error::Disconnected(_) => ResponseError::NetworkException,
        }
    }

    /// The sentence for the person who asked, if there is one.
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
            Error::Disk { path, source } => write!(f, "{}: {source}", path.display()),
            Error::Corrupt { what } => write!(f, "corrupt {what}"),
            Error::Duplicate { base_offset, .. } => write!(f, "appended before at {base_offset}"),
            Error::Config(message) => f.write_str(message),
            Error::Disconnected(source) => write!(f, "the peer went away: {source}"),
            Error::Closed => f.write_str("the broker is stopping"),
        }
    }
}

impl std::error::Error for Error {}
