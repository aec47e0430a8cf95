//! PostgreSQL as the judge: the fixture in a real server, which dumps it in every way and says what is in it.

use std::fs;
use std::process::Command;

use crate::support::*;
use serde_json::{Map, Value};

/// Runs a shell script beside a server that holds the fixture, in the test's folder.
fn with_fixture(dir: &Dir, script: &str) {
    let whole = format!(
        "set -eu\n\
         psql -X -q -v ON_ERROR_STOP=1 -f \"$FIXTURES/schema.sql\" -f \"$FIXTURES/seed.sql\"\n\
         sql() {{ psql -X -q -A -t -v ON_ERROR_STOP=1 \"$@\"; }}\n\
         {script}"
    );
    let output = Command::new(project("fixtures/with-postgres"))
        .args(["bash", "-c", &whole])
        .env("FIXTURES", project("fixtures"))
        .env("TESTS", project("tests"))
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_way_to_dump_gives_the_same_files() {
    let dir = Dir::new();
    with_fixture(
        &dir,
        "pg_dump >default.sql
         pg_dump --inserts >inserts.sql
         pg_dump --column-inserts --no-owner >column-inserts.sql
         pg_dump --inserts --rows-per-insert=7 >rows-per-insert.sql
         pg_dump --column-inserts --rows-per-insert=1000 --on-conflict-do-nothing >conflict.sql
         pg_dump --quote-all-identifiers --clean --if-exists --create >quoted.sql
         pg_dump --disable-triggers --no-comments --no-privileges --schema=public >public.sql
         pg_dump --compress=5 >compressed.sql
         pg_dump --serializable-deferrable --section=pre-data --section=data >sections.sql
         pg_dump --table='public.*' --exclude-table=public.issues >tables.sql
         sql -c \"ALTER DATABASE postgres SET bytea_output = 'escape'\" -c \"ALTER DATABASE postgres SET timezone = 'Asia/Kathmandu'\" \\
           -c \"ALTER DATABASE postgres SET datestyle = 'German'\" -c \"ALTER DATABASE postgres SET intervalstyle = 'iso_8601'\"
         pg_dump >settings.sql
         pg_dump --inserts >settings-inserts.sql",
    );
    let mut count = 0;
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let out = dir.join(&format!("out/{name}"));
        let run = dir.export_to(&path, out).args(["--all-groups"]).ok();
        assert_same_files(&name, &run.contents(), &expected_files(&GROUPS));
        count += 1;
    }
    assert_eq!(count, 12);
}

#[test]
fn a_table_without_its_data_is_empty_only_where_that_is_allowed() {
    let dir = Dir::new();
    with_fixture(
        &dir,
        "pg_dump --exclude-table-data=public.events >copy.sql
         pg_dump --inserts --exclude-table-data=public.events >inserts.sql
         pg_dump -Fc --exclude-table-data=public.events >custom
         pg_dump -Fd --exclude-table-data=public.events -f directory
         pg_dump -Ft --exclude-table-data=public.events >tar",
    );
    for kind in ["copy.sql", "inserts.sql", "custom", "directory", "tar"] {
        let out = |name: &str| dir.join("out").join(format!("{kind}-{name}"));
        let run = dir
            .export_to(dir.join(kind), out("fails"))
            .group(4351)
            .fails(1, &["table events", "--allow-missing"]);
        for (relation, status) in [("epics", -1), ("boards", -1), ("labels", 1), ("self", 1)] {
            assert_eq!(
                run.relation(relation)["status"],
                status,
                "{kind} {relation}"
            );
        }
        let run = dir
            .export_to(dir.join(kind), out("allowed"))
            .group(4351)
            .args(["--allow-missing"])
            .ok();
        assert_eq!(run.manifest()["missing_tables"], 1, "{kind}");
        let warnings = run.manifest()["warnings"].to_string();
        assert!(
            warnings.contains("events") && warnings.contains("no data"),
            "{warnings}"
        );
        for epic in run.records(4351, "epics") {
            assert_eq!(epic["events"], Value::Array(Vec::new()));
        }
    }
}

/// What the server says, by the name of a query: rows with their parents' keys, in order.
struct Judge(Dir);

impl Judge {
    fn rows(&self, name: &str) -> Vec<(Value, Value)> {
        let text = fs::read_to_string(self.0.join(name)).unwrap();
        text.lines()
            .map(|line| {
                let mut line: Value = serde_json::from_str(line).unwrap();
                (line["parent"].take(), line["row"].take())
            })
            .collect()
    }

