//! The settings of a private server: nobody else reaches it, it reaches nobody, and it writes nothing but its copy.

use std::path::Path;

use super::control::Control;

/// Connections that are not the readers': those that look around, and the one that holds the instant.
const OTHER_CONNECTIONS: u64 = 10;

/// The text of its `postgresql.conf`. Those of the original, which may lie anywhere, are not read.
pub(crate) fn text(
    version: u32,
    work: &Path,
    sockets: &Path,
    connections: usize,
    control: &Control,
) -> String {
    let least = |name: &str| control.least.get(name).copied().unwrap_or_default();
    let connections = (connections as u64 + OTHER_CONNECTIONS).max(least("max_connections"));
    let mut text = String::new();
    let mut set = |name: &str, value: &str| {
        text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
    };
    let path = |path: &Path| path.to_string_lossy().into_owned();
    // Who can come in.
    set("listen_addresses", "");
    set("port", "5432");
    // A list, in which a name in quotes may have commas.
    let sockets = path(sockets).replace('"', "\"\"");
    set("unix_socket_directories", &format!("\"{sockets}\""));
    set("unix_socket_permissions", "0700");
    set("hba_file", &path(&work.join("pg_hba.conf")));
    set("ident_file", &path(&work.join("pg_ident.conf")));
    set("ssl", "off");
    set("max_connections", &connections.to_string());
    // What prepared transactions need, and whatever else was going on.
    let prepared = least("max_prepared_transactions");
    set("max_prepared_transactions", &prepared.to_string());
    let locks = least("max_locks_per_transaction").max(64);
    set("max_locks_per_transaction", &locks.to_string());
    let workers = least("max_worker_processes").max(8);
    set("max_worker_processes", &workers.to_string());
    // Room for the positions of subscriptions, which the log tells of.
    set("max_replication_slots", "200");
    // What it must not do: load others' code, send anything, subscribe to anybody, tidy up.
    set("shared_preload_libraries", "");
    set("session_preload_libraries", "");
    set("local_preload_libraries", "");
    set("archive_mode", "off");
    set("max_wal_senders", "0");
    set("max_logical_replication_workers", "0");
    set("autovacuum", "off");
    set("autovacuum_freeze_max_age", "2000000000");
    set("autovacuum_multixact_freeze_max_age", "2000000000");
    set("default_transaction_read_only", "on");
    // Replaying a log ends where the log does.
    set("hot_standby", "off");
    if version >= 12 {
        set("restore_command", RESTORE);
    }
    if version >= 17 {
        set("event_triggers", "off");
    }
    // Its queries read and copy, which is not compiled to any use; and compiling needs memory that may be both written and
    // executed, which a hardened service does not give.
    if version >= 11 {
        set("jit", "off");
    }
    // The copy is thrown away, so it need not outlive the machine.
    set("fsync", "off");
    set("full_page_writes", "off");
    set("restart_after_crash", "off");
    // In its own folder rather than the system's.
    set("dynamic_shared_memory_type", "mmap");
    set("huge_pages", "off");
    // Its words, for us to read.
    set("logging_collector", "off");
    set("log_destination", "stderr");
    set("log_line_prefix", "");
    set("log_min_error_statement", "panic");
    set("lc_messages", "C");
    set("log_timezone", "UTC");
    set("timezone", "UTC");
    set("cluster_name", "relexport");
    text
}

/// An archive that has nothing.
const RESTORE: &str = "false";

/// The file that makes a server replay its log as one that came from elsewhere, which has to be long enough; and that
/// file's content.
pub(crate) fn recovery_file(version: u32) -> (&'static str, String) {
    match version {
        12.. => ("recovery.signal", String::new()),
        _ => ("recovery.conf", format!("restore_command = '{RESTORE}'\n")),
    }
}
