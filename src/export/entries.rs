//! What a run says of itself in the manifest: at its beginning, and when the snapshot has been read.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use crate::output::{
    ChoiceEntry, EntityEntry, LeftOutEntry, LeftOutRelationEntry, Manifest, OptionsEntry,
    PipelineEntry, ReadFacts, RedactionEntry, RelationEntry, ResumeEntry, SnapshotEntry, Status,
    TableInParts, TableWithoutData, manifest, now,
};
use crate::pipeline::{Edition, Pipeline};
use crate::resolve::{
    Choice, EntityInfo, Id, KindChoice, KindEntities, KindId, LeftOutRelation, Outcome, Plan,
    Relations, Resolved, RowSource,
};
use crate::snapshot::{Snapshot, TableName};

use super::metadata::{self, Instance};
use super::redact::Masks;
use super::request::ExportRequest;
use super::warnings::{warnings, whole_error, without_data};

/// Entities left out that the manifest names; the others are only counted.
const DESCRIBED: usize = 100;

/// Who writes the manifest.
pub const GENERATOR: &str = concat!("relexport ", env!("CARGO_PKG_VERSION"));

pub(super) fn first_manifest(request: &ExportRequest, snapshot: &Snapshot) -> Manifest {
    Manifest {
        resume: terms(request),
        ..manifest_of(request, snapshot.kind.name(), &snapshot.source)
    }
}

/// What a later run must have in common with this one; `None` for a snapshot that cannot be read a second time.
pub(crate) fn terms(request: &ExportRequest) -> Option<ResumeEntry> {
    let Ok(Some(fingerprint)) = request.open.databases.fingerprint(&request.snapshot) else {
        return None;
    };
    let mut choices = request.kinds.iter();
    let mut choices = choices.by_ref().map(|kind| {
        let mut entry = choice_entry(&kind.choice);
        if let (Some(redaction), Some(names)) = (&request.redaction, &mut entry.named) {
            // The path of a group is a value of a column, too.
            for name in names {
                *name = redaction.name_digest(name);
            }
        }
        entry
    });
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
        no_files: !request.selection.files,
        gitlab_version: request.gitlab_version.clone(),
        source_url: request.source_url.clone(),
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
        conditional_put: None,
        job: request.job.clone(),
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
        suspect: Vec::new(),
        redaction: redaction_entry(request),
        encrypted_for: encrypted_for(request),
        resume: None,
        terms: None,
        warnings: Vec::new(),
        missing_tables: 0,
        tables_without_data: Vec::new(),
        left_out_relations: Vec::new(),
        tables_in_parts: Vec::new(),
        left_out: Vec::new(),
        metadata: None,
        timings: None,
        entities: Vec::new(),
    }
}

/// The pipelines of a run, those that only say what entities lie within among them.
pub(crate) fn pipeline_entries(request: &ExportRequest) -> Vec<PipelineEntry> {
    let entry = |kind: &KindChoice| PipelineEntry {
        name: kind.pipeline.name.clone(),
        sha256: kind.pipeline.sha256.clone(),
    };
    request.kinds.iter().map(entry).collect()
}

/// Entities that were left out, of each kind that has some.
pub(crate) fn left_out_entries(
    request: &ExportRequest,
    left_out: &[KindEntities],
) -> Vec<LeftOutEntry> {
    let entry = |left_out: &KindEntities| LeftOutEntry {
        kind: kind_of(request, left_out.kind).entity.kind.clone(),
        count: left_out.ids.len() as u64,
        ids: left_out.ids.iter().take(DESCRIBED).cloned().collect(),
    };
    left_out.iter().map(entry).collect()
}

/// Tables without data that were taken as empty.
fn tables_without_data(request: &ExportRequest, resolved: &Resolved) -> Vec<TableWithoutData> {
    let entry = |(table, missing): (&TableName, &BTreeSet<TableName>)| TableWithoutData {
        table: table.to_string(),
        parts: missing
            .iter()
            .filter(|it| *it != table)
            .map(ToString::to_string)
            .collect(),
    };
    without_data(request, resolved).map(entry).collect()
}

