//! How far a relation, a batch and an export are, in GitLab's integers.

use serde::{Deserialize, Serialize};

/// Status of a relation, and of the whole export, with GitLab's integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i8", into = "i8")]
pub enum Status {
    Started,
    Finished,
    Failed,
}

impl From<Status> for i8 {
    fn from(status: Status) -> i8 {
        match status {
            Status::Started => 0,
            Status::Finished => 1,
            Status::Failed => -1,
        }
    }
}

impl TryFrom<i8> for Status {
    type Error = String;

    fn try_from(number: i8) -> Result<Self, String> {
        match number {
            0 => Ok(Status::Started),
            1 => Ok(Status::Finished),
            -1 => Ok(Status::Failed),
            _ => Err(format!("{number} is no status of a relation: 0, 1 or -1")),
        }
    }
}

/// Status of a batch, with GitLab's integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i8", into = "i8")]
pub enum BatchStatus {
    Created,
    Started,
    Finished,
    Failed,
}

impl From<BatchStatus> for i8 {
    fn from(status: BatchStatus) -> i8 {
        match status {
            BatchStatus::Created => 0,
            BatchStatus::Started => 2,
            BatchStatus::Finished => 1,
            BatchStatus::Failed => -1,
        }
    }
}

impl TryFrom<i8> for BatchStatus {
    type Error = String;

    fn try_from(number: i8) -> Result<Self, String> {
        match number {
            0 => Ok(BatchStatus::Created),
            2 => Ok(BatchStatus::Started),
            1 => Ok(BatchStatus::Finished),
            -1 => Ok(BatchStatus::Failed),
            _ => Err(format!("{number} is no status of a batch: 0, 1, 2 or -1")),
        }
    }
}
