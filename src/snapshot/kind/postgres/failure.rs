//! Why a server, or the way to it, did not do what it was asked for.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use tokio_postgres::Error;
use tokio_postgres::error::Severity;

use crate::snapshot::error::SnapshotError;
use crate::time_span;

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
    /// The server has sent nothing for so long, though an answer of it was awaited. The option says how long that may be.
    #[error("the server stalled: no byte has come from it for {}", time_span::shown(*.silence))]
    Stalled {
        silence: Duration,
        option: &'static str,
    },
    /// The run is to end.
    #[error("interrupted")]
    Interrupted,
    /// The server's answer makes no sense.
    #[error("the server's answer is not PostgreSQL's protocol: {0}")]
    Protocol(&'static str),
}

/// What a socket says when something else than a server answers.
#[derive(Debug, thiserror::Error)]
#[error("its first byte is none that a server answers with")]
pub(super) struct NoServer;

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Broken(error)
    }
}

const NOT_UNDERSTOOD: Failure = Failure::Protocol("a message cannot be understood");

/// What the server says, if it says anything.
fn of_server(error: &Error) -> Option<Failure> {
    let said = error.as_db_error()?;
    Some(Failure::Server {
        // Details and hints may hold values of rows.
        message: said.message().to_owned(),
        sqlstate: said.code().code().to_owned(),
        fatal: said.parsed_severity() != Some(Severity::Error),
    })
}

impl Failure {
    /// The server has ended the connection without a word.
    pub(super) fn closed() -> Self {
        Failure::Broken(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the server closed the connection",
        ))
    }

    pub(super) fn timed_out() -> Self {
        Failure::Broken(io::Error::new(
            io::ErrorKind::TimedOut,
            "the server did not answer in time",
        ))
    }

    /// What went wrong with a query's answer.
    pub(super) fn of_answer(error: Error) -> Self {
        match of_server(&error) {
            Some(failure) => failure,
            None if error.is_closed() => Failure::closed(),
            // The crate names no cause of this alone.
            None if error.source().is_none() => {
                Failure::Protocol("a message that does not belong here")
            }
            None => NOT_UNDERSTOOD,
        }
    }

    /// Why a connection has ended that was there.
    pub(super) fn of_connection(error: Error) -> Self {
        if let Some(failure) = of_server(&error) {
            return failure;
        }
        if error.is_closed() {
            return Failure::closed();
        }
        match of_socket(error) {
            Ok(error) => of_wire(error),
            Err(_) => Failure::Protocol("a message that does not belong here"),
        }
    }

    /// Why nobody could log in.
    ///
    /// What the crate has found out itself it says in words only; tests hold them.
    pub(super) fn of_login(error: Error) -> Self {
        if let Some(failure) = of_server(&error) {
            return failure;
        }
        if error.is_closed() {
            return Failure::closed();
        }
        let kind = error.to_string();
        let cause = error.source().map(ToString::to_string);
        match cause.as_deref() {
            None => return Failure::Protocol("a message that does not belong here"),
            Some("password missing") => return Failure::Setup(
                "the server wants a password, and none is given; put it into ~/.pgpass or PGPASSWORD"
                    .to_owned(),
            ),
            Some("server did not use channel binding") => return Failure::Setup(
                "channel_binding=require, and the server asks for a password without it".to_owned(),
            ),
            Some("server does not support TLS") => return Failure::Setup(
                "the server does not do TLS, and sslmode wants it".to_owned(),
            ),
            Some("unsupported authentication method" | "unsupported SASL mechanism") => {
                return Failure::Setup(
                    "the server wants a way to authenticate that is not supported (password, md5 and \
                     scram-sha-256 are, and client certificates)"
                        .to_owned(),
                );
            }
            Some(_) if kind == "authentication error" => {
                return Failure::Protocol("SCRAM authentication went wrong");
            }
            Some(_) if kind == "error encoding message to server" => {
                return Failure::Protocol("a text holds a zero byte");
            }
            Some(_) => {}
        }
        match of_socket(error) {
            // A certificate that is not trusted stays so, however often it is looked at.
            Ok(error) => match error.get_ref() {
                Some(inner) if inner.is::<rustls::Error>() => {
                    Failure::Setup(format!("TLS with the server failed: {inner}"))
                }
                _ => of_wire(error),
            },
            Err(error) => Failure::Setup(format!("the server cannot be logged in to: {error}")),
        }
    }

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
            // The silence was long enough to be sure.
            Failure::Stalled { .. } | Failure::Interrupted => false,
            Failure::Setup(_) | Failure::Protocol(_) => false,
            Failure::Server { sqlstate, .. } => {
                // Connections, memory or disk.
                let is_short_of_something = sqlstate.starts_with("53");
                let is_of_connection = sqlstate.starts_with("08");
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
                        | "25P04"
                        // duplicate_prepared_statement: behind a pooler, somebody else may have used the crate's name, which
                        // is another one each time.
                        | "42P05"
                ) || is_short_of_something
                    || is_of_connection
            }
        }
    }

    /// True if the server itself says so that the whole run, begun later, may not meet it. One that refuses connections or
    /// has no socket says nothing: mostly its address is wrong, or nobody has started it.
    pub(super) fn may_pass_later(&self) -> bool {
        match self {
            Failure::Broken(_) | Failure::Stalled { .. } | Failure::Interrupted => false,
            Failure::Setup(_) | Failure::Protocol(_) | Failure::Server { .. } => self.passes(),
        }
    }

    /// What it is of a snapshot if it is the end of a wait, which no other try makes good.
    pub(super) fn end_of_wait(&self, server: &str) -> Option<SnapshotError> {
        match self {
            Failure::Stalled { silence, option } => Some(SnapshotError::Stalled {
                path: server.to_owned(),
                silence: *silence,
                option,
            }),
            Failure::Interrupted => Some(SnapshotError::Interrupted),
            Failure::Server { .. }
            | Failure::Broken(_)
            | Failure::Setup(_)
            | Failure::Protocol(_) => None,
        }
    }

    /// True where a session that was to adopt a snapshot is told that there is none of that name, or none any more.
    pub(super) fn is_of_snapshot(&self) -> bool {
        // invalid_parameter_value, object_not_in_prerequisite_state, undefined_object
        matches!(self.sqlstate(), Some("22023" | "55000" | "42704")) && !self.ends_connection()
    }

    /// True where the instant that was being read cannot be read by anyone any more.
    pub(super) fn loses_instant(&self) -> bool {
        // snapshot_too_old; database_dropped
        matches!(self.sqlstate(), Some("72000" | "57P04"))
    }
}

/// What is wrong with the bytes that came, or with the way they took.
fn of_wire(error: io::Error) -> Failure {
    let inner = error.get_ref();
    if inner.is_some_and(|inner| inner.is::<NoServer>()) {
        return Failure::Protocol("its first byte is none that a server answers with");
    }
    // The system's errors and those of TLS say what they are of.
    if error.raw_os_error().is_some() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
        return Failure::Broken(error);
    }
    match error.kind() {
        // The second one is the crate's for an end within a message.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::Other => Failure::closed(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => NOT_UNDERSTOOD,
        _ => Failure::Broken(error),
    }
}

/// The error of the socket, or of a message, that the crate wraps. The error itself if there is none.
fn of_socket(error: Error) -> Result<io::Error, String> {
    let words = error.to_string();
    let cause = error.into_source().ok_or_else(|| words.clone())?;
    cause
        .downcast()
        .map(|error| *error)
        .map_err(|cause| format!("{words}: {cause}"))
}
