use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use super::*;
use crate::snapshot::described::Described;

const SQL: &str = "\
--
-- PostgreSQL database dump
--

-- Dumped from database version 15.4
-- Dumped by pg_dump version 15.4

CREATE TABLE public.notes (
    id bigint NOT NULL,
    note text,
    \"odd \"\"name\" text
);

CREATE TABLE public.logs (
    id bigint NOT NULL,
    message text
)
PARTITION BY RANGE (id);

CREATE TABLE parts.logs_1 (
    id bigint NOT NULL,
    message text
);

CREATE TABLE parts.logs_2 (
    id bigint NOT NULL,
    message text
);

ALTER TABLE ONLY public.logs ATTACH PARTITION parts.logs_1 FOR VALUES FROM ('1') TO ('10');

ALTER TABLE ONLY public.logs ATTACH PARTITION parts.logs_2 FOR VALUES FROM ('10') TO ('20');

--
-- PostgreSQL database dump complete
--
";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("schema.sql"), SQL).unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn open(folder: &tempfile::TempDir) -> Result<CsvFolder, SnapshotError> {
    CsvFolder::open(&folder.path().into(), Arc::default())
}

fn open_error(folder: &tempfile::TempDir) -> String {
    open(folder).err().expect("opening must fail").to_string()
}

/// The columns, text and end of every part of a table.
type Parts = Vec<(Vec<String>, String, TableEnd)>;

fn read(folder: &CsvFolder, table: &str) -> Result<Parts, SnapshotError> {
    let mut parts = Vec::new();
    for part in folder.parts(&TableName::public(table)) {
        let (mut head, mut text, mut end) = (None, Vec::new(), None);
        folder.read(&part, &mut |event| {
            match event {
                Event::Begin(begin) => head = Some(begin),
                Event::Rows(block) => text.extend_from_slice(block.bytes()),
                Event::End(ended) => end = Some(ended),
                other => panic!("a table source tells this when asked: {other:?}"),
            }
            ControlFlow::Continue(())
        })?;
        let head = head.unwrap();
        assert_eq!(
            (head.form, &head.table),
            (RowForm::Csv, &TableName::public(table))
        );
        parts.push((
            head.columns.clone(),
            String::from_utf8(text).unwrap(),
            end.unwrap(),
        ));
    }
    Ok(parts)
}

fn read_failure(files: &[(&str, &[u8])], table: &str) -> String {
    let folder = folder(files);
    read(&open(&folder).unwrap(), table)
        .unwrap_err()
        .to_string()
}

fn assert_holds(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

#[test]
fn files_are_read_whatever_their_compression_and_suffix() {
    let text = b"note,\"odd \"\"name\",id\n\"a\nb\",,1\n,\"\",2\n";
    let zstd = zstd::encode_all(&text[..], 1).unwrap();
    let cases: [(&str, &str, Vec<u8>); 4] = [
        ("raw", "notes.csv", text.to_vec()),
        ("gzip", "notes.csv.gz", gzip(text)),
        ("zstd", "notes.csv.zst", zstd),
        ("gzip without its suffix", "notes.csv", gzip(text)),
    ];
    for (name, file, content) in cases {
        let folder = folder(&[(file, &content)]);
        let progress = Arc::default();
        let opened = CsvFolder::open(&folder.path().into(), Arc::clone(&progress)).unwrap();
        let end = TableEnd {
            table: TableName::public("notes"),
            rows: 2,
            bytes: 15,
        };
        let columns = ["note", "odd \"name", "id"].map(str::to_owned).to_vec();
        let expected = (columns, "\"a\nb\",,1\n,\"\",2\n".to_owned(), end);
        assert_eq!(read(&opened, "notes").unwrap(), [expected], "{name}");
        assert_eq!(opened.size(), content.len() as u64, "{name}");
        assert_eq!(
            progress.load(Ordering::Relaxed),
            content.len() as u64,
            "{name}"
        );
    }
}

#[test]
fn the_schema_may_be_compressed() {
    for name in ["schema.sql", "schema.sql.gz"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), gzip(SQL.as_bytes())).unwrap();
        let opened = open(&folder).unwrap();
        assert!(
            opened
                .catalog()
                .table(&TableName::public("notes"))
                .is_some(),
            "{name}"
        );
    }
}

