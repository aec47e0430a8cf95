//! A worker: a connection that has adopted the instant, made when it is first needed and made again when it broke.

use std::collections::HashSet;

use super::connection::{Connection, CopyEnd};
use super::copy_query::{copy_statement, rows_of};
use super::delivery::{BreakOff, Delivery, DeliveryError};
use super::failure::Failure;
use super::held_server::HeldServer;
use super::literal::{string, table as quoted};
use super::login;
use super::session::{self, one};
use crate::snapshot::keyed::{Fields, Query};
use crate::snapshot::table_name::TableName;

/// A connection, or the place for one.
#[derive(Default)]
pub(super) struct Worker {
    session: Option<Session>,
}

struct Session {
    connection: Connection,
    /// Tables that are locked against changes since they were found to be as they were at the instant.
    checked: HashSet<TableName>,
}

/// Why a query was not answered.
pub(super) enum Trouble {
    /// The instant is gone.
    Lost(String),
    /// The table is not what it was, or its rows cannot be told to be all of them.
    Changed(String),
    Failed(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Failed(failure)
    }
}

impl From<DeliveryError> for Trouble {
    fn from(error: DeliveryError) -> Self {
        Trouble::Changed(error.to_string())
    }
}

impl Worker {
    /// True where it has a connection, which may be dead by now.
    pub(super) fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Answers a query as far as nothing goes wrong.
    pub(super) fn answer(
        &mut self,
        held: &HeldServer,
        query: &Query<'_>,
        delivery: &mut Delivery<'_>,
    ) -> Result<(), Trouble> {
        if held.tables.foreign.contains(query.table) {
            return Err(Trouble::Changed(
                "it is a foreign table or has one below it, whose rows are on another server and of no instant of this one"
                    .to_owned(),
            ));
        }
        // Taken out: whatever goes wrong below, the transaction cannot be used any more.
        let mut session = match self.session.take() {
            Some(session) => session,
            None => adopt(held)?,
        };
        session.check(held, query.table)?;
        let statement = copy_statement(query, &held.catalog, &held.tables.texts);
        let is_gathered = matches!(query.fields, Fields::Gathered(..));
        if is_gathered {
            // All rows are meant: by an index alone only where the server knows that they can be seen.
            session.connection.ask("SET LOCAL enable_seqscan = on")?;
        }
        let mut attempt = delivery.attempt();
        let copied = session
            .connection
            .copy_out(&statement, &mut |rows| attempt.take(rows))?;
        match copied {
            CopyEnd::Complete(rest) => attempt.finish(rest)?,
            CopyEnd::BrokenOff(BreakOff::OtherOrder) => {
                return Err(DeliveryError::OtherOrder.into());
            }
            CopyEnd::BrokenOff(BreakOff::SinkIsDone) => {
                // The connection is full of what the sink does not want.
                let token = session.connection.cancel_token();
                if let Err(failure) = login::cancel(&held.target, &held.server, &token) {
                    // It will notice when it sends the next row.
                    tracing::debug!("the server was not told to stop: {failure}");
                }
                return Ok(());
            }
        }
        if is_gathered {
            session.connection.ask(session::KEYS_BY_INDEX)?;
        }
        self.session = Some(session);
        Ok(())
    }
}

/// Makes a connection that sees the instant.
fn adopt(held: &HeldServer) -> Result<Session, Trouble> {
    let mut connection = login::connect_again(&held.target, &held.server)?;
    session::begin(&mut connection, Some(&held.snapshot), &held.timeouts).map_err(|failure| {
        match failure.is_of_snapshot() {
            true => Trouble::Lost(failure.to_string()),
            false => Trouble::Failed(failure),
        }
    })?;
    // Another server, or this one restarted, could have a snapshot of this name, too.
    if session::server_start(&mut connection)? != held.started {
        return Err(Trouble::Lost("the server was started anew".to_owned()));
    }
    Ok(Session {
        connection,
        checked: HashSet::new(),
    })
}

impl Session {
    /// Makes sure that a table still is what it was at the instant, and stays so.
    ///
    /// Reading old rows is safe from inserts, updates and deletes, but not from TRUNCATE, from `ALTER TABLE`s that write a
    /// table anew, from partitions that come and go and from tables that change names: those show to everybody at
    /// once. The first statement takes the lock of every reader, which keeps all of them away until the
    /// transaction ends; the second one compares what is with what was.
    fn check(&mut self, held: &HeldServer, table: &TableName) -> Result<(), Trouble> {
        if self.checked.contains(table) {
            return Ok(());
        }
        let is_partitioned = held
            .catalog
            .table(table)
            .is_some_and(|table| table.partitioned);
        let has_children = is_partitioned || held.catalog.has_children(table);
        let below = match (is_partitioned, has_children) {
            (true, _) if self.connection.major_version() >= 12 => {
                "EXISTS (SELECT FROM pg_catalog.pg_partition_tree((SELECT oid FROM root)) now \
                   FULL JOIN tree ON tree.oid = now.relid WHERE now.relid IS NULL OR tree.oid IS NULL)"
            }
            // The first statement has locked the tables that inherit now. One that was taken away is not among them.
            (false, true) => {
                "EXISTS (SELECT FROM tree WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_locks l \
                   WHERE l.pid = pg_catalog.pg_backend_pid() AND l.relation = tree.oid))"
            }
            _ => "false",
        };
        let sql = format!(
            "SELECT FROM {} {};
             WITH RECURSIVE root AS (
               SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = {} AND c.relname = {}),
             tree AS (
               SELECT oid FROM root
               UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON tree.oid = i.inhparent
               WHERE {has_children})
             SELECT (SELECT oid FROM root) IS DISTINCT FROM {}::pg_catalog.regclass::pg_catalog.oid
               OR EXISTS (SELECT FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid WHERE c.relfilenode <> 0
                 AND pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode)
               OR {below}",
            rows_of(table, &held.catalog),
            // What is false for every row needs no look at the tables below, and so would not lock them.
            match has_children {
                true => "LIMIT 0",
                false => "WHERE false",
            },
            string(&table.schema),
            string(&table.name),
            string(&quoted(table)),
        );
        if one(&mut self.connection, &sql)? != "f" {
            return Err(Trouble::Changed(
                "it was emptied, written anew or replaced since the instant that is read; start again"
                    .to_owned(),
            ));
        }
        self.checked.insert(table.clone());
        Ok(())
    }
}
