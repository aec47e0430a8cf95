//! No row is lost in silence: keys that are not unique, tables without their data, damage in the tables that say who is
//! exported, names that find nothing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::server::*;
use crate::support::*;
use serde_json::{Value, json};

/// A plain dump of tables: name, columns with types, rows.
fn dump_of(tables: &[(&str, &str, &[&str])]) -> String {
    let mut text = "SET client_encoding = 'UTF8';\n".to_owned();
    for (name, columns, _) in tables {
        text.push_str(&format!("CREATE TABLE public.{name} ({columns});\n"));
    }
    for (name, columns, rows) in tables {
        let columns: Vec<&str> = columns
            .split(", ")
            .map(|column| column.split(' ').next().unwrap())
            .collect();
        text.push_str(&format!(
            "COPY public.{name} ({}) FROM stdin;\n",
            columns.join(", ")
        ));
        for row in *rows {
            text.push_str(&row.replace(' ', "\t"));
            text.push('\n');
        }
        text.push_str("\\.\n\n");
    }
    text
}

/// A relation of the first entity in a manifest, its status and its error.
fn entry(run: &Run, relation: &str) -> (i64, String) {
    let entry = run.relation(relation);
    let error = entry["error"].as_str().unwrap_or_default().to_owned();
    (entry["status"].as_i64().unwrap(), error)
}

// Keys that are not unique.

