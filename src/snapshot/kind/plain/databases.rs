//! Which database a dump is in: pg_dumpall writes many one after another.

/// Which database the dump is in. pg_dumpall writes many one after another, most without any table.
#[derive(Default)]
pub(crate) struct Databases {
    current: Option<String>,
    /// How often another database than before was named.
    changes: u32,
    /// The database whose tables have been seen.
    with_tables: Option<Option<String>>,
}

impl Databases {
    pub(crate) fn connect(&mut self, arguments: &[u8]) {
        let arguments = String::from_utf8_lossy(arguments);
        // For a name with odd letters: `-reuse-previous=on "dbname='my db'"`.
        let name = arguments
            .trim()
            .trim_start_matches("-reuse-previous=on")
            .trim();
        let name = match name.split_once("dbname=") {
            Some((_, name)) => name.trim_matches('"').trim_matches('\''),
            // User, host and port may follow; `-` and nothing at all are the database as before.
            None => match name.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap_or_default(),
                None => name.split_whitespace().next().unwrap_or("-"),
            },
        };
        if !name.is_empty() && name != "-" && self.current.as_deref() != Some(name) {
            self.changes += 1;
            self.current = Some(name.to_owned());
        }
    }

    /// True once a second database was named: others may follow, too.
    pub(crate) fn are_several(&self) -> bool {
        self.changes > 1
    }

    /// The database whose tables have been seen, where it was named.
    pub(crate) fn with_tables(&self) -> Option<&str> {
        self.with_tables.as_ref()?.as_deref()
    }

    /// # Errors
    /// The names of two databases that both have tables.
    pub(crate) fn table_seen(&mut self) -> Result<(), (String, String)> {
        let first = self.with_tables.get_or_insert_with(|| self.current.clone());
        if *first == self.current {
            return Ok(());
        }
        let named = |name: &Option<String>| name.clone().unwrap_or_else(|| "the first one".into());
        Err((named(first), named(&self.current)))
    }
}
