//! What a run of jobs has the program do: make an export of the arguments that a job comes to, and print.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use crate::civil::UtcTime;
use crate::cli::args::{ExportArgs, RunArgs};
use crate::cli::console::Console;
use crate::cli::effects;
use crate::cli::exit::{Exit, Failure};
use crate::cli::export::{self, ExportOrder};
use crate::cli::job_export::job_export;
use crate::cli::setup;
use crate::cli::stdout;
use crate::export::{ExportRequest, Unchanged, unchanged};
use crate::failure::Cause;
use crate::jobs::Job;
use crate::jobs::events::Event;
use crate::jobs::outcome::Ended;
use crate::jobs::runner::{Exported, Order, Program};

/// Makes exports of jobs.
pub(super) struct Exporting<'p> {
    args: &'p RunArgs,
    console: &'p Console,
    interrupted: Arc<AtomicBool>,
    /// Why a line could not be printed.
    unprinted: Option<Failure>,
}

impl<'p> Exporting<'p> {
    pub(super) fn new(
        args: &'p RunArgs,
        console: &'p Console,
        interrupted: Arc<AtomicBool>,
    ) -> Exporting<'p> {
        Exporting {
            args,
            console,
            interrupted,
            unprinted: None,
        }
    }

    /// Why a line could not be printed, once.
    pub(super) fn unprinted(&mut self) -> Option<Failure> {
        self.unprinted.take()
    }

    fn exported(&self, order: Order<'_>) -> Result<Exported, Failure> {
        let job = order.job;
        let mut args = job_export(job, &self.args.given, &order.snapshot, &order.place)?;
        args.force |= order.replaces;
        effects::check_job(&args)?;
        if job.skip_unchanged
            && let Some(place) = self.unchanged(job, &args)?
        {
            return Ok(Exported::Unchanged { place });
        }
        let exported = export::exported(
            &args,
            self.console,
            ExportOrder {
                interrupted: Arc::clone(&self.interrupted),
                job: Some(job.name.to_string()),
                judge: Some(order.judge),
            },
        )?;
        let exit = exported.exit();
        Ok(Exported::Done {
            place: exported.report.place,
            manifest: Box::new(exported.report.manifest),
            exit_status: exit as u8,
        })
    }
}

impl Exporting<'_> {
    /// The export that this one would be once more.
    ///
    /// # Errors
    /// Wrong usage. What cannot be compared is made.
    fn unchanged(&self, job: &Job, args: &ExportArgs) -> Result<Option<String>, Failure> {
        let request = ExportRequest {
            job: Some(job.name.to_string()),
            ..setup::request_until(args, self.console, Arc::clone(&self.interrupted))?
        };
        let compared = job.shelf().and_then(|shelf| match shelf {
            Some(shelf) => unchanged(&request, &*shelf, UtcTime::now())
                .map(|found| (found, shelf))
                .map(Some)
                .map_err(|error| error.to_string()),
            None => Ok(None),
        });
        match compared {
            Ok(Some((Unchanged::Same(name), shelf))) => Ok(Some(shelf.shown_export(&name))),
            Ok(Some((Unchanged::Changed(reason), _))) => {
                tracing::info!("job {}: not skipped: {reason}", job.name);
                Ok(None)
            }
            Ok(None) => {
                tracing::warn!(
                    "job {}: skip-unchanged has no effect, since each run replaces the one before it",
                    job.name
                );
                Ok(None)
            }
            Err(reason) => {
                tracing::warn!(
                    "job {}: not skipped, since nothing can be compared with: {reason}",
                    job.name
                );
                Ok(None)
            }
        }
    }
}

impl Program for Exporting<'_> {
    fn export(&mut self, order: Order<'_>) -> Result<Exported, Ended> {
        self.exported(order).map_err(|failure| Ended {
            exit_status: failure.exit as u8,
            message: failure.error.to_string(),
        })
    }

    fn exit_status(&self, cause: Cause) -> u8 {
        Exit::from(cause) as u8
    }

    fn tell(&mut self, event: &Event<'_>) {
        if !self.args.json || self.unprinted.is_some() {
            return;
        }
        if let Err(failure) = stdout::print_compact(event) {
            // The jobs go on: their exports are worth more than these lines. In the end it is told.
            self.unprinted = Some(failure);
        }
    }

    fn say(&mut self, job: &str, text: &str) {
        self.console.info(text, json!({"job": job}));
    }

    fn complain(&mut self, job: &str, exit_status: u8, text: &str) {
        self.console
            .error(text, json!({"job": job, "exit_status": exit_status}));
    }

    fn begin_log(&mut self) {
        self.console.tail().begin();
    }

    fn log(&self) -> String {
        self.console.tail().text()
    }
}
