//! What a run tells programs: one JSON object a line, each with its `message_type`.

use serde::{Serialize, Serializer};

use super::state::RunState;
use crate::civil::utc_millis_to_iso;
use crate::output::{Manifest, Partial, Status};

/// A line of a run.
#[derive(Debug, Serialize)]
#[serde(tag = "message_type", rename_all = "snake_case")]
pub(crate) enum Event<'e> {
    /// A job begins.
    JobStart {
        job: &'e str,
        run_id: &'e str,
        #[serde(serialize_with = "time")]
        started_at: i64,
        snapshot: Option<&'e str>,
        place: Option<&'e str>,
    },
    /// A relation of an entity is finished, or has failed.
    Relation {
        job: &'e str,
        run_id: &'e str,
        #[serde(rename = "type")]
        kind: &'e str,
        full_path: &'e str,
        relation: &'e str,
        status: &'static str,
        rows: u64,
        bytes: u64,
        error: Option<&'e str>,
    },
    /// A job has ended.
    JobSummary {
        job: &'e str,
        run_id: &'e str,
        state: RunState,
        exit_status: u8,
        #[serde(serialize_with = "time")]
        started_at: i64,
        #[serde(serialize_with = "time")]
        ended_at: i64,
        duration_seconds: f64,
        rows: u64,
        bytes: u64,
        failed_relations: u64,
        place: Option<&'e str>,
        /// Exports that were removed, by the names of their places.
        removed: &'e [String],
        error: Option<&'e str>,
        /// What of the export is partial, if there is one.
        partial: Option<Partial>,
    },
    /// The program ends with another exit status than 0.
    ExitError { code: u8, message: &'e str },
}

/// The relations of an export, each as an event.
pub(crate) fn relations<'e>(
    job: &'e str,
    run_id: &'e str,
    manifest: &'e Manifest,
) -> impl Iterator<Item = Event<'e>> {
    let entities = manifest.entities.iter();
    let relations =
        entities.flat_map(|entity| entity.relations.iter().map(move |entry| (entity, entry)));
    relations.map(move |(entity, entry)| Event::Relation {
        job,
        run_id,
        kind: &entity.kind,
        full_path: &entity.full_path,
        relation: &entry.relation,
        status: match entry.status {
            Status::Started => "started",
            Status::Finished => "finished",
            Status::Failed => "failed",
        },
        rows: entry.total_objects_count,
        bytes: entry.files().map(|file| file.bytes).sum(),
        error: entry.error.as_deref(),
    })
}

/// A time in milliseconds since 1970, as the manifest writes times.
pub(super) fn time<S: Serializer>(millis: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&utc_millis_to_iso(*millis))
}

/// As [`time`], of one that may not be known.
pub(super) fn optional_time<S: Serializer>(millis: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
    match millis {
        Some(millis) => time(millis, to),
        None => to.serialize_none(),
    }
}
