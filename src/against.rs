//! An export held against its snapshot, by another way than the one that made it.
//!
//! Nothing here is shared with what finds and renders the rows of an export: `tests/it/imports.rs` lets this floor import
//! neither `resolve` nor `export`. It reads whole tables from their beginning, keeps of each row that belongs to a
//! relation its keys as hashes and a checksum over its values, and reads on, table by table, until no row is added
//! ([`rows`]). What the records of a file must be is then counted from the rows up ([`count`]), and the lines of the files
//! are held against it ([`compare`]). It is made to be plainly right, and is slower than an export.
//!
//! What is not compared is told, and never passed over: keys that are made by rules which have no second reading here
//! (YAML, files of a backup), redacted columns, and the order of records.

mod compare;
mod count;
mod lay;
mod record;
mod report;
mod roots;
mod row;
mod rows;
mod source;
mod spots;
mod test;
mod value;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::failure::{Cause, Failure, Policy};
use crate::output::encryption::Identities;
use crate::output::{Contents, EntityEntry, Manifest};
use crate::pipeline::Pipeline;
use crate::snapshot::{OpenOptions, SnapshotError, Spec};

use crate::salt::Salt;
use compare::{Comparer, Files};
use lay::{Terms, lay};
use report::NotCompared;
use rows::{Entity, Laid};
use source::Source;
use spots::{Made, MadeOf};

pub(crate) use report::Report;

/// Why an export cannot be held against a snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgainstError {
    #[error(transparent)]
    Snapshot(Box<SnapshotError>),
    #[error(
        "cannot read row {row} of table {table}: it is not as its columns are ({reason})\n  see whether the snapshot is whole"
    )]
    Row {
        table: String,
        row: u64,
        reason: String,
    },
    #[error(
        "cannot read the snapshot again: another one lies in its place\n  let it lie there until the command has ended"
    )]
    Replaced,
    #[error(
        "cannot compare: more than four billion rows of one table belong to one relation\n  export fewer entities at a time"
    )]
    TooMany,
    #[error(
        "cannot compare: the system has no random bytes: {0}\n  see why /dev/urandom cannot be read"
    )]
    NoRandom(io::Error),
    #[error("interrupted")]
    Interrupted,
}

impl From<SnapshotError> for AgainstError {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Interrupted => AgainstError::Interrupted,
            error => AgainstError::Snapshot(Box::new(error)),
        }
    }
}

impl Failure for AgainstError {
    fn policy(&self) -> Policy {
        match self {
            AgainstError::Snapshot(error) => error.policy(),
            AgainstError::Row { .. } | AgainstError::Replaced => Policy::EndRun(Cause::Snapshot),
            AgainstError::TooMany | AgainstError::NoRandom(_) => Policy::EndRun(Cause::Machine),
            AgainstError::Interrupted => Policy::EndRun(Cause::Interruption),
        }
    }
}

/// What is compared.
pub(crate) struct Request<'r> {
    pub(crate) store: &'r dyn Contents,
    pub(crate) manifest: &'r Manifest,
    /// The pipelines that the export was made by.
    pub(crate) pipelines: &'r [&'r Pipeline],
    pub(crate) identities: Option<&'r Identities>,
    pub(crate) snapshot: &'r Spec,
    pub(crate) open: &'r OpenOptions,
    pub(crate) interrupted: &'r Arc<AtomicBool>,
    /// Counts the bytes of rows and files that were read.
    pub(crate) read: &'r AtomicU64,
}

