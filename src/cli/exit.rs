//! Exit codes, and errors on their way to one.

use std::process::ExitCode;

use serde_json::json;

use super::console::Console;
use crate::failure::{self, Cause};
use crate::snapshot::Spec;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done.
    Success = 0,
    /// Done in part: some relation failed, or rows were left out. Or a check found something.
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
    /// A server was not ready; the same command may go well later. The number is EX_TEMPFAIL of sysexits.
    TryAgain = 75,
    /// Interrupted by a signal.
    Interrupted = 130,
}

impl Exit {
    const ALL: [Exit; 9] = [
        Exit::Success,
        Exit::Failed,
        Exit::Usage,
        Exit::Snapshot,
        Exit::Output,
        Exit::InUse,
        Exit::Fault,
        Exit::TryAgain,
        Exit::Interrupted,
    ];

    /// The one with this status; a status that is none of them is a fault's.
    pub(crate) fn of_status(status: u8) -> Exit {
        let found = Self::ALL.into_iter().find(|exit| *exit as u8 == status);
        found.unwrap_or(Exit::Fault)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// The EXIT STATUS section of the help texts, as a literal that others can be joined with.
macro_rules! exit_status {
    () => {
        "\
Exit status:
  0    everything was done
  1    done in part (a relation failed, rows were left out), or a check found something
  2    wrong usage
  3    the snapshot, the group or the export to look at cannot be read
  4    the output cannot be written
  11   another run writes to the same place
  70   a fault in this program; please report it
  75   a server or a bucket was not ready: try again later
  130  interrupted; no unfinished file has its final name
A code that is not listed is a failure."
    };
}

pub(crate) use exit_status;

/// The EXIT STATUS section of the short help texts.
pub(crate) const STATUS_HELP: &str = exit_status!();

/// An error with the exit code that it leads to.
#[derive(Debug)]
pub(crate) struct Failure {
    pub exit: Exit,
    pub error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Failure {
            exit,
            error: error.into(),
        }
    }

    /// Wrong usage, said in a sentence.
    pub(crate) fn usage(message: impl std::fmt::Display) -> Self {
        Failure {
            exit: Exit::Usage,
            error: anyhow::anyhow!("{message}"),
        }
    }

    /// Says of which snapshot the error is.
    pub(crate) fn of(self, spec: &Spec) -> Self {
        Failure {
            exit: self.exit,
            error: anyhow::anyhow!("{}: {}", spec.shown(), self.error),
        }
    }

    /// Tells the user. Messages name their causes themselves, so the chain of causes is not walked.
    pub(crate) fn print(&self, console: &Console) {
        let text = self.error.to_string();
        console.error(&text, json!({"exit_status": self.exit as u8}));
    }
}

impl From<Cause> for Exit {
    fn from(cause: Cause) -> Exit {
        match cause {
            Cause::Finding => Exit::Failed,
            Cause::Request => Exit::Usage,
            Cause::Snapshot => Exit::Snapshot,
            Cause::Machine => Exit::Output,
            Cause::AnotherRun => Exit::InUse,
            Cause::TryAgain => Exit::TryAgain,
            Cause::Program => Exit::Fault,
            Cause::Interruption => Exit::Interrupted,
        }
    }
}

impl<E: failure::Failure + Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::new(error.policy().cause().into(), error)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::bench::BenchError;
    use crate::export::ExportError;
    use crate::fault::Fault;
    use crate::output::StoreError;
    use crate::resolve::ResolveError;
    use crate::snapshot::SnapshotError;
    use crate::take::TakeError;

    #[test]
    fn an_error_of_any_floor_leads_to_the_exit_code_that_the_help_names() {
        let threads = || SnapshotError::Threads(io::Error::other("none left"));
        let refused = || SnapshotError::Refused {
            table: "public.notes".to_owned(),
            message: "permission denied".to_owned(),
            sqlstate: "42501".to_owned(),
            may_pass: false,
        };
        let resolve = |source: ResolveError| ExportError::Resolve {
            snapshot: "dump.sql".to_owned(),
            source: Box::new(source),
        };
        let in_use = || StoreError::InUse {
            path: "out".to_owned(),
            holder: String::new(),
        };
        let exists = || StoreError::Exists {
            path: "out".to_owned(),
            what: "export",
        };
        let reappeared = || ResolveError::Reappeared {
            table: "public.notes".to_owned(),
        };
        let not_now = || SnapshotError::NotNow {
            server: "postgres://here".to_owned(),
            reason: "the database system is starting up".to_owned(),
        };
        let cases: [(&str, Failure, Exit); 17] = [
            ("a server that starts", not_now().into(), Exit::TryAgain),
            (
                "it in an export",
                ExportError::Open(Box::new(not_now())).into(),
                Exit::TryAgain,
            ),
            (
                "an instant that is gone",
                SnapshotError::Lost("gone".to_owned()).into(),
                Exit::Snapshot,
            ),
            ("no thread", threads().into(), Exit::Output),
            ("a refused table", refused().into(), Exit::Snapshot),
            (
                "a reader's panic",
                SnapshotError::Fault(Fault).into(),
                Exit::Fault,
            ),
            (
                "a table in two places of a pipe",
                reappeared().into(),
                Exit::Snapshot,
            ),
            (
                "it in an export",
                resolve(reappeared()).into(),
                Exit::Snapshot,
            ),
            (
                "a full temp folder",
                resolve(io::Error::other("full").into()).into(),
                Exit::Output,
            ),
            (
                "no thread for an export",
                resolve(threads().into()).into(),
                Exit::Output,
            ),
            ("a place in use", in_use().into(), Exit::InUse),
            (
                "it in a take",
                TakeError::from(in_use()).into(),
                Exit::InUse,
            ),
            ("a place that is taken", exists().into(), Exit::Usage),
            (
                "a full disk",
                ExportError::Write(io::Error::other("full")).into(),
                Exit::Output,
            ),
            (
                "an interrupted export",
                ExportError::Interrupted.into(),
                Exit::Interrupted,
            ),
            (
                "an interrupted bench",
                BenchError::Export(ExportError::Interrupted).into(),
                Exit::Interrupted,
            ),
            (
                "a bench's cannot",
                BenchError::System(io::Error::other("no clock")).into(),
                Exit::Output,
            ),
        ];
        for (name, failure, exit) in cases {
            assert_eq!(failure.exit, exit, "{name}");
        }
    }
}
