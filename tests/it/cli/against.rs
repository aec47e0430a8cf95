//! `relexport verify --against`: an export that is not what its snapshot holds is found out, though its manifest agrees with
//! its files.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::cli::Exported;
use crate::support::*;

/// The relations of the manifest that hold records, each with its entity and how many it holds.
fn counted(manifest: &Value) -> Vec<(String, String, u64)> {
    let mut counted = Vec::new();
    for entity in manifest["entities"].as_array().unwrap() {
        for relation in entity["relations"].as_array().unwrap() {
            let file = relation["file"].as_str().unwrap_or_default();
            let is_archive = ["uploads", "lfs_objects", "repository", "design"]
                .contains(&relation["relation"].as_str().unwrap());
            if !is_archive && !file.ends_with(".tar.gz") {
                counted.push((
                    entity["full_path"].as_str().unwrap().to_owned(),
                    relation["relation"].as_str().unwrap().to_owned(),
                    relation["total_objects_count"].as_u64().unwrap(),
                ));
            }
        }
    }
    counted
}

#[test]
fn an_export_of_every_shape_is_what_every_kind_of_its_snapshot_holds() {
    let groups = [DUMP, CSV, BACKUP];
    for (from, arguments, against) in [
        (DUMP, "--all-groups", &groups[..]),
        (DUMP, "--all-groups --batched --batch-size 2", &groups[1..2]),
        (CSV, "-g 4351 -g 7001 --edition ce", &groups[..1]),
        (PROJECTS, "--all-groups --all-projects", &[PROJECTS]),
        (
            PROJECTS_BACKUP,
            "--all-groups --all-projects --batched --batch-size 3",
            &[PROJECTS_BACKUP],
        ),
    ] {
        let exported = Exported::new(&format!("-s {from} {arguments}"));
        let manifest = ExportFolder::new(exported.path("")).manifest();
        let counted = counted(&manifest);
        for snapshot in against {
            let place = format!("{from} {arguments} against {snapshot}");
            let out = exported.out();
            let run = relexport(&format!("verify {out} --against {snapshot} --json")).run();
            assert_eq!(run.code, Some(0), "{place}: {}{}", run.stdout, run.stderr);
            let against = run.json()["against"].take();
            let relations = against["relations"].as_array().unwrap();
            for (entity, relation, count) in &counted {
                let found = relations
                    .iter()
                    .find(|it| it["entity"] == **entity && it["relation"] == **relation)
                    .unwrap_or_else(|| panic!("{place}: no {entity} {relation}"));
                assert_eq!(found["not_compared"], Value::Null, "{place}: {found}");
                assert_eq!(found["different"], 0, "{place}: {found}");
                // A relation of one row that is not there is one text.
                if found["expected"] != 0 || found["records"] != 0 {
                    assert_eq!(found["expected"], *count, "{place}: {found}");
                    assert_eq!(found["records"], *count, "{place}: {found}");
                }
            }
            let compared = relations.iter().filter(|it| it["rows"] != 0).count();
            assert!(compared > 15, "{place}: {compared}");
        }
    }
}

