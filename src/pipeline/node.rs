//! Nodes of the tree: tables, computed keys, and shapes put in where they are used.

use std::collections::{BTreeMap, BTreeSet};

use crate::snapshot::TableName;

use super::file::{ComputedFile, InsteadFile};
use super::model::*;
use super::node_keys::NodeKeys;
use super::validate::{Validator, is_ee};
use super::yaml::{Located, Position, json_string};

/// How many nodes may stand inside one another.
const MAX_DEPTH: usize = 16;

impl<'a> Validator<'a> {
    /// A node and everything under it; `depth` is the number of nodes above.
    pub(super) fn node(
        &mut self,
        name: &Located<String>,
        keys: NodeKeys<'a>,
        depth: usize,
    ) -> Node {
        let table = match (keys.one(), keys.many()) {
            (Some(_), Some(many)) => {
                self.mistake(
                    many.position,
                    "a node has `one` row or `many`; keep one of them",
                );
                Some(many)
            }
            (None, None) => {
                let choices = if keys.is_top() {
                    "`table` or `maxima`"
                } else {
                    "`one`, `many` or `use`"
                };
                self.mistake(
                    name.position,
                    format!("`{}` has no table; give {choices}", name.value),
                );
                None
            }
            (one, many) => one.or(many),
        };
        let table = match table {
            Some(table) => self.table_name(table),
            None => TableName::public(""),
        };
        let (links, via) = self.way(name, keys);
        let mut optional = BTreeSet::new();
        let columns = self.columns(keys, &mut optional);
        let renamed = self.renamed(keys, &columns, &mut optional);
        self.spend(name.value.len() + 256);
        self.clashes(name, keys, &columns, &renamed);
        let node = Node {
            name: name.value.clone(),
            ee: is_ee(keys.edition()),
            table,
            many: keys.many().is_some(),
            links,
            via,
            tree: self.tree(name, keys),
            order: keys.order().map(|order| self.order(order)).collect(),
            pick: self.pick(keys),
            columns,
            renamed,
            ee_columns: self.ee_columns(keys),
            values: keys
                .values()
                .map(|values| self.values(values))
                .unwrap_or_default(),
            overlay: self.overlay(keys),
            matching: self.matching(keys),
            without_row: self.without_row(keys),
            computed: self.computed(keys, &mut optional),
            optional,
            instead: keys.instead().map(|instead| self.instead(instead)),
            nested: self.nested(keys, depth),
        };
        self.inside(name, keys, &node);
        node
    }

    fn nested(&mut self, keys: NodeKeys<'a>, depth: usize) -> Vec<Node> {
        let mut nodes = Vec::new();
        for (name, node) in keys.nested() {
            if depth + 1 >= MAX_DEPTH {
                let message = format!(
                    "`{}` stands in more than {MAX_DEPTH} nodes; nest less deep",
                    name.value
                );
                self.mistake(name.position, message);
                break;
            }
            // Shapes that use one another in a circle end at the depth limit, but only in as many nodes as this allows.
            if !self.spend(0) {
                break;
            }
            let shape = node.r#use.as_ref().and_then(|name| self.shape(name));
            if let Some(inner) = shape.and_then(|shape| shape.r#use.as_ref()) {
                self.mistake(
                    inner.position,
                    "a shape cannot itself use a shape, only the nodes inside it; write it out",
                );
            }
            nodes.push(self.node(name, NodeKeys::Node { node, shape }, depth + 1));
        }
        nodes
    }

    fn computed(&mut self, node: NodeKeys<'a>, optional: &mut BTreeSet<String>) -> Vec<Computed> {
        let mut keys = Vec::new();
        for (name, key) in node.computed() {
            if let Some(value) = self.computed_value(&key.value, key.position, optional) {
                self.spend(name.value.len() + 64);
                keys.push(Computed {
                    name: name.value.clone(),
                    value,
                    object: key.value.object.as_ref().map(|key| key.value.clone()),
                    last: key.value.last,
                    unless_null: key.value.unless_null,
                });
            }
        }
        keys
    }

