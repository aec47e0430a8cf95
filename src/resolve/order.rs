//! The order that a pipeline gives rows, before that of their key.

use crate::pipeline::OrderBy;

use super::keys::{RowOrder, SortColumn};
use super::plan::{PlanError, PlanTable};

/// An order of a table's rows, as its layout has their columns.
///
/// # Errors
/// If the plan contradicts itself.
pub fn row_order(table: &PlanTable, order: &[OrderBy]) -> Result<RowOrder, PlanError> {
    let columns = order.iter().map(|by| {
        let column = table.kept_column(&by.column)?;
        Ok(SortColumn {
            column,
            form: table.layout[column].form,
            descending: by.descending,
            nulls_last: by.nulls_last,
        })
    });
    Ok(RowOrder::new(columns.collect::<Result<_, _>>()?))
}
