//! Pings: a run tells a monitoring service that it began and how it ended, in the manner of Healthchecks
//! (<https://healthchecks.io/docs/http_api/>) and what imitates it.
//!
//! `URL/start` when it begins, `URL/<exit status>` when it ends, both with `?rid=<id of the run>`; the end of the log is the
//! body. The address is a secret, so messages name its host alone.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, StatusCode, Url};
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Runtime;

use super::run_id::RunId;
use super::secret::Secret;
use crate::interruption::{LOOK_EVERY, is_asked_for};

#[cfg(test)]
mod tests;

/// How long one try may take, from the first byte to the last one.
const LIMIT: Duration = Duration::from_secs(10);

/// How often it is tried.
const TRIES: u32 = 3;

/// How long it is waited before the second try; twice as long before the third.
const PAUSE: Duration = Duration::from_millis(500);

/// Bytes of the log that are sent.
pub(crate) const LOG_BYTES: usize = 10_000;

/// What a ping tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PingKind {
    Start,
    End { exit_status: u8 },
}

/// Why a ping did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PingError {
    #[error(
        "cannot ping: the address is none of http or https\n  write it as https://hc-ping.com/<uuid>"
    )]
    Address,
    #[error(
        "cannot ping {host}: {reason}\n  see that the address is right, and that the host can be reached from here"
    )]
    NotSent { host: String, reason: String },
    #[error("cannot ping: {0}\n  this machine lacks what every program needs to use the network")]
    System(String),
}

/// Sends pings.
#[derive(Debug)]
pub(crate) struct Pinger {
    client: Client,
    runtime: Runtime,
}

impl Pinger {
    /// # Errors
    /// If the system lacks what it takes.
    pub(crate) fn new() -> Result<Pinger, PingError> {
        let system = |error: &dyn std::fmt::Display| PingError::System(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| system(&error))?;
        let client = Client::builder()
            .user_agent(concat!("relexport/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls().map_err(|error| system(&error))?)
            .timeout(LIMIT)
            .build()
            .map_err(|error| system(&error.without_url()))?;
        Ok(Pinger { client, runtime })
    }

    /// Sends one ping, and tries again what may help.
    ///
    /// # Errors
    /// If it did not arrive.
    pub(crate) fn ping(
        &self,
        url: &Secret,
        kind: PingKind,
        run: &RunId,
        log: &str,
    ) -> Result<(), PingError> {
        let address = address(url.expose(), kind, run).ok_or(PingError::Address)?;
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            let sent = self.runtime.block_on(async {
                tokio::select! {
                    sent = self.send(&address, log) => sent,
                    // How a run ended is told after a signal, too.
                    () = ended(), if kind == PingKind::Start => Err(Reason {
                        text: "interrupted".to_owned(),
                        may_pass: false,
                    }),
                }
            });
            match sent {
                Ok(()) => return Ok(()),
                Err(reason) if tries == TRIES || !reason.may_pass => {
                    return Err(PingError::NotSent {
                        host: address.host_str().unwrap_or_default().to_owned(),
                        reason: reason.text,
                    });
                }
                Err(reason) => tracing::debug!("a ping is tried again: {}", reason.text),
            }
            std::thread::sleep(pause);
            pause *= 2;
            tries += 1;
        }
    }

    async fn send(&self, address: &Url, log: &str) -> Result<(), Reason> {
        let request = self
            .client
            .post(address.clone())
            .header("Content-Type", "text/plain; charset=utf-8")
            .body(log.to_owned());
        let response = request.send().await.map_err(|error| Reason {
            text: innermost(&error.without_url()),
            may_pass: true,
        })?;
        let status = response.status();
        match status.is_success() {
            true => Ok(()),
            false => Err(Reason {
                text: format!("it answers with status {}", status.as_u16()),
                may_pass: status.is_server_error()
                    || status == StatusCode::TOO_MANY_REQUESTS
                    || status == StatusCode::REQUEST_TIMEOUT,
            }),
        }
    }
}

/// Comes when the process was asked to end.
async fn ended() {
    while !is_asked_for() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Why one try failed.
struct Reason {
    text: String,
    /// True if another try may help.
    may_pass: bool,
}

/// What stands at the end of an error's causes, which says more than "error sending request".
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", LIMIT.as_secs());
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The address that a ping goes to. A query that the address has stays.
fn address(url: &str, kind: PingKind, run: &RunId) -> Option<Url> {
    let mut address = Url::parse(url.trim()).ok()?;
    if !matches!(address.scheme(), "http" | "https") {
        return None;
    }
    let last = match kind {
        PingKind::Start => "start".to_owned(),
        PingKind::End { exit_status } => exit_status.to_string(),
    };
    address.path_segments_mut().ok()?.pop_if_empty().push(&last);
    address.query_pairs_mut().append_pair("rid", run.as_str());
    Some(address)
}

/// As everywhere in this program: `ring`, and the authorities that the system trusts, or `SSL_CERT_FILE` names.
fn tls() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
