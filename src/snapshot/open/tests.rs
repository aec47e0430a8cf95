use std::io::Write;

use super::*;
use crate::snapshot::codec::faulty::{After, ERRORS, Faulty};
use crate::snapshot::event::Event;

const SQL: &[u8] = b"--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The same in the form that tars had before POSIX.
fn old_tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_old();
        header.set_path(name).unwrap();
        header.set_size(content.len() as u64);
        // Numbers of devices, which GNU tar writes in this form, too.
        header.as_mut_bytes()[329..336].copy_from_slice(b"0000000");
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Opens a stream by itself.
fn stream_of(
    stream: Box<dyn Read + Send>,
    source: &str,
    again: Option<&Path>,
) -> Result<Snapshot, SnapshotError> {
    let options = OpenOptions::default();
    let again = again.map(Place::from);
    open_stream(stream, source, again.as_ref(), &options, Arc::default()).map(Opened::snapshot)
}

/// The kind, or the message.
fn kind(result: Result<Snapshot, SnapshotError>) -> Result<(Kind, Option<u64>), String> {
    result
        .map(|snapshot| (snapshot.kind, snapshot.size))
        .map_err(|error| error.to_string())
}

fn assert_holds(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

fn open_named(name: &str) -> Result<Snapshot, SnapshotError> {
    open(&name.into())
}

#[test]
fn content_tells_the_kind_of_files_and_streams() {
    let backup = tar(&[
        ("backup_information.yml", b""),
        ("db/database.sql.gz", SQL),
        ("x", b"y"),
    ]);
    // As tar wrote them before POSIX: no magic, and no names of owners.
    let old = old_tar(&[("backup_information.yml", b""), ("db/database.sql.gz", SQL)]);
    let restrict = b"\n\\restrict abc\n-- PostgreSQL database dump\n";
    let cases: [(&str, Vec<u8>, Kind, Option<usize>); 7] = [
        ("backup, old form", old, Kind::GitlabBackup, Some(SQL.len())),
        ("plain", SQL.to_vec(), Kind::Plain, None),
        ("plain, restricted", restrict.to_vec(), Kind::Plain, None),
        ("plain, gzip", gzip(SQL), Kind::Plain, None),
        (
            "plain, zstd",
            zstd::encode_all(SQL, 1).unwrap(),
            Kind::Plain,
            None,
        ),
        (
            "backup",
            backup.clone(),
            Kind::GitlabBackup,
            Some(SQL.len()),
        ),
        ("backup, gzip", gzip(&backup), Kind::GitlabBackup, None),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("named-like-nothing");
    for (name, content, expected, size) in cases {
        fs::write(&path, &content).unwrap();
        let snapshot = open_named(path.to_str().unwrap()).unwrap();
        assert_eq!(snapshot.source, "named-like-nothing", "{name}");
        // Of a tar only the database is read.
        let size = size.unwrap_or(content.len()) as u64;
        assert_eq!(
            (snapshot.kind, snapshot.size),
            (expected, Some(size)),
            "{name}"
        );
        let stream = stream_of(Box::new(Cursor::new(content)), "-", None);
        assert_eq!(kind(stream), Ok((expected, None)), "{name}");
    }
}

#[test]
fn folders_are_told_by_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let (csv, backup) = (folder.path().join("csv"), folder.path().join("backup"));
    fs::create_dir_all(backup.join("db")).unwrap();
    fs::create_dir_all(&csv).unwrap();
    fs::write(
        csv.join("schema.sql"),
        "CREATE TABLE public.a (\n    id bigint\n);\n",
    )
    .unwrap();
    fs::write(csv.join("a.csv.gz"), gzip(b"id\n")).unwrap();
    fs::write(backup.join("db/database.sql.gz"), gzip(SQL)).unwrap();
    let size = |bytes: &[u8]| Some(gzip(bytes).len() as u64);
    assert_eq!(
        kind(open_named(csv.to_str().unwrap())),
        Ok((Kind::Csv, size(b"id\n")))
    );
    assert_eq!(
        kind(open_named(backup.to_str().unwrap())),
        Ok((Kind::GitlabBackup, size(SQL)))
    );
    let dots = format!("{}/../csv/.", csv.display());
    assert_eq!(open_named(&dots).unwrap().source, "csv");
}

#[test]
fn a_server_that_does_not_answer_is_named_without_the_password() {
    // Nobody may listen on port 1 but root.
    let message = kind(open_named("postgres://me:secret@127.0.0.1:1/db")).unwrap_err();
    assert_holds(&message, &["cannot read from postgres://127.0.0.1:1/db"]);
    assert!(!message.contains("secret"));
}

#[test]
fn a_snapshot_id_is_for_servers_only() {
    let options = OpenOptions {
        pg_snapshot: Some("00000003-0000001B-1".to_owned()),
        ..OpenOptions::default()
    };
    let message = kind(open_with(&"dump.sql".into(), &options)).unwrap_err();
    assert_holds(
        &message,
        &["a snapshot id cannot be read", "live PostgreSQL server"],
    );
}

#[test]
fn folders_that_are_not_read_are_named() {
    let cases: [(&str, &[&str], &[&str]); 4] = [
        (
            "data folder",
            &["PG_VERSION", "global/pg_control"],
            &["data folder", "pgdata:"],
        ),
        (
            "tables without a schema",
            &["a.csv"],
            &["no schema.sql", "pg_dump --schema-only"],
        ),
        (
            "a schema without tables",
            &["schema.sql"],
            &["not a snapshot", "schema.sql"],
        ),
        (
            "nothing",
            &["readme"],
            &["not a snapshot", "looked", "db/database.sql.gz"],
        ),
    ];
    for (name, files, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("global")).unwrap();
        for file in files {
            fs::write(folder.path().join(file), b"x").unwrap();
        }
        let message = kind(open_named(folder.path().to_str().unwrap())).expect_err(name);
        assert_holds(&format!("{name}: {message}"), expected);
    }
}

