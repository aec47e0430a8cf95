//! Sessions: transactions that all see one instant, with settings that make their text the same everywhere.

use std::time::Duration;

use super::connection::Connection;
use super::failure::Failure;
use super::literal::string;

/// How long the server lets sessions of ours wait; `None` is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For one statement, its rows' way to us included.
    pub statement: Option<Duration>,
    /// For a lock that somebody else holds.
    pub lock: Option<Duration>,
    /// For a session that is silent. The server then ends it, so that a program that hangs does not hold back
    /// its vacuum for ever.
    pub idle: Option<Duration>,
    /// For a server that sends nothing while an answer of it is awaited: here, since such a server keeps no time.
    pub silence: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            statement: Some(Duration::from_secs(60 * 60)),
            lock: Some(Duration::from_secs(30)),
            idle: Some(Duration::from_secs(10 * 60)),
            silence: Some(Duration::from_secs(10 * 60)),
        }
    }
}

/// Rows are asked for by thousands of keys at a time. Many of these lie on the same pages of an index, which the planner does
/// not know: by its defaults it would rather read a table whole, for every batch.
pub(super) const KEYS_BY_INDEX: &str = "SET LOCAL enable_seqscan = off;";

/// Begins the transaction in which everything is read: at the instant of `snapshot`, or at a new one.
///
/// Everything is set inside of it, so that it also holds behind a pooler that gives each transaction another
/// server session.
pub(super) fn begin(
    connection: &mut Connection,
    snapshot: Option<&str>,
    timeouts: &Timeouts,
) -> Result<(), Failure> {
    let version = connection.major_version();
    let mut sql = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;".to_owned();
    if let Some(snapshot) = snapshot {
        sql.push_str(&format!("SET TRANSACTION SNAPSHOT {};", string(snapshot)));
    }
    let milliseconds =
        |timeout: Option<Duration>| timeout.map_or(0, |timeout| timeout.as_millis()).to_string();
    let mut set = |name: &str, value: &str| {
        sql.push_str(&format!("SET LOCAL {name} = {};", string(value)));
    };
    // First of all, for the strings behind it.
    set("standard_conforming_strings", "on");
    set("DateStyle", "ISO");
    set("IntervalStyle", "postgres");
    set("TimeZone", "UTC");
    set("extra_float_digits", "3");
    set("bytea_output", "hex");
    set("search_path", "");
    // An error, where a policy would hide rows.
    set("row_security", "off");
    set("gin_fuzzy_search_limit", "0");
    // The same order when a query is asked again.
    set("synchronize_seqscans", "off");
    set("random_page_cost", "1.1");
    // Little load: connections are what is parallel here.
    set("max_parallel_workers_per_gather", "0");
    if version >= 11 {
        set("jit", "off");
    }
    set("client_min_messages", "error");
    set("statement_timeout", &milliseconds(timeouts.statement));
    set("lock_timeout", &milliseconds(timeouts.lock));
    set(
        "idle_in_transaction_session_timeout",
        &milliseconds(timeouts.idle),
    );
    if version >= 17 {
        set("transaction_timeout", "0");
    }
    sql.push_str(KEYS_BY_INDEX);
    // A server that does not know what its bytes mean (SQL_ASCII) would refuse a query for a single value that is not
    // UTF-8. It hands them out as they are, and the row with that value fails where it is rendered.
    sql.push_str(
        "SELECT pg_catalog.set_config('client_encoding', CASE pg_catalog.current_setting('server_encoding') \
         WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true);",
    );
    connection.ask(&sql)?;
    connection.expect_answers_within(timeouts.statement);
    Ok(())
}

/// When the server was started: tells one server, and one life of it, from all others.
pub(super) fn server_start(connection: &mut Connection) -> Result<String, Failure> {
    let sql = "SELECT pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())";
    one(connection, sql)
}

/// The one value of a query's answer.
pub(super) fn one(connection: &mut Connection, sql: &str) -> Result<String, Failure> {
    let answer = connection.ask(sql)?;
    answer.ok_or(Failure::Protocol("a question was answered with no value"))
}
