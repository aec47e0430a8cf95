use std::io::Cursor;

use super::super::sample::{Told, files_toc, read, rows, table};
use super::*;

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
    TarArchive::open(&path, "archive", Arc::default())
        .and_then(|archive| read(&archive, table))
        .map_err(|error| error.to_string())
}

fn stream(bytes: &[u8], wanted: &[&str]) -> Result<String, String> {
    let mut told = Told::default();
    let stream = TarStream::new(Box::new(Cursor::new(bytes.to_vec())), "archive");
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
            "another first member",
            tar(&[("7.dat", b"")]),
            "first member is not toc.dat",
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
    assert!(stream(&doubled, &["a"]).unwrap_err().contains("twice"));
}
