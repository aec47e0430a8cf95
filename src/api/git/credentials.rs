//! Who asks by git: a token is the password of any user. Git asks without one first, and is told to come again with it.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::api::App;
use crate::api::access::{self, Access};
use crate::api::errors::ApiError;

const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"relexport\"");

/// Who asks; a stranger is none.
///
/// # Errors
/// There is no token, or no good one.
pub(super) fn access(
    app: &App,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Access, ApiError> {
    let access = match password(headers) {
        Some(token) => access::of_token(app, Some(token)),
        None => access::of(app, query, headers),
    };
    match access {
        Ok(Access::Nobody) => Err(ApiError::unauthorized()),
        known => known,
    }
}

/// The answer to who has no good token: which one is wanted.
pub(super) fn challenge(error: ApiError) -> Response {
    let mut response = error.into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, CHALLENGE);
    response
}

/// The password of basic authentication; `None` without one.
fn password(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (_, password) = text.split_once(':')?;
    (!password.is_empty()).then(|| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_the_token_whoever_the_user_is() {
        let password = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            password(&headers)
        };
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(password(&basic("oauth2:abc")).as_deref(), Some("abc"));
        assert_eq!(password(&basic(":a:c")).as_deref(), Some("a:c"));
        assert_eq!(
            password(&basic("x:y").replace("Basic", "bAsIc")).as_deref(),
            Some("y")
        );
        for wrong in [
            "Basic",
            "Basic !",
            "Bearer abc",
            &basic("abc"),
            &basic("abc:"),
        ] {
            assert_eq!(password(wrong), None, "{wrong}");
        }
    }
}
