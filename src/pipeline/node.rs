//! Nodes of the tree: tables, computed keys, and shapes put in where they are used.

use std::collections::{BTreeMap, BTreeSet};

use crate::snapshot::TableName;

use super::file::{ComputedFile, InsteadFile};
use super::model::*;
use super::node_keys::NodeKeys;
use super::validate::{Validator, is_ee};
use super::yaml::{Located, json_string};

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
        Node {
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
            computed: self.computed(keys, &mut optional),
            optional,
            instead: keys.instead().map(|instead| self.instead(instead)),
            nested: self.nested(keys, depth),
        }
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
            if let Some(value) = self.computed_value(key, optional) {
                self.spend(name.value.len() + 64);
                keys.push(Computed {
                    name: name.value.clone(),
                    value,
                });
            }
        }
        keys
    }

    fn computed_value(
        &mut self,
        key: &'a Located<ComputedFile>,
        optional: &mut BTreeSet<String>,
    ) -> Option<ComputedValue> {
        let ComputedFile {
            column,
            names,
            constant,
            text_color,
            lookup,
            link,
            without_table,
        } = &key.value;
        let values = (column, names, constant, text_color);
        match (values, lookup, link, without_table) {
            ((Some(column), None, None, None), None, None, None) => {
                Some(ComputedValue::Column(self.column(column, optional)))
            }
            ((Some(column), Some(names), None, None), None, None, None) => {
                Some(ComputedValue::Names {
                    column: self.column(column, optional),
                    names: self.names(names),
                })
            }
            ((None, None, Some(constant), None), None, None, None) => Some(
                ComputedValue::Constant(self.json(&constant.value, constant.position)?),
            ),
            ((None, None, None, Some(column)), None, None, None) => {
                Some(ComputedValue::TextColor {
                    column: self.column(column, optional),
                })
            }
            ((Some(column), None, None, None), Some(table), Some(link), without_table) => {
                Some(ComputedValue::Lookup {
                    table: self.table_name(table),
                    link: self.link(&link.value, link.position),
                    column: self.column(column, optional),
                    without_table: without_table
                        .as_ref()
                        .map(|column| self.column(column, optional)),
                })
            }
            _ => {
                let message = "the computed key is not clear; give one of `column`, `column` with `names`, `constant`, \
                               `text_color`, and `lookup` with `link` and `column`";
                self.mistake(key.position, message);
                None
            }
        }
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
