//! Hooks: programs of the user that are started around a run, as lists of arguments, without a shell.
//!
//! Each is the leader of a process group of its own, so that what it starts ends with it when its time is over. What it
//! prints goes into the log.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rustix::process::{Pid, Signal, kill_process_group};

use super::redactor::Redactor;
use crate::failure::{Cause, Failure, Policy};
use crate::visible::visible_message;

#[cfg(test)]
mod tests;

/// How often it is looked whether a hook has ended that prints nothing.
const LOOK: Duration = Duration::from_millis(20);

/// How long the last lines of a hook that has ended are waited for. What it left running may hold its output for ever.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Lines of a hook that are logged, and bytes of each.
const LINES: usize = 1000;
const LINE: u64 = 4096;

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookKind {
    Before,
    After,
    Success,
    Failure,
}

impl HookKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            HookKind::Before => "before",
            HookKind::After => "after",
            HookKind::Success => "success",
            HookKind::Failure => "failure",
        }
    }
}

/// What a hook is told of the run.
#[derive(Debug, Clone, Default)]
pub(crate) struct HookFacts<'f> {
    pub job: &'f str,
    pub run_id: &'f str,
    pub status: &'f str,
    pub exit_status: Option<u8>,
    pub out: Option<&'f str>,
    pub manifest: Option<&'f str>,
    pub error: Option<&'f str>,
}

impl HookFacts<'_> {
    /// The variables; those that say nothing are empty, so that none of an outer run is taken for this one's.
    fn variables(&self) -> [(&'static str, String); 7] {
        let text = |text: Option<&str>| text.unwrap_or_default().replace('\0', "");
        [
            ("RELEXPORT_JOB", self.job.to_owned()),
            ("RELEXPORT_RUN_ID", self.run_id.to_owned()),
            ("RELEXPORT_STATUS", self.status.to_owned()),
            (
                "RELEXPORT_EXIT_STATUS",
                self.exit_status
                    .map(|status| status.to_string())
                    .unwrap_or_default(),
            ),
            ("RELEXPORT_OUT", text(self.out)),
            ("RELEXPORT_MANIFEST", text(self.manifest)),
            // What hooks print of it ends on terminals and in mails.
            (
                "RELEXPORT_ERROR",
                visible_message(self.error.unwrap_or_default()),
            ),
        ]
    }
}

/// Why a hook has not done what it was to do. Its arguments may be secret, so only its program is named.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookError {
    #[error(
        "cannot start the {kind} hook {program}: {source}\n  name a program by its full path, and its arguments one by one"
    )]
    Start {
        kind: &'static str,
        program: String,
        source: std::io::Error,
    },
    #[error("the {kind} hook {program} failed: {how}\n  the log has what it printed")]
    Failed {
        kind: &'static str,
        program: String,
        how: String,
    },
    #[error(
        "the {kind} hook {program} was ended: it took longer than {seconds} s\n  \
         let it do less, or raise the time limit of hooks"
    )]
    TimeLimit {
        kind: &'static str,
        program: String,
        seconds: f64,
    },
    #[error("the {kind} hook {program} was ended: the run was interrupted")]
    Interrupted { kind: &'static str, program: String },
}

impl Failure for HookError {
    fn policy(&self) -> Policy {
        Policy::EndRun(match self {
            HookError::Start { .. } | HookError::Failed { .. } | HookError::TimeLimit { .. } => {
                Cause::Finding
            }
            HookError::Interrupted { .. } => Cause::Interruption,
        })
    }
}

/// How hooks are run.
#[derive(Debug)]
pub(crate) struct HookRunner<'h> {
    pub time_limit: Duration,
    pub redactor: &'h Redactor,
    /// Ends hooks that go before the export. The others run also after a signal: it is what they are to tell.
    pub interrupted: &'h AtomicBool,
}

