//! Taking snapshots: the tables that a pipeline needs, out of any snapshot, as a folder of CSV files that can be
//! exported from again and again.
//!
//! Tables are read as blocks, written as CSV and compressed on the pool, block by block, each a zstd frame of its own;
//! so memory holds some blocks of each table that is being read, and never a table. Everything is written into a folder
//! beside the final place, `snapshot.json` last; the complete folder then takes its place.

mod error;
mod files;
mod groups;
mod manifest;
mod request;
mod run;
mod tables;
pub(crate) mod verify;
mod whole;

pub(crate) use error::TakeError;
pub(crate) use manifest::read as read_manifest;
pub(crate) use request::{TakeObserver, TakeRequest};
pub(crate) use run::take;
