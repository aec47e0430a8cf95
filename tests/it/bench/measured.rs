//! `relexport bench`: what is measured is what an export writes, and whatever ends a bench leaves what was measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// `relexport bench` in the project's folder, with the test's folder for temp files; arguments are split at blanks.
fn bench(dir: &Dir, arguments: &str) -> Program {
    relexport("bench")
        .args(arguments.split_whitespace())
        .env("TMPDIR", dir.path())
}

fn result(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A result in a folder of the test.
fn measured(dir: &Dir, arguments: &str) -> Value {
    let out = dir.join("bench");
    // Some tests measure more than once.
    bench(dir, &format!("{arguments} --force --out {}", out.display())).ok();
    result(&out.join("bench.json"))
}

fn hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

const FIXTURE: &str = "--snapshot fixtures/gitlab.sql --group 4351";

#[test]
fn rows_bytes_and_files_are_those_of_an_export() {
    for from in ["resolved", "snapshot"] {
        let dir = Dir::new();
        let result = measured(
            &dir,
            &format!(
                "{FIXTURE} --batch-sizes 3,1000 --gzip-levels 1,6 --threads 2 --batched --unbatched --runs 2 --from {from}"
            ),
        );
        let points = result["points"].as_array().unwrap();
        assert_eq!(points.len(), 8, "{from}");
        for point in points {
            let (size, level) = (&point["batch_size"], &point["gzip_level"]);
            let batched = point["batched"].as_bool().unwrap();
            let run = Dir::new()
                .export_to(project("fixtures/gitlab.sql"), dir.join("export"))
                .group(4351)
                .args(["--force", "--batch-size", &size.to_string()])
                .args(["--gzip-level", &level.to_string()])
                .args(batched.then_some("--batched"))
                .ok();
            let name = format!("{from}, {size}, {level}, {batched}");
            let objects: u64 = run
                .relations()
                .iter()
                .map(|entry| entry["total_objects_count"].as_u64().unwrap())
                .sum();
            let bytes: usize = run.packed().values().map(Vec::len).sum();
            let ndjson: usize = run.contents().values().map(Vec::len).sum();
            assert_eq!(point["records"], objects, "{name}");
            assert_eq!(point["bytes"], bytes, "{name}");
            assert_eq!(point["ndjson_bytes"], ndjson, "{name}");
            assert_eq!(point["files"], run.files().len(), "{name}");
            assert_eq!(point["runs"].as_array().unwrap().len(), 2, "{name}");
            assert!(
                point["peak_memory_bytes"].as_u64() > Some(1 << 20),
                "{name}"
            );
        }
        // The records are the expected ones, whatever the batches.
        let content = result["content"].as_array().unwrap();
        assert_eq!(content.len(), RELATIONS.len());
        for (entry, relation) in content.iter().zip(RELATIONS) {
            assert_eq!(entry["relation"], relation);
            assert_eq!(
                entry["sha256"],
                hex(&expected(4351, relation)),
                "{relation}"
            );
        }
        assert_eq!(
            files_below(&dir.join("bench")),
            ["bench.csv", "bench.html", "bench.json"]
        );
    }
}

#[test]
fn a_result_names_machine_snapshot_and_options() {
    let dir = Dir::new();
    let result = measured(
        &dir,
        &format!("{FIXTURE} --batch-sizes 10 --runs 1 --warmup 0 --relations labels,boards"),
    );
    assert_eq!(result["bench_version"], 1);
    assert_eq!(result["snapshot"]["kind"], "plain");
    assert_eq!(result["snapshot"]["source"], "gitlab.sql");
    let size = fs::metadata(project("fixtures/gitlab.sql")).unwrap().len();
    assert_eq!(result["snapshot"]["size_bytes"], size);
    assert_eq!(result["snapshot"]["server_version"], "15.18");
    assert!(result["machine"]["cores"].as_u64() >= Some(1));
    let options = &result["options"];
    assert_eq!(
        options["relations"],
        serde_json::json!(["labels", "boards"])
    );
    assert_eq!(options["groups"], serde_json::json!(["4351"]));
    // A stream is read once, unless told otherwise.
    assert_eq!(options["from"], "resolved");
    assert!(result["finding"]["scan"].as_f64() > Some(0.0));
    assert_eq!(result["recommendation"]["batch_size"], 10);
    let csv = measured(
        &dir,
        "--snapshot fixtures/csv --group 4351 --batch-sizes 10 --runs 1",
    );
    assert_eq!(csv["options"]["from"], "snapshot");
    assert_eq!(csv["snapshot"]["kind"], "csv");
    assert_eq!(csv["finding"], Value::Null);
}

#[test]
fn the_json_is_as_its_schema_says() {
    let dir = Dir::new();
    let schema = bench(&dir, "schema").json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut result = measured(&dir, &format!("{FIXTURE} --batch-sizes 5,50 --runs 2"));
    let mistakes: Vec<String> = validator
        .iter_errors(&result)
        .map(|mistake| mistake.to_string())
        .collect();
    assert_eq!(mistakes, [""; 0]);
    result["points"][0]["batch_size"] = 0.into();
    assert!(!validator.is_valid(&result));
    // The project's own copy, for those who have no program at hand.
    let documented = fs::read_to_string(project("docs/bench.schema.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&documented).unwrap(), schema);
}

#[test]
fn the_csv_has_a_line_for_each_run() {
    let dir = Dir::new();
    let result = measured(&dir, &format!("{FIXTURE} --batch-sizes 5,50 --runs 3"));
    let mut csv = csv::Reader::from_path(dir.join("bench/bench.csv")).unwrap();
    let names = csv.headers().unwrap().clone();
    let lines: Vec<_> = csv.records().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 6);
    let field = |line: usize, name: &str| {
        let place = names.iter().position(|other| other == name).unwrap();
        lines[line][place].to_owned()
    };
    for line in 0..6 {
        let point = &result["points"][line / 3];
        let run = &point["runs"][line % 3];
        assert_eq!(field(line, "batch_size"), point["batch_size"].to_string());
        assert_eq!(field(line, "run"), (line % 3 + 1).to_string());
        assert_eq!(field(line, "bytes"), point["bytes"].to_string());
        for name in ["wall", "wait", "render", "compress", "write"] {
            let seconds: f64 = field(line, &format!("{name}_seconds")).parse().unwrap();
            assert_eq!(Some(seconds), run["timings"][name].as_f64(), "{name}");
        }
        assert_eq!(
            field(line, "peak_memory_bytes"),
            run["peak_memory_bytes"].to_string()
        );
    }
}

#[test]
fn the_terminal_shows_the_points_and_which_to_take() {
    let dir = Dir::new();
    let text = bench(&dir, &format!("{FIXTURE} --batch-sizes 1,1000 --runs 2")).prints();
    for part in [
        "BATCH SIZE",
        "RECORDS/S",
        "COMPRESS",
        "WAIT",
        "batch size 1",
        "2 runs of each cannot show what is noise",
        "2 runs of each point (",
        "gzip level 6, batched)",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    // Rows that are found once are not decompressed by any run.
    assert!(!text.contains("DECOMPRESS"), "{text}");
    // Nothing is left where exports were written.
    assert_eq!(files_below(dir.path()), [""; 0]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let json = bench(&dir, &format!("{FIXTURE} --batch-sizes 1 --runs 1 --json")).json();
    assert_eq!(json["bench_version"], 1);
}

/// The lines of tables: those that begin with a head in capitals, up to the next empty line.
fn table_lines(text: &str) -> Vec<&str> {
    let is_head = |line: &str| line.trim_start().starts_with("BATCH SIZE");
    let blocks = text.split("\n\n").filter(|block| is_head(block));
    blocks.flat_map(str::lines).collect()
}

#[test]
fn the_tables_fit_a_terminal_of_80_columns() {
    let dir = Dir::new();
    for arguments in [
        "--batch-sizes 1,1000 --runs 1 --warmup 0",
        "--batch-sizes 1,1000 --threads 1,2 --gzip-levels 1,6 --batched --unbatched --runs 1 --from snapshot",
    ] {
        let text = bench(&dir, &format!("{FIXTURE} {arguments}")).prints();
        let lines = table_lines(&text);
        assert!(lines.len() >= 6, "{text}");
        for line in lines {
            assert!(line.chars().count() <= 80, "{line}");
        }
        // Rows that are found once are not looked for by any run.
        assert_eq!(text.contains("SCAN"), arguments.contains("snapshot"));
    }
}

#[test]
fn how_long_it_takes_is_said_before_and_after_the_first_run() {
    let dir = Dir::new();
    let ran = bench(
        &dir,
        &format!("{FIXTURE} --batch-sizes 5,50 --runs 2 --warmup 1"),
    )
    .run();
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(
        lines[0],
        "6 runs: 2 combinations, each 1 to warm up and 2 that count; \
         about 1 s by the snapshot's size; the first run tells more"
    );
    assert!(lines[1].starts_with("the first run took "), "{lines:?}");
    assert!(lines[1].contains("; the 5 others take about "), "{lines:?}");
    let whole = bench(
        &dir,
        &format!("{FIXTURE} --batch-sizes 5 --runs 1 --warmup 0 --from snapshot"),
    )
    .run();
    assert!(
        whole
            .stderr
            .starts_with("1 runs: 1 combination, each 0 to warm up and 1 that count; about 1 s by"),
        "{}",
        whole.stderr
    );
    let quiet = bench(&dir, &format!("{FIXTURE} --batch-sizes 5 --runs 1 --quiet")).run();
    assert_eq!(quiet.stderr, "");
}

// The page.

/// Opens a page in Chromium, with a log of its network and its console. Gives the console's lines, the addresses that
/// the page itself asked for, and the page as it is when it is shown.
fn browse(
    dir: &Dir,
    page: &Path,
    name: &str,
    options: &[&str],
) -> (Vec<String>, Vec<String>, PathBuf) {
    let (log, shot) = (dir.join("net.json"), dir.join(&format!("{name}.png")));
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--hide-scrollbars",
            "--window-size=1180,1500",
            "--enable-logging=stderr",
            "--host-resolver-rules=MAP * ~NOTFOUND",
        ])
        .args(options)
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(format!("--log-net-log={}", log.display()))
        .arg(format!("--screenshot={}", shot.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("chromium is there; fixtures/install-tools installs it");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(fs::metadata(&shot).unwrap().len() > 5000, "{stderr}");
    let console = stderr
        .lines()
        .filter(|line| line.contains(":CONSOLE:"))
        .map(str::to_owned)
        .collect();
    let log = result(&log);
    let start = &log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"];
    assert!(start.is_number());
    let asked = log["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == *start)
        // What the browser wants for itself has no origin.
        .filter(|event| event["params"]["initiator"] != "not an origin")
        // Such an event has an end, too, which does not say the address again.
        .filter_map(|event| event["params"]["url"].as_str().map(str::to_owned))
        .collect();
    (console, asked, shot)
}

#[test]
fn the_page_is_shown_without_an_error_or_a_request() {
    let dir = Dir::new();
    // A page that does both shows that both would be seen.
    let probe = dir.write(
        "probe.html",
        "<!doctype html><script>nosuch()</script><p>probe</p><img src='http://127.0.0.1:9/x.png'>",
    );
    let (console, asked, _) = browse(&dir, &probe, "probe", &[]);
    assert!(
        console.iter().any(|line| line.contains("nosuch")),
        "{console:?}"
    );
    assert_eq!(asked, ["http://127.0.0.1:9/x.png"]);

    measured(
        &dir,
        &format!("{FIXTURE} --batch-sizes 1,3,1000 --threads 1,2 --gzip-levels 1,6 --runs 2"),
    );
    let page = dir.join("bench/bench.html");
    for (name, scheme) in [("light", "1"), ("dark", "0")] {
        let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
        let (console, asked, shot) = browse(&dir, &page, name, &[&scheme]);
        assert_eq!(console, [""; 0]);
        assert_eq!(asked, [""; 0]);
        // Where somebody wants to look at it.
        if let Some(folder) = std::env::var_os("RELEXPORT_SCREENSHOTS") {
            let to = Path::new(&folder).join(format!("bench-{name}.png"));
            fs::copy(&shot, to).unwrap();
        }
    }
    assert_ne!(
        fs::read(dir.join("light.png")).unwrap(),
        fs::read(dir.join("dark.png")).unwrap()
    );
    let html = fs::read_to_string(&page).unwrap();
    // A chart each for speed, memory, size and files, and one of the phases with a bar for each point.
    assert_eq!(html.matches("<svg ").count(), 5);
    assert_eq!(html.matches("<polyline ").count(), 4 * 4);
    assert_eq!(html.matches("<circle ").count(), 4 * 12);
    assert_eq!(html.matches("class=\"name\"").count(), 12);
    // Speed and memory have noise, size and files have none.
    assert_eq!(html.matches("<path class=\"error ").count(), 2 * 12);
    assert!(!html.contains("://"), "an address");
}

#[test]
fn names_from_outside_cannot_become_markup() {
    let dir = Dir::new();
    let name = "a<script>alert(1)<'&\".sql";
    let path = dir.write(name, dump());
    let measured = "--group 4351 --batch-sizes 9 --runs 1 --relations labels";
    bench(&dir, measured)
        .option("--snapshot", path)
        .option("--out", dir.join("bench"))
        .ok();
    let html = fs::read_to_string(dir.join("bench/bench.html")).unwrap();
    assert!(!html.contains("<script"));
    assert!(html.contains("a&lt;script&gt;alert(1)&lt;&#39;&amp;&quot;.sql"));
}

// What can be wrong.

#[test]
fn wrong_arguments_are_told_before_anything_is_read() {
    let dir = Dir::new();
    let nowhere = "--snapshot nothing-here.sql --group 1";
    let many = (1..=1001)
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join(",");
    for (arguments, says) in [
        ("--batch-sizes 100,0", "a batch has from 1"),
        ("--batch-sizes 100,many", "a batch has from 1"),
        ("--batch-sizes 100,,200", "a batch has from 1"),
        ("--threads 0", "0 is not in 1..=1024"),
        ("--threads 2,2000", "2000 is not in 1..=1024"),
        ("--gzip-levels 6,10", "10 is not in 1..=9"),
        ("--runs 0", "0 is not in 1..=100"),
        ("--warmup 101", "101 is not in 0..=100"),
        ("--relations labels,lables", "cannot export relation lables"),
        (
            "--relations lables",
            "its relations are: milestones, badges",
        ),
        ("--from nowhere", "possible values: resolved, snapshot"),
        ("--out Cargo.toml", "Cargo.toml is a file"),
        (
            &format!("--batch-sizes {many}"),
            "1001 combinations are too many",
        ),
    ] {
        bench(&dir, &format!("{nowhere} {arguments}")).fails(2, &[says]);
    }
    bench(&dir, "--group 1").fails(2, &["--snapshot"]);
    bench(&dir, "--snapshot x").fails(2, &["--group"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_pipe_is_read_once_or_not_at_all() {
    let dir = Dir::new();
    let arguments = "--snapshot - --group 4351 --batch-sizes 4 --runs 1";
    bench(&dir, &format!("{arguments} --from snapshot"))
        .fails(2, &["a pipe cannot be read", "--from resolved"]);
    let result = bench(&dir, &format!("{arguments} --json"))
        .stdin(fs::File::open(project("fixtures/gitlab.sql")).unwrap())
        .json();
    assert_eq!(result["points"][0]["records"], 73);
    assert_eq!(result["snapshot"]["fingerprint"], Value::Null);
}

#[test]
fn what_cannot_be_exported_cannot_be_measured() {
    let dir = Dir::new();
    for from in ["resolved", "snapshot"] {
        let run = |snapshot: &str, more: &str| {
            bench(
                &dir,
                &format!("--snapshot {snapshot} --from {from} --runs 1 --batch-sizes 4 {more}"),
            )
        };
        run("nothing-here.sql", "--group 1").fails(
            if from == "resolved" { 3 } else { 2 },
            &[if from == "resolved" {
                "no such file"
            } else {
                "pipe"
            }],
        );
        let out = dir.join("none");
        let unknown = format!("--group 99 --out {}", out.display());
        run("fixtures/gitlab.sql", &unknown).fails(3, &["99"]);
        assert!(!out.exists());
        let broken = edit_field(&dump(), "labels", "id", "803", "created_at", "yesterday");
        let path = dir.write("broken.sql", broken);
        let path = path.display().to_string();
        run(&path, "--group 4351").fails(
            1,
            &["relation labels of group_4351", "created_at", "--relations"],
        );
        run(&path, "--group 4351 --relations badges").ok();
    }
}

/// The fixture with so many more labels, whose descriptions hardly compress.
fn with_many_labels(count: u64) -> String {
    let dump = dump();
    let head = copy_block(&dump, "labels").lines().next().unwrap();
    let columns: Vec<&str> = head.split(['(', ')']).nth(1).unwrap().split(", ").collect();
    edit_rows(&dump, "labels", |rows| {
        let mut rows = rows.to_owned();
        for number in 0..count {
            let fields: Vec<String> = columns
                .iter()
                .map(|column| match *column {
                    "id" => (500_000 + number).to_string(),
                    "title" => format!("label {number}"),
                    "description" => (0..16)
                        .map(|part| hex(format!("{number} {part}").as_bytes()))
                        .collect(),
                    "group_id" => "4351".to_owned(),
                    "type" => "GroupLabel".to_owned(),
                    "color" => "#ff0000".to_owned(),
                    "template" | "archived" | "lock_on_merge" => "f".to_owned(),
                    _ => "\\N".to_owned(),
                })
                .collect();
            rows.push_str(&fields.join("\t"));
            rows.push('\n');
        }
        rows
    })
}

#[test]
fn a_full_disk_leaves_the_points_that_were_finished() {
    let dir = Dir::new();
    let path = dir.write("dump.sql", with_many_labels(1000));
    for from in ["resolved", "snapshot"] {
        let out = dir.join(from);
        // 100 labels are some 60 KB compressed, 1000 are ten times as much: more than 200 KB.
        bench(
            &dir,
            &format!(
                "--snapshot {} --group 4351 --relations labels --batch-sizes 100,1000 --runs 2 --warmup 0 --from {from} --out {}",
                path.display(),
                out.display()
            ),
        )
        .with_small_files(400)
        .fails(4, &["cannot write the export"]);
        let result = result(&out.join("bench.json"));
        let points = result["points"].as_array().unwrap();
        assert_eq!(points.len(), 1, "{from}");
        assert_eq!(points[0]["batch_size"], 100);
        assert_eq!(points[0]["runs"].as_array().unwrap().len(), 1);
        assert!(
            result["stopped"]
                .as_str()
                .unwrap()
                .contains("cannot write the export")
        );
        assert_eq!(files_below(&out), ["bench.csv", "bench.html", "bench.json"]);
    }
    // Where not even a report can be written, what was measured is on the terminal, and the first error is told.
    let ran = bench(
        &dir,
        &format!(
            "--snapshot {} --group 4351 --relations labels --out {}",
            path.display(),
            dir.join("none").display()
        ),
    );
    ran.with_small_files(0)
        .fails(4, &["cannot write the export"]);
    let ran = bench(
        &dir,
        &format!(
            "--snapshot fixtures/gitlab.sql --group 4351 --relations badges --runs 1 --out {}",
            dir.join("little").display()
        ),
    );
    let ran = ran
        .with_small_files(8)
        .fails(4, &["cannot write", "bench.json"]);
    assert!(ran.stdout.contains("BATCH SIZE"), "{}", ran.stderr);
}

#[test]
fn an_interrupted_bench_leaves_the_points_that_were_finished() {
    let dir = Dir::new();
    for from in ["resolved", "snapshot"] {
        let out = dir.join(from);
        let mut started = bench(
            &dir,
            &format!("{FIXTURE} --batch-sizes 1,2 --runs 100 --warmup 0 --from {from} -v --log-format json --out {}", out.display()),
        )
        .start();
        // Its fourth run begins: of both points some runs are behind.
        started.wait_for_line("\"run\":4,");
        started.signal("INT");
        let run = started.wait();
        assert_eq!(run.code, Some(130), "{}", run.stderr);
        assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
        let result = result(&out.join("bench.json"));
        assert_eq!(result["stopped"], "interrupted");
        let points = result["points"].as_array().unwrap();
        assert_eq!(points.len(), 2);
        for point in points {
            let runs = point["runs"].as_array().unwrap().len();
            assert!((1..100).contains(&runs), "{runs}");
        }
        assert_eq!(files_below(&out), ["bench.csv", "bench.html", "bench.json"]);
    }
}

// Comparisons.

/// A result, changed and written under another name.
fn changed(dir: &Dir, name: &str, result: &Value, change: impl FnOnce(&mut Value)) -> String {
    let mut result = result.clone();
    change(&mut result);
    let path = dir.write(name, serde_json::to_vec(&result).unwrap());
    path.display().to_string()
}

/// Gives every run of the first point these wall times.
fn walls(result: &mut Value, walls: &[f64]) {
    let runs = result["points"][0]["runs"].as_array_mut().unwrap();
    let first = runs[0].clone();
    *runs = walls
        .iter()
        .map(|wall| {
            let mut run = first.clone();
            run["timings"]["wall"] = (*wall).into();
            run
        })
        .collect();
}

#[test]
fn a_change_beyond_the_noise_is_told() {
    let dir = Dir::new();
    let result = measured(
        &dir,
        &format!("{FIXTURE} --batch-sizes 10 --runs 5 --relations labels"),
    );
    let file =
        |name: &str, times: &[f64]| changed(&dir, name, &result, |result| walls(result, times));
    let before = file("before.json", &[1.00, 1.01, 1.02, 1.03, 1.04]);
    let same = file("same.json", &[1.005, 1.015, 1.02, 1.025, 1.035]);
    let slower = file("slower.json", &[1.10, 1.11, 1.12, 1.13, 1.14]);
    let faster = file("faster.json", &[0.50, 0.51, 0.52, 0.53, 0.54]);
    let few = file("few.json", &[1.5, 1.5]);
    let compare = |a: &str, b: &str, more: &str| bench(&dir, &format!("compare {a} {b} {more}"));
    let wall = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("wall ")).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };

    let text = compare(&before, &slower, "").prints();
    assert!(wall(&text).contains("1.020 s 1.120 s +9.8 %"), "{text}");
    assert!(wall(&text).ends_with("slower"), "{text}");
    let text = compare(&before, &same, "--fail-if-slower 0").prints();
    assert!(wall(&text).ends_with('%'), "{text}");
    let text = compare(&before, &faster, "--fail-if-slower 0").prints();
    assert!(wall(&text).ends_with("faster"), "{text}");
    compare(&before, &slower, "--fail-if-slower 12").ok();
    compare(&before, &slower, "--fail-if-slower 5%")
        .fails(1, &["slower by more than 5 %: batch size 10"]);
    // Too few runs to tell: no good end for a script that wants to know.
    assert!(compare(&before, &few, "").prints().contains("too few runs"));
    let fails_with_table = |program: Program, says: &str| {
        let run = program.fails(3, &[says]);
        assert!(run.stdout.contains("MEASURE"), "{}", run.stdout);
    };
    fails_with_table(
        compare(&before, &few, "--fail-if-slower 5"),
        "4 runs in both files are enough",
    );

    let other = changed(&dir, "other.json", &result, |result| {
        result["points"][0]["batch_size"] = 11.into();
    });
    compare(&before, &other, "").fails(3, &["no point in common"]);
    let elsewhere = changed(&dir, "elsewhere.json", &result, |result| {
        result["machine"]["cores"] = 512.into();
        result["content"][0]["sha256"] = "0".into();
        result["generator"] = "relexport 0.0.1".into();
    });
    fails_with_table(
        compare(&before, &elsewhere, "--fail-if-slower 5"),
        "the records that were written differ",
    );
    let text = compare(&before, &elsewhere, "").prints();
    for note in [
        "the machines differ",
        "the records that were written differ",
        "against relexport 0.0.1",
    ] {
        assert!(text.contains(note), "{text}");
    }
}

#[test]
fn what_is_no_result_cannot_be_compared() {
    let dir = Dir::new();
    let text = dir.write("text.json", "once upon a time");
    let newer = dir.write("newer.json", r#"{"bench_version": 2}"#);
    let other = dir.write("other.json", r#"{"manifest_version": 1}"#);
    for (path, says) in [
        (dir.join("missing.json"), "cannot read"),
        (text, "is no result of a bench"),
        (newer, "bench version 2, but this program reads version 1"),
        (other, "is no result of a bench"),
    ] {
        let path = path.display();
        bench(&dir, &format!("compare {path} {path}")).fails(3, &[says]);
    }
    bench(&dir, "compare one.json").fails(2, &["B.json"]);
    for percent in ["-1", "much", "NaN"] {
        bench(&dir, &format!("compare a b --fail-if-slower={percent}")).fails(2, &["in per cent"]);
    }
}