const TEAMS: &str = "\
pipeline: teams
entity: { kind: Team, table: teams, prefix: \"team_{key}\", segment: path }
relations:
  tasks:
    table: tasks
    link: [ { owner_id: key }, { reviewer_id: root } ]
  labels:
    table: labels
    through: { table: team_labels, to: label_id }
    link: { team_id: key }
  boards:
    table: boards
    link: { team_id: key }
    nested:
      cards:
        many: cards
        link: [ { board_id: id }, { other_id: id } ]
";

/// Tables whose `id` is only a part of their key, or that have no key at all.
const TABLES: [(&str, &str, &[&str]); 6] = [
    ("boards", "id bigint, team_id bigint", &["5 1", "6 2"]),
    (
        "cards",
        "id bigint, board_id bigint, other_id bigint, name text",
        &["9 5 \\N p", "9 \\N 5 q", "9 5 5 r", "9 6 6 s"],
    ),
    ("labels", "id bigint, title text", &["7 y", "7 x", "8 z"]),
    (
        "tasks",
        "id bigint, project text, owner_id bigint, reviewer_id bigint",
        &[
            "2 a 1 1", "1 b 2 1", "1 b 1 1", "1 a 1 2", "3 a 2 2", "2 a 1 1",
        ],
    ),
    (
        "team_labels",
        "team_id bigint, label_id bigint, id bigint",
        &["1 7 1", "1 7 2", "2 8 3"],
    ),
    ("teams", "id bigint, path text", &["1 red", "2 blue"]),
];

/// What team 1 has, each row as often as it is in its table.
const TASKS: &str = "\
{\"id\":1,\"project\":\"a\",\"owner_id\":1,\"reviewer_id\":2}
{\"id\":1,\"project\":\"b\",\"owner_id\":1,\"reviewer_id\":1}
{\"id\":1,\"project\":\"b\",\"owner_id\":2,\"reviewer_id\":1}
{\"id\":2,\"project\":\"a\",\"owner_id\":1,\"reviewer_id\":1}
{\"id\":2,\"project\":\"a\",\"owner_id\":1,\"reviewer_id\":1}
";
const LABELS: &str = "{\"id\":7,\"title\":\"x\"}\n{\"id\":7,\"title\":\"y\"}\n";
const BOARDS: &str = "{\"id\":5,\"team_id\":1,\"cards\":[\
{\"id\":9,\"board_id\":5,\"other_id\":5,\"name\":\"r\"},\
{\"id\":9,\"board_id\":5,\"other_id\":null,\"name\":\"p\"},\
{\"id\":9,\"board_id\":null,\"other_id\":5,\"name\":\"q\"}]}\n";

const REPEATED: [&str; 3] = [
    "table tasks: rows have the id of others, though it is the key (at least 2 of them): all are written",
    "table labels: rows have the id of others, though it is the key (at least 1 of them): all are written",
    "table cards: rows have the id of others, though it is the key (at least 1 of them): all are written",
];

fn assert_all_rows(run: &Run, what: &str) {
    for (relation, want) in [("tasks", TASKS), ("labels", LABELS), ("boards", BOARDS)] {
        let got = run.content(&format!("team_1/{relation}.ndjson.gz"));
        assert_eq!(String::from_utf8(got).unwrap(), want, "{what}: {relation}");
    }
}

#[test]
fn rows_with_the_same_key_are_all_written() {
    let dir = Dir::new();
    let pipeline = dir.write("teams.yml", TEAMS);
    let backwards: Vec<_> = TABLES.into_iter().rev().collect();
    for (order, tables) in [("forwards", &TABLES[..]), ("backwards", &backwards)] {
        let path = dir.write(&format!("{order}.sql"), dump_of(tables));
        for group in ["1", "red"] {
            for limit in ["512MiB", "0"] {
                let what = format!("{order} {group} {limit}");
                let run = dir
                    .export_to(&path, dir.join(&what))
                    .option("--pipeline", &pipeline)
                    .args(["--group", group, "--memory-limit", limit])
                    .ok();
                assert_all_rows(&run, &what);
                // Nobody has to find out by comparing.
                assert_eq!(run.manifest()["warnings"], json!(REPEATED), "{what}");
                assert!(run.stderr.contains(REPEATED[0]), "{}", run.stderr);
            }
        }
    }
}

fn take(dir: &Dir, from: &str, out: &str, more: &[&str]) -> PathBuf {
    dir.relexport("--quiet snapshot take --pipeline teams.yml")
        .args(["--from", from, "--out", out])
        .args(more)
        .ok();
    dir.join(out)
}

#[test]
fn rows_with_the_same_key_are_taken_from_dumps_archives_and_servers() {
    let dir = Dir::new();
    let pipeline = dir.write("teams.yml", TEAMS);
    let dump = dir.write("dump.sql", dump_of(&TABLES));
    let database = Server::shared().database();
    database.load(&dump);
    // PostgreSQL is the judge of how many rows there are.
    let count = "SELECT count(*) FROM tasks WHERE owner_id = 1 OR reviewer_id = 1";
    assert_eq!(database.run(count), TASKS.lines().count().to_string());
    let archive = dir.write("archive", database.dump(&["-Fc"]));
    let address = database.address();
    let sources = [
        ("dump", dump.to_str().unwrap()),
        ("archive", archive.to_str().unwrap()),
        ("server", address.as_str()),
    ];
    for (kind, from) in sources {
        for (what, more) in [("whole", &[][..]), ("group", &["--group", "1"])] {
            let out = format!("{kind}-{what}");
            let folder = take(&dir, from, &out, more);
            let run = dir
                .export_to(folder, dir.join(&format!("out-{out}")))
                .option("--pipeline", &pipeline)
                .args(["--group", "1"])
                .ok();
            assert_all_rows(&run, &out);
        }
    }
    // A server is asked by key, so there it is an error.
    let run = dir
        .export_to(&address, dir.join("out-live"))
        .option("--pipeline", &pipeline)
        .args(["--group", "1"])
        .run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    for (relation, table) in [
        ("tasks", "tasks"),
        ("labels", "labels"),
        ("boards", "cards"),
    ] {
        let (status, error) = entry(&run, relation);
        assert_eq!(status, -1, "{relation}");
        let says = format!("table {table}: two rows have the same id");
        assert!(error.contains(&says), "{error}");
    }
}

/// The fixture with a row of a table twice.
fn twice(table: &str, id: &str) -> String {
    edit_rows(&dump(), table, |rows| {
        let start = format!("{id}\t");
        let row = rows.lines().find(|row| row.starts_with(&start)).unwrap();
        format!("{rows}{row}\n")
    })
}

#[test]
fn two_rows_of_one_key_are_no_single_object() {
    let dir = Dir::new();
    let run = dir.export_text(&twice("namespaces", "4351")).run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let (status, error) = entry(&run, "self");
    assert_eq!(status, -1);
    assert!(
        error.contains("table namespaces: two rows have the same id"),
        "{error}"
    );
    assert!(!run.out.join("group_4351/self.json.gz").exists());
    assert_eq!(entry(&run, "labels").0, 1);
}

#[test]
fn two_rows_of_one_key_are_not_nested_as_one() {
    let dir = Dir::new();
    let members = String::from_utf8(expected(4351, "members")).unwrap();
    let member: Value = serde_json::from_str(members.lines().next().unwrap()).unwrap();
    let user = member["user_id"].to_string();
    let dump = twice("users", &user);
    let run = dir.export_text(&dump).relations(&["members"]).run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let (status, error) = entry(&run, "members");
    assert_eq!(status, -1);
    assert!(
        error.contains("table users") && error.contains("two rows have the same id"),
        "{error}"
    );
}

#[test]
fn a_group_with_two_rows_that_say_different_things_is_not_chosen() {
    let dir = Dir::new();
    let dump = edit_rows(&dump(), "namespaces", |rows| {
        let row = rows.lines().find(|row| row.starts_with("4351\t")).unwrap();
        let other = rows.lines().find(|row| row.starts_with("7001\t")).unwrap();
        let other = other.replacen("7001\t", "4351\t", 1);
        assert_ne!(row, other);
        format!("{rows}{other}\n")
    });
    dir.export_text(&dump)
        .fails(3, &["namespaces", "two rows have the same id"])
        .left_nothing();
}

// Who is exported.

/// Two groups whose paths differ in the case of letters only.
fn acmes() -> String {
    dump_of(&[
        (
            "labels",
            "id bigint, title text, color text, group_id bigint, type text",
            &[
                "1 mine #ff0000 10 GroupLabel",
                "2 theirs #00ff00 20 GroupLabel",
            ],
        ),
        (
            "namespaces",
            "id bigint, name text, path text, type text, parent_id bigint",
            &["10 A Acme Group \\N", "20 B acme Group \\N"],
        ),
        (
            "redirect_routes",
            "id bigint, source_id bigint, source_type text, path text",
            &["1 10 Namespace old"],
        ),
        (
            "routes",
            "id bigint, source_id bigint, source_type text, path text",
            &["1 10 Namespace Acme", "2 20 Namespace acme"],
        ),
    ])
}

#[test]
fn damage_in_a_table_that_chooses_fails_the_choice() {
    let dir = Dir::new();
    for (table, from, to, says) in [
        (
            "routes",
            "\tNamespace\tAcme\n",
            "\tNamespaceAcme\n",
            "row 1",
        ),
        (
            "redirect_routes",
            "\tNamespace\told\n",
            "\tNamespaceold\n",
            "row 1",
        ),
        ("namespaces", "20\tB\tacme\t", "20\tB acme\t", "row 2"),
        (
            "namespaces",
            "20\tB\tacme\t",
            "20\tB\tacme\tmore\t",
            "row 2",
        ),
        ("namespaces", "20\tB\tacme\t", "2O\tB\tacme\t", "row 2"),
    ] {
        let path = dir.write("dump.sql", edit(&acmes(), from, to));
        let says = [table, says, "byte "];
        for args in [
            &["--group", "Acme"][..],
            &["--group", "10"],
            &["--group", "10", "--subgroups"],
            &["--all-groups"],
            &["--all-groups", "--keep-going"],
            &["--group", "Acme", "--dry-run"],
            &["--all-groups", "--dry-run"],
        ] {
            dir.export(&path)
                .args(["--relation", "labels"])
                .args(args)
                .fails(3, &says)
                .left_nothing();
        }
        let groups = relexport(&format!("groups --snapshot {}", path.display()));
        let error = groups.err(3);
        assert!(says.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[test]
fn a_path_that_two_groups_have_is_nobodys() {
    let dir = Dir::new();
    let path = dir.write("dump.sql", acmes());
    // Exactly, it is one group's; ignoring case, it would be a guess.
    let run = dir.export(&path).group("acme").relations(&["labels"]).ok();
    assert_eq!(run.manifest()["entities"][0]["id"], 20);
    dir.export_to(&path, dir.join("other"))
        .group("ACME")
        .fails(3, &["ACME", "2 Groups", "10, 20"])
        .left_nothing();
}

#[test]
fn digits_are_an_id_first_and_then_a_path() {
    let dir = Dir::new();
    let dump = edit(&acmes(), "\tNamespace\tacme\n", "\tNamespace\t2024\n");
    let path = dir.write("dump.sql", &dump);
    let run = dir.export(&path).group("2024").relations(&["labels"]).ok();
    let theirs = b"{\"id\":2,\"title\":\"theirs\",\"color\":\"#00ff00\",\"group_id\":20,\"type\":\"GroupLabel\",\"textColor\":\"#1F1E24\"}\n";
    let got = run.content("group_20/labels.ndjson.gz");
    assert_eq!(
        String::from_utf8_lossy(&got),
        String::from_utf8_lossy(theirs)
    );
    // What is read once only cannot be looked through for other keys.
    dir.export_to("-", dir.join("piped"))
        .input(dump.as_bytes())
        .group("2024")
        .fails(3, &["path", "name it by its id: 20"])
        .left_nothing();
    // An id goes first.
    let dump = edit(&dump, "\tNamespace\t2024\n", "\tNamespace\t10\n");
    let path = dir.write("dump.sql", dump);
    let run = dir
        .export_to(path, dir.join("id"))
        .group("10")
        .relations(&["labels"])
        .ok();
    assert_eq!(run.manifest()["entities"][0]["id"], 10);
}

#[test]
fn damage_in_a_table_that_is_not_needed_does_not_hide_the_groups() {
    let dir = Dir::new();
    let dump = edit(&acmes(), "1\tmine\t", "1\t");
    let path = dir.write("dump.sql", dump);
    for command in ["groups", "inspect"] {
        let ran = relexport(&format!("{command} --snapshot {}", path.display())).run();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("labels") && ran.stderr.contains("row 1"),
            "{}",
            ran.stderr
        );
        let found = if command == "groups" {
            "Acme"
        } else {
            "routes"
        };
        assert!(ran.stdout.contains(found), "{}", ran.stdout);
    }
    // An export says that the snapshot is damaged.
    let run = dir
        .export(&path)
        .group("10")
        .relations(&["milestones"])
        .run();
    assert_ne!(run.code, Some(0));
}

#[test]
fn no_group_at_all_is_said() {
    let dir = Dir::new();
    let dump = acmes().replace("\tGroup\t", "\tUser\t");
    let path = dir.write("dump.sql", dump);
    let run = dir
        .export(&path)
        .args(["--all-groups"])
        .fails(1, &["no Group", "namespaces"]);
    let error = run.manifest()["error"].to_string();
    assert!(error.contains("namespaces"), "{error}");
    dir.export_to(&path, dir.join("dry"))
        .args(["--all-groups", "--dry-run"])
        .fails(1, &[]);
}

// Data that is not there.

/// The relations that are made of labels, directly or below.
const OF_LABELS: [&str; 4] = ["labels", "boards", "epics", "epic_boards"];

fn assert_fail_for_labels(run: &Run, what: &str, says: &[&str]) {
    assert_eq!(run.code, Some(1), "{what}: {}", run.stderr);
    for relation in RELATIONS {
        let (status, error) = entry(run, relation);
        // Who is referred to is not known as long as others failed.
        let fails = OF_LABELS.contains(&relation) || relation == "user_contributions";
        assert_eq!(
            status,
            if fails { -1 } else { 1 },
            "{what}: {relation}: {error}"
        );
        if OF_LABELS.contains(&relation) {
            for part in says {
                assert!(error.contains(part), "{what}: no {part:?}: {error}");
            }
        }
    }
    let (_, error) = entry(run, "user_contributions");
    assert!(
        OF_LABELS.iter().any(|relation| error.contains(relation)),
        "{error}"
    );
}

fn csv_without(dir: &Dir, file: &str) -> PathBuf {
    let folder = dir.join("csv");
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(project("fixtures/csv")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != file {
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
    folder
}

#[test]
fn a_table_without_its_data_fails_what_needs_it() {
    let dir = Dir::new();
    let dump = dump();
    let without = dir.write("without.sql", edit(&dump, copy_block(&dump, "labels"), ""));
    let damaged = edit(&dump, "\nCOPY public.labels (", "\nCOPY public.labelz (");
    let damaged = dir.write("damaged.sql", damaged);
    let folder = csv_without(&dir, "labels.csv.zst");
    for path in [without.as_path(), &damaged, &folder] {
        let what = path.display().to_string();
        let out = |name: &str| dir.join(name).join(path.file_name().unwrap());
        let run = dir.export_to(path, out("out")).group(4351).run();
        assert_fail_for_labels(&run, &what, &["table labels", "--allow-missing"]);
        assert_eq!(run.manifest().get("missing_tables"), None);
        dir.export_to(path, out("dry"))
            .group(4351)
            .args(["--dry-run"])
            .fails(1, &["table labels"]);
        let run = dir
            .export_to(path, out("allowed"))
            .group(4351)
            .args(["--allow-missing"])
            .ok();
        assert_eq!(run.manifest()["missing_tables"], 1);
        let warnings = run.manifest()["warnings"].to_string();
        assert!(
            warnings.contains("labels") && warnings.contains("no data"),
            "{warnings}"
        );
        assert!(run.records(4351, "labels").is_empty());
        assert_eq!(
            run.content("group_4351/milestones.ndjson.gz"),
            expected(4351, "milestones")
        );
    }
}

#[test]
fn data_without_the_definition_of_its_table_fails_what_needs_it() {
    let dir = Dir::new();
    let dump = dump();
    let from = dump.find("\nCREATE TABLE public.labels (").unwrap();
    let end = dump[from..].find("\n);\n").unwrap() + 4;
    let text = edit(&dump, &dump[from..from + end], "\n");
    let run = dir.export_text(&text).run();
    assert_fail_for_labels(&run, "plain", &["labels", "CREATE TABLE"]);
    let folder = csv_without(&dir, "");
    let schema = fs::read_to_string(folder.join("schema.sql")).unwrap();
    let from = schema.find("\nCREATE TABLE public.labels (").unwrap();
    let end = schema[from..].find("\n);\n").unwrap() + 4;
    fs::write(
        folder.join("schema.sql"),
        edit(&schema, &schema[from..from + end], "\n"),
    )
    .unwrap();
    let run = dir.export_to(folder, dir.join("csv-out")).group(4351).run();
    assert_fail_for_labels(&run, "csv", &["labels", "CREATE TABLE"]);
}

#[test]
fn tables_that_choose_must_have_their_data() {
    let dir = Dir::new();
    for table in ["namespaces", "routes"] {
        let dump = acmes();
        let text = edit(&dump, copy_block(&dump, table), "");
        let path = dir.write("dump.sql", text);
        for args in [&["--group", "10"][..], &["--all-groups"]] {
            dir.export(&path)
                .args(args)
                .fails(3, &[table, "--allow-missing"])
                .left_nothing();
        }
        let error = relexport(&format!("groups --snapshot {}", path.display())).err(3);
        assert!(error.contains(table), "{error}");
    }
}

#[test]
fn an_empty_table_of_inserts_is_there() {
    let dir = Dir::new();
    let tables = acmes();
    let head = &tables[..tables.find("COPY ").unwrap()];
    let heading = |name: &str| {
        format!("--\n-- Data for Name: {name}; Type: TABLE DATA; Schema: public; Owner: -\n--\n\n")
    };
    let groups = "INSERT INTO public.namespaces VALUES (10, 'A', 'Acme', 'Group', NULL);\n";
    let routes = "INSERT INTO public.routes VALUES (1, 10, 'Namespace', 'Acme');\n";
    let bare = format!("{head}{groups}{routes}");
    let headed = |labels: &str| {
        let (namespaces, redirects) = (heading("namespaces"), heading("redirect_routes"));
        let routes_head = heading("routes");
        format!("{head}{labels}{namespaces}{groups}{redirects}{routes_head}{routes}")
    };
    for (what, text, code) in [
        ("without headings", bare, 0),
        ("with all headings", headed(&heading("labels")), 0),
        ("without one heading", headed(""), 1),
    ] {
        let path = dir.write("dump.sql", text);
        let out = dir.join(what);
        let run = dir
            .export_to(path, out)
            .group(10)
            .relations(&["labels"])
            .run();
        assert_eq!(run.code, Some(code), "{what}: {}", run.stderr);
        assert_eq!(
            entry(&run, "labels").0,
            if code == 0 { 1 } else { -1 },
            "{what}"
        );
    }
}

#[test]
fn a_partition_without_its_data_is_missing() {
    let dir = Dir::new();
    let parts = "CREATE TABLE public.labels (id bigint, title text, color text, group_id bigint, type text) PARTITION BY RANGE (id);\n\
        CREATE TABLE public.labels_1 (id bigint, title text, color text, group_id bigint, type text);\n\
        CREATE TABLE public.labels_2 (id bigint, title text, color text, group_id bigint, type text);\n\
        ALTER TABLE ONLY public.labels ATTACH PARTITION public.labels_1 FOR VALUES FROM (1) TO (2);\n\
        ALTER TABLE ONLY public.labels ATTACH PARTITION public.labels_2 FOR VALUES FROM (2) TO (3);\n";
    let dump = acmes();
    let from = dump.find("CREATE TABLE public.labels (").unwrap();
    let end = dump[from..].find('\n').unwrap() + 1;
    let dump = edit(&dump, &dump[from..from + end], parts);
    let one = edit(&dump, "COPY public.labels (", "COPY public.labels_1 (");
    let block = copy_block(&one, "labels_1").replace("labels_1", "labels_2");
    let both = edit(
        &one,
        "COPY public.namespaces",
        &format!("{block}COPY public.namespaces"),
    );
    for (what, text, status) in [("one", &one, -1), ("both", &both, 1), ("root", &dump, 1)] {
        let path = dir.write(&format!("{what}.sql"), text);
        let run = dir
            .export_to(path, dir.join(what))
            .group(10)
            .relations(&["labels"])
            .run();
        let (got, error) = entry(&run, "labels");
        assert_eq!(got, status, "{what}: {error}");
        assert_eq!(error.contains("labels_2"), status == -1, "{what}: {error}");
    }
}

// Names that find nothing.

fn with_except(dir: &Dir, name: &str, except: &str) -> PathBuf {
    dir.write(
        name,
        format!(
            "pipeline: p\nentity: {{ kind: Group, table: namespaces, where: {{ type: Group }}, prefix: \"g_{{key}}\" }}\n\
             relations:\n  labels: {{ table: labels, link: {{ group_id: key }}, except: [{except}] }}\n"
        ),
    )
}

#[test]
fn a_column_that_is_not_there_is_a_warning_and_under_strict_an_error() {
    let dir = Dir::new();
    let path = dir.write("dump.sql", acmes());
    let pipeline = with_except(&dir, "typo.yml", "colour");
    let export = |out: &str| {
        dir.export_to(&path, dir.join(out))
            .group(10)
            .option("--pipeline", &pipeline)
    };
    let run = export("out").ok();
    let warnings = run.manifest()["warnings"].to_string();
    for text in [&warnings, &run.stderr] {
        assert!(text.contains("labels has no column colour"), "{text}");
    }
    assert_eq!(run.stderr.matches("colour").count(), 1, "{}", run.stderr);
    export("strict")
        .args(["--strict"])
        .fails(3, &["labels has no column colour", "--strict"])
        .left_nothing();
    export("dry")
        .args(["--dry-run", "--strict"])
        .fails(3, &["labels has no column colour"]);
    let check = |file: &Path| {
        let (file, path) = (file.display(), path.display());
        relexport(&format!("pipeline check {file} --snapshot {path}")).run()
    };
    let ran = check(&pipeline);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout.contains("warning: relations > labels"),
        "{}",
        ran.stdout
    );
    // A column that may be missing is marked.
    let pipeline = with_except(&dir, "marked.yml", "colour?, color?");
    let run = dir
        .export_to(&path, dir.join("marked"))
        .group(10)
        .option("--pipeline", &pipeline)
        .args(["--strict"])
        .ok();
    assert!(run.manifest().get("warnings").is_none());
}

#[test]
fn a_relation_without_its_table_is_a_warning_and_under_strict_an_error() {
    let dir = Dir::new();
    let path = dir.write("dump.sql", acmes());
    let text = fs::read_to_string(with_except(&dir, "p.yml", "")).unwrap();
    let pipeline = dir.write("p.yml", edit(&text, "table: labels", "table: lables"));
    let export = |out: &str| {
        dir.export_to(&path, dir.join(out))
            .group(10)
            .option("--pipeline", &pipeline)
    };
    let run = export("out").run();
    let warnings: Value = run.manifest()["warnings"].clone();
    assert!(
        warnings.to_string().contains("no table lables"),
        "{warnings}"
    );
    assert_eq!(run.stderr.matches("lables").count(), 1, "{}", run.stderr);
    export("strict")
        .args(["--strict"])
        .fails(3, &["no table lables"])
        .left_nothing();
}

#[test]
fn the_built_in_pipeline_is_strict_about_no_column_of_another_version() {
    let dir = Dir::new();
    let run = dir
        .export(project("fixtures/gitlab.sql"))
        .group(4351)
        .args(["--strict"])
        .ok();
    let says = "no files in uploads: a dump holds no repositories, uploads or other files; a GitLab backup does";
    assert_eq!(run.manifest()["warnings"], serde_json::json!([says]));
}
