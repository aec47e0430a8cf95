//! The layouts of the tables: which columns of each are kept, once every node has said what it needs.

use crate::key::KeyForm;
use crate::resolve::keys::RowOrder;
use crate::resolve::plan::error::PlanError;
use crate::resolve::plan::ids::{IdVec, TableId};
use crate::resolve::plan::model::{CollectedColumn, LayoutColumn, PlanTable};

use super::{Planner, TableNeeds};

impl Planner<'_> {
    /// Fixes which columns of each table are kept.
    pub(super) fn fix_layouts(&self) -> Result<IdVec<TableId, PlanTable>, PlanError> {
        let tables = self.tables.enumerate();
        tables
            .map(|(id, needs)| self.fix_layout(id, needs))
            .collect()
    }

    fn fix_layout(&self, id: TableId, needs: &TableNeeds<'_>) -> Result<PlanTable, PlanError> {
        let name = &needs.table.name;
        let columns = needs.table.columns.iter();
        let layout: Vec<LayoutColumn> = columns
            .filter(|column| needs.columns.contains(&column.name))
            .map(|column| LayoutColumn {
                name: column.name.clone(),
                sql_type: column.sql_type.clone(),
                form: KeyForm::of(&column.sql_type, self.catalog),
            })
            .collect();
        let mut table = PlanTable {
            name: name.clone(),
            layout,
            key: Vec::new(),
            key_order: RowOrder::default(),
            key_is_late: needs.key_is_late,
            observed_by: needs.observed_by.clone(),
            in_parts: needs.table.partitioned || self.catalog.has_children(name),
            relatives: {
                let above = self.catalog.holders(name).into_iter().skip(1);
                above.chain(self.catalog.descendants(name)).collect()
            },
            collected: Vec::new(),
        };
        let key: Vec<usize> = needs
            .key
            .iter()
            .map(|column| table.kept_column(column))
            .collect::<Result<_, _>>()?;
        table.set_key(key);
        for (_, relation, column, shape) in self.collected.iter().filter(|it| it.0 == id) {
            table.collected.push(CollectedColumn {
                relation: *relation,
                column: table.kept_column(column)?,
                shape: shape.clone(),
            });
        }
        Ok(table)
    }
}
