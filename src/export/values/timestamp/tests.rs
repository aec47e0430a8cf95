use super::*;
use crate::civil::utc_millis_to_iso;
use crate::export::values::tests::{assert_refused, assert_written};
use crate::export::values::{Codec, write};
use proptest::prelude::*;

#[test]
fn timestamps() {
    assert_written(
        &Codec::Timestamp,
        &[
            (
                "microseconds are cut",
                b"2021-05-04 11:25:20.423999",
                r#""2021-05-04T11:25:20.423Z""#,
            ),
            (
                "no fraction",
                b"2021-05-04 11:25:20",
                r#""2021-05-04T11:25:20.000Z""#,
            ),
            (
                "one digit",
                b"2021-05-04 11:25:20.5",
                r#""2021-05-04T11:25:20.500Z""#,
            ),
            (
                "two digits",
                b"2021-05-04 11:25:20.05",
                r#""2021-05-04T11:25:20.050Z""#,
            ),
            (
                "the last microsecond of a year stays in it",
                b"2021-12-31 23:59:59.999999",
                r#""2021-12-31T23:59:59.999Z""#,
            ),
            (
                "before 1970",
                b"1969-12-31 23:59:59.999999",
                r#""1969-12-31T23:59:59.999Z""#,
            ),
            (
                "before 1970, just after a second",
                b"1900-01-01 00:00:00.000001",
                r#""1900-01-01T00:00:00.000Z""#,
            ),
            (
                "leap day",
                b"2024-02-29 00:00:00",
                r#""2024-02-29T00:00:00.000Z""#,
            ),
            (
                "year of three digits",
                b"0999-01-02 03:04:05",
                r#""0999-01-02T03:04:05.000Z""#,
            ),
            (
                "year of five digits",
                b"12345-01-02 03:04:05",
                r#""12345-01-02T03:04:05.000Z""#,
            ),
            (
                "PostgreSQL's last",
                b"294276-12-31 23:59:59.999999",
                r#""294276-12-31T23:59:59.999Z""#,
            ),
            (
                "1 BC",
                b"0001-01-01 00:00:00 BC",
                r#""0000-01-01T00:00:00.000Z""#,
            ),
            (
                "1 BC has a leap day",
                b"0001-02-29 00:00:00.5 BC",
                r#""0000-02-29T00:00:00.500Z""#,
            ),
            (
                "2 BC",
                b"0002-12-31 23:59:59.1239 BC",
                r#""-0001-12-31T23:59:59.123Z""#,
            ),
            (
                "PostgreSQL's first",
                b"4714-11-24 00:00:00 BC",
                r#""-4713-11-24T00:00:00.000Z""#,
            ),
            ("infinity", b"infinity", "null"),
            ("minus infinity", b"-infinity", "null"),
            ("null", br"\N", "null"),
        ],
    );
}

#[test]
fn timestamps_with_an_offset() {
    assert_written(
        &Codec::TimestampTz,
        &[
            (
                "UTC",
                b"2024-01-02 03:04:05.123456+00",
                r#""2024-01-02T03:04:05.123Z""#,
            ),
            (
                "hours",
                b"2024-01-02 03:04:05+02",
                r#""2024-01-02T01:04:05.000Z""#,
            ),
            (
                "hours and minutes",
                b"2024-01-02 03:04:05.9+05:30",
                r#""2024-01-01T21:34:05.900Z""#,
            ),
            (
                "negative with minutes",
                b"2024-12-31 23:59:59.999999-03:30",
                r#""2025-01-01T03:29:59.999Z""#,
            ),
            (
                "seconds",
                b"1900-01-01 00:00:00.0009+00:19:32",
                r#""1899-12-31T23:40:28.000Z""#,
            ),
            (
                "negative with seconds",
                b"1880-06-01 12:00:00.25-00:01:15",
                r#""1880-06-01T12:01:15.250Z""#,
            ),
            (
                "over a leap day",
                b"2024-03-01 00:30:00+01",
                r#""2024-02-29T23:30:00.000Z""#,
            ),
            (
                "over the end of a century",
                b"1900-02-28 23:30:00-01",
                r#""1900-03-01T00:30:00.000Z""#,
            ),
            (
                "before 1970 the fraction stays",
                b"1970-01-01 00:00:00.999999+01",
                r#""1969-12-31T23:00:00.999Z""#,
            ),
            (
                "from 1 AD to 1 BC",
                b"0001-01-01 00:00:00+05",
                r#""0000-12-31T19:00:00.000Z""#,
            ),
            (
                "from 1 BC to 1 AD",
                b"0001-12-31 23:00:00-02 BC",
                r#""0001-01-01T01:00:00.000Z""#,
            ),
            (
                "from 1 BC to 2 BC",
                b"0001-01-01 00:00:00+00:00:01 BC",
                r#""-0001-12-31T23:59:59.000Z""#,
            ),
            (
                "to a fifth digit",
                b"9999-12-31 23:59:59-01",
                r#""10000-01-01T00:59:59.000Z""#,
            ),
            (
                "largest offset",
                b"2024-01-01 00:00:00+15:59:59",
                r#""2023-12-31T08:00:01.000Z""#,
            ),
            ("infinity", b"infinity", "null"),
            ("minus infinity", b"-infinity", "null"),
            ("null", br"\N", "null"),
        ],
    );
}

