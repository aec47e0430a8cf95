use std::fmt::Write;
use std::io::Cursor;

use super::*;
use crate::snapshot::kind::plain::PlainDump;

/// A dump of two tables; the text of their one row says whose it is.
fn dump(marker: &str) -> String {
    let rows =
        |table: &str| format!("COPY public.{table} (id, text) FROM stdin;\n1\t{marker}\n\\.\n\n");
    let table =
        |table: &str| format!("CREATE TABLE public.{table} (\n    id bigint,\n    text text\n);\n");
    let key = |table: &str| {
        format!(
            "ALTER TABLE ONLY public.{table}\n    ADD CONSTRAINT {marker}_{table} PRIMARY KEY (id);\n"
        )
    };
    let both = |part: &dyn Fn(&str) -> String| part("builds") + &part("notes");
    format!(
        "--\n-- PostgreSQL database dump\n--\n\n{}\n{}{}\n--\n-- PostgreSQL database dump complete\n--\n\n",
        both(&table),
        both(&rows),
        both(&key)
    )
}

/// What is told of a main and a CI database.
fn told(
    main: &str,
    ci: Result<&str, SnapshotError>,
    chunk: usize,
    needed: Option<&[&str]>,
) -> (String, Result<(), String>) {
    let plain = |text: &str, member: &str| PlainDump {
        chunk,
        ..PlainDump::new(
            Box::new(Cursor::new(text.as_bytes().to_vec())),
            "backup",
            Some(member.to_owned()),
        )
    };
    let mut routing = Routing::default();
    routing.add(TableName::public("builds"), "ci").unwrap();
    let needed = needed.map(|names| names.iter().map(|name| TableName::public(*name)).collect());
    let ci = OtherDump {
        database: "ci".to_owned(),
        dump: ci.map(|text| plain(text, "ci.sql")),
    };
    let several = SeveralDumps::new(plain(main, "main.sql"), vec![ci], &routing, needed.as_ref());
    let mut log = String::new();
    let read = Box::new(several).read(&|_| true, &mut |event| {
        // Writing to a string cannot fail.
        let _ = match event {
            Event::Catalog(catalog, _) => writeln!(log, "catalog of {}", catalog.tables().count()),
            Event::Keys(keys) => {
                let tables = ["builds", "notes"].map(TableName::public);
                let known = tables.iter().filter(|table| keys.primary(table).is_some());
                writeln!(log, "{} keys", known.count())
            }
            Event::Begin(head) => writeln!(log, "begin {}", head.table),
            Event::Rows(block) => write!(log, "{}", String::from_utf8_lossy(block.bytes())),
            Event::End(end) => writeln!(log, "end {}: {}", end.table, end.rows),
            Event::Damage(damage) => writeln!(log, "{damage}"),
            Event::DatabaseEnd(end) => {
                let outcome = match end.outcome {
                    DatabaseOutcome::Whole(_) => "whole",
                    DatabaseOutcome::CutOff(_) => "cut off",
                    DatabaseOutcome::Doubtful(_) => "doubtful",
                };
                writeln!(log, "database with {} tables: {outcome}", end.tables.len())
            }
            Event::Holdings(_) => writeln!(log, "holdings"),
        };
        ControlFlow::Continue(())
    });
    (log, read.map_err(|error| error.to_string()))
}

const MAIN_TOLD: &str =
    "catalog of 2\nbegin notes\n1\tmain\nend notes: 1\ndatabase with 1 tables: whole\n";

#[test]
fn one_catalog_comes_first_and_then_each_database_with_its_own_tables() {
    let (main, ci) = (dump("main"), dump("ci"));
    let expected = format!(
        "{MAIN_TOLD}begin builds\n1\tci\nend builds: 1\ndatabase with 1 tables: whole\n2 keys\nholdings\n"
    );
    // Whatever stands in one chunk.
    for chunk in [1, 7, 64, 100, 1 << 20] {
        let (log, read) = told(&main, Ok(&ci), chunk, None);
        assert_eq!((log.as_str(), read), (expected.as_str(), Ok(())), "{chunk}");
    }
}

#[test]
fn a_database_that_is_not_needed_is_not_read() {
    // It would be an error.
    let ci = &dump("ci")[..300];
    let (log, read) = told(&dump("main"), Ok(ci), 64, Some(&["notes"]));
    assert_eq!(log, format!("{MAIN_TOLD}1 keys\nholdings\n"));
    assert_eq!(read, Ok(()));
}

#[test]
fn an_error_of_one_leaves_the_others() {
    let (main, whole) = (dump("main"), dump("ci"));
    let rows = whole.find("1\tci").unwrap();
    let wrong = whole.replace("1\tci", "1\tci\tmore");
    let strange = whole.replace("COPY public.builds", "what is this;\nCOPY public.builds");
    let cut = || SnapshotError::CutOff {
        place: Default::default(),
        reason: "it is short".to_owned(),
    };
    let cases = [
        (
            Ok(&whole[..rows + 2]),
            "cut off",
            "ends too early (ci.sql, table builds",
        ),
        (Ok(&whole[..60]), "cut off", "ends too early (ci.sql"),
        (Ok(""), "doubtful", "backup: ci.sql is not a snapshot"),
        (
            Ok(wrong.as_str()),
            "doubtful",
            "damaged (ci.sql, table notes, row 1",
        ),
        (Ok(strange.as_str()), "doubtful", "damaged (ci.sql, byte"),
        (Err(cut()), "cut off", "it is short"),
    ];
    for (ci, outcome, message) in cases {
        let (log, read) = told(&main, ci, 64, None);
        assert!(log.starts_with(MAIN_TOLD), "{log}");
        let end = format!("database with 1 tables: {outcome}\n");
        assert!(log.contains(&end), "{log}");
        assert!(log.ends_with("keys\nholdings\n"), "{log}");
        let error = read.unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn without_the_main_database_there_is_nothing() {
    let (log, read) = told(&dump("main")[..60], Ok(&dump("ci")), 64, None);
    assert_eq!(log, "");
    assert!(read.unwrap_err().contains("main.sql"));
    let main = dump("main").replace("COPY public.notes", "what is this;\nCOPY public.notes");
    let (log, read) = told(&main, Ok(&dump("ci")), 64, None);
    assert!(!log.contains("database"), "{log}");
    assert!(read.unwrap_err().contains("main.sql"));
}
