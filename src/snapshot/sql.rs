//! SQL text: tokens, names, definitions (DDL), rows of INSERT statements, what frames a dump, and a `schema.sql` that
//! is written.

pub(crate) mod ddl;
pub(crate) mod frame;
pub(crate) mod inserts;
pub(crate) mod names;
pub(crate) mod schema;
pub(crate) mod start;
pub(crate) mod text;
