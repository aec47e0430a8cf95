//! One file of an export, read whole and once: checksum, gzip, JSON.

mod archive;

use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::GzDecoder;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use crate::hex;
use crate::output::encryption::Identities;
use crate::output::store::{Contents, FileReader, is_no_file};

/// Bytes that are read at once.
const BUFFER: usize = 64 << 10;
/// Bad lines of a file that are described; the others are only counted.
const DESCRIBED: usize = 100;

/// What a file is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// One object a line, each line ended.
    Lines,
    /// One object without a line end.
    Object,
    /// At most one object, or `null`, without a line end.
    Single,
    /// Whichever of the two it is.
    SingleOrLines,
    /// A tar of files.
    Archive,
}

/// How a file is encrypted.
#[derive(Clone, Copy)]
pub(crate) enum Seal<'a> {
    /// It is not.
    None,
    /// What it holds is known with these.
    Opened(&'a Identities),
    /// What it holds is not known.
    Closed,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub bytes: u64,
    /// `None` if the file could not be read to its end.
    pub sha256: Option<String>,
    pub objects: u64,
    /// All of the content could be read, so that `objects` means something.
    pub is_whole: bool,
    pub problems: Vec<String>,
}

/// Reads a file. Memory holds one line at a time.
pub(crate) fn read(
    store: &dyn Contents,
    name: &str,
    content: Content,
    (read, seal): (&AtomicU64, Seal<'_>),
) -> Found {
    let mut found = Found::default();
    if let Err(error) = read_into(store, name, content, (read, seal), &mut found) {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "it is not there".to_owned(),
            _ if is_no_file(&error) => error.to_string(),
            _ => format!("it cannot be read: {error}"),
        };
        found.problems.push(reason);
    }
    found
}

