//! Snapshots of several databases as one, where each can be asked or opened by itself. Streams become one stream in
//! [`kind::plain`](crate::snapshot::kind::plain).

mod keyed;
mod tables;

pub(super) use keyed::KeyedDatabases;
pub(super) use tables::TableDatabases;

use std::sync::Arc;

use crate::snapshot::catalog::Catalog;

/// The catalogs of all, in their order.
fn catalogs(catalogs: &[Arc<Catalog>]) -> Vec<Option<&Catalog>> {
    catalogs.iter().map(|catalog| Some(&**catalog)).collect()
}
