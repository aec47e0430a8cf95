//! The tables of the history, and how those of an older version become them.

/// Says that a database is a history of ours: "rlxj".
pub(super) const APPLICATION: i64 = 0x726c_786a;

/// The version of the tables.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// What makes each version of the one before it. What is here is never changed: databases have been made by it.
pub(super) const MIGRATIONS: [&str; 1] = ["
PRAGMA application_id = 0x726c786a;
-- Times are in milliseconds since 1970.
CREATE TABLE runs (
    -- Runs are ordered by it, since clocks may be set.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    job TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER,
    state TEXT NOT NULL,
    exit_status INTEGER,
    place TEXT,
    error TEXT
) STRICT;
CREATE INDEX runs_of_jobs ON runs (job, number);
-- How much a run exported, by kind of entity and relation.
CREATE TABLE relations (
    run INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
    name TEXT NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;
"];
