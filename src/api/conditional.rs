//! Conditional and partial downloads (RFC 9110, sections 13 and 14): whether a client has this very content, and which bytes
//! of it are asked for.

use std::ops;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, header};
use headers::{
    ETag, HeaderMapExt, IfMatch, IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince,
    LastModified,
};

/// Seconds from 1970 to the year 10000, which no date in a header can name.
const END_OF_DATES: u64 = 253_402_300_800;

/// What tells the present content of an address from another.
pub(crate) struct Validators {
    /// A strong one: equal tags, equal bytes.
    etag: Option<ETag>,
    modified: Option<SystemTime>,
}

impl Validators {
    /// Of content with this digest, in hexadecimal digits, and of when it was written last, if that is known.
    pub(crate) fn new(sha256: &str, modified: Option<SystemTime>) -> Self {
        // What stands in a manifest on disk may be anything.
        let is_plain = sha256.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let etag = is_plain.then(|| format!("\"{sha256}\"").parse().ok());
        let modified = modified.map(|time| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            UNIX_EPOCH + Duration::from_secs(since.as_secs().min(END_OF_DATES - 1))
        });
        Validators {
            etag: etag.flatten(),
            modified,
        }
    }

    /// Adds them to the headers of an answer.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        if let Some(etag) = &self.etag {
            headers.typed_insert(etag.clone());
        }
        if let Some(modified) = self.modified {
            headers.typed_insert(LastModified::from(modified));
        }
    }

    /// True if the client wants other content than this, or none that is so new: it has to be told so before anything else.
    pub(crate) fn are_refused(&self, headers: &HeaderMap) -> bool {
        if headers.contains_key(header::IF_MATCH) {
            let given =
                has_plain_tags(headers, &header::IF_MATCH).then(|| headers.typed_get::<IfMatch>());
            let given = given.flatten().zip(self.etag.as_ref());
            return !given.is_some_and(|(given, etag)| given.precondition_passes(etag));
        }
        let since = headers.typed_get::<IfUnmodifiedSince>();
        let since = since.zip(self.modified);
        since.is_some_and(|(since, modified)| !since.precondition_passes(modified))
    }

    /// True if the client has this content, so that it need not be sent.
    pub(crate) fn is_not_modified(&self, headers: &HeaderMap) -> bool {
        if headers.contains_key(header::IF_NONE_MATCH) {
            let given = has_plain_tags(headers, &header::IF_NONE_MATCH)
                .then(|| headers.typed_get::<IfNoneMatch>());
            let given = given.flatten().zip(self.etag.as_ref());
            // A proxy that compresses makes a tag a weak one, which counts here.
            return given.is_some_and(|(given, etag)| !given.precondition_passes(etag));
        }
        let since = headers.typed_get::<IfModifiedSince>().zip(self.modified);
        since.is_some_and(|(since, modified)| !since.is_modified(modified))
    }

    /// The bytes that are asked for of content of this length. Several ranges, a range of other content (If-Range), and
    /// forms that are not understood are answered with the whole, as the RFC allows.
    pub(crate) fn requested(&self, headers: &HeaderMap, length: u64) -> Requested {
        let range = headers.get(header::RANGE);
        let range = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
        match range {
            Some(range) if self.may_be_a_range_of(headers) => requested(range, length),
            Some(_) | None => Requested::Whole,
        }
    }

    /// False if the client has a part of other content.
    fn may_be_a_range_of(&self, headers: &HeaderMap) -> bool {
        if !headers.contains_key(header::IF_RANGE) {
            return true;
        }
        let given =
            has_plain_tags(headers, &header::IF_RANGE).then(|| headers.typed_get::<IfRange>());
        // Not by its `is_modified`, to which a later date is as good as the very date.
        given.flatten().is_some_and(|given| {
            let etag = self.etag.clone().map(IfRange::etag);
            let modified = self.modified.map(IfRange::date);
            [etag, modified]
                .into_iter()
                .flatten()
                .any(|own| own == given)
        })
    }
}

