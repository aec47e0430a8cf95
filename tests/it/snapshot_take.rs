//! `relexport snapshot take` and `verify`: a folder of CSV files that is exported from as its source is.

mod damage;
mod endings;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::live::*;
use crate::support::server::*;
use crate::support::*;
use serde_json::Value;

/// `relexport snapshot` in a folder; arguments are split at blanks.
fn snapshot(dir: &Dir, arguments: &str) -> Program {
    dir.relexport("--quiet snapshot")
        .args(arguments.split_whitespace())
}

/// `relexport snapshot take` of a source, into the folder `taken`.
fn take_of(dir: &Dir, from: impl AsRef<OsStr>) -> Program {
    snapshot(dir, "take --out taken").option("--from", from)
}

/// Takes a snapshot, which must go well, and returns its folder.
fn take(dir: &Dir, from: impl AsRef<OsStr>, out: &str, more: &[&str]) -> PathBuf {
    let take = snapshot(dir, "take").option("--from", from);
    take.args(["--out", out]).args(more).ok();
    dir.join(out)
}

/// What `snapshot.json` says.
fn described(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("snapshot.json")).unwrap()).unwrap()
}

/// An export of every group from a folder must be as the contract says.
fn assert_exports_all(dir: &Dir, folder: &Path, what: &str) -> Run {
    let run = dir
        .export_to(folder, dir.join(&format!("export-{what}")))
        .args(["--all-groups"])
        .ok();
    assert_same_files(what, &run.contents(), &expected_files(&GROUPS));
    run
}
/// The fixture in every kind of snapshot that is not a server.
fn sources(dir: &Dir, database: &Database<'_>) -> Vec<(&'static str, PathBuf)> {
    vec![
        ("plain", project("fixtures/gitlab.sql")),
        ("custom", dir.write("custom", database.dump(&["-Fc"]))),
        ("backup", project(BACKUP)),
        ("csv", project("fixtures/csv")),
    ]
}

/// A table's file, unpacked.
fn csv(folder: &Path, table: &str) -> Vec<u8> {
    let bytes = fs::read(folder.join(format!("{table}.csv.zst"))).unwrap();
    zstd::decode_all(&bytes[..]).unwrap()
}

#[test]
fn whole_tables_of_every_kind_are_exported_as_their_source() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    for (kind, path) in sources(&dir, &database) {
        let folder = take(&dir, &path, &format!("taken-{kind}"), &[]);
        let taken = assert_exports_all(&dir, &folder, kind);
        let described = described(&folder);
        assert_eq!(described["pipeline"]["name"], "group");
        assert_eq!(
            described["from"]["source"],
            path.file_name().unwrap().to_str().unwrap()
        );
        // The facts that the metadata are made of come along.
        let source = dir
            .export_to(&path, dir.join("source").join(format!("export-{kind}")))
            .args(["--all-groups"])
            .ok();
        assert_eq!(
            taken.content("metadata.json.gz"),
            source.content("metadata.json.gz"),
            "{kind}"
        );
        for fact in ["server_version", "gitlab_version"] {
            assert_eq!(
                taken.manifest()["snapshot"][fact],
                source.manifest()["snapshot"][fact]
            );
            assert_eq!(described[fact], source.manifest()["snapshot"][fact]);
        }
        assert_eq!(described["gitlab_version"].is_string(), kind == "backup");
        snapshot(&dir, "verify").arg(&folder).ok();
        // A snapshot of a snapshot is the same.
        let again = take(&dir, &folder, &format!("again-{kind}"), &[]);
        let entries = self::described(&again);
        for (one, other) in entries["tables"]
            .as_array()
            .unwrap()
            .iter()
            .zip(described["tables"].as_array().unwrap())
        {
            assert_eq!(
                (&one["table"], &one["rows"]),
                (&other["table"], &other["rows"])
            );
            let table = one["table"].as_str().unwrap();
            assert!(csv(&again, table) == csv(&folder, table), "{kind}: {table}");
        }
    }
    let folder = take(&dir, database.address(), "taken", &["--connections", "3"]);
    assert_exports_all(&dir, &folder, "server");
    let described = described(&folder);
    assert_eq!(described["from"]["kind"], "postgres");
    assert!(described["lsn"].as_str().unwrap().contains('/'));
    assert!(described["taken_at"].as_str().unwrap().ends_with("UTC"));
    let tables = described["tables"].as_array().unwrap();
    for table in tables {
        let name = table["table"].as_str().unwrap();
        assert_eq!(
            database.run(&format!("SELECT count(*) FROM {name}")),
            table["rows"].to_string()
        );
    }
    let manifest = dir
        .export_to(&folder, dir.join("facts"))
        .group(4351)
        .ok()
        .manifest();
    assert_eq!(manifest["snapshot"]["lsn"], described["lsn"]);
    assert_eq!(manifest["snapshot"]["taken_at"], described["taken_at"]);
}

