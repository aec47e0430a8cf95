use std::io::{Cursor, Write};

use super::super::sample::{
    Sample, Told, block, custom, entry, header, int, offset, read, rows, table,
};
use super::*;
use crate::snapshot::codec::faulty::{After, ERRORS, Faulty};
use crate::snapshot::source::StreamSource;

const SAMPLES: [fn() -> Sample<'static>; 4] = [
    || {
        table(
            "public",
            "a",
            "CREATE TABLE public.a (\n    id bigint\n);\n",
        )
    },
    || {
        table(
            "public",
            "b",
            "CREATE TABLE public.b (\n    id bigint,\n    t text\n);\n",
        )
    },
    || rows(11, "public", "a", "COPY public.a (id) FROM stdin;\n"),
    || rows(12, "public", "b", "COPY public.b (id, t) FROM stdin;\n"),
];

const A: &str = "begin a (id)\n1\n22\nend a: 2 rows\n";
const B: &str = "begin b (id, t)\n3\tx\nend b: 1 rows\n";

fn samples() -> Vec<Sample<'static>> {
    SAMPLES.iter().map(|sample| sample()).collect()
}

/// Large objects, as pg_dump writes them: an OID, chunks; at last an OID of 0.
fn large_objects() -> (i64, Vec<u8>) {
    let bytes = [
        &[3][..],
        &int(13),
        &int(16384),
        &int(5),
        b"\x01\x0c\0\0\0",
        &int(0),
        &int(16385),
        &int(0),
        &int(0),
    ];
    (13, bytes.concat())
}

fn blocks() -> Vec<(i64, Vec<u8>)> {
    vec![
        (11, block(11, &[b"1\n2", b"2\n", b"\\.\n\n\n"])),
        large_objects(),
        (12, block(12, &[b"3\tx\n\\.\n\n\n"])),
    ]
}

fn open(bytes: &[u8]) -> Result<(tempfile::TempDir, CustomArchive), SnapshotError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    std::fs::write(&path, bytes).unwrap();
    let archive = CustomArchive::open(&Place::from(&path), "archive", Arc::default())?;
    Ok((folder, archive))
}

fn stream(bytes: &[u8], wanted: &[&str]) -> (Result<(), String>, String) {
    let mut told = Told::default();
    let stream = CustomStream::new(Box::new(Cursor::new(bytes.to_vec())), "archive");
    let wanted = |table: &TableName| wanted.contains(&&table.name[..]);
    let result = Box::new(stream).read(&wanted, &mut |event| told.take(event));
    (result.map_err(|error| error.to_string()), told.0)
}

fn from_file(bytes: &[u8], table: &str) -> Result<String, String> {
    open(bytes)
        .and_then(|(_folder, archive)| read(&archive, table))
        .map_err(|error| error.to_string())
}

#[test]
fn tables_are_found_with_positions_and_without() {
    for positions in [true, false] {
        let bytes = custom(&samples(), &blocks(), positions);
        let (_folder, archive) = open(&bytes).unwrap();
        // Backwards: a block that was passed is found again.
        assert_eq!(read(&archive, "b").unwrap(), B);
        assert_eq!(read(&archive, "a").unwrap(), A);
        assert_eq!(read(&archive, "b").unwrap(), B);
        let sizes: Vec<u64> = ["a", "b"]
            .map(|name| archive.parts(&TableName::public(name))[0].size)
            .into();
        let lengths: Vec<u64> = blocks()
            .iter()
            .map(|(_, block)| block.len() as u64)
            .collect();
        match positions {
            // What lies between two tables counts for the first.
            true => assert_eq!(sizes, [lengths[0] + lengths[1], lengths[2]]),
            false => assert_eq!((sizes, archive.size()), (vec![0, 0], bytes.len() as u64)),
        }
        assert_eq!(stream(&bytes, &["a", "b"]), (Ok(()), format!("{A}{B}")));
        assert_eq!(stream(&bytes, &["b"]), (Ok(()), B.to_owned()));
    }
}

