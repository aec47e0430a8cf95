//! The metrics file, as node_exporter and promtool read it, and the alert rules.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::*;

/// A program of `target/night-tools`; `None` where they cannot be had, which is not on Debian.
fn tool(name: &str) -> Option<PathBuf> {
    let path = project("target/night-tools/usr/bin").join(name);
    let is_there = path.exists();
    if !is_there {
        eprintln!("skipped: fixtures/install-tools has installed no {name}");
    }
    is_there.then_some(path)
}

/// Lets promtool say whether a file is right.
pub(super) fn assert_promtool_accepts(path: &Path) {
    let Some(promtool) = tool("promtool") else {
        return;
    };
    let checked = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(fs::File::open(path).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success(), "{said}");
    // It also has an opinion on names and help texts.
    assert_eq!(said, "", "{}", fs::read_to_string(path).unwrap());
}

/// A node_exporter that reads the files of a folder, on a port of its own.
struct NodeExporter {
    child: Child,
    address: String,
}

impl NodeExporter {
    fn start(folder: &Path) -> Option<NodeExporter> {
        let mut child = Command::new(tool("prometheus-node-exporter")?)
            .args(["--collector.disable-defaults", "--collector.textfile"])
            .arg(format!(
                "--collector.textfile.directory={}",
                folder.display()
            ))
            .args([
                "--web.listen-address=127.0.0.1:0",
                "--web.disable-exporter-metrics",
            ])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            let at = line.find("address=127.0.0.1:")?;
            Some(line[at + "address=".len()..].trim().to_owned())
        });
        // It never waits for its reader.
        std::thread::spawn(move || lines.for_each(drop));
        Some(NodeExporter {
            child,
            address: address.expect("it says where it listens"),
        })
    }

    /// What a Prometheus would get.
    fn scrape(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for NodeExporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of a metric of a job.
pub(super) fn metric(text: &str, name: &str, job: &str) -> f64 {
    let begin = format!("relexport_job_{name}{{job_name=\"{job}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&begin));
    let value = line.unwrap_or_else(|| panic!("no {begin}in {text}"));
    value.parse().unwrap()
}

#[test]
fn an_export_leaves_metrics_that_node_exporter_reads() {
    let dir = Dir::new();
    let file = dir.join("acme.prom");
    dir.export(project(DUMP))
        .group(4351)
        .option("--metrics-file", &file)
        // A service's own mask must not keep the collector out.
        .through(["sh", "-c", "umask 077; exec \"$@\"", "sh"])
        .ok();
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert_promtool_accepts(&file);
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(metric(&text, "last_exit_status", "acme"), 0.0);
    assert_eq!(metric(&text, "failed_relations", "acme"), 0.0);
    let lines: usize = RELATIONS
        .iter()
        .map(|relation| expected(4351, relation))
        .map(|bytes| bytes.iter().filter(|byte| **byte == b'\n').count().max(1))
        .sum();
    let empty = RELATIONS
        .iter()
        .filter(|relation| expected(4351, relation).is_empty())
        .count();
    assert_eq!(metric(&text, "rows", "acme"), (lines - empty) as f64);
    let success = metric(&text, "last_success_timestamp_seconds", "acme");
    assert_eq!(success, metric(&text, "last_run_timestamp_seconds", "acme"));
    if let Some(exporter) = NodeExporter::start(dir.path()) {
        let scraped = exporter.scrape();
        assert!(
            scraped.contains("node_textfile_scrape_error 0"),
            "{scraped}"
        );
        for line in text.lines().filter(|line| line.starts_with("# TYPE")) {
            assert!(scraped.contains(line), "no {line} in {scraped}");
        }
        assert_eq!(
            metric(&scraped, "last_success_timestamp_seconds", "acme"),
            success
        );
    }
}

#[test]
fn two_files_have_the_same_help_so_that_node_exporter_reads_both() {
    let dir = Dir::new();
    for (group, file) in [(4351, "one.prom"), (7001, "two.prom")] {
        dir.export_to(project(DUMP), dir.join(file.trim_end_matches(".prom")))
            .group(group)
            .option("--metrics-file", dir.join(file))
            .ok();
    }
    if let Some(exporter) = NodeExporter::start(dir.path()) {
        let scraped = exporter.scrape();
        assert!(
            scraped.contains("node_textfile_scrape_error 0"),
            "{scraped}"
        );
        for job in ["one", "two"] {
            assert_eq!(metric(&scraped, "last_exit_status", job), 0.0);
        }
    }
}

#[test]
fn an_export_that_fails_carries_the_last_success_over() {
    let dir = Dir::new();
    let file = dir.join("acme.prom");
    let export = |snapshot: PathBuf, out: &str| {
        let program = dir.export_to(snapshot, dir.join(out));
        program.group(4351).option("--metrics-file", &file)
    };
    export(project(DUMP), "monday").ok();
    let monday = fs::read_to_string(&file).unwrap();
    export(dir.join("missing.sql"), "tuesday").fails(3, &["there is no such file"]);
    let tuesday = fs::read_to_string(&file).unwrap();
    assert_promtool_accepts(&file);
    assert_eq!(metric(&tuesday, "last_exit_status", "acme"), 3.0);
    assert_eq!(metric(&tuesday, "rows", "acme"), 0.0);
    let success = "last_success_timestamp_seconds";
    assert_eq!(
        metric(&tuesday, success, "acme"),
        metric(&monday, success, "acme")
    );
    // The same with a place that is taken.
    export(project(DUMP), "monday").fails(2, &["is there already"]);
    let wednesday = fs::read_to_string(&file).unwrap();
    assert_eq!(metric(&wednesday, "last_exit_status", "acme"), 2.0);
    assert_eq!(
        metric(&wednesday, success, "acme"),
        metric(&monday, success, "acme")
    );
}

#[test]
fn a_metrics_file_that_cannot_be_written_is_told_before_anything_is_read() {
    let dir = Dir::new();
    let thesis = dir.write("thesis.txt", "years of work\n");
    dir.export(project(DUMP))
        .group(4351)
        .option("--metrics-file", &thesis)
        .fails(2, &["holds something other than relexport's metrics"])
        .left_nothing();
    assert_eq!(fs::read_to_string(&thesis).unwrap(), "years of work\n");
    dir.export(project(DUMP))
        .group(4351)
        .option("--metrics-file", dir.join("missing/acme.prom"))
        .fails(4, &["its folder is not there"])
        .left_nothing();
}

#[test]
fn a_name_that_node_exporter_does_not_read_is_warned_of() {
    let dir = Dir::new();
    let run = dir
        .export(project(DUMP))
        .group(4351)
        .option("--metrics-file", dir.join("acme.txt"))
        .ok();
    assert!(
        run.stderr.contains("whose names end in .prom"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_alert_rules_tell_of_what_is_stale_ahead_failed_and_suspect() {
    let Some(promtool) = tool("promtool") else {
        return;
    };
    let folder = project("packaging/prometheus");
    for arguments in [
        ["check", "rules", "relexport.rules.yml"],
        ["test", "rules", "relexport.rules.test.yml"],
    ] {
        let run = Command::new(&promtool)
            .args(arguments)
            .current_dir(&folder)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        let complained = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(run.status.success(), "{said}{complained}");
    }
    // Rules of metrics that nobody writes would be silent for ever.
    let rules = fs::read_to_string(folder.join("relexport.rules.yml")).unwrap();
    let dir = Dir::new();
    let file = dir.join("acme.prom");
    dir.export(project(DUMP))
        .group(4351)
        .option("--metrics-file", &file)
        .ok();
    let text = fs::read_to_string(&file).unwrap();
    let words = rules.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    let names: Vec<&str> = words
        .filter(|word| word.starts_with("relexport_job_"))
        .collect();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        assert!(text.contains(&format!("# TYPE {name} gauge")), "{name}");
    }
}
