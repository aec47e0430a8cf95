//! A column's rule holds wherever its value is written.

use std::collections::BTreeMap;

use serde_json::json;

use super::{KEY, key_file, redacted};
use crate::support::*;

/// Rules of each sort, for tables that are nested in many places.
const RULES: &str = "\
columns:
  users.name: name
  users.username: { hash: { prefix: user-, characters: 16 } }
  users.public_email: email
  labels.title: hash
  labels.description: null
  notes.note: { constant: \"(left \\\"out\\\")\" }
  epics.title: hash
";

/// The same by key of the records: where the pipeline writes these tables.
fn by_key() -> serde_json::Value {
    let mut rules = serde_json::Map::new();
    for user in ["user_contributions", "members.user", "epics.notes.author"] {
        rules.insert(format!("{user}.name"), json!(["name"]));
        rules.insert(format!("{user}.username"), json!(["hash", "user-", 16]));
        let email = json!(["email", "example.invalid"]);
        rules.insert(format!("{user}.public_email"), email);
    }
    let labels = [
        "labels",
        "boards.labels",
        "boards.lists.label",
        "epics.label_links.label",
        "epic_boards.epic_lists.label",
    ];
    for label in labels {
        rules.insert(format!("{label}.title"), json!(["hash", "", 64]));
        rules.insert(format!("{label}.description"), json!(null));
    }
    let note = json!(["constant", "(left \"out\")"]);
    rules.insert("epics.notes.note".to_owned(), note);
    for epic in ["epics", "epics.parent"] {
        rules.insert(format!("{epic}.title"), json!(["hash", "", 64]));
    }
    rules.into()
}

fn expected_redacted(groups: &[i64]) -> BTreeMap<String, Vec<u8>> {
    redacted(&expected_files(groups), &by_key())
}

#[test]
fn every_kind_of_snapshot_gives_what_the_rules_say_wherever_a_column_is_written() {
    let dir = Dir::new();
    let rules = dir.write("rules.yml", RULES);
    let key = key_file(&dir, KEY);
    let expected = expected_redacted(&GROUPS);
    for (snapshot, threads, memory) in [
        (DUMP, "1", "512MiB"),
        (DUMP, "7", "0"),
        (BACKUP, "2", "512MiB"),
        (CSV, "2", "512MiB"),
    ] {
        let what = format!("{} {threads}", snapshot.replace('/', " "));
        let run = dir
            .export_to(project(snapshot), dir.join(&what))
            .args(["--all-groups", "--threads", threads])
            .args(["--memory-limit", memory])
            .option("--redact", &rules)
            .option("--redact-key-file", &key)
            .ok();
        assert_same_files(&what, &run.contents(), &expected);
    }
}

#[test]
fn arrays_json_and_odd_types_are_redacted_element_by_element() {
    let rules = "\
columns:
  badges.tags: hash
  badges.settings: hash
  badges.extra:
    inside:
      /a: { constant: { gone: [1] } }
      /list: { hash: { characters: 16 } }
      /bb: null
  badges.network: hash
  'badges.odd, \"name\" <x>': name
  badges.name: null
  badges.grid: { constant: [1, null] }
  badges.token: { constant: 00000000-0000-0000-0000-000000000000 }
";
    let hash = json!(["hash", "", 64]);
    let by_key = json!({
        "badges.tags": hash,
        "badges.settings": ["json", hash],
        "badges.extra": ["inside", {
            "/a": ["constant", { "gone": [1] }],
            "/list": ["hash", "", 16],
            "/bb": null,
        }],
        "badges.network": hash,
        "badges.odd, \"name\" <x>": ["name"],
        "badges.name": null,
        "badges.grid": ["constant", [1, null]],
        "badges.token": ["constant", "00000000-0000-0000-0000-000000000000"],
    });
    let dir = Dir::new();
    let name = "group_4351/badges.ndjson.gz".to_owned();
    let files = BTreeMap::from([(name, expected(4351, "badges"))]);
    let expected = redacted(&files, &by_key);
    for snapshot in SNAPSHOTS {
        let run = dir
            .export_to(project(snapshot), dir.join(&snapshot.replace('/', " ")))
            .group(4351)
            .relations(&["badges"])
            .option("--redact", dir.write("rules.yml", rules))
            .option("--redact-key-file", key_file(&dir, KEY))
            .ok();
        assert_same_files(snapshot, &run.contents(), &expected);
    }
}

#[test]
fn the_manifest_says_what_was_redacted_and_not_the_key() {
    let dir = Dir::new();
    let rules = dir.write("rules.yml", RULES);
    let run = dir
        .export(project(DUMP))
        .group(4351)
        .option("--redact", &rules)
        .option("--redact-key-file", key_file(&dir, KEY))
        .ok();
    let manifest = run.manifest();
    let redaction = &manifest["redaction"];
    assert_eq!(redaction["columns"]["users"]["name"], "name");
    assert_eq!(redaction["columns"]["notes"]["note"], "constant");
    assert_eq!(redaction["columns"]["labels"]["description"], "null");
    assert_eq!(redaction["files"], "leave_out");
    assert_eq!(redaction["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(redaction["key_id"].as_str().unwrap().len(), 16);
    assert!(!manifest.to_string().contains(KEY));
}

#[test]
fn a_redacted_path_stands_nowhere_either() {
    let dir = Dir::new();
    let rules = "columns:\n  routes.path: hash\n  namespaces.path: hash\n  namespaces.name: null\n";
    let run = dir
        .export(project(DUMP))
        .group("acme/platform")
        .option("--redact", dir.write("rules.yml", rules))
        .option("--redact-key-file", key_file(&dir, KEY))
        .ok();
    assert!(!run.manifest().to_string().contains("acme/platform"));
    let metadata = String::from_utf8(run.content("metadata.json.gz")).unwrap();
    assert!(!metadata.contains("acme"), "{metadata}");
    assert!(metadata.contains("group_4351"), "{metadata}");
}

#[test]
fn names_of_groups_stand_in_no_manifest_that_says_why_there_is_no_export() {
    let dir = Dir::new();
    let rules = "columns:\n  routes.path: hash\n  namespaces.path: hash\n  namespaces.name: null\n";
    let export = |name: &str| {
        let program = dir.export(project(DUMP)).args(["--group", name, "--force"]);
        let program = program.option("--redact", dir.write("rules.yml", rules));
        program.option("--redact-key-file", key_file(&dir, KEY))
    };
    export("acme").ok();
    for name in ["acme/platfrom", "acmee", "acme/plat*x", "ACME/nowhere"] {
        let run = export(name).run();
        assert_eq!(run.code, Some(3), "{}", run.stderr);
        let failed = std::fs::read_to_string(dir.join("out.failed/manifest.json")).unwrap();
        for told in [&failed, &run.stderr] {
            assert!(told.contains("names are redacted"), "{told}");
            assert!(!told.contains("cme") && !told.contains("CME"), "{told}");
        }
    }
    // Other rules hide no names.
    let rules = "columns:\n  labels.title: hash\n";
    let run = dir
        .export(project(DUMP))
        .args(["--group", "acme/platfrom", "--force"])
        .option("--redact", dir.write("rules.yml", rules))
        .option("--redact-key-file", key_file(&dir, KEY))
        .run();
    assert!(run.stderr.contains("acme/platform"), "{}", run.stderr);
}

/// Rows of partitions, and of tables that inherit, are rows of the tables above them.
const RELATED: &str = "--
-- PostgreSQL database dump
--

CREATE TABLE public.tenants (id bigint NOT NULL);
CREATE TABLE public.people (id bigint NOT NULL, tenant_id bigint, name text, mail text);
CREATE TABLE public.staff (badge text) INHERITS (public.people);
CREATE TABLE public.logs (id bigint NOT NULL, tenant_id bigint, body text) PARTITION BY LIST (tenant_id);
CREATE TABLE public.logs_1 (id bigint NOT NULL, tenant_id bigint, body text);
ALTER TABLE ONLY public.logs ATTACH PARTITION public.logs_1 FOR VALUES IN ('1');

COPY public.logs_1 (id, tenant_id, body) FROM stdin;
5\t1\tbody secret
\\.

COPY public.people (id, tenant_id, name, mail) FROM stdin;
1\t1\tAnn Secret\tann secret
\\.

COPY public.staff (id, tenant_id, name, mail, badge) FROM stdin;
2\t1\tBob Secret\tbob secret\tseven
\\.

COPY public.tenants (id) FROM stdin;
1
\\.

--
-- PostgreSQL database dump complete
--

";

#[test]
fn a_rule_holds_for_all_tables_that_have_the_row() {
    let pipeline = "\
pipeline: related
entity: { kind: T, table: tenants, key: id, prefix: \"t_{key}\" }
relations:
  people: { table: people, link: { tenant_id: key } }
  staff: { table: staff, link: { tenant_id: key } }
  logs: { table: logs, link: { tenant_id: key } }
  recent: { table: logs_1, link: { tenant_id: key } }
";
    let cases = [
        // From above to below.
        "columns:\n  people.name: null\n  people.mail: null\n  logs.body: null\n",
        // From below to above; that a value may pass in one table says nothing of the other.
        "columns:\n  staff.name: null\n  staff.mail: null\n  logs_1.body: null\n  logs_1.id: keep\n",
        "columns:\n  people.name: null\n  staff.mail: null\n  \"logs_*.bod*\": null\n",
    ];
    let files = [
        (
            "people",
            "{\"id\":1,\"tenant_id\":1,\"name\":null,\"mail\":null}\n{\"id\":2,\"tenant_id\":1,\"name\":null,\"mail\":null}\n",
        ),
        (
            "staff",
            "{\"id\":2,\"tenant_id\":1,\"name\":null,\"mail\":null,\"badge\":\"seven\"}\n",
        ),
        ("logs", "{\"id\":5,\"tenant_id\":1,\"body\":null}\n"),
        ("recent", "{\"id\":5,\"tenant_id\":1,\"body\":null}\n"),
    ];
    for (number, rules) in cases.iter().enumerate() {
        let dir = Dir::new();
        let dump = dir.write("dump.sql", RELATED);
        let run = dir
            .export(&dump)
            .group(1)
            .option("--pipeline", dir.write("pipeline.yml", pipeline))
            .option("--redact", dir.write("rules.yml", rules))
            .ok();
        for (relation, expected) in files {
            let content = run.content(&format!("t_1/{relation}.ndjson.gz"));
            let content = String::from_utf8(content).unwrap();
            assert_eq!(content, expected, "{number}: {relation}");
        }
        assert!(!run.stderr.contains("does nothing"), "{}", run.stderr);
    }
}

#[test]
fn a_rule_of_the_table_itself_goes_before_those_of_tables_that_share_its_rows() {
    let dir = Dir::new();
    let dump = dir.write("dump.sql", RELATED);
    let pipeline = "\
pipeline: related
entity: { kind: T, table: tenants, key: id, prefix: \"t_{key}\" }
relations:
  people: { table: people, link: { tenant_id: key }, only: [id, name] }
  staff: { table: staff, link: { tenant_id: key }, only: [id, name] }
";
    let rules = "columns:\n  people.name: null\n  staff.name: { constant: staff }\n";
    let run = dir
        .export(&dump)
        .group(1)
        .option("--pipeline", dir.write("pipeline.yml", pipeline))
        .option("--redact", dir.write("rules.yml", rules))
        .ok();
    assert_eq!(
        run.content("t_1/people.ndjson.gz"),
        b"{\"id\":1,\"name\":null}\n{\"id\":2,\"name\":null}\n"
    );
    assert_eq!(
        run.content("t_1/staff.ndjson.gz"),
        b"{\"id\":2,\"name\":\"staff\"}\n"
    );
}
