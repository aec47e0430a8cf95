//! Conditional and partial downloads (RFC 9110, sections 13 and 14).

use std::time::{Duration, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, header};

/// What of a file is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    Whole,
    /// From this byte to before that one.
    Part(u64, u64),
    OutOfReach,
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A time since 1970 as HTTP writes it.
pub fn http_date(since: Duration) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

/// True where the client has this very file.
pub fn is_not_modified(headers: &HeaderMap, etag: &str, changed: Duration) -> bool {
    if let Some(known) = text(headers, header::IF_NONE_MATCH) {
        return known == "*"
            || known
                .split(',')
                .any(|known| known.trim().trim_start_matches("W/") == etag);
    }
    text(headers, header::IF_MODIFIED_SINCE)
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .and_then(|date| date.duration_since(UNIX_EPOCH).ok())
        .is_some_and(|date| changed.as_secs() <= date.as_secs())
}

/// The range that is asked for of a file of this length. Several ranges, and forms that are not understood, are
/// answered with the whole file, as the RFC allows.
pub fn wanted(headers: &HeaderMap, length: u64, etag: &str, last_modified: &str) -> Range {
    let Some(ranges) = text(headers, header::RANGE).and_then(|range| range.strip_prefix("bytes="))
    else {
        return Range::Whole;
    };
    let is_same = text(headers, header::IF_RANGE)
        .is_none_or(|validator| validator == etag || validator == last_modified);
    if !is_same || ranges.contains(',') {
        return Range::Whole;
    }
    let Some((first, last)) = ranges.trim().split_once('-') else {
        return Range::Whole;
    };
    let number = |text: &str| -> Option<u64> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (number(first), number(last)) {
        (None, Some(last)) if first.is_empty() => match last.min(length) {
            0 => Range::OutOfReach,
            last => Range::Part(length - last, length),
        },
        (Some(first), _) if last.is_empty() => match first < length {
            true => Range::Part(first, length),
            false => Range::OutOfReach,
        },
        (Some(first), Some(last)) if first <= last => match first < length {
            true => Range::Part(first, last.saturating_add(1).min(length)),
            false => Range::OutOfReach,
        },
        _ => Range::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(HeaderName, &str)]) -> HeaderMap {
        of.iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn ranges_of_ten_bytes() {
        let cases = [
            ("bytes=0-3", Range::Part(0, 4)),
            ("bytes=9-9", Range::Part(9, 10)),
            ("bytes=4-", Range::Part(4, 10)),
            ("bytes=4-99999999999999999999999", Range::Part(4, 10)),
            ("bytes=-3", Range::Part(7, 10)),
            ("bytes=-30", Range::Part(0, 10)),
            ("bytes=-0", Range::OutOfReach),
            ("bytes=10-", Range::OutOfReach),
            ("bytes=10-12", Range::OutOfReach),
            ("bytes=3-2", Range::Whole),
            ("bytes=a-2", Range::Whole),
            ("bytes=0-1,4-5", Range::Whole),
            ("lines=0-1", Range::Whole),
            ("bytes=-", Range::Whole),
            ("bytes=+1-2", Range::Whole),
        ];
        for (range, expected) in cases {
            let headers = headers(&[(header::RANGE, range)]);
            assert_eq!(wanted(&headers, 10, "\"e\"", "d"), expected, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_file_is_not_given() {
        let of = |validator: &str| {
            let headers = headers(&[(header::RANGE, "bytes=0-3"), (header::IF_RANGE, validator)]);
            wanted(&headers, 10, "\"e\"", "d")
        };
        assert_eq!(of("\"e\""), Range::Part(0, 4));
        assert_eq!(of("d"), Range::Part(0, 4));
        assert_eq!(of("\"other\""), Range::Whole);
        assert_eq!(of("W/\"e\""), Range::Whole);
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        let changed = Duration::from_secs(1_000_000_000);
        let cases = [
            (header::IF_NONE_MATCH, "\"e\"", true),
            (header::IF_NONE_MATCH, "\"x\", W/\"e\"", true),
            (header::IF_NONE_MATCH, "*", true),
            (header::IF_NONE_MATCH, "\"x\"", false),
            (
                header::IF_MODIFIED_SINCE,
                "Sun, 09 Sep 2001 01:46:40 GMT",
                true,
            ),
            (
                header::IF_MODIFIED_SINCE,
                "Sun, 09 Sep 2001 01:46:39 GMT",
                false,
            ),
            (header::IF_MODIFIED_SINCE, "yesterday", false),
        ];
        for (name, value, expected) in cases {
            let headers = headers(&[(name, value)]);
            assert_eq!(
                is_not_modified(&headers, "\"e\"", changed),
                expected,
                "{value}"
            );
        }
    }
}
