use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::snapshot::block::{Block, BlockHead};
use crate::snapshot::codec::chunks::Chunk;
use crate::snapshot::codec::row_form::RowForm;
use crate::snapshot::table_name::TableName;

fn named(name: &str) -> Encoding {
    Encoding::named(name).unwrap_or_else(|| panic!("{name} is not known"))
}

fn chunk(bytes: &[u8]) -> Chunk {
    Chunk {
        piece: crate::snapshot::codec::chunks::Piece::Lines,
        buffer: Arc::new(bytes.to_vec()),
        len: bytes.len(),
        offset: 1000,
        converted: None,
    }
}

#[test]
fn names_are_told_apart_as_postgresql_does() {
    let cases = [
        ("UTF8", "utf-8"),
        ("UTF8", "UNICODE"),
        ("UTF8", "SQL_ASCII"),
        ("LATIN1", "iso-8859-1"),
        ("LATIN5", "ISO_8859_9"),
        ("LATIN9", "iso885915"),
        ("WIN1251", "win"),
        ("WIN1252", "Windows-1252"),
        ("WIN1258", "TCVN"),
        ("KOI8R", "koi8-r"),
        ("SJIS", "Shift_JIS"),
        ("GBK", "win936"),
        ("UHC", "WIN949"),
        ("BIG5", "windows950"),
        ("EUC_JP", "eucjp"),
    ];
    for (name, other) in cases {
        assert_eq!(named(name), named(other), "{other}");
    }
    assert_ne!(named("LATIN1"), named("WIN1252"));
    for name in [
        "EUC_TW",
        "JOHAB",
        "EUC_JIS_2004",
        "SHIFT_JIS_2004",
        "MULE_INTERNAL",
        "",
        "default",
    ] {
        assert_eq!(Encoding::named(name), None, "{name}");
    }
}

#[test]
fn text_becomes_utf8() {
    let cases: [(&str, &[u8], &str); 12] = [
        ("LATIN1", b"gr\xf6\xdfe", "größe"),
        // What browsers read as windows-1252 are control characters.
        ("LATIN1", b"\x80\x9f", "\u{80}\u{9f}"),
        ("LATIN9", b"5 \xa4", "5 €"),
        ("WIN1252", b"5 \x80", "5 €"),
        ("WIN1251", b"\xcf\xf0\xe8", "При"),
        ("KOI8R", b"\xf0\xd2\xc9", "При"),
        // Second bytes that are a backslash, a brace and a bar.
        ("SJIS", b"\x95\x5c\x83\x7d\x83\x7c\xb1", "表マポｱ"),
        ("BIG5", b"\xa5\x5c", "功"),
        ("GBK", b"\x81\x5c", "乗"),
        ("EUC_JP", b"\x8e\xb1\xc9\xbd\x8f\xb0\xa1", "ｱ表丂"),
        ("EUC_KR", b"\xb0\xa1", "가"),
        (
            "GB18030",
            b"\x81\x30\x89\x38\x94\x39\xda\x33a",
            "ß\u{1f4a9}a",
        ),
    ];
    for (name, bytes, expected) in cases {
        let text = named(name).text(bytes);
        assert_eq!(String::from_utf8_lossy(&text), expected, "{name}");
    }
}

#[test]
fn what_is_no_character_takes_nothing_else_with_it() {
    let cases: [(&str, &[u8], &[u8]); 9] = [
        ("WIN1252", b"a\x81b", b"a\xffb"),
        ("LATIN3", b"\xa5", b"\xff"),
        // A first byte before a tab, a quote and the end.
        ("SJIS", b"\x95\ta", b"\xff\ta"),
        ("GBK", b"\x81'a", b"\xff'a"),
        ("EUC_JP", b"\xc9a", b"\xffa"),
        ("EUC_JP", b"\x8f\xb0a", b"\xff\xffa"),
        ("BIG5", b"a\xa5", b"a\xff"),
        // A pair that is none takes its backslash along.
        ("SJIS", b"\xf0\x5cn", b"\xff\xffn"),
        ("GB18030", b"\x81\x30\x89\n", b"\xff0\xff\n"),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(
            named(name).text(bytes).as_ref(),
            expected,
            "{name} {bytes:x?}"
        );
    }
}

#[test]
fn text_of_ascii_is_left_alone() {
    assert!(matches!(named("SJIS").text(b"abc\\n"), Cow::Borrowed(_)));
    assert!(chunk(b"abc\n").in_utf8(named("LATIN1"), 0).is_none());
    assert!(chunk(b"\xff\n").in_utf8(named("UTF8"), 0).is_none());
}

#[test]
fn places_are_those_of_the_source() {
    let line: Vec<u8> = [b"\xe9".repeat(700), b"a".repeat(700), b"\n".to_vec()].concat();
    let raw = [b"12345".to_vec(), line.clone(), line.clone()].concat();
    let converted = chunk(&raw).in_utf8(named("LATIN1"), 5).unwrap();
    assert_eq!(converted.bytes().len(), 2 * (2 * 700 + 700 + 1));
    let text = std::str::from_utf8(converted.bytes()).unwrap();
    for (count, (place, _)) in text.char_indices().enumerate() {
        assert_eq!(converted.offset_of(place), 1005 + count as u64, "{place}");
    }
    assert_eq!(converted.offset_of(text.len()), 1000 + raw.len() as u64);
}

#[test]
fn a_blocks_places_are_those_of_the_source() {
    let block = Block {
        head: Arc::new(BlockHead {
            table: TableName::public("t"),
            columns: vec!["a".to_owned()],
            form: RowForm::Csv,
        }),
        buffer: Arc::new(b"a\n\xe9\xe9\n\xe9\n".to_vec()),
        range: 2..7,
        offset: 50,
        first_row: 0,
        converted: None,
    };
    let block = block.in_utf8(named("LATIN1"));
    assert_eq!(block.bytes(), "éé\né\n".as_bytes());
    assert_eq!([0, 2, 5].map(|place| block.offset_of(place)), [50, 51, 53]);
}

proptest! {
    // Each case looks up every place.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_keep_their_lines_and_places(
        index in 0..COUNT,
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x80..=0xff_u8, Just(b'\n'), Just(b'\\')], 0..1200),
    ) {
        let encoding = Encoding::Other(index);
        let whole = encoding.text(&bytes);
        let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
        prop_assert_eq!(lines(&whole), lines(&bytes));
        // Apart from what is no character, it is UTF-8.
        for part in whole.split(|byte| *byte == NO_CHARACTER) {
            prop_assert!(std::str::from_utf8(part).is_ok());
        }
        if let Some(converted) = chunk(&bytes).in_utf8(encoding, 0) {
            prop_assert_eq!(converted.bytes(), whole.as_ref());
            let places: Vec<u64> = (0..=converted.len).map(|place| converted.offset_of(place)).collect();
            prop_assert!(places.is_sorted());
            prop_assert_eq!(places.last(), Some(&(1000 + bytes.len() as u64)));
        }
    }
}
