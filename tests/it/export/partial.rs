//! What is partial of an export: each kind of it made to happen, and told alike in all places.

use serde_json::{Value, json};

use crate::support::*;

/// Table, column, the table that they are to, and how many lead nowhere.
type References = &'static [(&'static str, &'static str, &'static str, u64)];

/// The references of group 4351 that lead nowhere in the fixture, by relation: table and column, the table that is referred
/// to, and how many. From `fixtures/seed.sql` by hand: milestones 999999 and -4 of boards 67 and 68; label 888888, sprint
/// 888888 and milestone -2 of lists; epic 777; label 888888 of a link and of an epic board's list; and users 99, 404 and 405.
const DANGLING: [(&str, References); 4] = [
    (
        "boards",
        &[
            ("boards", "milestone_id", "milestones", 2),
            ("lists", "iteration_id", "sprints", 1),
            ("lists", "label_id", "labels", 1),
            ("lists", "milestone_id", "milestones", 1),
        ],
    ),
    (
        "epic_boards",
        &[("boards_epic_lists", "label_id", "labels", 1)],
    ),
    (
        "epics",
        &[
            ("epics", "parent_id", "epics", 1),
            ("label_links", "label_id", "labels", 1),
        ],
    ),
    (
        "user_contributions",
        &[
            ("award_emoji", "user_id", "users", 1),
            ("board_assignees", "assignee_id", "users", 1),
            ("events", "author_id", "users", 1),
            ("members", "created_by_id", "users", 1),
            ("members", "user_id", "users", 1),
            ("notes", "author_id", "users", 1),
            ("resource_state_events", "user_id", "users", 1),
        ],
    ),
];

fn dangling() -> Vec<(String, Value)> {
    let columns = |columns: &[(&str, &str, &str, u64)]| -> Value {
        let columns = columns.iter().map(|(table, column, to, count)| {
            json!({"table": table, "column": column, "to": to, "count": count})
        });
        columns.collect()
    };
    let relations = DANGLING.iter();
    relations
        .map(|(relation, of)| ((*relation).to_owned(), columns(of)))
        .collect()
}

