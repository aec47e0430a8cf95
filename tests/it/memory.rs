//! Memory is bounded by options, not by what a snapshot says of itself: small bombs, and how much the process had at the most.
#![cfg(target_os = "linux")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::support::server::Server;
use crate::support::*;

const PIPELINE: &str = r#"
pipeline: bounds
entity: { kind: Tenant, table: tenants, key: id, prefix: "group_{key}", parent: parent_id, segment: name }
relations:
  tenant: { table: tenants, form: object, link: { id: key } }
  items: { table: items, link: { tenant_id: key } }
"#;

const MIB: usize = 1 << 20;

/// A dump of two tenants, with these rows between its definitions and its end.
fn dump(rows: &str) -> String {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\n\
         CREATE TABLE public.tenants (\n    id bigint NOT NULL,\n    name text,\n    parent_id bigint\n);\n\
         CREATE TABLE public.items (\n    id bigint NOT NULL,\n    tenant_id bigint,\n    body text\n);\n\
         CREATE TABLE public.junk (\n    id bigint NOT NULL,\n    body text\n);\n\n\
         COPY public.tenants (id, name, parent_id) FROM stdin;\n1\tone\t\\N\n2\ttwo\t\\N\n\\.\n\n{rows}\n\
         --\n-- PostgreSQL database dump complete\n--\n\n"
    )
}

fn copy(table: &str, rows: &str) -> String {
    let columns = match table {
        "items" => "id, tenant_id, body",
        _ => "id, body",
    };
    format!("COPY public.{table} ({columns}) FROM stdin;\n{rows}\\.\n\n")
}

/// An export of tenant 1, which says at its end how many MiB it had at the most.
fn export(dir: &Dir, snapshot: &Path) -> Program {
    let pipeline = dir.write("pipeline.yml", PIPELINE);
    dir.export(snapshot).option("--pipeline", pipeline).group(1)
}

/// Lets a program say, on a last line of standard error, how many KiB it had in memory at the most.
fn measured(program: Program) -> Program {
    let script = "import resource, subprocess, sys\n\
                  code = subprocess.call(sys.argv[1:])\n\
                  print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n\
                  sys.exit(code)";
    program.through(["python3", "-c", script])
}

fn peak_mib(run: &Run) -> usize {
    let kib: usize = run.stderr.lines().last().unwrap().parse().unwrap();
    kib / 1024
}

/// The dump compressed by zstd, whose header asks for a window of `2^log` bytes.
fn with_window(dir: &Dir, log: u8) -> PathBuf {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder
        .write_all(dump(&copy("items", "10\t1\ta\n")).as_bytes())
        .unwrap();
    encoder.flush().unwrap();
    let mut bytes = encoder.finish().unwrap();
    bytes[5] = (log - 10) << 3;
    dir.write("dump.sql.zst", bytes)
}

#[test]
fn a_larger_window_than_allowed_ends_the_run_by_the_option_s_name() {
    let dir = Dir::new();
    let dump = with_window(&dir, 31);
    let says = [
        "dump.sql.zst",
        "zstd window is larger than 128MiB",
        "--max-window 2GiB",
    ];
    export(&dir, &dump).fails(3, &says);
    export(&dir, &dump).args(["--max-window", "2GiB"]).ok();
    let dir = Dir::new();
    export(&dir, &with_window(&dir, 27)).ok();
    let dir = Dir::new();
    export(&dir, &with_window(&dir, 24))
        .args(["--max-window", "8MiB"])
        .fails(3, &["larger than 8MiB"]);
    export(&dir, &dir.join("dump.sql.zst"))
        .args(["--max-window", "4k"])
        .fails(2, &["--max-window", "8MiB at the least"]);
}

#[test]
fn rows_that_nobody_needs_are_stepped_over_whatever_their_length() {
    const LONG: usize = 100 * MIB;
    let dir = Dir::new();
    let long = "x".repeat(LONG);
    let rows = copy("items", "10\t1\ta\n") + &copy("junk", &format!("1\t{long}\n2\tshort\n"));
    let path = dir.write("dump.sql", dump(&rows));
    let run = measured(export(&dir, &path))
        .args(["--max-row", "8MiB"])
        .ok();
    assert_eq!(run.records(1, "items").len(), 1);
    assert!(peak_mib(&run) < LONG / MIB, "{} MiB", peak_mib(&run));
    // They are counted, and their columns are.
    let sizes = dir.relexport("inspect --json -s dump.sql").json();
    let junk = sizes["tables"]
        .as_array()
        .unwrap()
        .iter()
        .find(|table| table["table"] == "public.junk" || table["table"] == "junk");
    assert_eq!(junk.unwrap()["rows"], 2, "{sizes}");
    let wrong =
        copy("items", "10\t1\ta\n") + &copy("junk", &format!("1\t{}\tz\n", "x".repeat(9 * MIB)));
    let path = dir.write("wrong.sql", dump(&wrong));
    export(&dir, &path)
        .args(["--force"])
        .fails(3, &["table junk, row 1", "too few or too many columns"]);
}

