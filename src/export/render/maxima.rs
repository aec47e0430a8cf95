//! Relations of largest values: one object for an entity.

use std::borrow::Cow;
use std::sync::Arc;

use crate::export::values::{self, Codec, ValueError};
use crate::key::rank_among_equal;
use crate::resolve::{
    EntityInfo, Entry, PlanError, PlanMaximum, RowOrder, RowStore, SortColumn, TableId, WholeRow,
};

use super::compile::{Compiler, Reach};
use super::key_text::prefix;
use super::resident::Top;
use super::sorting::key_of;
use super::{BadValue, Rendered, Renderer, Resident, row_of};

/// One key of an object of largest values.
pub(super) struct Maximum {
    prefix: Vec<u8>,
    steps: Vec<Vec<Reach>>,
    table: TableId,
    column: usize,
    order: RowOrder,
    codec: Codec,
}

impl Compiler<'_> {
    /// Compiles a key of an object of largest values.
    pub(super) fn maximum(&self, maximum: &PlanMaximum) -> Result<Maximum, PlanError> {
        let id = maximum.steps.last().map(|step| step.table);
        let id = id.ok_or_else(|| PlanError::NoSteps(maximum.name.clone()))?;
        let table = &self.plan.tables[id];
        let column = table.kept_column(&maximum.column)?;
        let by = SortColumn {
            column,
            form: table.layout[column].form,
            descending: false,
            nulls_last: true,
        };
        Ok(Maximum {
            prefix: prefix(&maximum.name),
            steps: self.steps(&maximum.steps, None, None)?,
            table: id,
            column,
            order: RowOrder::new(vec![by]),
            codec: self.codec(table, column),
        })
    }
}

impl Renderer {
    /// Renders the object of a relation of maxima.
    ///
    /// # Errors
    /// As [`Renderer::render`].
    pub fn maxima(
        &self,
        store: &Arc<RowStore>,
        relation: usize,
        entity: &EntityInfo,
    ) -> Result<Rendered, BadValue> {
        let mut rendered = Rendered {
            objects: 1,
            ..Rendered::default()
        };
        let top = Top::Entity {
            key: &entity.id,
            root: &entity.root,
        };
        rendered.content.push(b'{');
        for maximum in &self.maxima[relation] {
            let mark = rendered.content.len();
            if mark > 1 {
                rendered.content.push(b',');
            }
            rendered.content.extend_from_slice(&maximum.prefix);
            if !self.largest(store, maximum, top, &mut rendered.content)? {
                rendered.content.truncate(mark);
            }
        }
        rendered.content.push(b'}');
        Ok(rendered)
    }

    /// Writes the largest value. False if there is none.
    fn largest(
        &self,
        store: &Arc<RowStore>,
        maximum: &Maximum,
        top: Top<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, BadValue> {
        let table = &self.plan.tables[maximum.table];
        let masks = self.masks.as_deref();
        let bad = |row: &[u8], reason: String| BadValue {
            table: table.name.to_string(),
            key: key_of((maximum.table, table), masks, &WholeRow(row)),
            column: Some(table.layout[maximum.column].name.clone()),
            reason,
        };
        let entries = Resident::of(store)
            .top(&maximum.steps, top)
            .map_err(|error| bad(&[], error.to_string()))?;
        let mut largest: Option<(Vec<u8>, Vec<u8>)> = None;
        for Entry { at, .. } in entries {
            let row = row_of(store, at).map_err(|error| bad(&[], error.to_string()))?;
            let whole = WholeRow(&row);
            let value = whole.field(maximum.column);
            if values::is_null(value) {
                continue;
            }
            if maximum.order.prefix(&whole).is_none() {
                let what = match table.layout[maximum.column].sql_type.is_integer() {
                    true => "integer",
                    false => "value of its type",
                };
                return Err(bad(&row, format!("the value is no {what}")));
            }
            let bytes = maximum.order.bytes(&whole);
            // What is escaped is escaped in both of two equal values.
            let rank = rank_among_equal(value);
            let is_larger = |(other, held): &(Vec<u8>, Vec<u8>)| {
                let by_value = bytes.cmp(other);
                by_value
                    .then_with(|| rank.cmp(&rank_among_equal(held)))
                    .is_gt()
            };
            if largest.as_ref().is_none_or(is_larger) {
                largest = Some((bytes, value.to_vec()));
            }
        }
        match largest {
            None => Ok(false),
            Some((_, value)) => {
                let mask = masks.and_then(|masks| masks.of(maximum.table, maximum.column));
                let said = |error: ValueError| bad(&[], error.to_string());
                let value = match mask {
                    Some(mask) => mask.field(&value).map_err(said)?,
                    None => Cow::Borrowed(value.as_slice()),
                };
                // A column that is written as null has no largest value.
                if values::is_null(&value) {
                    return Ok(false);
                }
                values::write(&maximum.codec, &value, out).map_err(said)?;
                Ok(true)
            }
        }
    }
}
