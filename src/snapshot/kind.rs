//! The kinds of snapshot, one folder each. [`open`](super::open()) tells them apart by content.

pub mod archive;
pub(crate) mod backup;
pub(crate) mod csv;
pub(crate) mod pgdata;
pub(crate) mod plain;
pub(crate) mod postgres;
