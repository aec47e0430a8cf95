//! Columns that a table's definition has, and its data lacks.

use std::fs;
use std::path::PathBuf;

use crate::support::server::{Server, ok};
use crate::support::*;

const PIPELINE: &str = r#"
pipeline: tables
entity: { kind: Tenant, table: tenants, key: id, prefix: "tenant_{key}" }
relations:
  items: { table: items, link: { tenant_id: key } }
  sorted: { table: items, link: { tenant_id: key }, only: [id], order: [note] }
"#;

/// A dump whose rows of `items` have a column less than their definition, which says this of it.
fn dump(definition: &str) -> String {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\n\
         CREATE TABLE public.tenants (\n    id bigint NOT NULL\n);\n\n\
         CREATE TABLE public.items (\n    id bigint NOT NULL,\n    note text{definition},\n    tenant_id bigint\n);\n\n\
         COPY public.items (tenant_id, id) FROM stdin;\n1\t7\n2\t8\n\\.\n\n\
         COPY public.tenants (id) FROM stdin;\n1\n2\n\\.\n\n\
         --\n-- PostgreSQL database dump complete\n--\n\n"
    )
}

/// The same as CSV files.
fn folder(dir: &Dir, definition: &str) -> PathBuf {
    let folder = dir.join("csv");
    fs::create_dir(&folder).unwrap();
    let dump = dump(definition);
    let (schema, rest) = dump.split_once("COPY").unwrap();
    let (_, end) = rest.rsplit_once("\\.\n").unwrap();
    fs::write(folder.join("schema.sql"), format!("{schema}{end}")).unwrap();
    fs::write(folder.join("items.csv"), "tenant_id,id\n1,7\n2,8\n").unwrap();
    fs::write(folder.join("tenants.csv"), "id\n1\n2\n").unwrap();
    folder
}

fn export(dir: &Dir, snapshot: &str, out: &str) -> Program {
    let pipeline = dir.write("pipeline.yml", PIPELINE);
    dir.export_to(snapshot, dir.join(out))
        .option("--pipeline", pipeline)
        .group(1)
}

const OF_DUMP: &str = "table items: column note is defined, but no row of its data has it: it is NULL, as a server would fill it in";
const OF_FILES: &str =
    "table items: column note is defined, but no row of its data has it: it is left out";

#[test]
fn what_a_dump_s_rows_lack_is_what_a_server_makes_of_it() {
    let dir = Dir::new();
    let path = dir.write("dump.sql", dump(""));
    let run = export(&dir, path.to_str().unwrap(), "out").ok();
    assert_eq!(
        run.content("tenant_1/items.ndjson.gz"),
        b"{\"id\":7,\"note\":null,\"tenant_id\":1}\n"
    );
    assert_eq!(run.manifest()["warnings"], serde_json::json!([OF_DUMP]));
    assert!(run.stderr.contains(OF_DUMP), "{}", run.stderr);
    let verify = dir.relexport("verify out --pipeline pipeline.yml");
    verify.option("--against", &path).ok();

    let database = Server::shared().database();
    let mut psql = database.server.program("psql");
    ok(psql
        .args([
            "--quiet",
            "--set",
            "ON_ERROR_STOP=1",
            "-d",
            &database.name,
            "-f",
        ])
        .arg(&path));
    let restored = export(&dir, &database.address(), "restored").ok();
    assert_eq!(run.contents(), restored.contents());

    export(&dir, path.to_str().unwrap(), "strict")
        .arg("--strict")
        .fails(3, &[OF_DUMP]);
}

#[test]
fn what_a_server_alone_knows_or_would_refuse_fails_the_table() {
    let cases = [
        (
            " DEFAULT 'x'::text",
            "its data has no column note, and the database would fill in the column's default",
        ),
        (
            " NOT NULL",
            "its data has no column note, which cannot be NULL: a database would refuse these rows",
        ),
    ];
    for (definition, says) in cases {
        let dir = Dir::new();
        let path = dir.write("dump.sql", dump(definition));
        let run = export(&dir, path.to_str().unwrap(), "out").fails(1, &[says]);
        assert_eq!(run.relation("items")["status"], -1, "{definition}");
    }
}

