use std::os::unix::fs::PermissionsExt;

use super::*;

fn run(job: &str) -> JobMetrics {
    JobMetrics {
        job: job.to_owned(),
        ended: 1_795_903_200,
        last_success: Some(1_795_903_200),
        exit_status: 0,
        is_suspect: false,
        duration: Duration::from_millis(61_500),
        rows: 1234,
        bytes: 56_789,
        failed_relations: 0,
    }
}

fn failed(job: &str, ended: u64) -> JobMetrics {
    JobMetrics {
        ended,
        last_success: None,
        exit_status: 3,
        rows: 0,
        bytes: 0,
        ..run(job)
    }
}

fn samples(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(str::to_owned).collect()
}

#[test]
fn a_run_is_eight_gauges_with_a_line_end_behind_each() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("acme.prom");
    MetricsFile::new(&path).put(&run("acme")).unwrap();
    assert_eq!(
        samples(&path),
        [
            "relexport_job_last_run_timestamp_seconds{job_name=\"acme\"} 1795903200",
            "relexport_job_last_success_timestamp_seconds{job_name=\"acme\"} 1795903200",
            "relexport_job_last_exit_status{job_name=\"acme\"} 0",
            "relexport_job_suspect{job_name=\"acme\"} 0",
            "relexport_job_duration_seconds{job_name=\"acme\"} 61.500",
            "relexport_job_rows{job_name=\"acme\"} 1234",
            "relexport_job_bytes{job_name=\"acme\"} 56789",
            "relexport_job_failed_relations{job_name=\"acme\"} 0",
        ]
    );
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.ends_with("} 0\n"), "{text:?}");
    assert_eq!(text.matches("# TYPE ").count(), 8);
    assert_eq!(text.matches(" gauge\n").count(), 8);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn the_last_success_outlives_failures() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("acme.prom");
    let file = MetricsFile::new(&path);
    file.put(&run("acme")).unwrap();
    file.put(&failed("acme", 1_795_989_600)).unwrap();
    file.put(&failed("acme", 1_796_076_000)).unwrap();
    let samples = samples(&path);
    assert_eq!(
        samples[..3],
        [
            "relexport_job_last_run_timestamp_seconds{job_name=\"acme\"} 1796076000",
            "relexport_job_last_success_timestamp_seconds{job_name=\"acme\"} 1795903200",
            "relexport_job_last_exit_status{job_name=\"acme\"} 3",
        ]
    );
    assert_eq!(samples.len(), 8);
}

#[test]
fn a_job_that_never_succeeded_says_so_by_a_zero() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("acme.prom");
    MetricsFile::new(&path).put(&failed("acme", 5)).unwrap();
    let line = "relexport_job_last_success_timestamp_seconds{job_name=\"acme\"} 0".to_owned();
    assert!(samples(&path).contains(&line));
}

#[test]
fn what_is_said_of_other_jobs_stays() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("all.prom");
    let file = MetricsFile::new(&path);
    let odd = "a \"quoted\\\nname";
    file.put(&run(odd)).unwrap();
    let alone = samples(&path);
    file.put(&failed("acme", 5)).unwrap();
    let both = samples(&path);
    assert_eq!(both.len(), 16);
    assert!(alone.iter().all(|line| both.contains(line)));
    assert!(alone[0].contains("{job_name=\"a \\\"quoted\\\\\\nname\"}"));
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("thesis.txt");
    for text in [
        "years of work\n",
        "node_load1 0.5\n",
        "relexport_job_rows{job_name=\"a\"}\n",
        "relexport_job_rows{job_name=\"a} 1\n",
        "relexport_job_rows{job_name=\"a\"} one\n",
    ] {
        fs::write(&path, text).unwrap();
        let file = MetricsFile::new(&path);
        for error in [
            file.check().unwrap_err(),
            file.put(&run("acme")).unwrap_err(),
        ] {
            assert!(
                matches!(error, MetricsError::SomethingElse { .. }),
                "{text}"
            );
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_folder_that_is_not_there_is_told_before_anything_is_done() {
    let temp = tempfile::tempdir().unwrap();
    let file = MetricsFile::new(&temp.path().join("missing/acme.prom"));
    let error = file.check().unwrap_err().to_string();
    assert!(error.contains("its folder is not there"), "{error}");
    assert!(!temp.path().join("missing").exists());
}
