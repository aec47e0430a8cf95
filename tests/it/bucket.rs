//! Exports to buckets: real servers take them, and a proxy between that breaks what can break.

mod faults;
mod looking;
mod proxy;
pub(crate) mod servers;
mod shared;
pub(crate) mod shelf;
mod writing;
