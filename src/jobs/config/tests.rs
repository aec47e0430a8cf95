//! What files of configuration come to, and what is said of mistakes in them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use proptest::prelude::*;

use super::options::NoOptions;
use super::*;
use crate::jobs::{Job, SnapshotChoice};
use crate::snapshot::Spec;

/// What a job cannot do without.
const LEAST: &str = "snapshot = \"/dump.sql\"\ndestination = \"/out/{job}/{date}\"\n";

fn file(name: &str, text: &str) -> ConfigFile {
    ConfigFile {
        path: name.into(),
        text: text.to_owned(),
        is_public: false,
    }
}

/// The variables of a job, as text.
fn lent(job: &Job) -> BTreeMap<String, String> {
    let variables = job.environment.iter();
    variables
        .map(|(name, value)| (name.clone(), value.expose().to_owned()))
        .collect()
}

fn read_all(texts: &[(&str, &str)], credentials: &Credentials) -> Result<Config, ConfigError> {
    let files: Vec<ConfigFile> = texts.iter().map(|(name, text)| file(name, text)).collect();
    read(&files, &NoOptions, credentials)
}

fn config(text: &str) -> Config {
    let config = read_all(&[("a.toml", text)], &Credentials::Folder(None));
    config.unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn job(text: &str) -> Job {
    let mut config = config(text);
    assert_eq!(config.mistakes(), [], "{text}");
    config.jobs.remove(0)
}

/// All mistakes of a text, each in a line.
fn mistakes(text: &str) -> Vec<String> {
    let found = match read_all(&[("a.toml", text)], &Credentials::Folder(None)) {
        Ok(config) => config.mistakes(),
        Err(error) => error.mistakes,
    };
    found.iter().map(Mistake::to_string).collect()
}

#[test]
fn two_jobs_with_one_export_are_a_mistake_of_the_second() {
    let job = |name: &str, destination: &str| {
        format!("[job.{name}]\nsnapshot = \"/dump.sql\"\ndestination = \"{destination}\"\n")
    };
    let both = |one: &str, two: &str| job("one", one) + &job("two", two);
    let found = mistakes(&both("/out/now", "/out/now"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("a.toml:4:"), "{found:?}");
    assert!(found[0].contains("that of job one"), "{found:?}");
    assert_eq!(mistakes(&both("/out/{job}", "/out/{job}")), [""; 0]);
    assert_eq!(mistakes(&both("/out/{date}", "/out/{date}")), [""; 0]);
}

#[test]
fn a_job_is_what_its_table_says_over_the_defaults() {
    let text = "metrics-dir = \"/metrics\"\n\
        [defaults]\nskip-unchanged = true\nlock-wait = \"10min\"\nkeep-last = 3\n\
        [defaults.hooks]\nbefore = [\"mount\", \"/mnt\"]\nfailure = [[\"a\"], [\"b\", \"\"]]\n\
        [job.one]\nsnapshot = \"/b/*.tar\"\npick = \"newest\"\ndestination = \"/out/{job}/{date}\"\nlock-wait = \"0\"\n\
        keep-daily = 7\nmetrics-file = \"/m.prom\"\n\
        [job.one.hooks]\nfailure = []\ntime-limit = \"90s\"\n\
        [job.one.guard]\nmin-rows = [1000, \"issues=200\"]\nmax-shrink = \"50%\"\n\
        [job.two]\nsnapshot = \"postgres://h/db\"\ndestination = \"/out/{job}/{date}\"\n";
    let config = config(text);
    assert_eq!(config.mistakes(), []);
    assert_eq!(config.metrics_dir, Some("/metrics".into()));
    assert_eq!(config.state_dir, PathBuf::from("/var/lib/relexport"));
    assert_eq!(config.lock_dir, PathBuf::from("/run/relexport"));
    let [one, two] = &config.jobs[..] else {
        panic!("{:?}", config.jobs)
    };
    assert_eq!((one.name.as_str(), one.line), ("one", 9));
    assert_eq!(one.snapshot, SnapshotChoice::Newest("/b/*.tar".to_owned()));
    assert_eq!(
        two.snapshot,
        SnapshotChoice::Named(Spec::from("postgres://h/db"))
    );
    assert_eq!(one.lock_wait, Duration::ZERO);
    assert_eq!(two.lock_wait, Duration::from_secs(600));
    assert!(one.skip_unchanged && two.skip_unchanged);
    assert_eq!(one.metrics_file, Some("/m.prom".into()));
    assert_eq!(one.hooks.before, [["mount", "/mnt"]]);
    assert_eq!(one.hooks.failure, [[""; 0]; 0]);
    assert_eq!(one.hooks.time_limit, Duration::from_secs(90));
    assert_eq!(two.hooks.failure, [vec!["a"], vec!["b", ""]]);
    assert_eq!(two.hooks.time_limit, Duration::from_secs(300));
    let rows: Vec<_> = one
        .guard
        .min_rows
        .iter()
        .map(|(name, rows)| (name.as_str(), *rows))
        .collect();
    assert_eq!(rows, [("", 1000), ("issues", 200)]);
    assert_eq!(one.guard.max_shrink[""].to_string(), "50%");
    assert!(one.keep.is_some());
    assert_ne!(one.keep, two.keep);
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text = "state-dir = \"here\"\nbatched = true\nmetrics-dri = \"/m\"\nskip-unchanged = true\n\
        [job.Bad]\n\
        [job.one]\nsnapshot = \"/b/*.tar\"\ndestination = \"/o/{bad}\"\nskip-unchangd = true\nlock-wait = 10\n\
        \u{20}\u{20}metrics-file = ''\nout = \"x\"\n\
        [job.one.hooks]\nbefore = \"mount /mnt\"\nafter = [[\"a\"], \"b\"]\nsuccess = [[]]\nbefor = []\ntime-limit = \"0\"\n\
        [job.one.guard]\nmin-rows = [\"issues=many\", \"=5\", 5, 6]\nmax-shrink = 50\n\
        [job.two]\npick = \"oldest\"\n";
    let found = mistakes(text);
    for expected in [
        "a.toml:1:13: `state-dir` is a whole path, such as /var/lib/relexport",
        "a.toml:2:1: there is no key `batched` here",
        "a.toml:3:1: there is no key `metrics-dri` here; did you mean `metrics-dir`?",
        "a.toml:4:1: `skip-unchanged` is a job's: put it below [job.NAME], or below [defaults] for all jobs",
        "a.toml:5:6: a job's name has from 1 to 64 letters from a to z",
        "a.toml:7:12: `snapshot` is a pattern; say which of the files with pick = \"newest\"",
        "a.toml:8:15: `destination`: ",
        "a.toml:9:1: there is no key `skip-unchangd` here; did you mean `skip-unchanged`?",
        "a.toml:10:13: `lock-wait`: write a time as 500ms, 30s, 10min or 1h, or 0",
        "a.toml:11:18: `metrics-file` is empty; write its value, or leave the key out",
        "a.toml:12:1: `out` cannot stand in a job: a job's exports go to its `destination`",
        "a.toml:14:10: `before` is a list of arguments, such as [\"mount\", \"/mnt\"], not a text",
        "a.toml:15:17: `after` mixes programs and arguments",
        "a.toml:16:12: `success` has a program without a name",
        "a.toml:17:1: there is no key `befor` here; did you mean `before`?",
        "a.toml:18:14: `time-limit` is longer than 0",
        "a.toml:20:13: `min-rows`: write a number of rows, such as 1000 or issues=200",
        "a.toml:20:28: `min-rows`: name the relation before the =",
        "a.toml:20:37: `min-rows` of the whole export is given twice; give it once",
        "a.toml:21:14: `max-shrink`: write a share as 50% or 2.5%, from 0% to 100%",
        "a.toml:22:6: job two says nowhere what it reads; add snapshot = ",
        "a.toml:22:6: job two says nowhere where its exports go; add destination = ",
        "a.toml:23:8: `pick` is \"newest\", or left out",
    ] {
        assert!(
            found.iter().any(|found| found.starts_with(expected)),
            "{expected}\n{}",
            found.join("\n")
        );
    }
    assert_eq!(found.len(), 23, "{}", found.join("\n"));
}

#[test]
fn what_is_no_toml_is_told_where_it_is_none() {
    for (text, place) in [
        ("[job.a\n", "a.toml:1:7: this is no TOML: "),
        (
            "a = 1\nb = \"x\nc = 2\nd = ]\n",
            "a.toml:2:7: this is no TOML: ",
        ),
        (
            "a = 1\na = 2\n",
            "a.toml:2:1: this is no TOML: duplicate key",
        ),
        ("ü = 1\n", "a.toml:1:1: this is no TOML: "),
    ] {
        let found = mistakes(text);
        assert!(found[0].starts_with(place), "{text}: {found:?}");
    }
    assert!(mistakes("a = 1\nb = \"x\nc = 2\nd = ]\n").len() >= 2);
    let secret = mistakes("[job.a]\nping-url = \"https://h/secret\n");
    assert!(!secret.join("").contains("secret"), "{secret:?}");
}

#[test]
fn values_of_another_kind_are_told_with_the_key() {
    for (line, says) in [
        (
            "snapshot = 5",
            "`snapshot` is a text in quotes, not a number",
        ),
        (
            "destination = [\"a\"]",
            "`destination` is a text in quotes, not a list",
        ),
        (
            "skip-unchanged = \"yes\"",
            "`skip-unchanged` is true or false, not a text",
        ),
        (
            "metrics-file = 1979-05-27",
            "`metrics-file` is a text in quotes, not a date or time",
        ),
        ("hooks = true", "`hooks` is a table, not true or false"),
        ("keep-last = \"some\"", "`keep-last`: "),
        (
            "keep-last = [1]",
            "`keep-last` is a text or a number, not a list",
        ),
        ("keep-last = 0", "these keep rules keep nothing"),
        (
            "metrics-file = \"a\\u0000b\"",
            "`metrics-file` has a zero byte in it",
        ),
        (
            "environment = { \"A B\" = \"x\" }",
            "a variable has letters, digits and _",
        ),
        (
            "environment = { RELEXPORT_THREADS = \"1\" }",
            "variables of this name are for options",
        ),
    ] {
        let found = mistakes(&format!("[job.a]\n{line}\n"));
        assert!(
            found.iter().any(|found| found.contains(says)),
            "{line}: {found:?}"
        );
    }
    for text in ["job = 1", "job.a = 1", "defaults = 1"] {
        assert_eq!(mistakes(text).len(), 1, "{text}");
    }
}

#[test]
fn a_snapshot_that_no_job_can_read_is_refused() {
    for (lines, says) in [
        (
            "snapshot = \"-\"",
            "nobody writes to the standard input of a job",
        ),
        (
            "snapshot = \"postgres://h/db\"\npick = \"newest\"",
            "`pick` is for files",
        ),
        (
            "snapshot = \"/b/[.tar\"\npick = \"newest\"",
            "`snapshot` is no pattern: ",
        ),
        (
            "snapshot = \"/b/?.tar\"",
            "`snapshot` is a pattern; say which",
        ),
    ] {
        let found = mistakes(&format!(
            "[job.a]\n{lines}\ndestination = \"/o/{{date}}\"\n"
        ));
        assert!(found[0].contains(says), "{lines}: {found:?}");
    }
}

#[test]
fn files_are_one_configuration_and_say_nothing_twice() {
    let first = format!("state-dir = \"/a\"\n[defaults]\nkeep-last = 1\n[job.one]\n{LEAST}");
    let second = format!("[job.two]\n{LEAST}");
    let both = [("a.toml", first.as_str()), ("b.toml", second.as_str())];
    let config = read_all(&both, &Credentials::Folder(None)).unwrap();
    let names: Vec<&str> = config.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["one", "two"]);
    assert!(config.jobs.iter().all(|job| job.keep.is_some()));
    assert_eq!(config.jobs[1].file, PathBuf::from("b.toml"));
    let third = "state-dir = \"/b\"\n[defaults]\nkeep-last = 2\n[job.one]\n";
    let error = read_all(
        &[both[0], both[1], ("c.toml", third)],
        &Credentials::Folder(None),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "c.toml:1:1: `state-dir` is already said at a.toml:1; leave one of them out\n\
         c.toml:3:1: `keep-last` is already said at a.toml:3; leave one of them out\n\
         c.toml:4:6: job one is already there, at a.toml:4; give this one another name"
    );
    // Whoever waits for one of them is told.
    assert_eq!(error.jobs.len(), 2);
}

#[test]
fn a_mistake_in_one_job_leaves_the_others() {
    let text = format!(
        "[job.good]\n{LEAST}[job.bad]\nsnapshot = 1\nping-url = \"https://h/id\"\n[job.bad.hooks]\nfailure = [\"tell\"]\n"
    );
    let config = config(&text);
    assert_eq!(config.jobs.len(), 1);
    let [bad] = &config.broken[..] else {
        panic!("{:?}", config.broken)
    };
    assert_eq!(bad.name.as_str(), "bad");
    assert_eq!(bad.hooks.failure, [["tell"]]);
    assert_eq!(bad.ping.as_ref().unwrap().url.expose(), "https://h/id");
    assert_eq!(bad.mistakes.len(), 2);
}

#[test]
fn secrets_come_from_files_credentials_and_variables() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let own = write("own", "https://h/own\n", 0o600);
    let open = write("open", "open-secret", 0o644);
    write("ping", "from-systemd\r\n", 0o444);
    let text = format!(
        "[job.a]\n{LEAST}ping-url-file = \"{own}\"\n[job.a.environment]\nAWS_KEY = \"literal\"\n\
         AWS_SECRET-file = \"{open}\"\nPGPASSWORD-credential = \"ping\"\nFROM-variable = \"CARGO_PKG_NAME\"\n"
    );
    let credentials = Credentials::Folder(Some(folder.path().to_owned()));
    let config = read_all(&[("a.toml", &text)], &credentials).unwrap();
    assert_eq!(config.mistakes(), []);
    let job = &config.jobs[0];
    assert_eq!(job.ping.as_ref().unwrap().url.expose(), "https://h/own");
    let lent = lent(job);
    let expected = [
        ("AWS_KEY", "literal"),
        ("AWS_SECRET", "open-secret"),
        ("FROM", "relexport"),
        ("PGPASSWORD", "from-systemd"),
    ];
    assert_eq!(
        lent,
        expected
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    );
    let [warning] = &config.warnings[..] else {
        panic!("{:?}", config.warnings)
    };
    assert!(
        warning
            .to_string()
            .contains(&format!("{open} holds a secret, and everybody can read it"))
    );
    // None of them is in what is printed of the job.
    let printed = format!("{job:?}{}", shown_job(job));
    for secret in ["/own\"", "open-secret", "from-systemd", "literal"] {
        assert!(
            !printed.replace(&own, "").contains(secret),
            "{secret}: {printed}"
        );
    }
    assert!(printed.contains("AWS_KEY = \"***\""), "{printed}");
}

