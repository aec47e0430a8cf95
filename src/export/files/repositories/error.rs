//! What can be wrong with a repository of a backup.

use std::io;

use super::ref_lines::RefsFault;
use crate::failure::{Cause, Failure, Policy};
use crate::snapshot::{SnapshotError, is_of_source};

/// Why a repository cannot be had from a backup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// The backup itself cannot be read.
    #[error(transparent)]
    Snapshot(Box<SnapshotError>),
    /// The system does not give the bytes of a member; another time it may.
    #[error(
        "cannot read {member} of the backup: {source}\n  see what the disk says, and go on with --resume"
    )]
    Unreadable { member: String, source: io::Error },
    /// A member of the backup is not what it should be.
    #[error("cannot use {member} of the backup: {reason}")]
    Damaged { member: String, reason: String },
    /// Only `git` can do what is needed, and it is not there.
    #[error(
        "cannot put {member} together: a repository of an incremental backup has to be replayed by git, which is not \
         installed\n  install git (2.29 or newer), so that it is found in PATH, and run again"
    )]
    NoGit { member: String },
    /// `git` cannot do it.
    #[error("cannot put {member} together: git {what} failed{said}")]
    Git {
        member: String,
        what: &'static str,
        /// What git said, behind a colon; empty where it said nothing.
        said: String,
    },
    /// The temp folder, or the one that a repository is unpacked into.
    #[error(
        "cannot use the folder of a repository: {0}\n  see that there is room, or name another one with --temp-dir"
    )]
    Folder(io::Error),
    /// It was asked for that the work ends early.
    #[error("interrupted")]
    Interrupted,
}

impl RepositoryError {
    pub(super) fn damaged(member: &str, reason: impl Into<String>) -> Self {
        RepositoryError::Damaged {
            member: member.to_owned(),
            reason: reason.into(),
        }
    }

    /// An error of reading a member's bytes.
    pub(super) fn unreadable(member: &str, source: io::Error) -> Self {
        match is_of_source(&source) {
            true => RepositoryError::Unreadable {
                member: member.to_owned(),
                source,
            },
            false => Self::damaged(member, source.to_string()),
        }
    }

    /// What is wrong with a list of refs.
    pub(super) fn of_refs(member: &str, fault: RefsFault) -> Self {
        match fault {
            RefsFault::Io(source) => Self::unreadable(member, source),
            fault => Self::damaged(member, fault.to_string()),
        }
    }

    /// True if the same backup may be read another time.
    pub fn may_pass(&self) -> bool {
        match self {
            RepositoryError::Unreadable { .. }
            | RepositoryError::Folder(_)
            | RepositoryError::Interrupted => true,
            RepositoryError::Snapshot(error) => matches!(
                **error,
                SnapshotError::Io { .. }
                    | SnapshotError::Bucket(_)
                    | SnapshotError::File { may_pass: true, .. }
            ),
            RepositoryError::Damaged { .. }
            | RepositoryError::NoGit { .. }
            | RepositoryError::Git { .. } => false,
        }
    }
}

impl From<SnapshotError> for RepositoryError {
    fn from(error: SnapshotError) -> Self {
        RepositoryError::Snapshot(Box::new(error))
    }
}

impl Failure for RepositoryError {
    fn policy(&self) -> Policy {
        match self {
            RepositoryError::Snapshot(error) => error.policy(),
            RepositoryError::Unreadable { .. }
            | RepositoryError::Damaged { .. }
            | RepositoryError::NoGit { .. }
            | RepositoryError::Git { .. } => Policy::FailRelation,
            RepositoryError::Folder(_) => Policy::EndRun(Cause::Machine),
            RepositoryError::Interrupted => Policy::EndRun(Cause::Interruption),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_does_not_give_is_not_taken_for_damage() {
        let of_the_system = || io::Error::from_raw_os_error(5);
        let of_content = || io::Error::new(io::ErrorKind::InvalidData, "no gzip");
        for (error, may_pass) in [
            (RepositoryError::unreadable("refs", of_the_system()), true),
            (
                RepositoryError::of_refs("refs", RefsFault::Io(of_the_system())),
                true,
            ),
            (RepositoryError::unreadable("refs", of_content()), false),
            (
                RepositoryError::of_refs("refs", RefsFault::Io(of_content())),
                false,
            ),
            (
                RepositoryError::of_refs("refs", RefsFault::Whole("it ends")),
                false,
            ),
        ] {
            assert_eq!(error.may_pass(), may_pass, "{error}");
            assert_eq!(error.policy(), Policy::FailRelation, "{error}");
        }
    }
}
