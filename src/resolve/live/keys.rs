//! The keys of a relation's top-level rows, for many entities by one query per hop.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use crate::key::KeyForm;
use crate::resolve::keys::{CopyFields, Key, KeyRead, KeyShape, RowOrder};
use crate::resolve::order::row_order;
use crate::resolve::plan::{Hop, HopId, PlanNode, Reach, ReachedFrom};
use crate::snapshot::codec::copy_text;
use crate::snapshot::{Event, Fields, Query, TableName};

use super::ask::{AskFailure, Asker, KEYS};
use super::requests::EntityRequest;

/// A top-level row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TopRow {
    /// Bytes that compare as the rows do by the relation's order.
    by_order: Vec<u8>,
    /// And by their primary key.
    by_key: Vec<u8>,
    pub key: Key,
}

/// What a row leads to, for each reach of the next step; `None` where that is NULL.
type Onward = Vec<Option<Key>>;

/// What a hop found: the key it was found by, and something of the row. Sorted, each pair once.
struct KeyPairs<T>(Vec<(Key, T)>);

impl<T: Ord> KeyPairs<T> {
    fn new(mut pairs: Vec<(Key, T)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        KeyPairs(pairs)
    }

    fn of<'k>(&self, key: &'k Key) -> impl Iterator<Item = &T> + use<'_, 'k, T> {
        let from = self.0.partition_point(|pair| pair.0 < *key);
        let found = self.0[from..].iter().take_while(move |pair| pair.0 == *key);
        found.map(|pair| &pair.1)
    }
}

/// Columns of a query, each asked for once.
#[derive(Default)]
struct Asked<'a> {
    columns: Vec<&'a str>,
}

impl<'a> Asked<'a> {
    /// The positions of these columns in the answer.
    fn positions(&mut self, columns: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
        let columns = columns.into_iter();
        columns
            .map(|column| {
                let known = self.columns.iter().position(|other| *other == column);
                known.unwrap_or_else(|| {
                    self.columns.push(column);
                    self.columns.len() - 1
                })
            })
            .collect()
    }
}