    /// The program's rows, each with its parent's key, must be the server's: as many, in this order, each with the
    /// same columns and values.
    fn compare(&self, name: &str, got: Vec<(Value, Value)>) {
        let want = self.rows(name);
        assert!(!want.is_empty(), "{name}: nothing to compare");
        let ids = |rows: &[(Value, Value)]| -> Vec<(Value, Value)> {
            rows.iter()
                .map(|(parent, row)| (parent.clone(), row["id"].clone()))
                .collect()
        };
        assert_eq!(ids(&got), ids(&want), "{name}");
        for ((_, got), (_, want)) in got.iter().zip(&want) {
            let keys = |row: &Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(got), keys(want), "{name}");
            for (column, want) in want.as_object().unwrap() {
                assert_eq!(&got[column], want, "{name} {}, {column}", got["id"]);
            }
        }
    }
}

/// A record without the keys that are no columns.
fn columns(record: &Value, without: &[&str]) -> Value {
    let record = record.as_object().unwrap().clone();
    let kept: Map<String, Value> = record
        .into_iter()
        .filter(|(key, _)| !without.contains(&key.as_str()))
        .collect();
    Value::Object(kept)
}

/// Rows nested under `key` (many or one) in each parent, with the parent's id.
fn nested(parents: &[Value], key: &str, without: &[&str]) -> Vec<(Value, Value)> {
    let mut rows = Vec::new();
    for parent in parents {
        let found = match &parent[key] {
            Value::Array(found) => found.clone(),
            Value::Null => Vec::new(),
            one => vec![one.clone()],
        };
        rows.extend(
            found
                .iter()
                .map(|row| (parent["id"].clone(), columns(row, without))),
        );
    }
    rows
}

fn top(records: &[Value], without: &[&str]) -> Vec<(Value, Value)> {
    records
        .iter()
        .map(|record| (Value::from(4351), columns(record, without)))
        .collect()
}

/// All rows nested under `key` in all parents.
fn all(parents: &[Value], key: &str) -> Vec<Value> {
    nested(parents, key, &[])
        .into_iter()
        .map(|(_, row)| row)
        .collect()
}

const OF_EPICS: &str = "JOIN epics e ON e.group_id = 4351 AND";