/// What PostgreSQL itself writes of a table.
fn copied(database: &Database<'_>, table: &str) -> Vec<u8> {
    let mut psql = database.psql();
    psql.args(["-c", "SET timezone = 'UTC'"]);
    psql.args(["-c", "SET extra_float_digits = 3"]);
    ok(psql.args([
        "-c",
        &format!("COPY {table} TO STDOUT WITH (FORMAT csv, HEADER)"),
    ]))
    .stdout
}

/// Columns with every value that is hard to carry.
const HOSTILE: &str = r#"
    CREATE TYPE mood AS ENUM ('sad', 'it''s "ok", \ fine', '');
    CREATE DOMAIN small AS numeric(3,1);
    CREATE SCHEMA elsewhere;
    CREATE TYPE elsewhere.pair AS (a int, b text);
    ALTER TABLE labels ADD COLUMN hard text, ADD COLUMN "the ""name"", x" character varying(9),
      ADD COLUMN mood mood, ADD COLUMN moods mood[], ADD COLUMN price small, ADD COLUMN place point,
      ADD COLUMN pair elsewhere.pair, ADD COLUMN bits bit(3), ADD COLUMN bytes bytea, ADD COLUMN at timestamptz(3),
      ADD COLUMN range int4range, ADD COLUMN doc jsonb, ADD COLUMN texts text[], ADD COLUMN ratio double precision,
      ADD COLUMN padded character(4), ADD COLUMN loud text GENERATED ALWAYS AS (upper(title)) STORED, ADD COLUMN gone int;
    ALTER TABLE labels DROP COLUMN gone;
    UPDATE labels SET mood = (enum_range(NULL::mood))[1 + id % 3], moods = enum_range(NULL::mood), price = -9.5,
      "the ""name"", x" = repeat('"', (id % 3)::int), place = point(id, -0.1), pair = ROW(1, ',"')::elsewhere.pair,
      bits = B'101', bytes = '\x00ff0a', at = '2024-02-29 23:59:59.999+05:45', range = '[1,5)',
      doc = '{"a": "\"\n\\", "b": [1, null]}', texts = ARRAY['', NULL, 'NULL', ',', '"', E'\n', E'\\'], ratio = 1/3.0::float8,
      padded = 'a',
      hard = (ARRAY['', NULL, ',', '"', '""', E'\n', E'\r\n', '\N', '\.', E'a\tb\\c', ' lead', E'\x01\x7f', 'ü😀', E'\r', 'x"y']
        )[1 + (SELECT count(*) FROM labels other WHERE other.id < labels.id) % 15];
    INSERT INTO labels (id, title, type) SELECT 900000 + n, 'NaN', 'GroupLabel' FROM generate_series(1, 3) n;
    UPDATE labels SET ratio = 'NaN', at = 'infinity' WHERE id > 900000;"#;

