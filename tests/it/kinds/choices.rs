//! Who is taken, and what of whom, from every kind of snapshot.

use serde_json::json;

use super::boards::*;

#[test]
fn teams_are_exported_with_their_boards_out_of_one_read() {
    let boards = Boards::new();
    for (choice, taken) in [
        (
            "--group acme --subgroups --with-projects",
            &["team_1", "team_2", "board_10", "board_11"][..],
        ),
        ("--group 1 --with-projects", &["team_1", "board_10"]),
        (
            "--group 2 --with-projects --project 14",
            &["team_2", "board_14", "board_11"],
        ),
        (
            "--group acme/platform --with-projects --project globex/other",
            &["team_2", "board_13", "board_11"],
        ),
        ("--project 10", &["board_10"]),
        ("--project acme/app", &["board_10"]),
        // Ignoring case, and by a former path.
        (
            "--project ACME/app --project globex/Other",
            &["board_10", "board_13"],
        ),
        ("--project ACME/FIRST", &["board_10"]),
        ("--project ann/diary", &["board_14"]),
        ("--group globex --project 10", &["team_3", "board_10"]),
        ("--group old-acme --with-projects", &["team_1", "board_10"]),
        ("--all-groups", &["team_1", "team_2", "team_3"]),
        (
            "--all-groups --with-projects",
            &[
                "team_1", "team_2", "team_3", "board_10", "board_11", "board_13",
            ],
        ),
        (
            "--all-projects",
            &["board_10", "board_11", "board_13", "board_14"],
        ),
        (
            "--group 3 --all-projects",
            &["team_3", "board_10", "board_11", "board_13", "board_14"],
        ),
    ] {
        let choice = choice.to_owned();
        let is_of_teams = choice == "--all-groups";
        let files = match is_of_teams {
            // The other pipeline has nothing to take.
            true => continue,
            false => boards.files(&choice),
        };
        assert_eq!(files, expected(taken), "{choice}");
    }
}

#[test]
fn the_manifest_has_teams_first_and_then_boards_with_what_they_lie_within() {
    let boards = Boards::new();
    for snapshot in &boards.snapshots {
        let (program, folder) = boards.export(
            snapshot,
            "--group acme --subgroups --with-projects --project 14",
        );
        program.ok();
        let manifest = folder.manifest();
        assert_eq!(
            entities(&manifest),
            [
                team(1, "acme"),
                team(2, "acme/platform"),
                board(14, "ann/diary", None),
                board(10, "acme/app", Some(1)),
                board(11, "acme/platform/infra", Some(2)),
            ],
            "{snapshot}"
        );
        assert_eq!(manifest["status"], 1);
        assert_eq!(manifest["pipeline"]["name"], "teams");
        assert_eq!(manifest["more_pipelines"][0]["name"], "boards");
        assert_eq!(
            manifest["left_out"],
            json!([{"type": "Board", "count": 1, "ids": [12]}])
        );
        boards
            .dir
            .relexport("verify")
            .arg(&folder.out)
            .args(PIPELINES)
            .ok();
    }
}

#[test]
fn a_board_that_is_left_out_is_taken_by_its_name_and_told() {
    let boards = Boards::new();
    let left_out = "1 Board is marked by gone (12): left out, because nobody named it";
    let named = "1 Board is marked by gone (12): exported, because it was named";
    for (choice, taken, says) in [
        (
            "--group 2 --with-projects",
            &["team_2", "board_11"][..],
            left_out,
        ),
        (
            "--all-projects",
            &["board_10", "board_11", "board_13", "board_14"],
            left_out,
        ),
        ("--project 12", &["board_12"], named),
        (
            "--group 2 --with-projects --project acme/platform/old",
            &["team_2", "board_12", "board_11"],
            named,
        ),
    ] {
        assert_eq!(boards.files(choice), expected(taken), "{choice}");
        for snapshot in &boards.snapshots {
            let (program, folder) = boards.export(snapshot, choice);
            let told = program.ok().stderr;
            assert_eq!(told.matches(says).count(), 1, "{snapshot}: {told}");
            let counted = folder.manifest()["left_out"].clone();
            match says == left_out {
                true => assert_eq!(counted, json!([{"type": "Board", "count": 1, "ids": [12]}])),
                false => assert_eq!(counted, json!(null)),
            }
        }
    }
}

#[test]
fn without_a_table_of_paths_a_board_is_named_by_its_teams_path_and_its_own_part() {
    let boards = Boards::without(&["paths", "old_paths"]);
    for snapshot in &boards.snapshots {
        for (path, id, team) in [
            ("acme/platform/infra", 11, Some(2)),
            ("acme/app", 10, Some(1)),
            ("ann/diary", 14, None),
        ] {
            let (program, folder) = boards.export(snapshot, &format!("--project {path}"));
            program.ok();
            assert_eq!(
                entities(&folder.manifest()),
                [board(id, path, team)],
                "{snapshot}"
            );
        }
        let (program, folder) = boards.export(snapshot, "--group acme --subgroups --with-projects");
        program.ok();
        assert_eq!(
            entities(&folder.manifest()),
            [
                team(1, "acme"),
                team(2, "acme/platform"),
                board(10, "acme/app", Some(1)),
                board(11, "acme/platform/infra", Some(2)),
            ],
            "{snapshot}"
        );
    }
}

#[test]
fn postgresql_finds_the_same_boards_and_cards() {
    let boards = Boards::new();
    let within = "FROM boards b JOIN teams t ON t.id = b.team_id WHERE t.lineage @> '{1}' AND t.kind = 'team' AND NOT b.gone";
    let ids = boards
        .database
        .run(&format!("SELECT b.id {within} ORDER BY b.id"));
    let cards = boards.database.run(&format!(
        "SELECT b.id || ' ' || c.id FROM cards c JOIN (SELECT b.id {within}) b ON c.board_id = b.id ORDER BY b.id, c.id"
    ));
    for snapshot in &boards.snapshots {
        let choice = "--group acme --subgroups --with-projects";
        let (program, folder) = boards.export(snapshot, choice);
        program.ok();
        let manifest = folder.manifest();
        let taken = entities(&manifest);
        let taken = taken.iter().filter(|entity| entity["type"] == "Board");
        let taken: Vec<String> = taken.map(|entity| entity["id"].to_string()).collect();
        assert_eq!(taken, ids.lines().collect::<Vec<_>>(), "{snapshot}");
        let mut found = Vec::new();
        for id in &taken {
            let content = folder.content(&format!("board_{id}/cards.ndjson.gz"));
            for line in String::from_utf8(content).unwrap().lines() {
                let card: serde_json::Value = serde_json::from_str(line).unwrap();
                found.push(format!("{id} {}", card["id"]));
            }
        }
        assert_eq!(found, cards.lines().collect::<Vec<_>>(), "{snapshot}");
    }
}
