//! One run: a snapshot of whatever kind, driven past a resolver.

use crate::snapshot::{Access, Snapshot};
use crate::visible::visible;

use super::entities::{Choice, EntityError, KindChoice};
use super::error::ResolveError;
use super::live::resolve_live;
use super::plan::Id;
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
    check_families(request.kinds)?;
    let outcome = match snapshot.access {
        Access::Stream(source) => resolve_stream(source, request, observer),
        Access::Tables(source) => resolve_tables(&source.into(), request, observer),
        Access::Keyed(source) => resolve_live(source, request, observer),
    }?;
    check_limits(request, &outcome)?;
    Ok(outcome)
}

/// Makes sure that descendants are asked for only of kinds that have some.
fn check_families(kinds: &[KindChoice]) -> Result<(), EntityError> {
    for KindChoice { pipeline, choice } in kinds {
        let entity = &pipeline.entity;
        let by_family = matches!(
            choice,
            Choice::Named {
                descendants: true,
                ..
            }
        );
        if by_family && entity.parent.is_none() && entity.ancestors.is_none() {
            let (kind, pipeline) = (entity.kind.clone(), pipeline.name.clone());
            return Err(EntityError::NoFamily { kind, pipeline });
        }
    }
    Ok(())
}

/// Makes sure that the snapshot was taken with the rows of the entities: what was taken for some of them looks whole for every
/// other, too. Who only looks around sees whose rows are there.
fn check_limits(request: &Request<'_>, outcome: &Outcome) -> Result<(), ResolveError> {
    for entity in &outcome.resolved.entities {
        let KindChoice { pipeline, choice } = &request.kinds[entity.kind.position()];
        let is_list = request.stop_early && *choice == Choice::All;
        let only = outcome.facts.only_of(&pipeline.name);
        if let (Some(only), false) = (only, is_list)
            && !only.contains(&entity.id)
        {
            return Err(ResolveError::Limited {
                kind: pipeline.entity.kind.clone(),
                wanted: visible(&entity.full_path),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