#[test]
fn postgresql_writes_the_same_bytes_and_takes_them_back() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    database.run(HOSTILE);
    let dump = dir.write("dump.sql", database.dump(&[]));
    let inserts = dir.write("inserts.sql", database.dump(&["--column-inserts"]));
    let address = database.address();
    for (kind, from) in [
        ("live", Path::new(&address)),
        ("dump", &dump),
        ("inserts", &inserts),
    ] {
        let folder = take(&dir, from, &format!("taken-{kind}"), &[]);
        let back = Server::shared().database();
        back.load(&folder.join("schema.sql"));
        for table in described(&folder)["tables"].as_array().unwrap() {
            let name = table["table"].as_str().unwrap();
            let content = csv(&folder, name);
            assert!(
                content == copied(&database, name),
                "{kind}: {name} is not what COPY writes"
            );
            // By the server itself: older versions of psql take a line `\\.` inside of quotes for the end.
            let file = back.server.folder.join(format!("{}.csv", back.name));
            fs::write(&file, &content).unwrap();
            back.server.give(&file);
            // The file's first line says which columns it has: all but those that are computed.
            let header = String::from_utf8(
                content
                    .split(|byte| *byte == b'\n')
                    .next()
                    .unwrap()
                    .to_vec(),
            )
            .unwrap();
            back.run(&format!(
                "COPY {name} ({}) FROM '{}' WITH (FORMAT csv, HEADER)",
                columns(&header),
                file.display()
            ));
            assert!(
                content == copied(&back, name),
                "{kind}: {name} is not the same when it is read back"
            );
        }
        let types = "SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = 'labels'::regclass AND attname IN ('mood', 'moods', 'price', 'bits', 'at', 'padded', 'pair')";
        assert_eq!(
            back.run(types),
            "mood mood[] numeric text bit(3) timestamp(3) with time zone character(4)"
        );
        let exports = [from, &folder].map(|snapshot| {
            let out = dir.join(&format!("{kind}-{}", snapshot == folder));
            dir.export_to(snapshot, out)
                .args(["--all-groups"])
                .ok()
                .packed()
        });
        assert_same_files(kind, &exports[1], &exports[0]);
    }
}

/// The columns of a header line as SQL: quoted names lie in it as SQL writes them.
fn columns(header: &str) -> String {
    let mut names = Vec::new();
    let mut reader = csv_reader(header);
    for name in reader.records().next().unwrap().unwrap().iter() {
        names.push(format!("\"{}\"", name.replace('"', "\"\"")));
    }
    names.join(", ")
}

fn csv_reader(text: &str) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes())
}

#[test]
fn a_partitioned_table_is_one_file() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    database.run(
        "ALTER TABLE labels RENAME TO old_labels;
         CREATE TABLE labels (LIKE old_labels) PARTITION BY RANGE (id);
         CREATE SCHEMA parts;
         CREATE TABLE parts.labels_1 PARTITION OF labels FOR VALUES FROM (MINVALUE) TO (802);
         CREATE TABLE parts.labels_2 (junk int, LIKE old_labels);
         ALTER TABLE parts.labels_2 DROP COLUMN junk;
         ALTER TABLE labels ATTACH PARTITION parts.labels_2 FOR VALUES FROM (802) TO (MAXVALUE);
         INSERT INTO labels SELECT * FROM old_labels;
         DROP TABLE old_labels CASCADE;
         DROP TABLE IF EXISTS uploads CASCADE;
         CREATE TABLE uploads (id bigint, model_type text) PARTITION BY LIST (model_type);
         ALTER TABLE namespaces ADD COLUMN push_rule_id bigint;",
    );
    let address = database.address();
    let plain = dir.write("plain.sql", database.dump(&[]));
    let custom = dir.write("custom", database.dump(&["-Fc"]));
    for (kind, from) in [
        ("live", Path::new(&address)),
        ("plain", &plain),
        ("custom", &custom),
    ] {
        let folder = take(&dir, from, &format!("taken-{kind}"), &[]);
        let rows = csv(&folder, "labels")
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            - 1;
        assert!(rows >= 4 && !folder.join("labels_1.csv.zst").exists());
        let taken = dir
            .export_to(&folder, dir.join(&format!("export-{kind}")))
            .args(["--all-groups"])
            .ok();
        let source = dir
            .export_to(from, dir.join("source").join(format!("export-{kind}")))
            .args(["--all-groups"])
            .ok();
        assert_same_files(kind, &taken.packed(), &source.packed());
        // That uploads are partitioned tells GitLab's version.
        let metadata = taken.content("metadata.json.gz");
        assert!(String::from_utf8_lossy(&metadata).contains("18.11.0"));
        assert_eq!(metadata, source.content("metadata.json.gz"));
        assert_eq!(
            described(&folder)["partitioned"],
            serde_json::json!(["labels", "uploads"])
        );
    }
}

