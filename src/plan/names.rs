//! The names of what a plan keeps at the destination, and how one is found.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::error::PlanError;
use super::file::PlanFile;
use crate::output::layout::PLAN;
use crate::output::{FileReader, Location, PLAN_FOLDER, SharedPlace, Status};

/// The folder of the records of tasks.
pub(super) fn records() -> String {
    format!("{PLAN_FOLDER}/tasks")
}

/// The name of the record of a task.
pub(super) fn record(task: u32) -> String {
    format!("{}/{task:08}.json", records())
}

/// The task that a record of this name is of.
pub(super) fn task_of(name: &str) -> Option<u32> {
    let number = name.strip_suffix(".json")?;
    let task = number.parse().ok()?;
    (record(task).ends_with(&format!("/{name}"))).then_some(task)
}

/// True if the export of a plan is known to be complete: its manifest is there, which a commit writes before it takes the
/// plan away.
pub(crate) fn is_committed(place: &dyn SharedPlace) -> bool {
    let manifest = place.manifest();
    manifest.is_ok_and(|manifest| manifest.status == Status::Finished)
}

/// What most files have at the most: the record of a task of one relation, say.
const SMALL: usize = 8 << 10;

/// Reads a whole file of a place.
///
/// # Errors
/// Those of the store.
pub(super) fn read(place: &dyn SharedPlace, name: &str) -> io::Result<Vec<u8>> {
    // A hundred thousand records are read one by one: each in one go.
    let mut bytes = Vec::with_capacity(SMALL);
    FileReader::new(place.read(name)?).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A plan and its place.
#[derive(Debug)]
pub(crate) struct Found {
    pub place: Arc<dyn SharedPlace>,
    /// `None` if the export of a plan is complete, and the plan gone.
    pub plan: Option<PlanFile>,
    /// What messages call the place.
    pub shown: String,
}

/// The plan that a text names: the place of its export, or a copy of plan.json.
///
/// # Errors
/// If there is none, or it is none that this program reads.
pub(crate) fn find(text: &str) -> Result<Found, PlanError> {
    let path = Path::new(text);
    let copy = match !text.contains("://") && path.is_file() {
        true => {
            let bytes = fs::read(path).map_err(|source| PlanError::unreadable(text, source))?;
            Some(PlanFile::parse(&bytes, text)?)
        }
        false => None,
    };
    let out = copy.as_ref().map_or(text, |copy| copy.out.as_str());
    let location = Location::parse(out).map_err(PlanError::Place)?;
    let shown = location.shown();
    let place = location.shared()?;
    let name = PLAN;
    match read(&*place, name) {
        Ok(bytes) => {
            let plan = PlanFile::parse(&bytes, &place.shown(name))?;
            if copy.is_some_and(|copy| copy.id != plan.id) {
                return Err(PlanError::Another(format!(
                    "{text} is no copy of the plan that lies in {shown}\n  name that place instead"
                )));
            }
            Ok(Found {
                place,
                plan: Some(plan),
                shown,
            })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => match place.manifest() {
            Ok(manifest) if manifest.status == Status::Finished => Ok(Found {
                place,
                plan: None,
                shown,
            }),
            Ok(_) => Err(PlanError::NoPlan(shown)),
            Err(error) if error.is_of_store() => Err(PlanError::Manifest(error)),
            Err(_) => Err(PlanError::NoPlan(shown)),
        },
        Err(source) => Err(PlanError::unreadable(&place.shown(name), source)),
    }
}
