//! Options by variables of the environment.

use crate::support::*;

fn export(dir: &Dir) -> Program {
    dir.relexport("export").option("-s", project(DUMP))
}

#[test]
fn variables_give_options_that_the_command_line_does_not() {
    let dir = Dir::new();
    export(&dir)
        .env("RELEXPORT_GROUP", "4351")
        .env("RELEXPORT_OUT", "out")
        .env("RELEXPORT_RELATION", "labels,epics")
        .env("RELEXPORT_BATCHED", "1")
        .env("RELEXPORT_FORCE", "0")
        .env("RELEXPORT_BATCH_SIZE", "7")
        .env("RELEXPORT_QUIET", "true")
        .ok();
    let out = ExportFolder::new(dir.path().join("out"));
    let relations = out.relations();
    let names: Vec<&str> = relations
        .iter()
        .map(|relation| relation["relation"].as_str().unwrap())
        .collect();
    let manifest = out.manifest();
    assert_eq!(names, ["labels", "epics"]);
    assert_eq!(manifest["options"]["batched"], true);
    assert_eq!(manifest["options"]["batch_size"], 7);
    // The command line is stronger.
    export(&dir)
        .args(["-g", "4351", "--relation", "badges", "-o", "second"])
        .env("RELEXPORT_GROUP", "nobody")
        .env("RELEXPORT_RELATION", "labels,epics")
        .env("RELEXPORT_OUT", "out")
        .ok();
    let shown = dir.relexport("status second").prints();
    assert!(
        shown.contains("badges") && !shown.contains("epics"),
        "{shown}"
    );
}

#[test]
fn an_option_that_excludes_a_variable_is_stronger() {
    let dir = Dir::new();
    let run = export(&dir)
        .args(["-g", "4351", "-o", "out", "--relation", "badges"])
        .env("RELEXPORT_ALL_GROUPS", "true")
        .ok();
    assert!(
        run.stderr
            .contains("RELEXPORT_ALL_GROUPS has no effect beside --group"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_wrong_value_is_told_with_its_variable() {
    let dir = Dir::new();
    for (variable, value, says) in [
        ("RELEXPORT_GZIP_LEVEL", "99", "99 is not in 1..=9"),
        ("RELEXPORT_BATCHED", "yes", "write true or 1, or false or 0"),
        ("RELEXPORT_EDITION", "xe", "possible values: ce, ee"),
        ("RELEXPORT_BATCH_BYTES", "1MiB", "--batched"),
        ("RELEXPORT_BATCH_SIZE", "500,issues=0", "a batch has from 1"),
    ] {
        export(&dir)
            .args(["-g", "4351", "-o", "out"])
            .env(variable, value)
            .fails(2, &[variable, says]);
    }
    let run = export(&dir)
        .args(["-g", "4351", "-o", "out"])
        .env("RELEXPORT_GZIP_LEVEL", "99")
        .env("RELEXPORT_LOG_FORMAT", "json")
        .fails(2, &["RELEXPORT_GZIP_LEVEL"]);
    let line: serde_json::Value = serde_json::from_str(run.stderr.trim()).unwrap();
    assert_eq!(line["exit_status"], 2);
}

#[test]
fn variables_for_other_commands_are_let_be() {
    let dir = Dir::new();
    for command in [
        "pipeline show",
        "completions bash",
        "config init",
        "--version",
        "export --help",
    ] {
        let run = dir
            .relexport(command)
            .env("RELEXPORT_GZIP_LEVEL", "99")
            .env("RELEXPORT_BATCHED", "nonsense")
            .env("RELEXPORT_LISTEN", "nowhere")
            .ok();
        assert_eq!(run.stderr, "", "{command}");
    }
}

#[test]
fn an_unknown_variable_is_warned_of_with_the_nearest() {
    let dir = Dir::new();
    let run = dir
        .relexport("pipeline schema")
        .env("RELEXPORT_GZIP_LEVL", "6")
        .env("RELEXPORT_PASSWORD", "hunter2")
        .env("RELEXPORT_EMPTY", "")
        .env("RELEXPORT_LOG", "warn")
        .ok();
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{}", run.stderr);
    assert!(lines[0].contains("RELEXPORT_GZIP_LEVL is set, but no option has such a name; did you mean RELEXPORT_GZIP_LEVEL?"));
}

#[test]
fn what_a_hook_is_told_is_no_option_for_the_programs_that_it_starts() {
    let dir = Dir::new();
    let run = export(&dir)
        .args(["-g", "4351", "--dry-run", "--quiet"])
        .env("RELEXPORT_RUN_ID", "0193")
        .env("RELEXPORT_JOB", "one")
        .env("RELEXPORT_OUT", "/proc/nowhere/out")
        .env("RELEXPORT_STATUS", "success")
        .ok();
    assert_eq!(run.stderr, "");
}

#[test]
fn a_count_and_the_log_have_variables_of_their_own() {
    let dir = Dir::new();
    let say = |name: &str, value: &str| {
        let program = export(&dir).args(["-g", "4351", "--dry-run"]);
        program.env(name, value).ok().stderr
    };
    let usual = say("RELEXPORT_THREADS", "2");
    assert!(say("RELEXPORT_VERBOSE", "2").len() > usual.len());
    assert!(say("RELEXPORT_LOG", "debug").len() > usual.len());
    // What cannot be meant would silence every warning.
    assert_eq!(say("RELEXPORT_LOG", ""), usual);
    let wrong = say("RELEXPORT_LOG", "warning");
    assert!(
        wrong.contains("RELEXPORT_LOG counts as not set: \"warning\" is no level"),
        "{wrong}"
    );
    assert!(wrong.ends_with(&usual), "{wrong}");
}
