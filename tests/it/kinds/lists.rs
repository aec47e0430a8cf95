//! Lists of entities of several kinds, and what commands say of them.

use serde_json::json;

use super::boards::*;

#[test]
fn boards_are_listed_with_what_their_pipeline_shows() {
    let boards = Boards::new();
    let text = "\
ID  PARENT  FULL PATH            NAME   COLOR  GONE
10       1  acme/app             App    20     false
11       2  acme/platform/infra  Infra  -      false
12       2  acme/platform/old    Old    0      true
14       -  ann/diary            Diary  3      false
13       3  globex/other         Other  0      false
";
    let teams = "\
ID  PARENT  FULL PATH      NAME
 1       -  acme           Acme
 2       1  acme/platform  Platform
 3       -  globex         Globex
";
    for snapshot in &boards.snapshots {
        let groups = |options: &str| {
            let program = boards.dir.relexport(&format!("groups {options}"));
            program.option("--snapshot", snapshot)
        };
        assert_eq!(
            groups("--projects").args(PIPELINES).prints(),
            text,
            "{snapshot}"
        );
        let listed = groups("--projects --json").args(PIPELINES).json();
        assert_eq!(
            listed[1],
            json!({"id": 11, "full_path": "acme/platform/infra", "name": "Infra", "parent_id": 2,
                "color": null, "gone": false})
        );
        assert_eq!(groups("--pipeline teams.yml").prints(), teams, "{snapshot}");
    }
}

#[test]
fn a_status_is_that_of_a_team_or_of_a_board() {
    let boards = Boards::new();
    let (program, folder) = boards.export(
        &boards.snapshots[0],
        "--group acme --with-projects --relation notes",
    );
    program.ok();
    let status = |options: &str| {
        let program = boards.dir.relexport(&format!("status {options}"));
        program.arg(&folder.out)
    };
    let text = status("").prints();
    assert!(
        text.starts_with("2 groups and projects: finished\n"),
        "{text}"
    );
    for (options, count) in [
        ("--group acme --json", 1),
        ("--project acme/app --json", 1),
        ("--project 10 --json", 1),
    ] {
        assert_eq!(
            status(options).json().as_array().unwrap().len(),
            count,
            "{options}"
        );
    }
    status("--group 10").fails(2, &["cannot find 10: the export does not hold it"]);
    status("--json").fails(
        2,
        &["choose one with --group or --project: acme (1), acme/app (10)"],
    );
}
