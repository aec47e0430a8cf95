//! `relexport config check`, `schema` and `init`.

use std::fs;

use serde_json::Value;

use crate::support::*;

/// A job that is right.
const RIGHT: &str = r#"
[defaults]
batched = true
keep-daily = 7

[job.acme]
snapshot = "/var/opt/gitlab/backups/*_gitlab_backup.tar"
pick = "newest"
group = ["acme", 4351]
with-projects = true
batch-size = ["500", "issues=200"]
gzip-level = 9
destination = "/var/backups/{job}/{date}_{time}"

[job.acme.guard]
min-rows = [10, "issues=1"]
"#;

#[test]
fn a_right_configuration_is_said_to_be_right() {
    let dir = Dir::new();
    let path = dir.write("jobs.toml", RIGHT);
    let run = dir.relexport("config check --config").arg(&path).ok();
    assert_eq!(
        run.stdout,
        format!("{} is right: 1 job: acme\n", path.display())
    );
    assert_eq!(run.stderr, "");
}

#[test]
fn mistakes_in_options_are_told_with_line_and_column() {
    let dir = Dir::new();
    let text = "[job.one]\nsnapshot = \"/dump.sql\"\ndestination = \"/out/{date}\"\n\
        gzip-level = 99\nbatchd = true\nedition = \"xe\"\ngroup = [\"a\", \"\", true]\nbatched = \"yes\"\n\
        [job.two]\nsnapshot = \"/dump.sql\"\ndestination = \"/out/{date}\"\nall-groups = true\nsubgroups = true\n\
        [job.three]\nsnapshot = \"/dump.sql\"\ndestination = \"/out/{date}\"\n\
        [job.four]\nsnapshot = \"/dump.sql\"\ndestination = \"/out/{date}\"\nall-groups = true\nrelation = \"labelz\"\n";
    let path = dir.write("jobs.toml", text);
    let file = path.display();
    let run = dir.relexport("config check --config").arg(&path).run();
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert_eq!(run.stdout, "");
    let expected = [
        format!("error: {file}:4:14: `gzip-level`: 99 is not in 1..=9"),
        format!("error: {file}:5:1: there is no key `batchd` here; did you mean `batched`?"),
        format!("error: {file}:6:11: `edition`: write ce or ee"),
        format!("error: {file}:7:15: `group` is empty; write its value, or leave the key out"),
        format!("error: {file}:7:19: `group` is a text or a number, not true or false"),
        format!("error: {file}:8:11: `batched` is true or false, not a text"),
        format!(
            "error: {file}:13:13: job two: `subgroups` cannot stand beside `all-groups`; leave one of them out"
        ),
        format!(
            "error: {file}:14:6: job three: it says nobody to export; add `group`, `project`, `all-groups` or `all-projects`"
        ),
        format!("error: {file}:17:1: job four: cannot export relation labelz: "),
    ];
    let told: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(told.len(), expected.len(), "{}", run.stderr);
    for expected in &expected {
        // Of two that cannot stand beside one another, clap says which it saw first.
        let is_told = |line: &&str| {
            line.starts_with(expected.as_str())
                || expected.contains("job two")
                    && line.contains("job two: `all-groups` cannot stand beside `subgroups`")
        };
        assert!(told.iter().any(is_told), "{expected}\n{}", run.stderr);
    }
}