#[test]
fn dates() {
    assert_written(
        &Codec::Date,
        &[
            ("plain", b"2021-05-04", r#""2021-05-04""#),
            ("1 BC", b"0001-12-25 BC", r#""0000-12-25""#),
            ("2 BC", b"0002-01-01 BC", r#""-0001-01-01""#),
            ("PostgreSQL's last", b"5874897-12-31", r#""5874897-12-31""#),
            ("infinity", b"infinity", "null"),
            ("minus infinity", b"-infinity", "null"),
            ("null", br"\N", "null"),
        ],
    );
}

#[test]
fn what_is_no_timestamp_is_refused() {
    let fields: &[&[u8]] = &[
        b"",
        b"2021-05-04",
        b"2021-05-04 11:25",
        b"2021-05-04 11:25:20.",
        b"2021-05-04 11:25:20+00",
        b"2021-05-04T11:25:20",
        b"2021-05-04  11:25:20",
        b"2021-05-04 11:25:20 AD",
        b"2021-05-04 11:25:20BC",
        b"2021-05-04 24:00:00",
        b"2021-05-04 23:60:00",
        b"2021-05-04 23:59:60",
        b"2021-13-01 00:00:00",
        b"2021-00-01 00:00:00",
        b"2021-02-29 00:00:00",
        b"2021-04-31 00:00:00",
        b"2021-04-00 00:00:00",
        b"0000-01-01 00:00:00",
        b"0000-01-01 00:00:00 BC",
        b"0002-02-29 00:00:00 BC",
        b"-2021-01-01 00:00:00",
        b"99999999-01-01 00:00:00",
        b"221-05-04 11:25:20",
        b"05/04/2021 11:25:20",
        b"Infinity",
        b"now",
    ];
    assert_refused(&Codec::Timestamp, fields, ValueError::NotATimestamp);
}

#[test]
fn what_is_no_offset_is_refused() {
    let fields: &[&[u8]] = &[
        b"2021-05-04 11:25:20",
        b"2021-05-04 11:25:20.5",
        b"2021-05-04 11:25:20Z",
        b"2021-05-04 11:25:20 UTC",
        b"2021-05-04 11:25:20+",
        b"2021-05-04 11:25:20+1",
        b"2021-05-04 11:25:20+0100",
        b"2021-05-04 11:25:20+16",
        b"2021-05-04 11:25:20+01:60",
        b"2021-05-04 11:25:20+01:00:60",
        b"2021-05-04 11:25:20+01:00:00:00",
        b"2021-05-04 24:00:00+00",
    ];
    assert_refused(&Codec::TimestampTz, fields, ValueError::NotATimestampTz);
}

#[test]
fn what_is_no_date_is_refused() {
    let fields: &[&[u8]] = &[
        b"",
        b"2021-05",
        b"2021-05-04 00:00:00",
        b"2021-02-30",
        b"2021-5-4",
        b"0000-01-01",
        b"BC",
        b" BC",
        b"2021-05-04 BC BC",
    ];
    assert_refused(&Codec::Date, fields, ValueError::NotADate);
}

/// A value as PostgreSQL writes it, found by walking from year to year and from month to month.
fn postgres_text(micros: i64, offset: i64) -> String {
    let local = micros + offset * 1_000_000;
    let (mut days, micros) = (
        local.div_euclid(86_400_000_000),
        local.rem_euclid(86_400_000_000),
    );
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days < 0 {
        year -= 1;
        days += if leap(year) { 366 } else { 365 };
    }
    while days >= if leap(year) { 366 } else { 365 } {
        days -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    let lengths = [
        31,
        if leap(year) { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (seconds, fraction) = (micros / 1_000_000, format!(".{:06}", micros % 1_000_000));
    let shown_year = if year > 0 { year } else { 1 - year };
    let sign = if offset < 0 { '-' } else { '+' };
    let distance = offset.abs();
    let mut zone = format!("{sign}{:02}", distance / 3600);
    if distance % 3600 != 0 {
        zone += &format!(":{:02}", distance / 60 % 60);
    }
    if distance % 60 != 0 {
        zone += &format!(":{:02}", distance % 60);
    }
    format!(
        "{shown_year:04}-{:02}-{:02} {:02}:{:02}:{:02}{}{zone}{}",
        month + 1,
        days + 1,
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        fraction.trim_end_matches('0').trim_end_matches('.'),
        if year > 0 { "" } else { " BC" },
    )
}

proptest! {
    // From about 3000 BC to 12000 AD.
    #[test]
    fn an_instant_does_not_depend_on_its_offset(
        micros in prop_oneof![
            -157_000_000_000_000_000_i64..316_000_000_000_000_000,
            // Around 1 BC.
            -62_200_000_000_000_000_i64..-62_100_000_000_000_000,
        ],
        offset in prop_oneof![
            Just(0),
            (-15_i64..=15).prop_map(|hours| hours * 3600),
            -57_599_i64..=57_599,
        ],
    ) {
        let text = postgres_text(micros, offset);
        let mut out = Vec::new();
        write(&Codec::TimestampTz, text.as_bytes(), &mut out).expect("a timestamp");
        let expected = format!("\"{}\"", utc_millis_to_iso(micros.div_euclid(1000)));
        prop_assert_eq!(String::from_utf8_lossy(&out), expected.as_str());

        out.clear();
        let text = postgres_text(micros, 0).replacen("+00", "", 1);
        write(&Codec::Timestamp, text.as_bytes(), &mut out).expect("a timestamp");
        prop_assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn a_block_is_read_as_byte_by_byte(
        // One byte of a timestamp, or some, are others.
        micros in -62_200_000_000_000_000_i64..316_000_000_000_000_000,
        others in prop::collection::vec((0_usize..30, "[0-9: .+-]"), 0..3),
        length in 15_usize..31,
        behind in "\t[0-9+. ]{0,20}",
        zoned: bool,
    ) {
        let mut text = postgres_text(micros, 0).into_bytes();
        for (at, other) in &others {
            if let Some(byte) = text.get_mut(*at) {
                *byte = other.as_bytes()[0];
            }
        }
        match zoned {
            true if length % 2 == 0 => {}
            true => {
                let zone = text.len() - 3;
                text.drain(length.min(zone)..zone);
            }
            false => text.truncate(length),
        }
        let row = [text.as_slice(), behind.as_bytes()].concat();
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        let written = write_plain(FieldOn::new(&row, 0..text.len()), zoned, &mut fast);
        let plainly = match zoned {
            true => write_timestamptz(&text, TimeForm::Usual, &mut slow),
            false => write_timestamp(&text, TimeForm::Usual, &mut slow),
        };
        if written {
            prop_assert_eq!(plainly, Ok(()));
            prop_assert_eq!(String::from_utf8_lossy(&fast), String::from_utf8_lossy(&slow));
        } else {
            prop_assert!(fast.is_empty());
            // As most are written: nothing of them is left to the slow way.
            let is_usual = others.is_empty() && text.get(4) == Some(&b'-') && !text.ends_with(b" BC");
            prop_assert!(plainly.is_err() || !is_usual);
        }
    }
}