/// False if a tag holds white space, which no tag may: in a build with debug assertions the crate panics at it. It reads
/// the lines of a list as one, so that a tag that is not closed goes on in the next.
fn has_plain_tags(headers: &HeaderMap, name: &HeaderName) -> bool {
    let lines = headers.get_all(name).iter().map(|value| value.to_str());
    let lines: Result<Vec<&str>, _> = lines.collect();
    lines.is_ok_and(|lines| {
        let list = lines.join(", ");
        let mut quoted = list.split('"').skip(1).step_by(2);
        quoted.all(|tag| !tag.contains([' ', '\t']))
    })
}

/// Which bytes are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requested {
    Whole,
    Bytes(ops::Range<u64>),
    OutOfReach,
}

/// Reads what stands behind `bytes=`.
// Not by the crate's `Range`: it takes +1-2 for a range, 4-99999999999999999999 and a suffix longer than the content for
// none, and does not tell a range out of reach from one that is not understood.
fn requested(range: &str, length: u64) -> Requested {
    let Some((first, last)) = range.trim().split_once('-') else {
        return Requested::Whole;
    };
    let number = |text: &str| -> Option<u64> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let range = match (number(first), number(last)) {
        (None, Some(last)) if first.is_empty() => length.saturating_sub(last)..length,
        (Some(first), None) if last.is_empty() => first..length,
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
        _ => return Requested::Whole,
    };
    match range.is_empty() {
        false => Requested::Bytes(range),
        true => Requested::OutOfReach,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGED: &str = "Sun, 09 Sep 2001 01:46:40 GMT";

    fn validators() -> Validators {
        Validators::new("e", Some(UNIX_EPOCH + Duration::from_secs(1_000_000_000)))
    }

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn ranges_of_ten_bytes() {
        let cases = [
            ("bytes=0-3", Requested::Bytes(0..4)),
            ("bytes=9-9", Requested::Bytes(9..10)),
            ("bytes=4-", Requested::Bytes(4..10)),
            ("bytes=4-99999999999999999999999", Requested::Bytes(4..10)),
            ("bytes=-3", Requested::Bytes(7..10)),
            ("bytes=-30", Requested::Bytes(0..10)),
            ("bytes=-0", Requested::OutOfReach),
            ("bytes=10-", Requested::OutOfReach),
            ("bytes=10-12", Requested::OutOfReach),
            ("bytes=3-2", Requested::Whole),
            ("bytes=a-2", Requested::Whole),
            ("bytes=0-1,4-5", Requested::Whole),
            ("bytes=0-,4-5", Requested::Whole),
            ("lines=0-1", Requested::Whole),
            ("bytes=-", Requested::Whole),
            ("bytes=+1-2", Requested::Whole),
            ("bytes=1-x", Requested::Whole),
        ];
        for (range, expected) in cases {
            let headers = headers(&[(header::RANGE, range)]);
            assert_eq!(validators().requested(&headers, 10), expected, "{range}");
        }
    }

    #[test]
    fn nothing_of_an_empty_file_is_in_reach() {
        for range in ["bytes=0-", "bytes=-1", "bytes=0-0"] {
            let headers = headers(&[(header::RANGE, range)]);
            let requested = validators().requested(&headers, 0);
            assert_eq!(requested, Requested::OutOfReach, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_file_is_not_given() {
        let cases = [
            ("\"e\"", Requested::Bytes(0..4)),
            (CHANGED, Requested::Bytes(0..4)),
            ("\"other\"", Requested::Whole),
            ("W/\"e\"", Requested::Whole),
            ("\"e e\"", Requested::Whole),
            ("e", Requested::Whole),
            ("Sun, 09 Sep 2001 01:46:39 GMT", Requested::Whole),
            ("Sun, 09 Sep 2001 01:46:41 GMT", Requested::Whole),
        ];
        for (validator, expected) in cases {
            let headers = headers(&[(header::RANGE, "bytes=0-3"), (header::IF_RANGE, validator)]);
            assert_eq!(
                validators().requested(&headers, 10),
                expected,
                "{validator}"
            );
        }
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        let cases = [
            (header::IF_NONE_MATCH, "\"e\"", true),
            (header::IF_NONE_MATCH, "\"x\", W/\"e\"", true),
            (header::IF_NONE_MATCH, "*", true),
            (header::IF_NONE_MATCH, "\"x\"", false),
            (header::IF_NONE_MATCH, "\"x,\"e\"", false),
            (header::IF_NONE_MATCH, "\"e x\"", false),
            (header::IF_NONE_MATCH, "\"\t\"", false),
            (header::IF_NONE_MATCH, "", false),
            (header::IF_MODIFIED_SINCE, CHANGED, true),
            (
                header::IF_MODIFIED_SINCE,
                "Sun, 09 Sep 2001 01:46:39 GMT",
                false,
            ),
            (header::IF_MODIFIED_SINCE, "yesterday", false),
        ];
        for (name, value, expected) in cases {
            let headers = headers(&[(name, value)]);
            let is_not_modified = validators().is_not_modified(&headers);
            assert_eq!(is_not_modified, expected, "{value}");
        }
    }

    #[test]
    fn other_content_than_is_wanted_is_refused() {
        let cases = [
            (header::IF_MATCH, "\"e\"", false),
            (header::IF_MATCH, "\"x\", \"e\"", false),
            (header::IF_MATCH, "*", false),
            (header::IF_MATCH, "W/\"e\"", true),
            (header::IF_MATCH, "\"x\"", true),
            (header::IF_MATCH, "\"e x\"", true),
            (header::IF_MATCH, "", true),
            (header::IF_UNMODIFIED_SINCE, CHANGED, false),
            (
                header::IF_UNMODIFIED_SINCE,
                "Sun, 09 Sep 2001 01:46:39 GMT",
                true,
            ),
            (header::IF_UNMODIFIED_SINCE, "yesterday", false),
        ];
        for (name, value, expected) in cases {
            let headers = headers(&[(name, value)]);
            assert_eq!(validators().are_refused(&headers), expected, "{value}");
        }
        // Tags go before a date.
        let both = [
            (header::IF_MATCH, "\"e\""),
            (header::IF_UNMODIFIED_SINCE, "Mon, 01 Jan 2001 00:00:00 GMT"),
        ];
        assert!(!validators().are_refused(&headers(&both)));
    }

    #[test]
    fn the_tags_of_several_lines_are_one_list_and_go_before_a_date() {
        let of = |lines: &[&str]| {
            let mut all = vec![(header::IF_MODIFIED_SINCE, CHANGED)];
            all.extend(lines.iter().map(|line| (header::IF_NONE_MATCH, *line)));
            validators().is_not_modified(&headers(&all))
        };
        assert!(of(&["\"x\"", "\"e\""]));
        assert!(!of(&["\"x\"", "\"y\""]));
        // A tag that is not closed swallows the next line.
        assert!(!of(&["\"x", "\"e\""]));
        assert!(!of(&["\"x", "y\""]));
        assert!(of(&[]));
    }

    #[test]
    fn what_no_header_can_say_is_left_out() {
        let far = UNIX_EPOCH + Duration::from_secs(END_OF_DATES);
        let before = UNIX_EPOCH - Duration::from_secs(1);
        for (sha256, modified, lines) in [
            (
                "ab1",
                Some(before),
                vec!["\"ab1\"", "Thu, 01 Jan 1970 00:00:00 GMT"],
            ),
            ("a b", Some(far), vec!["Fri, 31 Dec 9999 23:59:59 GMT"]),
            ("a\"b", None, vec![]),
        ] {
            let mut headers = HeaderMap::new();
            Validators::new(sha256, modified).add_to(&mut headers);
            let values: Vec<&[u8]> = headers.values().map(|value| value.as_bytes()).collect();
            let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
            assert_eq!(values, lines);
        }
    }
}
