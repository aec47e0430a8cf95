//! Help texts, completions, manual pages, options that change nothing or cannot be, and what stands on standard error.

use std::collections::BTreeSet;
use std::fs;

use crate::support::*;

const COMMANDS: [&str; 21] = [
    "",
    "export",
    "bench",
    "bench compare",
    "groups",
    "inspect",
    "run",
    "jobs",
    "status",
    "verify",
    "diff",
    "snapshot hold",
    "pipeline check",
    "pipeline init",
    "config init",
    "config check",
    "config show",
    "config schema",
    "redact init",
    "completions",
    "man",
];

#[test]
fn every_help_text_has_examples_and_the_exit_status() {
    for command in COMMANDS {
        let text = relexport(&format!("{command} --help")).prints();
        for part in [
            "\nExamples:\n",
            "\nExit status:\n",
            "  75   a server",
            "  130  interrupted",
        ] {
            assert!(text.contains(part), "{command}: no {part:?}");
        }
    }
}

/// A help text in a terminal of 100 columns.
fn help(called: &str, option: &str) -> String {
    let program = relexport(&format!("{called} {option}"));
    program.env("COLUMNS", "100").prints()
}

/// The sections of a short help text: heading and lines.
fn sections(help: &str) -> Vec<(&str, Vec<&str>)> {
    let sections = help.split("\n\n").map(|section| {
        let (heading, lines) = section.split_once('\n').unwrap_or((section, ""));
        (heading, lines.lines().collect())
    });
    sections.collect()
}

/// `--name` of each line that begins with an option.
fn options(help: &str) -> BTreeSet<String> {
    let names = help.lines().filter_map(|line| {
        let text = line.trim_start();
        let name = match text.as_bytes() {
            [b'-', letter, b',', b' ', ..] if letter.is_ascii_alphabetic() => &text[4..],
            _ => text,
        };
        let name = name.strip_prefix("--")?;
        let end = name.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        Some(format!("--{}", &name[..end.unwrap_or(name.len())]))
    });
    names.collect()
}

/// A command and those below it, as they are called.
fn with_subcommands(command: &str) -> Vec<String> {
    let help = help(command, "-h");
    let mut all = vec![command.to_owned()];
    let commands = sections(&help);
    let commands = commands
        .iter()
        .filter(|(heading, _)| *heading == "Commands:");
    for name in commands.flat_map(|(_, lines)| lines) {
        match name.split_whitespace().next().unwrap() {
            "help" => {}
            name => all.extend(with_subcommands(format!("{command} {name}").trim())),
        }
    }
    all
}

#[test]
fn short_help_has_a_line_for_each_option_and_long_help_the_rest() {
    let commands = with_subcommands("");
    assert!(commands.len() > 20, "{commands:?}");
    for command in commands {
        let short = help(&command, "-h");
        let listed = sections(&short).into_iter().filter(|(heading, _)| {
            let is_of_options = heading.ends_with(':') && !heading.starts_with("Usage:");
            is_of_options && !["Commands:", "Exit status:"].contains(heading)
        });
        let mut count = 0;
        for (heading, lines) in listed {
            for line in lines {
                let is_entry = match heading {
                    "Arguments:" => line.starts_with("  <") || line.starts_with("  ["),
                    _ => {
                        count += 1;
                        line.starts_with("  -") || line.starts_with("      --")
                    }
                };
                assert!(is_entry, "{command}: {heading} {line:?} goes on");
                assert!(line.chars().count() <= 100, "{command}: {line:?}");
            }
        }
        let names = options(&short);
        assert_eq!(names.len(), count, "{command}: {names:?}");
        assert_eq!(options(&help(&command, "--help")), names, "{command}");
    }
}