#[test]
fn a_secret_that_cannot_be_had_is_a_mistake_of_a_run_only() {
    let text = format!(
        "[job.a]\n{LEAST}ping-url-credential = \"ping\"\n[job.a.environment]\nX-file = \"/no/such/file\"\nY-variable = \"NO_SUCH_VARIABLE_HERE\"\n"
    );
    let found = mistakes(&text);
    for says in [
        "a.toml:4:23: `ping-url-credential`: there are no credentials here: $CREDENTIALS_DIRECTORY is not set; the service needs LoadCredential=ping:FILE",
        "a.toml:6:10: `X-file`: cannot read /no/such/file: ",
        "a.toml:7:14: `Y-variable`: there is no variable NO_SUCH_VARIABLE_HERE",
    ] {
        assert!(
            found.iter().any(|found| found.starts_with(says)),
            "{says}: {found:?}"
        );
    }
    assert_eq!(found.len(), 3);
    let config = read_all(&[("a.toml", &text)], &Credentials::Unread).unwrap();
    assert_eq!(config.mistakes(), []);
}

#[test]
fn a_secret_is_said_once_and_over_the_default_in_whatever_form() {
    let text = format!(
        "[defaults]\nping-url-file = \"/no/such/file\"\n[job.a]\n{LEAST}ping-url = \"https://h/x\"\n"
    );
    let config = read_all(&[("a.toml", &text)], &Credentials::Unread).unwrap();
    assert_eq!(
        config.jobs[0].ping.as_ref().unwrap().url.expose(),
        "https://h/x"
    );
    let twice = format!("[job.a]\n{LEAST}ping-url = \"https://h/x\"\nping-url-file = \"/f\"\n");
    assert_eq!(
        mistakes(&twice),
        ["a.toml:5:1: `ping-url` is said by `ping-url` already; leave one of them out"]
    );
    let wrong = mistakes(&format!(
        "[job.a]\n{LEAST}ping-url = \"hc-ping.com/secret\"\n"
    ));
    assert!(
        wrong[0].starts_with("a.toml:4:12: `ping-url` is no address"),
        "{wrong:?}"
    );
    assert!(!wrong[0].contains("secret"));
}

