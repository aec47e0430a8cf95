use proptest::prelude::*;

use super::super::sample::{Sample, entry, header, int, offset, rows, string};
use super::*;

const COPY: &str = "COPY public.notes (id) FROM stdin;\n";

/// How a version says that data is compressed by gzip.
fn gzip(minor: u8) -> Vec<u8> {
    match minor {
        ..15 => int(-1),
        _ => vec![1],
    }
}

fn archive(minor: u8) -> Vec<u8> {
    let extra = offset(2, 4711);
    let other = Sample {
        description: "COMMENT",
        definition: "COMMENT ON TABLE public.notes IS 'x';\n",
        extra: &offset(3, 0),
        ..Sample::default()
    };
    let notes = Sample {
        extra: &extra,
        ..rows(12, "public", "notes", COPY)
    };
    [
        header(minor, 1, &gzip(minor), 2),
        entry(minor, &other),
        entry(minor, &notes),
    ]
    .concat()
}

fn read(bytes: &[u8]) -> Result<Toc, String> {
    Toc::read(&mut &bytes[..], None).map_err(|error| error.to_string())
}

#[test]
fn every_version_is_read() {
    for minor in 12..=16 {
        let bytes = [&archive(minor)[..], b"data"].concat();
        let mut rest = &bytes[..];
        let toc = Toc::read(&mut rest, None).unwrap();
        assert_eq!(rest, b"data", "1.{minor}");
        assert_eq!(toc.header.minor, minor);
        assert_eq!(toc.header.entries, 2);
        assert_eq!(toc.header.compression, Compression::Zlib);
        assert_eq!(toc.header.taken_at.as_deref(), Some("2023-12-31 12:34:56"));
        assert_eq!(toc.header.server_version.as_deref(), Some("15.18"));
        assert_eq!(toc.header.dump_version.as_deref(), Some("16.2"));
        let [notes] = &toc.entries[..] else {
            panic!("{:?}", toc.entries);
        };
        assert_eq!((notes.number, notes.dump_id), (2, 12));
        assert_eq!((&notes.tag[..], &notes.namespace[..]), ("notes", "public"));
        assert_eq!(notes.copy, COPY.as_bytes());
        assert_eq!(notes.place, DataPlace::At(4711));
    }
}

#[test]
fn a_toc_cut_anywhere_is_cut_off() {
    for minor in 12..=16 {
        let bytes = archive(minor);
        for cut in 0..bytes.len() {
            let error = Toc::read(&mut &bytes[..cut], Some("toc.dat")).unwrap_err();
            assert!(
                matches!(error, SnapshotError::CutOff { .. }),
                "{cut}: {error}"
            );
        }
    }
    let bytes = archive(14);
    assert_eq!(
        read(&bytes[..bytes.len() - 1]).unwrap_err(),
        format!(
            "the snapshot ends too early (byte {}): \
             it is cut off inside entry 2 of 2 of the archive's TOC, copy it again",
            bytes.len() - 1
        )
    );
}

#[test]
fn what_cannot_be_a_toc_is_told() {
    let with = |header: Vec<u8>, rest: &[u8]| [&header[..], rest].concat();
    let mut wide = header(14, 1, &int(0), 0);
    wide[8] = 9;
    let huge_string = [int(1), int(1), int(i64::from(u32::MAX))].concat();
    let negative_string = [int(1), int(1), int(-2)].concat();
    let sign = [int(1), vec![7, 0, 0, 0, 0]].concat();
    let flag = entry(
        14,
        &Sample {
            extra: &offset(9, 0),
            ..Sample::default()
        },
    );
    let cases: [(&str, Vec<u8>, &str); 11] = [
        (
            "no magic",
            b"PGDMX\x01\x0e".to_vec(),
            "damaged (byte 0): it does not begin as an archive",
        ),
        (
            "an old version",
            header(11, 1, &int(0), 0),
            "a pg_dump archive of version 1.11",
        ),
        (
            "a version to come",
            header(17, 1, &int(0), 0),
            "a pg_dump archive of version 1.17",
        ),
        ("wide integers", wide, "integers of 9 bytes"),
        (
            "a format",
            header(14, 2, &int(0), 0),
            "format 2 is not known",
        ),
        (
            "a compression level",
            header(14, 1, &int(10), 0),
            "compression level 10",
        ),
        (
            "a compression",
            header(15, 1, &[4], 0),
            "compression 4 is not known",
        ),
        (
            "entries below none",
            header(14, 1, &int(0), -1),
            "the TOC has -1 entries",
        ),
        (
            "a huge string",
            with(header(14, 1, &int(0), 1), &huge_string),
            "a string of 4294967295 bytes",
        ),
        (
            "a negative length",
            with(header(14, 1, &int(0), 1), &negative_string),
            "a string has -2 bytes",
        ),
        (
            "a sign",
            with(header(14, 1, &int(0), 1), &sign),
            "entry 1 of 1 of the archive's TOC",
        ),
    ];
    for (name, bytes, expected) in cases {
        let message = read(&bytes).expect_err(name);
        assert!(message.contains(expected), "{name}: {message}");
    }
    let message = read(&with(header(14, 1, &int(0), 1), &flag)).unwrap_err();
    assert!(message.contains("a data position's flag is 9"), "{message}");
}

#[test]
fn a_claimed_count_or_length_takes_no_memory() {
    // Two thousand million entries, and none there.
    let count = header(14, 1, &int(0), i64::from(i32::MAX));
    assert!(read(&count).unwrap_err().contains("entry 1 of 2147483647"));
    // A string of 200 MiB in a TOC of 200 bytes.
    let long = [
        header(14, 1, &int(0), 1),
        int(1),
        int(1),
        int(200 << 20),
        string("x"),
    ]
    .concat();
    assert!(read(&long).unwrap_err().contains("cut off inside entry 1"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        minor in 12u8..=16,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = archive(minor);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = read(&bytes);
    }
}