#[test]
fn nothing_is_said_of_generated_columns() {
    let dir = Dir::new();
    let generated = " GENERATED ALWAYS AS ('x'::text) STORED";
    let path = dir.write("dump.sql", dump(generated));
    for snapshot in [path, folder(&dir, generated)] {
        let out = snapshot.file_name().unwrap().to_str().unwrap();
        let run = export(&dir, snapshot.to_str().unwrap(), &format!("out-{out}"))
            .relations(&["items"])
            .arg("--strict")
            .ok();
        assert_eq!(
            run.content("tenant_1/items.ndjson.gz"),
            b"{\"id\":7,\"tenant_id\":1}\n"
        );
        assert_eq!(run.manifest()["warnings"], serde_json::Value::Null);
    }
}

#[test]
fn a_column_that_files_lack_is_left_out_and_told() {
    for definition in ["", " NOT NULL", " DEFAULT 'x'::text"] {
        let dir = Dir::new();
        let csv = folder(&dir, definition);
        let csv = csv.to_str().unwrap();
        let run = export(&dir, csv, "out").relations(&["items"]).ok();
        assert_eq!(
            run.content("tenant_1/items.ndjson.gz"),
            b"{\"id\":7,\"tenant_id\":1}\n"
        );
        assert_eq!(run.manifest()["warnings"], serde_json::json!([OF_FILES]));
        export(&dir, csv, "strict")
            .relations(&["items"])
            .arg("--strict")
            .fails(3, &[OF_FILES]);
        // What is sorted by it is not.
        let unsorted = export(&dir, csv, "unsorted").fails(
            1,
            &["the data has no column note, by which rows are sorted"],
        );
        assert_eq!(unsorted.relation("sorted")["status"], -1);
    }
}

/// What has to be told of a pipeline that names a column which no table has, and how: by the export, and by the check.
#[test]
fn rows_that_a_missing_column_finds_none_of_are_told() {
    let cases = [
        (
            "items: { table: items, link: { tenant_id: key }, nested: { parts: { many: items, link: { id: id }, match: { note: [nosuch] } } } }",
            "column note of table items has nothing to match, since there is no nosuch: no row is found for parts",
            "column note has nothing to match",
        ),
        (
            "items: { table: items, link: { tenant_id: key } }\n  owners: { table: tenants, collected: { columns: [tenant_id, nosuch, may_lack?] } }",
            "no table that is exported has a column nosuch: nothing is collected by it for owners",
            "no table that is exported has a column nosuch: nothing is collected by it",
        ),
    ];
    for (relations, says, check_says) in cases {
        let dir = Dir::new();
        let whole = dump("")
            .replace("items (tenant_id, id)", "items (tenant_id, id, note)")
            .replace("1\t7\n2\t8\n", "1\t7\ta\n2\t8\tb\n");
        let path = dir.write("dump.sql", whole);
        let pipeline = dir.write(
            "pipeline.yml",
            format!(
                "pipeline: tables\nentity: {{ kind: Tenant, table: tenants, key: id, prefix: \"tenant_{{key}}\" }}\n\
                 relations:\n  {relations}\n"
            ),
        );
        let export = |out: &str| {
            dir.export_to(&path, dir.join(out))
                .option("--pipeline", &pipeline)
                .group(1)
        };
        let run = export("out").ok();
        assert_eq!(run.manifest()["warnings"], serde_json::json!([says]));
        export("strict").arg("--strict").fails(3, &[check_says]);
        let check = dir.relexport("pipeline check pipeline.yml");
        let check = check.option("--snapshot", &path).run();
        assert_eq!(check.code, Some(1));
        assert!(check.stdout.contains(check_says), "{}", check.stdout);
        let strict = dir.relexport("pipeline check pipeline.yml --strict");
        let strict = strict.option("--snapshot", &path).run();
        assert_eq!(strict.code, Some(1));
    }
}

