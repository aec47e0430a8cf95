//! Nodes of the tree: links, columns, orders, computed keys, and shapes put in where they are used.

use std::collections::BTreeSet;

use super::file::{ComputedFile, InsteadFile, ThroughFile};
use super::model::*;
use super::node_keys::{ColumnList, NodeKeys};
use super::notation::LinkFile;
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
        let table = self.optional(table).unwrap_or_default();
        let links = self.links(name, keys);
        let through = keys
            .through()
            .map(|through| self.through(&through.value, &table));
        let mut optional = BTreeSet::new();
        let columns = self.columns(keys, &mut optional);
        self.spend(name.value.len() + 256);
        self.clashes(keys, &columns);
        Node {
            name: name.value.clone(),
            ee: is_ee(keys.edition()),
            table,
            many: keys.many().is_some(),
            links,
            through,
            order: keys.order().map(|order| self.order(order)).collect(),
            columns,
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

    fn links(&mut self, name: &Located<String>, keys: NodeKeys<'a>) -> Vec<Link> {
        if !keys.is_linked() {
            return Vec::new();
        }
        let Some(links) = keys.link().filter(|links| !links.value.0.is_empty()) else {
            let position = keys.link().map_or(name.position, |link| link.position);
            let message = format!(
                "nothing links `{}` to the row above; give `link: {{ column: column above }}`",
                name.value
            );
            self.mistake(position, message);
            return Vec::new();
        };
        if let (Some(_), Some((column, _))) = (
            keys.through(),
            keys.filter().and_then(|filter| filter.iter().next()),
        ) {
            let message = "`where` beside `through` does not say which table it is for; put it into `link`, where it \
                           is for the join table";
            self.mistake(column.position, message);
        }
        let lowered = links.value.0.iter().map(|link| {
            let position = link.position().unwrap_or(links.position);
            let mut lowered = self.link(link, position);
            lowered.filter.extend(self.filter(keys.filter()));
            if keys.is_top() {
                self.top_level_parent(&lowered, position);
            }
            lowered
        });
        lowered.collect()
    }

    pub(super) fn link(&mut self, link: &LinkFile, position: Position) -> Link {
        let (child, parent) = match link.pairs.as_slice() {
            [(child, parent)] => (self.text(child), self.text(parent)),
            _ => {
                let message = "a link is one pair, `column: column above`; write several as a list, of which any links a \
                               row, and put what else must hold into `where`";
                self.mistake(position, message);
                (String::new(), String::new())
            }
        };
        Link {
            child,
            parent,
            filter: self.filter(Some(&link.filter)),
        }
    }

    /// The entity is seen through two columns only.
    pub(super) fn top_level_parent(&mut self, link: &Link, position: Position) {
        if !matches!(link.parent.as_str(), "key" | "root" | "") {
            let message = format!(
                "a relation cannot be linked to `{}` of the entity; link it to `key`, or to `root`, its root ancestor's key",
                link.parent
            );
            self.mistake(position, message);
        }
    }

    fn through(&mut self, through: &ThroughFile, table: &str) -> Through {
        let key = self
            .optional(through.key.as_ref())
            .unwrap_or_else(|| self.key_of(table));
        Through {
            table: self.text(&through.table),
            to: self.text(&through.to),
            key,
        }
    }

    /// The name of a column, which a `?` behind it says a snapshot may lack.
    fn column(&mut self, name: &Located<String>, optional: &mut BTreeSet<String>) -> String {
        let text = self.text(name);
        match text.strip_suffix('?') {
            Some("") | None => text,
            Some(column) => {
                optional.insert(column.to_owned());
                column.to_owned()
            }
        }
    }

    fn columns(&mut self, keys: NodeKeys<'a>, optional: &mut BTreeSet<String>) -> Columns {
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

    /// A key of an object must stand in it once.
    fn clashes(&mut self, keys: NodeKeys<'a>, columns: &Columns) {
        let mut taken: BTreeSet<&str> = match columns {
            Columns::Only(names) => names.iter().map(String::as_str).collect(),
            Columns::Except(_) => BTreeSet::new(),
        };
        let computed = keys.computed().map(|(name, _)| name);
        let nested = keys.nested().map(|(name, _)| name);
        for name in computed.chain(nested) {
            if !taken.insert(&name.value) {
                let message = format!(
                    "`{}` would be written twice in one object; rename or remove one of them",
                    name.value
                );
                self.mistake(name.position, message);
            }
        }
    }

    fn order(&mut self, order: &Located<String>) -> OrderBy {
        let text = order.value.as_str();
        let (column, nulls_last) = match text.strip_suffix(" nulls first") {
            Some(column) => (column, false),
            // As in PostgreSQL, NULLs go last where nothing is said.
            None => (text.strip_suffix(" nulls last").unwrap_or(text), true),
        };
        if column.is_empty()
            || [" asc", " desc", " nulls"]
                .iter()
                .any(|end| column.to_lowercase().ends_with(end))
        {
            let message = "an order is a column, ascending, with or without `nulls first` or `nulls last` behind it; \
                           write it so";
            self.mistake(order.position, message);
        }
        self.spend(column.len() + 32);
        OrderBy {
            column: column.to_owned(),
            nulls_last,
        }
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
            text_color,
            lookup,
            link,
            without_table,
        } = &key.value;
        match (column, names, text_color, lookup, link, without_table) {
            (Some(column), None, None, None, None, None) => {
                Some(ComputedValue::Column(self.column(column, optional)))
            }
            (Some(column), Some(names), None, None, None, None) => Some(ComputedValue::Names {
                column: self.column(column, optional),
                names: self.names(names),
            }),
            (None, None, Some(column), None, None, None) => Some(ComputedValue::TextColor {
                column: self.column(column, optional),
            }),
            (Some(column), None, None, Some(table), Some(link), without_table) => {
                Some(ComputedValue::Lookup {
                    table: self.text(table),
                    link: self.link(&link.value, link.position),
                    column: self.column(column, optional),
                    without_table: without_table
                        .as_ref()
                        .map(|column| self.column(column, optional)),
                })
            }
            _ => {
                let message = "the computed key is not clear; give one of `column`, `column` with `names`, `text_color`, \
                               and `lookup` with `link` and `column`";
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
        let mut objects = std::collections::BTreeMap::new();
        for (value, object) in &instead.objects.0 {
            let members = object
                .iter()
                .map(|(key, value)| format!("{}:{}", json_string(&key.value), value.to_json()));
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