#[test]
fn a_secret_in_a_file_that_everybody_reads_is_warned_of() {
    let text = format!(
        "[job.a]\n{LEAST}ping-url = \"https://h/x\"\n[job.a.environment]\nAWS_REGION = \"eu\"\nDB_PASSWORD = \"p\"\n"
    );
    let mut file = file("a.toml", &text);
    file.is_public = true;
    let config = read(&[file], &NoOptions, &Credentials::Unread).unwrap();
    let warned: Vec<(usize, usize)> = config
        .warnings
        .iter()
        .map(|warning| (warning.line, warning.column))
        .collect();
    assert_eq!(warned, [(4, 12), (7, 15)]);
}

#[test]
fn paths_that_depend_on_where_the_program_is_started_are_warned_of() {
    let config = config(
        "[job.a]\nsnapshot = \"dump.sql\"\ndestination = \"out/{date}\"\nmetrics-file = \"m.prom\"\n",
    );
    assert_eq!(config.warnings.len(), 3, "{:?}", config.warnings);
    assert!(
        config.warnings[0]
            .message
            .starts_with("`snapshot` begins in the folder that the program is started in")
    );
}

#[test]
fn what_is_shown_of_a_job_is_the_same_job() {
    let text = "[defaults]\nkeep-last = 3\n[defaults.hooks]\nbefore = [\"m\\\"x\", \"\\t\"]\n\
        [job.one]\nsnapshot = \"/b/*.tar\"\npick = \"newest\"\ndestination = \"/out/{job}/{date}\"\nlock-wait = \"90s\"\n\
        ping-url-file = \"/etc/ping\"\n[job.one.guard]\nmin-rows = [1000, \"project.issues=200\"]\n\
        [job.one.environment]\nAWS_X-credential = \"aws\"\n";
    let read = |text: &str| {
        read_all(&[("a.toml", text)], &Credentials::Unread)
            .unwrap()
            .jobs
            .remove(0)
    };
    let job = read(text);
    let again = read(&shown_job(&job));
    assert!(again.stated == job.stated, "{}", shown_job(&job));
    let without_place = |job: &Job| format!("{job:?}").replace(&format!("line: {}", job.line), "");
    assert_eq!(without_place(&again), without_place(&job));
}

