//! The variables of the process, and over them those of the job that runs.
//!
//! A process that has threads cannot change its own variables safely. So what a job's file gives it (the keys of a bucket,
//! a password) is lent here for as long as the job runs. Whoever looks up a setting that a job may give asks here, and
//! not `std::env`.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::process::Command;
use std::sync::{PoisonError, RwLock};

/// What the names of this program's own variables begin with.
pub(crate) const OWN: &str = "RELEXPORT_";

/// Says what is logged, in the form of tracing's filters.
pub(crate) const LOG_VARIABLE: &str = "RELEXPORT_LOG";

/// Holds a password as if it stood in an address, which is a place that others can see.
pub(crate) const PASSWORD_VARIABLE: &str = "RELEXPORT_PASSWORD";

/// The run that a hook is started for. Where it is set, the program was started by a hook.
pub(crate) const RUN_ID: &str = "RELEXPORT_RUN_ID";

/// What a hook is told of its run.
pub(crate) const FACTS: [&str; 7] = [
    "RELEXPORT_JOB",
    RUN_ID,
    "RELEXPORT_STATUS",
    "RELEXPORT_EXIT_STATUS",
    "RELEXPORT_OUT",
    "RELEXPORT_MANIFEST",
    "RELEXPORT_ERROR",
];

static LENT: RwLock<BTreeMap<String, String>> = RwLock::new(BTreeMap::new());

/// The value of a variable.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    let lent = LENT.read().unwrap_or_else(PoisonError::into_inner);
    match lent.get(name) {
        Some(value) => Some(value.into()),
        None => env::var_os(name),
    }
}

/// All variables with their values.
pub fn variables() -> Vec<(OsString, OsString)> {
    let lent = LENT.read().unwrap_or_else(PoisonError::into_inner);
    let is_lent = |name: &OsStr| name.to_str().is_some_and(|name| lent.contains_key(name));
    let own = env::vars_os().filter(|(name, _)| !is_lent(name));
    let lent = lent.iter().map(|(name, value)| (name.into(), value.into()));
    own.chain(lent).collect()
}

/// Variables that are lent until this is dropped.
#[must_use]
pub struct LentVariables(());

/// Lends variables to the process. One set of them is lent at a time: jobs run one after another.
pub fn lend(variables: BTreeMap<String, String>) -> LentVariables {
    *LENT.write().unwrap_or_else(PoisonError::into_inner) = variables;
    LentVariables(())
}

impl Drop for LentVariables {
    fn drop(&mut self) {
        LENT.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Takes the variables that stand for options from a program of ours that is started: all that it is to do is in its
/// arguments.
pub(crate) fn without_options(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if text.starts_with(OWN) && ![LOG_VARIABLE, PASSWORD_VARIABLE].contains(&text) {
            command.env_remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lent_variables_stand_over_those_of_the_process_until_they_are_given_back() {
        let name = "A_VARIABLE_OF_A_TEST_OF_LENDING";
        assert_eq!(variable(name), None);
        let path = env::var_os("PATH");
        let lent = lend(BTreeMap::from([(name.to_owned(), "1".to_owned())]));
        assert_eq!(variable(name), Some("1".into()));
        assert_eq!(variable("PATH"), path);
        assert!(variables().contains(&(name.into(), "1".into())));
        drop(lent);
        assert_eq!(variable(name), None);
        assert!(!variables().contains(&(name.into(), "1".into())));
    }
}
