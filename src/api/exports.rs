//! Exports: which groups are to be exported, are being exported, or have been; on disk and in memory.
//!
//! A [`Run`] is one read of the snapshot for one or many groups; its folder holds a request and the engine's output
//! folder. The [`Queue`] gives runs to a few plain threads. What a group has is two runs at the most: the last one
//! that was asked for, which its status tells of, and the last one that is complete, which stays downloadable until a
//! newer one is.

mod data_folder;
mod progress;
mod queue;
mod run;
mod worker;

pub(crate) use data_folder::{DataFolder, DataFolderError, SnapshotFolder};
pub(crate) use progress::GroupProgress;
pub(crate) use queue::{Queue, QueueFull};
pub(crate) use run::{Run, State, entity};
pub(crate) use worker::{Engine, Workers};
