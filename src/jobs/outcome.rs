//! How the run of a job ended.

use super::state::RunState;
use super::volume::Volume;
use crate::output::Manifest;

/// How something ended that did not go well: the exit status that follows, and what is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub exit_status: u8,
    pub message: String,
}

/// How the run of a job ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub state: RunState,
    pub exit_status: u8,
    pub error: Option<String>,
    /// Where its export lies, as messages show it.
    pub place: Option<String>,
    pub manifest: Option<Manifest>,
    pub volume: Volume,
    /// Exports that were removed, by the names of their places.
    pub removed: Vec<String>,
}

/// The exit status of a run that was ended by a signal.
pub(crate) const INTERRUPTED: u8 = 130;

impl Outcome {
    /// A run that made no export.
    pub(crate) fn ended(ended: Ended) -> Outcome {
        Outcome {
            state: match ended.exit_status {
                INTERRUPTED => RunState::Interrupted,
                _ => RunState::Failed,
            },
            exit_status: ended.exit_status,
            error: Some(ended.message),
            place: None,
            manifest: None,
            volume: Volume::default(),
            removed: Vec::new(),
        }
    }

    /// A run that had nothing to do, since this export is what it would make.
    pub(crate) fn skipped(place: String) -> Outcome {
        Outcome {
            state: RunState::Skipped,
            exit_status: 0,
            error: None,
            place: Some(place),
            manifest: None,
            volume: Volume::default(),
            removed: Vec::new(),
        }
    }

    /// A run that made an export, which may lack something or be suspect.
    pub(crate) fn exported(manifest: Manifest, place: String, exit_status: u8) -> Outcome {
        let volume = Volume::of(&manifest);
        let suspect = manifest.suspect.join("; ");
        let (state, exit_status, error) = match (exit_status, suspect.is_empty()) {
            (0, true) => (RunState::Finished, 0, None),
            (0, false) => {
                let error = format!(
                    "{suspect}\n  look at the snapshot; if this is right, run the job once with --no-guard"
                );
                (RunState::Suspect, 1, Some(error))
            }
            (exit_status, _) => {
                let error = format!(
                    "the export is not complete: {}\n  the log and the manifest say what is missing",
                    incomplete(&manifest, &volume)
                );
                (RunState::Failed, exit_status, Some(error))
            }
        };
        Outcome {
            state,
            exit_status,
            error,
            place: Some(place),
            manifest: Some(manifest),
            volume,
            removed: Vec::new(),
        }
    }

    /// The export is complete, but what was to follow failed: somebody has to know.
    pub(crate) fn followed_by(self, ended: Ended) -> Outcome {
        Outcome {
            exit_status: ended.exit_status,
            error: Some(ended.message),
            ..self
        }
    }
}

/// What an export lacks, in a few words.
fn incomplete(manifest: &Manifest, volume: &Volume) -> String {
    let rows: u64 = manifest.skipped_rows().iter().map(|(_, rows)| rows).sum();
    let mut parts: Vec<String> = Vec::new();
    if let Some(error) = &manifest.error {
        parts.push(error.clone());
    }
    match volume.failed() {
        0 => {}
        1 => parts.push("1 relation failed".to_owned()),
        failed => parts.push(format!("{failed} relations failed")),
    }
    match rows {
        0 => {}
        1 => parts.push("1 row was left out".to_owned()),
        rows => parts.push(format!("{rows} rows were left out")),
    }
    parts.join("; ")
}

/// The worst of the exit statuses of several jobs: of two, the one that needs somebody more. A signal and a fault of the
/// program stand above all; what may pass by itself (another run, a server that is not ready) below what does not.
pub(crate) fn worst(statuses: impl IntoIterator<Item = u8>) -> u8 {
    /// The worst first.
    const ORDER: [u8; 9] = [INTERRUPTED, 70, 4, 3, 2, 1, 11, 75, 0];
    let rank = |status: &u8| {
        let position = ORDER.iter().position(|known| known == status);
        // A status that is not known is a fault's.
        std::cmp::Reverse(position.unwrap_or(1))
    };
    statuses.into_iter().max_by_key(rank).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_status_is_the_one_that_needs_somebody_most() {
        for (statuses, status) in [
            (&[][..], 0),
            (&[0, 0], 0),
            (&[0, 75], 75),
            (&[75, 11, 0], 11),
            (&[11, 1, 75], 1),
            (&[1, 2, 0], 2),
            (&[2, 3], 3),
            (&[3, 4, 1], 4),
            (&[4, 70], 70),
            (&[70, 130, 1], 130),
        ] {
            assert_eq!(worst(statuses.iter().copied()), status, "{statuses:?}");
        }
    }
}
