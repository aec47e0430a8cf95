//! Measuring exports with other batch sizes, numbers of threads and gzip levels against each other.
//!
//! A [`Sweep`] says what is combined; each combination is a [`Point`]. [`run()`] lets the points take turns, so that a
//! drift of the machine hits all alike, and each round begins with another point. A run is a whole export in a process
//! of its own, or, where the rows are found once for all, the writing of these rows (the code is that of an
//! export). That all points write the same records is checked. What comes out is a [`BenchResult`], which
//! [`csv`] and [`html`] show, and [`compare`] holds against another.

pub(crate) mod compare;
mod content;
pub(crate) mod csv;
pub(crate) mod html;
mod machine;
mod point;
mod recommend;
mod result;
mod runner;
mod statistics;
mod svg;

pub(crate) use machine::fingerprint;
pub(crate) use point::{Point, Sweep};
pub(crate) use result::{BenchResult, PointResult, Run, RunScope, read, schema};
pub(crate) use runner::{Bench, BenchError, BenchObserver, BenchRequest, run};
