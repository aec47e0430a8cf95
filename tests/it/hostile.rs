//! Names that a snapshot may give to anything, written to look like something else on a terminal: none of their control
//! characters reaches a terminal, a log, a header or the page as it is.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::server::{Database, Server};
use crate::support::*;

/// A name with escape sequences of both kinds, a bell, DEL, line ends that forge a line, and a mark that turns writing
/// around.
const HOSTILE: &str = "x\u{1b}[31m\u{1b}]0;t\u{7}\u{9b}2J\u{7f}\r\nFORGED\u{202e}\u{2028}";

/// A database whose names are hostile wherever PostgreSQL lets them be.
fn database(server: &Server) -> Database<'_> {
    let database = live::fixture(server);
    let (quoted, kind) = (format!("\"{HOSTILE}\""), format!("\"kind{HOSTILE}\""));
    database.run(&format!(
        "CREATE SCHEMA {quoted};
         CREATE TYPE {quoted}.{kind} AS ENUM ('{HOSTILE}');
         CREATE TABLE {quoted}.{quoted} (id bigint PRIMARY KEY, {quoted} {quoted}.{kind});
         CREATE TABLE public.{quoted} (id bigint PRIMARY KEY, {quoted} bigint REFERENCES public.namespaces (id));
         INSERT INTO public.{quoted} VALUES (1, 4351);
         CREATE TABLE public.\"old{HOSTILE}\" () INHERITS (public.milestones);
         ALTER TABLE public.labels ADD COLUMN {quoted} integer DEFAULT 70707;
         ALTER TABLE public.badges ADD COLUMN {quoted} text DEFAULT '{HOSTILE}';
         UPDATE public.namespaces SET name = '{HOSTILE}', path = '{HOSTILE}' WHERE id IN (4350, 4351);
         UPDATE public.routes SET path = 'acme/{HOSTILE}', name = '{HOSTILE}' WHERE source_id = 4351 AND source_type = 'Namespace';
         UPDATE public.users SET username = '{HOSTILE}', name = '{HOSTILE}' WHERE id = 2;"
    ));
    database
}

