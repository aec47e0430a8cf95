//! A prefix of a bucket as a shelf: jobs write to it, keep rules choose there, and what is not an export stays.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::proxy::{Fate, Proxy, Seen};
use super::servers::*;
use crate::retention::shelf::{TestShelf, copy};
use crate::support::*;

const SHELF: &str = "s3://nightly/gitlab/acme";

/// Where s3s-fs keeps what lies on the shelf.
pub(crate) fn root(server: &Server) -> PathBuf {
    server.root.join("nightly/gitlab/acme")
}

/// What has objects below it on the shelf, and the objects directly there, sorted.
pub(crate) fn names(server: &Server) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root(server)) else {
        return Vec::new();
    };
    let entries = entries.map(|entry| entry.unwrap().path());
    let is_something =
        |path: &PathBuf| path.is_file() || !ExportFolder::new(path).files().is_empty();
    let mut names: Vec<String> = entries
        .filter(is_something)
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// The name of an export of a day.
fn name(day: u32) -> String {
    format!("2026-11-{day:02}_02-00-00_export_abcdefgh")
}

/// Puts an export of a day on the shelf.
fn put(server: &Server, day: u32) -> PathBuf {
    let time = format!("2026-11-{day:02}T02:00:00Z");
    let made = TestShelf::with(&[&time]);
    let place = root(server).join(name(day));
    copy(&made.path(&format!("export-2026-11-{day:02}")), &place);
    place
}

fn forget(server: &Server, options: &str) -> Program {
    with_s3(relexport(&format!("forget {SHELF} {options}")), server.port)
}

