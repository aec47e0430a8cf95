//! Around every request: the access log, the count, and how its body is read.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::App;
use super::errors::ApiError;

/// Bytes of a request's body at the most; the largest that is meant, a GraphQL query with ids, has a few kilobytes.
const BODY_SIZE: usize = 256 << 10;
/// How long a client may take to send it.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub SocketAddr);

/// Logs a request and counts it. The query is not logged, for it may hold a token.
pub(crate) async fn log(
    State(app): State<App>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response = caught(next.run(request)).await;
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

/// The answer; where a fault in this program breaks it off, 500 in place of a connection that ends without a word. What the
/// fault was is on standard error.
async fn caught(answer: impl Future<Output = Response>) -> Response {
    let mut answer = pin!(answer);
    let answered = poll_fn(|context| {
        // What the answer left half-done is not looked at again.
        match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(response)) => Poll::Ready(Ok(response)),
            Err(_) => Poll::Ready(Err("a fault in this program")),
        }
    });
    answered
        .await
        .unwrap_or_else(|error| ApiError::internal("cannot answer", error).into_response())
}

/// Reads a request's body, within limits.
///
/// # Errors
/// 413 where it is too large, 408 where it does not come, 400 where it breaks off.
pub(crate) async fn body(body: Body) -> Result<Bytes, ApiError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_and_what_is_none_passes() {
        let answer = caught(async {
            tokio::task::yield_now().await;
            panic!("on purpose")
        });
        assert_eq!(answer.await.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let answer = caught(async {
            tokio::task::yield_now().await;
            StatusCode::ACCEPTED.into_response()
        });
        assert_eq!(answer.await.status(), StatusCode::ACCEPTED);
    }
}
