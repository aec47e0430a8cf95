//! `/version`, `/metadata` and `/personal_access_tokens/self`: what a destination asks before anything else.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::App;
use super::access::{Access, Authenticated};
use super::errors::ApiError;

/// What is reported where neither the snapshot nor an option says it: a version that destinations take everything
/// from that an export holds.
const UNKNOWN_VERSION: &str = "17.0.0";

#[derive(Serialize)]
pub(crate) struct Version {
    version: String,
    revision: &'static str,
    kas: Kas,
    enterprise: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kas {
    enabled: bool,
    external_url: Option<String>,
    external_k8s_proxy_url: Option<String>,
    version: Option<String>,
}

/// The version that is reported, and whether it is of the Enterprise Edition.
pub(crate) fn reported(app: &App) -> Result<(String, bool), ApiError> {
    let instance = &app.directory()?.instance;
    let option = app.options.engine.gitlab_version.as_deref();
    let version = option.or(instance.version.as_deref());
    let enterprise = match option {
        Some(option) if option.ends_with("-ee") => true,
        Some(option) if option.ends_with("-ce") => false,
        Some(_) | None => instance.enterprise,
    };
    Ok((version.unwrap_or(UNKNOWN_VERSION).to_owned(), enterprise))
}

/// Answers both `/version` and `/metadata`.
pub(crate) async fn version(
    State(app): State<App>,
    _: Authenticated,
) -> Result<Json<Version>, ApiError> {
    let (version, enterprise) = reported(&app)?;
    Ok(Json(Version {
        version,
        revision: concat!("relexport-", env!("CARGO_PKG_VERSION")),
        kas: Kas {
            enabled: false,
            external_url: None,
            external_k8s_proxy_url: None,
            version: None,
        },
        enterprise,
    }))
}

#[derive(Serialize)]
pub(crate) struct PersonalAccessToken {
    id: usize,
    name: String,
    revoked: bool,
    created_at: String,
    description: Option<String>,
    scopes: [&'static str; 1],
    user_id: usize,
    last_used_at: Option<String>,
    active: bool,
    granular: bool,
    expires_at: Option<String>,
}

/// What a token says of itself.
pub(crate) async fn personal_access_token(
    State(app): State<App>,
    Authenticated(access): Authenticated,
) -> Json<PersonalAccessToken> {
    let mut answer = PersonalAccessToken {
        id: 0,
        name: "loopback".to_owned(),
        revoked: false,
        created_at: app.started_at.clone(),
        description: None,
        scopes: ["api"],
        user_id: 0,
        last_used_at: None,
        active: true,
        granular: false,
        expires_at: None,
    };
    if let Access::Token(token) = access {
        answer.id = token.id;
        answer.name = token.name.clone().unwrap_or_else(|| "token".to_owned());
        if let Some(day) = &token.created {
            answer.created_at = format!("{day}T00:00:00.000Z");
        }
        if token.read_only {
            answer.scopes = ["read_api"];
        }
        answer.expires_at = token.expires.map(|day| day.to_string());
    }
    Json(answer)
}
