//! Entities that are named by patterns of their paths, in every kind of snapshot.

use serde_json::json;

use super::boards::*;

#[test]
fn a_pattern_takes_whoever_has_such_a_path() {
    let boards = Boards::new();
    for (choice, taken) in [
        // What is below it, and not the team itself.
        (
            "--group acme/** --with-projects",
            &["team_2", "board_11"][..],
        ),
        (
            "--group acme --group acme/* --with-projects",
            &["team_1", "team_2", "board_10", "board_11"],
        ),
        (
            "--group ACME* --subgroups --with-projects",
            &["team_1", "team_2", "board_10", "board_11"],
        ),
        // A person is no team.
        (
            "--group * --with-projects",
            &["team_1", "team_3", "board_10", "board_13"],
        ),
        (
            "--group ** --project 14",
            &["team_1", "team_2", "team_3", "board_14"],
        ),
        ("--project acme/**", &["board_10", "board_11"]),
        ("--project acme/*", &["board_10"]),
        ("--project */*", &["board_10", "board_13", "board_14"]),
        (
            "--project Acme/*/IN?RA --project ann/d*",
            &["board_11", "board_14"],
        ),
        ("--project **/o*", &["board_13"]),
        (
            "--group globex --project acme/**/[ai]*",
            &["team_3", "board_10", "board_11"],
        ),
        (
            "--group globex --with-projects --project ann/**",
            &["team_3", "board_13", "board_14"],
        ),
        // A path that a board had once is none that it has.
        ("--project acme/??? --project 14", &["board_10", "board_14"]),
    ] {
        assert_eq!(boards.files(choice), expected(taken), "{choice}");
    }
}

#[test]
fn whoever_is_taken_only_by_name_is_not_taken_by_a_pattern() {
    let boards = Boards::new();
    for snapshot in &boards.snapshots {
        let (program, folder) = boards.export(snapshot, "--project acme/platform/*");
        program.ok();
        let manifest = folder.manifest();
        assert_eq!(
            manifest["left_out"],
            json!([{"type": "Board", "count": 1, "ids": [12]}]),
            "{snapshot}"
        );
        let (program, folder) = boards.export(
            snapshot,
            "--project acme/platform/* --project acme/platform/old",
        );
        program.ok();
        let ids = folder.manifest()["entities"].clone();
        let ids: Vec<_> = ids
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["id"].clone())
            .collect();
        assert_eq!(ids, [json!(11), json!(12)], "{snapshot}");
    }
}

#[test]
fn a_pattern_that_stands_for_nobody_is_an_error() {
    let boards = Boards::new();
    for snapshot in &boards.snapshots {
        for (choice, pattern, list) in [
            (
                "--group globex/** --with-projects",
                "globex/**",
                "relexport groups",
            ),
            // Nor is a person a team, and there is no third level.
            (
                "--group acme --group ann* --with-projects",
                "ann*",
                "relexport groups",
            ),
            (
                "--project acme/*/*/*",
                "acme/*/*/*",
                "relexport groups --projects",
            ),
            (
                "--project acme/first*",
                "acme/first*",
                "relexport groups --projects",
            ),
        ] {
            let (program, folder) = boards.export(snapshot, choice);
            program.fails(3, &[pattern, list, "neither for acme itself"]);
            assert!(!folder.out.exists());
            let (program, _) = boards.export(snapshot, &format!("{choice} --dry-run"));
            program.fails(3, &[pattern]);
        }
        let (program, _) = boards.export(snapshot, "--project acme/a**");
        program.fails(2, &["acme/a**", "acme/** for all"]);
    }
}

#[test]
fn a_dry_run_and_a_taken_snapshot_know_patterns() {
    let boards = Boards::new();
    for (position, snapshot) in boards.snapshots.iter().enumerate() {
        let (program, _) = boards.export(snapshot, "--project acme/** --dry-run --json");
        let told = program.json();
        let names: Vec<_> = told["entities"].as_array().unwrap().iter().collect();
        assert_eq!(names.len(), 2, "{snapshot}: {told}");
        let out = format!("taken-{position}");
        let take = boards.dir.relexport(&format!(
            "snapshot take --group acme/** --with-projects --out {out}"
        ));
        take.args(PIPELINES).option("--from", snapshot).ok();
        let taken = boards.dir.join(&out).display().to_string();
        let (program, folder) = boards.export(&taken, "--group acme/** --with-projects");
        program.ok();
        assert_eq!(
            contents(&folder),
            expected(&["team_2", "board_11"]),
            "{snapshot}"
        );
        // Rows of others that it holds are not theirs.
        let (program, _) = boards.export(&taken, "--group ** --with-projects");
        program.fails(3, &["acme is not among those"]);
    }
}

#[test]
fn an_export_by_a_pattern_is_gone_on_with_by_the_same_pattern_alone() {
    let boards = Boards::new();
    let broken = dump(false, &[]).replace("102\t10\t2\tTwo", "102\t10\t2");
    let snapshot = boards.dir.write("broken.sql", broken).display().to_string();
    let out = boards.dir.join("out");
    let export = |choice: &str| {
        boards
            .dir
            .relexport(&format!("export {choice}"))
            .args(PIPELINES)
            .option("--snapshot", &snapshot)
            .option("--out", &out)
    };
    export("--project acme/*").fails(1, &["cards"]);
    export("--project acme/** --resume").fails(2, &["it is of other groups or projects"]);
    export("--project acme/* --resume").fails(1, &["cards"]);
}
