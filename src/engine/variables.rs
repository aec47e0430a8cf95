//! The variables in which engines tell a worker its number.
//!
//! From the engines' own documentation: Kubernetes 1.33 (Indexed Jobs), Slurm 22.05 to 25.05, HyperQueue 0.26, GitLab 19,
//! AWS Batch, Google Batch, Cloud Run Jobs, Nomad 1.10, GNU parallel 20221122.

use std::fmt;
use std::str::FromStr;

use super::{EngineError, Index, numbered};

/// Who says which worker this one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexFrom {
    Kubernetes,
    Slurm,
    HyperQueue,
    GitlabCi,
    AwsBatch,
    GoogleBatch,
    CloudRun,
    Nomad,
    Parallel,
    /// The one engine whose variable is set.
    Auto,
}

/// How an engine tells a worker its number.
struct Variables {
    index: &'static str,
    /// The first worker's number.
    base: u64,
    total: Total,
    /// What to do if the number is not there.
    how_to_start: &'static str,
}

/// Where the number of workers is from.
enum Total {
    /// The engine does not say it, so a worker's number is its task's.
    Unsaid,
    /// A variable that is set whenever the number is. The numbers are all those below it.
    In(&'static str),
    /// Slurm's arrays are any numbers that the user lists.
    OfArray,
}

impl IndexFrom {
    pub const ALL: [IndexFrom; 10] = [
        IndexFrom::Kubernetes,
        IndexFrom::Slurm,
        IndexFrom::HyperQueue,
        IndexFrom::GitlabCi,
        IndexFrom::AwsBatch,
        IndexFrom::GoogleBatch,
        IndexFrom::CloudRun,
        IndexFrom::Nomad,
        IndexFrom::Parallel,
        IndexFrom::Auto,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            IndexFrom::Kubernetes => "kubernetes",
            IndexFrom::Slurm => "slurm",
            IndexFrom::HyperQueue => "hyperqueue",
            IndexFrom::GitlabCi => "gitlab-ci",
            IndexFrom::AwsBatch => "aws-batch",
            IndexFrom::GoogleBatch => "google-batch",
            IndexFrom::CloudRun => "cloud-run",
            IndexFrom::Nomad => "nomad",
            IndexFrom::Parallel => "parallel",
            IndexFrom::Auto => "auto",
        }
    }

    /// `None` for the one that is any of the others.
    fn variables(self) -> Option<Variables> {
        let (index, base, total, how_to_start) = match self {
            IndexFrom::Kubernetes => (
                "JOB_COMPLETION_INDEX",
                0,
                Total::Unsaid,
                "make it a Job with completionMode: Indexed",
            ),
            IndexFrom::Slurm => (
                "SLURM_ARRAY_TASK_ID",
                0,
                Total::OfArray,
                "start it as an array (sbatch --array=0-39)",
            ),
            IndexFrom::HyperQueue => (
                "HQ_TASK_ID",
                0,
                Total::Unsaid,
                "start it as an array (hq submit --array=0-39)",
            ),
            IndexFrom::GitlabCi => (
                "CI_NODE_INDEX",
                1,
                Total::In("CI_NODE_TOTAL"),
                "give the job the key parallel: 8",
            ),
            IndexFrom::AwsBatch => (
                "AWS_BATCH_JOB_ARRAY_INDEX",
                0,
                Total::In("AWS_BATCH_JOB_ARRAY_SIZE"),
                "start it as an array job (arrayProperties, of size 2 or more)",
            ),
            IndexFrom::GoogleBatch => (
                "BATCH_TASK_INDEX",
                0,
                Total::In("BATCH_TASK_COUNT"),
                "start it as a task group with taskCount",
            ),
            IndexFrom::CloudRun => (
                "CLOUD_RUN_TASK_INDEX",
                0,
                Total::In("CLOUD_RUN_TASK_COUNT"),
                "start it as a job with --tasks",
            ),
            IndexFrom::Nomad => (
                "NOMAD_ALLOC_INDEX",
                0,
                Total::Unsaid,
                "start it as a batch job whose group has a count",
            ),
            IndexFrom::Parallel => ("PARALLEL_SEQ", 1, Total::Unsaid, "start it by GNU parallel"),
            IndexFrom::Auto => return None,
        };
        Some(Variables {
            index,
            base,
            total,
            how_to_start,
        })
    }