#[test]
fn only_the_rows_of_some_groups_are_exported_as_their_source() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let address = database.address();
    let mut sources = sources(&dir, &database);
    sources.push(("server", address.into()));
    // The groups, what the namespaces' rows are, and who is exported.
    let choices: [(&[&str], &[i64], &[&str]); 5] = [
        (&["4351"], &[4351], &["4350", "4351"]),
        (&["acme/platform"], &[4351], &["4350", "4351"]),
        (&["acme/old-platform"], &[4351], &["4350", "4351"]),
        (
            &["acme", "--subgroups"],
            &[4350, 4351, 4352],
            &["4350", "4351", "4352"],
        ),
        (
            &["4352", "--group", "7001"],
            &[4352, 7001],
            &["4350", "4351", "4352", "7001"],
        ),
    ];
    for (kind, path) in &sources {
        let whole = described(&take(&dir, path, &format!("{kind}-whole"), &[]));
        // A stream, random access and a server find rows in ways of their own; of the other kinds two choices will do.
        let choices = match *kind {
            "plain" | "csv" | "server" => &choices[..],
            _ => &choices[2..4],
        };
        for (number, (group, ids, namespaces)) in choices.iter().enumerate() {
            let what = format!("{kind}-{number}");
            let mut more = vec!["--group"];
            more.extend(*group);
            let folder = take(&dir, path, &format!("{what}-taken"), &more);
            let run = dir
                .export_to(&folder, dir.join(&format!("{what}-export")))
                .args(["--group"])
                .args(*group)
                .ok();
            assert_same_files(&what, &run.contents(), &expected_files(ids));
            let described = described(&folder);
            assert_eq!(described["only"], serde_json::json!(ids), "{what}");
            assert!(rows_of(&described) < rows_of(&whole), "{what}");
            let csv = csv(&folder, "namespaces");
            let csv = String::from_utf8(csv).unwrap();
            let mut kept: Vec<&str> = csv
                .lines()
                .skip(1)
                .map(|row| row.split(',').next().unwrap())
                .collect();
            kept.sort_unstable();
            assert_eq!(kept, *namespaces, "{what}");
            snapshot(&dir, "verify").arg(&folder).ok();
        }
    }
}

fn rows_of(described: &Value) -> u64 {
    let tables = described["tables"].as_array().unwrap();
    tables
        .iter()
        .map(|table| table["rows"].as_u64().unwrap())
        .sum()
}

#[test]
fn groups_that_were_not_taken_are_refused() {
    let dir = Dir::new();
    let folder = take(&dir, project("fixtures/csv"), "taken", &["--group", "4351"]);
    let says = ["acme is not among those whose rows the snapshot was taken with"];
    dir.export(&folder)
        .group("acme")
        .fails(3, &says)
        .left_nothing();
    dir.export(&folder)
        .group("acme")
        .args(["--subgroups"])
        .fails(3, &says);
    dir.export(&folder).args(["--all-groups"]).fails(3, &says);
    dir.export(&folder)
        .group(7001)
        .fails(3, &["there is no Group 7001"]);
    // Nor do they come back in a snapshot of it.
    let again = take(&dir, &folder, "again", &[]);
    assert_eq!(described(&again)["only"], serde_json::json!([4351]));
    dir.export(&again).group("acme").fails(3, &says);
    snapshot(&dir, "take --from taken --out third --group acme").fails(3, &says);
    let run = dir.export(&again).group(4351).ok();
    assert_same_files("again", &run.contents(), &expected_files(&[4351]));
}