#[test]
fn shells_get_completions() {
    for (shell, sign) in [
        ("bash", "_relexport()"),
        ("zsh", "#compdef relexport"),
        ("fish", "complete -c relexport"),
        ("elvish", "set edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = relexport(&format!("completions {shell}")).prints();
        assert!(script.contains(sign), "{shell}");
    }
}

#[test]
fn manual_pages_are_printed_or_written() {
    assert!(relexport("man").prints().contains(".TH relexport 1"));
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("man1");
    relexport(&format!("man {}", dir.display())).ok();
    for page in [
        "relexport.1",
        "relexport-export.1",
        "relexport-pipeline-check.1",
        "relexport-pipeline-init.1",
    ] {
        assert!(
            fs::read_to_string(dir.join(page)).unwrap().contains(".TH "),
            "{page}"
        );
    }
    let error = relexport("man Cargo.toml/man1").err(4);
    assert!(
        error.starts_with("error: cannot write manual pages to Cargo.toml/man1"),
        "{error}"
    );
}

/// The lines of standard error, each a JSON object.
fn json_lines(text: &str) -> Vec<serde_json::Value> {
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for line in &lines {
        for key in ["timestamp", "level", "message"] {
            assert!(line[key].is_string(), "{line} has no {key}");
        }
    }
    lines
}

#[test]
fn with_json_logs_everything_on_standard_error_is_json() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let ran = relexport(&format!(
        "--log-format json -vv export -s {DUMP} -g 4351 --out {}",
        out.display()
    ))
    .run();
    assert_eq!(ran.code, Some(0));
    let lines = json_lines(&ran.stderr);
    // Behind it stands what is partial.
    let summary = lines.iter().find(|line| line["records"].is_number());
    let summary = summary.unwrap();
    assert_eq!(summary["relations"], 13);
    assert_eq!(summary["records"], 73);
    for key in ["bytes", "seconds", "peak_memory_bytes"] {
        assert!(summary[key].is_number(), "{summary}");
    }
    for (arguments, status) in [
        ("export -s nothing-here -g 1 --dry-run --log-format json", 3),
        ("export --log-format json", 2),
        ("--log-format=json nonsense", 2),
        (
            "--log-format json export -s nothing-here -g 1 --dry-run --relation x",
            2,
        ),
    ] {
        let lines = json_lines(&relexport(arguments).err(status));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["level"], "ERROR");
        assert_eq!(lines[0]["exit_status"], status);
    }
}

#[test]
fn a_quiet_run_says_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let ran = relexport(&format!(
        "export -q -s {DUMP} -g 4351 --out {}",
        out.display()
    ))
    .run();
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.stdout + &ran.stderr, "");
}

#[test]
fn the_summary_tells_relations_records_bytes_seconds_and_memory() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let ran = relexport(&format!("export -s {DUMP} -g 4351 --out {}", out.display())).run();
    assert_eq!(ran.stdout, "");
    let begin = "13 of 13 relations, 73 records, ";
    let mut lines = ran.stderr.lines();
    let summary = lines.find(|line| line.starts_with(begin)).unwrap();
    for part in [" of NDJSON in ", " s, ", " of memory at the most"] {
        assert!(summary.contains(part), "{summary}");
    }
}

