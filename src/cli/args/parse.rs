//! Values of options: what a user writes, and what it stands for.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, PathBufValueParser, TypedValueParser};

use crate::output::Location;

pub(crate) use crate::time_span::parse as time;

/// A path on this machine. The address of something else would be taken for one, and a folder called `s3:` be made.
pub(crate) fn local_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        let scheme = path.to_str().and_then(|text| text.split_once("://"));
        match scheme {
            Some((scheme, _)) if is_scheme(scheme) => Err(format!(
                "{scheme}:// is no place that can be written to; name a folder or file of this machine"
            )),
            _ => Ok(path),
        }
    })
}

/// A folder of this machine, or a bucket.
pub(crate) fn location() -> impl TypedValueParser<Value = Location> {
    OsStringValueParser::new().try_map(|text| match text.to_str() {
        Some(text) => Location::parse(text),
        // No address of a bucket is in another encoding; a folder's name may be.
        None => Ok(Location::Folder(PathBuf::from(text))),
    })
}

/// True for what can stand before `://` (RFC 3986, section 3.1).
fn is_scheme(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|letter: char| letter.is_ascii_alphabetic()) && text.bytes().all(is_part)
}

/// A number of records.
pub(crate) fn batch_size(text: &str) -> Result<NonZeroU32, String> {
    text.parse()
        .map_err(|_| format!("a batch has from 1 to {} records", u32::MAX))
}

/// A number of records, of all relations or of the one whose name stands before it.
pub(crate) fn batch_size_of(text: &str) -> Result<(Option<String>, NonZeroU32), String> {
    match text.split_once('=') {
        None => Ok((None, batch_size(text)?)),
        Some(("", _)) => Err("name the relation before the =, such as issues=200".to_owned()),
        Some((relation, number)) => Ok((Some(relation.to_owned()), batch_size(number)?)),
    }
}

/// A change in per cent.
pub(crate) fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse() {
        Ok(percent) if (0.0..=1_000_000.0).contains(&percent) => Ok(percent),
        _ => Err("write a change as 5 or 2.5, in per cent".to_owned()),
    }
}

/// A version as destinations take it: three numbers, and what else belongs to it.
pub(crate) fn version(text: &str) -> Result<String, String> {
    let mut numbers = text.splitn(3, '.').map(|part| {
        let end = part.find(|letter: char| !letter.is_ascii_digit());
        (end.unwrap_or(part.len()), end)
    });
    let is_number = |part: Option<(usize, Option<usize>)>, last: bool| {
        part.is_some_and(|(digits, end)| digits > 0 && (last || end.is_none()))
    };
    let is_version = text.len() <= 64
        && is_number(numbers.next(), false)
        && is_number(numbers.next(), false)
        && is_number(numbers.next(), true)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte));
    match is_version {
        true => Ok(text.to_owned()),
        false => Err("write a version as 17.8.1-ee".to_owned()),
    }
}

/// An address on the web, such as an instance has.
pub(crate) fn web_address(text: &str) -> Result<String, String> {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_plain = !text.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    match is_plain && host.contains(|letter: char| letter.is_alphanumeric()) {
        true => Ok(text.to_owned()),
        false => Err("write an address as https://gitlab.example.com".to_owned()),
    }
}

/// The least memory that a limit can be meant to leave, in bytes; below it a unit was forgotten.
const LEAST_MEMORY: usize = 4096;

/// What windows and rows may have at least: those of a usual dump are never refused, and chunks grow so far in any case.
const LEAST_BOUND: usize = 8 << 20;

/// A limit of memory; 0 keeps nothing there.
pub(crate) fn memory(text: &str) -> Result<usize, String> {
    match size(text)? {
        few @ 1..LEAST_MEMORY => Err(format!(
            "{few} bytes hold no rows; write a size with its unit, such as 512MiB, or 0 to keep no rows in memory"
        )),
        bytes => Ok(bytes),
    }
}

/// A bound of what one piece of a snapshot may take: a decoder's window, a row.
pub(crate) fn bound(text: &str) -> Result<usize, String> {
    match size(text)? {
        0..LEAST_BOUND => Err(
            "it is 8MiB at the least, which every usual dump needs; write a size with its unit, such as 128MiB"
                .to_owned(),
        ),
        bytes => Ok(bytes),
    }
}

/// Bytes of NDJSON that a batch may have.
pub(crate) fn batch_bytes(text: &str) -> Result<NonZeroU64, String> {
    let bytes = NonZeroU64::new(size(text)? as u64);
    bytes.ok_or_else(|| "a batch has at least one byte".to_owned())
}

/// A size such as `512MiB`, `2G` or `1000000` (bytes).
fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: usize = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "kb" => 1000,
        "m" | "mib" => 1 << 20,
        "mb" => 1_000_000,
        "g" | "gib" => 1 << 30,
        "gb" => 1_000_000_000,
        _ => return Err("write a size as 512MiB, 2GiB or a number of bytes".to_owned()),
    };
    let number: usize = digits
        .parse()
        .map_err(|_| "write a size as 512MiB, 2GiB or a number of bytes".to_owned())?;
    number
        .checked_mul(unit)
        .ok_or_else(|| "the size is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_hold_nothing_are_refused() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("5", None),
            ("512", None),
            ("1k", None),
            ("4KiB", Some(4096)),
            ("512MiB", Some(512 << 20)),
            ("2G", Some(2 << 30)),
            ("99999999999999999999", None),
            ("-1", None),
        ] {
            assert_eq!(memory(text).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn addresses_have_a_scheme_and_a_host() {
        for text in [
            "https://gitlab.example.com",
            "http://10.0.0.1:3000/gitlab",
            "https://[::1]/",
        ] {
            assert_eq!(web_address(text).as_deref(), Ok(text));
        }
        for text in [
            "banana",
            "gitlab.example.com",
            "ftp://a",
            "https://",
            "https:///a",
            "https://a b",
            "",
        ] {
            assert!(web_address(text).is_err(), "{text}");
        }
    }
}
