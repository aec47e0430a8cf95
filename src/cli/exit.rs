//! Exit codes, and errors on their way to one.

use std::process::ExitCode;

use serde_json::json;

use super::console::Console;
use crate::export::ExportError;
use crate::output::{ManifestError, StoreError};
use crate::resolve::ResolveError;
use crate::snapshot::{SnapshotError, Spec};
use crate::take::{self, TakeError};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done.
    Success = 0,
    /// Some relation failed, rows were left out, or a check found something.
    Failed = 1,
    /// The arguments are wrong.
    Usage = 2,
    /// The snapshot, the group or the export to look at cannot be read.
    Snapshot = 3,
    /// The output cannot be written.
    Output = 4,
    /// Another run writes there.
    InUse = 11,
    /// This program has a fault.
    Fault = 70,
    /// Interrupted by a signal.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// The EXIT STATUS section of the help texts.
pub const STATUS_HELP: &str = "\
Exit status:
  0    everything was done
  1    some relation failed, rows were left out (--keep-going), or a check found something
  2    wrong usage
  3    the snapshot, the group or the export to look at cannot be read
  4    the output cannot be written
  11   another run writes to the same place
  70   a fault in this program; please report it
  130  interrupted; no unfinished file has its final name";

/// An error with the exit code that it leads to.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub error: anyhow::Error,
}

impl Failure {
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Failure {
            exit,
            error: error.into(),
        }
    }

    /// Wrong usage, said in a sentence.
    pub fn usage(message: impl std::fmt::Display) -> Self {
        Failure {
            exit: Exit::Usage,
            error: anyhow::anyhow!("{message}"),
        }
    }

    /// Says of which snapshot the error is.
    pub fn of(self, spec: &Spec) -> Self {
        Failure {
            exit: self.exit,
            error: anyhow::anyhow!("{}: {}", spec.shown(), self.error),
        }
    }

    /// Tells the user. Messages name their causes themselves, so the chain of causes is not walked.
    pub fn print(&self, console: &Console) {
        let text = self.error.to_string();
        console.error(&text, json!({"exit_status": self.exit as u8}));
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        let exit = match &error {
            ExportError::Store(StoreError::InUse { .. }) => Exit::InUse,
            ExportError::Store(error) if error.is_usage() => Exit::Usage,
            ExportError::Resume { .. } => Exit::Usage,
            ExportError::Store(_) | ExportError::Write(_) | ExportError::Temp(_) => Exit::Output,
            ExportError::Open(error) if error.is_of_machine() => Exit::Output,
            ExportError::Resolve { source, .. } if source.is_of_machine() => Exit::Output,
            ExportError::Open(_) | ExportError::Resolve { .. } | ExportError::Plan(_) => {
                Exit::Snapshot
            }
            ExportError::Fault(_) => Exit::Fault,
            ExportError::Interrupted => Exit::Interrupted,
        };
        Failure::new(exit, error)
    }
}

impl From<TakeError> for Failure {
    fn from(error: TakeError) -> Self {
        let exit = match &error {
            TakeError::Store(StoreError::InUse { .. }) => Exit::InUse,
            TakeError::Store(error) if error.is_usage() => Exit::Usage,
            TakeError::Store(_) | TakeError::Write(_) | TakeError::Temp(_) => Exit::Output,
            TakeError::Open(error) if error.is_of_machine() => Exit::Output,
            TakeError::Read { source, .. } if source.is_of_machine() => Exit::Output,
            TakeError::Open(_) | TakeError::Read { .. } | TakeError::Plan(_) => Exit::Snapshot,
            TakeError::Interrupted => Exit::Interrupted,
        };
        Failure::new(exit, error)
    }
}

impl From<take::ManifestError> for Failure {
    fn from(error: take::ManifestError) -> Self {
        Failure::new(Exit::Snapshot, error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::from(ExportError::from(error))
    }
}

impl From<ResolveError> for Failure {
    fn from(error: ResolveError) -> Self {
        let exit = match &error {
            error if error.is_of_machine() => Exit::Output,
            ResolveError::Interrupted => Exit::Interrupted,
            _ => Exit::Snapshot,
        };
        Failure::new(exit, error)
    }
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Self {
        let exit = match error.is_of_machine() {
            true => Exit::Output,
            false => Exit::Snapshot,
        };
        Failure::new(exit, error)
    }
}

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        Failure::new(Exit::Snapshot, error)
    }
}
