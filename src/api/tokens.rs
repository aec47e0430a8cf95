//! Tokens: who may ask for what, from a file that holds only their SHA-256 hashes.
//!
//! A line is a hash in hex and words behind it:
//!
//! ```text
//! 9f86…0f00 name=backup-team groups=acme/platform,7001 read-only expires=2027-01-31 created=2026-11-22
//! ```
//!
//! `groups` are ids or full paths, subgroups included; without it a token is for all groups. A line with `revoked`
//! tells its owner so. Lines that begin with `#` are comments.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::civil::CivilDate;
use crate::failure::{Cause, Failure, Policy};
use crate::hex;

/// What tokens begin with, so that they are recognized where they should not be.
const PREFIX: &str = "relexport-";
/// Random bytes of a token.
const RANDOM: usize = 20;
/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A token's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    hash: [u8; 32],
    /// Its place among the tokens of the file, from 1.
    pub id: usize,
    pub name: Option<String>,
    /// Ids or full paths; of none, all groups are meant.
    pub groups: Vec<String>,
    pub read_only: bool,
    /// The first day (UTC) on which it is not good any more.
    pub expires: Option<CivilDate>,
    pub created: Option<CivilDate>,
    pub revoked: bool,
}

/// Why the token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("cannot read the tokens in {path}: {source}")]
    Io { path: String, source: io::Error },
    #[error("cannot write a token into {path}: {source}\n  name another file with --token-file")]
    Write { path: String, source: io::Error },
    #[error("{path}:{line}: {reason}\n  `relexport token new` writes lines that are right")]
    Line {
        path: String,
        line: usize,
        reason: LineError,
    },
    #[error("{0}")]
    Wrong(String),
}

impl Failure for TokenError {
    fn policy(&self) -> Policy {
        Policy::EndRun(match self {
            TokenError::Io { .. } | TokenError::Write { .. } => Cause::Machine,
            TokenError::Line { .. } | TokenError::Wrong(_) => Cause::Request,
        })
    }
}

/// Why a line of a token file is no token's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    #[error("a line must begin with the 64 hex digits of a SHA-256")]
    NoHash,
    #[error("cannot read the word {0:?}")]
    UnknownWord(String),
}

/// What a new token may do.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewToken {
    pub name: Option<String>,
    pub groups: Vec<String>,
    pub read_only: bool,
    pub expires: Option<String>,
}

