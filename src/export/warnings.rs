//! What is wrong with a snapshot, or with a pipeline beside it, though no relation fails for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::advice::advise;
use crate::output::EntityEntry;
use crate::pipeline::{Entity, EntityId, doubtful_keys};
use crate::resolve::{
    KindEntities, Outcome, Plan, PlanSource, Remarks, Resolved, TableId, pipelines_of,
};
use crate::snapshot::{FileSource, TableName};
use crate::visible::visible;

use super::entries::kind_of;
use super::request::ExportRequest;

/// Entities that a warning names.
const NAMED: usize = 10;

/// What of the pipeline the snapshot cannot give.
pub(super) fn plan_warnings(plan: &Plan) -> impl Iterator<Item = String> + '_ {
    let left_out = plan.left_out.iter();
    let left_out = left_out.map(|it| it.says(plan.kinds.len()));
    left_out.chain(plan.warnings.iter().cloned())
}

/// Entities of a kind that have one path, which the map of entities in the metadata can name one of only.
pub(super) fn same_paths(entities: &[EntityEntry]) -> Vec<String> {
    let mut by_path: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for entity in entities {
        let path = (entity.kind.as_str(), entity.full_path.as_str());
        by_path.entry(path).or_default().push(&entity.prefix);
    }
    let same = by_path
        .into_iter()
        .filter(|(_, prefixes)| prefixes.len() > 1);
    same.map(|((kind, path), prefixes)| {
        format!(
            "{kind} {}: {} have this path, and metadata.json.gz names the last of them only, by which GitLab's importer goes",
            visible(path),
            prefixes.join(", ")
        )
    })
    .collect()
}

/// Tables without data that were taken as empty ones, because the request allows it, each with the names of what is missing.
pub(super) fn without_data<'r>(
    request: &ExportRequest,
    resolved: &'r Resolved,
) -> impl Iterator<Item = (&'r TableName, &'r BTreeSet<TableName>)> {
    let is_allowed = request.options.allow_missing;
    let is_read = |table: TableId| resolved.plan.hops_onto(table).next().is_some();
    let missing = resolved.without_data.iter();
    missing
        .filter(move |(table, _)| is_allowed && is_read(**table))
        .map(|(table, names)| (&resolved.plan.tables[*table].name, names))
}

/// What is said of tables without data that were taken as empty ones.
fn taken_as_empty(request: &ExportRequest, resolved: &Resolved) -> Vec<String> {
    let warning = |(name, names): (&TableName, &BTreeSet<TableName>)| {
        let partitions: Vec<String> = names
            .iter()
            .filter(|it| *it != name)
            .map(ToString::to_string)
            .collect();
        match partitions.is_empty() {
            true => format!(
                "table {name} is defined, but the snapshot holds no data for it: taken as empty"
            ),
            false => format!(
                "table {name}: the snapshot holds no data for its partitions {}: taken as empty",
                partitions.join(", ")
            ),
        }
    };
    without_data(request, resolved).map(warning).collect()
}

/// Why relations of files are empty.
pub(super) fn without_files(plan: &Plan, files: &FileSource) -> Option<String> {
    let FileSource::None { why } = files else {
        return None;
    };
    let relations = plan.relations.iter();
    let empty = relations.filter(|it| matches!(it.source, Ok(PlanSource::NoFiles)));
    no_files_in(empty.map(|relation| relation.name.as_str()), why)
}

/// Says of relations of files that they have none.
pub(super) fn no_files_in<'r>(
    relations: impl Iterator<Item = &'r str>,
    why: &str,
) -> Option<String> {
    let names: BTreeSet<&str> = relations.collect();
    let names: Vec<&str> = names.into_iter().collect();
    (!names.is_empty()).then(|| format!("no files in {}: {why}", names.join(", ")))
}

/// Tells what showed only when the snapshot had been read.
pub(super) fn tell_late_warnings(request: &ExportRequest, outcome: &Outcome) {
    for warning in late_warnings(request, outcome) {
        tracing::warn!("{warning}");
    }
    for advice in remarks(request, &outcome.resolved) {
        advise(&advice);
    }
}

