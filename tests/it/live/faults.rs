//! Faults of a live server, each made to happen: what can be asked again is, nothing comes twice, and rows of two
//! instants never meet.

#![expect(
    clippy::result_large_err,
    reason = "errors are returned a few times in a test"
)]

use std::ops::ControlFlow;
use std::time::Duration;

use crate::support::live::{PRIMARY, Session, Standby};
use crate::support::server::*;
use crate::support::wait_until;
use relexport::snapshot::{
    Access, Event, Fields, KeyedSource, OpenOptions, Query, SnapshotError, TableName, open_with,
};

fn open_at(
    address: &str,
    change: impl FnOnce(&mut OpenOptions),
) -> Result<Box<dyn KeyedSource>, SnapshotError> {
    let mut options = OpenOptions {
        connections: 1,
        ..OpenOptions::default()
    };
    change(&mut options);
    match open_with(&address.into(), &options)?.access {
        Access::Keyed(source) => Ok(source),
        _ => panic!("no live server"),
    }
}

fn source(database: &Database) -> Box<dyn KeyedSource> {
    open_at(&database.address(), |_| {}).unwrap()
}

/// Reads a column of a table of `public`, doing something each time that rows come; returns its lines in their order.
fn read_with(
    source: &dyn KeyedSource,
    table: &str,
    column: &str,
    mut at: impl FnMut() -> ControlFlow<()>,
) -> Result<Vec<String>, SnapshotError> {
    let mut rows = Vec::new();
    let mut counted = None;
    let table = TableName::public(table);
    let query = Query {
        table: &table,
        fields: Fields::Columns(vec![column]),
        predicates: Vec::new(),
    };
    source.read(&query, &mut |event| {
        match event {
            Event::Rows(block) => {
                rows.extend_from_slice(block.bytes());
                return at();
            }
            Event::End(end) => counted = Some(end.rows),
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    let rows = String::from_utf8(rows).unwrap();
    let rows: Vec<String> = rows.lines().map(str::to_owned).collect();
    assert!(counted.is_none_or(|counted| counted == rows.len() as u64));
    Ok(rows)
}

fn read(source: &dyn KeyedSource, table: &str, column: &str) -> Result<Vec<String>, SnapshotError> {
    read_with(source, table, column, || ControlFlow::Continue(()))
}

fn refused(result: Result<Vec<String>, SnapshotError>) -> String {
    match result {
        Err(SnapshotError::Refused {
            sqlstate,
            message,
            table,
            ..
        }) => format!("{table}: {sqlstate} {message}"),
        other => panic!("{other:?}"),
    }
}

fn lost(result: Result<Vec<String>, SnapshotError>) -> String {
    match result {
        Err(SnapshotError::Lost(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn changed(result: Result<Vec<String>, SnapshotError>) -> String {
    match result {
        Err(SnapshotError::Changed { table, reason }) => format!("{table}: {reason}"),
        other => panic!("{other:?}"),
    }
}

// The last query of the coordinator was for the server's own tables, or is a sign of life.
const WORKERS: &str =
    "application_name = 'relexport' AND query LIKE 'COPY%' AND query NOT LIKE '%pg_catalog.%'";
const COORDINATOR: &str =
    "application_name = 'relexport' AND (query NOT LIKE 'COPY%' OR query LIKE '%pg_catalog.%')";

/// Rows enough that a server cannot have sent all of them before the first ones are looked at.
const MANY: &str = "CREATE TABLE many (id integer, v text);
    INSERT INTO many SELECT n, repeat('x', 100) FROM generate_series(1, 200000) n;";

fn numbers(to: usize) -> Vec<String> {
    (1..=to).map(|number| number.to_string()).collect()
}

#[test]
fn a_worker_killed_while_it_reads_is_replaced_and_no_row_comes_twice() {
    let database = Server::shared().database();
    database.run(MANY);
    database.run("ALTER TABLE many ALTER id TYPE text USING id || repeat('y', 50)");
    let live = source(&database);
    let mut killed = 0;
    let rows = read_with(live.as_ref(), "many", "id", || {
        if killed < 3 {
            killed += database.terminate(WORKERS);
        }
        ControlFlow::Continue(())
    });
    let rows = rows.unwrap();
    let expected: Vec<String> = numbers(200_000)
        .into_iter()
        .map(|number| number + &"y".repeat(50))
        .collect();
    assert!(rows == expected, "{} rows", rows.len());
    assert_eq!(killed, 3);
}

#[test]
fn a_worker_killed_between_queries_is_replaced_at_the_same_instant() {
    let database = Server::shared().database();
    database.run("CREATE TABLE t (id integer); INSERT INTO t VALUES (1)");
    let live = source(&database);
    assert_eq!(read(live.as_ref(), "t", "id").unwrap(), ["1"]);
    database.run("INSERT INTO t VALUES (2)");
    assert_eq!(database.terminate(WORKERS), 1);
    assert_eq!(read(live.as_ref(), "t", "id").unwrap(), ["1"]);
}

#[test]
fn a_table_that_is_written_anew_while_a_worker_is_replaced_is_refused() {
    let database = Server::shared().database();
    database.run(MANY);
    database.run("CREATE INDEX ON many (id DESC)");
    let live = source(&database);
    let mut first = true;
    let rows = read_with(live.as_ref(), "many", "v", || {
        if std::mem::take(&mut first) {
            assert_eq!(database.terminate(WORKERS), 1);
            // Nobody holds the table now. Its rows stay, in another order.
            database.run("CLUSTER many USING many_id_idx");
        }
        ControlFlow::Continue(())
    });
    let reason = changed(rows);
    assert!(reason.starts_with("many: "), "{reason}");
}

#[test]
fn without_the_coordinator_the_instant_lives_as_long_as_a_worker() {
    let database = Server::shared().database();
    database.run("CREATE TABLE t (id integer); INSERT INTO t VALUES (1)");
    let live = source(&database);
    assert_eq!(read(live.as_ref(), "t", "id").unwrap(), ["1"]);
    database.run("INSERT INTO t VALUES (2)");
    assert_eq!(database.terminate(COORDINATOR), 1);
    assert_eq!(read(live.as_ref(), "t", "id").unwrap(), ["1"]);
    database.terminate(WORKERS);
    let reason = lost(read(live.as_ref(), "t", "id"));
    assert!(reason.contains("snapshot"), "{reason}");
}

#[test]
fn a_server_started_anew_has_lost_the_instant() {
    let server = Server::start("");
    let database = server.database();
    database.run("CREATE TABLE t (id integer); INSERT INTO t VALUES (1)");
    let live = source(&database);
    let other = source(&database);
    assert_eq!(read(live.as_ref(), "t", "id").unwrap(), ["1"]);
    let data = server.folder.join("data");
    let data = data.to_str().unwrap();
    let log = server.folder.join("again.log");
    let arguments = [
        "pg_ctl",
        "restart",
        "-D",
        data,
        "-m",
        "immediate",
        "-w",
        "-s",
        "-l",
        log.to_str().unwrap(),
    ];
    server.as_server(&arguments);
    lost(read(live.as_ref(), "t", "id"));
    server.as_server(&["pg_ctl", "stop", "-D", data, "-m", "immediate", "-w", "-s"]);
    lost(read(other.as_ref(), "t", "id"));
    let error = open_at(&database.address(), |_| {}).err().unwrap();
    assert!(
        matches!(error, SnapshotError::Unreachable { .. }),
        "{error}"
    );
}

#[test]
fn rows_that_were_cleaned_away_too_early_lose_the_instant() {
    let version = Server::shared().database().run("SHOW server_version_num");
    // PostgreSQL 17 has no such setting any more.
    if version.parse::<u32>().unwrap() >= 170_000 {
        return;
    }
    let server = Server::start("-c old_snapshot_threshold=0 -c autovacuum=off");
    let database = server.database();
    database.run("CREATE TABLE t (id integer); INSERT INTO t SELECT generate_series(1, 1000)");
    let live = source(&database);
    assert_eq!(read(live.as_ref(), "t", "id").unwrap(), numbers(1000));
    database.run("DELETE FROM t");
    // With 0 the server spares snapshots of the last five seconds, and a few transactions must have come by.
    std::thread::sleep(Duration::from_millis(5500));
    for _ in 0..3 {
        database.run("SELECT txid_current()");
    }
    // Reading cleans the pages up.
    assert_eq!(database.run("SELECT count(*) FROM t"), "0");
    let reason = lost(read(live.as_ref(), "t", "id"));
    assert!(reason.contains("snapshot too old"), "{reason}");
}

#[test]
fn a_query_that_takes_too_long_is_refused() {
    let database = Server::shared().database();
    database.run(MANY);
    let live = open_at(&database.address(), |options| {
        options.timeouts.statement = Some(Duration::from_millis(400));
    });
    let rows = read_with(live.unwrap().as_ref(), "many", "v", || {
        database.run("SELECT pg_sleep(0.5)");
        ControlFlow::Continue(())
    });
    assert_eq!(
        refused(rows),
        "many: 57014 canceling statement due to statement timeout"
    );
}

#[test]
fn a_table_that_somebody_has_locked_is_refused_and_the_others_are_read() {
    let database = Server::shared().database();
    database
        .run("CREATE TABLE t (id integer); CREATE TABLE u (id integer); INSERT INTO u VALUES (1)");
    let live = open_at(&database.address(), |options| {
        options.timeouts.lock = Some(Duration::from_millis(20));
    })
    .unwrap();
    let mut holder = Session::begin(&database);
    holder.lock("t");
    // Nor does opening wait for it.
    let live_too = open_at(&database.address(), |options| {
        options.timeouts.lock = Some(Duration::from_millis(20));
    });
    assert_eq!(read(live_too.unwrap().as_ref(), "u", "id").unwrap(), ["1"]);
    assert_eq!(
        refused(read(live.as_ref(), "t", "id")),
        "t: 55P03 canceling statement due to lock timeout"
    );
    assert_eq!(read(live.as_ref(), "u", "id").unwrap(), ["1"]);
    drop(holder);
    // The server ends the session in its own time.
    wait_until("the lock is gone", || {
        read(live.as_ref(), "t", "id").is_ok()
    });
    assert!(read(live.as_ref(), "t", "id").unwrap().is_empty());
}

#[test]
fn tables_that_are_not_what_they_were_are_refused() {
    let database = Server::shared().database();
    database.run(
        "CREATE TABLE dropped (id integer); CREATE TABLE emptied (id integer); INSERT INTO emptied VALUES (1);
         CREATE TABLE rewritten (id integer); INSERT INTO rewritten VALUES (1);
         CREATE TABLE swapped (id integer); INSERT INTO swapped VALUES (1);
         CREATE TABLE parted (id integer) PARTITION BY LIST (id);
         CREATE TABLE p1 PARTITION OF parted FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF parted FOR VALUES IN (2);
         INSERT INTO parted VALUES (1), (2); CREATE TABLE ready (id integer); INSERT INTO ready VALUES (3);
         CREATE TABLE grown (id integer) PARTITION BY LIST (id); CREATE TABLE column_gone (id integer, v text);
         CREATE TABLE bereft (id integer); CREATE TABLE child () INHERITS (bereft); INSERT INTO child VALUES (1);
         CREATE TABLE faithful (id integer); CREATE TABLE heir () INHERITS (faithful); INSERT INTO heir VALUES (1);
         CREATE TABLE loser (id integer); CREATE TABLE lost () INHERITS (loser); INSERT INTO lost VALUES (1);
         CREATE TABLE same (id integer); INSERT INTO same VALUES (1);",
    );
    let live = source(&database);
    database.run(
        "ALTER TABLE child NO INHERIT bereft; TRUNCATE lost; INSERT INTO heir VALUES (2);
         DROP TABLE dropped; TRUNCATE emptied; ALTER TABLE rewritten ALTER id TYPE bigint USING id * 2;
         ALTER TABLE swapped RENAME TO old; CREATE TABLE swapped (id integer); INSERT INTO swapped VALUES (2);
         ALTER TABLE parted DETACH PARTITION p2; ALTER TABLE grown ATTACH PARTITION ready FOR VALUES IN (3);
         ALTER TABLE column_gone DROP COLUMN v; INSERT INTO same VALUES (2);",
    );
    let live = live.as_ref();
    assert_eq!(
        refused(read(live, "dropped", "id")),
        "dropped: 42P01 relation \"public.dropped\" does not exist"
    );
    let changed_ones = [
        "emptied",
        "rewritten",
        "swapped",
        "parted",
        "grown",
        "bereft",
        "loser",
    ];
    for table in changed_ones {
        let reason = changed(read(live, table, "id"));
        assert!(reason.starts_with(&format!("{table}: ")), "{reason}");
    }
    assert_eq!(
        refused(read(live, "column_gone", "v")),
        "column_gone: 42703 column \"v\" does not exist"
    );
    assert_eq!(read(live, "same", "id").unwrap(), ["1"]);
    assert_eq!(read(live, "faithful", "id").unwrap(), ["1"]);
    // What was read once is held as it is.
    let attempt = database
        .psql()
        .args(["-c", "SET lock_timeout = 50; TRUNCATE same"])
        .output()
        .unwrap();
    assert!(!attempt.status.success());
}

#[test]
fn what_one_may_not_read_is_refused_with_the_servers_words() {
    let database = Server::shared().database();
    let role = format!("reader_{}", database.name);
    database.run(&format!(
        "CREATE TABLE secret (id integer); CREATE TABLE open (id integer, hidden text); INSERT INTO open VALUES (1);
         CREATE TABLE guarded (id integer); INSERT INTO guarded VALUES (1), (2); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
         CREATE POLICY first ON guarded USING (id = 1);
         CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER nobody FOREIGN DATA WRAPPER nowhere; CREATE FOREIGN TABLE far (id integer) SERVER nobody;
         CREATE TABLE near (id integer); CREATE FOREIGN TABLE afar () INHERITS (near) SERVER nobody;
         CREATE ROLE {role} LOGIN; GRANT SELECT (id) ON open TO {role}; GRANT SELECT ON guarded TO {role};"
    ));
    let address = database.address().replace("postgres@", &format!("{role}@"));
    let live = open_at(&address, |_| {}).unwrap();
    let live = live.as_ref();
    assert_eq!(
        refused(read(live, "secret", "id")),
        "secret: 42501 permission denied for table secret"
    );
    assert_eq!(
        refused(read(live, "open", "hidden")),
        "open: 42501 permission denied for table open"
    );
    assert_eq!(
        refused(read(live, "guarded", "id")),
        "guarded: 42501 query would be affected by row-level security policy for table \"guarded\""
    );
    assert!(changed(read(live, "far", "id")).contains("foreign table"));
    assert!(changed(read(live, "near", "id")).contains("foreign table"));
    assert_eq!(read(live, "open", "id").unwrap(), ["1"]);
}

#[test]
fn a_sink_that_breaks_off_ends_the_query_on_the_server_and_not_the_source() {
    let database = Server::shared().database();
    database.run(MANY);
    let live = source(&database);
    let rows = read_with(live.as_ref(), "many", "v", || ControlFlow::Break(())).unwrap();
    assert!(rows.len() < 100_000, "{}", rows.len());
    // The one worker's session goes away; only the coordinator's stays.
    while database.run("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'relexport' AND datname = current_database()") != "1" {}
    assert_eq!(read(live.as_ref(), "many", "v").unwrap().len(), 200_000);
}

#[test]
fn rows_larger_than_any_buffer_come_whole() {
    let database = Server::shared().database();
    database.run(
        "CREATE TABLE wide (v text); INSERT INTO wide VALUES ('a'), (repeat('b', 5000000)), ('c'), (repeat('d', 300000))",
    );
    let rows = read(source(&database).as_ref(), "wide", "v").unwrap();
    let lengths: Vec<usize> = rows.iter().map(String::len).collect();
    assert_eq!(lengths, [1, 5_000_000, 1, 300_000]);
}

#[test]
fn a_snapshot_of_another_session_is_read() {
    let database = Server::shared().database();
    database.run("CREATE TABLE t (id integer); INSERT INTO t VALUES (1)");
    let mut holder = Session::begin(&database);
    let id = holder.export_snapshot();
    database.run("INSERT INTO t VALUES (2)");
    let at = |id: &str| {
        open_at(&database.address(), |options| {
            options.pg_snapshot = Some(id.to_owned())
        })
    };
    let live = at(&id).unwrap();
    assert_eq!(live.facts().taken_at, None);
    let instant = |id: Option<&str>| {
        let live = open_at(&database.address(), |options| {
            options.pg_snapshot = id.map(str::to_owned)
        });
        live.unwrap().facts().instant.unwrap()
    };
    assert_eq!(live.facts().instant, Some(instant(Some(&id))));
    assert_ne!(instant(None), instant(Some(&id)));
    // From here on the instant is held by this source itself.
    drop(holder);
    assert_eq!(read(live.as_ref(), "t", "id").unwrap(), ["1"]);
    for gone in [id.as_str(), "no such", "x'; DROP TABLE t; --", "../../x"] {
        let error = at(gone).err().unwrap().to_string();
        // PostgreSQL 17 has other words for one that is no more.
        let words = ["invalid snapshot identifier", "does not exist"];
        assert!(words.iter().any(|words| error.contains(words)), "{error}");
    }
}

#[test]
fn a_server_without_room_for_all_connections_is_read_with_fewer() {
    let server = Server::start("-c max_connections=5 -c superuser_reserved_connections=0");
    let database = server.database();
    database.run("CREATE TABLE t (id integer); INSERT INTO t VALUES (1)");
    let live = open_at(&database.address(), |options| options.connections = 10).unwrap();
    let live = live.as_ref();
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| assert_eq!(read(live, "t", "id").unwrap(), ["1"]));
        }
    });
}

#[test]
fn a_standby_is_read_and_a_conflict_with_recovery_loses_the_instant() {
    let primary = Server::start(PRIMARY);
    let database = primary.database();
    database.run("CREATE TABLE t (id integer); INSERT INTO t SELECT generate_series(1, 1000)");
    let standby = Standby::start(&database);
    let address = standby.address();
    let live = open_at(&address, |_| {}).unwrap();
    assert!(live.facts().lsn.is_some());
    assert_eq!(read(live.as_ref(), "t", "id").unwrap(), numbers(1000));
    let of_standby = open_at(&format!("{address}&target_session_attrs=standby"), |_| {});
    assert!(of_standby.is_ok());
    let error = open_at(&format!("{address}&target_session_attrs=primary"), |_| {});
    let error = error.err().unwrap().to_string();
    assert!(error.contains("target_session_attrs"), "{error}");
    standby.lose_rows_of("t");
    let reason = lost(read(live.as_ref(), "t", "id"));
    assert!(!reason.is_empty());
}
