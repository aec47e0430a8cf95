//! Why a server, or the way to it, did not do what it was asked for.

use std::io;

/// What went wrong on one connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The server says so.
    #[error("{message} (SQLSTATE {sqlstate})")]
    Server {
        message: String,
        sqlstate: String,
        /// The server has closed the connection, too.
        fatal: bool,
    },
    /// The connection broke, or could not be made.
    #[error("{0}")]
    Broken(io::Error),
    /// No connection can be made like this, however often it is tried.
    #[error("{0}")]
    Setup(String),
    /// The server's answer makes no sense.
    #[error("the server's answer is not PostgreSQL's protocol: {0}")]
    Protocol(&'static str),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Broken(match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                io::Error::new(error.kind(), "the server closed the connection")
            }
            io::ErrorKind::WouldBlock => {
                io::Error::new(io::ErrorKind::TimedOut, "the server did not answer in time")
            }
            _ => error,
        })
    }
}

impl Failure {
    pub(super) fn sqlstate(&self) -> Option<&str> {
        match self {
            Failure::Server { sqlstate, .. } => Some(sqlstate),
            _ => None,
        }
    }

    /// True where the connection cannot be used any more.
    pub(super) fn ends_connection(&self) -> bool {
        match self {
            Failure::Server { fatal, .. } => *fatal,
            _ => true,
        }
    }

    /// True where nothing is wrong with what was asked for, so that asking again can help: a lost connection, a
    /// server that starts or is full, a conflict with recovery on a standby, a timeout.
    pub(super) fn passes(&self) -> bool {
        match self {
            Failure::Broken(_) => true,
            Failure::Setup(_) | Failure::Protocol(_) => false,
            Failure::Server { sqlstate, .. } => {
                matches!(
                    sqlstate.as_str(),
                    // serialization_failure (a conflict with recovery), deadlock_detected, lock_not_available,
                    // query_canceled, admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout,
                    // idle_in_transaction_session_timeout, transaction_timeout
                    "40001"
                        | "40P01"
                        | "55P03"
                        | "57014"
                        | "57P01"
                        | "57P02"
                        | "57P03"
                        | "57P05"
                        | "25P03"
                        | "25P04" // Not enough connections, memory or disk; a connection's troubles.
                ) || sqlstate.starts_with("53")
                    || sqlstate.starts_with("08")
            }
        }
    }

    /// True where the instant that was being read cannot be read by anyone any more.
    pub(super) fn loses_instant(&self) -> bool {
        // snapshot_too_old; database_dropped
        matches!(self.sqlstate(), Some("72000" | "57P04"))
    }
}