/// The built-in pipeline, changed in one place.
fn pipeline(dir: &Dir, from: &str, to: &str) -> PathBuf {
    let text = fs::read_to_string(project("pipelines/group.yml")).unwrap();
    dir.write("pipeline.yml", edit(&text, from, to))
}

#[test]
fn groups_are_not_taken_by_a_pipeline_that_does_not_say_who_is_above_whom() {
    let dir = Dir::new();
    let from = project("fixtures/csv");
    let pipeline = pipeline(&dir, "  parent: parent_id\n", "");
    let pipeline = pipeline.to_str().unwrap();
    let take = || take_of(&dir, &from).option("--pipeline", pipeline);
    let says = [
        "names no column with the parent of a Group",
        "or take whole tables",
    ];
    take().group(4351).fails(3, &says);
    assert!(!dir.join("taken").exists());
    take().ok();
    let run = dir
        .export("taken")
        .args(["--pipeline", pipeline])
        .group(4351)
        .ok();
    assert_same_files("no parent", &run.contents(), &expected_files(&[4351]));
}

#[test]
fn groups_above_are_followed_as_far_as_gitlab_allows() {
    let dir = Dir::new();
    let text = dump();
    let head = copy_block(&text, "namespaces")
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let columns: Vec<&str> = head.split(['(', ')']).nth(1).unwrap().split(", ").collect();
    let template: Vec<String> = copy_block(&text, "namespaces")
        .lines()
        .find(|row| row.starts_with("4351\t"))
        .unwrap()
        .split('\t')
        .map(str::to_owned)
        .collect();
    let place = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    // Below acme/platform, a chain of 30: the first has two above it.
    let text = edit_rows(&text, "namespaces", |rows| {
        let mut rows = rows.to_owned();
        let mut ids = vec![4350, 4351];
        for number in 0..30 {
            let mut row = template.clone();
            let parent = *ids.last().unwrap();
            ids.push(8000 + number);
            let path: Vec<String> = ids.iter().map(i32::to_string).collect();
            row[place("id")] = (8000 + number).to_string();
            row[place("parent_id")] = parent.to_string();
            row[place("path")] = format!("deep-{number}");
            row[place("traversal_ids")] = format!("{{{}}}", path.join(","));
            rows.push_str(&(row.join("\t") + "\n"));
        }
        rows
    });
    let dump = dir.write("dump.sql", text);
    let csv = take(&dir, &dump, "whole", &[]);
    for (number, from) in [&dump, &csv].into_iter().enumerate() {
        // GitLab allows 20 levels above; 23 are followed.
        for group in ["8018", "8021"] {
            let folder = take(
                &dir,
                from,
                &format!("{number}-{group}"),
                &["--group", group],
            );
            let exports = [from.as_path(), &folder].map(|snapshot| {
                let out = dir.join(&format!("out-{number}-{group}-{}", snapshot == folder));
                dir.export_to(snapshot, out).group(group).ok().packed()
            });
            assert_same_files(group, &exports[1], &exports[0]);
        }
        snapshot(&dir, "take --out deep --group 8023")
            .option("--from", from)
            .fails(3, &["24 levels or more above it"]);
        assert!(!dir.join("deep").exists());
    }
}