#[test]
fn a_header_without_rows_is_an_empty_table() {
    let folder = folder(&[("notes.csv", b"id\n")]);
    let parts = read(&open(&folder).unwrap(), "notes").unwrap();
    assert_eq!((parts.len(), parts[0].2.rows, &parts[0].1[..]), (1, 0, ""));
}

#[test]
fn partitions_count_to_their_root() {
    let leaves: [(&str, &[u8]); 2] = [("logs_2.csv", b"id\n10\n"), ("logs_1.csv", b"id\n1\n")];
    let opened = folder(&leaves);
    let texts = |parts: Parts| {
        parts
            .into_iter()
            .map(|(_, text, _)| text)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        texts(read(&open(&opened).unwrap(), "logs").unwrap()),
        ["1\n", "10\n"]
    );
    assert_eq!(
        open(&opened).unwrap().parts(&TableName::public("logs_1")),
        []
    );

    fs::write(opened.path().join("logs.csv.gz"), gzip(b"id\n1\n10\n")).unwrap();
    assert_eq!(
        texts(read(&open(&opened).unwrap(), "logs").unwrap()),
        ["1\n10\n"]
    );
}

#[test]
fn a_table_without_a_file_has_no_parts() {
    let folder = folder(&[("logs.csv", b"id\n")]);
    assert_eq!(
        open(&folder).unwrap().parts(&TableName::public("notes")),
        []
    );
    assert_eq!(
        open(&folder)
            .unwrap()
            .parts(&TableName::new("parts", "logs_1")),
        []
    );
}

#[test]
fn files_that_belong_to_no_table_are_named() {
    let folder = folder(&[
        ("notes.csv", b"id\n1\n"),
        ("Notes.csv", b"x"),
        ("notes.CSV", b"x"),
        ("notes.csv.bak", b"x"),
        ("notes.txt", b"x"),
        ("public.notes.csv", b"x"),
        ("public.note.csv", b"x"),
        ("users.csv.gz", b"x"),
        ("a\nb.csv", b"x"),
        (".notes.csv.Xy12", b"x"),
        // What systems leave, and a folder that is nothing.
        ("._notes.csv", b"x"),
        (".DS_Store", b"x"),
    ]);
    fs::create_dir(folder.path().join("logs.csv")).unwrap();
    fs::create_dir(folder.path().join("older")).unwrap();
    let opened = open(&folder).unwrap();
    assert_eq!(opened.files.len(), 1);
    assert_eq!(opened.parts(&TableName::public("logs")), []);
    let expected = "the files \".notes.csv.Xy12\", \"Notes.csv\" (is it notes.csv?), \"a\\nb.csv\", \
        \"logs.csv\" (is it logs.csv?), \"notes.CSV\" (is it notes.csv?), \"notes.csv.bak\" (is it notes.csv?), \
        \"notes.txt\" (is it notes.csv?), \"public.note.csv\", \"public.notes.csv\" (is it notes.csv?), \
        \"users.csv.gz\" are not read: no table of schema.sql has such files; a table's file is called <table>.csv, \
        or <schema>.<table>.csv outside of public, with .gz or .zst or .lz4 or .xz or .bz2 behind it where it is compressed";
    assert_eq!(opened.facts().warnings, [expected]);
}

#[test]
fn a_warning_names_no_more_than_some_files() {
    let folder = folder(&[("notes.csv", b"id\n")]);
    for number in 10..40 {
        fs::write(folder.path().join(format!("{number}.csv")), b"").unwrap();
    }
    let warnings = open(&folder).unwrap().facts().warnings;
    assert_holds(&warnings[0], &["\"29.csv\" and 10 more are not read"]);
}

