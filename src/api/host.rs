//! Guards a server without tokens against web pages: a browser on the same machine reaches the loopback address, too,
//! whatever page it shows.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::App;
use super::errors::ApiError;

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// True for the names that only this machine answers to.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// True for a request that no foreign page can have made: its host is not a name that an attacker may point here, and
/// where it changes something it does not come from another origin.
fn is_own(method: &Method, host: Option<&str>, origin: Option<&str>) -> bool {
    let Some(host) = host.filter(|host| is_loopback(host)) else {
        return false;
    };
    let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    is_safe
        || origin.is_none_or(|origin| {
            let (_, of) = origin.split_once("://").unwrap_or(("", origin));
            of == host
        })
}

/// Refuses what a foreign page may have sent, where there are no tokens.
pub(crate) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = text(headers, header::HOST).or_else(|| request.uri().host());
    let origin = text(headers, header::ORIGIN);
    if app.tokens.is_some() || is_own(request.method(), host, origin) {
        next.run(request).await
    } else {
        ApiError::forbidden().into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_pages_are_refused() {
        let cases = [
            (Method::GET, Some("127.0.0.1:8080"), None, true),
            (Method::GET, Some("localhost"), None, true),
            (Method::GET, Some("[::1]:8080"), None, true),
            (Method::GET, Some("LOCALHOST:1"), None, true),
            (Method::GET, None, None, false),
            (Method::GET, Some("rebind.example:8080"), None, false),
            (Method::GET, Some("127.0.0.1.example"), None, false),
            (
                Method::POST,
                Some("localhost:8080"),
                Some("http://localhost:8080"),
                true,
            ),
            (
                Method::POST,
                Some("localhost:8080"),
                Some("http://page.example"),
                false,
            ),
            (
                Method::POST,
                Some("localhost:8080"),
                Some("http://localhost:9090"),
                false,
            ),
            (Method::POST, Some("localhost:8080"), Some("null"), false),
            (Method::POST, Some("localhost:8080"), None, true),
        ];
        for (method, host, origin, expected) in cases {
            assert_eq!(
                is_own(&method, host, origin),
                expected,
                "{method} {host:?} {origin:?}"
            );
        }
    }
}
