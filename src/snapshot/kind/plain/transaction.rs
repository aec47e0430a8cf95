//! Whether rows that were read are there in the end: not where their transaction is rolled back.

/// The transaction that the text is in.
#[derive(Debug)]
pub(crate) struct Transaction {
    open: bool,
    /// psql's own setting: without it every statement belongs to a transaction.
    autocommit: bool,
    /// Something that is needed was read since the transaction began.
    touched: bool,
    /// Names of savepoints, and whether something that is needed was read since.
    savepoints: Vec<(String, bool)>,
}

impl Default for Transaction {
    fn default() -> Self {
        Transaction {
            open: false,
            autocommit: true,
            touched: false,
            savepoints: Vec::new(),
        }
    }
}

impl Transaction {
    /// Something that is needed is read.
    pub(crate) fn touch(&mut self) {
        self.touched = self.open || !self.autocommit;
        for (_, touched) in &mut self.savepoints {
            *touched = true;
        }
    }

    pub(crate) fn begin(&mut self) {
        self.open = true;
    }

    pub(crate) fn set_autocommit(&mut self, autocommit: bool) {
        self.autocommit = autocommit;
    }

    pub(crate) fn savepoint(&mut self, name: String) {
        self.savepoints.push((name, false));
    }

    /// The transaction ends, and another begins at once if it is `chained`. True where something that is needed was read in it.
    pub(crate) fn end(&mut self, chained: bool) -> bool {
        self.open = chained;
        self.savepoints.clear();
        std::mem::take(&mut self.touched)
    }

    /// True where something that is needed was read since that savepoint.
    pub(crate) fn touched_since(&self, savepoint: &str) -> bool {
        let mut savepoints = self.savepoints.iter().rev();
        savepoints
            .find(|(name, _)| name == savepoint)
            .map_or(self.touched, |(_, touched)| *touched)
    }

    /// True where something that is needed was read, and nothing says yet that it is to stay.
    pub(crate) fn is_pending(&self) -> bool {
        self.touched
    }
}