    fn computed_value(
        &mut self,
        key: &'a ComputedFile,
        position: Position,
        optional: &mut BTreeSet<String>,
    ) -> Option<ComputedValue> {
        let given = [
            key.column.is_some() && key.lookup.is_none(),
            key.constant.is_some(),
            key.text_color.is_some(),
            key.lookup.is_some(),
            key.of.is_some(),
            key.first.is_some(),
        ];
        let is_one = given.iter().filter(|given| **given).count() == 1;
        let of_lookup =
            key.link.is_some() || key.without_table.is_some() || key.without_row.is_some();
        let is_whole = match (&key.lookup, &key.column) {
            (Some(_), column) => column.is_some() && key.link.is_some() && key.value.is_none(),
            (None, Some(_)) => !of_lookup && (key.names.is_none() || key.value.is_none()),
            (None, None) => !of_lookup && key.names.is_none() && key.value.is_none(),
        };
        if !is_one || !is_whole {
            let message = "the computed key is not clear; give one of `column` (also with `names` or `value`), `constant`, \
                           `text_color`, `of`, `first`, and `lookup` with `link` and `column`";
            self.mistake(position, message);
            return None;
        }
        if let (Some(table), Some(link), Some(column)) = (&key.lookup, &key.link, &key.column) {
            let without_row = key.without_row.as_ref();
            return Some(ComputedValue::Lookup {
                table: self.table_name(table),
                link: self.link(&link.value, link.position),
                column: self.column(column, optional),
                without_table: key
                    .without_table
                    .as_ref()
                    .map(|column| self.column(column, optional)),
                names: key.names.as_ref().map(|names| self.names(names)),
                without_row: without_row.and_then(|value| self.json(&value.value, value.position)),
            });
        }
        if let Some(column) = &key.column {
            let column = self.column(column, optional);
            return Some(match (&key.names, &key.value) {
                (Some(names), _) => ComputedValue::Names {
                    column,
                    names: self.names(names),
                },
                (None, Some(value)) => ComputedValue::Ruled {
                    rule: self.value(&column, value)?,
                    column,
                },
                (None, None) => ComputedValue::Column(column),
            });
        }
        if let Some(constant) = &key.constant {
            let json = self.json(&constant.value, constant.position)?;
            return Some(ComputedValue::Constant(json));
        }
        if let Some(column) = &key.text_color {
            return Some(ComputedValue::TextColor {
                column: self.column(column, optional),
            });
        }
        if let Some(path) = &key.of {
            return self.value_path(path).map(ComputedValue::Of);
        }
        let mut alternatives = Vec::new();
        for alternative in key.first.iter().flatten() {
            let file = &alternative.value;
            if file.object.is_some() || file.last || file.unless_null || file.first.is_some() {
                let message = "`object`, `last`, `unless_null` and `first` are for the key as a whole; leave them out here";
                self.mistake(alternative.position, message);
            }
            alternatives.extend(self.computed_value(file, alternative.position, optional));
        }
        if alternatives.is_empty() {
            self.mistake(position, "`first` has no values; give some");
        }
        Some(ComputedValue::First(alternatives))
    }

    fn ee_columns(&mut self, keys: NodeKeys<'a>) -> BTreeSet<String> {
        keys.ee_columns().map(|column| self.text(column)).collect()
    }

    fn overlay(&mut self, keys: NodeKeys<'a>) -> Option<Overlay> {
        let Located { value, position } = keys.overlay()?;
        let nested = keys.nested().any(|(name, node)| {
            let of_shape = node.r#use.as_ref();
            name.value == value.nested.value && (node.many.is_none() || of_shape.is_some())
        });
        if !nested {
            let message = format!("`{}` is no nested `one`; name one", value.nested.value);
            self.mistake(value.nested.position, message);
        }
        if value.columns.is_empty() {
            self.mistake(*position, "`overlay` has no columns; name them");
        }
        Some(Overlay {
            nested: self.text(&value.nested),
            columns: value
                .columns
                .iter()
                .map(|column| self.text(column))
                .collect(),
        })
    }

    fn matching(&mut self, keys: NodeKeys<'a>) -> Vec<Match> {
        let mut matching = Vec::new();
        for (column, equals) in keys.matching() {
            matching.push(Match {
                column: self.text(column),
                equals: self.columns_of(equals),
            });
        }
        matching
    }

    /// The object of a `one` that has no row.
    fn without_row(&mut self, keys: NodeKeys<'a>) -> Option<BTreeMap<String, String>> {
        let Located { value, position } = keys.without_row()?;
        if keys.many().is_some() {
            let message = "`without_row` is for a `one`; a `many` without rows is empty";
            self.mistake(*position, message);
        }
        let mut object = BTreeMap::new();
        for (key, value) in value.iter() {
            let json = self.json(value, key.position)?;
            object.insert(self.text(key), json);
        }
        Some(object)
    }

    fn instead(&mut self, instead: &InsteadFile) -> Instead {
        if instead.objects.0.is_empty() {
            self.mistake(
                instead.column.position,
                "`instead` has no objects; add them, or leave it out",
            );
        }
        let mut objects = BTreeMap::new();
        for (value, object) in &instead.objects.0 {
            let members = object.iter().filter_map(|(key, value)| {
                let value = self.json(value, key.position)?;
                Some(format!("{}:{value}", json_string(&key.value)))
            });
            let json = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
            self.spend(json.len() + 64);
            objects.insert(*value, json);
        }
        Instead {
            column: self.text(&instead.column),
            objects,
        }
    }
}
