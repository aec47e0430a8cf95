//! Files that only some can read: encrypted for recipients, in the age format (age-encryption.org/v1).
//!
//! Each file has a key of its own, drawn anew, so equal content does not give equal files. Content is encrypted in chunks of
//! 64 KiB while it is written; memory holds one of them.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use age::stream::StreamWriter;
use age::x25519;

use super::store::{NewFile, Written};
use crate::failure::{Cause, Failure, Policy};
use crate::snapshot::Pipe;

/// Bytes of a file of recipients or of identities that are read.
const MOST: u64 = 1 << 20;

/// Whom files are encrypted for: native recipients of age. Never none.
#[derive(Clone)]
pub struct Recipients {
    keys: Vec<x25519::Recipient>,
}

/// The secret keys of recipients. Nothing shows them.
pub struct Identities {
    keys: Vec<x25519::Identity>,
}

/// Why a recipient or an identity cannot be used. An identity is never told.
#[derive(Debug, thiserror::Error)]
pub enum EncryptionError {
    #[error("cannot read {path}: {source}")]
    Io { path: String, source: io::Error },
    #[error("{path}: the file is larger than one can be ({MOST} bytes)\n  name another file")]
    Large { path: String },
    #[error(
        "{place}`{text}` is no recipient\n  write one as age-keygen prints it: age1…; recipients of ssh, of plugins and passphrases \
         are not taken"
    )]
    NoRecipient { place: String, text: String },
    #[error("{path}: there is no recipient in it\n  write one a line, as age-keygen prints it")]
    NoneThere { path: String },
    #[error(
        "{path}:{line}: this is no identity\n  name a file as age-keygen writes it (AGE-SECRET-KEY-1…)"
    )]
    NoIdentity { path: String, line: usize },
    #[error("{path}: there is no identity in it\n  name a file as age-keygen writes it")]
    NoIdentityThere { path: String },
    #[error("the identity {path} can be read by others, so it is no secret\n  chmod 0600 it")]
    Readable { path: String },
}

impl Failure for EncryptionError {
    fn policy(&self) -> Policy {
        Policy::EndRun(Cause::Request)
    }
}

impl Recipients {
    /// Those of the command line and of files, each once; `None` if there are none at all.
    ///
    /// # Errors
    /// What is none, and files that cannot be read or name none.
    pub fn read(
        texts: &[String],
        files: &[impl AsRef<Path>],
    ) -> Result<Option<Recipients>, EncryptionError> {
        let mut recipients = Recipients { keys: Vec::new() };
        for text in texts {
            recipients.add("", text)?;
        }
        for path in files {
            let path = path.as_ref();
            let shown = path.display().to_string();
            let before = recipients.keys.len();
            for (number, line) in lines(&text_of(open(path)?, path)?) {
                recipients.add(&format!("{shown}:{number}: "), line)?;
            }
            if recipients.keys.len() == before {
                return Err(EncryptionError::NoneThere { path: shown });
            }
        }
        Ok((!recipients.keys.is_empty()).then_some(recipients))
    }

    fn add(&mut self, place: &str, text: &str) -> Result<(), EncryptionError> {
        let key = text.parse().map_err(|_| EncryptionError::NoRecipient {
            place: place.to_owned(),
            // A secret key in the wrong place must not be shown.
            text: match text.to_ascii_uppercase().contains("SECRET") {
                true => "…".to_owned(),
                false => text.to_owned(),
            },
        })?;
        self.keys.push(key);
        Ok(())
    }

    /// Their public keys, in order.
    pub fn shown(&self) -> Vec<String> {
        let keys: BTreeSet<String> = self.keys.iter().map(ToString::to_string).collect();
        keys.into_iter().collect()
    }

    fn encryptor(&self) -> io::Result<age::Encryptor> {
        let keys = self.keys.iter().map(|key| key as &dyn age::Recipient);
        age::Encryptor::with_recipients(keys).map_err(io::Error::other)
    }

    /// A file into which what is written goes encrypted.
    pub(super) fn sealed(&self, file: Box<dyn NewFile>) -> io::Result<Box<dyn NewFile>> {
        let stream = self.encryptor()?.wrap_output(Sink(file))?;
        Ok(Box::new(Sealed { stream }))
    }

    /// Bytes, encrypted.
    pub(super) fn encrypt(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = self.encryptor()?.wrap_output(Vec::new())?;
        stream.write_all(bytes)?;
        stream.finish()
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.shown()).finish()
    }
}

/// A file that is encrypted while it is written.
struct Sealed {
    stream: StreamWriter<Sink>,
}

/// The file as something that bytes are written to.
struct Sink(Box<dyn NewFile>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for Sealed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    fn commit(self: Box<Self>) -> io::Result<Written> {
        self.stream.finish()?.0.commit()
    }
}

impl Identities {
    /// Those of a file.
    ///
    /// # Errors
    /// If it cannot be read, if others can read it, or if it holds anything else.
    pub fn read(path: &Path) -> Result<Identities, EncryptionError> {
        let shown = || path.display().to_string();
        let file = open(path)?;
        let metadata = file.metadata();
        let mode = metadata.map_err(|source| EncryptionError::Io {
            path: shown(),
            source,
        })?;
        if mode.permissions().mode() & 0o077 != 0 {
            return Err(EncryptionError::Readable { path: shown() });
        }
        let text = text_of(file, path)?;
        let keys = lines(&text).map(|(line, text)| {
            text.parse().map_err(|_| EncryptionError::NoIdentity {
                path: shown(),
                line,
            })
        });
        let keys: Vec<x25519::Identity> = keys.collect::<Result<_, _>>()?;
        match keys.is_empty() {
            true => Err(EncryptionError::NoIdentityThere { path: shown() }),
            false => Ok(Identities { keys }),
        }
    }

    /// What an encrypted file holds.
    ///
    /// # Errors
    /// If it is no such file, or is for others.
    pub(super) fn open<R: BufRead>(&self, file: R) -> io::Result<impl Read + use<R>> {
        // The error of a file that cannot be read stays what it is: whoever looks at it asks whether that may pass.
        let wrong = |error: age::DecryptError| match error {
            age::DecryptError::Io(error) => error,
            error => io::Error::other(error),
        };
        let decryptor = age::Decryptor::new_buffered(file).map_err(wrong)?;
        let keys = self.keys.iter().map(|key| key as &dyn age::Identity);
        decryptor.decrypt(keys).map_err(wrong)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").finish_non_exhaustive()
    }
}

fn open(path: &Path) -> Result<Pipe, EncryptionError> {
    Pipe::of_settings(path).map_err(|source| EncryptionError::Io {
        path: path.display().to_string(),
        source,
    })
}

fn text_of(file: Pipe, path: &Path) -> Result<String, EncryptionError> {
    let shown = || path.display().to_string();
    let mut text = String::new();
    let read = file.take(MOST + 1).read_to_string(&mut text);
    read.map_err(|source| EncryptionError::Io {
        path: shown(),
        source,
    })?;
    match text.len() as u64 > MOST {
        true => Err(EncryptionError::Large { path: shown() }),
        false => Ok(text),
    }
}

/// Lines that say something, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(position, line)| (position + 1, line))
}
