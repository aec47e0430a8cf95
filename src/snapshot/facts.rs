//! What a snapshot is and says of itself, beside its tables and rows.

use std::collections::BTreeMap;

use crate::entity_id::EntityId;
use crate::snapshot::described::{Described, DescribedPipeline};
use crate::snapshot::table_name::TableName;

/// What a snapshot says of itself. Facts that it does not state are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotFacts {
    /// Version of the PostgreSQL server that was dumped, such as `15.4`.
    pub server_version: Option<String>,
    /// Version of the program that wrote the dump.
    pub dump_version: Option<String>,
    /// GitLab's version with its suffix (`16.5.1-ee`), from `backup_information.yml`.
    pub gitlab_version: Option<String>,
    /// When the snapshot was taken, as the snapshot writes it.
    pub taken_at: Option<String>,
    /// How far the server's write-ahead log was when the snapshot was taken, such as `0/16B3748`: of live servers only.
    pub lsn: Option<String>,
    /// Which instant it is, of live servers only: when the server was started, and which transactions are seen. Ids of exported
    /// snapshots come again when a server was started anew; this does not.
    pub instant: Option<String>,
    /// Version of the archive's format, such as `1.14`: of pg_dump archives only.
    pub archive_version: Option<String>,
    /// The keys of the entities whose rows the snapshot was limited to, by the name of the pipeline that takes such entities;
    /// `None` where its tables are whole.
    pub only: Option<BTreeMap<String, Vec<EntityId>>>,
    /// The pipelines that a taken snapshot was taken for.
    pub taken_for: Vec<DescribedPipeline>,
    /// What was found in it that belongs to nothing and is not read. The log has it already.
    pub warnings: Vec<String>,
    /// It is a dump of a whole server (pg_dumpall), of which the first database with rows is known so far.
    pub is_of_cluster: bool,
    /// How the archive says that its data is compressed (`none`, `gzip`, `lz4`, `zstd`): of pg_dump archives only.
    pub compression: Option<String>,
}

impl SnapshotFacts {
    /// Those that a `snapshot.json` states.
    pub(crate) fn stated_in(described: &Described) -> SnapshotFacts {
        SnapshotFacts {
            server_version: described.server_version.clone(),
            gitlab_version: described.gitlab_version.clone(),
            taken_at: described.taken_at.clone(),
            lsn: described.lsn.clone(),
            only: described.only(),
            taken_for: described.pipelines(),
            ..SnapshotFacts::default()
        }
    }

    /// The keys of the entities of a pipeline whose rows the snapshot was limited to; `None` where its tables are whole.
    pub fn only_of(&self, pipeline: &str) -> Option<&[EntityId]> {
        let only = self.only.as_ref()?;
        let ids = only.get(pipeline).map(Vec::as_slice);
        // It has rows of other pipelines' entities alone.
        Some(ids.unwrap_or_default())
    }
}

/// The kinds of snapshot, by the names that the manifest uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// pg_dump's SQL text.
    Plain,
    /// A GitLab backup: its tar, or the same tree as a folder.
    GitlabBackup,
    /// A folder of CSV files with a `schema.sql`.
    Csv,
    /// pg_dump's archive in custom format (-Fc).
    Custom,
    /// pg_dump's archive in directory format (-Fd).
    Directory,
    /// pg_dump's archive in tar format (-Ft).
    Tar,
    /// A live PostgreSQL server, read at one exported snapshot.
    Postgres,
    /// A server's data folder or a base backup, read through a private server on a copy.
    Pgdata,
}

impl Kind {
    /// The name in the manifest and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Plain => "plain",
            Kind::GitlabBackup => "gitlab-backup",
            Kind::Csv => "csv",
            Kind::Custom => "custom",
            Kind::Directory => "directory",
            Kind::Tar => "tar",
            Kind::Postgres => "postgres",
            Kind::Pgdata => "pgdata",
        }
    }
}

/// Where a snapshot's definitions and its data do not match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Tables and partitions that are defined, but whose data is not there.
    pub without_data: Vec<TableName>,
    /// Partitions some of whose rows the snapshot may have under the name of a table above them, and that name: which of these rows
    /// are theirs nothing says.
    pub undivided: Vec<(TableName, TableName)>,
    /// Tables whose data is there, but not their definition.
    pub undefined: Vec<TableName>,
    /// What makes rows doubtful, though none can be named. The log has it already.
    pub warnings: Vec<String>,
}

/// How much data a table has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableSize {
    pub rows: u64,
    /// Of row text, before compression.
    pub bytes: u64,
}