/// What the manifest of a run says of references that lead nowhere, by relation.
fn told_dangling(run: &Run) -> Vec<(String, Value)> {
    let relations = run.relations().into_iter().map(|relation| {
        let name = relation["relation"].as_str().unwrap().to_owned();
        (name, relation["dangling_references"].clone())
    });
    let mut found: Vec<(String, Value)> = relations.filter(|(_, found)| !found.is_null()).collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

#[test]
fn the_id_of_a_row_of_a_partitioned_table_is_no_reference() {
    let dir = Dir::new();
    let run = dir.export(project(PROJECTS)).args(["--all-projects"]).ok();
    let entities = run.manifest()["entities"].clone();
    let relations = entities.as_array().unwrap().iter();
    let relations = relations.flat_map(|entity| entity["relations"].as_array().unwrap());
    let found: Vec<&Value> = relations
        .filter_map(|relation| relation["dangling_references"].as_array())
        .flatten()
        .collect();
    // A user who is gone is found, a pipeline that has no metadata is as it should be.
    assert!(found.iter().any(|it| it["to"] == "users"), "{found:?}");
    assert!(found.iter().all(|it| it["column"] != "id"), "{found:?}");
}

#[test]
fn references_that_lead_nowhere_are_counted_by_column_in_every_kind_of_snapshot() {
    let dir = Dir::new();
    for (number, snapshot) in SNAPSHOTS.into_iter().enumerate() {
        for (form, options) in [
            ("whole", &["--threads", "1"][..]),
            (
                "batches",
                &["--batched", "--batch-size", "2", "--memory-limit", "64MiB"],
            ),
        ] {
            let run = dir
                .export_to(project(snapshot), dir.join(&format!("{form}-{number}")))
                .group(4351)
                .args(options)
                .ok();
            assert_eq!(told_dangling(&run), dangling(), "{snapshot}, {form}");
        }
    }
    let of_labels = dir
        .export_to(project(DUMP), dir.join("labels"))
        .group(4351)
        .args(["--relation", "labels"])
        .ok();
    assert_eq!(
        told_dangling(&of_labels),
        [],
        "nothing is claimed of others"
    );
}

/// The fixture's dump, partial in every way that a dump can be.
fn partial_dump() -> String {
    let dump = dump();
    let dump = edit_field(&dump, "labels", "id", "801", "created_at", "yesterday");
    let dump = edit_field(&dump, "namespaces", "id", "4351", "parent_id", "99990");
    let dump = edit(&dump, copy_block(&dump, "badges"), "");
    let dump = edit(&dump, copy_block(&dump, "boards_epic_boards"), "");
    let from = dump
        .find("CREATE TABLE public.boards_epic_boards (")
        .unwrap();
    let to = from + dump[from..].find(");\n").unwrap() + 3;
    let dump = format!("{}{}", &dump[..from], &dump[to..]);
    // Milestones of the group stand in a table that inherits, too.
    let from = dump.find("CREATE TABLE public.milestones (").unwrap();
    let to = from + dump[from..].find(");\n").unwrap() + 3;
    let child = "CREATE TABLE public.old_milestones () INHERITS (public.milestones);\n";
    let dump = format!("{}{child}{}", &dump[..to], &dump[to..]);
    let milestones = copy_block(&dump, "milestones");
    let head = milestones.lines().next().unwrap();
    let empty = head.replace("public.milestones", "public.old_milestones");
    edit(&dump, milestones, &format!("{empty}\n\\.\n{milestones}"))
}

/// What every place says of it, whatever else it says.
const SAID: [&str; 6] = [
    // 19 labels are in the group's export if none is damaged.
    "references lead nowhere: the snapshot does not have the rows",
    "of the exported 1 lies within what the snapshot does not have (acme/platform in 99990 1)",
    "rows of these tables stand in tables below them, too",
    "no files in uploads:",
    "table badges is defined, but the snapshot holds no data for it: taken as empty",
    "the snapshot has no table boards_epic_boards: relation epic_boards is left out",
];

#[test]
fn what_is_partial_is_said_alike_in_all_places() {
    let dir = Dir::new();
    let snapshot = dir.write("dump.sql", partial_dump());
    let out = dir.join("out");
    let ran = dir
        .relexport("export --group 4351 --keep-going --allow-missing --json")
        .option("--snapshot", &snapshot)
        .option("--out", &out)
        .fails(1, &SAID);
    let manifest: Value = serde_json::from_str(&ran.stdout).unwrap();
    let skipped = "labels: 1 row was left out (--keep-going)";
    assert!(ran.stderr.contains(skipped), "{}", ran.stderr);
    assert_eq!(
        manifest["tables_without_data"],
        json!([{"table": "badges"}])
    );
    assert_eq!(
        manifest["left_out_relations"],
        json!([{"pipeline": "group", "relation": "epic_boards", "table": "boards_epic_boards"}])
    );
    assert_eq!(
        manifest["tables_in_parts"],
        json!([{"table": "milestones", "parts": 1}])
    );
    assert_eq!(manifest["entities"][0]["missing_parent"], 99990);
    let relations = manifest["entities"][0]["relations"].as_array().unwrap();
    let labels = relations.iter().find(|it| it["relation"] == "labels");
    let labels = labels.unwrap();
    assert_eq!(labels["skipped"][0]["key"], 801);
    let (read, written) = (&labels["rows_read"], &labels["total_objects_count"]);
    assert_eq!(read.as_u64(), written.as_u64().map(|written| written + 1));

    // The same sentences in the same order everywhere.
    let out = out.display().to_string();
    let verified = relexport(&format!("verify {out}")).ok().stdout;
    let json = relexport(&format!("verify {out} --json")).json();
    let lines: Vec<&str> = json["partial"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["says"].as_str().unwrap())
        .collect();
    for said in SAID.iter().chain([&skipped]) {
        let is_said = lines.iter().any(|line| line.contains(said));
        assert!(is_said, "{said}: {lines:#?}");
    }
    let status = relexport(&format!("status {out}")).ok().stdout;
    let one = relexport(&format!("status {out} --group 4351")).ok().stdout;
    let quiet = relexport(&format!("status {out} --json --quiet")).ok();
    for line in &lines {
        for (place, said) in [
            ("run", &ran.stderr),
            ("verify", &verified),
            ("status", &status),
            ("status of one", &one),
            ("status --json", &quiet.stderr),
        ] {
            assert!(said.contains(line), "{place}: {line}: {said}");
        }
    }

    // A server leaves out no rows, so that its snapshot has none that it would have to.
    let whole = edit_field(&partial_dump(), "labels", "id", "801", "created_at", "\\N");
    let snapshot = dir.write("served.sql", whole);
    let server = api::Server::of(&snapshot, &dir.join("data"), &["--allow-missing"]);
    let path = "/-/relexport/groups/4351";
    assert_eq!(
        server.post("/api/v4/groups/4351/export_relations").status,
        202
    );
    wait_until("the export has ended", || {
        let state = server.get(path).json()["state"].clone();
        assert_ne!(state, "failed", "{}", server.log());
        state == "finished"
    });
    let page = server.get(path).json()["partial"].clone();
    let shown: Vec<&str> = page
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["says"].as_str().unwrap())
        .collect();
    // It lays the pipeline of projects over the dump, too, which has few of their tables.
    let is_of_both = |line: &&&str| {
        let starts = [
            "labels: ",
            "boards: ",
            "the snapshot has no table",
            "no files in",
        ];
        !starts.iter().any(|start| line.starts_with(start))
    };
    let expected: Vec<&&str> = lines.iter().filter(is_of_both).collect();
    assert_eq!(expected.len(), 4, "{lines:#?}");
    for line in expected {
        assert!(shown.contains(line), "{line}: {shown:#?}");
        assert!(server.log().contains(line), "{line}: {}", server.log());
    }
    let left_out =
        "the snapshot has no table boards_epic_boards: relation group.epic_boards is left out";
    assert!(shown.contains(&left_out), "{shown:#?}");
    assert!(
        shown.iter().any(|line| line.starts_with("no files in ")),
        "{shown:#?}"
    );
}
