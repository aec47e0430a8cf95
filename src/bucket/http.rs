//! HTTP for `object_store`: a client with our TLS and our limits, which notes how each request ended, since the crate's
//! errors tell that in their texts only.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use rustls::{ClientConfig, RootCertStore};

use super::error::{Answer, BucketError};
use super::limits::Limits;

/// At most so much of an error's body is read.
const ERROR_BODY: usize = 64 << 10;

tokio::task_local! {
    /// What has become of the requests of the call that the task is about.
    pub(super) static SEEN: Arc<Seen>;
}

/// The requests of one call.
#[derive(Debug, Default)]
pub(super) struct Seen {
    last: Mutex<Last>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Last {
    pub(super) requests: u32,
    /// Of the request that ended last.
    pub(super) host: String,
    pub(super) answer: Option<Answer>,
}

impl Seen {
    fn note(&self, host: &str, answer: Answer) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.requests += 1;
        host.clone_into(&mut last.host);
        last.answer = Some(answer);
    }

    pub(super) fn last(&self) -> Last {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn note(host: &str, answer: Answer) {
    // Outside of a call of ours nobody would look at it.
    let _ = SEEN.try_with(|seen| seen.note(host, answer));
}

/// Makes clients for buckets, and for the servers that give out credentials.
#[derive(Debug)]
pub(super) struct Connector {
    limits: Limits,
    tls: ClientConfig,
}

impl Connector {
    /// # Errors
    /// If there is no authority to trust.
    pub(super) fn new(limits: &Limits) -> Result<Connector, BucketError> {
        // As everywhere in this program: `ring`, and the authorities that the system trusts, or SSL_CERT_FILE names.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        // Without any, every https server is refused, by name. An endpoint without TLS needs none.
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| BucketError::Client(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Connector {
            limits: limits.clone(),
            tls,
        })
    }

    fn client(&self, options: &ClientOptions) -> reqwest::Result<reqwest::Client> {
        // The crate asks for a second when it wants to know whether the machine itself is given credentials.
        let connect = match options.get_config_value(&ClientConfigKey::ConnectTimeout) {
            Some(limit) if limit == "1s" => Duration::from_secs(1),
            Some(_) | None => self.limits.connect,
        };
        let allows_http = options
            .get_config_value(&ClientConfigKey::AllowHttp)
            .is_some_and(|allows| allows == "true");
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("relexport/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(self.tls.clone())
            .https_only(!allows_http)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(connect)
            .read_timeout(self.limits.idle)
            .pool_idle_timeout(Duration::from_secs(20));
        // Bytes that a peer does not take are not noticed by any other limit until the part's time is over.
        #[cfg(target_os = "linux")]
        {
            builder = builder.tcp_user_timeout(self.limits.idle);
        }
        if let Some(proxy) = options.get_config_value(&ClientConfigKey::ProxyUrl) {
            builder = builder.proxy(reqwest::Proxy::all(proxy)?);
        }
        builder.build()
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = self
            .client(options)
            .map_err(|error| object_store::Error::Generic {
                store: "HTTP client",
                source: Box::new(error.without_url()),
            })?;
        Ok(HttpClient::new(Service { client }))
    }
}

#[derive(Debug)]
struct Service {
    client: reqwest::Client,
}

impl HttpService for Service {
    fn call<'s, 'f>(
        &'s self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let host = request.uri().host().unwrap_or_default().to_owned();
            let response = match self.client.call(request).await {
                Ok(response) => response,
                Err(error) => {
                    note(&host, transport(&error));
                    return Err(retriable(error));
                }
            };
            let status = response.status().as_u16();
            if response.status().is_success() {
                note(&host, Answer::Status { status, code: None });
                return Ok(response);
            }
            let (parts, body) = response.into_parts();
            // An error whose body is cut off or endless is an error by its status.
            let body = match Limited::new(body, ERROR_BODY).collect().await {
                Ok(body) => body.to_bytes(),
                Err(_) => bytes::Bytes::new(),
            };
            let code = code(&parts.headers, &body);
            note(&host, Answer::Status { status, code });
            Ok(HttpResponse::from_parts(
                parts,
                HttpResponseBody::from(body),
            ))
        })
    }
}

/// Whatever breaks a connection may break it once: of calls that can be repeated, all of these are.
fn retriable(error: HttpError) -> HttpError {
    match error.kind() {
        HttpErrorKind::Unknown | HttpErrorKind::Decode => {
            HttpError::new(HttpErrorKind::Interrupted, error)
        }
        _ => error,
    }
}

/// How a request ended that got no answer, or not to the end.
pub(super) fn transport(error: &HttpError) -> Answer {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    Answer::Transport {
        timed_out: error.kind() == HttpErrorKind::Timeout,
        reason: innermost.to_string(),
    }
}

/// The server's code for an error. It is a word, such as `NoSuchBucket`; whatever else stands there is left out.
fn code(headers: &object_store::HeaderMap, body: &[u8]) -> Option<String> {
    let of_header = headers
        .get("x-ms-error-code")
        .and_then(|value| value.to_str().ok());
    let text = String::from_utf8_lossy(body);
    let of_body = || {
        let (_, rest) = text.split_once("<Code>")?;
        Some(rest.split_once("</Code>")?.0)
    };
    let code = of_header.or_else(of_body)?;
    let is_word =
        !code.is_empty() && code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric());
    is_word.then(|| code.to_owned())
}