/// Adds a token to a file, which is made where it is missing. Returns the token, which nothing else knows.
///
/// # Errors
/// Where a word cannot stand in the file, or the file cannot be written.
pub(crate) fn add(path: &Path, new: &NewToken) -> Result<String, TokenError> {
    let io = |source| TokenError::Write {
        path: path.display().to_string(),
        source,
    };
    let mut random = [0; RANDOM];
    getrandom::fill(&mut random).map_err(|error| io(io::Error::other(error)))?;
    let token = format!("{PREFIX}{}", hex::encode(&random));
    let mut line = hex::encode(&hash(&token));
    if let Some(name) = &new.name {
        line.push_str(&format!(" name={}", word(name)?));
    }
    if !new.groups.is_empty() {
        let groups: Vec<&str> = new
            .groups
            .iter()
            .map(|group| group_word(group))
            .collect::<Result<_, _>>()?;
        line.push_str(&format!(" groups={}", groups.join(",")));
    }
    if new.read_only {
        line.push_str(" read-only");
    }
    if let Some(day) = &new.expires {
        let date = CivilDate::parse(day).ok_or_else(|| {
            TokenError::Wrong(format!(
                "cannot read the day {day}: there is none of this name\n  write it as 2027-01-31"
            ))
        })?;
        if date <= CivilDate::today() {
            return Err(TokenError::Wrong(format!(
                "cannot make a token that expires on {day}: that day has come, so it would be good for nothing\n  \
                 name a later day with --expires"
            )));
        }
        line.push_str(&format!(" expires={date}"));
    }
    line.push_str(&format!(" created={}", CivilDate::today()));
    append(path, &line).map_err(io)?;
    Ok(token)
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    // Hashes are no secrets, but who has which groups is nobody's business.
    let mut file = options.create(true).append(true).mode(0o600).open(path)?;
    if !file.metadata()?.is_file() {
        // A device may have no end.
        return Err(io::Error::other("it is no file"));
    }
    let ends_open = fs::read(path)?.last().is_some_and(|byte| *byte != b'\n');
    let line = format!("{}{line}\n", if ends_open { "\n" } else { "" });
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

/// A word of a line: no white space, no comma.
fn word(text: &str) -> Result<&str, TokenError> {
    let is_word = !text.is_empty()
        && !text
            .chars()
            .any(|letter| letter.is_whitespace() || letter.is_control() || letter == ',');
    match is_word {
        true => Ok(text),
        false => Err(TokenError::Wrong(format!(
            "cannot write {text:?} into a token file: it must have neither white space nor commas"
        ))),
    }
}

/// A group's id or full path, as a word of a line.
fn group_word(text: &str) -> Result<&str, TokenError> {
    let group = word(text.trim_matches('/'))?;
    match group.contains("//") {
        false => Ok(group),
        true => Err(TokenError::Wrong(format!(
            "cannot make a token for group {group}: no full path has an empty part\n  `relexport groups` lists them"
        ))),
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The tokens of a file, read again when the file changes.
pub(crate) struct Tokens {
    path: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    tokens: Vec<Arc<Token>>,
    changed: Option<FileState>,
    looked: Instant,
}

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    /// Where it cannot be read or a line is wrong.
    pub(crate) fn open(path: &Path) -> Result<Tokens, TokenError> {
        let changed = changed(path);
        let (tokens, wrong) = read(path)?;
        if let Some(wrong) = wrong.into_iter().next() {
            return Err(wrong);
        }
        Ok(Tokens {
            path: path.to_owned(),
            inner: Mutex::new(Inner {
                tokens,
                changed,
                looked: Instant::now(),
            }),
        })
    }

    /// The token's line, if there is one. Every line is compared, each in constant time.
    pub(crate) fn find(&self, token: &str) -> Option<Arc<Token>> {
        let tokens = self.current();
        let wanted = hash(token);
        let mut found = None;
        for token in tokens {
            if bool::from(token.hash.ct_eq(&wanted)) {
                found = Some(token);
            }
        }
        found
    }

    /// All tokens of the file as it is now.
    pub(crate) fn current(&self) -> Vec<Arc<Token>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.looked.elapsed() >= LOOK_EVERY {
            inner.looked = Instant::now();
            let changed = changed(&self.path);
            if changed != inner.changed {
                // What cannot be read lets nobody in: it may be a token that was taken back.
                let (tokens, wrong) =
                    read(&self.path).unwrap_or_else(|error| (Vec::new(), vec![error]));
                for wrong in wrong {
                    tracing::error!("{wrong}");
                }
                tracing::info!(tokens = tokens.len(), "read the token file again");
                inner.tokens = tokens;
                inner.changed = changed;
            }
        }
        inner.tokens.clone()
    }
}

/// What tells that a file is another than before: its inode, size, and the times of its content and of itself. The second
/// time changes even where a tool sets the first one back.
type FileState = (u64, u64, (i64, i64), (i64, i64));

fn changed(path: &Path) -> Option<FileState> {
    let found = fs::metadata(path).ok()?;
    let times = (
        (found.mtime(), found.mtime_nsec()),
        (found.ctime(), found.ctime_nsec()),
    );
    Some((found.ino(), found.len(), times.0, times.1))
}

/// The tokens of a file, and what is wrong with its other lines.
fn read(path: &Path) -> Result<(Vec<Arc<Token>>, Vec<TokenError>), TokenError> {
    let shown = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|source| TokenError::Io {
        path: shown.clone(),
        source,
    })?;
    let (mut tokens, mut wrong) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match parse(line, tokens.len() + 1) {
            Ok(token) => tokens.push(Arc::new(token)),
            Err(reason) => wrong.push(TokenError::Line {
                path: shown.clone(),
                line: at + 1,
                reason,
            }),
        }
    }
    Ok((tokens, wrong))
}

