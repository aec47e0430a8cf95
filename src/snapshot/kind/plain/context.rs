//! What is known while a statement of a plain dump is judged.

use crate::snapshot::event::TableFilter;
use crate::snapshot::sql::ddl::Ddl;
use crate::snapshot::table_name::TableName;

/// What is known besides while a statement is judged.
#[derive(Clone, Copy)]
pub(crate) struct Context<'c> {
    pub(crate) ddl: &'c Ddl,
    pub(crate) wanted: TableFilter<'c>,
    /// The database that the tables so far are in, where it was named.
    pub(crate) database: Option<&'c str>,
}

impl Context<'_> {
    pub(crate) fn is_needed(&self, table: &TableName) -> bool {
        let holders = self.ddl.catalog().holders(table);
        holders.iter().any(|holder| (self.wanted)(holder))
    }
}