#[test]
fn partitions_whose_files_have_other_columns_are_refused() {
    let dir = Dir::new();
    dir.write(
        "from/schema.sql",
        "CREATE TABLE namespaces (id bigint, type text) PARTITION BY LIST (type);
         CREATE TABLE one (id bigint, type text); CREATE TABLE two (id bigint, type text);
         ALTER TABLE namespaces ATTACH PARTITION one FOR VALUES IN ('a');
         ALTER TABLE namespaces ATTACH PARTITION two FOR VALUES IN ('b');",
    );
    dir.write("from/one.csv", "type,id\na,1\n");
    dir.write("from/two.csv", "id,type\n2,b\n");
    let folder = take(&dir, "from", "taken", &[]);
    assert_eq!(csv(&folder, "namespaces"), b"id,type\n1,a\n2,b\n");
    dir.write("from/two.csv", "id\n2\n");
    snapshot(&dir, "take --from from --out other")
        .fails(3, &["table namespaces", "different columns"]);
    assert!(!dir.join("other").exists());
}

#[test]
fn a_table_in_two_places_is_taken_whole() {
    let text = dump();
    let block = copy_block(&text, "epics").to_owned();
    let (head, rest) = block.split_once('\n').unwrap();
    let rows: Vec<&str> = rest.strip_suffix("\\.\n").unwrap().lines().collect();
    let part = |rows: &[&str]| format!("{head}\n{}\n\\.\n", rows.join("\n"));
    let first = copy_block(&text, "abuse_report_uploads").to_owned();
    let moved = edit(&text, &block, &part(&rows[1..]));
    let moved = edit(&moved, &first, &format!("{}\n{first}", part(&rows[..1])));
    let dir = Dir::new();
    let from = dir.write("dump.sql", moved);
    let folder = take(&dir, &from, "whole", &[]);
    assert_exports_all(&dir, &folder, "whole");
    let folder = take(&dir, &from, "some", &["--group", "acme/platform"]);
    let run = dir.export(&folder).group(4351).ok();
    assert_same_files("some", &run.contents(), &expected_files(&[4351]));
    // A pipe cannot be read again.
    snapshot(&dir, "take --from - --out piped --group 4351")
        .stdin(fs::File::open(&from).unwrap())
        .fails(3, &["epics", "two places", "save the snapshot to a file"]);
    assert!(!dir.join("piped").exists());
}

#[test]
fn data_that_do_not_fit_their_definition_are_refused() {
    let dir = Dir::new();
    let text = "CREATE TABLE public.namespaces (id bigint);\nCOPY public.namespaces (id, more) FROM stdin;\n1\t2\n\\.\n";
    let from = dir.write("dump.sql", text);
    let says = [
        "table namespaces",
        "a column that its definition does not have",
    ];
    take_of(&dir, &from).fails(3, &says);
    assert!(!dir.join("taken").exists());
}

