//! The address that clients know the server by, for links in answers.

use axum::http::{HeaderMap, Uri, header};

use super::App;

/// Scheme, host and relative root, without a slash at the end.
pub(crate) fn base(app: &App, headers: &HeaderMap) -> String {
    let root = &app.options.relative_url_root;
    if let Some(external) = &app.options.external_url {
        return external.trim_end_matches('/').to_owned();
    }
    let scheme = if app.options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let listen = app.options.listen.to_string();
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        // What is put into an answer's links must not be able to end them.
        .filter(|host| {
            host.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".:-[]_".contains(&byte))
        })
        .unwrap_or(&listen);
    format!("{scheme}://{host}{root}")
}

/// The address of a request, without its query.
pub(crate) fn of(app: &App, headers: &HeaderMap, uri: &Uri) -> String {
    let base = base(app, headers);
    let path = uri.path();
    let root = &app.options.relative_url_root;
    format!("{base}{}", path.strip_prefix(root.as_str()).unwrap_or(path))
}
