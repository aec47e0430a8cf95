//! Why a bucket cannot be used.

use std::io;

use crate::failure::{Cause, Failure, Policy};

use super::limits::{IDLE, TOTAL};

/// Why a bucket cannot be used. Messages hold bucket and key, the status and the code that the server answered with, and
/// never its text, nor the address that was asked: either may hold what is secret.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    #[error("{variable} cannot be used: {reason}\n  docs/buckets.md lists the variables")]
    Setting { variable: String, reason: String },
    #[error("a connection to a bucket cannot be set up: {0}")]
    Client(String),
    #[error("no thread can be started that speaks to a bucket: {0}")]
    Thread(io::Error),
    #[error("{shown} is not there")]
    NotFound { shown: String },
    #[error(
        "there is no bucket {shown}\n  make it, or correct its name; with another provider than Amazon, see AWS_ENDPOINT_URL"
    )]
    NoBucket { shown: String },
    #[error("{shown} is there already")]
    Exists { shown: String },
    #[error(
        "cannot {what} {shown}: {answer}\n  see that the credentials in the environment are right and may do that; \
         docs/buckets.md lists the permissions that are needed"
    )]
    Denied {
        what: &'static str,
        shown: String,
        answer: Answer,
    },
    #[error(
        "cannot {what} {shown}: no credentials can be had{host} ({answer})\n  set those of the bucket in the environment, such as \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; docs/buckets.md lists them"
    )]
    NoCredentials {
        what: &'static str,
        shown: String,
        /// The host that was asked for them, behind " from".
        host: String,
        answer: Answer,
    },
    #[error(
        "cannot {what} {shown}: the server lies in another region or at another endpoint ({answer})\n  set AWS_REGION, or \
         AWS_ENDPOINT_URL, to that of the bucket"
    )]
    Elsewhere {
        what: &'static str,
        shown: String,
        answer: Answer,
    },
    #[error(
        "cannot {what} {shown}: {answer}, tried {tries} in {seconds} s\n  try again later; how long it is tried can be set by \
         {TOTAL} and {IDLE}"
    )]
    Unavailable {
        what: &'static str,
        shown: String,
        answer: Answer,
        /// "once" or "5 times".
        tries: String,
        seconds: u64,
    },
    #[error(
        "cannot {what} {shown}: {answer}\n  what the code means is in the provider's documentation"
    )]
    Refused {
        what: &'static str,
        shown: String,
        answer: Answer,
    },
    #[error(
        "{shown} is not what was sent: {reason}, {tries} times\n  something between here and the bucket changes data; do not use \
         what lies there"
    )]
    Damaged {
        shown: String,
        reason: String,
        tries: u32,
    },
    #[error(
        "{shown} is shorter than it was\n  somebody writes to it; try again when it is at rest"
    )]
    Shorter { shown: String },
    #[error(
        "{shown} was replaced while it was read\n  \
         what was read of it is not mixed with what is there now; run this again when nobody writes to it"
    )]
    Replaced { shown: String },
    #[error("{shown} has {size} bytes, but at most {limit} are expected of such an object")]
    Larger {
        shown: String,
        size: u64,
        limit: u64,
    },
    #[error(
        "{shown} is larger than {gib} GiB, the most that is written to one object\n  write to a folder instead"
    )]
    TooLarge { shown: String, gib: u64 },
    /// The process was asked to end while the server did not answer.
    #[error("interrupted")]
    Interrupted,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The server answered.
    Status { status: u16, code: Option<String> },
    /// It did not, or not to the end: what the system says of it.
    Transport { timed_out: bool, reason: String },
    /// Something else, which the client found out by itself.
    Client(&'static str),
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Answer::Status {
                status,
                code: Some(code),
            } => write!(f, "the server answers {status} {code}"),
            Answer::Status { status, code: None } => write!(f, "the server answers {status}"),
            Answer::Transport {
                timed_out: true, ..
            } => f.write_str("the server does not answer in time"),
            Answer::Transport { reason, .. } => write!(f, "the connection fails: {reason}"),
            Answer::Client(reason) => f.write_str(reason),
        }
    }
}

impl Failure for BucketError {
    fn policy(&self) -> Policy {
        Policy::EndRun(match self {
            BucketError::Setting { .. } => Cause::Request,
            BucketError::Interrupted => Cause::Interruption,
            BucketError::Unavailable { .. } | BucketError::Replaced { .. } => Cause::TryAgain,
            BucketError::Client(_)
            | BucketError::Thread(_)
            | BucketError::NotFound { .. }
            | BucketError::NoBucket { .. }
            | BucketError::Exists { .. }
            | BucketError::Denied { .. }
            | BucketError::NoCredentials { .. }
            | BucketError::Elsewhere { .. }
            | BucketError::Refused { .. }
            | BucketError::Damaged { .. }
            | BucketError::Shorter { .. }
            | BucketError::Larger { .. }
            | BucketError::TooLarge { .. } => Cause::Machine,
        })
    }
}

impl BucketError {
    /// What follows if it is a snapshot, or an export to look at, that cannot be read.
    pub(crate) fn of_reading(&self) -> Policy {
        match self.policy() {
            Policy::EndRun(Cause::Machine) => Policy::EndRun(Cause::Snapshot),
            policy => policy,
        }
    }
}

impl From<BucketError> for io::Error {
    fn from(error: BucketError) -> io::Error {
        let kind = match &error {
            BucketError::NotFound { .. } | BucketError::NoBucket { .. } => io::ErrorKind::NotFound,
            BucketError::Exists { .. } => io::ErrorKind::AlreadyExists,
            BucketError::Denied { .. } | BucketError::NoCredentials { .. } => {
                io::ErrorKind::PermissionDenied
            }
            BucketError::Unavailable { .. } => io::ErrorKind::TimedOut,
            BucketError::Shorter { .. } => io::ErrorKind::UnexpectedEof,
            BucketError::Larger { .. }
            | BucketError::TooLarge { .. }
            | BucketError::Damaged { .. } => io::ErrorKind::InvalidData,
            BucketError::Setting { .. }
            | BucketError::Client(_)
            | BucketError::Interrupted
            | BucketError::Thread(_)
            | BucketError::Elsewhere { .. }
            | BucketError::Replaced { .. }
            | BucketError::Refused { .. } => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// What a bucket's call failed with, if the error is of one: whoever asks wants its [`Failure::policy`].
pub(crate) fn bucket_error(error: &io::Error) -> Option<&BucketError> {
    error.get_ref()?.downcast_ref()
}
