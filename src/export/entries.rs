//! What a run says of itself in the manifest: at its beginning, and when the snapshot has been read.

use std::num::NonZeroU64;

use crate::output::{
    ChoiceEntry, EntityEntry, LeftOutEntry, Manifest, OptionsEntry, PipelineEntry, ReadFacts,
    RelationEntry, ResumeEntry, SnapshotEntry, Status, manifest, now,
};
use crate::pipeline::{Edition, Pipeline};
use crate::resolve::{
    Choice, Id, KindChoice, KindId, LeftOutEntities, Outcome, Relations, Resolved, RowSource,
};
use crate::snapshot::Snapshot;

use super::metadata::{self, Instance};
use super::request::ExportRequest;
use super::warnings::{taken_as_empty, warnings, whole_error};

/// Entities left out that the manifest names; the others are only counted.
const DESCRIBED: usize = 100;

/// Who writes the manifest.
pub(super) const GENERATOR: &str = concat!("relexport ", env!("CARGO_PKG_VERSION"));

pub(super) fn first_manifest(request: &ExportRequest, snapshot: &Snapshot) -> Manifest {
    Manifest {
        resume: terms(request),
        ..manifest_of(request, snapshot.kind.name(), &snapshot.source)
    }
}

/// What a later run must have in common with this one; `None` for a snapshot that cannot be read a second time.
pub(super) fn terms(request: &ExportRequest) -> Option<ResumeEntry> {
    let Ok(Some(fingerprint)) = request.open.databases.fingerprint(&request.snapshot) else {
        return None;
    };
    let mut choices = request.kinds.iter();
    let mut choices = choices.by_ref().map(|kind| choice_entry(&kind.choice));
    let ChoiceEntry {
        named,
        descendants,
        within,
    } = choices.next().unwrap_or_default();
    Some(ResumeEntry {
        fingerprint,
        named,
        descendants,
        within,
        more: choices.collect(),
        relations: match &request.selection.relations {
            Relations::All => None,
            Relations::Only(names) => Some(names.clone()),
        },
        gzip_level: request.options.gzip_level.into(),
        keep_going: request.options.keep_going,
        allow_missing: request.options.allow_missing,
    })
}

fn choice_entry(choice: &Choice) -> ChoiceEntry {
    match choice {
        Choice::All => ChoiceEntry::default(),
        Choice::Named { names, descendants } => ChoiceEntry {
            named: Some(names.clone()),
            descendants: *descendants,
            within: false,
        },
        Choice::Within { names } => ChoiceEntry {
            named: Some(names.clone()),
            descendants: false,
            within: true,
        },
    }
}

/// The manifest of an export of which nothing is known yet, and that cannot be gone on with.
pub(super) fn manifest_of(request: &ExportRequest, kind: &str, source: &str) -> Manifest {
    let mut pipelines = pipeline_entries(request).into_iter();
    Manifest {
        manifest_version: manifest::VERSION,
        generator: GENERATOR.to_owned(),
        status: Status::Started,
        started_at: now(),
        finished_at: None,
        error: None,
        snapshot: SnapshotEntry {
            kind: kind.to_owned(),
            source: source.to_owned(),
            server_version: None,
            gitlab_version: None,
            taken_at: None,
            lsn: None,
        },
        pipeline: pipelines.next().unwrap_or_default(),
        more_pipelines: pipelines.collect(),
        options: options_entry(request),
        resume: None,
        warnings: Vec::new(),
        missing_tables: 0,
        left_out: Vec::new(),
        timings: None,
        entities: Vec::new(),
    }
}

/// The pipelines of a run, those that only say what entities lie within among them.
pub(super) fn pipeline_entries(request: &ExportRequest) -> Vec<PipelineEntry> {
    let entry = |kind: &KindChoice| PipelineEntry {
        name: kind.pipeline.name.clone(),
        sha256: kind.pipeline.sha256.clone(),
    };
    request.kinds.iter().map(entry).collect()
}

/// Entities that were left out, of each kind that has some.
pub(super) fn left_out_entries(request: &ExportRequest, resolved: &Resolved) -> Vec<LeftOutEntry> {
    let entry = |left_out: &LeftOutEntities| LeftOutEntry {
        kind: kind_of(request, left_out.kind).entity.kind.clone(),
        count: left_out.ids.len() as u64,
        ids: left_out.ids.iter().take(DESCRIBED).cloned().collect(),
    };
    resolved.left_out.iter().map(entry).collect()
}