/// The warnings on standard error of a run, without their level.
fn warnings(ran: &Run) -> Vec<String> {
    json_lines(&ran.stderr)
        .iter()
        .filter(|line| line["level"] == "WARN")
        .filter_map(|line| line["message"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn an_option_that_changes_nothing_is_said() {
    let temp = tempfile::tempdir().unwrap();
    let out = |name: &str| temp.path().join(name).display().to_string();
    let export = format!("export -s {DUMP} -g 4351 --relation labels");
    let of_servers = "on a snapshot of files; it is for live servers and data folders";
    let of_folders = "on this snapshot; it is for data folders (pgdata:DIR)";
    let dry = "with --dry-run, which writes nothing";
    let cases = [
        (
            format!("{export} --batch-size 5 -o {}", out("a")),
            vec![
                "--batch-size has no effect on the files without --batched, which makes one of each batch".to_owned(),
            ],
        ),
        (
            format!(
                "{export} -o {} --connections 2 --statement-timeout 1h --lock-timeout 30s --idle-timeout 10min",
                out("b")
            ),
            ["--connections", "--statement-timeout", "--lock-timeout", "--idle-timeout"]
                .map(|option| format!("{option} has no effect {of_servers}"))
                .to_vec(),
        ),
        (
            format!(
                "{export} -o {} --pg-database x --pg-bindir /x --pg-atomic --pg-start-timeout 1h",
                out("c")
            ),
            ["--pg-database", "--pg-bindir", "--pg-atomic", "--pg-start-timeout"]
                .map(|option| format!("{option} has no effect {of_folders}"))
                .to_vec(),
        ),
        (
            format!("{export} --dry-run --force --gzip-level 9 --source-url https://a --gitlab-version 17.1.0"),
            ["--gzip-level", "--source-url", "--force", "--gitlab-version"]
                .map(|option| format!("{option} has no effect {dry}"))
                .to_vec(),
        ),
        (
            format!("{export} -o {} --quiet --timings", out("d")),
            vec!["--timings has no effect with --quiet; the manifest has the times".to_owned()],
        ),
        (
            format!("export -s {BACKUP} -g 4351 --relation labels --gitlab-version 17.0.0-ee -o {}", out("i")),
            vec!["--gitlab-version has no effect: the snapshot says that it is of 16.5.1-ee".to_owned()],
        ),
        (
            format!("groups -s {DUMP} --connections 2"),
            vec![format!("--connections has no effect {of_servers}")],
        ),
        (
            format!("inspect -s {DUMP} --temp-dir /tmp --pipeline pipelines/group.yml"),
            vec!["--temp-dir has no effect here: no temp file is needed".to_owned()],
        ),
        (
            "pipeline check pipelines/group.yml --connections 2 --temp-dir /tmp --ci-snapshot a --sec-snapshot b".to_owned(),
            ["--connections", "--temp-dir", "--ci-snapshot", "--sec-snapshot"]
                .map(|option| format!("{option} has no effect without --snapshot"))
                .to_vec(),
        ),
        (
            format!(
                "snapshot take --from {DUMP} --out {} --memory-limit 1MiB --temp-dir /tmp",
                out("e")
            ),
            vec![
                "--memory-limit has no effect without --group or --project: no row is kept".to_owned(),
                "--temp-dir has no effect here: no temp file is needed".to_owned(),
            ],
        ),
        // What has an effect is not said, nor what nobody gave.
        (
            format!(
                "snapshot take --from {PROJECTS} --out {} --project 71 --memory-limit 1MiB --temp-dir /tmp",
                out("j")
            ),
            vec![],
        ),
        (
            format!("{export} -o {} --batched --batch-size 5 --temp-dir /tmp --memory-limit 1MiB", out("f")),
            vec![],
        ),
        (format!("{export} -o {}", out("g")), vec![]),
    ];
    for (arguments, expected) in cases {
        let ran = relexport(&format!("{arguments} --log-format json")).run();
        assert_eq!(ran.code, Some(0), "{arguments}: {}", ran.stderr);
        assert_eq!(warnings(&ran), expected, "{arguments}");
    }
    let ran = relexport(&format!("{export} -o {} -v --log-format json", out("h")))
        .env("RELEXPORT_LOG", "warn")
        .run();
    assert_eq!(
        warnings(&ran),
        ["-v has no effect while RELEXPORT_LOG says what is logged"]
    );
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_read() {
    // A snapshot that is not there would be another error.
    let export = "export -s nothing-here -g 1 -o x";
    let serve = "serve -s nothing-here --data x";
    for (arguments, says) in [
        (
            format!("{export} --gitlab-version banana"),
            "write a version as 17.8.1-ee",
        ),
        (
            format!("{export} --gitlab-version 17"),
            "write a version as 17.8.1-ee",
        ),
        (
            format!("{export} --source-url banana"),
            "write an address as https://gitlab.example.com",
        ),
        (
            format!("{export} --memory-limit 5"),
            "5 bytes hold no rows; write a size with its unit, such as 512MiB, or 0 to keep no rows in memory",
        ),
        (
            format!("{export} --memory-limit=-1"),
            "write a size as 512MiB",
        ),
        (format!("{export} --threads 0"), "0 is not in 1..=1024"),
        (format!("{export} --connections 0"), "0 is not in 1..=1000"),
        (format!("{export} --gzip-level 0"), "0 is not in 1..=9"),
        (format!("{export} --gzip-level 99"), "99 is not in 1..=9"),
        (format!("{export} --batch-size 0"), "a batch has from 1"),
        (
            format!("{export} --statement-timeout soon"),
            "write a time as 500ms",
        ),
        (
            format!("{export} --statement-timeout 99999h"),
            "longer than a server can wait",
        ),
        (
            format!("{export} --pg-snapshot 00000003-0000001B-1"),
            "cannot read at the exported snapshot that --pg-snapshot names: only a live server has some",
        ),
        (
            "export -s nothing-here -o x -g https://gitlab.example.com/-/profile".to_owned(),
            "the address https://gitlab.example.com/-/profile names no group",
        ),
        (
            "export -s nothing-here -o x --group=".to_owned(),
            "the name of a group is empty",
        ),
        (
            format!("{export} --edition ce --relation labels --relation epics"),
            "cannot export relation epics: edition ce does not have it",
        ),
        (format!("{serve} --jobs 0"), "0 is not in 1..=64"),
        (
            format!("{serve} --external-url banana"),
            "write an address as",
        ),
        (
            format!("{serve} --gitlab-version banana"),
            "write a version as 17.8.1-ee",
        ),
        (
            "snapshot take --from nothing-here --out x --memory-limit 5".to_owned(),
            "5 bytes hold no rows",
        ),
        (
            "bench -s nothing-here -g 1 --memory-limit 5".to_owned(),
            "5 bytes hold no rows",
        ),
    ] {
        let error = relexport(&arguments).err(2);
        assert!(error.contains(says), "{arguments}: {error}");
    }
}

#[test]
fn a_group_may_be_named_by_its_address() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out").display().to_string();
    relexport(&format!(
        "export -s {DUMP} -o {out} --relation labels -g https://gitlab.example.com/groups/acme/platform/-/epics?state=all#top"
    ))
    .ok();
    let status = relexport(&format!(
        "status {out} --group https://gitlab.example.com/acme%2Fplatform/ --json"
    ))
    .run();
    assert_eq!(status.json()[0]["total_objects_count"], 13);
}
