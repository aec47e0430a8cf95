//! `/-/openapi.json`: the description of this API.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Written by hand; a fuzzer holds the server against it.
const DESCRIPTION: &str = include_str!("openapi.json");

/// Answers the request.
pub async fn get() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION).into_response()
}
