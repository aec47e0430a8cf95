use std::fs;

use super::*;

/// Runs a shell script as a hook.
fn run(kind: HookKind, script: &str, limit: Duration) -> Result<(), HookError> {
    let arguments = ["/bin/sh", "-c", script].map(str::to_owned);
    run_list(kind, &arguments, limit)
}

fn run_list(kind: HookKind, arguments: &[String], limit: Duration) -> Result<(), HookError> {
    let runner = HookRunner {
        time_limit: limit,
        redactor: &Redactor::default(),
        interrupted: &AtomicBool::new(false),
    };
    let facts = HookFacts {
        job: "acme",
        run_id: "7",
        status: "failed",
        exit_status: Some(3),
        out: Some("/exports/a b"),
        manifest: None,
        error: Some("no room\n  make room"),
    };
    runner.run(kind, arguments, &facts)
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_hook_is_told_of_the_run_and_no_shell_reads_its_arguments() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("facts").display().to_string();
    let script = "printf '%s|' \"$RELEXPORT_JOB\" \"$RELEXPORT_RUN_ID\" \"$RELEXPORT_STATUS\" \
                  \"$RELEXPORT_EXIT_STATUS\" \"$RELEXPORT_OUT\" \"$RELEXPORT_MANIFEST\" \"$RELEXPORT_ERROR\" \"$2\" > \"$1\"";
    let arguments = ["/bin/sh", "-c", script, "sh", &out, "$HOME; *"].map(str::to_owned);
    run_list(HookKind::Failure, &arguments, LONG).unwrap();
    assert_eq!(
        fs::read_to_string(out).unwrap(),
        "acme|7|failed|3|/exports/a b||no room\n  make room|$HOME; *|"
    );
}

#[test]
fn a_hook_that_fails_or_is_not_there_is_told_by_its_program_alone() {
    let error = run(HookKind::Before, "exit 7", LONG)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("the before hook /bin/sh failed: exit status 7\n"),
        "{error}"
    );
    let error = run(HookKind::After, "kill -9 $$", LONG)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("the after hook /bin/sh failed: ended by signal 9\n"),
        "{error}"
    );
    let missing = ["/nowhere/hook", "--password=hunter2"].map(str::to_owned);
    let error = run_list(HookKind::Success, &missing, LONG)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot start the success hook /nowhere/hook: "),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_hook_that_hangs_is_ended_with_all_that_it_started() {
    let temp = tempfile::tempdir().unwrap();
    let pid = temp.path().join("pid");
    let script = format!("sleep 1000 & echo $! > {}; wait", pid.display());
    // The shell has written the number long before; without it the next line fails.
    let error = run(HookKind::After, &script, Duration::from_secs(2)).unwrap_err();
    assert!(matches!(error, HookError::TimeLimit { .. }), "{error}");
    let pid = fs::read_to_string(pid).unwrap();
    let stat = format!("/proc/{}/stat", pid.trim());
    // Whoever adopts it may not have waited for it yet.
    while let Ok(stat) = fs::read_to_string(&stat) {
        if stat.contains(") Z ") {
            break;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_hook_whose_child_keeps_its_output_open_ends_all_the_same() {
    let temp = tempfile::tempdir().unwrap();
    let pid = temp.path().join("pid");
    let script = format!("sleep 1000 & echo $! > {}", pid.display());
    run(HookKind::After, &script, LONG).unwrap();
    let pid = fs::read_to_string(pid).unwrap();
    let killed = Command::new("kill").args(["-9", pid.trim()]).status();
    assert!(
        killed.unwrap().success(),
        "what it left running was left alone"
    );
}

#[test]
fn only_a_hook_before_the_export_ends_with_a_signal() {
    let interrupted = AtomicBool::new(true);
    let runner = HookRunner {
        time_limit: LONG,
        redactor: &Redactor::default(),
        interrupted: &interrupted,
    };
    let run = |kind, script: &str| {
        let arguments = ["/bin/sh", "-c", script].map(str::to_owned);
        runner.run(kind, &arguments, &HookFacts::default())
    };
    let error = run(HookKind::Before, "sleep 1000").unwrap_err();
    assert!(matches!(error, HookError::Interrupted { .. }), "{error}");
    run(HookKind::Failure, "true").unwrap();
}