fn write(path: impl AsRef<Path>, text: &str) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn forget_removes_exactly_what_no_rule_keeps_and_nothing_that_is_no_export() {
    let server = s3s();
    for day in 1..=5 {
        put(&server, day);
    }
    // Not finished, damaged, suspect, no export, under another name, below a deeper one, and somebody's.
    let unfinished = put(&server, 6);
    fs::rename(
        unfinished.join("manifest.json"),
        unfinished.join("manifest.unfinished.json"),
    )
    .unwrap();
    let damaged = put(&server, 7);
    fs::write(damaged.join("group_4351/badges.ndjson.gz"), "").unwrap();
    let suspect = put(&server, 8);
    let text = fs::read_to_string(suspect.join("manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    manifest["suspect"] = json!(["too few"]);
    fs::write(suspect.join("manifest.json"), manifest.to_string()).unwrap();
    write(root(&server).join(name(9)).join("thesis.txt"), "years");
    copy(&root(&server).join(name(1)), &root(&server).join("copy"));
    copy(
        &root(&server).join(name(1)),
        &root(&server).join("old").join(name(1)),
    );
    write(root(&server).join("photos/cat.jpg"), "meow");
    write(
        root(&server).join("latest.json"),
        &json!({"export": name(2)}).to_string(),
    );

    let before = names(&server);
    let answer = forget(&server, "--keep-last 2 --dry-run --json")
        .ok()
        .json();
    let goes: Vec<&str> = answer["exports"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|export| export["decision"] == "remove")
        .map(|export| export["name"].as_str().unwrap())
        .collect();
    assert_eq!(goes, [&name(3), &name(1)]);
    assert_eq!(answer["latest"], name(2));
    assert_eq!(answer["place"], SHELF);
    let state = |day: u32| {
        let exports = answer["exports"].as_array().unwrap();
        let found = exports.iter().find(|export| export["name"] == name(day));
        found.map(|export| export["state"].as_str().unwrap().to_owned())
    };
    assert_eq!(state(6).as_deref(), Some("unfinished"));
    assert_eq!(state(7).as_deref(), Some("damaged"));
    assert_eq!(state(8).as_deref(), Some("suspect"));
    assert_eq!(state(9), None);
    assert_eq!(names(&server), before);

    forget(&server, "--keep-last 2").ok();
    let left: Vec<String> = before
        .iter()
        .filter(|left| !goes.contains(&left.as_str()))
        .cloned()
        .collect();
    assert_eq!(names(&server), left);
    for day in [2, 4, 5] {
        let url = format!("{SHELF}/{}", name(day));
        with_s3(relexport(&format!("verify {url}")), server.port).ok();
    }
    forget(&server, "--keep-last 1 --unfinished --suspect").ok();
    let rest = names(&server);
    assert_eq!(
        rest,
        [
            &name(2),
            &name(5),
            &name(9),
            "copy",
            "latest.json",
            "old",
            "photos"
        ]
    );
}

#[test]
fn an_object_that_no_manifest_names_stays_and_is_told() {
    let server = s3s();
    let old = put(&server, 1);
    put(&server, 2);
    write(old.join("group_4351/thesis.txt"), "years of work");
    let run = forget(&server, "--keep-last 1").ok();
    assert!(run.stderr.contains("thesis.txt"), "{}", run.stderr);
    assert_eq!(ExportFolder::new(&old).files(), ["group_4351/thesis.txt"]);
    // It is no export any more, so nobody asks about it again.
    let again = forget(&server, "--keep-last 1").ok();
    assert!(!again.stderr.contains("thesis.txt"), "{}", again.stderr);
}

#[test]
fn a_removal_that_was_cut_off_is_brought_to_its_end_by_what_the_manifest_names() {
    let server = s3s();
    let cut = put(&server, 1);
    put(&server, 2);
    fs::rename(cut.join("manifest.json"), cut.join("manifest.gone.json")).unwrap();
    fs::remove_file(cut.join("metadata.json.gz")).unwrap();
    write(cut.join("thesis.txt"), "years of work");
    // Cut off before anything had gone: it is an export as before.
    let whole = put(&server, 3);
    fs::copy(
        whole.join("manifest.json"),
        whole.join("manifest.gone.json"),
    )
    .unwrap();
    forget(&server, "--keep-last 5 --dry-run").ok();
    assert!(cut.join("manifest.gone.json").exists());
    let run = forget(&server, "--keep-last 5").ok();
    assert!(run.stderr.contains("thesis.txt"), "{}", run.stderr);
    assert_eq!(ExportFolder::new(&cut).files(), ["thesis.txt"]);
    assert!(!whole.join("manifest.gone.json").exists());
    let url = format!("{SHELF}/{}", name(3));
    with_s3(relexport(&format!("verify {url}")), server.port).ok();
}

#[test]
fn an_export_that_a_run_holds_is_not_removed() {
    let server = s3s();
    let held = put(&server, 1);
    put(&server, 2);
    write(held.join(".relexport-claim"), "pid 1 on elsewhere\n");
    let run = forget(&server, "--keep-last 1").run();
    assert_eq!(run.code, Some(11), "{}", run.stderr);
    assert!(run.stderr.contains("pid 1 on elsewhere"), "{}", run.stderr);
    assert_eq!(names(&server), [name(1), name(2)]);
}

#[test]
fn a_bucket_that_cannot_be_listed_ends_forget() {
    let server = s3s();
    let run = forget(&server, "--keep-last 1").env("AWS_SECRET_ACCESS_KEY", "wrong");
    run.fails(4, &["cannot list the exports", "403"]);
    with_s3(relexport("forget s3://none/x --keep-last 1"), server.port).fails(4, &["cannot list"]);
}

/// A machine with one job, which writes to the shelf.
struct Machine {
    dir: Dir,
    server: Server,
}

impl Machine {
    fn new() -> Machine {
        let machine = Machine {
            dir: Dir::new(),
            server: s3s(),
        };
        machine.write_dump(&dump());
        let at = machine.dir.path().display();
        let text = format!(
            "state-dir = \"{at}/state\"\nlock-dir = \"{at}/locks\"\n\
             [job.acme]\nsnapshot = \"{at}/dump.sql\"\ngroup = [4351]\nrelation = [\"badges\", \"self\"]\n\
             destination = \"s3://nightly/gitlab/{{job}}\"\nkeep-last = 1\nskip-unchanged = true\n\
             [job.acme.guard]\nmax-shrink = [\"badges=50%\"]\n\
             [job.acme.hooks]\nafter = [\"sh\", \"-c\", \"echo $RELEXPORT_STATUS $RELEXPORT_OUT $RELEXPORT_MANIFEST > {at}/told\"]\n"
        );
        machine.dir.write("relexport.toml", text);
        machine
    }

    fn write_dump(&self, text: &str) {
        self.dir.write("dump.sql", text);
    }

    fn program(&self, command: &str) -> Program {
        let program = self.dir.relexport(command);
        let program = program.option("--config", self.dir.join("relexport.toml"));
        with_s3(program, self.server.port)
    }

    /// What the hook was told.
    fn told(&self) -> String {
        fs::read_to_string(self.dir.join("told")).unwrap()
    }

    fn latest(&self) -> String {
        let text = fs::read_to_string(root(&self.server).join("latest.json")).unwrap();
        let latest: Value = serde_json::from_str(&text).unwrap();
        latest["export"].as_str().unwrap().to_owned()
    }

    /// The names of the exports, without that of `latest.json`.
    fn exports(&self) -> Vec<String> {
        let names = names(&self.server).into_iter();
        names.filter(|name| name.starts_with("20")).collect()
    }
}

#[test]
fn a_job_exports_to_a_bucket_and_keeps_what_its_rules_say() {
    let machine = Machine::new();
    machine.program("run").ok();
    let [first] = &machine.exports()[..] else {
        panic!("{:?}", machine.exports());
    };
    assert_eq!(machine.latest(), *first);
    let place = format!("{SHELF}/{first}");
    assert_eq!(
        machine.told(),
        format!("finished {place} {place}/manifest.json\n")
    );

    machine.program("run").ok();
    assert_eq!(machine.exports(), [first.as_str()], "it has not changed");
    assert!(machine.told().starts_with(&format!("skipped {place}")));

    let few = edit_rows(&dump(), "badges", |_| String::new());
    machine.write_dump(&few);
    machine.program("run").fails(1, &["is suspect"]);
    let exports = machine.exports();
    assert_eq!(exports.len(), 2, "a suspect night removes nothing");
    assert_eq!(machine.latest(), *first);

    fs::remove_file(machine.dir.join("dump.sql")).unwrap();
    machine.program("run").fails(3, &["there is no such file"]);
    assert_eq!(machine.exports(), exports, "a failed night removes nothing");
    assert_eq!(machine.latest(), *first);

    machine.write_dump(&format!("{}\n-- of another night\n", dump()));
    machine.program("run").ok();
    let last = machine.latest();
    let mut expected: Vec<String> = exports.iter().filter(|it| *it != first).cloned().collect();
    expected.push(last.clone());
    expected.sort();
    assert_eq!(machine.exports(), expected, "the suspect one and the last");
    let url = format!("{SHELF}/{last}");
    with_s3(relexport(&format!("verify {url}")), machine.server.port).ok();
    let doctor = machine.program("doctor").run();
    for part in [
        &format!("the newest that counts is {last}"),
        "(suspect: ",
        "has the time of this machine",
    ] {
        assert!(doctor.stdout.contains(part), "no {part}: {}", doctor.stdout);
    }
}

#[test]
fn latest_of_somebody_else_is_not_replaced_and_nothing_is_removed() {
    let machine = Machine::new();
    write(root(&machine.server).join("latest.json"), "[1, 2]");
    machine.program("run").fails(
        4,
        &["latest.json is not of this program", "nothing was removed"],
    );
    assert_eq!(machine.exports().len(), 1);
    let text = fs::read_to_string(root(&machine.server).join("latest.json")).unwrap();
    assert_eq!(text, "[1, 2]");
}

#[test]
fn a_shelf_that_is_not_ready_after_a_good_night_is_to_be_tried_again_and_one_that_says_no_is_not() {
    let machine = Machine::new();
    machine.program("run").ok();
    let busy = Fate::Answer(500, "InternalError");
    let denied = Fate::Answer(403, "AccessDenied");
    for (name, fate, code) in [
        ("latest.json", busy, 75),
        ("latest.json", denied, 4),
        ("manifest.gone.json", busy, 75),
        ("manifest.gone.json", denied, 4),
    ] {
        machine.write_dump(&format!("{}\n-- {name} {code}\n", dump()));
        let through = |rule: Box<dyn Fn(&Seen) -> Fate + Send + Sync>| {
            let proxy = Proxy::new(machine.server.port, rule);
            let program = with_s3(machine.program("run"), proxy.port);
            let program = program.env("RELEXPORT_BUCKET_TRIES", "2");
            program.env("RELEXPORT_BUCKET_TOTAL_SECONDS", "20").run()
        };
        let is_meant = move |seen: &Seen| seen.is_put_of(name);
        let run = through(Box::new(move |seen| match is_meant(seen) {
            true => fate,
            false => Fate::Pass,
        }));
        assert_eq!(run.code, Some(code), "{name}: {}", run.stderr);
        assert!(machine.told().starts_with("finished "), "{name}");
        // The same command again, when nothing is in the way.
        machine.program("run").ok();
        let (told, latest) = (machine.told(), machine.latest());
        assert!(told.contains(&latest), "{name}: {told}, latest is {latest}");
    }
}
