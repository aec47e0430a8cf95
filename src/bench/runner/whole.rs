//! A whole export as a run: in a process of its own, so that its memory is its own and nothing is left of earlier runs.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::bench::point::Point;
use crate::environment;
use crate::output::Manifest;

use super::{BenchError, BenchRequest, is_interrupted, read_manifest};

/// How often to look whether the process has ended or a signal came. Its times are its own: this does not add to them.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Exports into a folder. Gives the manifest and the process's peak memory.
///
/// # Errors
/// Where the process cannot be started or fails, or a signal asks the bench to end.
pub(crate) fn export(
    request: &BenchRequest,
    point: &Point,
    out: &Path,
) -> Result<(Manifest, Option<u64>), BenchError> {
    let mut command = Command::new(&request.program);
    environment::without_options(&mut command);
    command
        .args(&request.arguments)
        .args(["--log-format", "json"])
        .args(["--batch-size", &point.batch_size.to_string()])
        .args(["--threads", &point.threads.to_string()])
        .args(["--gzip-level", &point.gzip_level.to_string()])
        .args(point.batched.then_some("--batched"))
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(BenchError::System)?;
    let mut stderr = child.stderr.take();
    let read = move || {
        let mut log = String::new();
        if let Some(stderr) = &mut stderr {
            // What cannot be read of the log is missing in a message, no more.
            let _ = stderr.read_to_string(&mut log);
        }
        log
    };
    let log = match std::thread::Builder::new().spawn(read) {
        Ok(log) => log,
        Err(error) => {
            // Nobody would read what it says, so that it would wait for ever.
            let _ = child.kill();
            let _ = child.wait();
            return Err(BenchError::System(error));
        }
    };
    let status = wait(&mut child, request)?;
    let log = log
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    if !status.success() {
        // Relations that failed are told by the manifest.
        if status.code() == Some(1)
            && let Ok(manifest) = read_manifest(out)
        {
            return Ok((manifest, None));
        }
        let message = last(&log, |line| {
            let is_error = line["level"] == "ERROR";
            line["message"]
                .as_str()
                .filter(|_| is_error)
                .map(str::to_owned)
        });
        return Err(BenchError::Process {
            point: *point,
            code: status.code(),
            message: message.unwrap_or_else(|| status.to_string()),
        });
    }
    let peak = last(&log, |line| line["peak_memory_bytes"].as_u64());
    Ok((read_manifest(out)?, peak))
}

fn wait(child: &mut Child, request: &BenchRequest) -> Result<ExitStatus, BenchError> {
    loop {
        match child.try_wait() {
            Ok(Some(_)) if is_interrupted(request) => return Err(BenchError::Interrupted),
            Ok(Some(status)) => return Ok(status),
            Ok(None) if is_interrupted(request) => {
                // What it has written lies in the bench's own folder, and its temp files have no names.
                let _ = child.kill();
                let _ = child.wait();
                return Err(BenchError::Interrupted);
            }
            Ok(None) => std::thread::sleep(LOOK_EVERY),
            Err(error) => return Err(BenchError::System(error)),
        }
    }
}

/// The last line of a log that has something.
fn last<T>(log: &str, something: impl Fn(&Value) -> Option<T>) -> Option<T> {
    log.lines()
        .rev()
        .filter_map(|line| serde_json::from_str(line).ok())
        .find_map(|line| something(&line))
}