#[test]
fn links_are_not_followed() {
    let dir = Dir::new();
    let folder = take(&dir, project("fixtures/csv"), "taken", &[]);
    let json = folder.join("snapshot.json");
    fs::rename(&json, dir.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(dir.join("elsewhere"), &json).unwrap();
    dir.export(&folder)
        .group(4351)
        .fails(3, &["snapshot.json", "no link in a snapshot is followed"]);
}

#[test]
fn a_snapshot_for_another_pipeline_is_refused_where_it_lacks_something() {
    let dir = Dir::new();
    let source = project("fixtures/gitlab.sql");
    let labels = dir.write(
        "labels.yml",
        "pipeline: small
entity:
  kind: Group
  table: namespaces
  prefix: \"group_{key}\"
  where: { type: Group }
  name: name
  parent: parent_id
  segment: path
relations:
  labels: { table: labels, link: { group_id: key } }
",
    );
    let labels = labels.to_str().unwrap();
    let small = take(&dir, &source, "small", &["--pipeline", labels]);
    let run = dir.export_to(&small, dir.join("of-small")).group(4351);
    run.fails(
        3,
        &["was taken for another pipeline (small)", "lacks table"],
    )
    .left_nothing();
    let with_it = dir.export_to(&small, dir.join("with-it")).group(4351);
    with_it.args(["--pipeline", labels]).ok();
    snapshot(&dir, "take --from small --out again")
        .fails(3, &["taken for another pipeline (small)"]);
    // Whole tables serve every pipeline that needs no others; the rows of some groups serve one.
    let whole = take(&dir, &source, "whole", &[]);
    let of_whole = dir.export_to(&whole, dir.join("of-whole")).group(4351);
    of_whole.args(["--pipeline", labels]).ok();
    let some = take(&dir, &source, "some", &["--group", "4351"]);
    let of_some = dir.export_to(&some, dir.join("of-some")).group(4351);
    of_some
        .args(["--pipeline", labels])
        .fails(3, &["holds only the rows that it needs"]);
}

#[test]
fn types_whose_text_says_less_are_kept() {
    // As a server in Berlin dumps it.
    let dump = "-- PostgreSQL database dump
CREATE TYPE public.color AS ENUM ('red', 'blue');
CREATE DOMAIN public.paint AS public.color;
CREATE DOMAIN public.coat AS public.paint NOT NULL;
CREATE TABLE tenants (id integer PRIMARY KEY, during tstzrange, free tstzmultirange, free_too tstzmultirange[], c public.paint, cs public.paint[], coat public.coat);
CREATE TABLE kids (id integer PRIMARY KEY, c public.color, ints int4multirange);
COPY tenants (id, during, free, free_too, c, cs, coat) FROM stdin;
1\t[\"2020-01-01 01:00:00+01\",)\t{[\"2020-01-01 01:00:00+01\",)}\t{\"{[\\\\\"2020-01-01 01:00:00+01\\\\\",)}\"}\tred\t{red,blue}\tblue
\\.
COPY kids (id, c, ints) FROM stdin;
1\tred\t{[1,3)}
2\tblue\t{}
\\.
-- PostgreSQL database dump complete
";
    let dir = Dir::new();
    let dump = dir.write("dump.sql", dump);
    let pipeline = dir.write(
        "types.yml",
        "pipeline: types
values: exact
entity: { kind: Tenant, table: tenants, key: id, prefix: \"t_{key}\" }
relations:
  self: { table: tenants, link: { id: key }, only: [during, free, free_too, c, cs] }
  kids: { table: tenants, link: { id: key }, only: [id], nested: { red: { many: kids, link: { c: c } }, blue: { many: kids, link: { c: coat } } } }
",
    );
    let named = |program: Program| program.option("--pipeline", &pipeline);
    let out = dir.join("taken");
    named(
        snapshot(&dir, "take --from")
            .arg(&dump)
            .option("--out", &out),
    )
    .ok();
    let schema = fs::read_to_string(out.join("schema.sql")).unwrap();
    for line in [
        "\"free\" tstzmultirange,",
        "\"free_too\" tstzmultirange[],",
        "\"ints\" int4multirange,",
        "\"c\" \"public\".\"color\",",
        "\"cs\" \"public\".\"color\"[],",
        "\"coat\" \"public\".\"color\",",
    ] {
        assert!(schema.contains(line), "{line} {schema}");
    }
    let want = "{\"during\":\"[\\\"2020-01-01 00:00:00+00\\\",)\",\"free\":\"{[\\\"2020-01-01 00:00:00+00\\\",)}\",\
                \"free_too\":[\"{[\\\"2020-01-01 00:00:00+00\\\",)}\"],\"c\":\"red\",\"cs\":[\"red\",\"blue\"]}\n";
    for from in [dump, out] {
        let run = named(dir.export_to(&from, from.with_extension("out"))).group(1);
        let run = run.ok();
        let text = |name: &str| String::from_utf8(run.content(&format!("t_1/{name}.ndjson.gz")));
        assert_eq!(text("self").unwrap(), want, "{}", from.display());
        assert_eq!(
            text("kids").unwrap(),
            "{\"id\":1,\"red\":[{\"id\":1,\"c\":\"red\",\"ints\":\"{[1,3)}\"}],\"blue\":[{\"id\":2,\"c\":\"blue\",\"ints\":\"{}\"}]}\n"
        );
    }
}
