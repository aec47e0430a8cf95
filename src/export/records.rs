//! Records in memory: what of a resolved pipeline is rendered without becoming an export.

use std::sync::Arc;

use crate::resolve::{EntityInfo, Resolved, RowSource, RowStore};

use super::render::Renderer;

/// Renders records of resolved entities, one relation of one entity at a time.
pub struct Records<'a> {
    resolved: &'a Resolved,
    store: &'a Arc<RowStore>,
    renderer: Renderer,
}

impl<'a> Records<'a> {
    /// Compiles the plan of what was resolved. Rows that cannot be rendered will be left out, and logged.
    ///
    /// # Errors
    /// A message where the plan contradicts itself, or the rows are a live server's: those are asked for batch by batch.
    pub fn new(resolved: &'a Resolved) -> Result<Self, String> {
        let RowSource::Kept(store) = &resolved.rows else {
            return Err("the rows of a live server are not kept".to_owned());
        };
        Ok(Records {
            resolved,
            store,
            renderer: Renderer::new(resolved, true, false).map_err(|error| error.to_string())?,
        })
    }

    /// The records of a relation of an entity, a JSON object each, in order of the primary key; none where the
    /// snapshot does not have the relation's table.
    ///
    /// # Errors
    /// Where rows were moved out of memory and cannot be read back.
    pub fn of(&self, relation: &str, entity: &EntityInfo) -> std::io::Result<Vec<Vec<u8>>> {
        let plan = &self.resolved.plan;
        let mut own = plan.relations_of(entity);
        let Some(position) = own.find(|at| plan.relations[*at].name == relation) else {
            return Ok(Vec::new());
        };
        let renderer = &self.renderer;
        let mut records = Vec::new();
        let entries = renderer.top_level(self.store, position, entity)?;
        if let Some(reason) = renderer.more_than_one(self.store, position, &entries) {
            tracing::warn!("left out: {reason}");
            return Ok(records);
        }
        for entry in entries {
            let entries = [entry];
            let resident = renderer.load(self.store, position, &entries)?;
            match renderer.render(position, &entries, &resident, false) {
                Ok(rendered) if rendered.objects > 0 => records.push(rendered.content),
                Ok(rendered) => {
                    for bad in &rendered.skipped {
                        tracing::warn!("left out: {bad}");
                    }
                }
                Err(bad) => tracing::warn!("left out: {bad}"),
            }
        }
        Ok(records)
    }
}