/// Changes the lines of a file of an export, and its manifest so that it agrees.
pub(super) fn edit_lines(out: &Path, name: &str, edit: impl FnOnce(&mut Vec<Value>)) {
    let folder = ExportFolder::new(out);
    let text = String::from_utf8(folder.content(name)).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    edit(&mut lines);
    let mut content: Vec<String> = lines.iter().map(Value::to_string).collect();
    if text.ends_with('\n') {
        content.push(String::new());
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(content.join("\n").as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let mut manifest = folder.manifest();
    for entity in manifest["entities"].as_array_mut().unwrap() {
        for relation in entity["relations"].as_array_mut().unwrap() {
            if relation["file"] == name {
                relation["bytes"] = json!(packed.len());
                relation["sha256"] = json!(sha256(&packed));
                relation["total_objects_count"] = json!(lines.len());
                if relation["rows_read"].is_u64() {
                    relation["rows_read"] = json!(lines.len());
                }
            }
        }
    }
    fs::write(out.join(name), packed).unwrap();
    fs::write(out.join("manifest.json"), manifest.to_string()).unwrap();
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The record with an id.
fn with_id(lines: &mut [Value], id: u64) -> &mut Value {
    lines.iter_mut().find(|line| line["id"] == id).unwrap()
}

type Fault = (
    &'static str,
    &'static str,
    fn(&mut Vec<Value>),
    &'static [&'static str],
);

/// What is done to a file of group 4351, and what has to be said of it.
const FAULTS: [Fault; 14] = [
    (
        "a line is dropped",
        "labels.ndjson",
        |lines| lines.retain(|line| line["id"] != 803),
        &["acme/platform labels 803: it is missing"],
    ),
    (
        "a line stands there twice",
        "labels.ndjson",
        |lines| lines.push(lines[1].clone()),
        &["acme/platform labels 802: it stands there more than once"],
    ),
    (
        "a row is made up",
        "labels.ndjson",
        |lines| {
            let mut line = lines[0].clone();
            line["id"] = json!(899);
            lines.push(line);
        },
        &["acme/platform labels 899: the snapshot does not have it"],
    ),
    (
        "a value is changed",
        "labels.ndjson",
        |lines| with_id(lines, 805)["title"] = json!("no hax"),
        &["acme/platform labels 805: title differs (line 5 of group_4351/labels.ndjson.gz)"],
    ),
    (
        "a computed value is changed",
        "labels.ndjson",
        |lines| with_id(lines, 805)["textColor"] = json!("#1F1E24"),
        &["acme/platform labels 805: textColor differs"],
    ),
    (
        "a millisecond is lost",
        "labels.ndjson",
        |lines| with_id(lines, 803)["created_at"] = json!("2021-05-04T11:25:20.422Z"),
        &["acme/platform labels 803: created_at differs"],
    ),
    (
        "a key is dropped, and one is made up",
        "labels.ndjson",
        |lines| {
            let line = with_id(lines, 801).as_object_mut().unwrap();
            line.remove("template");
            line.insert("colour".to_owned(), Value::Null);
        },
        &["acme/platform labels 801: template, colour differ"],
    ),
    (
        "a nested row is dropped",
        "epics.ndjson",
        |lines| {
            let notes = with_id(lines, 21)["notes"].as_array_mut().unwrap();
            notes.retain(|note| note["id"] != 3002);
        },
        &["acme/platform epics 21: notes 3002 is missing"],
    ),
    (
        "nested rows stand in another row",
        "epics.ndjson",
        |lines| {
            let notes = with_id(lines, 24)["notes"].take();
            let others = std::mem::replace(&mut with_id(lines, 25)["notes"], notes);
            with_id(lines, 24)["notes"] = others;
        },
        &[
            "acme/platform epics 24: notes 3012 is missing; notes 3011 is not in the snapshot",
            "acme/platform epics 25: notes 3011 is missing; notes 3012 is not in the snapshot",
        ],
    ),
    (
        "a value far below is changed",
        "epics.ndjson",
        |lines| with_id(lines, 21)["notes"][0]["author"]["name"] = json!("Mallory"),
        &["acme/platform epics 21: notes.author", ": name differs"],
    ),
    (
        "a nested row stands there twice",
        "epics.ndjson",
        |lines| {
            let emoji = with_id(lines, 21)["award_emoji"].as_array_mut().unwrap();
            emoji.push(emoji[0].clone());
        },
        &["acme/platform epics 21: award_emoji 5001 is not in the snapshot"],
    ),
    (
        "a user is dropped",
        "user_contributions.ndjson",
        |lines| lines.retain(|line| line["id"] != 24),
        &["acme/platform user_contributions 24: it is missing"],
    ),
    (
        "a greatest value is smaller",
        "max_iids.json",
        |lines| lines[0]["epics"] = json!(6),
        &["acme/platform max_iids: epics differs"],
    ),
    (
        "a setting is another one",
        "namespace_settings.ndjson",
        |lines| lines[0]["prevent_sharing_groups_outside_hierarchy"] = json!(false),
        &[
            "acme/platform namespace_settings 4350: prevent_sharing_groups_outside_hierarchy differs",
        ],
    ),
];

#[test]
fn what_a_file_lacks_or_has_too_much_is_named_by_key() {
    let exported = Exported::new(&format!("-s {DUMP} -g 4351"));
    for (fault, file, edit, says) in FAULTS {
        let name = format!("group_4351/{file}.gz");
        let (kept, manifest) = (
            fs::read(exported.path(&name)).unwrap(),
            exported.path("manifest.json"),
        );
        let kept_manifest = fs::read(&manifest).unwrap();
        edit_lines(&exported.path(""), &name, edit);
        // The manifest agrees with the files.
        relexport(&format!("verify {}", exported.out())).ok();
        let run = relexport(&format!("verify {} --against {DUMP}", exported.out())).run();
        assert_eq!(run.code, Some(1), "{fault}: {}{}", run.stdout, run.stderr);
        for part in says {
            assert!(
                run.stdout.contains(part),
                "{fault}: no {part:?} in\n{}",
                run.stdout
            );
        }
        let count = match fault {
            "nested rows stand in another row" => "2 records differ",
            _ => ": 1 record differs",
        };
        assert!(run.stdout.contains(count), "{fault}: {}", run.stdout);
        fs::write(exported.path(&name), kept).unwrap();
        fs::write(manifest, kept_manifest).unwrap();
    }
}

#[test]
fn records_without_a_key_are_told_by_the_key_of_the_row_that_they_are_likest() {
    let exported = Exported::new(&format!("-s {PROJECTS} --project acme/app"));
    let manifest = ExportFolder::new(exported.path("")).manifest();
    let prefix = manifest["entities"][0]["prefix"]
        .as_str()
        .unwrap()
        .to_owned();
    let file = format!("{prefix}/protected_branches.ndjson.gz");
    let mut ids = 0;
    edit_lines(&exported.path(""), &file, |lines| {
        ids = lines.len();
        lines[0]["name"] = json!("moin");
    });
    assert!(ids > 0);
    let run = relexport(&format!(
        "verify {} --against {PROJECTS} --json",
        exported.out()
    ))
    .run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let differences = run.json()["against"]["differences"].take();
    let [one] = differences.as_array().unwrap().as_slice() else {
        panic!("{differences:#}");
    };
    assert_eq!(one["kind"], "changed", "{one}");
    assert_eq!(one["columns"], json!(["name"]), "{one}");
    assert!(one["key"].as_str().unwrap().parse::<u64>().is_ok(), "{one}");
    assert_eq!((&one["file"], &one["line"]), (&json!(file), &json!(1)));
}

#[test]
fn a_row_that_another_snapshot_has_is_told() {
    let (dir, exported) = (Dir::new(), Exported::new(&format!("-s {DUMP} -g 4351")));
    let changed = edit_field(&dump(), "notes", "id", "3001", "note", "another text");
    let path = dir.write("other.sql", changed);
    let run = relexport(&format!(
        "verify {} --against {}",
        exported.out(),
        path.display()
    ))
    .run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let says = "acme/platform epics 21: notes 3001: note differs";
    assert!(run.stdout.contains(says), "{}", run.stdout);
    assert!(!run.stdout.contains("another text"), "{}", run.stdout);
}

#[test]
fn a_comparison_of_nothing_fails() {
    let exported = Exported::new(&format!("-s {DUMP} -g 7001 --relation namespace_settings"));
    let run = relexport(&format!("verify {} --against {DUMP}", exported.out())).run();
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    assert!(
        run.stdout.contains("nothing was compared"),
        "{}",
        run.stdout
    );
}

#[test]
fn what_cannot_be_compared_is_refused_before_it_is_read() {
    let exported = Exported::new(&format!("-s {DUMP} -g 4351 --relation labels"));
    let verify = |arguments: &str| relexport(&format!("verify {} {arguments}", exported.out()));
    verify("--against -").fails(2, &["standard input", "save it to a file"]);
    verify("--against nowhere.sql").fails(3, &["nowhere.sql"]);
    let other = Dir::new();
    let changed = edit(
        &fs::read_to_string(project("pipelines/group.yml")).unwrap(),
        "badges:\n    table: badges",
        "marks:\n    table: badges",
    );
    let pipeline = other.write("mine.yml", changed).display().to_string();
    let own = Exported::new(&format!(
        "-s {DUMP} -g 4351 --relation labels --pipeline {pipeline}"
    ));
    let verify = |more: &str| relexport(&format!("verify {} --against {DUMP}{more}", own.out()));
    verify("").fails(2, &["name its file with --pipeline"]);
    verify(&format!(" --pipeline {pipeline}")).ok();
}

#[test]
fn redacted_columns_and_rules_without_a_second_reading_are_said() {
    let dir = Dir::new();
    let rules = dir.write("redact.yml", "columns:\n  labels.title: { constant: x }\n");
    let program = dir
        .export(project(DUMP))
        .group(4351)
        .relations(&["labels", "badges"]);
    program.option("--redact", &rules).ok();
    let out = dir.join("out").display().to_string();
    let text = relexport(&format!("verify {out} --against {DUMP}")).prints();
    assert!(
        text.contains("not compared: group.labels.title: redacted"),
        "{text}"
    );
}

#[test]
fn rows_that_a_snapshot_cannot_tell_from_a_partition_s_are_not_compared() {
    let dir = Dir::new();
    let schema = "CREATE TABLE tenants (id integer PRIMARY KEY, ev_id integer);
CREATE TABLE ev (id integer, tenant_id integer, y integer) PARTITION BY LIST (y);
CREATE TABLE ev_1 (id integer, tenant_id integer, y integer);
ALTER TABLE ONLY ev ATTACH PARTITION ev_1 FOR VALUES IN (1);
";
    let rows = |ev_1: &str| {
        format!(
            "-- PostgreSQL database dump\n{schema}COPY ev_1 (id, tenant_id, y) FROM stdin;\n{ev_1}\\.\n\
             COPY tenants (id, ev_id) FROM stdin;\n1\t3\n\\.\n-- PostgreSQL database dump complete\n"
        )
    };
    let whole = dir.write("whole.sql", rows("1\t1\t1\n3\t1\t1\n"));
    let lost = dir.write("lost.sql", rows(""));
    for (name, content) in [
        ("schema.sql", schema),
        ("tenants.csv", "id,ev_id\n1,3\n"),
        ("ev.csv", "id,tenant_id,y\n1,1,1\n3,1,1\n"),
    ] {
        dir.write(&format!("csv/{name}"), content);
    }
    let no_headings = rows("1\t1\t1\n3\t1\t1\n").replace("COPY ev_1", "COPY ev");
    let no_headings = dir.write("no-headings.sql", no_headings);
    let pipeline = dir.write(
        "ev.yml",
        "pipeline: ev
entity: { kind: Tenant, table: tenants, key: id, prefix: \"t_{key}\" }
relations:
  ev: { table: ev, link: { tenant_id: key }, only: [id] }
  ev_1: { table: ev_1, link: { tenant_id: key }, only: [id] }
  nested: { table: tenants, link: { id: key }, nested: { evs: { many: ev_1, link: { tenant_id: id } } } }
  looked: { table: tenants, link: { id: key }, computed: { y: { lookup: ev_1, link: { id: ev_id }, column: y } } }
",
    );
    for (name, from) in [("whole", whole), ("lost", lost)] {
        let run = dir.export_to(&from, dir.join(name));
        let run = run.option("--pipeline", &pipeline).group(1).ok();
        for against in [dir.join("csv"), no_headings.clone()] {
            let verify = dir.relexport("verify --json").arg(&run.out);
            let verify = verify.option("--against", &against);
            let told = verify.option("--pipeline", &pipeline).run();
            assert_eq!(told.code, Some(1), "{name}: {}", told.stderr);
            let report = told.json()["against"].take();
            let relation = |name: &str| {
                let relations = report["relations"].as_array().unwrap();
                let found = relations.iter().find(|it| it["relation"] == name);
                found.unwrap_or_else(|| panic!("{name}: {report}"))
            };
            for of_partition in ["ev_1", "nested"] {
                let reason = relation(of_partition)["not_compared"].as_str().unwrap();
                assert!(
                    reason.contains("rows of table ev_1 may stand in the data of ev"),
                    "{reason}"
                );
            }
            let columns = report["not_compared"].to_string();
            assert!(columns.contains("looked.y"), "{columns}");
            let is_lost = u64::from(name == "lost") * 2;
            assert_eq!(relation("ev")["different"], is_lost, "{report}");
        }
    }
}

#[test]
fn the_root_of_an_entity_is_the_one_that_the_export_took() {
    // The row above x and z is not there, the one above w is no team; y says that its root is the one that is not there,
    // and v one whose key has a blank.
    let dump = "-- PostgreSQL database dump
CREATE TABLE teams (code text PRIMARY KEY, parent text, ancestors text[], is_team boolean);
CREATE TABLE cards (id integer PRIMARY KEY, team text);
COPY teams (code, parent, ancestors, is_team) FROM stdin;
x\tnope\t\\N\tt
y\tnope\t{nope,y}\tt
z\tx\t\\N\tt
w\tp\t\\N\tt
v\tx\t{\"n b\",v}\tt
p\t\\N\t\\N\tf
\\.
COPY cards (id, team) FROM stdin;
1\tx
2\ty
3\tz
4\tnope
5\tw
6\tp
7\tn b
\\.
-- PostgreSQL database dump complete
";
    let dir = Dir::new();
    let dump = dir.write("dump.sql", dump);
    for (name, ancestors, of_y, of_v) in [
        ("parents", "", 2, 1),
        ("arrays", "ancestors: ancestors,", 4, 7),
    ] {
        let pipeline = format!(
            "pipeline: teams
entity: {{ kind: Team, table: teams, key: code, where: {{ is_team: true }}, parent: parent, {ancestors} prefix: \"t_{{key}}\" }}
relations:
  cards: {{ table: cards, link: {{ team: root }}, only: [id] }}
"
        );
        let pipeline = dir.write(&format!("{name}.yml"), pipeline);
        let run = dir.export_to(&dump, dir.join(name));
        let run = run.option("--pipeline", &pipeline).args(["--all-groups"]);
        let run = run.ok();
        for (team, card) in [("x", 1), ("y", of_y), ("z", 1), ("w", 5), ("v", of_v)] {
            let cards = run.content(&format!("t_{team}/cards.ndjson.gz"));
            let expected = format!("{{\"id\":{card}}}\n");
            assert_eq!(String::from_utf8(cards).unwrap(), expected, "{name} {team}");
        }
        let verify = dir.relexport("verify").arg(&run.out);
        let verify = verify.option("--against", &dump);
        verify.option("--pipeline", &pipeline).ok();
    }
}
