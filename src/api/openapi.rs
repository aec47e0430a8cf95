//! `/-/openapi.json`: the description of this API.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Written by hand; tests hold it to the table of the routes and to the running server, and a fuzzer the server to it.
pub(super) const DESCRIPTION: &str = include_str!("openapi.json");

/// Answers the request.
pub(crate) async fn get() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION).into_response()
}