/// Holds an export against a snapshot.
///
/// Memory holds about 200 bytes, and two for each column, for every row that belongs to a record of the export, and one
/// line of its files at a time.
///
/// # Errors
/// If the snapshot cannot be read. What is wrong with the export's files is told in the report.
pub(crate) fn against(request: &Request<'_>) -> Result<Report, AgainstError> {
    let salt = Salt::new().map_err(AgainstError::NoRandom)?;
    let mut source = Source::open(request.snapshot, request.open, request.interrupted)?;
    let mut report = Report::default();
    let mut laid: Vec<Laid<'_>> = Vec::new();
    for pipeline in request.pipelines {
        let entities = request.manifest.entities.iter();
        let own: Vec<&EntityEntry> = entities
            .filter(|it| it.kind == pipeline.entity.kind)
            .collect();
        match pipeline.entity.schemas {
            None => laid.extend(lay_over(
                pipeline,
                &source,
                own,
                request.manifest,
                &mut report,
            )),
            Some(_) => {
                for entity in own {
                    let pipeline = pipeline.in_schema(&entity.id.to_string());
                    laid.extend(lay_over(
                        &pipeline,
                        &source,
                        vec![entity],
                        request.manifest,
                        &mut report,
                    ));
                }
            }
        }
    }
    roots::find(&mut source, request.pipelines, &mut laid, request.read)?;
    rows::find(&mut source, &mut laid, salt, request.read)?;
    report.passes = source.passes;
    report.not_compared.sort();
    report.not_compared.dedup();
    let files = Files {
        store: request.store,
        identities: request.identities,
        read: request.read,
    };
    for one in &laid {
        let mut comparer = Comparer {
            laid: one,
            salt,
            files: &files,
            report: &mut report,
        };
        for entity in &one.entities {
            if request
                .interrupted
                .load(std::sync::atomic::Ordering::Relaxed)
            {
                return Err(AgainstError::Interrupted);
            }
            comparer.entity(entity);
        }
    }
    let known = |entity: &EntityEntry| {
        let mut pipelines = request.pipelines.iter();
        pipelines.any(|pipeline| pipeline.entity.kind == entity.kind)
    };
    for entity in request.manifest.entities.iter().filter(|it| !known(it)) {
        report.problems.push(format!(
            "{}: no pipeline has such entities",
            entity.full_path
        ));
    }
    Ok(report)
}

/// Lays a pipeline over a snapshot's catalog for some entities; `None` if there are none.
fn lay_over<'m>(
    pipeline: &Pipeline,
    source: &Source,
    entities: Vec<&'m EntityEntry>,
    manifest: &Manifest,
    report: &mut Report,
) -> Option<Laid<'m>> {
    if entities.is_empty() {
        return None;
    }
    let relations = entities.iter().flat_map(|entity| &entity.relations);
    let relations: BTreeSet<&str> = relations.map(|entry| entry.relation.as_str()).collect();
    let terms = Terms {
        is_ce: manifest.options.edition == "ce",
        redacted: manifest
            .redaction
            .as_ref()
            .map(|redaction| &redaction.columns),
        relations,
        undivided: &source.undivided,
    };
    let spots = lay(pipeline, &source.catalog, &terms);
    for (path, field) in spots.written() {
        match &field.made {
            Made::By(_) => report.compared_columns += 1,
            Made::NotCompared(reason) => report.not_compared.push(NotCompared {
                pipeline: pipeline.name.clone(),
                column: format!("{path}.{}", field.key),
                reason: reason.clone(),
            }),
        }
    }
    let entities = entities.into_iter().map(|entry| Entity {
        entry,
        id: &entry.id,
        root: None,
    });
    Some(Laid {
        spots,
        found: Vec::new(),
        entities: entities.collect(),
        pipeline: pipeline.name.clone(),
    })
}

impl spots::Spots {
    /// The fields of records, each with the path to it.
    fn written(&self) -> Vec<(&str, &spots::Field)> {
        let ends = self
            .relations
            .iter()
            .flat_map(|relation| match &relation.made_of {
                MadeOf::Rows(chain) | MadeOf::Collected(chain) => {
                    chain.last().into_iter().copied().collect()
                }
                MadeOf::Maxima(chains) => chains
                    .iter()
                    .filter_map(|(_, chain)| chain.last().copied())
                    .collect(),
                MadeOf::NotCompared(_) | MadeOf::Impossible(_) => Vec::new(),
            });
        let mut next: Vec<usize> = ends.collect();
        let mut written = Vec::new();
        while let Some(at) = next.pop() {
            let spot = &self.spots[at];
            written.extend(spot.fields.iter().map(|field| (spot.path.as_str(), field)));
            next.extend(spot.nested.iter().filter_map(|nested| nested.chain.last()));
        }
        written
    }
}
