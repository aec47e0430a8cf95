//! Ghosts: the users that stand for deleted ones.
//!
//! No link leads from a group to them, so they are looked for by themselves. In a dump that is read once their table
//! comes last: that takes as long as an export, so it is done behind the requests' backs, once for a snapshot.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::read::{SilentObserver, Source, open};
use super::{DirectoryError, User};
use crate::export::Records;
use crate::output::atomic::replace;
use crate::pipeline::Pipeline;
use crate::resolve::{Choice, KindChoice, Relations, Request, Selection, resolve};

/// The pipeline that says who is one.
const PIPELINE: &str = include_str!("../../../pipelines/ghosts.yml");

/// Reads them from the file of an earlier run, or from the snapshot, and writes the file. Blocks; for a plain thread.
///
/// # Errors
/// Where the snapshot cannot be read, or does not say who is a ghost.
pub(crate) fn read(source: &Source<'_>, path: &Path) -> Result<Vec<User>, DirectoryError> {
    let file_error = |source| DirectoryError::File {
        path: path.display().to_string(),
        source,
    };
    if let Ok(json) = fs::read(path)
        && let Ok(known) = serde_json::from_slice(&json)
    {
        return Ok(known);
    }
    if !source.snapshot.can_be_read_again() {
        // What is taken out of a pipe here would be missing elsewhere.
        return Err(DirectoryError::Plan("the snapshot is a pipe".to_owned()));
    }
    let pipeline = Pipeline::parse(PIPELINE, "pipelines/ghosts.yml")?;
    let request = Request {
        kinds: &[KindChoice {
            pipeline,
            choice: Choice::All,
        }],
        selection: &Selection {
            relations: Relations::All,
            edition: source.edition,
            files: false,
            ..Selection::default()
        },
        limits: source.limits,
        pool: Arc::clone(&source.pool),
        interrupted: Arc::clone(&source.interrupted),
        seal_late: false,
        allow_missing: source.allow_missing,
        strict: false,
        stop_early: true,
    };
    let outcome = resolve(open(source)?, &request, &mut SilentObserver)?;
    if let Some(cut_off) = outcome.cut_off {
        return Err(DirectoryError::Incomplete(cut_off.to_string()));
    }
    let resolved = &outcome.resolved;
    let records = Records::new(resolved).map_err(DirectoryError::Plan)?;
    let mut found = Vec::new();
    for entity in &resolved.entities {
        found.extend(records.of("user", entity).map_err(file_error)?);
    }
    let list = found.join(&b',');
    let json = [&b"["[..], &list[..], &b"]"[..]].concat();
    replace(path, &json).map_err(file_error)?;
    serde_json::from_slice(&json).map_err(|error| file_error(io::Error::other(error)))
}
