//! The rows of a server, to be asked for when they are needed.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::resolve::error::ResolveError;
use crate::resolve::keys::Key;
use crate::resolve::plan::{HopId, Plan};
use crate::resolve::request::Limits;
use crate::snapshot::{Catalog, KeyedSource};

use super::ask::{AskFailure, Asker, TakeFound};
use super::presence::Presence;
use super::shelf::Shelf;

/// Rows of a plan's relations that are asked for when they are needed.
#[derive(Clone)]
pub struct Live {
    pub(super) plan: Arc<Plan>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) source: Arc<dyn KeyedSource>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) presence: Arc<Presence>,
    /// For what has to be fetched whole.
    pub(super) limits: Limits,
}

impl Live {
    pub(super) fn asker(&self) -> Asker<'_> {
        Asker {
            plan: &self.plan,
            catalog: &self.catalog,
            source: self.source.as_ref(),
        }
    }

    /// Asks for the rows that a hop finds by these keys, and hands them out with their ids.
    ///
    /// # Errors
    /// `take`'s, and the server's: rows that it refuses are an error, whatever they are for.
    pub(in crate::resolve) fn rows_of(
        &self,
        hop: HopId,
        keys: &[Key],
        interrupted: &AtomicBool,
        take: TakeFound<'_, ResolveError>,
    ) -> Result<(), ResolveError> {
        let asked = self.asker().hop(hop, keys, interrupted, &mut |id, row| {
            take(id, row).map_err(AskFailure::Run)
        });
        asked.map_err(|failure| match failure {
            AskFailure::Run(error) => error,
            AskFailure::Relation(refusal) => refusal.into(),
        })
    }
}
