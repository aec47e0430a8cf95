//! Why it cannot be told which task a worker is to do. No message holds the value of a variable other than the one that
//! was asked for, and that one only if it is a number.

use super::IndexFrom;
use crate::failure::{Cause, Failure, Policy};

/// Why it cannot be told which task a worker is to do.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(
        "cannot tell which task this worker is to do: {variable} is not set, in which {engine} says so\n  {}, or name the task by --task N",
        .engine.how_to_start()
    )]
    NotSet {
        engine: IndexFrom,
        variable: &'static str,
    },
    #[error(
        "cannot tell which task this worker is to do: none of {looked_for} is set, in which engines say so\n  \
         name the task by --task N, or the worker by --index I --of K"
    )]
    NoneSet { looked_for: String },
    #[error(
        "cannot tell which task this worker is to do: {found} are set, by more than one engine\n  \
         say which one counts: {choices}"
    )]
    SeveralSet { found: String, choices: String },
    #[error(
        "cannot tell which task this worker is to do: {variable}{} {why}\n  see what sets it, or name the task by --task N",
        .value.map(|value| format!("={value}")).unwrap_or_default()
    )]
    Wrong {
        variable: &'static str,
        value: Option<u64>,
        why: &'static str,
    },
    #[error(
        "cannot tell which task this worker is to do: --index {index} {why}\n  \
         --index-base says whether the first number is 0 or 1, --of how many workers there are"
    )]
    Given { index: u64, why: &'static str },
    #[error("there is no {what} of this name\n  it is one of: {known}")]
    Unknown { what: &'static str, known: String },
}

impl Failure for EngineError {
    fn policy(&self) -> Policy {
        Policy::EndRun(Cause::Request)
    }
}