#[test]
fn a_row_longer_than_allowed_fails_what_needs_its_table_and_nothing_else() {
    let long = "x".repeat(9 * MIB);
    let mut inserts = String::new();
    for (id, body) in [(10, "a"), (11, &*long), (12, "c")] {
        // A value may hold lines, so that a row is longer than any of them.
        let body = body.replace("xxxxxxxxxxxxxxxx", "xxxxxxxxxxxxxxx\n");
        writeln!(
            inserts,
            "INSERT INTO public.items VALUES ({id}, 1, '{body}');"
        )
        .unwrap();
    }
    for (form, rows) in [
        (
            "copy",
            copy("items", &format!("10\t1\ta\n11\t1\t{long}\n12\t1\tc\n")),
        ),
        ("inserts", inserts),
    ] {
        let dir = Dir::new();
        let path = dir.write("dump.sql", dump(&rows));
        let run = export(&dir, &path).args(["--max-row", "8MiB"]).fails(
            1,
            &["items", "row 2", "the row is longer than 8MiB", "--max-row"],
        );
        assert_eq!(run.relation("items")["status"], -1, "{form}");
        assert_eq!(run.relation("tenant")["status"], 1, "{form}");
        // Its value is nowhere.
        assert!(!run.stderr.contains("xxxx"), "{form}");
        let out = dir.join("again");
        let pipeline = dir.join("pipeline.yml");
        let whole = dir
            .export_to(&path, &out)
            .option("--pipeline", pipeline)
            .group(1)
            .ok();
        assert_eq!(whole.records(1, "items").len(), 3, "{form}");
    }
}

#[test]
fn a_table_that_says_who_the_tenants_are_may_lack_no_row() {
    let dir = Dir::new();
    let text = dump("").replace("2\ttwo\t", &format!("2\t{}\t", "t".repeat(9 * MIB)));
    let path = dir.write("dump.sql", text);
    let says = ["table tenants, row 2", "longer than 8MiB", "--max-row"];
    export(&dir, &path)
        .args(["--max-row", "8MiB"])
        .fails(3, &says);
}

#[test]
fn a_statement_without_end_ends_the_run_by_the_option_s_name() {
    let endless = "x".repeat(20 * MIB);
    for (what, rows) in [
        (
            "the statement",
            format!(
                "CREATE FUNCTION f() RETURNS text AS $${}",
                "line\n".repeat(4 * MIB)
            ),
        ),
        (
            "the line",
            format!("CREATE FUNCTION f() RETURNS text AS $${endless}"),
        ),
        ("the line", format!("-- {endless}")),
        (
            "the line",
            format!("INSERT INTO public.junk VALUES (1, '{endless}');"),
        ),
    ] {
        let dir = Dir::new();
        let path = dir.write("dump.sql", dump(&rows));
        let says = [what, "is longer than 8MiB", "--max-row"];
        let run = measured(export(&dir, &path))
            .args(["--max-row", "8MiB"])
            .fails(3, &says);
        assert!(peak_mib(&run) < 200, "{} MiB", peak_mib(&run));
    }
}

#[test]
fn a_quote_that_never_closes_fails_what_needs_its_file_and_nothing_else() {
    const LONG: usize = 100 * MIB;
    let dir = Dir::new();
    let schema = dump("");
    let rows = schema.find("COPY").unwrap()..schema.find("\\.\n").unwrap() + 3;
    let schema = format!("{}{}", &schema[..rows.start], &schema[rows.end..]);
    dir.write("csv/schema.sql", schema);
    dir.write("csv/tenants.csv", "id,name,parent_id\n1,one,\n2,two,\n");
    dir.write(
        "csv/items.csv",
        format!(
            "id,tenant_id,body\n10,1,a\n11,1,\"{}",
            "line\n".repeat(LONG / 5)
        ),
    );
    let run = measured(export(&dir, &dir.join("csv")))
        .args(["--max-row", "8MiB"])
        .fails(
            1,
            &[
                "items.csv, row 2",
                "longer than 8MiB",
                "--max-row",
                "quote may be missing",
            ],
        );
    assert_eq!(run.relation("items")["status"], -1);
    assert_eq!(run.relation("tenant")["status"], 1);
    assert!(peak_mib(&run) < LONG / MIB, "{} MiB", peak_mib(&run));
}

