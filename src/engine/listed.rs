//! Numbers of tasks in the form in which an engine takes them, for those that have to be done again.

use std::str::FromStr;

use super::EngineError;

/// How numbers of tasks are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListAs {
    /// `3,7,19-22`.
    List,
    /// For `sbatch --array=`.
    Slurm,
    /// For `hq submit --array=`.
    HyperQueue,
    /// One number a line, for the standard input of `parallel`.
    Parallel,
    Kubernetes,
    GitlabCi,
}

impl ListAs {
    pub const ALL: [ListAs; 6] = [
        ListAs::List,
        ListAs::Slurm,
        ListAs::HyperQueue,
        ListAs::Parallel,
        ListAs::Kubernetes,
        ListAs::GitlabCi,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            ListAs::List => "list",
            ListAs::Slurm => "slurm",
            ListAs::HyperQueue => "hyperqueue",
            ListAs::Parallel => "parallel",
            ListAs::Kubernetes => "kubernetes",
            ListAs::GitlabCi => "gitlab-ci",
        }
    }
}

impl FromStr for ListAs {
    type Err = EngineError;

    fn from_str(name: &str) -> Result<ListAs, EngineError> {
        let found = ListAs::ALL.into_iter().find(|form| form.name() == name);
        found.ok_or_else(|| EngineError::Unknown {
            what: "form of a list of tasks",
            known: ListAs::ALL.map(ListAs::name).join(", "),
        })
    }
}

/// The numbers in ascending order, each once, without a line end behind the last. Neighbours are put together to a range
/// unless each has a line of its own. Nothing if there are none.
pub fn listed(missing: &[u64], form: ListAs) -> String {
    let mut numbers = missing.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    match form {
        ListAs::List
        | ListAs::Slurm
        | ListAs::HyperQueue
        | ListAs::Kubernetes
        | ListAs::GitlabCi => {
            let runs = numbers.chunk_by(|one, next| one.checked_add(1) == Some(*next));
            joined(runs.filter_map(range), ",")
        }
        ListAs::Parallel => joined(numbers.iter().map(u64::to_string), "\n"),
    }
}

/// A run of neighbours; `None` of none.
fn range(run: &[u64]) -> Option<String> {
    match run {
        [] => None,
        [only] => Some(only.to_string()),
        [first, .., last] => Some(format!("{first}-{last}")),
    }
}

fn joined(texts: impl Iterator<Item = String>, separator: &str) -> String {
    texts.collect::<Vec<_>>().join(separator)
}
