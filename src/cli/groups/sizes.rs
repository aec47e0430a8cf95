//! How large the files of groups and projects are: those of a backup, as its members and rows say.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::args::{EntityArgs, ExportArgs, GroupsArgs, SnapshotArgs};
use crate::cli::console::Console;
use crate::cli::exit::Failure;
use crate::cli::progress::Progress;
use crate::cli::setup;
use crate::export::dry_run;
use crate::pipeline::EntityId;
use crate::visible::visible;

/// Bytes of an entity's files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Sizes {
    /// Of the bundles of its repository, and of that of its designs.
    pub repository_bytes: u64,
    pub uploads: u64,
    pub uploads_bytes: u64,
    pub lfs_objects: u64,
    pub lfs_objects_bytes: u64,
}

/// The sizes of what is listed, by kind and id.
pub(super) type SizesById = BTreeMap<(String, EntityId), Sizes>;

/// Reads the rows that name files, and the names of the backup's members.
///
/// # Errors
/// If the snapshot cannot be read, or a relation of files would fail.
pub(super) fn sizes(args: &GroupsArgs, console: &Console) -> Result<SizesById, Failure> {
    let files = ["uploads", "lfs_objects", "repository", "design"];
    let files = match args.projects {
        true => &files[..],
        false => &files[..1],
    };
    let snapshot = SnapshotArgs {
        snapshot: args.snapshot.snapshot.clone(),
        pipeline: args.snapshot.pipeline.clone(),
        allow_missing: args.snapshot.allow_missing,
        server: args.snapshot.server.clone(),
    };
    let entities = EntityArgs {
        all_groups: !args.projects,
        all_projects: args.projects,
        ..EntityArgs::default()
    };
    let export = ExportArgs {
        relation: files.iter().map(|name| (*name).to_owned()).collect(),
        ..ExportArgs::new(snapshot, entities)
    };
    let request = setup::request(&export, console)?;
    let mut progress = Progress::new(console);
    let counted = dry_run(&request, None, &mut progress);
    progress.finish();
    let mut sizes = SizesById::new();
    for entity in counted?.entities {
        let mut own = Sizes::default();
        for relation in &entity.relations {
            if let Some(error) = &relation.error {
                tracing::warn!(
                    "{} of {}: {error}",
                    relation.relation,
                    visible(&entity.full_path)
                );
            }
            let (rows, bytes) = (relation.rows, relation.bytes);
            match relation.relation.as_str() {
                "uploads" => (own.uploads, own.uploads_bytes) = (rows, bytes),
                "lfs_objects" => (own.lfs_objects, own.lfs_objects_bytes) = (rows, bytes),
                // No others were asked for.
                _ => own.repository_bytes += bytes,
            }
        }
        sizes.insert((entity.kind, entity.id), own);
    }
    Ok(sizes)
}