/// A text that came out of the program has no such character, and no line that a name forged.
fn assert_harmless(what: &str, text: &str) {
    let is_hidden = |letter: &char| {
        (letter.is_control() && *letter != '\n')
            || matches!(
                letter,
                '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            )
    };
    let found: Vec<char> = text.chars().filter(is_hidden).collect();
    assert!(found.is_empty(), "{what}: {found:?} in {text:?}");
    for line in text.lines() {
        assert!(!line.trim_start().starts_with("FORGED"), "{what}: {text:?}");
    }
}

/// Runs a command and looks at all that it prints.
fn look(dir: &Dir, snapshot: &str, arguments: &str) -> Run {
    let arguments = arguments
        .split_whitespace()
        .map(|argument| argument.replace("SNAPSHOT", snapshot));
    let mut program = dir.relexport("");
    let mut shown = String::new();
    for argument in arguments {
        shown = format!("{shown} {argument}");
        program = program.arg(argument);
    }
    let run = program.run();
    assert_ne!(run.code, Some(70), "{shown}: {}", run.stderr);
    let is_wrong = run.code == Some(2) && !shown.contains("nobody");
    assert!(!is_wrong, "{shown}: {}", run.stderr);
    assert_harmless(&format!("{shown}, stdout"), &run.stdout);
    assert_harmless(&format!("{shown}, stderr"), &run.stderr);
    run
}

/// What is asked of every kind of snapshot, and of what comes of it.
const OF_EVERY_KIND: [&str; 5] = [
    "inspect -s SNAPSHOT",
    "groups -s SNAPSHOT --json",
    "export -s SNAPSHOT --all-groups --keep-going --allow-missing --out OUT -vv",
    "status OUT",
    "verify OUT",
];

/// All other commands that read a snapshot, or what came of it. Behind `nobody` there is a list of those who are there.
const MORE: [&str; 17] = [
    "inspect -s SNAPSHOT --json",
    "groups -s SNAPSHOT",
    "groups -s SNAPSHOT --tree",
    "groups -s SNAPSHOT --tree --json",
    "pipeline check PIPELINE --snapshot SNAPSHOT",
    "pipeline init -s SNAPSHOT --entity namespaces --every-way",
    "redact init -s SNAPSHOT",
    "doctor -s SNAPSHOT",
    "export -s SNAPSHOT --group nobody --dry-run",
    "export -s SNAPSHOT --all-groups --dry-run",
    "export -s SNAPSHOT --all-groups --dry-run --json",
    "export -s SNAPSHOT --group 4351 --out OUT --force --json --log-format json -vv",
    "status OUT.failed --group nobody --log-format json",
    "status OUT.failed --group 4351 --json",
    "verify OUT.failed --json",
    "snapshot take -f SNAPSHOT --out TAKEN",
    "snapshot verify TAKEN",
];

/// Runs these commands, and looks at all that they print.
fn look_at(dir: &Dir, kind: &str, snapshot: &str, commands: &[&str]) {
    let pipeline = project("pipelines/group.yml").display().to_string();
    for command in commands {
        let command = command
            .replace("OUT", &format!("out-{kind}"))
            .replace("TAKEN", &format!("taken-{kind}"))
            .replace("PIPELINE", &pipeline);
        look(dir, snapshot, &command);
    }
}

/// The manifest is harmless to look at, and says what the name is all the same.
fn assert_manifest(dir: &Dir, kind: &str) {
    let path = dir.join(&format!("out-{kind}")).join("manifest.json");
    let manifest = fs::read_to_string(path).unwrap();
    assert_harmless("the manifest", &manifest);
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let entities = manifest["entities"].as_array().unwrap();
    let platform = entities.iter().find(|entity| entity["id"] == 4351);
    assert_eq!(
        platform.unwrap()["full_path"],
        format!("acme/{HOSTILE}"),
        "{kind}"
    );
}

/// The dump, with a value of a column of a hostile name that cannot be read.
fn damaged(dump: Vec<u8>) -> String {
    let dump = String::from_utf8(dump).unwrap();
    assert!(dump.contains("\t70707\n"));
    dump.replacen("\t70707\n", "\tno number\n", 1)
}

/// A backup of the dump, with a hostile member.
fn backup(dir: &Dir, dump: &str) -> PathBuf {
    let path = dir.join("1790000000_2026_09_21_19.3.0-ee_gitlab_backup.tar");
    let mut tar = tar::Builder::new(fs::File::create(&path).unwrap());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    let about = format!(":gitlab_version: \"19.3.0-ee{}\"\n", "\\e[31m");
    add("backup_information.yml", about.as_bytes());
    add("db/database.sql.gz", &gzip(dump.as_bytes()));
    add(&format!("uploads/{HOSTILE}"), b"x");
    tar.finish().unwrap();
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap()
}

#[test]
fn no_name_of_a_snapshot_reaches_a_terminal_or_a_log_as_it_is() {
    let (dir, server) = (Dir::new(), Server::shared());
    let database = database(server);
    let dump = damaged(database.dump(&["-Fp"]));
    let custom = dir.write("custom", database.dump(&["-Fc"]));
    let plain = dir.write("dump.sql", &dump);
    let backup = backup(&dir, &dump);
    let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
    look_at(&dir, "plain", &path(&plain), &OF_EVERY_KIND);
    assert_manifest(&dir, "plain");
    look_at(&dir, "plain", &path(&plain), &MORE);
    for (kind, snapshot) in [
        ("custom", path(&custom)),
        ("backup", path(&backup)),
        ("server", database.address()),
    ] {
        look_at(&dir, kind, &snapshot, &OF_EVERY_KIND);
        assert_manifest(&dir, kind);
    }
    // Files that are none of a table's, beside those that are.
    let csv = dir.join("taken-plain");
    fs::write(
        csv.join(format!("{}.csv", HOSTILE.replace('/', ""))),
        "id\n1\n",
    )
    .unwrap();
    look_at(&dir, "csv", csv.to_str().unwrap(), &OF_EVERY_KIND);
}

#[test]
fn no_name_of_a_snapshot_reaches_a_header_or_the_log_of_a_server() {
    let dir = Dir::new();
    let database = database(Server::shared());
    let dump = dir.write("dump.sql", database.dump(&["-Fp"]));
    let server = api::Server::of(&dump, &dir.join("data"), &["-vv"]);
    let accepted = server.post("/api/v4/groups/4351/export_relations");
    assert_eq!(accepted.status, 202);
    let path = "/-/relexport/groups/4351";
    wait_until("the export has ended", || {
        let state = server.get(path).json()["state"].clone();
        assert_ne!(state, "failed", "{}", server.log());
        state == "finished"
    });
    for path in [
        path,
        "/-/relexport/groups",
        "/-/relexport/groups/4351/archive",
        "/api/v4/groups",
        "/api/v4/groups/4351",
        "/api/v4/groups/4351/export_relations/status",
        "/api/v4/groups/4351/export_relations/download?relation=labels",
        "/api/v4/groups?search=%1b%5b31m%0d%0aFORGED",
        "/metrics",
        "/",
    ] {
        let answer = server.get(path);
        for (name, value) in &answer.headers {
            assert_harmless(path, &format!("{name}: {value}"));
        }
        if path == "/metrics" || path == "/" {
            assert_harmless(path, &String::from_utf8(answer.body.clone()).unwrap());
        }
    }
    assert_harmless("the log", &server.log());
}

#[test]
fn no_name_of_a_snapshot_reaches_a_hook_as_it_is() {
    let dir = Dir::new();
    let database = database(Server::shared());
    dir.write("dump.sql", damaged(database.dump(&["-Fp"])));
    let folder = dir.path().display();
    let job = |name: &str, group: &str| {
        format!(
            "[job.{name}]\nsnapshot = \"{folder}/dump.sql\"\ngroup = [\"{group}\"]\n\
             destination = \"{folder}/exports/{name}\"\n\
             [job.{name}.hooks]\nafter = [\"sh\", \"-c\", \"env > {folder}/{name}.told\"]\n"
        )
    };
    let folders = format!("state-dir = \"{folder}/state\"\nlock-dir = \"{folder}/locks\"\n");
    let jobs = [job("damaged", "4351"), job("lost", "nobody")].concat();
    dir.write("relexport.toml", folders + &jobs);
    for arguments in [
        "run --config relexport.toml",
        "run --config relexport.toml --json",
        "run --config relexport.toml --log-format json",
        "jobs --config relexport.toml",
        "jobs --config relexport.toml lost",
        "jobs --config relexport.toml --json",
        "doctor --config relexport.toml",
    ] {
        look(&dir, "", arguments);
    }
    for job in ["damaged", "lost"] {
        let env = fs::read_to_string(dir.join(&format!("{job}.told"))).unwrap();
        let of_run = env.lines().filter(|line| line.starts_with("RELEXPORT_"));
        let of_run: String = of_run.map(|line| format!("{line}\n")).collect();
        assert!(of_run.contains("RELEXPORT_STATUS=failed"), "{env}");
        assert_harmless(job, &env.replace('\t', ""));
    }
}
