//! Which database a dump is in: pg_dumpall writes many one after another.

/// Which database the dump is in. pg_dumpall writes many one after another, most without any table.
#[derive(Default)]
pub(super) struct Databases {
    current: Option<String>,
    /// The database whose tables have been seen.
    with_tables: Option<Option<String>>,
}

impl Databases {
    pub(super) fn connect(&mut self, arguments: &[u8]) {
        let arguments = String::from_utf8_lossy(arguments);
        // For a name with odd letters: `-reuse-previous=on "dbname='my db'"`.
        let name = arguments
            .trim()
            .trim_start_matches("-reuse-previous=on")
            .trim();
        let name = name
            .trim_matches('"')
            .trim_start_matches("dbname=")
            .trim_matches('\'');
        self.current = Some(name.to_owned());
    }

    /// # Errors
    /// The names of two databases that both have tables.
    pub(super) fn table_seen(&mut self) -> Result<(), (String, String)> {
        let first = self.with_tables.get_or_insert_with(|| self.current.clone());
        if *first == self.current {
            return Ok(());
        }
        let named = |name: &Option<String>| name.clone().unwrap_or_else(|| "the first one".into());
        Err((named(first), named(&self.current)))
    }
}
