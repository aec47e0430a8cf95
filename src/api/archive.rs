//! `GET /-/relexport/groups/:id/archive`, and the same of a project: a whole export as one tar, streamed from disk.
//!
//! What is in it is an export folder as `relexport export` writes one, of the chosen entities alone: the manifest and the
//! metadata of a run name all of its entities, and not every one of them is the asker's business. So these two are written
//! anew; the other files are the run's own.

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use serde_json::{Map, Value};
use tar::{EntryType, Header};

use super::App;
use super::archive_body::{ArchiveBody, ArchivePiece};
use super::control::wants_subgroups;
use super::directory::Directory;
use super::entity::{EntityRef, Kind};
use super::errors::ApiError;
use super::exportable::{Exportable, family};
use super::exports::Run;
use super::params::Params;
use crate::output::{
    Contents, ENTITIES_MAPPING, EntityEntry, FileEntry, FileReader, entities_mapping, layout,
    manifest, metadata_file,
};

/// Bytes of a tar's blocks.
const BLOCK: u64 = 512;
/// Letters of the folder in the tar; a tar's names have 100.
const NAME: usize = 60;

/// The entity, and where wanted all that lies in it.
pub(crate) fn chosen(
    directory: &Directory,
    entity: EntityRef,
    subgroups: bool,
) -> HashSet<EntityRef> {
    let mut chosen = HashSet::from([entity]);
    if subgroups {
        chosen.extend(family(directory, entity));
    }
    chosen
}

/// The newest run of an entity that everything of these entities is in; `None` where there is none.
pub(crate) fn complete_run(
    app: &App,
    entity: EntityRef,
    all: &HashSet<EntityRef>,
) -> Option<Arc<Run>> {
    let runs = app.queue.runs_of(entity);
    let both = runs.newest.into_iter().chain(runs.complete);
    let mut runs = both.filter(|run| all.is_subset(&*run.complete_entities()));
    runs.next()
}

/// Bytes of the files that entities have in a run.
pub(crate) fn size(run: &Run, all: &HashSet<EntityRef>) -> u64 {
    let manifest = run.manifest();
    let entities = manifest.iter().flat_map(|manifest| &manifest.entities);
    let files = entities
        .filter(|entry| EntityRef::of(entry).is_some_and(|entity| all.contains(&entity)))
        .flat_map(|entity| &entity.relations)
        .flat_map(|relation| relation.files());
    files.map(|file| file.bytes).sum()
}

/// Answers the request.
pub(crate) async fn get<E: Exportable>(
    State(app): State<App>,
    asked: E,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::of_query(query.as_deref())?;
    let entity = asked.entity();
    let subgroups = wants_subgroups(entity, &params)?;
    let all = chosen(app.directory()?, entity, subgroups);
    let run = complete_run(&app, entity, &all).ok_or_else(|| {
        ApiError::not_found(match (entity.kind, subgroups) {
            (Kind::Group, true) => {
                "404 Not Found: no export of the group with all that lies in it is complete"
            }
            (Kind::Group, false) => "404 Not Found: no export of the group is complete",
            (Kind::Project, _) => "404 Not Found: no export of the project is complete",
        })
    })?;
    let name = name(entity, asked.full_path(), subgroups);
    let folder = name.clone();
    let parts = tokio::task::spawn_blocking(move || parts(run, &all, &folder));
    let parts = match parts.await {
        Ok(Ok(parts)) => parts,
        Ok(Err(error)) => return Err(ApiError::internal("cannot read an export", error)),
        Err(error) => return Err(ApiError::internal("cannot read an export", error)),
    };
    app.metrics.downloads.inc();
    let body = ArchiveBody::new(parts, app.metrics.downloaded_bytes.clone());
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-tar"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.left()));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    let disposition = format!("attachment; filename=\"{name}.tar\"");
    if let Ok(value) = HeaderValue::try_from(disposition) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok((headers, Body::new(body)).into_response())
}

/// What the folder in the tar is called, and the tar: the full path in letters that every system takes.
fn name(entity: EntityRef, full_path: &str, subgroups: bool) -> String {
    let plain = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() || letter == '-' || letter == '.' => letter,
        _ => '_',
    };
    let path: String = full_path.chars().take(NAME).map(plain).collect();
    let what = match (entity.kind, subgroups) {
        (Kind::Group, true) => "tree",
        (kind, _) => kind.word(),
    };
    format!("{what}_{}_{}", entity.id, path.trim_matches('.'))
}

/// The parts of the tar, in order.
fn parts(run: Arc<Run>, all: &HashSet<EntityRef>, folder: &str) -> io::Result<Vec<ArchivePiece>> {
    let mut own = run
        .manifest_of(all)
        .ok_or_else(|| io::Error::other("the export has no manifest"))?;
    let (entry, metadata) = metadata(run.contents(), &own.entities, folder)?;
    own.metadata = Some(entry);
    let mut json = serde_json::to_vec_pretty(&own)?;
    json.push(b'\n');
    // A run that is over changes no file any more.
    let changed = run.contents().read(manifest::FILE_NAME)?.modified()?;
    let time = changed
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let mut parts = Vec::new();
    for (name, content) in [(manifest::FILE_NAME, json), (layout::METADATA, metadata)] {
        let length = content.len() as u64;
        let head = head(&format!("{folder}/{name}"), length, time)?;
        parts.push(ArchivePiece::Bytes(Bytes::from(head)));
        parts.push(ArchivePiece::Bytes(Bytes::from(content)));
        parts.push(padding(length));
    }
    let relations = own.entities.iter().flat_map(|entity| &entity.relations);
    for file in relations.flat_map(|relation| relation.files()) {
        let head = head(&format!("{folder}/{}", file.file), file.bytes, time)?;
        parts.push(ArchivePiece::Bytes(Bytes::from(head)));
        parts.push(ArchivePiece::File {
            run: Arc::clone(&run),
            name: file.file.clone(),
            length: file.bytes,
        });
        parts.push(padding(file.bytes));
    }
    // Two empty blocks end a tar.
    parts.push(ArchivePiece::Bytes(Bytes::from_static(
        &[0; 2 * BLOCK as usize],
    )));
    Ok(parts)
}

fn head(path: &str, length: u64, time: u64) -> io::Result<Vec<u8>> {
    let mut header = Header::new_ustar();
    header.set_path(path)?;
    header.set_size(length);
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_mtime(time);
    header.set_cksum();
    Ok(header.as_bytes().to_vec())
}

/// What fills a file's last block.
fn padding(length: u64) -> ArchivePiece {
    const EMPTY: [u8; BLOCK as usize] = [0; BLOCK as usize];
    // Less than a block.
    let missing = (length.next_multiple_of(BLOCK) - length) as usize;
    ArchivePiece::Bytes(Bytes::from_static(&EMPTY).slice(..missing))
}

/// The metadata with the chosen entities alone, and with the name of their folder.
fn metadata(
    contents: &dyn Contents,
    entities: &[EntityEntry],
    folder: &str,
) -> io::Result<(FileEntry, Vec<u8>)> {
    let mut json = Vec::new();
    GzDecoder::new(FileReader::new(contents.read(layout::METADATA)?)).read_to_end(&mut json)?;
    let mut metadata: Map<String, Value> = serde_json::from_slice(&json)?;
    metadata.insert(
        ENTITIES_MAPPING.to_owned(),
        entities_mapping(entities).into(),
    );
    metadata.insert("export_prefix".to_owned(), folder.into());
    metadata_file(Value::Object(metadata).to_string().as_bytes(), None)
}
