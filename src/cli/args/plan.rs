//! The arguments of `relexport plan`, `work` and `commit`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use clap::{Args, Subcommand};

use super::GivenExport;
use super::parse::{local_path, location, memory};
use crate::cli::examples;
use crate::cli::exit::STATUS_HELP;
use crate::engine::{IndexFrom, ListAs};
use crate::output::Location;
use crate::snapshot::Spec;

/// Plan an export that many machines make
///
/// Cuts it into tasks, and stores the plan at the destination. `relexport work` makes a task, on any machine that reads the
/// snapshot and writes to the destination; `relexport commit` makes one export of what all of them have made, byte for
/// byte that of `relexport export`. Takes all options of `export`.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::PLAN)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct PlanArgs {
    #[command(subcommand)]
    pub command: Option<PlanCommand>,
    /// The folder to make, or a prefix of a bucket in which nothing lies
    ///
    /// The export lies there when it is committed, and the plan until then.
    #[arg(long, value_name = "DIR|URL", required = true, value_parser = location())]
    pub out: Option<Location>,
    /// How many tasks there are, at the most
    ///
    /// There are fewer if more would cost more than they win, since each reads its tables anew. Twice as many as there are
    /// workers at a time is enough.
    #[arg(long, value_name = "N", required = true)]
    pub tasks: Option<NonZeroU32>,
    /// Write a copy of the plan to this file, too
    #[arg(long, short, value_name = "FILE", value_parser = local_path())]
    pub output: Option<PathBuf>,
    /// Turn the snapshot into several, each with what some tasks need
    ///
    /// For what can only be read from its beginning to its end, such as a .sql.gz or a backup's tar. It is read once, into
    /// this folder or below this prefix of a bucket, which all workers must be able to read.
    #[arg(long, value_name = "DIR|URL", value_parser = location())]
    pub stage: Option<Location>,
    /// Print the plan as JSON on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub given: GivenExport,
}

#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    Status(PlanStatusArgs),
    /// Print the JSON Schema of plan.json
    Schema,
}

/// Which plan.
#[derive(Debug, Args)]
pub struct WhichPlanArgs {
    /// The plan: what --out of `relexport plan` was, or a copy of plan.json
    #[arg(long, value_name = "DIR|URL|FILE")]
    pub plan: String,
}

/// What the machine that works is like.
#[derive(Debug, Clone, Args)]
pub struct HereArgs {
    /// The snapshot, if this machine knows it by another name than the plan
    #[arg(long, short, value_name = "PATH|URL")]
    pub snapshot: Option<Spec>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Memory for kept rows; the rest goes to temp files
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = memory)]
    pub memory_limit: usize,
    /// The folder for temp files
    #[arg(long, value_name = "DIR", value_parser = local_path())]
    pub temp_dir: Option<PathBuf>,
}

/// Show how far a plan is
///
/// Exits with 1 if tasks are missing.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP)]
pub struct PlanStatusArgs {
    #[command(flatten)]
    pub plan: WhichPlanArgs,
    /// Print the numbers of missing tasks alone
    #[arg(long)]
    pub missing: bool,
    /// How the missing tasks are written
    ///
    /// As an engine takes them: list, slurm, hyperqueue, parallel (one a line), kubernetes or gitlab-ci.
    #[arg(long = "as", value_name = "ENGINE", default_value = "list", value_parser = list_as(), hide_possible_values = true)]
    pub list_as: ListAs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Make tasks of a plan
///
/// A task may be made twice, at the same time, too: the same bytes come of it. One that is made already is left alone.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::WORK)]
pub struct WorkArgs {
    #[command(flatten)]
    pub plan: WhichPlanArgs,
    /// The task's number, from 0
    #[arg(long, value_name = "N", required_unless_present_any = ["index", "index_from"])]
    #[arg(conflicts_with_all = ["index", "index_from"])]
    pub task: Option<u32>,
    /// The worker's number, where it is told by no engine
    #[arg(long, value_name = "I", conflicts_with = "index_from")]
    pub index: Option<u64>,
    /// How many workers there are
    ///
    /// If they are fewer than tasks, worker I makes tasks I, I+K, I+2K and so on.
    #[arg(long, value_name = "K", requires = "index")]
    pub of: Option<u64>,
    /// The number of the first worker
    #[arg(long, value_name = "0|1", default_value_t = 0, requires = "index", value_parser = clap::value_parser!(u64).range(0..=1))]
    pub index_base: u64,
    /// The engine whose variables tell the worker's number
    ///
    /// One of kubernetes, slurm, hyperqueue, gitlab-ci, aws-batch, google-batch, cloud-run, nomad, parallel, or auto: the one
    /// whose variable is set.
    #[arg(long, value_name = "ENGINE", value_parser = index_from(), hide_possible_values = true)]
    pub index_from: Option<IndexFrom>,
    /// Try a task so many times more if something was not ready
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub retries: u32,
    #[command(flatten)]
    pub here: HereArgs,
    /// Print what became of each task as JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// Make one export of what the tasks of a plan have made
///
/// Holds all of it against the plan, makes what is collected from several tasks, and writes the manifest. To do so twice is
/// harmless. While tasks are missing it lists them and exits with 1.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::COMMIT)]
pub struct CommitArgs {
    #[command(flatten)]
    pub plan: WhichPlanArgs,
    /// How missing tasks are written
    ///
    /// As an engine takes them: list, slurm, hyperqueue, parallel (one a line), kubernetes or gitlab-ci.
    #[arg(long = "as", value_name = "ENGINE", default_value = "list", value_parser = list_as(), hide_possible_values = true)]
    pub list_as: ListAs,
    #[command(flatten)]
    pub here: HereArgs,
    /// Print the manifest on standard output
    #[arg(long)]
    pub json: bool,
}

fn list_as() -> impl TypedValueParser<Value = ListAs> {
    PossibleValuesParser::new(ListAs::ALL.map(ListAs::name)).try_map(|name| {
        ListAs::ALL
            .into_iter()
            .find(|it| it.name() == name)
            .ok_or("unknown")
    })
}

fn index_from() -> impl TypedValueParser<Value = IndexFrom> {
    PossibleValuesParser::new(IndexFrom::ALL.map(IndexFrom::name)).try_map(|name| {
        IndexFrom::ALL
            .into_iter()
            .find(|it| it.name() == name)
            .ok_or("unknown")
    })
}
