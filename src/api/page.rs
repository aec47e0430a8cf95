//! The page at `/`: what a person sees in a browser. It is part of the program and asks nobody else for anything.
//!
//! Nothing on it needs a token; what it shows comes from the API, to which it sends the reader's token.

use std::sync::LazyLock;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use sha2::{Digest, Sha256};

use super::App;
use super::conditional::Validators;
use super::errors::ApiError;
use crate::hex;

/// Scripts and styles come from this server's files alone, so text that became markup by mistake could still not run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
    validators: Validators,
}

impl Asset {
    fn new(name: &'static str, content: &'static str) -> Self {
        let media_type = match name.rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            Some(_) | None => "text/html; charset=utf-8",
        };
        Asset {
            name,
            media_type,
            content,
            validators: Validators::new(&hex::encode(&Sha256::digest(content)), None),
        }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let mut response = match self.validators.is_not_modified(headers) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(header::CONTENT_TYPE, self.media_type)], self.content).into_response(),
        };
        let headers = response.headers_mut();
        self.validators.add_to(headers);
        for (name, value) in [
            // A browser asks each time whether its copy is still right: another version has the same addresses.
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

static INDEX: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("index.html", include_str!("page/index.html")));

static ASSETS: LazyLock<[Asset; 12]> = LazyLock::new(|| {
    [
        Asset::new("page.css", include_str!("page/page.css")),
        Asset::new("icon.svg", include_str!("page/icon.svg")),
        Asset::new("archive.js", include_str!("page/archive.js")),
        Asset::new("main.js", include_str!("page/main.js")),
        Asset::new("server.js", include_str!("page/server.js")),
        Asset::new("tree.js", include_str!("page/tree.js")),
        Asset::new("entity.js", include_str!("page/entity.js")),
        Asset::new("relations.js", include_str!("page/relations.js")),
        Asset::new("picture.js", include_str!("page/picture.js")),
        Asset::new("manifest.js", include_str!("page/manifest.js")),
        Asset::new("dom.js", include_str!("page/dom.js")),
        Asset::new("format.js", include_str!("page/format.js")),
    ]
});

/// `GET /`.
pub(crate) async fn index(headers: HeaderMap) -> Response {
    INDEX.answer(&headers)
}

/// `GET /gitlab` where `/gitlab/` is the page: its addresses are relative to the latter.
pub(crate) async fn with_slash(State(app): State<App>) -> Redirect {
    Redirect::permanent(&format!("{}/", app.options.relative_url_root))
}

/// `GET /-/page/:name`: a file of the page.
pub(crate) async fn asset(
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    asset
        .map(|asset| asset.answer(&headers))
        .ok_or_else(ApiError::no_route)
}