    /// What to do if the engine did not say the worker's number.
    pub(super) fn how_to_start(self) -> &'static str {
        match self.variables() {
            Some(variables) => variables.how_to_start,
            None => "start it by one of the engines",
        }
    }
}

impl fmt::Display for IndexFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for IndexFrom {
    type Err = EngineError;

    fn from_str(name: &str) -> Result<IndexFrom, EngineError> {
        let found = IndexFrom::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| EngineError::Unknown {
            what: "engine",
            known: IndexFrom::ALL.map(IndexFrom::name).join(", "),
        })
    }
}

/// Which worker this one is, by what an engine says. `lookup` gives the value of a variable that is set, whatever it is
/// set to; of one that is not Unicode, any text that is no number will do.
///
/// # Errors
/// The engine does not say it, or says what cannot be; or no engine does or several do, and any was asked.
pub fn index_from(
    kind: IndexFrom,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Index, EngineError> {
    let (kind, variables) = match kind.variables() {
        Some(variables) => (kind, variables),
        None => the_only(lookup)?,
    };
    let Some(number) = number_of(variables.index, lookup)? else {
        return Err(EngineError::NotSet {
            engine: kind,
            variable: variables.index,
        });
    };
    let total = match variables.total {
        Total::Unsaid => None,
        // Without it, a part of the tasks could be passed over.
        Total::In(variable) => match number_of(variable, lookup)? {
            Some(total) => Some(total),
            None => {
                return Err(EngineError::NotSet {
                    engine: kind,
                    variable,
                });
            }
        },
        Total::OfArray => workers_of_array(variables.index, number, lookup)?,
    };
    let said = format!("{}={number}", variables.index);
    numbered(number, total, variables.base, said).map_err(|why| EngineError::Wrong {
        variable: variables.index,
        value: Some(number),
        why,
    })
}

/// The one engine that says something.
fn the_only(
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<(IndexFrom, Variables), EngineError> {
    let engines = || {
        let all = IndexFrom::ALL.into_iter();
        all.filter_map(|kind| Some((kind, kind.variables()?)))
    };
    let mut found: Vec<(IndexFrom, Variables)> = engines()
        .filter(|(_, variables)| lookup(variables.index).is_some())
        .collect();
    if found.len() > 1 {
        let names = found.iter().map(|(_, variables)| variables.index);
        let choices = found.iter().map(|(kind, _)| format!("--index-from {kind}"));
        return Err(EngineError::SeveralSet {
            found: names.collect::<Vec<_>>().join(" and "),
            choices: choices.collect::<Vec<_>>().join(" or "),
        });
    }
    found.pop().ok_or_else(|| {
        let names = engines().map(|(_, variables)| variables.index);
        EngineError::NoneSet {
            looked_for: names.collect::<Vec<_>>().join(", "),
        }
    })
}

/// How many workers a Slurm array has, if its numbers are those from 0 to one less than that.
///
/// Any other array (`--array=3,7,19-22`, tasks that are done again) lists tasks: its numbers are theirs, and taking steps
/// of its size would do others.
fn workers_of_array(
    index: &'static str,
    number: u64,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<u64>, EngineError> {
    let first = number_of("SLURM_ARRAY_TASK_MIN", lookup)?;
    let last = number_of("SLURM_ARRAY_TASK_MAX", lookup)?;
    let count = number_of("SLURM_ARRAY_TASK_COUNT", lookup)?;
    if first.is_some_and(|first| number < first) || last.is_some_and(|last| number > last) {
        return Err(EngineError::Wrong {
            variable: index,
            value: Some(number),
            why: "lies outside of SLURM_ARRAY_TASK_MIN and SLURM_ARRAY_TASK_MAX",
        });
    }
    let is_whole =
        first == Some(0) && last.is_some() && count == last.and_then(|last| last.checked_add(1));
    Ok(count.filter(|_| is_whole))
}

/// The whole number in a variable; `None` if it is not set.
fn number_of(
    variable: &'static str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<u64>, EngineError> {
    let Some(value) = lookup(variable) else {
        return Ok(None);
    };
    // Rust would take a sign, which no engine writes.
    let digits = Some(value).filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(EngineError::Wrong {
            variable,
            value: None,
            why: "holds no whole number from 0 on",
        }),
    }
}
