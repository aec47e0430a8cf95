//! A server of this program's own: it is connected to by its socket, and nothing of the user's surroundings counts.

use std::path::Path;

use super::answer::retrying;
use super::literal::string;
use super::login;
use super::session::{Timeouts, one};
use super::source::PostgresSource;
use super::target::Target;
use crate::snapshot::place::Patience;
use crate::snapshot::table_name::TableName;

/// How such a server is connected to.
pub(crate) struct Local<'a> {
    /// The folder of its socket.
    pub(crate) folder: &'a Path,
    /// A role that is asked for no password.
    pub(crate) user: &'a str,
    /// Settings of all sessions, as `-c name=value`.
    pub(crate) options: &'a str,
    /// How long its silence is borne, and what ends that.
    pub(crate) patience: Patience,
}

impl Local<'_> {
    fn target(&self, dbname: &str) -> Target {
        Target {
            patience: self.patience.clone(),
            ..Target::local(self.folder, self.user, dbname, self.options)
        }
    }

    /// Holds a database at the present instant, as [`PostgresSource::open`] does.
    ///
    /// # Errors
    /// Why that is not possible, in words.
    pub(crate) fn open(
        &self,
        dbname: &str,
        connections: usize,
        timeouts: Timeouts,
    ) -> Result<PostgresSource, String> {
        PostgresSource::hold(self.target(dbname), connections, None, timeouts)
            .map_err(|failure| failure.to_string())
    }

    /// True where a database holds a table of this name; of one without a schema, in whichever.
    ///
    /// # Errors
    /// Why it cannot be looked into, in words.
    pub(crate) fn has_table(&self, dbname: &str, table: &TableName) -> Result<bool, String> {
        let sql = format!(
            "SELECT count(*) FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE {} IN (n.nspname, '') AND c.relname = {} AND c.relkind IN ('r', 'p')",
            string(&table.schema),
            string(&table.name)
        );
        let target = self.target(dbname);
        let count = retrying(&target.patience, || login::connect_first(&target))
            .and_then(|(mut connection, _)| one(&mut connection, &sql));
        match count {
            Ok(count) => Ok(count != "0"),
            Err(failure) => Err(failure.to_string()),
        }
    }
}
