use std::fs::File;
use std::io::Cursor;

use super::super::sample::{Told, files_toc, read, rows, table};
use super::*;
use crate::snapshot::codec::faulty::{After, ERRORS, Faulty};

const A: &str = "begin a (id)\n1\n2\nend a: 2 rows\n";
const B: &str = "begin b (id)\n3\nend b: 1 rows\n";

fn toc() -> Vec<u8> {
    files_toc(&[
        table(
            "public",
            "a",
            "CREATE TABLE public.a (\n    id bigint\n);\n",
        ),
        table(
            "public",
            "b",
            "CREATE TABLE public.b (\n    id bigint\n);\n",
        ),
        rows(7, "public", "a", "COPY public.a (id) FROM stdin;\n"),
        rows(8, "public", "b", "COPY public.b (id) FROM stdin;\n"),
    ])
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn whole() -> Vec<u8> {
    tar(&[
        ("toc.dat", &toc()),
        ("7.dat", b"1\n2\n\\.\n\n\n"),
        ("blob_1.dat", &[1; 700]),
        ("8.dat", b"3\n\\.\n\n\n"),
        ("restore.sql", b"--\n"),
    ])
}

fn from_file(bytes: &[u8], table: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    std::fs::write(&path, bytes).unwrap();
    TarArchive::open(&Place::from(&path), "archive", Arc::default())
        .and_then(|archive| read(&archive, table))
        .map_err(|error| error.to_string())
}

fn stream(bytes: &[u8], wanted: &[&str]) -> Result<String, String> {
    let mut told = Told::default();
    let stream = TarStream::new(Box::new(Cursor::new(bytes.to_vec())), "archive", None);
    let wanted = |table: &TableName| wanted.contains(&&table.name[..]);
    Box::new(stream)
        .read(&wanted, &mut |event| told.take(event))
        .map(|()| told.0)
        .map_err(|error| error.to_string())
}

#[test]
fn members_are_read_from_files_and_streams() {
    let bytes = whole();
    assert_eq!(from_file(&bytes, "b").unwrap(), B);
    assert_eq!(from_file(&bytes, "a").unwrap(), A);
    assert_eq!(stream(&bytes, &["a", "b"]).unwrap(), format!("{A}{B}"));
    assert_eq!(stream(&bytes, &["b"]).unwrap(), B);
}

#[test]
fn a_tar_cut_off_gives_what_is_before() {
    let bytes = whole();
    // Behind the header of 8.dat.
    let end = bytes.len() - 1024 - 512 - 512 - 512 + 3;
    let cut = &bytes[..end];
    assert_eq!(from_file(cut, "a").unwrap(), A);
    for message in [from_file(cut, "b"), stream(cut, &["a", "b"])] {
        let message = message.unwrap_err();
        assert!(
            message.starts_with("the snapshot ends too early (8.dat, table b"),
            "{message}"
        );
    }
    let cut = &bytes[..end - 400];
    for message in [from_file(cut, "b"), stream(cut, &["a"])] {
        let message = message.unwrap_err();
        assert!(
            message.starts_with("the snapshot ends too early"),
            "{message}"
        );
    }
    for cut in [100, 600] {
        assert!(stream(&bytes[..cut], &[]).is_err() && from_file(&bytes[..cut], "a").is_err());
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The tar of a folder, packed in an order that puts the TOC where `toc_at` says.
fn folder(toc_at: usize) -> Vec<u8> {
    let (a, b) = (
        gzip(b"1\n2\n\\.\n\n\n"),
        zstd::encode_all(&b"3\n\\.\n\n\n"[..], 1).unwrap(),
    );
    let toc = toc();
    let mut members: Vec<(&str, &[u8])> = vec![
        ("./dump/8.dat.zst", &b),
        ("./dump/blobs.toc", b"1 blob_1.dat\n"),
        ("./dump/blob_1.dat.gz", &[1; 700]),
        ("./dump/7.dat.gz", &a),
        // Another folder's file of that name is nobody's.
        ("./7.dat", b"9\n\\.\n"),
    ];
    members.insert(toc_at, ("./dump/toc.dat", &toc));
    tar(&members)
}

#[test]
fn the_tar_of_a_folder_is_read_whatever_the_order_of_its_files() {
    for toc_at in 0..=5 {
        let bytes = folder(toc_at);
        assert_eq!(from_file(&bytes, "a").unwrap(), A, "TOC at {toc_at}");
        assert_eq!(from_file(&bytes, "b").unwrap(), B, "TOC at {toc_at}");
        let packed = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(packed.path(), gzip(&bytes)).unwrap();
        let taken = Arc::default();
        let again = Again {
            place: packed.path().into(),
            taken: Arc::clone(&taken),
        };
        let mut told = Told::default();
        let file = File::open(packed.path()).unwrap();
        let tar = decoder(Box::new(file), Arc::clone(&taken)).unwrap();
        Box::new(TarStream::new(tar, "archive", Some(again)))
            .read(&|_| true, &mut |event| told.take(event))
            .unwrap();
        assert_eq!(told.0, format!("{B}{A}"), "TOC at {toc_at}");
        assert_eq!(taken.load(Ordering::Relaxed), gzip(&bytes).len() as u64);
    }
}

#[test]
fn a_stream_shows_a_table_of_contents_only_before_the_data() {
    assert_eq!(stream(&folder(0), &["a", "b"]).unwrap(), format!("{B}{A}"));
    let message = stream(&folder(1), &["a"]).unwrap_err();
    for part in [
        "dump/8.dat.zst stands before",
        "save the tar to a file",
        "unpack it",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_file_that_was_packed_twice_counts_once() {
    let toc = toc();
    let files: [(&str, &[u8]); 3] = [
        ("toc.dat", &toc),
        ("7.dat", b"1\n2\n\\.\n\n\n"),
        ("8.dat", b"3\n\\.\n\n\n"),
    ];
    let mut builder = ::tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, content).unwrap();
    }
    // As GNU tar packs `toc.dat *.dat`.
    for name in ["7.dat", "toc.dat"] {
        let mut header = ::tar::Header::new_gnu();
        header.set_entry_type(::tar::EntryType::Link);
        header.set_size(0);
        builder.append_link(&mut header, name, name).unwrap();
    }
    let bytes = builder.into_inner().unwrap();
    assert_eq!(from_file(&bytes, "a").unwrap(), A);
    assert_eq!(stream(&bytes, &["a", "b"]).unwrap(), format!("{A}{B}"));
}

#[test]
fn a_tar_of_two_archives_is_refused() {
    let (toc, rows) = (toc(), &b"1\n\\.\n"[..]);
    let mut members: Vec<(&str, &[u8])> = vec![("x/7.dat", rows), ("x/8.dat", rows)];
    for (first, second) in [(0, 3), (2, 3)] {
        members.insert(first, ("x/toc.dat", &toc));
        members.insert(second, ("y/toc.dat", &toc));
        let bytes = tar(&members);
        let message = from_file(&bytes, "a").unwrap_err();
        assert!(message.contains("y/toc.dat is the second"), "{message}");
        if first == 0 {
            assert_eq!(stream(&bytes, &["a"]).unwrap_err(), message);
        }
        members.retain(|(name, _)| !name.ends_with("toc.dat"));
    }
}

#[test]
fn a_member_that_is_cut_or_damaged_is_told_with_its_table() {
    let whole = gzip(b"1\n2\n\\.\n\n\n");
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for (bytes, says) in [
        (&whole[..whole.len() - 3], "ends too early"),
        (&flipped, "damaged"),
    ] {
        let toc = toc();
        let tar = tar(&[
            ("toc.dat", &toc),
            ("7.dat.gz", bytes),
            ("8.dat", b"3\n\\.\n"),
        ]);
        for message in [from_file(&tar, "a"), stream(&tar, &["a"])] {
            let message = message.unwrap_err();
            assert!(
                message.contains("7.dat.gz, table a") && message.contains(says),
                "{message}"
            );
        }
    }
}

#[test]
fn names_that_lead_out_of_a_tar_are_only_names() {
    let toc = files_toc(&[
        table(
            "public",
            "a",
            "CREATE TABLE public.a (\n    id bigint\n);\n",
        ),
        super::super::sample::Sample {
            extra: &super::super::sample::string("../../etc/passwd"),
            ..rows(7, "public", "a", "COPY public.a (id) FROM stdin;\n")
        },
    ]);
    let tar = tar(&[("toc.dat", &toc)]);
    for message in [from_file(&tar, "a"), stream(&tar, &["a"])] {
        let message = message.unwrap_err();
        assert!(
            message.contains("the tar ends before the member"),
            "{message}"
        );
    }
}

#[test]
fn a_missing_member_is_told_with_its_table() {
    let bytes = tar(&[("toc.dat", &toc()), ("8.dat", b"3\n\\.\n\n\n")]);
    for message in [from_file(&bytes, "a"), stream(&bytes, &["b"])] {
        let message = message.unwrap_err();
        assert!(message.contains("(7.dat, table a)"), "{message}");
    }
    assert_eq!(from_file(&bytes, "b").unwrap(), B);
}

#[test]
fn what_is_no_archive_is_told() {
    let two = files_toc(&[
        table(
            "public",
            "a",
            "CREATE TABLE public.a (\n    id bigint\n);\n",
        ),
        super::super::sample::Sample {
            extra: &super::super::sample::string("9.dat"),
            ..rows(7, "public", "a", "COPY public.a (id) FROM stdin;\n")
        },
        super::super::sample::Sample {
            extra: &super::super::sample::string("9.dat"),
            ..rows(8, "public", "a", "COPY public.a (id) FROM stdin;\n")
        },
    ]);
    let doubled = tar(&[
        ("toc.dat", &toc()),
        ("7.dat", b"\\.\n"),
        ("7.dat", b"\\.\n"),
        ("8.dat", b"\\.\n"),
    ]);
    let cases: [(&str, Vec<u8>, &str); 3] = [
        (
            "no file of an archive",
            tar(&[("x", b"")]),
            "holds no toc.dat",
        ),
        (
            "no TOC",
            tar(&[("toc.dat", b"none of that")]),
            "does not begin as an archive",
        ),
        (
            "one member for two tables",
            tar(&[("toc.dat", &two)]),
            "the same member for table a",
        ),
    ];
    for (name, bytes, expected) in cases {
        for message in [from_file(&bytes, "a"), stream(&bytes, &["a"])] {
            let message = message.expect_err(name);
            assert!(message.contains(expected), "{name}: {message}");
        }
    }
    for message in [stream(&doubled, &["a"]), from_file(&doubled, "b")] {
        assert!(
            message
                .unwrap_err()
                .contains("(7.dat, table a): the tar holds the member with the table's data twice")
        );
    }
}

fn stream_of(source: Faulty) -> Result<String, String> {
    let mut told = Told::default();
    Box::new(TarStream::new(Box::new(source), "archive", None))
        .read(&|_| true, &mut |event| told.take(event))
        .map(|()| told.0)
        .map_err(|error| error.to_string())
}

#[test]
fn a_read_that_fails_is_never_the_end_of_a_tar() {
    let bytes = folder(0);
    let sound = Faulty::sound(&bytes, 500);
    let calls = sound.calls();
    assert_eq!(stream_of(sound).unwrap(), format!("{B}{A}"));
    let interrupted = stream_of(Faulty::interrupted(&bytes, 500));
    assert_eq!(interrupted.unwrap(), format!("{B}{A}"));
    for call in 0..calls.load(Ordering::Relaxed) {
        for after in [After::GoesOn, After::Ends] {
            let source = Faulty::failing(&bytes, 500, call, ERRORS[0], after);
            let message = stream_of(source).expect_err("an error is never passed over");
            assert!(message.contains("os error 5"), "call {call}: {message}");
        }
    }
}