/// Relations that the snapshot has no table for.
pub(super) fn left_out_relations(plan: &Plan) -> Vec<LeftOutRelationEntry> {
    let entry = |left_out: &LeftOutRelation| LeftOutRelationEntry {
        pipeline: left_out.pipeline.clone(),
        relation: left_out.relation.clone(),
        table: left_out.table.to_string(),
    };
    plan.left_out.iter().map(entry).collect()
}

/// Tables that were read and whose rows stand in others, too.
fn tables_in_parts(outcome: &Outcome) -> Vec<TableInParts> {
    let tables = outcome.tables_in_parts().into_iter();
    let entry = |(table, parts): (TableName, u64)| TableInParts {
        table: table.to_string(),
        parts,
    };
    let mut entries: Vec<TableInParts> = tables.map(entry).collect();
    entries.sort_by(|one, other| one.table.cmp(&other.table));
    entries
}

/// The pipeline of a kind.
pub(super) fn kind_of(request: &ExportRequest, kind: KindId) -> &Pipeline {
    &request.kinds[kind.position()].pipeline
}

/// What stands in place of columns' values, as far as it is known before the snapshot has been read.
pub(crate) fn redaction_entry(request: &ExportRequest) -> Option<RedactionEntry> {
    let redaction = request.redaction.as_ref()?;
    Some(RedactionEntry {
        sha256: redaction.sha256.clone(),
        key_id: redaction.key_id(),
        files: match redaction.keeps_files {
            true => "keep".to_owned(),
            false => "leave_out".to_owned(),
        },
        columns: BTreeMap::new(),
    })
}

/// Whom the files are encrypted for.
pub(super) fn encrypted_for(request: &ExportRequest) -> Vec<String> {
    let recipients = request.recipients.as_ref();
    recipients
        .map(|recipients| recipients.shown())
        .unwrap_or_default()
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
pub(super) fn read_facts(
    request: &ExportRequest,
    outcome: &Outcome,
    masks: Option<&Masks>,
) -> ReadFacts {
    let resolved = &outcome.resolved;
    let entities = 0..resolved.entities.len();
    // A dump is its instant; of a server, the manifest alone tells which one was read, and so with what was taken of one.
    let is_of_server = matches!(resolved.rows, RowSource::Live(_)) || outcome.facts.lsn.is_some();
    let instant = is_of_server.then_some(&outcome.facts);
    ReadFacts {
        entities: entities
            .map(|entity| entry(request, resolved, entity, masks))
            .collect(),
        server_version: outcome.facts.server_version.clone(),
        gitlab_version: stated_version(request, outcome),
        taken_at: instant.and_then(|facts| facts.taken_at.clone()),
        lsn: instant.and_then(|facts| facts.lsn.clone()),
        tables_without_data: tables_without_data(request, resolved),
        left_out_relations: left_out_relations(&resolved.plan),
        tables_in_parts: tables_in_parts(outcome),
        left_out: left_out_entries(request, &resolved.remarks.left_out),
        redacted: masks.map(Masks::words).unwrap_or_default(),
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
pub(super) fn entry(
    request: &ExportRequest,
    resolved: &Resolved,
    entity: usize,
    masks: Option<&Masks>,
) -> EntityEntry {
    entity_entry(request, &resolved.plan, &resolved.entities[entity], masks)
}

/// As [`entry`], of an entity with the relations of a plan.
pub(super) fn entity_entry(
    request: &ExportRequest,
    plan: &Plan,
    entity: &EntityInfo,
    masks: Option<&Masks>,
) -> EntityEntry {
    let at = now();
    let relations = &plan.relations[plan.relations_of(entity)];
    let pipeline = kind_of(request, entity.kind);
    let prefix = pipeline.entity.prefix.clone();
    let prefix = prefix.replace("{key}", &entity.id.folder_part());
    let full_path =
        masks.and_then(|masks| masks.full_path(plan, &pipeline.entity, entity, &prefix));
    EntityEntry {
        id: entity.id.clone(),
        kind: pipeline.entity.kind.clone(),
        full_path: full_path.unwrap_or_else(|| entity.full_path.clone()),
        prefix,
        parent_id: (pipeline.entity.within.as_ref()).map(|_| entity.parent_id.clone()),
        missing_parent: entity.missing_parent.clone(),
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
                    rows_read: None,
                    skipped: Vec::new(),
                    skipped_count: 0,
                    skipped_nested_count: 0,
                    notes: Default::default(),
                }
            })
            .collect(),
    }
}
