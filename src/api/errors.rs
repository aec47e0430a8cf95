//! Errors as GitLab's API tells them: the status code and the JSON body.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub status: StatusCode,
    pub body: Value,
    /// Seconds after which asking again may help.
    pub retry_after: Option<u64>,
}

impl ApiError {
    /// GitLab's own errors have the key `message`.
    pub(crate) fn message(status: StatusCode, text: &str) -> Self {
        Self::with_body(status, json!({ "message": text }))
    }

    /// Those of its framework have the key `error`.
    pub(crate) fn error(status: StatusCode, text: &str) -> Self {
        Self::with_body(status, json!({ "error": text }))
    }

    fn with_body(status: StatusCode, body: Value) -> Self {
        ApiError {
            status,
            body,
            retry_after: None,
        }
    }

    /// A parameter is missing or has the wrong form.
    pub(crate) fn bad_parameter(text: impl AsRef<str>) -> Self {
        Self::error(StatusCode::BAD_REQUEST, text.as_ref())
    }

    pub(crate) fn group_not_found() -> Self {
        Self::message(StatusCode::NOT_FOUND, "404 Group Not Found")
    }

    pub(crate) fn project_not_found() -> Self {
        Self::message(StatusCode::NOT_FOUND, "404 Project Not Found")
    }

    /// A row or file of an export that is not there.
    pub(crate) fn not_found(text: &str) -> Self {
        Self::message(StatusCode::NOT_FOUND, text)
    }

    /// No such route.
    pub(crate) fn no_route() -> Self {
        Self::error(StatusCode::NOT_FOUND, "404 Not Found")
    }

    pub(crate) fn wrong_method() -> Self {
        Self::error(StatusCode::METHOD_NOT_ALLOWED, "405 Not Allowed")
    }

    pub(crate) fn unauthorized() -> Self {
        Self::message(StatusCode::UNAUTHORIZED, "401 Unauthorized")
    }

    /// A token that was good once.
    pub(crate) fn invalid_token(description: &str) -> Self {
        Self::with_body(
            StatusCode::UNAUTHORIZED,
            json!({ "error": "invalid_token", "error_description": description }),
        )
    }

    /// A token that may read only, asked to do more.
    pub(crate) fn insufficient_scope() -> Self {
        Self::with_body(
            StatusCode::FORBIDDEN,
            json!({
                "error": "insufficient_scope",
                "error_description":
                    "The request requires higher privileges than provided by the access token.",
                "scope": "api",
            }),
        )
    }

    pub(crate) fn forbidden() -> Self {
        Self::message(StatusCode::FORBIDDEN, "403 Forbidden")
    }

    /// The queue is full.
    pub(crate) fn too_many_exports() -> Self {
        ApiError {
            retry_after: Some(30),
            ..Self::message(
                StatusCode::TOO_MANY_REQUESTS,
                "429 Too Many Requests: the queue of exports is full",
            )
        }
    }

    /// As many programs run as may.
    pub(crate) fn busy() -> Self {
        ApiError {
            retry_after: Some(10),
            ..Self::message(
                StatusCode::SERVICE_UNAVAILABLE,
                "503 Service Unavailable: too many fetches at the same time",
            )
        }
    }

    /// The server is ending.
    pub(crate) fn ending() -> Self {
        Self::message(
            StatusCode::SERVICE_UNAVAILABLE,
            "503 Service Unavailable: the server is ending",
        )
    }

    /// The groups and projects of the snapshot are still being read.
    pub(crate) fn not_ready() -> Self {
        ApiError {
            retry_after: Some(5),
            ..Self::message(
                StatusCode::SERVICE_UNAVAILABLE,
                "503 Service Unavailable: the groups of the snapshot are still being read",
            )
        }
    }

    /// Something is wrong on this side; the log says what.
    pub(crate) fn internal(context: &str, error: impl std::fmt::Display) -> Self {
        tracing::error!("{context}: {error}");
        Self::message(
            StatusCode::INTERNAL_SERVER_ERROR,
            "500 Internal Server Error",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
