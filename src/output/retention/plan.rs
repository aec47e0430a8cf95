//! What is to become of each export of a shelf, and doing it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Decision, EmptyPolicy, Keep, Reason, decide};
use crate::civil::UtcTime;
use crate::output::shelf::{ExportState, Shelf, ShelvedExport};
use crate::output::store::StoreError;

/// What is to become of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It stays, for these reasons.
    Keep(Vec<Reason>),
    /// It goes: no rule keeps it.
    Remove,
    /// It is not counted, and stays, because nobody asked for such exports to be removed.
    Uncounted,
    /// It is not counted, and goes, because somebody did.
    RemoveUncounted,
}

impl Verdict {
    /// True for an export that goes.
    pub fn goes(&self) -> bool {
        matches!(self, Verdict::Remove | Verdict::RemoveUncounted)
    }
}

/// An export, and what is to become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub export: ShelvedExport,
    pub verdict: Verdict,
}

/// Which exports are removed although keep rules do not count them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uncounted {
    /// Those that are unfinished, failed or damaged.
    pub unfinished: bool,
    /// Those that a guard found suspect.
    pub suspect: bool,
}

/// Says what is to become of the exports of a shelf, those of each job by themselves. The newest of a job that counts stays,
/// and what `latest` leads to. The jobs come in the order of their names, and of each the newest export first.
///
/// # Errors
/// If there is no rule.
pub fn plan(
    keep: &Keep,
    exports: Vec<ShelvedExport>,
    latest: Option<&str>,
    uncounted: Uncounted,
    now: UtcTime,
) -> Result<Vec<Planned>, EmptyPolicy> {
    keep.rules()?;
    let jobs: BTreeSet<Option<String>> = exports.iter().map(|export| export.job.clone()).collect();
    let mut planned = Vec::new();
    for job in jobs {
        let of_job: Vec<&ShelvedExport> =
            exports.iter().filter(|export| export.job == job).collect();
        let counted = of_job
            .iter()
            .filter_map(|export| Some((export.name.clone(), export.counted()?)));
        let decisions = decide(keep, &counted.collect::<Vec<_>>(), now)?;
        let mut decided: BTreeMap<&str, &Decision> = BTreeMap::new();
        for decision in &decisions {
            decided.insert(&decision.name, decision);
        }
        let mut of_job: Vec<Planned> = of_job
            .into_iter()
            .map(|export| Planned {
                verdict: verdict(
                    export,
                    decided.get(export.name.as_str()).copied(),
                    latest,
                    uncounted,
                ),
                export: export.clone(),
            })
            .collect();
        of_job.sort_by(|one, other| {
            let key = |planned: &Planned| (planned.export.time, planned.export.name.clone());
            key(other).cmp(&key(one))
        });
        planned.extend(of_job);
    }
    Ok(planned)
}

fn verdict(
    export: &ShelvedExport,
    decision: Option<&Decision>,
    latest: Option<&str>,
    uncounted: Uncounted,
) -> Verdict {
    let mut reasons = match decision {
        Some(decision) => decision.reasons.clone(),
        None => Vec::new(),
    };
    if latest == Some(export.name.as_str()) {
        reasons.push(Reason::Latest);
    }
    if !reasons.is_empty() {
        return Verdict::Keep(reasons);
    }
    let is_asked_for = match &export.state {
        ExportState::Whole => return Verdict::Remove,
        ExportState::Suspect(_) => uncounted.suspect,
        ExportState::Unfinished | ExportState::Failed(_) | ExportState::Damaged(_) => {
            uncounted.unfinished
        }
    };
    match is_asked_for {
        true => Verdict::RemoveUncounted,
        false => Verdict::Uncounted,
    }
}

/// Removes what is to go, the oldest first. Returns what could not be removed, and why.
pub fn carry_out(shelf: &dyn Shelf, planned: &[Planned]) -> Vec<(String, StoreError)> {
    let going = planned.iter().rev().filter(|one| one.verdict.goes());
    let removed = going.filter_map(|one| {
        let error = shelf.remove(&one.export).err()?;
        Some((one.export.name.clone(), error))
    });
    removed.collect()
}