impl Asker<'_> {
    /// The top-level rows of a node, for each of these entities: in the order of their primary keys, or, within `batch_size` of
    /// them (of all if it is `None`), in the order of the relation.
    ///
    /// # Errors
    /// As [`Asker::read`].
    pub(crate) fn top_level(
        &self,
        node: &PlanNode,
        entities: &[EntityRequest],
        batch_size: Option<usize>,
        interrupted: &AtomicBool,
    ) -> Result<Vec<Vec<Key>>, AskFailure> {
        let Some((last, before)) = node.steps.split_last() else {
            return Ok(vec![Vec::new(); entities.len()]);
        };
        // By step and reach.
        let mut between: Vec<Vec<KeyPairs<Onward>>> = Vec::new();
        for (position, step) in before.iter().enumerate() {
            let next = before.get(position + 1).unwrap_or(last);
            let mut found = Vec::new();
            for (number, reach) in step.reach.iter().enumerate() {
                let keys = keys_into(entities, &between, reach, number);
                found.push(self.onward(reach.hop, keys, &next.reach, interrupted)?);
            }
            between.push(found);
        }
        let mut found = Vec::new();
        for (number, reach) in last.reach.iter().enumerate() {
            let keys = keys_into(entities, &between, reach, number);
            found.push(self.rows_of_hop(reach.hop, keys, node, interrupted)?);
        }
        let rows = |request: &EntityRequest| {
            let mut rows: Vec<TopRow> = Vec::new();
            // The keys by which each reach of a step is taken.
            let first = node.steps.first().map(|step| step.reach.as_slice());
            let mut taken: Vec<Vec<Key>> = first
                .unwrap_or_default()
                .iter()
                .map(|reach| request.keys(&reach.from, &reach.shape))
                .collect();
            for (position, pairs) in between.iter().enumerate() {
                let next = before.get(position + 1).unwrap_or(last);
                let mut onward: Vec<Vec<Key>> = vec![Vec::new(); next.reach.len()];
                for (pairs, keys) in pairs.iter().zip(&taken) {
                    for to in keys.iter().flat_map(|key| pairs.of(key)) {
                        for (list, key) in onward.iter_mut().zip(to) {
                            list.extend(key.clone());
                        }
                    }
                }
                for list in &mut onward {
                    list.sort_unstable();
                    list.dedup();
                }
                taken = onward;
            }
            for (pairs, keys) in found.iter().zip(&taken) {
                rows.extend(keys.iter().flat_map(|key| pairs.of(key)).cloned());
            }
            in_order(rows, batch_size)
        };
        Ok(entities.iter().map(rows).collect())
    }

    /// The rows that a hop finds by these keys, as the keys by which the next step's reaches are taken.
    fn onward(
        &self,
        hop: HopId,
        keys: Vec<Key>,
        next: &[Reach],
        interrupted: &AtomicBool,
    ) -> Result<KeyPairs<Onward>, AskFailure> {
        let mut asked = Asked::default();
        let planned = &self.plan.hops[hop];
        let child = asked.positions(planned.child.iter().map(String::as_str));
        let onward: Vec<(Vec<usize>, &KeyShape)> = next
            .iter()
            .map(|reach| {
                let columns = match &reach.from {
                    ReachedFrom::Columns(columns) => columns.as_slice(),
                    ReachedFrom::EntityKey
                    | ReachedFrom::EntityRoot
                    | ReachedFrom::Everything
                    | ReachedFrom::Collected => &[],
                };
                (
                    asked.positions(columns.iter().map(String::as_str)),
                    &reach.shape,
                )
            })
            .collect();
        let table = &self.plan.tables[planned.table];
        let mut pairs = Vec::new();
        self.fields(hop, keys, &asked.columns, interrupted, &mut |row| {
            let key = found_by(&table.name, planned, row, &child)?;
            let mut to = Vec::with_capacity(onward.len());
            for (columns, shape) in &onward {
                to.push(match shape.read_key(row, columns) {
                    KeyRead::Is(key) => Some(key),
                    KeyRead::Null => None,
                    KeyRead::Wrong(at) => {
                        let column = columns.get(at).and_then(|at| asked.columns.get(*at));
                        let form = shape.forms().get(at);
                        return Err(wrong(&table.name, column.copied(), form, "a key"));
                    }
                });
            }
            pairs.push((key, to));
            Ok(())
        })?;
        Ok(KeyPairs::new(pairs))
    }

    /// The node's own rows that a hop finds by these keys.
    fn rows_of_hop(
        &self,
        hop: HopId,
        keys: Vec<Key>,
        node: &PlanNode,
        interrupted: &AtomicBool,
    ) -> Result<KeyPairs<TopRow>, AskFailure> {
        let planned = &self.plan.hops[hop];
        let table = &self.plan.tables[planned.table];
        let Some((key_columns, key_shape)) = table.askable_key() else {
            return Err(AskFailure::relation(format!(
                "table {}: its rows have no key that they can be asked for by",
                table.name
            )));
        };
        let mut asked = Asked::default();
        let child = asked.positions(planned.child.iter().map(String::as_str));
        let key = asked.positions(key_columns.iter().copied());
        let order = asked.positions(node.order.iter().map(|by| by.column.as_str()));
        let by_key = table.key_order.at(&key);
        let by_order = row_order(table, &node.order).map_err(broken_plan)?;
        let by_order: RowOrder = by_order.at(&order);
        let mut pairs = Vec::new();
        self.fields(hop, keys, &asked.columns, interrupted, &mut |row| {
            let top = TopRow {
                by_order: by_order.bytes(row),
                by_key: by_key.bytes(row),
                key: match key_shape.read_key(row, &key) {
                    KeyRead::Is(key) => key,
                    KeyRead::Null => {
                        let name = table.key_name();
                        let reason = format!("the primary key, {name}, is NULL in a row");
                        return Err(AskFailure::relation(format!(
                            "table {}: {reason}",
                            table.name
                        )));
                    }
                    KeyRead::Wrong(at) => {
                        let (column, form) = (key_columns.get(at), key_shape.forms().get(at));
                        return Err(wrong(&table.name, column.copied(), form, "the primary key"));
                    }
                },
            };
            pairs.push((found_by(&table.name, planned, row, &child)?, top));
            Ok(())
        })?;
        Ok(KeyPairs::new(pairs))
    }

    /// Asks for these columns of the rows that a hop finds by these keys.
    fn fields(
        &self,
        hop: HopId,
        mut keys: Vec<Key>,
        columns: &[&str],
        interrupted: &AtomicBool,
        take: &mut dyn FnMut(&CopyFields<'_>) -> Result<(), AskFailure>,
    ) -> Result<(), AskFailure> {
        keys.sort_unstable();
        keys.dedup();
        let hop = &self.plan.hops[hop];
        let table = &self.plan.tables[hop.table];
        for keys in keys.chunks(KEYS) {
            let question = hop.question(table, keys)?;
            let query = Query {
                table: &table.name,
                fields: Fields::Columns(columns.to_vec()),
                predicates: hop.predicates(&question),
            };
            self.read(&query, interrupted, &mut |event| {
                let Event::Rows(block) = event else {
                    return Ok(ControlFlow::Continue(()));
                };
                let bytes = block.bytes();
                let mut rows = copy_text::CopyRows::new(bytes);
                let mut fields = Vec::new();
                while rows.next_row(&mut fields).is_some() {
                    take(&CopyFields {
                        bytes,
                        fields: &fields,
                    })?;
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    }
}

/// The keys of rows in order, each once.
fn in_order(mut rows: Vec<TopRow>, batch_size: Option<usize>) -> Vec<Key> {
    rows.sort_unstable_by(|one, other| (&one.by_key, &one.key).cmp(&(&other.by_key, &other.key)));
    rows.dedup_by(|one, other| one.key == other.key);
    let size = batch_size.unwrap_or(rows.len()).max(1);
    for batch in rows.chunks_mut(size) {
        // Stable, so that rows that are equal by the order stay in order of their primary keys.
        batch.sort_by(|one, other| one.by_order.cmp(&other.by_order));
    }
    rows.into_iter().map(|row| row.key).collect()
}

/// The keys by which a reach is taken for all entities: of the first step their own, else what rows of the step before lead to.
fn keys_into(
    entities: &[EntityRequest],
    between: &[Vec<KeyPairs<Onward>>],
    reach: &Reach,
    number: usize,
) -> Vec<Key> {
    match between.last() {
        None => entities
            .iter()
            .flat_map(|request| request.keys(&reach.from, &reach.shape))
            .collect(),
        Some(found) => found
            .iter()
            .flat_map(|pairs| &pairs.0)
            .filter_map(|(_, onward)| onward.get(number)?.clone())
            .collect(),
    }
}

/// The key that a row was found by.
fn found_by(
    table: &TableName,
    hop: &Hop,
    row: &CopyFields<'_>,
    child: &[usize],
) -> Result<Key, AskFailure> {
    if child.is_empty() {
        return Ok(Key::Integer(0));
    }
    match hop.shape.read_key(row, child) {
        KeyRead::Is(key) => Ok(key),
        KeyRead::Null => Err(AskFailure::relation(format!(
            "table {table}: the server found a row by column {}, but it is NULL there, which equals nothing",
            hop.child.join(", ")
        ))),
        KeyRead::Wrong(at) => {
            let column = hop.child.get(at).map(String::as_str);
            Err(wrong(table, column, hop.shape.forms().get(at), "a key"))
        }
    }
}

fn wrong(
    table: &TableName,
    column: Option<&str>,
    form: Option<&KeyForm>,
    what: &str,
) -> AskFailure {
    let kind = match form {
        Some(KeyForm::Integer) => "no integer",
        Some(_) | None => "no value of its type",
    };
    AskFailure::relation(format!(
        "table {table}: column {} is {kind}, but it is {what}",
        column.unwrap_or("?")
    ))
}

fn broken_plan(error: crate::resolve::plan::PlanError) -> AskFailure {
    AskFailure::relation(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::plan::{Id, SlotId, TableId};

    #[test]
    fn what_was_not_asked_for_is_told_by_the_columns_of_the_link() {
        let hop = Hop {
            table: TableId::at(0),
            child: vec!["day".to_owned(), "ref".to_owned()],
            shape: KeyShape::new([KeyForm::Date, KeyForm::Integer]),
            filter: Vec::new(),
            tests: Vec::new(),
            slot: SlotId::at(0),
        };
        let found = |text: &str| {
            let mut fields = Vec::new();
            copy_text::next_row(text.as_bytes(), 0, &mut fields);
            let row = CopyFields {
                bytes: text.as_bytes(),
                fields: &fields,
            };
            match found_by(&TableName::public("c"), &hop, &row, &[1, 2]) {
                Ok(_) => "found".to_owned(),
                Err(AskFailure::Relation(refusal)) => refusal.reason,
                Err(AskFailure::Run(error)) => error.to_string(),
            }
        };
        let cases = [
            ("1\t2026-01-02\t7\n", "found"),
            (
                "1\t2026-01-02\t\\N\n",
                "table c: the server found a row by column day, ref, but it is NULL there, which equals nothing",
            ),
            (
                "1\tnever\t7\n",
                "table c: column day is no value of its type, but it is a key",
            ),
            (
                "1\t2026-01-02\tx\n",
                "table c: column ref is no integer, but it is a key",
            ),
        ];
        for (row, says) in cases {
            assert_eq!(found(row), says, "{row:?}");
        }
    }

    #[test]
    fn rows_are_in_order_within_their_batch_and_each_once() {
        let row = |key: i64, order: u8| TopRow {
            by_order: vec![order],
            by_key: vec![key as u8],
            key: Key::Integer(key),
        };
        let rows = vec![row(3, 1), row(1, 9), row(2, 5), row(4, 0), row(1, 9)];
        let keys = |batch_size: Option<usize>| {
            let keys = in_order(rows.clone(), batch_size).into_iter();
            let keys = keys.map(|key| key.texts(1).concat());
            String::from_utf8(keys.collect::<Vec<_>>().concat()).unwrap()
        };
        assert_eq!(keys(None), "4321");
        assert_eq!(keys(Some(2)), "2143");
    }
}
