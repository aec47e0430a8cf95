//! Databases that are snapshots of their own, named by options: servers, archives, plain dumps and folders of CSV files.

use std::fs;
use std::path::PathBuf;

use crate::support::server::ok;
use serde_json::Value;

use super::*;

/// An export of three snapshots.
fn export_three(dir: &Dir, [main, ci, sec]: [&str; 3], out: &str) -> Program {
    export(dir, main, out)
        .option("--ci-snapshot", ci)
        .option("--sec-snapshot", sec)
}

/// Dumps of three databases.
fn dumps(dir: &Dir, databases: &Decomposed<'_>, name: &str, arguments: &[&str]) -> [String; 3] {
    databases.with_names().map(|(member, database)| {
        let file = format!("{name}-{}", member.replace('/', "-"));
        let path = dir.write(&file, database.dump(arguments));
        path.display().to_string()
    })
}

fn texts(paths: &[String; 3]) -> [&str; 3] {
    [&paths[0], &paths[1], &paths[2]]
}

/// The one warning says which databases there are.
fn assert_warned(what: &str, run: &Run) -> String {
    let manifest = run.manifest();
    let warnings = manifest["warnings"].as_array().unwrap();
    let about: Vec<&str> = warnings
        .iter()
        .filter_map(Value::as_str)
        .filter(|warning| warning.contains("not of one instant"))
        .collect();
    assert_eq!(about.len(), 1, "{what}: {warnings:?}");
    for part in [": main (", ", ci (", ", sec ("] {
        assert!(about[0].contains(part), "{what}: {}", about[0]);
    }
    about[0].to_owned()
}

#[test]
fn servers_are_asked_for_their_own_tables() {
    let databases = Decomposed::new(Server::shared());
    let dir = Dir::new();
    let addresses = databases
        .with_names()
        .map(|(_, database)| database.address());
    let program = export_three(&dir, texts(&addresses), "out");
    let run = assert_whole("servers", program);
    let warning = assert_warned("servers", &run);
    // All three instants.
    assert_eq!(warning.matches(" UTC").count(), 3, "{warning}");
    for database in [&databases.main, &databases.ci, &databases.sec] {
        assert!(
            warning.contains(&format!("/{})", database.name)),
            "{warning}"
        );
    }
    let take = dir
        .relexport("snapshot take")
        .option("--from", &addresses[0]);
    let csv = dir.join("csv");
    take.option("--pipeline", dir.join("pipeline.yml"))
        .option("--ci-snapshot", &addresses[1])
        .option("--sec-snapshot", &addresses[2])
        .option("--out", &csv)
        .ok();
    assert_whole("taken", export(&dir, &csv, "taken"));
}

#[test]
fn dumps_and_archives_are_read_together() {
    let databases = Decomposed::new(Server::shared());
    let dir = Dir::new();
    for (name, arguments) in [
        ("plain", &[][..]),
        ("custom", &["-Fc"][..]),
        ("tar", &["-Ft"][..]),
    ] {
        let paths = dumps(&dir, &databases, name, arguments);
        let run = assert_whole(name, export_three(&dir, texts(&paths), name));
        assert_warned(name, &run);
        let manifest = run.manifest();
        assert_eq!(manifest["snapshot"]["kind"], name);
    }
    let folders = databases.with_names().map(|(name, database)| {
        let folder = dir.join(&format!("folder-{}", name.replace('/', "-")));
        let mut dump = database.server.program("pg_dump");
        ok(dump.args(["-Fd", "-d", &database.name, "-f"]).arg(&folder));
        folder.display().to_string()
    });
    assert_whole(
        "directory",
        export_three(&dir, texts(&folders), "directory"),
    );
    // Archives of two forms are opened in the same way.
    let custom = dumps(&dir, &databases, "mixed", &["-Fc"]);
    let mixed = [folders[0].as_str(), &custom[1], &custom[2]];
    assert_whole("two forms", export_three(&dir, mixed, "two-forms"));
    // One of them may come from a pipe.
    let plain = dumps(&dir, &databases, "piped", &[]);
    let ci = fs::read(&plain[1]).unwrap();
    let piped = [plain[0].as_str(), "-", &plain[2]];
    assert_whole("stdin", export_three(&dir, piped, "piped").input(ci));
}

