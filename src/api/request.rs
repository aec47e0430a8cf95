//! Around every request: the access log, the count, and how its body is read.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::App;
use super::errors::ApiError;

/// Bytes of a request's body at the most; the largest that is meant, a GraphQL query with ids, has a few kilobytes.
const BODY_SIZE: usize = 256 << 10;
/// How long a client may take to send it.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Logs a request and counts it. The query is not logged, for it may hold a token.
pub async fn log(
    State(app): State<App>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    app.metrics.answered(status);
    let headers = response.headers_mut();
    headers
        .entry(header::X_CONTENT_TYPE_OPTIONS)
        .or_insert(HeaderValue::from_static("nosniff"));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    let bytes = response
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(target: "relexport::access", %peer, %method, path, status, bytes, ms, "request");
    response
}

/// Reads a request's body, within limits.
///
/// # Errors
/// 413 where it is too large, 408 where it does not come, 400 where it breaks off.
pub async fn body(body: Body) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(BODY_TIME, Limited::new(body, BODY_SIZE).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "413 Content Too Large",
        )),
        Ok(Err(_)) => Err(ApiError::error(StatusCode::BAD_REQUEST, "400 Bad Request")),
        Err(_) => Err(ApiError::error(
            StatusCode::REQUEST_TIMEOUT,
            "408 Request Timeout",
        )),
    }
}
