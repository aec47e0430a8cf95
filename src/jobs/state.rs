//! How far a run of a job is, and how it ended.

use std::fmt;

use serde::Serialize;

/// How far a run is, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RunState {
    /// It has begun, and has not said how it ended.
    Running,
    /// Its export is complete.
    Finished,
    /// There was nothing new to export.
    Skipped,
    /// Its export is complete, but the guard does not trust it.
    Suspect,
    /// There is no export, or it is not complete.
    Failed,
    /// It was ended by a signal.
    Interrupted,
    /// It ended without saying how: it was killed, or the machine went down.
    Dead,
}

impl RunState {
    const ALL: [RunState; 7] = [
        RunState::Running,
        RunState::Finished,
        RunState::Skipped,
        RunState::Suspect,
        RunState::Failed,
        RunState::Interrupted,
        RunState::Dead,
    ];

    /// As it is written down.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Finished => "finished",
            RunState::Skipped => "skipped",
            RunState::Suspect => "suspect",
            RunState::Failed => "failed",
            RunState::Interrupted => "interrupted",
            RunState::Dead => "dead",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<RunState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// True if somebody has to look at it.
    pub(crate) fn is_bad(self) -> bool {
        match self {
            RunState::Running | RunState::Finished | RunState::Skipped => false,
            RunState::Suspect | RunState::Failed | RunState::Interrupted | RunState::Dead => true,
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