impl HookRunner<'_> {
    /// Runs one hook to its end.
    ///
    /// # Errors
    /// If it cannot be started, fails, or takes too long.
    pub(crate) fn run(
        &self,
        kind: HookKind,
        arguments: &[String],
        facts: &HookFacts<'_>,
    ) -> Result<(), HookError> {
        let name = kind.as_str();
        let program = arguments.first().map_or("", String::as_str);
        let shown = || self.redactor.clean(program);
        let mut command = Command::new(program);
        command
            .args(arguments.iter().skip(1))
            .envs(facts.variables())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let started = Instant::now();
        let mut child = command.spawn().map_err(|source| HookError::Start {
            kind: name,
            program: shown(),
            source,
        })?;
        let lines = read_lines(&mut child);
        let mut log = HookLog {
            kind: name,
            redactor: self.redactor,
            logged: 0,
        };
        loop {
            match child.try_wait() {
                Ok(Some(status)) => {
                    log.rest(&lines);
                    return outcome(name, shown, status);
                }
                Ok(None) => {}
                Err(source) => {
                    end_group(&mut child);
                    return Err(HookError::Start {
                        kind: name,
                        program: shown(),
                        source,
                    });
                }
            }
            let is_interrupted =
                kind == HookKind::Before && self.interrupted.load(Ordering::Relaxed);
            if is_interrupted || started.elapsed() >= self.time_limit {
                end_group(&mut child);
                log.rest(&lines);
                return Err(match is_interrupted {
                    true => HookError::Interrupted {
                        kind: name,
                        program: shown(),
                    },
                    false => HookError::TimeLimit {
                        kind: name,
                        program: shown(),
                        seconds: self.time_limit.as_secs_f64(),
                    },
                });
            }
            match lines.recv_timeout(LOOK) {
                Ok(line) => log.line(&line),
                Err(RecvTimeoutError::Timeout) => {}
                // It has closed its output, and goes on.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
            }
        }
    }
}

/// What a hook prints, on its way to the log.
struct HookLog<'l> {
    kind: &'static str,
    redactor: &'l Redactor,
    logged: usize,
}

impl HookLog<'_> {
    fn line(&mut self, line: &str) {
        self.logged += 1;
        match self.logged {
            ..=LINES => tracing::info!("{} hook: {}", self.kind, self.redactor.clean(line)),
            logged if logged == LINES + 1 => {
                tracing::warn!(
                    "the {} hook prints more than {LINES} lines: the rest is left out",
                    self.kind
                );
            }
            _ => {}
        }
    }

    /// The lines of a hook that has ended.
    fn rest(&mut self, lines: &Receiver<String>) {
        let until = Instant::now() + LAST_LINES;
        while let Ok(line) = lines.recv_deadline(until) {
            self.line(&line);
        }
    }
}

fn outcome(
    kind: &'static str,
    program: impl Fn() -> String,
    status: ExitStatus,
) -> Result<(), HookError> {
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => return Ok(()),
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "it did not end by itself".to_owned(),
    };
    Err(HookError::Failed {
        kind,
        program: program(),
        how,
    })
}

/// Kills a hook with everything that it has started, unless that has left its group.
fn end_group(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group
        && let Err(error) = kill_process_group(group, Signal::KILL)
    {
        tracing::warn!("cannot end a hook's processes: {error}");
    }
    // One that cannot be killed was told of. Waited for, it leaves no zombie.
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads what a hook prints, on a thread for each of its two outputs. They end with its output, or with the receiver.
fn read_lines(child: &mut Child) -> Receiver<String> {
    let (lines, received) = bounded(16);
    let outputs = [
        child
            .stdout
            .take()
            .map(|output| Box::new(output) as Box<dyn Read + Send>),
        child
            .stderr
            .take()
            .map(|output| Box::new(output) as Box<dyn Read + Send>),
    ];
    for output in outputs.into_iter().flatten() {
        let lines = lines.clone();
        let thread = std::thread::Builder::new()
            .name("hook".to_owned())
            .spawn(move || send_lines(output, &lines));
        if let Err(error) = thread {
            tracing::warn!("what a hook prints is not logged: {error}");
        }
    }
    received
}

fn send_lines(output: impl Read, lines: &Sender<String>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        match output.by_ref().take(LINE).read_until(b'\n', &mut line) {
            Ok(1..) => {}
            // The end, or what cannot be read any more.
            Ok(0) | Err(_) => return,
        }
        let text = String::from_utf8_lossy(&line);
        if lines
            .send(text.trim_end_matches(['\n', '\r']).to_owned())
            .is_err()
        {
            return;
        }
    }
}
