//! What of its rows a node writes, under which keys and in which order.

use std::collections::{BTreeMap, BTreeSet};

use super::file::PickFile;
use super::model::{Columns, OrderBy, Pick};
use super::node_keys::{ColumnList, NodeKeys};
use super::notation::{FullTreeFile, TreeFile};
use super::validate::Validator;
use super::yaml::Located;

impl<'a> Validator<'a> {
    /// The name of a column, which a `?` behind it says a snapshot may lack.
    pub(super) fn column(
        &mut self,
        name: &Located<String>,
        optional: &mut BTreeSet<String>,
    ) -> String {
        let text = self.text(name);
        match text.strip_suffix('?') {
            Some("") | None => text,
            Some(column) => {
                optional.insert(column.to_owned());
                column.to_owned()
            }
        }
    }

    pub(super) fn columns(
        &mut self,
        keys: NodeKeys<'a>,
        optional: &mut BTreeSet<String>,
    ) -> Columns {
        let mut list = |columns: &ColumnList| {
            columns
                .value
                .iter()
                .map(|column| self.column(column, optional))
                .collect()
        };
        match (keys.only(), keys.except()) {
            (Some(only), None) => Columns::Only(list(only)),
            (None, Some(except)) => Columns::Except(list(except)),
            (None, None) => Columns::Except(Vec::new()),
            (Some(only), Some(except)) => {
                let columns = Columns::Only(list(only));
                self.mistake(
                    except.position,
                    "`only` and `except` exclude each other; keep one of them",
                );
                columns
            }
        }
    }

    /// Columns that are written under other keys.
    pub(super) fn renamed(
        &mut self,
        keys: NodeKeys<'a>,
        columns: &Columns,
        optional: &mut BTreeSet<String>,
    ) -> BTreeMap<String, String> {
        let mut renamed = BTreeMap::new();
        for (name, key) in keys.renamed() {
            let column = self.column(name, optional);
            if key.value.is_empty() {
                let message = "a key cannot be empty; name one";
                self.mistake(key.position, message);
            }
            if !columns.contains(&column) {
                let message = format!(
                    "`{column}` is not written, so it cannot have another name; leave it out here, or write it"
                );
                self.mistake(name.position, message);
            }
            if self.spend(key.value.len() + 64)
                && renamed.insert(column.clone(), key.value.clone()).is_some()
            {
                let message = format!("`{column}` stands twice in `as`; remove one of them");
                self.mistake(name.position, message);
            }
        }
        renamed
    }

    /// A key of an object must stand in it once. What columns a table has is not known here.
    pub(super) fn clashes(
        &mut self,
        name: &Located<String>,
        keys: NodeKeys<'a>,
        columns: &Columns,
        renamed: &BTreeMap<String, String>,
    ) {
        let mut taken: BTreeSet<&str> = match columns {
            Columns::Only(names) => names
                .iter()
                .filter(|name| !renamed.contains_key(*name))
                .map(String::as_str)
                .collect(),
            Columns::Except(_) => BTreeSet::new(),
        };
        let computed = keys.computed().map(|(name, _)| name);
        let nested = keys.nested().map(|(name, _)| name);
        let others = keys.renamed().map(|(_, key)| key);
        let tree = keys.tree().map(|tree| match &tree.value {
            TreeFile::Full(FullTreeFile {
                r#as: Some(key), ..
            }) => key,
            TreeFile::Full(_) | TreeFile::Column(_) => name,
        });
        for name in others.chain(computed).chain(nested).chain(tree) {
            if !taken.insert(&name.value) {
                let message = format!(
                    "`{}` would be written twice in one object; rename or remove one of them",
                    name.value
                );
                self.mistake(name.position, message);
            }
        }
    }

    pub(super) fn order(&mut self, order: &Located<String>) -> OrderBy {
        let (text, nulls) = without_word(&order.value, &["nulls first", "nulls last"]);
        let (column, direction) = without_word(text, &["asc", "desc"]);
        let descending = direction == Some("desc");
        let (_, more) = without_word(
            column,
            &["asc", "desc", "nulls", "nulls first", "nulls last"],
        );
        let alone = ["", "nulls first", "nulls last"].contains(&column.to_lowercase().as_str());
        if alone || column.contains('\0') || more.is_some() {
            let message = "an order is a column, behind it `desc` or `asc` if need be, and then `nulls first` or `nulls \
                           last`; write it so";
            self.mistake(order.position, message);
        }
        let within = self.spend(column.len() + 32);
        OrderBy {
            column: if within {
                column.to_owned()
            } else {
                String::new()
            },
            descending,
            // As in PostgreSQL, for which NULL is greater than any value.
            nulls_last: nulls.map_or(!descending, |nulls| nulls == "nulls last"),
        }
    }

    pub(super) fn pick(&mut self, keys: NodeKeys<'a>) -> Pick {
        let Some(pick) = keys.pick() else {
            return Pick::First;
        };
        if keys.one().is_none() && !keys.is_top() {
            let message = "`pick` is for a `one`, of which there may be several rows; leave it out";
            self.mistake(pick.position, message);
        }
        match pick.value {
            PickFile::First => Pick::First,
            PickFile::Last => {
                if keys.order().next().is_none() {
                    let message = "`pick: last` does not say of which order; give `order`";
                    self.mistake(pick.position, message);
                }
                Pick::Last
            }
        }
    }
}

/// A text without the words behind its last blanks, if they are one of these, in any letter case.
fn without_word<'t>(text: &'t str, words: &[&'static str]) -> (&'t str, Option<&'static str>) {
    for &word in words {
        let Some(start) = text.len().checked_sub(word.len()) else {
            continue;
        };
        if let Some((before, end)) = text.split_at_checked(start)
            && end.eq_ignore_ascii_case(word)
            && let column = before.trim_end_matches(' ')
            && !column.is_empty()
            && column.len() < before.len()
        {
            return (column, Some(word));
        }
    }
    (text, None)
}
