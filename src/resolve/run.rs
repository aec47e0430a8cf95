//! One run: a snapshot of whatever kind, driven past a resolver.

use crate::snapshot::{Access, Snapshot};
use crate::visible::visible;

use super::entities::{Choice, EntityError};
use super::error::ResolveError;
use super::live::resolve_live;
use super::request::{Observer, Outcome, Request};
use super::stream::resolve_stream;
use super::tables::resolve_tables;

/// Finds all rows that the request needs, in one read of the snapshot. Of a snapshot that finds rows itself only the
/// entities are asked for.
///
/// # Errors
/// Where the snapshot cannot be read or trusted, the entities are not there, or temp files cannot be written.
pub fn resolve(
    snapshot: Snapshot,
    request: &Request<'_>,
    observer: &mut dyn Observer,
) -> Result<Outcome, ResolveError> {
    let entity = &request.pipeline.entity;
    let by_family = matches!(
        request.choice,
        Choice::Named {
            descendants: true,
            ..
        }
    );
    if by_family && entity.parent.is_none() && entity.ancestors.is_none() {
        let (kind, pipeline) = (entity.kind.clone(), request.pipeline.name.clone());
        return Err(EntityError::NoFamily { kind, pipeline }.into());
    }
    let outcome = match snapshot.access {
        Access::Stream(source) => resolve_stream(source, request, observer),
        Access::Tables(source) => resolve_tables(&source.into(), request, observer),
        Access::Keyed(source) => resolve_live(source, request, observer),
    }?;
    // What was taken for some entities looks whole for every other, too. Who only looks around sees whose rows are there.
    let is_list = request.stop_early && *request.choice == Choice::All;
    if !is_list
        && let Some(only) = &outcome.facts.only
        && let Some(other) = outcome
            .resolved
            .entities
            .iter()
            .find(|entity| !only.contains(&entity.id))
    {
        return Err(ResolveError::Limited {
            kind: request.pipeline.entity.kind.clone(),
            wanted: visible(&other.full_path),
        });
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests;
