//! What tests share: `use crate::support::*` for the program, the fixture and the folder of an export; the rest by name.

pub mod api;
pub mod archive;
pub mod cli;
pub mod keyed;
pub mod live;
pub mod server;

mod fixture;
mod folder;
mod patience;
mod program;

pub use fixture::*;
pub use folder::*;
pub use patience::*;
pub use program::*;
