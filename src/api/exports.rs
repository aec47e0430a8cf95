//! Exports: which groups and projects are to be exported, are being exported, or have been; on disk and in memory.
//!
//! A [`Run`] is one read of the snapshot for one or many of them; its folder holds a request and the engine's output
//! folder. The [`Queue`] gives runs to a few plain threads. What one has is two runs at the most: the last one
//! that was asked for, which its status tells of, and the last one that is complete, which stays downloadable until a
//! newer one is.

mod data_folder;
mod known;
mod lost_files;
mod manifest_view;
mod progress;
mod queue;
mod run;
mod worker;

pub(crate) use data_folder::{DataFolder, DataFolderError, SnapshotFolder};
pub(crate) use progress::EntityProgress;
pub(crate) use queue::{FamilyRole, Order, Queue, QueueFull};
pub(crate) use run::{Run, RunOptions, State};
pub(crate) use worker::{Engine, Workers};
