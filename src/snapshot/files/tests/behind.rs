//! A backup that comes once: first its rows, then its files.

use std::ops::ControlFlow;

use super::*;
use crate::snapshot::event::Event;
use crate::snapshot::kind::backup::{Backup, BackupOptions};
use crate::snapshot::open;
use crate::snapshot::routing::Routing;
use crate::snapshot::source::{Access, StreamSource};

/// A plain dump of a table with so many rows.
fn dump(rows: usize) -> Vec<u8> {
    let rows: String = (0..rows).map(|row| format!("{row}\n")).collect();
    format!(
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.4\n\
         -- Dumped by pg_dump version 15.4\n\nSET statement_timeout = 0;\n\n\
         CREATE TABLE public.notes (\n    id bigint NOT NULL\n);\n\n\
         COPY public.notes (id) FROM stdin;\n{rows}\\.\n\n\n\
         --\n-- PostgreSQL database dump complete\n--\n\n"
    )
    .into_bytes()
}

/// What is taken of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    All,
    /// Up to the first ones.
    Few,
    None,
}

fn take(rows: Rows, access: Box<dyn StreamSource>) {
    let mut count = 0;
    let read = |access: Box<dyn StreamSource>, count: &mut usize| {
        access.read(&|_| true, &mut |event| match event {
            Event::Rows(_) if rows == Rows::Few => ControlFlow::Break(()),
            Event::Rows(block) => {
                let ends = block.bytes().iter().filter(|byte| **byte == b'\n');
                *count += ends.count();
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        })
    };
    match rows {
        Rows::All => {
            read(access, &mut count).unwrap();
            assert!(count > 0);
        }
        Rows::Few => _ = read(access, &mut count),
        Rows::None => drop(access),
    }
}

fn routing() -> Routing {
    let mut routing = Routing::default();
    routing.know("ci");
    routing
}

/// The files of a tar from a pipe, once its rows have been taken.
fn behind(tar: &[u8], routing: &Routing, rows: Rows) -> Gathered {
    let temp = tempfile::tempdir().unwrap();
    let options = BackupOptions {
        routing,
        needed: None,
        temp_dir: temp.path(),
    };
    let bytes = Box::new(Cursor::new(tar.to_vec()));
    let mut backup = Backup::from_tar_stream(bytes, "-", &options).unwrap();
    let files = FileSource::Behind(backup.take_behind(None).unwrap());
    take(rows, Box::new(backup));
    let never = AtomicBool::new(false);
    files.gather(&All, temp.path(), &never).unwrap()
}

#[test]
fn files_come_behind_the_rows_however_many_of_them_are_taken() {
    // More than is read ahead.
    let (main, ci) = (gzip(&dump(900_000)), gzip(&dump(3)));
    let uploads = gzip(&tar(&[("./a", b"an upload")]));
    let one: &[File] = &[
        ("backup_information.yml", b":backup_id: 17_x\n"),
        ("db/database.sql.gz", &main),
        ("repositories/a.bundle", b"a bundle"),
        ("uploads.tar.gz", &uploads),
    ];
    let two: &[File] = &[
        one[0],
        ("db/ci_database.sql.gz", &ci),
        one[1],
        ("db/database_notes.txt", b"x"),
        one[2],
        one[3],
    ];
    let (of_none, of_ci) = (Routing::default(), routing());
    let cases = [
        ("one database", one, &of_none),
        ("one of two that may be", one, &of_ci),
        ("two databases", two, &of_ci),
        ("one of two that are", two, &of_none),
    ];
    for (name, files, routing) in cases {
        for rows in [Rows::All, Rows::Few, Rows::None] {
            let gathered = behind(&tar(files), routing, rows);
            let found = gathered.files().unwrap();
            assert_eq!(
                content(&**found, "repositories/a.bundle"),
                b"a bundle",
                "{name} {rows:?}"
            );
            assert_eq!(
                found.info().backup_id.as_deref(),
                Some("17_x"),
                "{name} {rows:?}"
            );
            assert_eq!(
                gathered.inner_size(InnerArchive::Uploads, "a"),
                Some(9),
                "{name} {rows:?}"
            );
            assert_eq!(
                said(&gathered, "repositories/b.bundle"),
                "None",
                "{name} {rows:?}"
            );
        }
    }
}

#[test]
fn what_went_by_before_the_rows_is_not_just_missing() {
    let main = gzip(&dump(3));
    let bytes = tar(&[
        ("repositories/a.bundle", b"a bundle"),
        ("lfs.tar.gz", &gzip(&tar(&[("./aa/bb/cc", b"x")]))),
        ("db/database.sql.gz", &main),
        ("repositories/b.bundle", b"another"),
    ]);
    let gathered = behind(&bytes, &Routing::default(), Rows::All);
    assert!(said(&gathered, "repositories/a.bundle").contains("it went by on standard input"));
    assert_eq!(said(&gathered, "repositories/b.bundle"), "Some(7)");
    assert_eq!(said(&gathered, "repositories/c.bundle"), "None");
    let trouble = gathered.trouble(InnerArchive::Lfs).unwrap().to_string();
    assert!(
        trouble.contains("it went by on standard input"),
        "{trouble}"
    );

    // A file can be read again.
    let put = as_file(&gzip(&bytes));
    let path = put.folder.path().join("1_gitlab_backup.tar");
    let snapshot = open(&Spec::Path(path)).unwrap();
    let Access::Stream(access) = snapshot.access else {
        panic!("a compressed tar is a stream");
    };
    take(Rows::All, access);
    let never = AtomicBool::new(false);
    let gathered = snapshot
        .files
        .gather(&All, put.folder.path(), &never)
        .unwrap();
    assert_eq!(said(&gathered, "repositories/a.bundle"), "Some(8)");
    assert_eq!(gathered.inner_size(InnerArchive::Lfs, "aa/bb/cc"), Some(1));
}

#[test]
fn a_cut_among_the_databases_is_told_of_every_file() {
    let (main, ci) = (gzip(&dump(3)), gzip(&dump(3)));
    let bytes = tar(&[
        ("db/database.sql.gz", &main),
        ("db/ci_database.sql.gz", &ci),
    ]);
    let cut = 512 + main.len().next_multiple_of(512) + 512 + 9;
    let gathered = behind(&bytes[..cut], &routing(), Rows::None);
    assert!(said(&gathered, "a").contains(&format!("the tar is cut off at byte {cut}")));
    let whole = behind(&bytes, &routing(), Rows::All);
    assert_eq!(said(&whole, "a"), "None");
}

#[test]
fn files_are_not_waited_for_where_nobody_reads_rows() {
    let bytes = tar(&[("db/database.sql.gz", &gzip(&dump(3)))]);
    let routing = Routing::default();
    let options = BackupOptions {
        routing: &routing,
        needed: None,
        temp_dir: std::path::Path::new("/nonexistent"),
    };
    let mut backup = Backup::from_tar_stream(Box::new(Cursor::new(bytes)), "-", &options).unwrap();
    let files = FileSource::Behind(backup.take_behind(None).unwrap());
    let never = AtomicBool::new(false);
    let gathered = files.gather(&All, options.temp_dir, &never);
    assert!(matches!(gathered, Err(SnapshotError::Unsupported { .. })));
    drop(backup);
}
