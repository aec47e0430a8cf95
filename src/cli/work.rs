//! `relexport work`: tasks of a plan.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::args::WorkArgs;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::interrupt;
use super::planned;
use super::progress::Progress;
use super::stdout;
use crate::engine::{Index, index_from, tasks_of};
use crate::interruption::LOOK_EVERY;
use crate::output::SharedPlace;
use crate::plan::{self, Done, PlanError, PlanFile};

/// What is waited for before the second attempt; before each further one twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// What is waited for at the most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Runs the command.
pub(crate) fn run(args: &WorkArgs, console: &Console) -> Result<Exit, Failure> {
    let index = index(args)?;
    let found = plan::find(&args.plan.plan)?;
    let Some(plan) = &found.plan else {
        console.info(
            &format!(
                "{}: the plan is committed, and nothing is left to do",
                found.shown
            ),
            json!({"committed": true}),
        );
        return Ok(Exit::Success);
    };
    let tasks = match (args.task, &index) {
        (Some(task), _) => vec![task],
        (None, Some(index)) => own_tasks(index, plan, console),
        // clap requires one of them.
        (None, None) => Vec::new(),
    };
    let interrupted = interrupt::flag().map_err(|error| Failure::new(Exit::Output, error))?;
    let worker = Worker {
        args,
        console,
        plan,
        place: &found.place,
        interrupted,
    };
    let mut failed: Option<Failure> = None;
    for task in tasks {
        let Err(failure) = worker.task(task) else {
            continue;
        };
        if worker.is_interrupted() {
            return Err(failure);
        }
        // The others may go well. What may go well later says that this worker is worth beginning again.
        match &failed {
            Some(first) if failure.exit != Exit::TryAgain || first.exit == Exit::TryAgain => {
                failure.print(console);
            }
            Some(_) | None => {
                if let Some(first) = failed.replace(failure) {
                    first.print(console);
                }
            }
        }
    }
    match failed {
        None => Ok(Exit::Success),
        Some(failure) => Err(failure),
    }
}

/// The number of this worker, if it is told by one.
fn index(args: &WorkArgs) -> Result<Option<Index>, Failure> {
    if let Some(engine) = args.index_from {
        let variable = |name: &str| std::env::var(name).ok();
        return Ok(Some(index_from(engine, &variable)?));
    }
    let given = args
        .index
        .map(|index| Index::given(index, args.of, args.index_base));
    Ok(given.transpose()?)
}

fn own_tasks(index: &Index, plan: &PlanFile, console: &Console) -> Vec<u32> {
    let count = plan.tasks.len() as u64;
    let tasks = tasks_of(index, count);
    let said = &index.said;
    let text = match tasks.as_slice() {
        [] => format!("{said}: the plan has {count} tasks, so there is nothing to do"),
        [only] => format!("{said}: task {only} of {count}"),
        several => format!("{said}: {} of {count} tasks", several.len()),
    };
    console.info(
        &text,
        json!({"index": index.index, "total": index.total, "tasks": tasks}),
    );
    // A plan numbers its tasks by 32 bits.
    let tasks = tasks.into_iter();
    tasks.filter_map(|task| u32::try_from(task).ok()).collect()
}

struct Worker<'a> {
    args: &'a WorkArgs,
    console: &'a Console,
    plan: &'a PlanFile,
    place: &'a Arc<dyn SharedPlace>,
    interrupted: Arc<AtomicBool>,
}

impl Worker<'_> {
    /// Makes a task, and tries again what may go well later.
    fn task(&self, task: u32) -> Result<(), Failure> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        let done = loop {
            let error = match self.attempt(task) {
                Ok(done) => break done,
                Err(error) => error,
            };
            let is_last = attempt > self.args.retries || self.is_interrupted();
            let error = match error {
                Attempt::Plan(error) => error,
                Attempt::Failure(failure) => return Err(failure),
            };
            // A twin of it has made it, and with that the export: what this one still wrote to is gone.
            if plan::is_committed(&**self.place) {
                break Done::Already;
            }
            if !matches!(error, PlanError::Stopped) {
                plan::note_failure(&**self.place, task, &error);
            }
            if is_last || !error.may_pass() {
                return Err(error.into());
            }
            tracing::warn!(
                "task {task}, attempt {attempt}: {error}; trying again in {} s",
                pause.as_secs()
            );
            self.wait(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
            attempt += 1;
        };
        let seconds = started.elapsed().as_secs_f64();
        let (text, files) = match done {
            Done::Made { files } => (format!("task {task}: {files} files, {seconds:.1} s"), files),
            Done::Already => (format!("task {task}: was done already"), 0),
        };
        let fields = json!({"task": task, "already": done == Done::Already, "files": files, "seconds": seconds});
        if self.args.json {
            stdout::print_compact(&fields)?;
        }
        self.console.info(&text, fields);
        Ok(())
    }

    fn attempt(&self, task: u32) -> Result<Done, Attempt> {
        let request = planned::request(self.plan, &self.args.here, &self.interrupted, self.console);
        let request = request.map_err(Attempt::Failure)?;
        let mut progress = Progress::new(self.console);
        let done = plan::work(self.place, self.plan, task, request, &mut progress);
        progress.finish();
        done.map_err(Attempt::Plan)
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn wait(&self, pause: Duration) {
        let end = Instant::now() + pause;
        while Instant::now() < end && !self.is_interrupted() {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Why an attempt came to nothing.
enum Attempt {
    Plan(PlanError),
    /// What the machine lacks is not tried again.
    Failure(Failure),
}
