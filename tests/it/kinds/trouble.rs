//! What is wrong: with names, with relations, with pipelines.

use super::boards::*;
use crate::support::edit;

#[test]
fn a_board_that_is_not_there_is_told_with_the_list_that_has_all() {
    let boards = Boards::new();
    for snapshot in &boards.snapshots {
        for (choice, says) in [
            (
                "--project acme/ap",
                "there is no Board acme/ap in the snapshot\n  the nearest paths are: acme/app",
            ),
            ("--project 99", "`relexport groups --projects` lists all"),
            ("--group acme --project 1", "there is no Board 1"),
            ("--group 4 --with-projects", "4 is not a Team"),
        ] {
            let (program, folder) = boards.export(snapshot, choice);
            program.fails(3, &[says]);
            folder.left_nothing();
        }
    }
}

#[test]
fn relations_are_taken_of_every_kind_or_of_one() {
    let boards = Boards::new();
    let all = expected(&["team_1", "board_10"]);
    for (relations, kept) in [
        ("--relation notes", &["team_1/notes", "board_10/notes"][..]),
        (
            "--relation boards.notes --relation self",
            &["board_10/notes", "team_1/self"],
        ),
        ("--relation cards", &["board_10/cards"]),
    ] {
        let files = boards.files(&format!("--group 1 --with-projects {relations}"));
        let mut expected = all.clone();
        expected.retain(|name, _| kept.iter().any(|kept| name.starts_with(kept)));
        assert_eq!(files, expected, "{relations}");
    }
    let (program, _) = boards.export(
        "boards.sql",
        "--group 1 --with-projects --relation teams.cards",
    );
    program.fails(
        2,
        &[
            "cannot export relation teams.cards: no pipeline of the run has it",
            "teams.notes, teams.members, teams.self, boards.cards, boards.notes",
        ],
    );
}

#[test]
fn a_relation_of_one_kind_that_fails_leaves_the_other_kind_alone() {
    let boards = Boards::new();
    // A title with a bad escape: only the board's cards cannot be read.
    let dump = edit(
        &dump(false, &[]),
        "102\t10\t2\tTwo",
        "102\t10\t2\tTwo\tmore",
    );
    boards.dir.write("bad.sql", dump);
    let bad = boards.dir.join("bad.sql").display().to_string();
    let (program, folder) = boards.export(&bad, "--group acme --with-projects");
    program.err(1);
    let mut files = expected(&["team_1", "board_10"]);
    // What is collected from the cards would lack rows; the teams' members do not care.
    for name in ["cards.ndjson.gz", "members.ndjson.gz", "maxima.json.gz"] {
        files.remove(&format!("board_10/{name}"));
    }
    assert_eq!(contents(&folder), files);
}

#[test]
fn an_unfinished_export_of_several_kinds_is_gone_on_with_by_the_same_kinds() {
    let boards = Boards::new();
    let broken = edit(
        &dump(false, &[]),
        "102\t10\t2\tTwo",
        "102\t10\t2\tTwo\tmore",
    );
    let path = boards.dir.write("broken.sql", broken).display().to_string();
    let (program, folder) = boards.export(&path, "--group acme --with-projects");
    program.err(1);
    let resume = |choice: &str| {
        let program = boards.dir.relexport(&format!("export --resume {choice}"));
        program
            .option("--snapshot", &path)
            .option("--out", &folder.out)
    };
    let choice = "--group acme --with-projects";
    resume("--group acme --pipeline teams.yml").fails(2, &["it was begun with another pipeline"]);
    resume("--group acme --project 10")
        .args(PIPELINES)
        .fails(2, &["it is of other groups or projects"]);
    let before = folder.packed();
    resume(choice).args(PIPELINES).err(1);
    let after = folder.packed();
    for (name, bytes) in before.iter().filter(|(name, _)| name.contains("notes")) {
        assert_eq!(after.get(name), Some(bytes), "{name}");
    }
}

