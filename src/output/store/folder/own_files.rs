//! What in the folder of an export is its own, and what is somebody's: who removes or replaces an export may take the first
//! only.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use super::atomic::{PART, part_of};
use super::claim::is_mount_point;
use super::lock::INSIDE;
use crate::output::layout::{self, FileForm};
use crate::output::manifest::{self, EntityEntry, Manifest, Status};

/// The name of the first thing in the folder of an export that is none of its own, or that is mounted in it.
pub(super) fn foreign(place: &Path, manifest: &Manifest) -> io::Result<Option<String>> {
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let mut entities = manifest.entities.iter();
        let is_folder = entry.file_type()?.is_dir();
        let is_own = match is_folder {
            // A manifest is there, so the plan is committed: whoever did so died before this was removed.
            true if name == layout::PLAN_FOLDER => match foreign_in_plan(place, &name)? {
                Some(foreign) => return Ok(Some(foreign)),
                None => true,
            },
            true => match entities.find(|entity| entity.prefix == name) {
                Some(entity) if !is_mount_point(&entry.path()) => {
                    let files = OwnFiles::of(manifest, entity);
                    match files.foreign_below(place, &name)? {
                        Some(foreign) => return Ok(Some(foreign)),
                        None => true,
                    }
                }
                Some(_) | None => false,
            },
            false => {
                let own = [
                    manifest::FILE_NAME,
                    layout::METADATA,
                    layout::SEALED_METADATA,
                ];
                let is_file = |own: &&str| entry.path() == place.join(own);
                let is_part = |own: &&str| entry.path() == part_of(&place.join(own));
                name == INSIDE || own.iter().any(|own| is_file(own) || is_part(own))
            }
        };
        if !is_own {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// The first name in the folder of a plan that no plan has: of what is no plain file, or is mounted there.
fn foreign_in_plan(place: &Path, folder: &str) -> io::Result<Option<String>> {
    let path = place.join(folder);
    if is_mount_point(&path) {
        return Ok(Some(folder.to_owned()));
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        let foreign = match kind.is_dir() {
            true => foreign_in_plan(place, &name)?,
            false => (!kind.is_file()).then_some(name),
        };
        if foreign.is_some() {
            return Ok(foreign);
        }
    }
    Ok(None)
}

/// What may lie in the folder of an entity.
struct OwnFiles<'m> {
    entity: &'m EntityEntry,
    /// Those that the manifest says are complete.
    listed: HashSet<&'m str>,
    /// A run that died may have completed a file just before its manifest said so.
    is_finished: bool,
}

impl<'m> OwnFiles<'m> {
    fn of(manifest: &Manifest, entity: &'m EntityEntry) -> Self {
        let relations = entity.relations.iter();
        let listed = relations.flat_map(|relation| relation.files());
        OwnFiles {
            entity,
            listed: listed.map(|file| file.file.as_str()).collect(),
            is_finished: manifest.status == Status::Finished,
        }
    }

    /// The first name below a folder of the export that is none of its own.
    fn foreign_below(&self, place: &Path, folder: &str) -> io::Result<Option<String>> {
        for entry in fs::read_dir(place.join(folder))? {
            let entry = entry?;
            let own = entry.file_name().to_string_lossy().into_owned();
            let name = format!("{folder}/{own}");
            let is_own = match entry.file_type()? {
                kind if kind.is_dir() && self.is_folder(&name) => {
                    if is_mount_point(&entry.path()) {
                        return Ok(Some(name));
                    }
                    match self.foreign_below(place, &name)? {
                        Some(foreign) => return Ok(Some(foreign)),
                        None => true,
                    }
                }
                kind => kind.is_file() && self.is_file(&name, &own),
            };
            if !is_own {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// True for the folder of a relation's batches.
    fn is_folder(&self, name: &str) -> bool {
        let mut relations = self.entity.relations.iter();
        relations.any(|relation| name == format!("{}/{}", self.entity.prefix, relation.relation))
    }

    fn is_file(&self, name: &str, own: &str) -> bool {
        self.listed.contains(name) || (!self.is_finished && self.has_form(own))
    }

    /// True for what a run may have left without a word of it in its manifest.
    fn has_form(&self, own: &str) -> bool {
        let own = own.strip_suffix(PART).unwrap_or(own);
        let own = own.strip_suffix(".age").unwrap_or(own);
        let mut forms = FileForm::ALL.iter();
        forms.any(|form| {
            let stem = own.strip_suffix(form.extension());
            stem.and_then(|stem| stem.strip_suffix('.'))
                .is_some_and(|stem| {
                    let mut relations = self.entity.relations.iter();
                    relations.any(|relation| relation.relation == stem)
                        || stem.strip_prefix("batch_").is_some_and(|number| {
                            !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
                        })
                })
        })
    }
}
