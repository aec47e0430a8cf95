//! `--quiet` in a crontab: whoever gets mail for every line gets none when all is well, from every kind of snapshot.

use std::path::PathBuf;

use crate::support::live::fixture;
use crate::support::server::{Database, Server};
use crate::support::*;

/// A run that is right and prints nothing at all.
fn is_silent(program: Program, what: &str) {
    let run = program.ok();
    assert_eq!(run.stdout + &run.stderr, "", "{what}");
}

/// The database in the forms that pg_dump writes, and in those that are made of one.
fn dumps(dir: &Dir, database: &Database<'_>) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for (name, arguments) in [
        ("plain.sql", &["-Fp"][..]),
        ("inserts.sql", &["-Fp", "--inserts"]),
        ("custom.dump", &["-Fc"]),
        ("tar.dump", &["-Ft"]),
    ] {
        all.push(dir.write(name, database.dump(arguments)));
    }
    // A user of its own runs the server, and may write only there.
    let folder = database.server.folder.join("directory.dump");
    let folder = folder.display().to_string();
    let dump = ["pg_dump", "-Fd", "-f", &folder, "-d", &database.name];
    database.server.as_server(&dump);
    all.push(folder.into());
    all
}

#[test]
fn a_run_that_does_everything_prints_nothing() {
    let dir = Dir::new();
    let server = Server::start("");
    let database = fixture(&server);
    let mut snapshots: Vec<PathBuf> = SNAPSHOTS.map(project).to_vec();
    snapshots.extend(dumps(&dir, &database));
    snapshots.push(database.address().into());
    dir.relexport("snapshot take --quiet --out taken")
        .option("--from", database.address())
        .ok();
    snapshots.push(dir.join("taken"));
    for (position, snapshot) in snapshots.iter().enumerate() {
        let out = dir.join(&format!("out-{position}"));
        for more in [&[][..], &["--force"], &["--force", "--batched", "--strict"]] {
            let mut export = dir.export_to(snapshot, &out).group(4351).args(more);
            if *snapshot == project(BACKUP) {
                // A file is missing in it, which is no small thing.
                export = export.args(["--no-files"]);
            }
            is_silent(export, &format!("{} {more:?}", snapshot.display()));
        }
        let take = dir.relexport("snapshot take --quiet --force --out again");
        is_silent(
            take.option("--from", snapshot),
            &snapshot.display().to_string(),
        );
    }
    let piped = dir.export("-").group(4351).input(dump());
    is_silent(piped, "a pipe");
    for command in ["verify --quiet out", "snapshot verify --quiet again"] {
        assert_eq!(dir.relexport(command).ok().stderr, "", "{command}");
    }
}

#[test]
fn whoever_is_left_out_as_it_should_be_is_no_news() {
    // Project 75 is marked for deletion, and nobody names it.
    for (position, snapshot) in [PROJECTS, PROJECTS_BACKUP].into_iter().enumerate() {
        let dir = Dir::new();
        let out = dir.join(&format!("out-{position}"));
        let export = |more: &[&str]| {
            let export = dir.export_to(project(snapshot), &out).group("acme");
            export
                .args(["--with-projects", "--relation", "labels"])
                .args(more)
        };
        is_silent(export(&[]), snapshot);
        // It is in the manifest, and whoever is not quiet is told.
        let says = "75): left out, because nobody named it";
        let warnings = ExportFolder::new(&out).manifest()["warnings"].to_string();
        assert!(warnings.contains(says), "{warnings}");
        let loud = dir.relexport("export --force --group acme --with-projects --relation labels");
        let loud = loud
            .option("--snapshot", project(snapshot))
            .option("--out", &out);
        assert!(loud.ok().stderr.contains(says));
    }
}

#[test]
fn a_missing_index_is_one_line_and_none_for_the_quiet() {
    let dir = Dir::new();
    let database = fixture(Server::shared());
    for statement in [
        "DROP INDEX IF EXISTS index_labels_on_group_id",
        "ALTER TABLE milestones RENAME TO old_milestones",
        "CREATE TABLE milestones AS SELECT * FROM old_milestones",
        "ALTER TABLE milestones ADD PRIMARY KEY (id)",
        "ALTER TABLE badges RENAME TO old_badges",
        "CREATE TABLE badges AS SELECT * FROM old_badges",
        "ALTER TABLE badges ADD PRIMARY KEY (id)",
    ] {
        database.run(statement);
    }
    let export = |more: &[&str]| {
        let export = dir.relexport("export --force --group 4351 --out out");
        export.option("--snapshot", database.address()).args(more)
    };
    let lines = |run: Run| -> Vec<String> {
        let lines = run.stderr.lines().filter(|line| line.contains("index"));
        lines.map(str::to_owned).collect()
    };
    let told = lines(export(&[]).ok());
    assert_eq!(told.len(), 1, "{told:?}");
    for column in ["milestones.group_id", "badges.group_id"] {
        assert!(told[0].contains(column), "{told:?}");
    }
    is_silent(export(&["--quiet"]), "quiet");
    let warnings = ExportFolder::new(dir.join("out")).manifest()["warnings"].to_string();
    assert!(warnings.contains("milestones.group_id"), "{warnings}");
    // It is slow, and not wrong; RELEXPORT_LOG has the last word.
    is_silent(export(&["--quiet", "--strict"]), "strict");
    let logged = export(&["--quiet"]).env("RELEXPORT_LOG", "warn").ok();
    assert_eq!(lines(logged).len(), 1);
}

#[test]
fn what_is_wrong_is_told_to_the_quiet_too() {
    let dir = Dir::new();
    let broken = edit_field(&dump(), "labels", "id", "801", "created_at", "yesterday");
    let broken = dir.write("broken.sql", broken);
    dir.export(&broken).group(4351).fails(1, &["labels"]);
    dir.export(&broken)
        .group(4351)
        .args(["--force", "--keep-going"])
        .fails(1, &["rows were left out"]);
}
