//! TLS to a server: which certificates are trusted, as libpq's `sslmode` says it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

/// How much TLS is asked for, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SslMode {
    Disable,
    /// Without it first, and with it where the server wants it.
    Allow,
    /// With it first, and without where the server has none.
    Prefer,
    Require,
    /// The certificate must be signed by a trusted authority.
    VerifyCa,
    /// And bear the host's name.
    VerifyFull,
}

/// What is said of TLS.
#[derive(Debug, Clone)]
pub(super) struct TlsSettings {
    pub(super) mode: SslMode,
    /// TLS begins at once, without PostgreSQL's own question for it (PostgreSQL 17).
    pub(super) direct: bool,
    pub(super) only_13: bool,
    /// The host's name goes to the server in clear text, so that proxies can tell servers apart.
    pub(super) name_is_sent: bool,
    /// The authorities that the system trusts, in place of a file.
    pub(super) system_roots: bool,
    /// File with the trusted authorities.
    pub(super) root: Option<PathBuf>,
    /// The client's own certificate and its key.
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

impl TlsSettings {
    /// What rustls needs for a connection.
    ///
    /// # Errors
    /// A file that is needed is not there or cannot be used.
    pub(super) fn config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[&rustls::SupportedProtocolVersion] = match self.only_13 {
            true => &[&rustls::version::TLS13],
            false => rustls::ALL_VERSIONS,
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|error| format!("TLS cannot be used: {error}"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self.verifier(provider)?));
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let key = self.key.as_ref().ok_or_else(|| {
                    format!(
                        "there is a client certificate, {}, but no key; name it by sslkey",
                        certificate.display()
                    )
                })?;
                builder
                    .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                    .map_err(|error| {
                        format!(
                            "the client certificate {} cannot be used: {error}",
                            certificate.display()
                        )
                    })?
            }
        };
        config.enable_sni = self.name_is_sent;
        // Servers before 17 do not look at it; later ones insist on it where TLS begins at once.
        if self.direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(config)
    }

    fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Verifier, String> {
        let mut roots = Vec::new();
        if self.system_roots {
            roots = rustls_native_certs::load_native_certs().certs;
            if roots.is_empty() {
                return Err(
                    "the system trusts no certificate authority; install ca-certificates, or name a file by sslrootcert"
                        .to_owned(),
                );
            }
        } else if let Some(path) = &self.root {
            if path.exists() {
                roots = certificates(path)?;
            } else if self.mode >= SslMode::VerifyCa {
                return Err(format!(
                    "the root certificate file {} does not exist",
                    path.display()
                ));
            }
        } else if self.mode >= SslMode::VerifyCa {
            return Err(
                "there is no root certificate to check the server's with; name its file by sslrootcert, put it into \
                 ~/.postgresql/root.crt, or use sslrootcert=system"
                    .to_owned(),
            );
        }
        let chain = match roots.is_empty() {
            true => None,
            false => {
                let mut store = RootCertStore::empty();
                let (added, _) = store.add_parsable_certificates(roots.iter().cloned());
                if added == 0 {
                    return Err("none of the root certificates can be used".to_owned());
                }
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone())
                        .build()
                        .map_err(|error| {
                            format!("the root certificates cannot be used: {error}")
                        })?;
                Some(verifier)
            }
        };
        Ok(Verifier {
            chain,
            roots: match self.system_roots {
                true => Vec::new(),
                false => roots,
            },
            checks_name: self.mode == SslMode::VerifyFull,
            provider,
        })
    }
}

/// The certificates of a PEM file.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map(Ok)
        .unwrap_or_else(Err);
    match found {
        Ok(found) if found.is_empty() => {
            Err(format!("there is no certificate in {}", path.display()))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(format!(
            "the certificates in {} cannot be read: {error}",
            path.display()
        )),
    }
}

/// The key of a PEM file that others may not read.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let shown = path.display();
    let metadata =
        fs::metadata(path).map_err(|error| format!("the key {shown} cannot be read: {error}"))?;
    // A key of root's may be read by a group, as Debian's snake oil is.
    let forbidden = match metadata.uid() {
        0 => 0o037,
        _ => 0o077,
    };
    if metadata.permissions().mode() & forbidden != 0 {
        return Err(format!(
            "the key {shown} can be read by others, so it is not used; chmod 0600 it"
        ));
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| {
        format!(
            "the key {shown} cannot be read (keys with a passphrase are not supported): {error}"
        )
    })
}

/// Checks a server's certificate as far as `sslmode` wants it checked.
#[derive(Debug)]
struct Verifier {
    /// `None` where no authority is known, and so every certificate will do.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// What the file of authorities holds.
    roots: Vec<CertificateDer<'static>>,
    checks_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        let checked =
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match checked {
            // The name is looked at last, so all else is well.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.checks_name => Ok(ServerCertVerified::assertion()),
            // A server that signed its certificate itself, and that very certificate is the trusted file. Its dates
            // have been looked at before this error is given.
            Err(rustls::Error::InvalidCertificate(error))
                if is_own_authority(&error) && self.roots.contains(end_entity) =>
            {
                if self.checks_name {
                    let parsed = rustls::server::ParsedCertificate::try_from(end_entity)?;
                    rustls::client::verify_server_name(&parsed, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn is_own_authority(error: &CertificateError) -> bool {
    let CertificateError::Other(other) = error else {
        return false;
    };
    matches!(
        other.0.downcast_ref::<webpki::Error>(),
        Some(webpki::Error::CaUsedAsEndEntity)
    )
}