#[test]
fn what_nobody_wants_is_not_decoded() {
    let mut blocks = blocks();
    blocks[0] = (11, block(11, &[b"no row", b"\xff\xff"]));
    for positions in [true, false] {
        let bytes = custom(&samples(), &blocks, positions);
        assert_eq!(stream(&bytes, &["b"]), (Ok(()), B.to_owned()));
        assert_eq!(from_file(&bytes, "b").unwrap(), B);
        assert!(
            from_file(&bytes, "a")
                .unwrap_err()
                .contains("table a, row 1")
        );
    }
}

#[test]
fn data_is_decompressed() {
    let data: String = (0..50_000).map(|id| format!("{id}\n")).collect();
    let text = format!("{data}\\.\n\n\n");
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(text.as_bytes()).unwrap();
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(text.as_bytes()).unwrap();
    let cases = [
        (0, text.as_bytes().to_vec()),
        (1, zlib.finish().unwrap()),
        (2, lz4.finish().unwrap()),
        (3, zstd::encode_all(text.as_bytes(), 1).unwrap()),
    ];
    for (compression, packed) in cases {
        let unknown = offset(1, 0);
        let archive = |packed: &[u8]| {
            let mut out = header(15, 1, &[compression], 2);
            for sample in [SAMPLES[0](), SAMPLES[2]()] {
                out.extend_from_slice(&entry(
                    15,
                    &Sample {
                        extra: &unknown,
                        ..sample
                    },
                ));
            }
            let chunks: Vec<&[u8]> = packed.chunks(777).collect();
            [out, block(11, &chunks)].concat()
        };
        let expected = format!("begin a (id)\n{data}end a: 50000 rows\n");
        let bytes = archive(&packed);
        assert!(from_file(&bytes, "a").unwrap() == expected, "{compression}");
        assert!(
            stream(&bytes, &["a"]) == (Ok(()), expected),
            "{compression}"
        );
        // The stream lacks its end, though the block has one. Without compression only empty lines are missing.
        let cut = from_file(&archive(&packed[..packed.len() - 3]), "a").map(|_| ());
        match compression {
            0 => assert_eq!(cut, Ok(())),
            _ => {
                let message = cut.unwrap_err();
                assert!(
                    message.starts_with("the snapshot ends too early (table a, row"),
                    "{message}"
                );
            }
        }
        let longer = from_file(&archive(&[&packed[..], b"more"].concat()), "a");
        let message = longer.map(|_| ()).unwrap_err();
        assert!(
            message.starts_with("the snapshot is damaged ("),
            "{compression}: {message}"
        );
    }
}

#[test]
fn an_archive_cut_anywhere_is_an_error() {
    for positions in [true, false] {
        let bytes = custom(&samples(), &blocks(), positions);
        for cut in 0..bytes.len() {
            let (result, _) = stream(&bytes[..cut], &["a", "b"]);
            let message = result.unwrap_err();
            assert!(
                message.starts_with("the snapshot ends too early"),
                "{cut}: {message}"
            );
            assert!(stream(&bytes[..cut], &[]).0.is_err(), "{cut}");
            let message = from_file(&bytes[..cut], "b").unwrap_err();
            assert!(
                message.starts_with("the snapshot ends too early"),
                "{cut}: {message}"
            );
        }
    }
}

#[test]
fn tables_before_a_cut_are_whole() {
    let bytes = custom(&samples(), &blocks(), false);
    let cut = &bytes[..bytes.len() - 4];
    assert_eq!(from_file(cut, "a").unwrap(), A);
    let (result, told) = stream(cut, &["a", "b"]);
    assert!(told.starts_with(A), "{told}");
    assert!(result.unwrap_err().contains("table b"));
    // A table whose last chunk is there but not the block's end has no end, either.
    assert!(!told.contains("end b"), "{told}");
}

