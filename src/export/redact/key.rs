//! The secret key by which values are hashed.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::failure::{Cause, Failure, Policy};
use crate::hex;
use crate::snapshot::Pipe;

/// Bytes that a key has at least. A shorter one could be guessed, and with it every value.
const LEAST: usize = 32;
/// Bytes of a key file that are read at most.
const MOST: u64 = 4096;
/// Hex digits of a key's id.
const ID: usize = 16;

/// A secret key. Nothing shows it.
#[derive(Clone)]
pub(crate) struct RedactionKey {
    keyed: Hmac<Sha256>,
}

/// What a value is hashed for: the same text gives other digests for other uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DigestUse {
    Hash,
    Email,
    Name,
    /// What a user called an entity.
    Choice,
    /// What tells keys apart in manifests.
    KeyId,
}

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error(
        "cannot read the redaction key {path}: {source}\n  `openssl rand -hex 32` makes one; keep it, or later exports cannot be matched with earlier ones"
    )]
    Io { path: String, source: io::Error },
    #[error(
        "the redaction key {path} can be read by others, so it is no secret\n  chmod 0600 it, or make another one"
    )]
    Readable { path: String },
    #[error(
        "the redaction key {path} has {found} bytes, and a key needs from {LEAST} to {MOST}\n  `openssl rand -hex 32` makes one"
    )]
    Length { path: String, found: u64 },
}

impl Failure for KeyError {
    fn policy(&self) -> Policy {
        Policy::EndRun(Cause::Request)
    }
}

impl RedactionKey {
    /// Reads a key: all of a file, but for a line end behind it.
    ///
    /// # Errors
    /// If it cannot be read, if others can read it, or if it is too short to be a secret.
    pub(crate) fn read(path: &Path) -> Result<RedactionKey, KeyError> {
        let shown = || path.display().to_string();
        let io = |source| KeyError::Io {
            path: shown(),
            source,
        };
        let file = Pipe::of_settings(path).map_err(io)?;
        let mode = file.metadata().map_err(io)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(KeyError::Readable { path: shown() });
        }
        let mut bytes = Vec::new();
        file.take(MOST + 1).read_to_end(&mut bytes).map_err(io)?;
        let secret = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
        let found = secret.len() as u64;
        match secret.len() >= LEAST && found <= MOST {
            true => Ok(RedactionKey::new(secret)),
            false => Err(KeyError::Length {
                path: shown(),
                found,
            }),
        }
    }

    /// The key of these bytes.
    pub(super) fn new(secret: &[u8]) -> RedactionKey {
        #[expect(
            clippy::expect_used,
            reason = "HMAC is defined for keys of every length (RFC 2104)"
        )]
        let keyed = Hmac::new_from_slice(secret).expect("HMAC takes any key");
        RedactionKey { keyed }
    }

    /// HMAC-SHA-256 of the use's name, a zero byte and the text.
    pub(super) fn digest(&self, digest_use: DigestUse, text: &[u8]) -> [u8; 32] {
        let mut keyed = self.keyed.clone();
        keyed.update(match digest_use {
            DigestUse::Hash => b"hash\0",
            DigestUse::Email => b"email\0",
            DigestUse::Name => b"name\0",
            DigestUse::Choice => b"choice\0",
            DigestUse::KeyId => b"key-id\0",
        });
        keyed.update(text);
        keyed.finalize().into_bytes().into()
    }

    /// What tells this key from others and says nothing of it.
    pub(crate) fn id(&self) -> String {
        let mut id = hex::encode(&self.digest(DigestUse::KeyId, b""));
        id.truncate(ID);
        id
    }
}

impl fmt::Debug for RedactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedactionKey").finish_non_exhaustive()
    }
}