/// The pipeline of a kind.
pub(super) fn kind_of(request: &ExportRequest, kind: KindId) -> &Pipeline {
    &request.kinds[kind.position()].pipeline
}

pub(super) fn options_entry(request: &ExportRequest) -> OptionsEntry {
    OptionsEntry {
        batched: request.options.batched,
        batch_size: request.options.batch_size.get(),
        batch_sizes: request
            .options
            .batch_sizes
            .iter()
            .map(|(name, size)| (name.clone(), size.get()))
            .collect(),
        batch_bytes: request.options.batch_bytes.map(NonZeroU64::get),
        edition: match request.options.edition {
            Edition::Ce => "ce".to_owned(),
            Edition::Ee => "ee".to_owned(),
        },
    }
}

/// What is known when the snapshot has been read.
pub(super) fn read_facts(request: &ExportRequest, outcome: &Outcome) -> ReadFacts {
    let resolved = &outcome.resolved;
    let entities = 0..resolved.entities.len();
    // A dump is its instant; of a server, the manifest alone tells which one was read, and so with what was taken of one.
    let is_of_server = matches!(resolved.rows, RowSource::Live(_)) || outcome.facts.lsn.is_some();
    let instant = is_of_server.then_some(&outcome.facts);
    ReadFacts {
        entities: entities
            .map(|entity| entry(request, resolved, entity))
            .collect(),
        server_version: outcome.facts.server_version.clone(),
        gitlab_version: stated_version(request, outcome),
        taken_at: instant.and_then(|facts| facts.taken_at.clone()),
        lsn: instant.and_then(|facts| facts.lsn.clone()),
        missing_tables: taken_as_empty(request, resolved).len() as u64,
        left_out: left_out_entries(request, resolved),
        warnings: warnings(request, outcome),
        error: whole_error(request, outcome),
    }
}

/// The GitLab version that the snapshot states, or else the user.
fn stated_version(request: &ExportRequest, outcome: &Outcome) -> Option<String> {
    let stated = outcome.facts.gitlab_version.clone();
    stated.or_else(|| request.gitlab_version.clone())
}

/// The content of the file that describes the whole export, which lies in a place of this name.
pub(super) fn metadata(
    request: &ExportRequest,
    name: &str,
    outcome: &Outcome,
    entities: &[EntityEntry],
) -> Vec<u8> {
    let stated = stated_version(request, outcome);
    let version = stated.clone().or_else(|| {
        let by_tables = metadata::version_by_tables(&outcome.catalog)?;
        let suffix = if request.options.edition == Edition::Ee {
            "-ee"
        } else {
            ""
        };
        Some(format!("{by_tables}{suffix}"))
    });
    let instance = Instance {
        version: version.as_deref().unwrap_or_default(),
        enterprise: metadata::is_enterprise(stated.as_deref(), request.options.edition),
        export_prefix: name,
        source_hostname: request.source_url.as_deref().unwrap_or_default(),
    };
    metadata::content(&instance, entities)
}

/// An entity's entry in the manifest, before anything of it is written. `entity` is its position.
pub(super) fn entry(request: &ExportRequest, resolved: &Resolved, entity: usize) -> EntityEntry {
    let at = now();
    let relations = &resolved.plan.relations[resolved.relations_of(entity)];
    let entity = &resolved.entities[entity];
    let pipeline = kind_of(request, entity.kind);
    EntityEntry {
        id: entity.id.clone(),
        kind: pipeline.entity.kind.clone(),
        full_path: entity.full_path.clone(),
        prefix: pipeline
            .entity
            .prefix
            .replace("{key}", &entity.id.folder_part()),
        parent_id: (pipeline.entity.within.as_ref()).map(|_| entity.parent_id.clone()),
        relations: relations
            .iter()
            .map(|relation| {
                let batched = request.options.batched && relation.batched;
                RelationEntry {
                    relation: relation.name.clone(),
                    status: Status::Started,
                    error: None,
                    updated_at: at.clone(),
                    batched,
                    batches_count: 0,
                    total_objects_count: 0,
                    batches: batched.then(Vec::new),
                    file: None,
                    skipped: Vec::new(),
                    skipped_count: 0,
                    notes: Default::default(),
                }
            })
            .collect(),
    }
}
