//! Shelves: which exports stay and which go, and what is never touched.

mod forget;
mod nights;
mod restic;
pub(crate) mod shelf;