#[test]
fn rows_and_values_are_what_the_server_says() {
    let judge = Judge(Dir::new());
    let queries = [
        ("milestones", "judge('milestones', 't.group_id', 'milestones t WHERE group_id = 4351', 'id')".to_owned()),
        ("labels", "judge('labels', 't.group_id', $$labels t WHERE group_id = 4351 AND type = 'GroupLabel'$$, 'id')".to_owned()),
        ("members", "judge('members', 't.source_id', $$members t WHERE source_id = 4351 AND source_type = 'Namespace' AND type = 'GroupMember' \
            AND requested_at IS NULL AND access_level > 5$$, 'id')".to_owned()),
        ("member_users", "judge('users', 'm.id', $$users t JOIN members m ON m.user_id = t.id AND m.source_id = 4351 AND m.source_type = 'Namespace' \
            AND m.type = 'GroupMember' AND m.requested_at IS NULL AND m.access_level > 5$$, 'm.id', '{}', '{id,public_email,username,name}')".to_owned()),
        ("boards", "judge('boards', 't.group_id', 'boards t WHERE group_id = 4351', 'id')".to_owned()),
        ("lists", "judge('lists', 't.board_id', 'lists t JOIN boards b ON b.id = t.board_id AND b.group_id = 4351', \
            'b.id, t.list_type, t.position NULLS LAST, t.id')".to_owned()),
        ("list_labels", "judge('labels', 'l.id', 'labels t JOIN lists l ON l.label_id = t.id JOIN boards b ON b.id = l.board_id AND b.group_id = 4351', \
            'b.id, l.list_type, l.position NULLS LAST, l.id')".to_owned()),
        ("board_labels", "judge('labels', 'b.id', 'labels t JOIN board_labels j ON j.label_id = t.id JOIN boards b ON b.id = j.board_id AND b.group_id = 4351', \
            'b.id, t.title COLLATE \"C\", t.id')".to_owned()),
        ("epics", "judge('epics', 't.group_id', 'epics t WHERE group_id = 4351', 'id', '{state_id,assignee_id,external_key}')".to_owned()),
        ("epic_parents", "judge('epics', 'e.id', 'epics t JOIN epics e ON e.parent_id = t.id AND e.group_id = 4351', 'e.id')".to_owned()),
        ("notes", format!("judge('notes', 'e.id', $$notes t {OF_EPICS} (t.noteable_type = 'Epic' AND t.noteable_id = e.id \
            OR t.noteable_type = 'Issue' AND t.noteable_id = e.issue_id)$$, 'e.id, t.id', '{{note_html,cached_markdown_version}}')")),
        ("award_emoji", format!("judge('award_emoji', 'e.id', $$award_emoji t {OF_EPICS} (t.awardable_type = 'Epic' AND t.awardable_id = e.id \
            OR t.awardable_type = 'Issue' AND t.awardable_id = e.issue_id)$$, 'e.id, t.id')")),
        ("note_emoji", format!("judge('award_emoji', 'n.id', $$award_emoji t JOIN notes n ON t.awardable_type = 'Note' AND t.awardable_id = n.id {OF_EPICS} \
            (n.noteable_type = 'Epic' AND n.noteable_id = e.id OR n.noteable_type = 'Issue' AND n.noteable_id = e.issue_id)$$, 'e.id, n.id, t.id')")),
        ("events", format!("judge('events', 'e.id', $$events t {OF_EPICS} (t.target_type = 'Epic' AND t.target_id = e.id \
            OR t.target_type IN ('Issue', 'WorkItem') AND t.target_id = e.issue_id)$$, 'e.id, t.id')")),
        ("label_links", format!("judge('label_links', 'e.id', $$label_links t {OF_EPICS} (t.target_type = 'Epic' AND t.target_id = e.id \
            OR t.target_type = 'Issue' AND t.target_id = e.issue_id)$$, 'e.id, t.id')")),
        ("state_events", format!("judge('resource_state_events', 'e.id', $$resource_state_events t {OF_EPICS} \
            (t.epic_id = e.id OR t.issue_id = e.issue_id)$$, 'e.id, t.id')")),
        ("epic_boards", "judge('boards_epic_boards', 't.group_id', 'boards_epic_boards t WHERE group_id = 4351', 't.id', '{id}')".to_owned()),
        ("contributors", "judge('users', '4351', $$users t WHERE id IN (1, 2, 3, 22)$$, 'id', '{}', '{id,public_email,username,name}')".to_owned()),
    ];
    let mut script = "sql -f \"$TESTS/postgres.sql\"\n".to_owned();
    for (name, query) in &queries {
        let path = format!("{name}.query");
        judge.0.write(&path, format!("SELECT {query};\n"));
        script += &format!("sql -f {path} >{name}\n");
    }
    with_fixture(&judge.0, &script);
    let dir = Dir::new();
    let run = dir.export(project("fixtures/gitlab.sql")).group(4351).ok();

    judge.compare("milestones", top(&run.records(4351, "milestones"), &[]));
    let labels = run.records(4351, "labels");
    judge.compare("labels", top(&labels, &["textColor"]));
    let members = run.records(4351, "members");
    judge.compare("members", top_members(&members));
    judge.compare("member_users", nested(&members, "user", &[]));
    let boards = run.records(4351, "boards");
    let in_board = ["lists", "board_assignee", "milestone", "labels"];
    judge.compare("boards", top(&boards, &in_board));
    let in_list = ["label", "board", "iteration", "milestone"];
    judge.compare("lists", nested(&boards, "lists", &in_list));
    judge.compare("list_labels", nested(&all(&boards, "lists"), "label", &[]));
    judge.compare("board_labels", nested(&boards, "labels", &[]));
    let epics = run.records(4351, "epics");
    let in_epic = [
        "state",
        "parent",
        "award_emoji",
        "events",
        "label_links",
        "notes",
        "resource_state_events",
    ];
    judge.compare("epics", top(&epics, &in_epic));
    judge.compare("epic_parents", nested(&epics, "parent", &[]));
    let in_note = ["author", "award_emoji", "events", "system_note_metadata"];
    judge.compare("notes", nested(&epics, "notes", &in_note));
    judge.compare("award_emoji", nested(&epics, "award_emoji", &[]));
    judge.compare(
        "note_emoji",
        nested(&all(&epics, "notes"), "award_emoji", &[]),
    );
    judge.compare("events", nested(&epics, "events", &["push_event_payload"]));
    judge.compare("label_links", nested(&epics, "label_links", &["label"]));
    judge.compare("state_events", nested(&epics, "resource_state_events", &[]));
    let contributors = dir
        .export_to(project("fixtures/gitlab.sql"), dir.join("members"))
        .group(4351)
        .relations(&["members", "user_contributions"])
        .ok()
        .records(4351, "user_contributions");
    judge.compare("contributors", top(&contributors, &[]));
}

/// Members do not have their type, which the server's rows have.
fn top_members(members: &[Value]) -> Vec<(Value, Value)> {
    let mut rows = top(members, &["user"]);
    for (_, row) in &mut rows {
        let row = row.as_object_mut().unwrap();
        assert!(!row.contains_key("type"));
        row.insert("type".to_owned(), "GroupMember".into());
    }
    rows
}