#[test]
fn positions_are_not_trusted() {
    let blocks = blocks();
    let archive = |flag: u8, position: u64| {
        let extra = offset(flag, position);
        let mut out = header(14, 1, &int(0), 2);
        for sample in [SAMPLES[0](), SAMPLES[2]()] {
            out.extend_from_slice(&entry(
                14,
                &Sample {
                    extra: &extra,
                    ..sample
                },
            ));
        }
        let rest: Vec<u8> = blocks.iter().flat_map(|(_, block)| block.clone()).collect();
        (out.len() as u64, [out, rest].concat())
    };
    let (start, _) = archive(1, 0);
    let second = start + blocks[0].1.len() as u64 + blocks[1].1.len() as u64;
    let cases = [
        (0, "something else"),
        (second, "something else"),
        (start + 1, "has the type 0"),
        (u64::MAX, "behind the archive's end"),
        (1 << 40, "behind the archive's end"),
    ];
    for (position, expected) in cases {
        let message = from_file(&archive(2, position).1, "a").unwrap_err();
        // The magic's first byte is no type of a block.
        let expected = if position == 0 {
            "has the type 80"
        } else {
            expected
        };
        assert!(message.contains(expected), "{position}: {message}");
    }
    let (_folder, none) = open(&archive(3, 0).1).unwrap();
    assert_eq!(none.parts(&TableName::public("a")), []);
}

#[test]
fn blocks_are_not_trusted() {
    let with = |block: Vec<u8>| {
        let blocks = [(11, block), (12, blocks()[2].1.clone())];
        custom(&samples(), &blocks, false)
    };
    let head = |id| [&[1][..], &int(id)].concat();
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("a type", vec![9], "has the type 9"),
        (
            "a length below none",
            [head(11), int(-5)].concat(),
            "a chunk of data has -5 bytes",
        ),
        (
            "a huge length",
            [head(11), int(i64::from(u32::MAX))].concat(),
            "ends too early",
        ),
        (
            "twice",
            [block(11, &[b"\\.\n"]), block(11, &[b"\\.\n"])].concat(),
            "twice",
        ),
        (
            "a sign",
            [head(11), vec![3; 5]].concat(),
            "an integer makes no sense",
        ),
    ];
    for (name, block, expected) in cases {
        let bytes = with(block);
        let (result, _) = stream(&bytes, &["a", "b"]);
        let message = result.expect_err(name);
        assert!(message.contains(expected), "{name}: {message}");
        let message = from_file(&bytes, "b").expect_err(name);
        assert!(message.contains(expected), "{name}: {message}");
    }
}

#[test]
fn a_toc_of_files_is_no_archive() {
    let toc = header(14, 3, &int(0), 0);
    let message = open(&toc).err().unwrap().to_string();
    assert!(message.contains("name the folder"), "{message}");
    assert!(stream(&toc, &[]).0.unwrap_err().contains("name the folder"));
}

fn stream_of(source: Faulty) -> Result<String, String> {
    let mut told = Told::default();
    Box::new(CustomStream::new(Box::new(source), "archive"))
        .read(&|_| true, &mut |event| told.take(event))
        .map(|()| told.0)
        .map_err(|error| error.to_string())
}

#[test]
fn a_read_that_fails_is_never_the_end_of_an_archive() {
    let bytes = custom(&samples(), &blocks(), false);
    let sound = Faulty::sound(&bytes, 23);
    let calls = sound.calls();
    let whole = stream_of(sound).unwrap();
    assert!(whole.contains(A) && whole.contains(B));
    assert_eq!(stream_of(Faulty::interrupted(&bytes, 23)).unwrap(), whole);
    for call in 0..calls.load(std::sync::atomic::Ordering::Relaxed) {
        for after in [After::GoesOn, After::Ends] {
            let source = Faulty::failing(&bytes, 23, call, ERRORS[0], after);
            let message = stream_of(source).expect_err("an error is never passed over");
            assert!(message.contains("os error 5"), "call {call}: {message}");
        }
    }
}
