//! Where the time of a run goes: the phases in the manifest, held against what the system says of the process.

use std::process::Command;

use crate::support::*;
use serde_json::Value;

/// CPU seconds in the output of the shell's `times`: its second line has those of its children, as `0m1.234s 0m0.56s`.
fn cpu_of_children(times: &str) -> f64 {
    let line = times.lines().nth(1).unwrap();
    let seconds = |text: &str| -> f64 {
        let (minutes, seconds) = text.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    line.split_whitespace().map(seconds).sum()
}

fn timings(run: &Run) -> Value {
    run.manifest()["timings"].clone()
}

const PHASES: [&str; 7] = [
    "read",
    "decompress",
    "scan",
    "resolve",
    "render",
    "compress",
    "write",
];

fn cpu(timings: &Value) -> f64 {
    let phases = PHASES.iter().map(|phase| timings[phase].as_f64().unwrap());
    phases.sum()
}

#[test]
fn phases_add_up_to_the_cpu_time_of_the_process() {
    let dir = Dir::new();
    let plain = dir.write("dump.sql", with_many_notes(20_000));
    for (command, file) in [("gzip -1 -kc", "dump.sql.gz"), ("cat", "copy.sql")] {
        let packed = dir.join(file);
        let made = Command::new("sh")
            .args(["-c", &format!("{command} \"$0\" > \"$1\"")])
            .args([&plain, &packed])
            .status();
        assert!(made.unwrap().success());
        let out = dir.join(&format!("out-{file}"));
        // The shell counts its children's time itself.
        let run = dir
            .export_to(&packed, &out)
            .group(4351)
            .through(["sh", "-c", "\"$@\" && times", "sh"])
            .ok();
        let whole = cpu_of_children(&run.stdout);
        let timings = &timings(&run);
        let sum = cpu(timings);
        assert!(
            sum > 0.9 * whole && sum < 1.1 * whole,
            "{sum} of {whole} s: {timings}"
        );
        assert_eq!(
            timings["decompress"].as_f64().unwrap() > 0.002 * sum,
            file == "dump.sql.gz",
            "{timings}"
        );
    }
}

#[test]
fn every_kind_of_snapshot_has_its_phases() {
    for (snapshot, decompresses) in [
        ("fixtures/gitlab.sql", false),
        ("fixtures/csv", true),
        (
            "fixtures/1700000000_2023_11_14_16.5.1-ee_gitlab_backup.tar",
            true,
        ),
    ] {
        let dir = Dir::new();
        let run = dir.export(project(snapshot)).group(4351).ok();
        let timings = timings(&run);
        let (wall, wait) = (
            timings["wall"].as_f64().unwrap(),
            timings["wait"].as_f64().unwrap(),
        );
        assert!(0.0 <= wait && wait <= wall, "{timings}");
        for phase in PHASES {
            let seconds = timings[phase].as_f64().unwrap();
            assert!(
                seconds > 0.0 || phase == "decompress" && !decompresses,
                "{phase}: {timings}"
            );
        }
    }
}

#[test]
fn an_unfinished_export_has_timings_too() {
    let dir = Dir::new();
    let broken = edit_field(&dump(), "labels", "id", "803", "created_at", "yesterday");
    let run = dir.export_text(&broken).run();
    assert_eq!(run.code, Some(1));
    assert!(timings(&run)["render"].as_f64() > Some(0.0));
}

#[test]
fn the_summary_tells_them_when_asked() {
    let dir = Dir::new();
    let export = |options: &[&str]| {
        let export = dir.relexport("export --group 4351 --force --out out");
        let export = export.option("--snapshot", project(DUMP)).args(options);
        export.ok().stderr
    };
    assert!(!export(&[]).contains("CPU"));
    let text = export(&["--timings"]);
    for part in ["CPU ", ": read ", ", compress ", ", write ", "; waited "] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    let log = export(&["--timings", "--log-format", "json"]);
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert!(last["timings"]["wall"].as_f64() > Some(0.0), "{last}");
}