#[test]
fn with_json_a_check_is_for_programs() {
    let dir = Dir::new();
    let path = dir.write(
        "jobs.toml",
        "[job.good]\nall-groups = true\nsnapshot = \"dump.sql\"\ndestination = \"/out/{date}\"\n[job.bad]\nsnapshot = 1\n",
    );
    let run = dir
        .relexport("config check --json --config")
        .arg(&path)
        .run();
    assert_eq!(run.code, Some(2));
    let checked = run.json();
    let jobs: Vec<(&str, bool)> = checked["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| (job["name"].as_str().unwrap(), job["ok"].as_bool().unwrap()))
        .collect();
    assert_eq!(jobs, [("good", true), ("bad", false)]);
    assert_eq!(checked["mistakes"][0]["line"], 5);
    assert_eq!(checked["mistakes"][1]["line"], 6);
    assert_eq!(checked["mistakes"][1]["column"], 12);
    assert_eq!(checked["warnings"][0]["line"], 3);
}

#[test]
fn a_pipeline_of_a_job_is_read() {
    let dir = Dir::new();
    let missing = dir.path().join("mine.yml");
    let text = format!(
        "[job.one]\nsnapshot = \"/dump.sql\"\nall-groups = true\ndestination = \"/out/{{date}}\"\npipeline = [{:?}]\n",
        missing.display()
    );
    let path = dir.write("jobs.toml", &text);
    let check = || dir.relexport("config check --config").arg(&path);
    check().fails(2, &[":1:1: job one: cannot read the pipeline ", "mine.yml"]);
    fs::write(&missing, "nonsense: true\n").unwrap();
    check().fails(2, &["job one: ", "mine.yml:1:"]);
}

#[test]
fn a_folder_of_files_is_read_in_the_order_of_their_names() {
    let dir = Dir::new();
    fs::create_dir_all(dir.path().join("etc/conf.d")).unwrap();
    dir.write("etc/relexport.toml", RIGHT);
    let more = RIGHT[RIGHT.find("[job.acme]").unwrap()..].replace("acme", "beta");
    dir.write("etc/conf.d/20-beta.toml", &more);
    let run = dir.relexport("config check --config etc").ok();
    assert_eq!(
        run.stdout,
        "etc/relexport.toml, etc/conf.d/20-beta.toml is right: 2 jobs: acme, beta\n"
    );
    let run = dir
        .relexport("config check")
        .env("RELEXPORT_CONFIG", "etc/conf.d/20-beta.toml")
        .ok();
    assert!(
        run.stdout.contains("is right: 1 job: beta"),
        "{}",
        run.stdout
    );
    dir.write("etc/conf.d/30-again.toml", &more);
    dir.relexport("config check --config etc").fails(
        2,
        &["etc/conf.d/30-again.toml:1:6: job beta is already there, at etc/conf.d/20-beta.toml:1"],
    );
    dir.relexport("config check --config nowhere.toml").fails(
        2,
        &[
            "nowhere.toml: cannot read the configuration: ",
            "`relexport config init` writes one",
        ],
    );
}

#[test]
fn secrets_are_read_by_a_check_that_asks_for_them() {
    let dir = Dir::new();
    let text =
        format!("{RIGHT}[job.acme.environment]\nAWS_SECRET_ACCESS_KEY-credential = \"aws\"\n");
    let path = dir.write("jobs.toml", &text);
    let check = |arguments: &str| {
        dir.relexport(&format!("config check {arguments} --config"))
            .arg(&path)
    };
    check("").ok();
    check("--secrets").fails(
        2,
        &["$CREDENTIALS_DIRECTORY is not set; the service needs LoadCredential=aws:FILE"],
    );
    let folder = dir.path().join("credentials");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("aws"), "very-secret\n").unwrap();
    let run = check("--secrets")
        .env("CREDENTIALS_DIRECTORY", &folder)
        .ok();
    assert!(!(run.stdout + &run.stderr).contains("very-secret"));
}

fn validator() -> jsonschema::Validator {
    let schema = relexport("config schema").json();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    jsonschema::validator_for(&schema).unwrap()
}

fn as_json(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

#[test]
fn the_schema_takes_what_is_right_and_refuses_what_is_wrong() {
    let validator = validator();
    let init = relexport("config init").prints();
    assert!(init.starts_with("#:schema ./relexport.schema.json\n"));
    for right in [RIGHT, &init, ""] {
        let wrong: Vec<String> = validator
            .iter_errors(&as_json(right))
            .map(|error| error.to_string())
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
    for wrong in [
        "batched = true",
        "state-dir = 1",
        "job = 1",
        "[job.Bad]",
        "[job.a]\nbatchd = true",
        "[job.a]\nbatched = \"yes\"",
        "[job.a]\nedition = \"xe\"",
        "[job.a]\npick = \"oldest\"",
        "[job.a]\nout = \"x\"",
        "[job.a]\nkeep-daily = true",
        "[job.a]\nlock-wait = \"soon\"",
        "[job.a]\ngzip-level = [1]",
        "[job.a.guard]\nmax-shrink = \"half\"",
        "[job.a.guard]\nmin-rows = \"issues=many\"",
        "[job.a.hooks]\nbefore = \"mount\"",
        "[job.a.environment]\n\"A B\" = \"x\"",
        "[defaults]\nnonsense = 1",
    ] {
        assert!(!validator.is_valid(&as_json(wrong)), "{wrong}");
    }
}

#[test]
fn a_configuration_to_begin_with_is_written_once() {
    let dir = Dir::new();
    let path = dir.path().join("relexport.toml");
    let run = dir.relexport("config init relexport.toml").ok();
    assert!(
        run.stderr
            .contains("relexport config check --config relexport.toml"),
        "{}",
        run.stderr
    );
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        relexport("config init").prints()
    );
    dir.relexport("config check --config relexport.toml").ok();
    dir.relexport("config init relexport.toml")
        .fails(2, &["cannot write relexport.toml: it is there already"]);
    dir.relexport("config init nowhere/relexport.toml")
        .fails(4, &["cannot write nowhere/relexport.toml"]);
}