/// A value of a key, as it is written: of texts with whatever letters.
fn value() -> impl Strategy<Value = String> {
    let text = any::<String>().prop_map(|text| quoted(&text.replace('\0', " ")));
    let number = any::<i64>().prop_map(|number| number.to_string());
    let scalar = prop_oneof![text, number];
    let list = proptest::collection::vec(scalar.clone(), 0..4);
    prop_oneof![
        3 => scalar,
        1 => list.prop_map(|values| format!("[{}]", values.join(", "))),
    ]
}

/// A job with options, hooks, a guard and variables.
fn job_text() -> impl Strategy<Value = String> {
    let options = proptest::collection::btree_map("several-[a-e]", value(), 0..4);
    let arguments = proptest::collection::vec(
        any::<String>().prop_map(|text| text.replace('\0', " ")),
        1..4,
    );
    let variables =
        proptest::collection::btree_map("[A-Z_][A-Z0-9_]{0,5}-file", "/[a-z]{1,9}", 0..3);
    (options, arguments, variables, 0..10_000u64, 1..99u32).prop_map(
        |(options, arguments, variables, rows, keep)| {
            let mut text = format!("[defaults]\nkeep-daily = {keep}\n[job.a]\n{LEAST}");
            for (name, value) in options {
                text.push_str(&format!("{name} = {value}\n"));
            }
            let arguments: Vec<String> = arguments.iter().map(|text| quoted(text)).collect();
            text.push_str(&format!(
                "[job.a.hooks]\nbefore = [\"x\", {}]\n",
                arguments.join(", ")
            ));
            text.push_str(&format!(
                "[job.a.guard]\nmin-rows = [{rows}, \"issues={rows}\"]\n[job.a.environment]\n"
            ));
            for (name, path) in variables {
                text.push_str(&format!("{name} = {}\n", quoted(&path)));
            }
            text
        },
    )
}

