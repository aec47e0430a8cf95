//! Measuring exports with other batch sizes, numbers of threads and gzip levels against each other.
//!
//! A [`Sweep`] says what is combined; each combination is a [`Point`]. [`run()`] lets the points take turns, so that a
//! drift of the machine hits all alike, and each round begins with another point. A run is a whole export in a process
//! of its own, or, where the rows are found once for all, the writing of these rows (the code is that of an
//! export). That all points write the same records is checked. What comes out is a [`BenchResult`], which
//! [`csv`] and [`html`] show, and [`compare`] holds against another.

pub mod compare;
mod content;
pub mod csv;
pub mod html;
mod machine;
mod point;
mod recommend;
mod result;
mod runner;
mod statistics;
mod svg;

pub use content::RelationContent;
pub use machine::Machine;
pub(crate) use machine::fingerprint;
pub use point::{Point, Sweep};
pub use result::{
    BenchOptions, BenchResult, PointResult, Recommendation, ResultError, Run, RunScope,
    SnapshotFacts, Written, read, schema,
};
pub use runner::{Bench, BenchError, BenchObserver, BenchRequest, run};
pub use statistics::{Ratio, Spread};
