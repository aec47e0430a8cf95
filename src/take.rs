//! Taking snapshots: the tables that a pipeline needs, out of any snapshot, as a folder of CSV files that can be
//! exported from again and again.
//!
//! Tables are read as blocks, written as CSV and compressed on the pool, block by block, each a zstd frame of its own;
//! so memory holds some blocks of each table that is being read, and never a table. Everything is written into a folder
//! beside the final place, `snapshot.json` last; the complete folder then takes its place. One read may also be cut into
//! several snapshots, each with the rows of some entities (`shards.rs`), which may then be put into a bucket (`put.rs`).

mod error;
mod files;
mod groups;
mod manifest;
mod put;
mod ranges;
mod request;
mod run;
mod shards;
mod tables;
pub(crate) mod verify;
mod whole;

pub use error::TakeError;
pub(crate) use manifest::read as read_manifest;
pub use manifest::{SourceEntry, Taken};
pub use put::{check_place, put_shards};
pub use request::{TakeObserver, TakeRequest};
pub(crate) use run::take;
pub use shards::{TakenShard, TakenShards, take_shards};
