//! The environment, of which tests have their own.

use std::path::PathBuf;

/// Where values of parameters come from, apart from the address: the environment, which tests replace.
pub(super) trait Environment {
    /// A variable's value; `None` where it is not set or is no text.
    fn variable(&self, name: &str) -> Option<String>;
}

/// The process's own environment, with what is lent to the job that runs.
pub(super) struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        crate::environment::variable(name)?.into_string().ok()
    }
}

/// The user's folder.
pub(super) fn home(environment: &dyn Environment) -> Option<PathBuf> {
    environment
        .variable("HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from)
}
