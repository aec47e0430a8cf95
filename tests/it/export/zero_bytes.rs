//! Blocks of a snapshot that something wrote over with zero bytes, as a lost page of a file system does: the text of one row goes on
//! in that of another, and those between them are gone.

use std::path::PathBuf;

use crate::support::*;

const PIPELINE: &str = r#"
pipeline: items
entity: { kind: Tenant, table: tenants, key: id, prefix: "tenant_{key}" }
relations:
  items: { table: items, link: { tenant_id: key } }
  tenant: { table: tenants, form: object, link: { id: key } }
"#;

const OUTSIDE: &str = "a zero byte stands outside of COPY's rows";

const SAYS: &str = "a zero byte stands in the row, and no text of PostgreSQL has one";

/// So many that the damage lies behind what is read to tell the kind of a snapshot.
const ROWS: usize = 6000;

fn schema() -> String {
    "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\n\
     CREATE TABLE public.tenants (\n    id bigint NOT NULL\n);\n\n\
     CREATE TABLE public.items (\n    id bigint NOT NULL,\n    tenant_id bigint,\n    note text\n);\n\n"
        .to_owned()
}

const END: &str = "--\n-- PostgreSQL database dump complete\n--\n\n";

/// Rows in a form of SQL, each on a line, and what stands before and behind them.
fn lines(row: impl Fn(usize) -> String) -> String {
    (1..=ROWS).map(row).collect()
}

/// Zero bytes from the middle of the text of row 4100 to that of row 4109.
fn damaged(whole: &str) -> Vec<u8> {
    let place = |row: usize| {
        let note = format!("the text of {row}");
        whole.find(&note).unwrap() + 6
    };
    let mut bytes = whole.as_bytes().to_vec();
    bytes[place(4100)..place(4109)].fill(0);
    bytes
}

fn copy_text() -> String {
    let rows = lines(|id| format!("{id}\t1\tthe text of {id}\n"));
    format!(
        "{}COPY public.items (id, tenant_id, note) FROM stdin;\n{rows}\\.\n\n\
         COPY public.tenants (id) FROM stdin;\n1\n\\.\n\n{END}",
        schema()
    )
}

fn inserts() -> String {
    let rows =
        lines(|id| format!("INSERT INTO public.items VALUES ({id}, 1, 'the text of {id}');\n"));
    format!(
        "{}{rows}\nINSERT INTO public.tenants VALUES (1);\n\n{END}",
        schema()
    )
}

/// A folder of CSV files.
fn folder(dir: &Dir, quote: &str) -> PathBuf {
    let rows = lines(|id| format!("{id},1,{quote}the text of {id}{quote}\n"));
    let csv = dir.join(if quote.is_empty() { "csv" } else { "quoted" });
    std::fs::create_dir(&csv).unwrap();
    let items = damaged(&format!("id,tenant_id,note\n{rows}"));
    std::fs::write(csv.join("items.csv"), items).unwrap();
    std::fs::write(csv.join("tenants.csv"), "id\n1\n").unwrap();
    std::fs::write(csv.join("schema.sql"), format!("{}{END}", schema())).unwrap();
    csv
}

#[test]
fn rows_that_something_wrote_over_fail_what_needs_their_table() {
    let dir = Dir::new();
    let pipeline = dir.write("pipeline.yml", PIPELINE);
    let sound = dir.write("sound.sql", copy_text());
    let sound = dir
        .export_to(&sound, dir.join("sound"))
        .option("--pipeline", &pipeline)
        .group(1)
        .ok();
    assert_eq!(sound.relation("items")["total_objects_count"], ROWS);

    let snapshots = [
        ("copy", dir.write("copy.sql", damaged(&copy_text()))),
        ("csv", folder(&dir, "")),
        ("quoted", folder(&dir, "\"")),
    ];
    for (name, snapshot) in snapshots {
        for more in ["--batched", "--keep-going"] {
            let run = dir
                .export_to(&snapshot, dir.join(&format!("out-{name}{more}")))
                .option("--pipeline", &pipeline)
                .group(1)
                .arg(more)
                .fails(1, &[SAYS, "items, row 4100, byte "]);
            assert_eq!(run.relation("items")["status"], -1, "{name}");
            assert_eq!(run.relation("tenant")["status"], 1, "{name}");
        }
        let shown = snapshot.display();
        for more in ["", "--group 1"] {
            dir.relexport(&format!("snapshot take {more} --from {shown} --out taken"))
                .option("--pipeline", &pipeline)
                .fails(3, &[SAYS]);
            assert!(!dir.join("taken").exists(), "{name}");
        }
        dir.relexport("verify sound")
            .option("--against", &snapshot)
            .option("--pipeline", &pipeline)
            .fails(3, &[SAYS]);
    }
}

