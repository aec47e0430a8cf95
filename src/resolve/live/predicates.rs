//! Conditions and keys, as a server is asked them.

use crate::key::KeyForm;
use crate::pipeline::{Condition, Test};
use crate::resolve::condition::{ColumnTest, ValueTest};
use crate::resolve::keys::{Key, KeyShape};
use crate::resolve::plan::{Hop, PlanTable};
use crate::snapshot::{ComparedAs, KeyColumn, Predicate};

use super::ask::AskFailure;

/// The conditions of a hop or of the entities, as a server is asked them. `tests` are the same, ready for their columns:
/// values that are none of a column's type, which a server would refuse, are left out there.
pub(in crate::resolve) fn predicates<'a>(
    filter: &'a [Condition],
    tests: &'a [ColumnTest],
) -> impl Iterator<Item = Predicate<'a>> {
    filter.iter().zip(tests).flat_map(|(condition, test)| {
        let column = condition.column.as_str();
        match (&condition.test, &test.test) {
            (
                Test::In { .. } | Test::NotIn { .. },
                ValueTest::OneOf {
                    values, null, not, ..
                },
            ) => {
                let values = values.iter();
                // They are those of the pipeline, which is UTF-8.
                let values = values.filter_map(|value| std::str::from_utf8(value).ok());
                let (values, null) = (values.collect(), *null);
                vec![match not {
                    false => Predicate::In {
                        column,
                        values,
                        null,
                    },
                    true => Predicate::NotIn {
                        column,
                        values,
                        null,
                    },
                }]
            }
            (Test::Between { above, below }, _) => {
                let above = above.iter().map(|bound| Predicate::Above(column, bound));
                let below = below.iter().map(|bound| Predicate::Below(column, bound));
                above.chain(below).collect()
            }
            (Test::Prefix(start), _) => vec![Predicate::Prefix(column, start)],
            (Test::Length(length), _) => vec![Predicate::Length(column, *length)],
            // A test is made from its condition, so it is of the same kind.
            (Test::In { .. } | Test::NotIn { .. }, _) => Vec::new(),
        }
    })
}

/// A column whose values compare in the form `own` by themselves, and here in another.
fn key_column(name: &str, own: Option<KeyForm>, form: KeyForm) -> KeyColumn<'_> {
    let compared = match form {
        _ if own == Some(form) => ComparedAs::Own,
        KeyForm::Numeric => ComparedAs::Numeric,
        KeyForm::Float | KeyForm::Real => ComparedAs::Double,
        KeyForm::Timestamp => ComparedAs::Timestamp,
        KeyForm::Padded => ComparedAs::Character,
        KeyForm::Text => ComparedAs::Text,
        // Their columns have no other form.
        KeyForm::Integer
        | KeyForm::Boolean
        | KeyForm::Uuid
        | KeyForm::Folded
        | KeyForm::Bytea
        | KeyForm::Date
        | KeyForm::TimestampTz
        | KeyForm::Verbatim => ComparedAs::Own,
    };
    KeyColumn { name, compared }
}

/// What asks for the rows whose columns hold one of these keys.
pub(super) struct KeyQuestion<'a> {
    columns: Vec<KeyColumn<'a>>,
    /// The keys, where they are integers of one column.
    integers: Vec<i64>,
    /// Else their texts, by column.
    texts: Vec<Vec<String>>,
}

impl<'a> KeyQuestion<'a> {
    /// Columns of a table that make keys of this shape.
    ///
    /// # Errors
    /// If a key cannot stand in a statement.
    pub(crate) fn new(
        table: &PlanTable,
        columns: impl IntoIterator<Item = &'a str>,
        shape: &KeyShape,
        keys: &[Key],
    ) -> Result<KeyQuestion<'a>, AskFailure> {
        let columns: Vec<KeyColumn<'a>> = columns
            .into_iter()
            .zip(shape.forms())
            .map(|(name, form)| {
                let layout = table.layout.iter().find(|column| column.name == name);
                key_column(name, layout.and_then(|column| column.form), *form)
            })
            .collect();
        // Those that no value of the columns' types is equal to are not asked for: a server that reads them as values of these
        // types makes other values of some, and refuses others.
        let may_be_there = |key: &&Key| match key {
            Key::Integer(_) => true,
            Key::Text(_) => {
                let texts = key.texts(columns.len());
                let mut forms = shape.forms().iter().zip(&texts);
                forms.all(|(form, text)| form.may_hold(text))
            }
        };
        let keys: Vec<&Key> = keys.iter().filter(may_be_there).collect();
        let integers: Option<Vec<i64>> = keys
            .iter()
            .map(|key| match key {
                Key::Integer(value) if columns.len() == 1 => Some(*value),
                Key::Integer(_) | Key::Text(_) => None,
            })
            .collect();
        let mut texts = Vec::new();
        if integers.is_none() {
            texts = vec![Vec::with_capacity(keys.len()); columns.len()];
            for key in &keys {
                for (list, text) in texts.iter_mut().zip(key.texts(columns.len())) {
                    // A database without an encoding may hold any bytes; a statement may not.
                    let text = String::from_utf8(text.into_owned()).map_err(|_| {
                        AskFailure::relation(format!(
                            "table {}: a key that rows are asked for by is not valid UTF-8; export from a dump of the server",
                            table.name
                        ))
                    })?;
                    list.push(text);
                }
            }
        }
        Ok(KeyQuestion {
            columns,
            integers: integers.unwrap_or_default(),
            texts,
        })
    }

    /// As a condition; `None` if there are no columns, and every row is meant.
    pub(crate) fn predicate(&self) -> Option<Predicate<'_>> {
        match (self.columns.as_slice(), self.texts.is_empty()) {
            ([], _) => None,
            ([column], true) => Some(Predicate::AnyInteger(*column, &self.integers)),
            (columns, _) => Some(Predicate::AnyOf(columns.to_vec(), self.texts.clone())),
        }
    }
}

impl Hop {
    /// What asks for the rows of these keys, without the hop's conditions.
    ///
    /// # Errors
    /// If a key cannot stand in a statement.
    pub(super) fn question<'a>(
        &'a self,
        table: &PlanTable,
        keys: &[Key],
    ) -> Result<KeyQuestion<'a>, AskFailure> {
        let columns = self.child.iter().map(String::as_str);
        KeyQuestion::new(table, columns, &self.shape, keys)
    }

    /// What a server is asked for the rows of these keys.
    pub(super) fn predicates<'a>(&'a self, question: &'a KeyQuestion<'_>) -> Vec<Predicate<'a>> {
        let keys = question.predicate().into_iter();
        keys.chain(predicates(&self.filter, &self.tests)).collect()
    }
}

impl PlanTable {
    /// The columns of the key and their shape; `None` if rows cannot be asked for by it.
    pub(in crate::resolve) fn askable_key(&self) -> Option<(Vec<&str>, KeyShape)> {
        if self.key.is_empty() {
            return None;
        }
        let columns = self.key.iter().map(|at| &self.layout[*at]);
        let forms: Option<Vec<KeyForm>> = columns.clone().map(|column| column.form).collect();
        let names = columns.map(|column| column.name.as_str()).collect();
        Some((names, KeyShape::new(forms?)))
    }

    /// The shape of the key; `None` if rows cannot be asked for by it.
    pub fn key_shape(&self) -> Option<KeyShape> {
        self.askable_key().map(|(_, shape)| shape)
    }
}
