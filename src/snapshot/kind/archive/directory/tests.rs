use std::fs;
use std::io::{self, Read, Write};

use super::super::sample::{Sample, files_toc, read, rows, string, table};
use super::*;

const TABLE: &str = "CREATE TABLE public.t (\n    id bigint\n);\n";
const COPY: &str = "COPY public.t (id) FROM stdin;\n";
const DATA: &[u8] = b"1\n2\n\\.\n\n\n";
const TOLD: &str = "begin t (id)\n1\n2\nend t: 2 rows\n";

fn toc(file: &str) -> Vec<u8> {
    let extra = string(file);
    let data = Sample {
        extra: &extra,
        ..rows(7, "public", "t", COPY)
    };
    files_toc(&[table("public", "t", TABLE), data])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn open(folder: &Path) -> Result<DirectoryArchive, String> {
    let names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .collect();
    DirectoryArchive::open(&folder.into(), "archive", &names, Arc::default())
        .map_err(|error| error.to_string())
}

fn told(folder: &Path) -> Result<String, String> {
    open(folder).and_then(|archive| read(&archive, "t").map_err(|error| error.to_string()))
}

#[test]
fn files_are_found_with_every_suffix() {
    type Pack = fn(&[u8]) -> Vec<u8>;
    let cases: [(&str, Pack); 4] = [
        ("", |bytes| bytes.to_vec()),
        (".gz", gzip),
        (".lz4", lz4),
        (".zst", zstd),
    ];
    for (suffix, pack) in cases {
        let (toc_name, name) = (format!("toc.dat{suffix}"), format!("7.dat{suffix}"));
        let folder = folder(&[(&toc_name, pack(&toc("7.dat"))), (&name, pack(DATA))]);
        assert_eq!(told(folder.path()).unwrap(), TOLD, "{suffix}");
        let size = open(folder.path()).unwrap().size();
        assert_eq!(size, pack(DATA).len() as u64);
    }
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    let outer = folder(&[("7.dat", DATA.to_vec())]);
    let inner = outer.path().join("archive");
    fs::create_dir(&inner).unwrap();
    let absolute = outer.path().join("7.dat");
    let names = [
        "../7.dat",
        absolute.to_str().unwrap(),
        "..",
        ".",
        "./7.dat",
        "a/../../7.dat",
        "..\\7.dat",
        "C:7.dat",
        "7.dat/",
    ];
    for name in names {
        fs::write(inner.join("toc.dat"), toc(name)).unwrap();
        let message = told(&inner).unwrap_err();
        assert!(
            message.contains("not directly in its folder"),
            "{name}: {message}"
        );
        assert!(message.contains("table t"), "{name}: {message}");
    }
}

/// pg_dump's strings end at one: a definition would be cut short, or a name would be another.
#[test]
fn a_zero_byte_in_the_table_of_contents_is_damage() {
    let folder = folder(&[("7.dat", DATA.to_vec())]);
    fs::write(folder.path().join("toc.dat"), toc("7.dat\0")).unwrap();
    let message = told(folder.path()).unwrap_err();
    assert!(
        message.contains("a zero byte stands in a string"),
        "{message}"
    );
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let outer = folder(&[("7.dat", DATA.to_vec()), ("toc.dat", toc("7.dat"))]);
    let inner = outer.path().join("archive");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("toc.dat"), toc("7.dat")).unwrap();
    std::os::unix::fs::symlink("../7.dat", inner.join("7.dat")).unwrap();
    let message = told(&inner).unwrap_err();
    assert!(
        message.contains("7.dat (table t)") && message.contains("symbolic link"),
        "{message}"
    );
    fs::remove_file(inner.join("toc.dat")).unwrap();
    std::os::unix::fs::symlink("../toc.dat", inner.join("toc.dat")).unwrap();
    assert!(told(&inner).unwrap_err().contains("symbolic link"));
}

#[test]
fn a_missing_file_is_told_when_its_table_is_read() {
    let folder = folder(&[("toc.dat", toc("7.dat"))]);
    let message = told(folder.path()).unwrap_err();
    assert_eq!(
        message,
        "the snapshot is damaged (7.dat, table t): \
         the folder lacks the file with the table's data: copy or dump it again"
    );
    // One entry without a file has no data.
    fs::write(folder.path().join("toc.dat"), toc("")).unwrap();
    assert_eq!(told(folder.path()).unwrap(), "");
}

#[test]
fn cut_and_damaged_files_are_told() {
    let packed = gzip(DATA);
    let mut flipped = packed.clone();
    let place = flipped.len() - 6;
    flipped[place] ^= 1;
    let cases: [(&str, &str, Vec<u8>, &str); 5] = [
        (
            "raw, cut",
            "7.dat",
            DATA[..3].to_vec(),
            "ends too early (7.dat, table t, row 2",
        ),
        (
            "raw, empty",
            "7.dat",
            Vec::new(),
            "ends too early (7.dat, table t, row 1",
        ),
        (
            "gzip, cut",
            "7.dat.gz",
            packed[..packed.len() - 9].to_vec(),
            "ends too early (7.dat.gz, table t",
        ),
        (
            "gzip, changed",
            "7.dat.gz",
            flipped,
            "is damaged (7.dat.gz, table t",
        ),
        (
            "not gzip",
            "7.dat.gz",
            [b"1\n2\n3\n4\n5\n6\n", DATA].concat(),
            "is damaged (7.dat.gz, table t",
        ),
    ];
    for (name, file, content, expected) in cases {
        let folder = folder(&[("toc.dat", toc("7.dat")), (file, content)]);
        let message = told(folder.path()).unwrap_err();
        assert!(message.contains(expected), "{name}: {message}");
    }
}

#[test]
fn two_tocs_are_refused() {
    let folder = folder(&[
        ("toc.dat", toc("7.dat")),
        ("toc.dat.gz", gzip(&toc("7.dat"))),
    ]);
    assert!(
        told(folder.path())
            .unwrap_err()
            .contains("both toc.dat and toc.dat.gz")
    );
}

#[test]
fn a_toc_that_unpacks_without_end_is_refused() {
    // A string of 300 MiB in a few hundred KiB.
    let mut toc = toc("7.dat");
    toc.truncate(toc.len() - string("7.dat").len());
    toc.extend_from_slice(&super::super::sample::int(300 << 20));
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(&toc).unwrap();
    io::copy(&mut io::repeat(b'x').take(300 << 20), &mut encoder).unwrap();
    let folder = folder(&[("toc.dat.zst", encoder.finish().unwrap())]);
    let message = told(folder.path()).unwrap_err();
    assert!(message.contains("larger than 256 MiB"), "{message}");
}