/// What may be wrong, and showed only when the snapshot had been read.
fn late_warnings(request: &ExportRequest, outcome: &Outcome) -> Vec<String> {
    let mut warnings = taken_as_empty(request, &outcome.resolved);
    let pipelines = pipelines_of(&request.kinds, &outcome.resolved.entities);
    for pipeline in pipelines.into_iter().flatten() {
        let tables = request.selection.tables(&pipeline);
        let doubtful = doubtful_keys(&pipeline, &outcome.catalog, &tables);
        // Kinds share tables, and so do entities that are schemas.
        let doubtful = doubtful.into_iter();
        let new: Vec<String> = doubtful.filter(|it| !warnings.contains(it)).collect();
        warnings.extend(new);
    }
    warnings
}

/// What is to be told of the entities: so it should be, and it is so every night.
fn remarks(request: &ExportRequest, resolved: &Resolved) -> Vec<String> {
    if request.share.of_plan {
        // It names its entities by their keys, whoever named them before.
        return Vec::new();
    }
    remarks_say(request, &resolved.remarks)
}

/// As [`remarks`], of a request's entities that somebody else has looked for.
pub(crate) fn remarks_say(request: &ExportRequest, remarks: &Remarks) -> Vec<String> {
    let marked = |entities: &KindEntities, what: &str| {
        let entity = &kind_of(request, entities.kind).entity;
        let columns = entity.leave_out.iter();
        let columns: Vec<&str> = columns.map(|condition| condition.column.as_str()).collect();
        let by = format!("marked by {}", columns.join(" and "));
        format!(
            "{}: {what}",
            those(entity, &entities.ids, ("is", "are"), &by)
        )
    };
    let disputed = |entities: &KindEntities| {
        let entity = &kind_of(request, entities.kind).entity;
        let columns = [&entity.ancestors, &entity.parent];
        let columns: Vec<&str> = columns.into_iter().flatten().map(String::as_str).collect();
        let by = format!(
            "below what was named by one alone of {}",
            columns.join(" and ")
        );
        let said = those(entity, &entities.ids, ("lies", "lie"), &by);
        format!("{said}: exported, whichever is out of date")
    };
    let left_out = remarks.left_out.iter();
    let left_out = left_out.map(|it| marked(it, "left out, because nobody named it"));
    let only_named = remarks.only_named.iter();
    let only_named = only_named.map(|it| marked(it, "exported, because it was named"));
    let disputed = remarks.disputed.iter().map(disputed);
    left_out.chain(only_named).chain(disputed).collect()
}

/// What some entities are or do: how many, and which.
fn those(entity: &Entity, ids: &[EntityId], (one, many): (&str, &str), what: &str) -> String {
    let first = ids.iter().take(NAMED);
    let first: Vec<String> = first.map(|id| visible(&id.to_string())).collect();
    let more = match ids.len() > NAMED {
        true => ", …",
        false => "",
    };
    let who = match ids.len() {
        1 => format!("1 {} {one}", entity.kind),
        count => format!("{count} of kind {} {many}", entity.kind),
    };
    format!("{who} {what} ({}{more})", first.join(", "))
}

/// What the snapshot could not give, though no relation failed for it.
pub(super) fn warnings(request: &ExportRequest, outcome: &Outcome) -> Vec<String> {
    outline_warnings(request, outcome, &outcome.resolved.plan)
}

/// As [`warnings`], by another plan than that of the rows.
pub(super) fn outline_warnings(
    request: &ExportRequest,
    outcome: &Outcome,
    plan: &Plan,
) -> Vec<String> {
    // What was told when the snapshot was opened comes first.
    let told = outcome.facts.warnings.iter().cloned();
    told.chain(plan_warnings(plan))
        .chain(plan.advice.iter().cloned())
        .chain(late_warnings(request, outcome))
        .chain(remarks(request, &outcome.resolved))
        .collect()
}

/// Why the whole export is not to be relied on.
pub(super) fn whole_error(request: &ExportRequest, outcome: &Outcome) -> Option<String> {
    if let Some(cut_off) = &outcome.cut_off {
        return Some(cut_off.to_string());
    }
    let mut kinds = request.kinds.iter();
    let kind = kinds.find(|kind| !kind.choice.is_nobody())?;
    let entity = &kind.pipeline.entity;
    outcome.resolved.entities.is_empty().then(|| {
        let lack = match entity.schemas {
            Some(_) => format!("no schema of such a name has a table {}", entity.table.name),
            None => format!("table {} of the snapshot has no row of one", entity.table),
        };
        let kind = &entity.kind;
        format!("there is no {kind} to export: {lack}; `relexport inspect` tells what it holds")
    })
}