#[test]
fn a_statement_that_something_wrote_over_ends_the_run() {
    let dir = Dir::new();
    let pipeline = dir.write("pipeline.yml", PIPELINE);
    let key = "ALTER TABLE ONLY public.items\n    ADD CONSTRAINT items_pkey PRIMARY KEY (id);\n";
    let whole = edit(&copy_text(), END, &format!("{key}{END}"));
    let place = whole.find("items_pkey").unwrap();
    let mut bytes = whole.into_bytes();
    bytes[place..place + 25].fill(0);
    let snapshot = dir.write("dump.sql", bytes);
    dir.export_to(&snapshot, dir.join("out"))
        .option("--pipeline", &pipeline)
        .group(1)
        .fails(3, &[OUTSIDE, "byte "]);
}

/// A comment runs to the end of its line, and what stood on the lines that are gone would be passed over with it.
#[test]
fn what_something_wrote_over_between_rows_ends_the_run() {
    let dir = Dir::new();
    let pipeline = dir.write("pipeline.yml", PIPELINE);
    let comments = "--\n-- Name: one; Type: TABLE ATTACH\n--\n\nALTER TABLE ONLY public.a ATTACH PARTITION public.b DEFAULT;\n\n\
                    --\n-- Name: two; Type: TABLE ATTACH\n--\n\n";
    let unneeded =
        "INSERT INTO public.other VALUES (1, 'x');\nINSERT INTO public.other VALUES (2, 'y');\n\n";
    for (name, more, from, to) in [
        ("comments", comments, "one; Type", "two; Type"),
        (
            "inserts",
            unneeded,
            ";\nINSERT INTO public.other VALUES (2",
            ";\n\n--",
        ),
    ] {
        let whole = edit(&copy_text(), END, &format!("{more}{END}"));
        let (from, to) = (whole.find(from).unwrap(), whole.find(to).unwrap());
        let mut bytes = whole.into_bytes();
        bytes[from..to].fill(0);
        let snapshot = dir.write("dump.sql", bytes);
        dir.export_to(&snapshot, dir.join(name))
            .option("--pipeline", &pipeline)
            .group(1)
            .fails(3, &[OUTSIDE, "byte "]);
    }
}

#[test]
fn an_escape_that_stands_for_a_zero_byte_is_no_value() {
    let dir = Dir::new();
    let pipeline = dir.write("pipeline.yml", PIPELINE);
    for (name, escape) in [("octal", "\\000"), ("hex", "\\x00")] {
        let text = edit(
            &copy_text(),
            "the text of 7\n",
            &format!("the{escape} text of 7\n"),
        );
        let snapshot = dir.write("dump.sql", text);
        dir.export_to(&snapshot, dir.join(name))
            .option("--pipeline", &pipeline)
            .group(1)
            .fails(1, &["column note", "zero byte"]);
    }
    // Statements may be gone with what something wrote over.
    let snapshot = dir.write("inserts.sql", damaged(&inserts()));
    dir.export_to(&snapshot, dir.join("inserts"))
        .option("--pipeline", &pipeline)
        .group(1)
        .fails(3, &[OUTSIDE]);
    let text = edit(&inserts(), "'the text of 7'", "E'the\\x00 text of 7'");
    let snapshot = dir.write("dump.sql", text);
    dir.export_to(&snapshot, dir.join("string"))
        .option("--pipeline", &pipeline)
        .group(1)
        .fails(1, &[SAYS]);
}

#[test]
fn a_column_that_is_named_twice_fails_its_table() {
    let dir = Dir::new();
    let pipeline = dir.write("pipeline.yml", PIPELINE);
    let text = edit(&copy_text(), "(id, tenant_id, note)", "(id, tenant_id, id)");
    let snapshot = dir.write("dump.sql", text);
    dir.export_to(&snapshot, dir.join("out"))
        .option("--pipeline", &pipeline)
        .group(1)
        .fails(1, &["the data has the column id twice"]);
}

#[test]
fn a_dump_without_comments_ends_where_it_is_unrestricted() {
    let dir = Dir::new();
    let pipeline = dir.write("pipeline.yml", PIPELINE);
    let without_comments: String = inserts()
        .lines()
        .filter(|line| !line.starts_with("--"))
        .map(|line| format!("{line}\n"))
        .collect();
    let whole = format!("\\restrict 3xYz\n{without_comments}\\unrestrict 3xYz\n");
    let export = |text: &str, out: &str| {
        let snapshot = dir.write("dump.sql", text);
        let export = dir.export_to(&snapshot, dir.join(out));
        export.option("--pipeline", &pipeline).group(1)
    };
    let run = export(&whole, "whole").ok();
    assert_eq!(run.relation("items")["total_objects_count"], ROWS);
    let cut = whole.find("INSERT INTO public.items VALUES (9,").unwrap();
    export(&whole[..cut], "cut").fails(3, &["the dump ends early"]);
}