#[test]
fn a_long_row_of_an_archive_fails_what_needs_its_table_and_nothing_else() {
    let database = Server::shared().database();
    database.run(
        "CREATE TABLE tenants (id bigint, name text, parent_id bigint);\n\
         CREATE TABLE items (id bigint, tenant_id bigint, body text);\n\
         INSERT INTO tenants VALUES (1, 'one', NULL);\n\
         INSERT INTO items VALUES (10, 1, 'a'), (11, 1, repeat('x', 9 << 20)), (12, 1, 'c');",
    );
    let dir = Dir::new();
    let pipeline = dir.write("pipeline.yml", PIPELINE);
    for format in ["-Fc", "-Ft"] {
        let bytes = database.dump(&[format]);
        let path = dir.write("dump", &bytes);
        let file = || dir.export(&path);
        let pipe = || dir.export("-").input(&bytes);
        for (how, start) in [("file", &file as &dyn Fn() -> Program), ("pipe", &pipe)] {
            let export = || {
                let export = start().option("--pipeline", &pipeline).group(1);
                export.args(["--force"])
            };
            let whole = export().ok();
            assert_eq!(whole.records(1, "items").len(), 3, "{format} {how}");
            let says = ["items", "row 2", "longer than 8MiB", "--max-row"];
            export().args(["--max-row", "8MiB"]).fails(1, &says);
            let failed = ExportFolder::new(dir.join("out.failed"));
            assert_eq!(failed.relation("items")["status"], -1, "{format} {how}");
            assert_eq!(failed.relation("tenant")["status"], 1, "{format} {how}");
        }
    }
}

/// What `relexport groups` lists of a dump of these tenants: id, name, id of the parent.
fn listed(dir: &Dir, tenants: impl Iterator<Item = (usize, String, Option<usize>)>) -> Run {
    let mut rows = String::new();
    for (id, name, parent) in tenants {
        let parent = parent.map_or("\\N".to_owned(), |parent| parent.to_string());
        writeln!(rows, "{id}\t{name}\t{parent}").unwrap();
    }
    let text = dump("").replace("1\tone\t\\N\n2\ttwo\t\\N\n", &rows);
    dir.write("dump.sql", text);
    dir.write("pipeline.yml", PIPELINE);
    let list = dir.relexport("groups --json -s dump.sql --pipeline pipeline.yml");
    measured(list).ok()
}

/// Walked to the top from each of them, a chain of 100,000 would take hours, and its paths 30 GB.
#[test]
fn a_chain_of_a_hundred_thousand_tenants_is_listed() {
    const COUNT: usize = 100_000;
    let dir = Dir::new();
    let chain =
        (1..=COUNT).map(|id| (id, format!("g{id}"), id.checked_sub(1).filter(|it| *it > 0)));
    let run = listed(&dir, chain);
    let tenants = run.json();
    let tenants = tenants.as_array().unwrap();
    assert_eq!(tenants.len(), COUNT);
    let path_of = |id: usize| {
        let mut tenants = tenants.iter();
        tenants.find(|it| it["id"] == id).unwrap()["full_path"].clone()
    };
    assert_eq!(path_of(3), "g1/g2/g3");
    let hundred: Vec<String> = (1..=100).map(|id| format!("g{id}")).collect();
    assert_eq!(path_of(100), hundred.join("/"));
    assert_eq!(path_of(COUNT), COUNT.to_string());
    assert!(run.stderr.contains("lie so deep"), "{}", run.stderr);
    assert!(peak_mib(&run) < 400, "{} MiB", peak_mib(&run));
}

#[test]
fn parents_in_a_circle_have_paths_that_end() {
    let dir = Dir::new();
    let tenants = [
        (1, "one", None),
        (6, "six", Some(7)),
        (7, "seven", Some(6)),
        (8, "eight", Some(7)),
        (9, "nine", Some(9)),
    ];
    let tenants = tenants.map(|(id, name, parent)| (id, name.to_owned(), parent));
    let run = listed(&dir, tenants.into_iter());
    let list = run.json();
    let paths: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["full_path"].as_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        ["nine", "one", "seven/six", "six/seven", "six/seven/eight"]
    );
}
