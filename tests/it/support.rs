//! What tests share: `use crate::support::*` for the program, the fixture and the folder of an export; the rest by name.

pub(crate) mod api;
pub(crate) mod archive;
pub(crate) mod backup;
pub(crate) mod cli;
pub(crate) mod keyed;
pub(crate) mod live;
pub(crate) mod server;

mod faked_time;
mod fixture;
mod folder;
mod patience;
mod program;

pub(crate) use faked_time::*;
pub(crate) use fixture::*;
pub(crate) use folder::*;
pub(crate) use patience::*;
pub(crate) use program::*;