#[test]
fn what_is_no_snapshot_is_told_with_its_first_bytes() {
    let cases: [(&str, &[u8], &[&str]); 5] = [
        (
            "a word that begins like SQL",
            b"Settings",
            &["\"Settings\""],
        ),
        ("empty", b"", &["not a snapshot", "it is empty"]),
        (
            "zip",
            b"PK\x03\x04more",
            &["looked for", "\"PK\\x03\\x04more\""],
        ),
        (
            "prose",
            b"Dear all, this is no dump",
            &["\"Dear all, this i\""],
        ),
        ("words with a zero byte", b"-- \0", &["\"-- \\x00\""]),
    ];
    for (name, content, expected) in cases {
        let message = kind(stream_of(Box::new(Cursor::new(content)), "-", None)).expect_err(name);
        assert_holds(&format!("{name}: {message}"), expected);
    }
}

#[test]
fn compressed_files_cut_at_their_beginning_are_told() {
    let cut = gzip(SQL)[..20].to_vec();
    let message = kind(stream_of(Box::new(Cursor::new(cut)), "dump.gz", None)).unwrap_err();
    assert_holds(&message, &["ends too early", "dump.gz"]);
}

#[test]
fn a_missing_file_is_told_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.sql");
    let message = kind(open_named(path.to_str().unwrap())).unwrap_err();
    assert_holds(
        &message,
        &[
            "cannot read",
            "dump.sql",
            "no such file or folder",
            "standard input",
        ],
    );
}

/// Zero bytes without end, of which no more than a few may be asked for.
struct Endless(u64);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0 += buffer.len() as u64;
        assert!(self.0 < 4 * START, "detection reads too much");
        buffer.fill(b' ');
        Ok(buffer.len())
    }
}

#[test]
fn detection_reads_only_the_beginning() {
    assert!(stream_of(Box::new(Endless(0)), "-", None).is_err());
}

/// The rows of a stream, or why it cannot be read.
fn rows_of(source: Faulty) -> Result<String, String> {
    let said = |error: SnapshotError| error.to_string();
    let snapshot = stream_of(Box::new(source), "-", None).map_err(said)?;
    let Access::Stream(stream) = snapshot.access else {
        panic!("a stream is read as one");
    };
    let mut rows = String::new();
    let mut take = |event| {
        if let Event::Rows(block) = event {
            rows.push_str(std::str::from_utf8(block.bytes()).unwrap());
        }
        std::ops::ControlFlow::Continue(())
    };
    stream.read(&|_| true, &mut take).map_err(said)?;
    Ok(rows)
}

#[test]
fn a_read_that_fails_is_never_the_end_of_a_dump() {
    let dump = b"--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.a (\n    id bigint\n);\n\n\
        COPY public.a (id) FROM stdin;\n1\n2\n3\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n";
    let backup = tar(&[
        ("db/", b""),
        ("db/database.sql.gz", &gzip(dump)),
        ("x", &[1; 1000]),
    ]);
    let cases = [
        ("plain", dump.to_vec(), 11),
        ("gzip", gzip(dump), 11),
        ("gzip in gzip", gzip(&gzip(dump)), 11),
        ("backup", backup.clone(), 200),
        ("backup, gzip", gzip(&backup), 11),
    ];
    for (name, bytes, step) in cases {
        let sound = Faulty::sound(&bytes, step);
        let calls = sound.calls();
        assert_eq!(rows_of(sound).unwrap(), "1\n2\n3\n", "{name}");
        let interrupted = rows_of(Faulty::interrupted(&bytes, step));
        assert_eq!(interrupted.unwrap(), "1\n2\n3\n", "{name}");
        for call in 0..calls.load(std::sync::atomic::Ordering::Relaxed) {
            for after in [After::GoesOn, After::Ends] {
                let source = Faulty::failing(&bytes, step, call, ERRORS[0], after);
                let message = rows_of(source).expect_err(name);
                assert!(
                    message.contains("os error 5"),
                    "{name}, call {call}: {message}"
                );
            }
        }
    }
}

#[test]
fn the_tar_of_a_pg_dump_folder_is_no_backup() {
    let archive = tar(&[
        ("./", b""),
        ("./dump/3.dat.gz", b"x"),
        ("./dump/toc.dat", b"PGDMP"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    fs::write(&path, &archive).unwrap();
    // It is read as what it is, and is too short for that.
    let message = kind(open_named(path.to_str().unwrap())).unwrap_err();
    assert_holds(&message, &["ends too early", "dump/toc.dat", "header"]);
    let size = gzip(&archive).len() as u64;
    fs::write(&path, gzip(&archive)).unwrap();
    assert_eq!(
        kind(open_named(path.to_str().unwrap())),
        Ok((Kind::Directory, Some(size)))
    );
    // Behind what fills the beginning of a stream nobody looks.
    let behind = tar(&[("letter", &[b'x'; 5000]), ("dump/toc.dat", b"PGDMP")]);
    let message = kind(stream_of(Box::new(Cursor::new(behind.clone())), "-", None)).unwrap_err();
    assert_holds(
        &message,
        &[
            "dump/toc.dat",
            "pg_dump -Fd",
            "unpack it and name that folder",
        ],
    );
    fs::write(&path, behind).unwrap();
    let message = kind(open_named(path.to_str().unwrap())).unwrap_err();
    assert_holds(&message, &["ends too early", "dump/toc.dat"]);
}
