//! Settings of a bucket, under the names that the clouds' own tools gave them: `AWS_*`, `AZURE_*`, `GOOGLE_*`.

use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientConfigKey, ClientOptions};

use super::Objects;
use super::error::BucketError;
use super::http::Connector;
use super::limits::Limits;
use super::url::{BucketUrl, Cloud};
use crate::environment;

/// Environment variables that a cloud's settings may be among.
pub(super) struct Variables(Vec<(String, String)>);

impl Variables {
    /// Those of this process, and of the job that runs. What is no text is none that a cloud has named.
    pub(super) fn of_process() -> Variables {
        let texts = environment::variables()
            .into_iter()
            .filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.into_string().ok()?))
            });
        Variables(texts.collect())
    }

    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &str)]) -> Variables {
        let owned = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Variables(owned.collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Those that begin so and are not empty: an empty one is unset, as for the clouds' own tools.
    fn beginning(&self, with: &'static str) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter(move |(name, value)| name.starts_with(with) && !value.is_empty())
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn setting(variable: &str, reason: impl Into<String>) -> BucketError {
    BucketError::Setting {
        variable: variable.to_owned(),
        reason: reason.into(),
    }
}

/// A client for a bucket. Nothing is asked of the network.
///
/// # Errors
/// If a setting cannot be used.
pub(super) fn connect(
    url: &BucketUrl,
    limits: &Limits,
    variables: &Variables,
) -> Result<Arc<dyn Objects>, BucketError> {
    let connector = Connector::new(limits)?;
    match url.cloud() {
        Cloud::S3 => {
            let builder = s3(variables)?
                .with_bucket_name(url.bucket())
                .with_retry(limits.retry())
                .with_http_connector(connector);
            Ok(Arc::new(builder.build().map_err(wrong)?))
        }
        Cloud::Google => {
            let builder = google(variables)?
                .with_bucket_name(url.bucket())
                .with_retry(limits.retry())
                .with_http_connector(connector);
            Ok(Arc::new(builder.build().map_err(wrong)?))
        }
        Cloud::Azure => {
            let builder = azure(variables)?
                .with_container_name(url.bucket())
                .with_retry(limits.retry())
                .with_http_connector(connector);
            Ok(Arc::new(builder.build().map_err(wrong)?))
        }
    }
}

/// What the crate says of settings that do not go together. Its messages may hold a setting's value, so they are not
/// repeated.
fn wrong(error: object_store::Error) -> BucketError {
    let store = match &error {
        object_store::Error::Generic { store, .. } => store,
        _ => "bucket",
    };
    BucketError::Client(format!(
        "the settings of {store} in the environment do not go together, or one has no value that it may have; \
         docs/buckets.md lists them"
    ))
}

/// Client settings that a cloud's variable may make. What else the crate knows of would be set in vain: TLS, limits and
/// proxies are this program's.
fn check_client(variable: &str, key: ClientConfigKey) -> Result<(), BucketError> {
    match key {
        ClientConfigKey::AllowHttp | ClientConfigKey::ProxyUrl => Ok(()),
        ClientConfigKey::AllowInvalidCertificates => Err(setting(
            variable,
            "certificates are always checked; name a file with the authority by SSL_CERT_FILE",
        )),
        _ => Err(setting(
            variable,
            "it is not supported; limits of time are set by RELEXPORT_BUCKET_…",
        )),
    }
}

/// An endpoint without TLS shows everything to whoever listens, so it is used only where that was said.
fn check_endpoint(
    variables: &Variables,
    endpoints: &[&str],
    allow: &str,
) -> Result<(), BucketError> {
    let is_allowed = variables
        .get(allow)
        .is_some_and(|value| matches!(value, "true" | "1" | "yes" | "on"));
    for variable in endpoints {
        let Some(endpoint) = variables.get(variable).filter(|value| !value.is_empty()) else {
            continue;
        };
        if endpoint.contains('@') {
            return Err(setting(variable, "it holds a name or a password"));
        }
        if endpoint.starts_with("http://") && !is_allowed {
            return Err(setting(
                variable,
                format!("it is an endpoint without TLS; use https://, or set {allow}=true"),
            ));
        }
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return Err(setting(
                variable,
                "it does not begin with https:// or http://",
            ));
        }
    }
    Ok(())
}

fn s3(variables: &Variables) -> Result<AmazonS3Builder, BucketError> {
    check_endpoint(
        variables,
        &["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"],
        "AWS_ALLOW_HTTP",
    )?;
    let has_key = variables.get("AWS_ACCESS_KEY_ID").is_some();
    if !has_key && variables.get("AWS_PROFILE").is_some() {
        return Err(setting(
            "AWS_PROFILE",
            "profiles are not read; run \"aws configure export-credentials --format env\" and set what it prints",
        ));
    }
    let mut builder = AmazonS3Builder::new().with_client_options(ClientOptions::new());
    for (name, value) in variables.beginning("AWS_") {
        // What is left out here is another tool's, as AWS_PAGER is.
        let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() else {
            continue;
        };
        match key {
            // The address says which bucket.
            AmazonS3ConfigKey::Bucket => {}
            AmazonS3ConfigKey::Checksum => {
                return Err(setting(
                    name,
                    "checksums of the server's own do not go with large objects; those of the manifest are always made",
                ));
            }
            AmazonS3ConfigKey::ConditionalPut | AmazonS3ConfigKey::CopyIfNotExists => {
                return Err(setting(
                    name,
                    "what the server can do is found out by itself",
                ));
            }
            AmazonS3ConfigKey::Client(client) => {
                check_client(name, client)?;
                builder = builder.with_config(key, value);
            }
            _ => builder = builder.with_config(key, value),
        }
    }
    Ok(builder)
}

fn google(variables: &Variables) -> Result<GoogleCloudStorageBuilder, BucketError> {
    check_endpoint(variables, &["GOOGLE_BASE_URL"], "GOOGLE_ALLOW_HTTP")?;
    let mut builder = GoogleCloudStorageBuilder::new().with_client_options(ClientOptions::new());
    for (name, value) in variables.beginning("GOOGLE_") {
        let Ok(key) = name.to_ascii_lowercase().parse::<GoogleConfigKey>() else {
            continue;
        };
        match key {
            GoogleConfigKey::Bucket => {}
            GoogleConfigKey::Client(client) => {
                check_client(name, client)?;
                builder = builder.with_config(key, value);
            }
            _ => builder = builder.with_config(key, value),
        }
    }
    Ok(builder)
}

fn azure(variables: &Variables) -> Result<MicrosoftAzureBuilder, BucketError> {
    check_endpoint(
        variables,
        &["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"],
        "AZURE_ALLOW_HTTP",
    )?;
    let mut builder = MicrosoftAzureBuilder::new().with_client_options(ClientOptions::new());
    // The names of the `az` program, which the crate does not know.
    for (name, key) in [
        ("AZURE_STORAGE_ACCOUNT", AzureConfigKey::AccountName),
        ("AZURE_STORAGE_KEY", AzureConfigKey::AccessKey),
    ] {
        if let Some(value) = variables.get(name).filter(|value| !value.is_empty()) {
            builder = builder.with_config(key, value);
        }
    }
    for (name, value) in variables.beginning("AZURE_") {
        let Ok(key) = name.to_ascii_lowercase().parse::<AzureConfigKey>() else {
            continue;
        };
        match key {
            AzureConfigKey::ContainerName => {}
            AzureConfigKey::Client(client) => {
                check_client(name, client)?;
                builder = builder.with_config(key, value);
            }
            _ => builder = builder.with_config(key, value),
        }
    }
    Ok(builder)
}
