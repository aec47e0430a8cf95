//! Help texts, completions, manual pages and what stands on standard error.

mod cli_support;

use std::fs;

use cli_support::*;

const COMMANDS: [&str; 11] = [
    "",
    "export",
    "bench",
    "bench compare",
    "groups",
    "inspect",
    "status",
    "verify",
    "pipeline check",
    "completions",
    "man",
];

#[test]
fn every_help_text_has_examples_and_the_exit_status() {
    for command in COMMANDS {
        let text = relexport(&format!("{command} --help")).ok();
        for part in ["\nExamples:\n", "\nExit status:\n", "  130  interrupted"] {
            assert!(text.contains(part), "{command}: no {part:?}");
        }
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
        let script = relexport(&format!("completions {shell}")).ok();
        assert!(script.contains(sign), "{shell}");
    }
}

#[test]
fn manual_pages_are_printed_or_written() {
    assert!(relexport("man").ok().contains(".TH relexport 1"));
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("man1");
    relexport(&format!("man {}", dir.display())).ok();
    for page in [
        "relexport.1",
        "relexport-export.1",
        "relexport-pipeline-check.1",
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
    ));
    assert_eq!(ran.status, Some(0));
    let lines = json_lines(&ran.stderr);
    let summary = lines.last().unwrap();
    assert_eq!(summary["relations"], 12);
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
    ));
    assert_eq!(ran.status, Some(0));
    assert_eq!(ran.stdout + &ran.stderr, "");
}

#[test]
fn the_summary_tells_relations_records_bytes_seconds_and_memory() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let ran = relexport(&format!("export -s {DUMP} -g 4351 --out {}", out.display()));
    assert_eq!(ran.stdout, "");
    let summary = ran.stderr.trim_end();
    assert!(
        summary.starts_with("12 of 12 relations, 73 records, "),
        "{summary}"
    );
    for part in [" of NDJSON in ", " s, ", " of memory at the most"] {
        assert!(summary.contains(part), "{summary}");
    }
}