#[test]
fn a_name_with_its_schema_is_understood_where_no_other_file_has_the_plain_one() {
    let folder = folder(&[
        ("public.notes.csv", b"id\n1\n"),
        ("parts.logs_1.csv", b"id\n2\n"),
        ("public.logs_2.csv", b"id\n3\n"),
    ]);
    let opened = open(&folder).unwrap();
    let text = |table| read(&opened, table).unwrap()[0].1.clone();
    assert_eq!(
        (text("notes"), text("logs")),
        ("1\n".to_owned(), "2\n".to_owned())
    );
    // There is no such table in public.
    let warnings = opened.facts().warnings;
    assert_eq!(warnings.len(), 1);
    assert_holds(
        &warnings[0],
        &["the file \"public.logs_2.csv\" (is it parts.logs_2.csv?) is not read"],
    );
}

fn folder_of(sql: &str, files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = folder(files);
    fs::write(folder.path().join("schema.sql"), sql).unwrap();
    folder
}

#[test]
fn tables_of_other_schemas_have_them_in_the_names_of_their_files() {
    let sql = "CREATE TABLE public.notes (id int);\nCREATE TABLE billing.invoices (id int);\n\
        CREATE TABLE billing.\"odd.name\" (id int);\nCREATE TABLE \"a.b\".c (id int);\n\
        CREATE TABLE billing.days (id int) PARTITION BY RANGE (id);\n\
        CREATE TABLE parts.days_1 PARTITION OF billing.days DEFAULT;\n";
    let folder = folder_of(
        sql,
        &[
            ("notes.csv", b"id\n1\n"),
            ("billing.invoices.csv.gz", &gzip(b"id\n2\n")),
            ("billing.odd.name.csv", b"id\n3\n"),
            ("a.b.c.csv", b"id\n4\n"),
            ("parts.days_1.csv", b"id\n5\n"),
            ("Billing.Invoices.csv.bak", b"x"),
            ("Billing.Invoices.csv", b"x"),
            ("invoices.csv", b"x"),
            ("billing.users.csv", b"x"),
        ],
    );
    let opened = open(&folder).unwrap();
    for (schema, table, text) in [
        ("public", "notes", "1\n"),
        ("billing", "invoices", "2\n"),
        ("billing", "odd.name", "3\n"),
        ("a.b", "c", "4\n"),
        ("billing", "days", "5\n"),
    ] {
        let table = TableName::new(schema, table);
        let [part] = &opened.parts(&table)[..] else {
            panic!("{table}");
        };
        let mut rows = Vec::new();
        let read = opened.read(part, &mut |event| {
            if let Event::Rows(block) = event {
                rows.extend_from_slice(block.bytes());
            }
            ControlFlow::Continue(())
        });
        assert!(read.is_ok());
        assert_eq!(String::from_utf8_lossy(&rows), text, "{table}");
    }
    let warnings = opened.facts().warnings;
    assert_holds(
        &warnings[0],
        &[
            "the files \"Billing.Invoices.csv\" (is it billing.invoices.csv?), \"Billing.Invoices.csv.bak\", \
           \"billing.users.csv\", \"invoices.csv\" (is it billing.invoices.csv?) are not read",
        ],
    );
    let undefined = opened.holdings().undefined;
    assert!(
        undefined.contains(&TableName::new("billing", "users")),
        "{undefined:?}"
    );
}

#[test]
fn a_file_that_may_be_of_two_tables_is_an_error_for_those_who_want_either() {
    let sql = "CREATE TABLE \"billing.invoices\" (id int);\nCREATE TABLE billing.invoices (id int);\n\
        CREATE TABLE notes (id int);\n";
    let folder = folder_of(
        sql,
        &[
            ("billing.invoices.csv", b"id\n1\n"),
            ("notes.csv", b"id\n2\n"),
        ],
    );
    let opened = open(&folder).unwrap();
    for table in [
        TableName::public("billing.invoices"),
        TableName::new("billing", "invoices"),
    ] {
        let [part] = &opened.parts(&table)[..] else {
            panic!("{table}");
        };
        let error = opened.read(part, &mut |_| ControlFlow::Continue(()));
        assert_holds(
            &error.unwrap_err().to_string(),
            &["may hold the table \"public\".\"billing.invoices\" or \"billing\".\"invoices\""],
        );
    }
    assert_eq!(read(&opened, "notes").unwrap()[0].1, "2\n");
    assert_holds(
        &opened.facts().warnings[0],
        &["a file is not read: \"billing.invoices.csv\""],
    );
}

