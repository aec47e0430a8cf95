//! What a failure means: how far it reaches, and whose doing it is.
//!
//! Every floor has errors of its own. Whoever has to decide what follows from one (does the relation fail or the run, is
//! the snapshot read once more, with which status does the program exit) asks [`Failure::policy`] and looks at no variant.

/// An error that says what follows from it.
pub(crate) trait Failure {
    fn policy(&self) -> Policy;
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Some rows cannot be had, others can: the relations that need them fail, for the entities that need them.
    FailRelation,
    /// The snapshot does not hold what the reading of it was begun with: it is read once more, in another way.
    ReadAgain,
    /// What lies in the output's place is not the beginning of this run: if it is nobody's, it is taken away, and the run
    /// begins anew.
    BeginAnew,
    /// Nothing more can be done.
    EndRun(Cause),
}

/// Whose doing the end of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// What was asked for cannot be done anywhere.
    Request,
    /// The snapshot, or what is named in it, cannot be read.
    Snapshot,
    /// This machine: its disk, its limits.
    Machine,
    /// Another run works in the same place.
    AnotherRun,
    /// Something elsewhere was not ready, after it was asked often enough: the same run, begun later, may go well.
    TryAgain,
    /// All was done, and something was found that should not be.
    Finding,
    /// This program has a fault.
    Program,
    /// The run was ended from outside.
    Interruption,
}

impl Policy {
    /// Whose doing it is if the run ends with this failure.
    pub(crate) fn cause(self) -> Cause {
        match self {
            Policy::FailRelation | Policy::ReadAgain => Cause::Snapshot,
            Policy::BeginAnew => Cause::Request,
            Policy::EndRun(cause) => cause,
        }
    }

    /// True for a run that was ended from outside.
    pub(crate) fn is_interruption(self) -> bool {
        self == Policy::EndRun(Cause::Interruption)
    }
}

impl<F: Failure + ?Sized> Failure for Box<F> {
    fn policy(&self) -> Policy {
        (**self).policy()
    }
}
