//! What a file of an export holds, to be read line by line.

use std::io::{self, BufRead, BufReader};

use flate2::bufread::GzDecoder;

use super::encryption::Identities;
use super::store::{Contents, FileReader};

/// Bytes that are read at once.
const BUFFER: usize = 64 << 10;

/// Opens a file, decrypted and inflated. A file that is cut off or damaged fails while it is read.
///
/// # Errors
/// As [`Contents::read`], or if it is encrypted for others.
pub(crate) fn inflated(
    store: &dyn Contents,
    name: &str,
    identities: Option<&Identities>,
) -> io::Result<Box<dyn BufRead>> {
    let file = BufReader::with_capacity(BUFFER, FileReader::new(store.read(name)?));
    Ok(match identities {
        None => Box::new(BufReader::with_capacity(BUFFER, GzDecoder::new(file))),
        Some(identities) => {
            let opened = BufReader::with_capacity(BUFFER, identities.open(file)?);
            Box::new(BufReader::with_capacity(BUFFER, GzDecoder::new(opened)))
        }
    })
}

/// Hands out the lines of a file, each with its number, from 1. What is not UTF-8 comes as an empty line, which is no record.
/// Memory holds one line.
///
/// # Errors
/// As [`inflated`], or if the file is cut off or damaged, after the lines before that.
pub(crate) fn each_line(
    store: &dyn Contents,
    name: &str,
    identities: Option<&Identities>,
    take: &mut dyn FnMut(u64, &str),
) -> io::Result<()> {
    let mut content = inflated(store, name, identities)?;
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        if content.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        number += 1;
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        take(number, std::str::from_utf8(text).unwrap_or_default());
    }
}