/// A command line whose options are `several-a` to `several-e`.
struct FiveOptions(Vec<ExportOption>);

impl FiveOptions {
    fn new() -> FiveOptions {
        let option = |letter: char| ExportOption {
            name: format!("several-{letter}"),
            help: String::new(),
            values: OptionValues::Several,
            words: Vec::new(),
        };
        FiveOptions(('a'..='e').map(option).collect())
    }
}

impl ExportOptions for FiveOptions {
    fn all(&self) -> &[ExportOption] {
        &self.0
    }

    fn check_one(&self, _: &std::ffi::OsStr) -> Result<(), String> {
        Ok(())
    }

    fn check_together(&self, _: &[std::ffi::OsString]) -> Result<(), WrongOption> {
        Ok(())
    }
}

proptest! {
    #[test]
    fn what_is_shown_of_any_job_is_the_same_job(text in job_text()) {
        let read_one = |text: &str| {
            let config = read(&[file("a.toml", text)], &FiveOptions::new(), &Credentials::Unread);
            config.map(|mut config| config.jobs.pop()).map_err(|error| error.to_string())
        };
        // An empty text is a mistake.
        if let Ok(Some(job)) = read_one(&text) {
            // What looks like an address may hold a password, which is not shown.
            prop_assume!(!text.contains("://") && !text.contains("password="));
            let again = read_one(&shown_job(&job)).unwrap().unwrap();
            let content = |job: &Job| {
                (job.export.clone(), job.hooks.clone(), job.guard.clone(), job.keep.clone(), lent(job))
            };
            prop_assert_eq!(content(&again), content(&job));
        }
    }

    #[test]
    fn any_text_is_a_configuration_or_a_mistake_with_its_place(text in any::<String>()) {
        for mistake in mistakes_in(&text) {
            prop_assert!(mistake.starts_with("fuzz.toml"));
        }
    }
}

#[test]
fn a_hostile_file_is_a_mistake_and_costs_little() {
    let deep = "[".repeat(5000);
    for text in [
        format!("a = {deep}"),
        format!("a{} = 1", ".a".repeat(100_000)),
        format!("[a{}]", ".a".repeat(100_000)),
        format!("a = {}", "{a=".repeat(5000)),
        format!("{} = 1", "a.a.".repeat(200)),
        "x".repeat(MAX_BYTES + 1),
        format!("a = 1{}", "0".repeat(1000)),
        "\u{feff}".to_owned(),
    ] {
        let _ = mistakes(&text);
    }
    assert!(!mistakes(&"x".repeat(MAX_BYTES + 1)).is_empty());
    assert!(!mistakes("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = 1").is_empty());
}

#[test]
fn jobs_are_right_without_anything_else() {
    let job = job(&format!("[job.a]\n{LEAST}"));
    assert_eq!(job.export, Vec::<std::ffi::OsString>::new());
    assert_eq!(job.keep, None);
    assert_eq!(job.ping, None);
}