#[test]
fn a_dry_run_counts_entities_of_every_kind() {
    let boards = Boards::new();
    for snapshot in &boards.snapshots {
        let program = boards
            .dir
            .relexport("export --dry-run --json --group acme --subgroups --with-projects")
            .args(PIPELINES);
        let answer = program.option("--snapshot", snapshot).json();
        let entities = answer["entities"].as_array().unwrap();
        let ids: Vec<String> = entities
            .iter()
            .map(|entity| entity["prefix"].to_string())
            .collect();
        assert_eq!(
            ids,
            ["\"team_1\"", "\"team_2\"", "\"board_10\"", "\"board_11\""]
        );
        assert_eq!(entities[2]["parent_id"], 1);
        assert_eq!(entities[2]["relations"][0]["rows"], 2);
        assert_eq!(answer["left_out_entities"][0]["count"], 1);
    }
}

#[test]
fn pipelines_that_do_not_go_together_are_refused() {
    let boards = Boards::new();
    let write = |name: &str, text: &str| boards.dir.write(name, text);
    write(
        "keys.yml",
        &BOARDS.replace("relations:", "tables: { notes: { key: body } }\nrelations:"),
    );
    write(
        "teams_keys.yml",
        &TEAMS.replace("relations:", "tables: { notes: { key: id } }\nrelations:"),
    );
    write("folder.yml", &BOARDS.replace("board_{key}", "team_{key}"));
    write(
        "lost.yml",
        &BOARDS.replace("pipeline: teams", "pipeline: nobody"),
    );
    let export = |pipelines: &[&str], choice: &str| {
        let program = boards
            .dir
            .relexport(&format!("export -s boards.sql --out out {choice}"));
        let options = pipelines
            .iter()
            .flat_map(|pipeline| ["--pipeline", pipeline]);
        program.args(options.collect::<Vec<_>>())
    };
    let both = "--group acme --with-projects";
    for (pipelines, choice, code, says) in [
        (
            &["teams_keys.yml", "keys.yml"][..],
            both,
            3,
            "pipelines teams and boards say different keys of table notes",
        ),
        (
            &["teams.yml", "folder.yml"],
            both,
            2,
            "both say the prefix team_{key}",
        ),
        (
            &["teams.yml", "lost.yml"],
            both,
            2,
            "lie within those of pipeline nobody, which is not there",
        ),
        (
            &["teams.yml", "teams.yml"],
            both,
            2,
            "two pipelines have the name teams",
        ),
        (
            &["teams.yml", "boards.yml"],
            "--group acme",
            2,
            "pipeline boards has nothing to take",
        ),
        (
            &["teams.yml"],
            both,
            2,
            "no pipeline of the run says `within`",
        ),
        (
            &["teams.yml", "boards.yml"],
            "--with-projects --project 10",
            2,
            "no group is named",
        ),
    ] {
        export(pipelines, choice).fails(code, &[says]);
    }
    assert!(!boards.dir.join("out").exists());
}

#[test]
fn a_snapshot_taken_with_the_rows_of_some_boards_gives_their_exports_and_no_others() {
    let boards = Boards::new();
    for (choice, taken) in [
        (
            "--group acme --subgroups --with-projects",
            &["team_1", "team_2", "board_10", "board_11"][..],
        ),
        ("--project ann/diary", &["board_14"]),
    ] {
        for snapshot in &boards.snapshots {
            let program = boards
                .dir
                .relexport(&format!("snapshot take --force --out some {choice}"));
            program.args(PIPELINES).option("--from", snapshot).ok();
            let some = boards.dir.join("some").display().to_string();
            let (program, folder) = boards.export(&some, choice);
            program.ok();
            assert_eq!(contents(&folder), expected(taken), "{snapshot}: {choice}");
            let (whole, direct) = boards.export(snapshot, choice);
            whole.ok();
            assert_eq!(
                entities(&folder.manifest()),
                entities(&direct.manifest()),
                "{snapshot}"
            );
            let (program, _) = boards.export(&some, "--project 13");
            program.err(3);
        }
    }
}