#[test]
fn folders_of_csv_files_are_read_together() {
    let databases = Decomposed::new(Server::shared());
    let dir = Dir::new();
    let folders: Vec<PathBuf> = databases
        .with_names()
        .iter()
        .map(|(name, database)| {
            let name = format!("csv-{}", name.replace('/', "-"));
            dir.write(
                &format!("{name}/schema.sql"),
                database.dump(&["--schema-only"]),
            );
            for table in ["projects", "merge_requests", "p_builds", "findings"] {
                let sql =
                    format!("COPY (SELECT * FROM {table}) TO STDOUT WITH (FORMAT csv, HEADER)");
                dir.write(&format!("{name}/{table}.csv"), database.run(&sql) + "\n");
            }
            dir.join(&name)
        })
        .collect();
    let names: Vec<&str> = folders.iter().map(|path| path.to_str().unwrap()).collect();
    let program = export_three(&dir, [names[0], names[1], names[2]], "out");
    assert_whole("csv", program);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let databases = Decomposed::new(Server::shared());
    let dir = Dir::new();
    let plain = dumps(&dir, &databases, "plain", &[]);
    let custom = dumps(&dir, &databases, "custom", &["-Fc"]);
    let address = databases.ci.address();
    let refused = |snapshots: [&str; 2], code: i32, says: &[&str]| {
        let program = export(&dir, snapshots[0], "refused");
        let run = program.option("--ci-snapshot", snapshots[1]).run();
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        for part in says {
            assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
        }
    };
    let mixed = &[
        "database ci, of kind custom",
        "the main one is of kind plain",
    ][..];
    refused([&plain[0], &custom[1]], 3, mixed);
    refused([&custom[0], &address], 3, &["of kind postgres"]);
    refused(["-", "-"], 3, &["only one can come there"]);
    refused(
        ["pgdata:/var/lib/x", &address],
        3,
        &["start PostgreSQL on a copy of it"],
    );
    let id = export(&dir, databases.main.address(), "refused");
    id.option("--ci-snapshot", &address)
        .option("--pg-snapshot", "1-1")
        .fails(3, &["leave out --pg-snapshot"]);

    let lacking = dir.write(
        "lacking.yml",
        PIPELINE.replace("ci: [p_builds]", "c: [p_builds]"),
    );
    let program = dir.export_to(&plain[0], dir.join("refused"));
    program
        .option("--pipeline", &lacking)
        .option("--ci-snapshot", &plain[1])
        .group(1)
        .fails(2, &["does not say which tables belong to database ci"]);
    let unused = dir.write("unused.yml", PIPELINE.replace("ci: [p_builds]", "ci: []"));
    let program = dir.export_to(&plain[0], dir.join("unused"));
    let run = program
        .option("--pipeline", &unused)
        .option("--ci-snapshot", "/no/such/file")
        .group(1)
        .ok();
    assert!(
        run.stderr.contains("--ci-snapshot is not read"),
        "{}",
        run.stderr
    );
    let serve = dir
        .relexport("serve --data data")
        .option("--snapshot", &plain[0]);
    serve
        .option("--ci-snapshot", &plain[1])
        .fails(2, &["a server reads one snapshot"]);
}

#[test]
fn an_export_goes_on_with_the_same_databases_only() {
    let databases = Decomposed::new(Server::shared());
    let dir = Dir::new();
    let paths = dumps(&dir, &databases, "plain", &[]);
    // Cut off, so that the export is not finished.
    let ci = fs::read(&paths[1]).unwrap();
    fs::write(&paths[1], &ci[..ci.len() - 100]).unwrap();
    let resumed = |paths: &[String; 3]| export_three(&dir, texts(paths), "out").arg("--resume");
    assert_eq!(resumed(&paths).run().code, Some(1));
    assert_eq!(resumed(&paths).run().code, Some(1));
    fs::write(&paths[1], &ci).unwrap();
    resumed(&paths).fails(2, &["was written again since"]);
    let [main, ci, sec] = &paths;
    let other = [main.clone(), sec.clone(), ci.clone()];
    resumed(&other).fails(2, &["is not the one that it was begun with"]);
}