/// The columns that a dump's rows lack are not those of a snapshot that is taken of it either, and that is not forgotten.
#[test]
fn a_taken_snapshot_tells_of_columns_that_its_source_lacked() {
    let dir = Dir::new();
    let path = dir.write("dump.sql", dump(""));
    dir.write("pipeline.yml", PIPELINE);
    let take = dir.relexport("snapshot take --quiet --pipeline pipeline.yml --out taken");
    take.option("--from", &path).ok();
    let taken = dir.join("taken");
    let run = export(&dir, taken.to_str().unwrap(), "out")
        .relations(&["items"])
        .ok();
    assert_eq!(
        run.content("tenant_1/items.ndjson.gz"),
        b"{\"id\":7,\"tenant_id\":1}\n"
    );
    assert_eq!(run.manifest()["warnings"], serde_json::json!([OF_FILES]));
}

#[test]
fn a_key_that_would_be_written_twice_fails_its_relation() {
    let dump = "-- PostgreSQL database dump
CREATE TABLE tenants (id integer PRIMARY KEY, name text, title text);
CREATE TABLE notes (id integer PRIMARY KEY, tenant_id integer, author text, kind text, below text, made text GENERATED ALWAYS AS (kind) STORED);
COPY tenants (id, name, title) FROM stdin;
1\tAcme\tboss
\\.
COPY notes (id, tenant_id, author, kind, below) FROM stdin;
10\t1\tann\treal\tx
\\.
-- PostgreSQL database dump complete
";
    let dir = Dir::new();
    let dump = dir.write("dump.sql", dump);
    let pipeline = dir.write(
        "twice.yml",
        "pipeline: twice
entity: { kind: Tenant, table: tenants, key: id, prefix: \"t_{key}\" }
relations:
  nested: { table: notes, link: { tenant_id: key }, nested: { author: { one: tenants, link: { id: tenant_id } } } }
  computed: { table: notes, link: { tenant_id: key }, computed: { kind: { constant: note } } }
  as: { table: tenants, link: { id: key }, as: { name: title } }
  tree: { table: notes, link: { tenant_id: key }, tree: { as: below, link: { tenant_id: id } } }
  deep: { table: tenants, link: { id: key }, nested: { notes: { many: notes, link: { tenant_id: id }, computed: { kind: { constant: note } } } } }
  left_out: { table: notes, link: { tenant_id: key }, except: [kind, below, author], computed: { kind: { constant: note } } }
  generated: { table: notes, link: { tenant_id: key }, except: [tenant_id, author, kind, below], computed: { made: { constant: yes } } }
",
    );
    let run = dir
        .export(&dump)
        .option("--pipeline", &pipeline)
        .group(1)
        .fails(
            1,
            &[
                "key author would be written twice: table notes has a column of that name",
                "key kind would be written twice",
                "key title would be written twice: table tenants",
                "key below would be written twice",
                "`except`",
            ],
        );
    for relation in ["nested", "computed", "as", "tree", "deep"] {
        assert_eq!(run.relation(relation)["status"], -1, "{relation}");
    }
    let text = |name: &str| String::from_utf8(run.content(&format!("t_1/{name}.ndjson.gz")));
    assert_eq!(
        text("left_out").unwrap(),
        "{\"id\":10,\"tenant_id\":1,\"kind\":\"note\"}\n"
    );
    assert_eq!(text("generated").unwrap(), "{\"id\":10,\"made\":\"yes\"}\n");
    let check = dir.relexport("pipeline check").arg(&pipeline);
    let check = check.option("--snapshot", &dump).run();
    assert_eq!(check.code, Some(1), "{}", check.stdout);
    assert!(!check.stdout.contains("key made"), "{}", check.stdout);
}