fn parse(line: &str, id: usize) -> Result<Token, LineError> {
    let mut words = line.split_ascii_whitespace();
    let digits = words.next().unwrap_or_default();
    let hash = hex::decode(digits).and_then(|hash| hash.try_into().ok());
    let hash = hash.ok_or(LineError::NoHash)?;
    let mut token = Token {
        hash,
        id,
        name: None,
        groups: Vec::new(),
        read_only: false,
        expires: None,
        created: None,
        revoked: false,
    };
    for word in words {
        let unknown = || LineError::UnknownWord(word.to_owned());
        let day = |text| CivilDate::parse(text).ok_or_else(unknown);
        match word.split_once('=') {
            Some(("name", name)) => token.name = Some(name.to_owned()),
            Some(("groups", groups)) if groups.split(',').all(|group| !group.is_empty()) => {
                token.groups = groups.split(',').map(str::to_owned).collect();
            }
            Some(("expires", text)) => token.expires = Some(day(text)?),
            Some(("created", text)) => token.created = Some(day(text)?),
            None if word == "read-only" => token.read_only = true,
            None if word == "revoked" => token.revoked = true,
            // A limit that is not understood must not become no limit.
            _ => return Err(unknown()),
        }
    }
    Ok(token)
}

impl Token {
    /// True from the first moment (UTC) of the day on which it expires.
    pub(crate) fn is_expired(&self) -> bool {
        self.expires.is_some_and(|day| day <= CivilDate::today())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        (folder, path)
    }

    #[test]
    fn a_new_token_is_found_and_its_text_is_not_in_the_file() {
        let (_folder, path) = file();
        fs::write(&path, "# ours").unwrap();
        let new = NewToken {
            name: Some("ops".to_owned()),
            groups: vec!["acme/platform".to_owned(), "7001".to_owned()],
            read_only: true,
            expires: Some("2999-12-31".to_owned()),
        };
        let secret = add(&path, &new).unwrap();
        let other = add(&path, &NewToken::default()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&secret) && !text.contains(&secret[PREFIX.len()..]));
        let tokens = Tokens::open(&path).unwrap();
        let found = tokens.find(&secret).unwrap();
        assert_eq!(found.name.as_deref(), Some("ops"));
        assert_eq!(found.groups, ["acme/platform", "7001"]);
        assert!(found.read_only && !found.is_expired() && !found.revoked);
        let found = tokens.find(&other).unwrap();
        assert_eq!(
            (found.id, found.groups.len(), found.read_only),
            (2, 0, false)
        );
        assert_eq!(tokens.find("relexport-"), None);
    }

    #[test]
    fn the_hash_is_sha_256() {
        let (_folder, path) = file();
        // printf abc | sha256sum
        let line =
            "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD expires=2020-02-29";
        fs::write(&path, line).unwrap();
        let found = Tokens::open(&path).unwrap().find("abc").unwrap();
        assert!(found.is_expired());
    }

    #[test]
    fn lines_that_are_not_understood_are_refused() {
        let (_folder, path) = file();
        let hash = "0".repeat(64);
        let cases = [
            ("xyz".to_owned(), "64 hex digits"),
            (format!("é{}", "0".repeat(62)), "64 hex digits"),
            (format!("{hash} readonly"), "readonly"),
            (format!("{hash} groups="), "groups="),
            (format!("{hash} groups=a,,b"), "groups=a,,b"),
            (format!("{hash} expires=tomorrow"), "expires=tomorrow"),
            (format!("{hash} expires=2020-13-01"), "expires=2020-13-01"),
            (format!("{hash} expires=2027-02-31"), "expires=2027-02-31"),
        ];
        for (line, says) in cases {
            fs::write(&path, format!("# one\n{line}\n")).unwrap();
            let error = Tokens::open(&path).err().unwrap().to_string();
            assert!(error.contains(says) && error.contains(":2:"), "{error}");
        }
    }

    #[test]
    fn words_that_would_break_the_file_are_not_written() {
        let (_folder, path) = file();
        let cases = [
            NewToken {
                name: Some("two words".to_owned()),
                ..NewToken::default()
            },
            NewToken {
                groups: vec!["a,b".to_owned()],
                ..NewToken::default()
            },
            NewToken {
                groups: vec!["a//b".to_owned()],
                ..NewToken::default()
            },
            NewToken {
                groups: vec!["/".to_owned()],
                ..NewToken::default()
            },
            NewToken {
                expires: Some("31.12.2030".to_owned()),
                ..NewToken::default()
            },
            NewToken {
                expires: Some("2027-02-31".to_owned()),
                ..NewToken::default()
            },
            NewToken {
                expires: Some("2020-01-01".to_owned()),
                ..NewToken::default()
            },
            NewToken {
                expires: Some(CivilDate::today().to_string()),
                ..NewToken::default()
            },
        ];
        for new in cases {
            assert!(add(&path, &new).is_err(), "{new:?}");
            assert!(!path.exists());
        }
    }
}
