//! How often and how long a bucket is asked: ours to say, so that a server that answers nothing but 500 ends a run in
//! minutes, and one that restarts does not.

use std::time::Duration;

use object_store::{BackoffConfig, RetryConfig};

use super::error::BucketError;
use crate::environment;

/// Limits of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How often it is sent at most.
    pub(crate) tries: usize,
    /// After this time since it was first sent, it is not sent again.
    pub(crate) total: Duration,
    /// How long a connection may take.
    pub(crate) connect: Duration,
    /// How long one try may go without an answer: while a part is sent, and between two pieces of an answer.
    pub(crate) idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            tries: 10,
            total: Duration::from_secs(180),
            connect: Duration::from_secs(10),
            // Three parts of 8 MiB at once get through 2 Mbit/s in this time.
            idle: Duration::from_secs(120),
        }
    }
}

/// The variables, and what each is.
pub(super) const TRIES: &str = "RELEXPORT_BUCKET_TRIES";
pub(super) const TOTAL: &str = "RELEXPORT_BUCKET_TOTAL_SECONDS";
pub(super) const CONNECT: &str = "RELEXPORT_BUCKET_CONNECT_SECONDS";
pub(super) const IDLE: &str = "RELEXPORT_BUCKET_IDLE_SECONDS";

/// All of them.
pub(crate) const LIMIT_VARIABLES: [&str; 4] = [TRIES, TOTAL, CONNECT, IDLE];

impl Limits {
    /// The limits that the environment says.
    ///
    /// # Errors
    /// If one is no number from 1 on.
    pub(super) fn from_environment() -> Result<Limits, BucketError> {
        Limits::from(|name| {
            environment::variable(name).map(|value| value.to_string_lossy().into_owned())
        })
    }

    fn from(variable: impl Fn(&'static str) -> Option<String>) -> Result<Limits, BucketError> {
        let number = |name: &'static str| match variable(name) {
            None => Ok(None),
            Some(text) => match text.parse::<u32>() {
                Ok(number @ 1..=86_400) => Ok(Some(number)),
                Ok(_) | Err(_) => Err(BucketError::Setting {
                    variable: name.to_owned(),
                    reason: "it has to be a number from 1 to 86400".to_owned(),
                }),
            },
        };
        let seconds = |name| {
            number(name).map(|number| number.map(|number| Duration::from_secs(number.into())))
        };
        let default = Limits::default();
        Ok(Limits {
            tries: number(TRIES)?.map_or(default.tries, |number| number as usize),
            total: seconds(TOTAL)?.unwrap_or(default.total),
            connect: seconds(CONNECT)?.unwrap_or(default.connect),
            idle: seconds(IDLE)?.unwrap_or(default.idle),
        })
    }

    /// As the crate takes them.
    pub(super) fn retry(&self) -> RetryConfig {
        RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(15),
                base: 2.0,
            },
            max_retries: self.tries - 1,
            retry_timeout: self.total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_environment_and_else_ours() {
        let limits = Limits::from(|name| (name == IDLE).then(|| "7".to_owned())).unwrap();
        assert_eq!(limits.idle, Duration::from_secs(7));
        assert_eq!(limits.tries, 10);
        assert_eq!(limits.retry().max_retries, 9);
    }

    #[test]
    fn a_limit_that_is_no_number_from_1_on_is_refused_by_its_name() {
        for text in ["0", "-1", "", "1s", "86401", "99999999999"] {
            let error = Limits::from(|name| (name == TRIES).then(|| text.to_owned())).unwrap_err();
            assert!(error.to_string().contains(TRIES), "{text}: {error}");
        }
    }
}