fn read_into(
    store: &dyn Contents,
    name: &str,
    content: Content,
    (read, seal): (&AtomicU64, Seal<'_>),
    found: &mut Found,
) -> io::Result<()> {
    let mut source = Hashed {
        inner: BufReader::with_capacity(BUFFER, FileReader::new(store.read(name)?)),
        sha256: Sha256::new(),
        bytes: 0,
        read,
        error: None,
    };
    match seal {
        Seal::None => {}
        Seal::Closed => return read_to_end(source, found),
        Seal::Opened(identities) => {
            let opened = check_sealed(&mut source, identities, content, found);
            if let Some(error) = source.error.take() {
                return Err(error);
            }
            found.is_whole = opened.is_ok();
            if let Err(error) = opened {
                let problem = format!("it cannot be decrypted, or is no whole gzip file: {error}");
                found.problems.push(problem);
            }
            return read_to_end(source, found);
        }
    }
    let mut decoder = GzDecoder::new(source);
    let inflated = check(
        BufReader::with_capacity(BUFFER, &mut decoder),
        content,
        found,
    );
    let mut source = decoder.into_inner();
    if let Some(error) = source.error.take() {
        return Err(error);
    }
    found.is_whole = inflated.is_ok();
    if let Err(error) = inflated {
        found
            .problems
            .push(format!("it is no whole gzip file: {error}"));
    }
    let end_of_member = source.bytes;
    // The checksum is that of the whole file, whatever stands behind the first member.
    io::copy(&mut source, &mut io::sink())?;
    if found.is_whole && source.bytes > end_of_member {
        found.problems.push(format!(
            "{} bytes stand behind its first gzip member",
            source.bytes - end_of_member
        ));
    }
    found.bytes = source.bytes;
    found.sha256 = Some(hex::encode(&source.sha256.finalize()));
    Ok(())
}

/// Reads what is left of a file, and says what it is as a whole.
fn read_to_end(mut source: Hashed<'_>, found: &mut Found) -> io::Result<()> {
    io::copy(&mut source, &mut io::sink())?;
    found.bytes = source.bytes;
    found.sha256 = Some(hex::encode(&source.sha256.finalize()));
    Ok(())
}

/// Checks the content of an encrypted file, which has to be one gzip member.
fn check_sealed(
    source: &mut Hashed<'_>,
    identities: &Identities,
    content: Content,
    found: &mut Found,
) -> io::Result<()> {
    let opened = BufReader::with_capacity(BUFFER, identities.open(source)?);
    let mut decoder = GzDecoder::new(opened);
    check(
        BufReader::with_capacity(BUFFER, &mut decoder),
        content,
        found,
    )?;
    let behind = io::copy(&mut decoder.into_inner(), &mut io::sink())?;
    if behind > 0 {
        let problem = format!("{behind} bytes stand behind its first gzip member");
        found.problems.push(problem);
    }
    Ok(())
}

/// Checks inflated content. Fails only where it cannot be read to its end.
fn check(mut content: impl BufRead, form: Content, found: &mut Found) -> io::Result<()> {
    if form == Content::Archive {
        found.problems.extend(archive::check(&mut content)?);
        // Decoding has to come to its end, whatever stands behind the tar's.
        return io::copy(&mut content, &mut io::sink()).map(|_| ());
    }
    let mut line = Vec::new();
    let (mut number, mut bad) = (0u64, 0u64);
    let mut ended = true;
    loop {
        line.clear();
        if content.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        number += 1;
        ended = line.ends_with(b"\n");
        if ended {
            line.pop();
        }
        found.objects += 1;
        // A relation of one row that is not there is this text.
        let is_no_row = matches!(form, Content::Single | Content::SingleOrLines)
            && number == 1
            && !ended
            && line == b"null";
        if is_no_row {
            continue;
        }
        if let Err(reason) = object(&line) {
            bad += 1;
            if bad as usize <= DESCRIBED {
                found.problems.push(format!("line {number} {reason}"));
            }
        }
    }
    if bad as usize > DESCRIBED {
        let more = bad as usize - DESCRIBED;
        found
            .problems
            .push(format!("{more} more lines are not right"));
    }
    let wrong = match form {
        Content::Lines if !ended => Some("its last line has no end"),
        Content::SingleOrLines if !ended && number > 1 => Some("its last line has no end"),
        Content::Object if number != 1 || ended => Some("it is not one object without a line end"),
        Content::Single if number > 1 || number == 1 && ended => {
            Some("it is not at most one object without a line end")
        }
        _ => None,
    };
    found.problems.extend(wrong.map(str::to_owned));
    Ok(())
}

/// Says why a line is no JSON object.
fn object(line: &[u8]) -> Result<(), String> {
    if line.is_empty() {
        return Err("is empty".to_owned());
    }
    let text = std::str::from_utf8(line).map_err(|error| format!("is not UTF-8: {error}"))?;
    if !text.starts_with('{') {
        return Err("is no JSON object".to_owned());
    }
    serde_json::from_str::<IgnoredAny>(text)
        .map(|_| ())
        .map_err(|error| format!("is no JSON: {error}"))
}

/// Hashes and counts what is consumed.
struct Hashed<'a> {
    inner: BufReader<FileReader>,
    sha256: Sha256,
    bytes: u64,
    read: &'a AtomicU64,
    /// An error of the disk, which the decoder would pass on as if the file were damaged.
    error: Option<io::Error>,
}

impl BufRead for Hashed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.inner.fill_buf() {
            Ok(_) => Ok(self.inner.buffer()),
            Err(error) => {
                let copy = io::Error::new(error.kind(), error.to_string());
                if error.kind() != io::ErrorKind::Interrupted {
                    self.error = Some(error);
                }
                Err(copy)
            }
        }
    }

    fn consume(&mut self, amount: usize) {
        self.sha256.update(&self.inner.buffer()[..amount]);
        self.bytes += amount as u64;
        self.read.fetch_add(amount as u64, Ordering::Relaxed);
        self.inner.consume(amount);
    }
}

impl Read for Hashed<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let amount = available.len().min(out.len());
        out[..amount].copy_from_slice(&available[..amount]);
        self.consume(amount);
        Ok(amount)
    }
}