#[test]
fn a_broken_sink_ends_reading_well() {
    let folder = folder(&[("notes.csv", b"id\n1\n")]);
    let opened = open(&folder).unwrap();
    let part = &opened.parts(&TableName::public("notes"))[0];
    for stop_at in 1..=3 {
        let mut events = 0;
        let result = opened.read(part, &mut |_| {
            events += 1;
            if events == stop_at {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert!(result.is_ok());
        assert_eq!(events, stop_at);
    }
}

#[test]
fn headers_that_do_not_fit_are_refused() {
    let cases: [(&str, &[u8], &[&str]); 5] = [
        (
            "unknown column",
            b"id,colour\n1,red\n",
            &["notes.csv", "\"colour\"", "table notes"],
        ),
        (
            "duplicate column",
            b"id,note,id\n1,a,1\n",
            &["\"id\" twice"],
        ),
        ("no header", b"1,a\n2,b\n", &["\"1\"", "HEADER"]),
        ("empty line", b"\n1\n", &["the column \"\"", "HEADER"]),
        ("empty file", b"", &["notes.csv", "damaged", "empty"]),
    ];
    for (name, text, expected) in cases {
        let message = read_failure(&[("notes.csv", text)], "notes");
        assert_holds(&format!("{name}: {message}"), expected);
    }
}

#[test]
fn a_file_cut_off_is_told() {
    let rows: String = (0..20_000)
        .map(|id| format!("{id},\"note {}\"\n", id * 7919))
        .collect();
    let text = format!("id,note\n{rows}");
    let whole = gzip(text.as_bytes());
    let message = read_failure(&[("notes.csv.gz", &whole[..whole.len() / 2])], "notes");
    assert_holds(&message, &["ends too early", "notes.csv.gz"]);
    // Only the checksum is missing.
    let message = read_failure(&[("notes.csv.gz", &whole[..whole.len() - 6])], "notes");
    assert_holds(&message, &["ends too early", "notes.csv.gz"]);
    let message = read_failure(
        &[("notes.csv", &text.as_bytes()[..text.len() - 3])],
        "notes",
    );
    assert_holds(
        &message,
        &["notes.csv, row 20000", "ends inside a quoted field"],
    );
}

#[test]
fn two_files_for_one_table_are_an_error_for_those_who_want_its_rows() {
    let folder = folder(&[
        ("notes.csv", b"id\n"),
        ("notes.csv.gz", b"id\n"),
        ("logs.csv", b"id\n"),
    ]);
    let opened = open(&folder).unwrap();
    let reason =
        "\"notes.csv\" and \"notes.csv.gz\" hold the same table, notes; leave only one of them";
    assert_holds(&read(&opened, "notes").unwrap_err().to_string(), &[reason]);
    assert!(read(&opened, "logs").is_ok());
    let warnings = opened.facts().warnings;
    assert_eq!(warnings.len(), 1);
    assert_holds(&warnings[0], &["neither is read", reason]);
}

#[test]
fn two_schemas_are_refused() {
    let schemas = folder(&[("schema.sql.gz", b"")]);
    assert_holds(&open_error(&schemas), &["schema.sql and schema.sql.gz"]);
}

/// A taken snapshot of `notes`, whose description may be edited.
fn taken(edit: impl FnOnce(&str) -> String) -> tempfile::TempDir {
    use sha2::{Digest, Sha256};
    let sha256 = crate::hex::encode(&Sha256::digest(SQL.as_bytes()));
    let json = format!(
        "{{\"schema\": {{\"file\": \"schema.sql\", \"bytes\": {}, \"sha256\": \"{sha256}\"}},\n\
         \"tables\": [{{\"table\": \"notes\", \"file\": \"notes.csv\", \"rows\": 1, \"bytes\": 5, \"sha256\": \"\"}}]}}",
        SQL.len()
    );
    folder(&[
        ("notes.csv", b"id\n1\n"),
        (Described::FILE_NAME, edit(&json).as_bytes()),
    ])
}

#[test]
fn the_schema_of_a_taken_snapshot_must_be_the_one_that_was_written() {
    assert!(open(&taken(str::to_owned)).is_ok());
    let folder = taken(str::to_owned);
    let other = SQL.replace("note text", "name text");
    assert_eq!(other.len(), SQL.len());
    fs::write(folder.path().join("schema.sql"), other).unwrap();
    assert_holds(
        &open_error(&folder),
        &[
            "schema.sql",
            "SHA-256",
            "snapshot.json",
            "take the snapshot again",
        ],
    );
    fs::write(folder.path().join("schema.sql"), format!("{SQL}\n")).unwrap();
    assert_holds(
        &open_error(&folder),
        &["schema.sql", "bytes, but snapshot.json says"],
    );
    let elsewhere = taken(|json| json.replace("schema.sql", "other.sql"));
    assert_holds(
        &open_error(&elsewhere),
        &["schema.sql", "the schema is in \"other.sql\""],
    );
    let nowhere = taken(|json| json.replace("\"schema\"", "\"scheme\""));
    assert_holds(
        &open_error(&nowhere),
        &["snapshot.json", "missing field `schema`"],
    );
}

#[test]
fn a_taken_snapshot_is_what_it_lists() {
    let folder = taken(str::to_owned);
    fs::write(folder.path().join("logs.csv"), b"id\n").unwrap();
    let opened = open(&folder).unwrap();
    assert_eq!(opened.parts(&TableName::public("logs")), []);
    let warnings = opened.facts().warnings;
    assert_holds(
        &warnings[0],
        &["\"logs.csv\" is not read: snapshot.json does not list it"],
    );
    fs::remove_file(folder.path().join("notes.csv")).unwrap();
    assert_holds(
        &open_error(&folder),
        &["notes.csv", "missing", "snapshot.json lists it"],
    );
}

#[test]
fn a_folder_without_a_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_holds(
        &open_error(&folder),
        &["schema.sql is missing", "pg_dump --schema-only"],
    );
}

#[test]
fn a_damaged_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = gzip(SQL.as_bytes());
    fs::write(folder.path().join("schema.sql"), &whole[..whole.len() - 9]).unwrap();
    assert_holds(&open_error(&folder), &["ends too early", "schema.sql"]);
    fs::write(folder.path().join("schema.sql"), &SQL[..SQL.len() / 2]).unwrap();
    assert_holds(&open_error(&folder), &["damaged", "schema.sql"]);
}

#[test]
fn the_schema_tells_the_versions() {
    let facts = open(&folder(&[])).unwrap().facts();
    assert_eq!(facts.server_version.as_deref(), Some("15.4"));
    assert_eq!(facts.dump_version.as_deref(), Some("15.4"));
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let elsewhere = folder(&[("notes.csv", b"id\n1\n")]);
    let folder = folder(&[]);
    let link = |name: &str| {
        let path = folder.path().join(name);
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(elsewhere.path().join(name), path).unwrap();
    };
    link("notes.csv");
    let message = read(&open(&folder).unwrap(), "notes")
        .unwrap_err()
        .to_string();
    assert_holds(&message, &["notes.csv", "symbolic link"]);
    link("schema.sql");
    assert_holds(&open_error(&folder), &["schema.sql", "symbolic link"]);
}

#[test]
fn a_part_of_another_snapshot_is_refused() {
    let folder = folder(&[]);
    let part = TablePart {
        table: TableName::public("notes"),
        index: 7,
        size: 0,
    };
    let result = open(&folder)
        .unwrap()
        .read(&part, &mut |_| ControlFlow::Continue(()));
    assert_holds(&result.unwrap_err().to_string(), &["part 7 of table notes"]);
}
