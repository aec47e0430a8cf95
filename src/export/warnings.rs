//! What is wrong with a snapshot, or with a pipeline beside it, though no relation fails for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::advice::advise;
use crate::output::EntityEntry;
use crate::pipeline::doubtful_keys;
use crate::resolve::{LeftOutEntities, Outcome, Plan, PlanSource, Resolved, TableId, pipelines_of};
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
    for advice in left_out(request, &outcome.resolved) {
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

/// Entities that are taken only if they are named: those that were left out, and those that were named.
/// So it should be, and it is so every night.
fn left_out(request: &ExportRequest, resolved: &Resolved) -> Vec<String> {
    if request.share.of_plan {
        // It names its entities by their keys, whoever named them before.
        return Vec::new();
    }
    left_out_says(request, &resolved.left_out, &resolved.only_named)
}

/// As [`left_out`], of a request's entities that somebody else has looked for.
pub(crate) fn left_out_says(
    request: &ExportRequest,
    left_out: &[LeftOutEntities],
    only_named: &[LeftOutEntities],
) -> Vec<String> {
    let say = |entities: &LeftOutEntities, what: &str| {
        let entity = &kind_of(request, entities.kind).entity;
        let columns: Vec<&str> = entity
            .leave_out
            .iter()
            .map(|condition| condition.column.as_str())
            .collect();
        let first = entities.ids.iter().take(NAMED);
        let first: Vec<String> = first.map(|id| visible(&id.to_string())).collect();
        let more = match entities.ids.len() > NAMED {
            true => ", …",
            false => "",
        };
        format!(
            "{} {} by {} ({}{more}): {what}",
            entities.ids.len(),
            match entities.ids.len() {
                1 => format!("{} is marked", entity.kind),
                _ => format!("of kind {} are marked", entity.kind),
            },
            columns.join(" and "),
            first.join(", ")
        )
    };
    let not_taken = left_out.iter();
    let not_taken = not_taken.map(|it| say(it, "left out, because nobody named it"));
    let named = only_named.iter();
    let named = named.map(|it| say(it, "exported, because it was named"));
    not_taken.chain(named).collect()
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
        .chain(left_out(request, &outcome.resolved))
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
