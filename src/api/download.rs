//! `GET /groups/:id/export_relations/download`, and the same of a project: a file of an export, streamed from disk.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headers::{ContentRange, HeaderMapExt};

use super::App;
use super::conditional::{Requested, Validators};
use super::entity::{EntityRef, Kind};
use super::errors::ApiError;
use super::exportable::Exportable;
use super::exports::Run;
use super::file_body::FileBody;
use super::params::Params;
use super::status;
use crate::output::{FileEntry, Status, StoredFile};

/// Answers the request.
pub(crate) async fn get<E: Exportable>(
    State(app): State<App>,
    asked: E,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params::of_query(query.as_deref())?;
    if !params.has("relation") {
        return Err(ApiError::bad_parameter("relation is missing"));
    }
    let relation = params.text("relation")?.unwrap_or_default();
    let batched = params.boolean("batched")?;
    let number = params.integer("batch_number")?;
    let entity = asked.entity();
    if entity.kind == Kind::Project && !status::is_known(&app, entity.kind, &relation) {
        return Err(ApiError::bad_parameter("relation is not portable"));
    }
    if params.has("batched") != params.has("batch_number") {
        return Err(ApiError::bad_parameter(
            "batched, batch_number provide all or none of parameters",
        ));
    }
    let batch = match batched {
        Some(true) => Some(number.unwrap_or_default()),
        Some(false) | None => None,
    };
    let (run, found) = find(&app, entity, &relation, batch)?;
    let name = found.file.clone();
    let relation_name = relation.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let file = run.contents().read(&name).inspect_err(|_| {
            // From now on the status says so, and who asks for the export gets a new one.
            run.look_for_files(entity, Some(&relation_name));
        })?;
        let changed = file.modified()?;
        // Until here the run keeps its folder; from here on the file is open.
        drop(run);
        io::Result::Ok((file, changed))
    });
    let (file, changed) = match opened.await {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ApiError::not_found("404 Not Found"));
        }
        Ok(Err(error)) => return Err(ApiError::internal("cannot open a file", error)),
        Err(error) => return Err(ApiError::internal("cannot open a file", error)),
    };
    app.metrics.downloads.inc();
    Ok(answer(&app, &relation, &found, file, changed, &headers))
}

/// The file that a request names, and the run that keeps it.
///
/// The newest run's file once it is there; until then that of the last complete run, so that there is always one after
/// the first export.
fn find(
    app: &App,
    entity: EntityRef,
    relation: &str,
    batch: Option<i64>,
) -> Result<(Arc<Run>, FileEntry), ApiError> {
    let runs = app.queue.runs_of(entity);
    let none = || ApiError::not_found("Export not found");
    let newest = runs.newest.ok_or_else(none)?;
    let row = |run: &Run| status::row_of(app, run, entity, relation);
    let mut found = (row(&newest).ok_or_else(none)?, newest);
    if found.0.status != Status::Finished
        && let Some(complete) = runs.complete
        && let Some(row) = row(&complete)
    {
        found = (row, complete);
    }
    let (row, run) = found;
    let file = match (batch, &row.batches) {
        (Some(_), None) => {
            return Err(ApiError::message(
                StatusCode::BAD_REQUEST,
                "Export is not batched",
            ));
        }
        (None, Some(_)) => {
            return Err(ApiError::message(
                StatusCode::BAD_REQUEST,
                "Export is batched",
            ));
        }
        (Some(number), Some(batches)) => batches
            .iter()
            .find(|batch| i64::from(u32::from(batch.batch_number)) == number)
            .ok_or_else(|| ApiError::not_found("Batch not found"))?
            .file
            .clone()
            .ok_or_else(|| ApiError::not_found("Batch file not found"))?,
        (None, None) => row
            .file
            .ok_or_else(|| ApiError::not_found("Export file not found"))?,
    };
    Ok((run, file))
}

fn answer(
    app: &App,
    relation: &str,
    found: &FileEntry,
    file: Arc<dyn StoredFile>,
    changed: SystemTime,
    headers: &HeaderMap,
) -> Response {
    let validators = Validators::new(&found.sha256, Some(changed));
    // A batch has its number in the folder's name only, as in GitLab.
    let endings = [".ndjson.gz", ".tar.gz"];
    let ending = endings
        .into_iter()
        .find(|ending| found.file.ends_with(ending));
    let name = format!("{relation}{}", ending.unwrap_or(".json.gz"));
    let disposition = format!("attachment; filename=\"{name}\"; filename*=UTF-8''{name}");
    let mut answer = HeaderMap::new();
    validators.add_to(&mut answer);
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answer.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    if validators.are_refused(headers) {
        return (StatusCode::PRECONDITION_FAILED, answer).into_response();
    }
    if validators.is_not_modified(headers) {
        return (StatusCode::NOT_MODIFIED, answer).into_response();
    }
    let (status, bytes) = match validators.requested(headers, found.bytes) {
        Requested::Whole => (StatusCode::OK, 0..found.bytes),
        Requested::Bytes(bytes) => {
            // Its ends are known, and it is not empty.
            if let Ok(range) = ContentRange::bytes(bytes.clone(), found.bytes) {
                answer.typed_insert(range);
            }
            (StatusCode::PARTIAL_CONTENT, bytes)
        }
        Requested::OutOfReach => {
            let mut response = ApiError::error(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "416 Range Not Satisfiable",
            )
            .into_response();
            let range = ContentRange::unsatisfied_bytes(found.bytes);
            response.headers_mut().typed_insert(range);
            return response;
        }
    };
    if let Ok(value) = HeaderValue::try_from(disposition) {
        answer.insert(header::CONTENT_DISPOSITION, value);
    }
    answer.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    answer.insert(
        HeaderName::from_static("content-transfer-encoding"),
        HeaderValue::from_static("binary"),
    );
    let length = HeaderValue::from(bytes.end - bytes.start);
    answer.insert(header::CONTENT_LENGTH, length);
    let body = FileBody::new(file, bytes, app.metrics.downloaded_bytes.clone());
    (status, answer, Body::new(body)).into_response()
}
