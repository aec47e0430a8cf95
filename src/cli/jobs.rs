//! Jobs on the command line: their runs, and how the last ones went.

mod dry_run;
mod list;
mod program;
mod run;

pub(crate) use list::list;
pub(crate) use run::run;
