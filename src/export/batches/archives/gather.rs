//! What rows say of files is asked of the backup before anything is written, so that each of its archives is read once.

use std::collections::HashMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::bundle_of;
use crate::export::batches::files::done_of;
use crate::export::batches::{BatchError, Batches};
use crate::export::files::{
    AtHand, LfsRow, Place, ProjectRow, WantedFiles, lfs_path, records, upload_member,
};
use crate::export::render::{BadValue, Rendered, Renderer};
use crate::output::Done;
use crate::pipeline::{Archive, EntityId, Form};
use crate::resolve::{Entry, PlanSource, RowSource, RowStore};
use crate::snapshot::{FileSource, InnerArchive, SnapshotError};

/// Rows that are rendered at once.
const ROWS: usize = 200;

impl Batches<'_> {
    /// Asks the backup for every file that rows of the export name, and so reads each of its archives once.
    pub(in crate::export::batches) fn gather(
        &mut self,
        source: FileSource,
    ) -> Result<(), BatchError> {
        let (RowSource::Kept(store), false) = (
            &self.resolved.rows,
            matches!(source, FileSource::None { .. }),
        ) else {
            return Ok(());
        };
        let mut wanted = WantedFiles::default();
        let mut places: HashMap<i64, Place> = HashMap::new();
        let resolved = self.resolved;
        // Values come from repositories also where no relation reads the row that says where they lie. A group may have the
        // id of a project: no repository has its path.
        for entity in &resolved.entities {
            if let EntityId::Integer(id) = entity.id {
                places.entry(id).or_default().may_be(&entity.full_path);
            }
        }
        for (position, entity) in resolved.entities.iter().enumerate() {
            for relation in resolved.relations_of(position) {
                let planned = &resolved.plan.relations[relation];
                let (Form::Archive(archive), Ok(PlanSource::Rows(_))) =
                    (planned.form, &planned.source)
                else {
                    continue;
                };
                let entries = self.renderer.top_level(store, relation, entity);
                let entries = entries.map_err(BatchError::Temp)?;
                for rows in entries.chunks(ROWS) {
                    match archive {
                        Archive::Uploads => {
                            for row in self.readable(store, relation, rows)? {
                                let member = upload_member(&row, &entity.full_path);
                                for path in member.map(|it| it.paths).unwrap_or_default() {
                                    wanted.want(InnerArchive::Uploads, &path);
                                }
                            }
                        }
                        Archive::LfsObjects => {
                            for row in self.readable::<LfsRow>(store, relation, rows)? {
                                if let Some(path) = lfs_path(&row.oid) {
                                    wanted.want(InnerArchive::Lfs, &path);
                                }
                            }
                        }
                        Archive::Repository | Archive::Design => {
                            let which = bundle_of(archive);
                            for row in self.readable::<ProjectRow>(store, relation, rows)? {
                                let place = Place::new(&row, &entity.full_path);
                                for path in place.paths(row.id, which) {
                                    wanted.want_repository(&path);
                                }
                                places.insert(row.id, place);
                            }
                        }
                    }
                }
            }
        }
        match self.sink.wants_content() {
            true => self
                .renderer
                .external_files(store, &mut |path| match path {
                    Some(path) => wanted.want(InnerArchive::ExternalDiffs, path),
                    None => wanted.want_all_external_diffs(),
                })
                .map_err(BatchError::Temp)?,
            // Rows say how large files are; no archive needs to be read for that.
            false => wanted.without_archives(),
        }
        let gathered = source.gather(&wanted, &self.temp_dir, self.interrupted);
        let gathered = gathered.map_err(|error| match error {
            SnapshotError::Interrupted => BatchError::Interrupted,
            error => BatchError::Files(Box::new(error)),
        })?;
        let at_hand = Arc::new(AtHand::new(
            gathered,
            places,
            self.redacted_paths.clone(),
            self.options.keep_going,
            &self.temp_dir,
            self.interrupted,
        ));
        for archive in InnerArchive::ALL {
            if let Some(damage) = at_hand.damage(archive) {
                tracing::warn!("{damage}");
            }
        }
        let counts = !self.sink.wants_content();
        let renderer = Renderer::new(self.resolved, self.options.keep_going, counts);
        let renderer = renderer.map_err(|error| BatchError::Plan(error.to_string()))?;
        let values: Arc<AtHand> = Arc::clone(&at_hand);
        let renderer = renderer.with_masks(self.masks.clone());
        self.renderer = Arc::new(renderer.with_files(values));
        self.at_hand = Some(at_hand);
        Ok(())
    }

    /// Rows as what they are, without those that cannot be read: each of these is told when its file comes.
    fn readable<T: DeserializeOwned>(
        &self,
        store: &Arc<RowStore>,
        relation: usize,
        entries: &[Entry],
    ) -> Result<Vec<T>, BatchError> {
        let mut rows = Vec::new();
        let all = match self.rendered_rows(store, relation, entries)? {
            Ok(rendered) => vec![rendered],
            Err(_) => {
                let mut readable = Vec::new();
                for entry in entries {
                    readable.extend(self.rendered_rows(store, relation, &[*entry])?.ok());
                }
                readable
            }
        };
        for rendered in &all {
            let lines = rendered.content.split(|byte| *byte == b'\n');
            rows.extend(lines.filter_map(|line| records(line).ok()).flatten());
        }
        Ok(rows)
    }

    fn rendered_rows(
        &self,
        store: &Arc<RowStore>,
        relation: usize,
        entries: &[Entry],
    ) -> Result<Result<Rendered, BadValue>, BatchError> {
        let resident = self.renderer.load(store, relation, entries);
        let resident = resident.map_err(BatchError::Temp)?;
        Ok(self.renderer.render(relation, entries, &resident, true))
    }

    /// The rows of a file, as what they are, and what is to be said of those that were left out; the inner error is why the
    /// file cannot be made.
    pub(super) fn rows_of<T: DeserializeOwned>(
        &self,
        store: &Arc<RowStore>,
        relation: usize,
        entries: &[Entry],
    ) -> Result<Result<(Vec<T>, Done), String>, BatchError> {
        let mut rows = Vec::new();
        let mut done = Done::default();
        for entries in entries.chunks(ROWS) {
            let rendered = match self.rendered_rows(store, relation, entries)? {
                Ok(rendered) => rendered,
                Err(bad) => return Ok(Err(bad.to_string())),
            };
            match records(&rendered.content) {
                Ok(found) => rows.extend::<Vec<T>>(found),
                Err(reason) => return Ok(Err(reason)),
            }
            done.append(done_of(&rendered));
        }
        Ok(Ok((rows, done)))
    }
}
