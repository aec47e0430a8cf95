//! What a node says of the rows that are nested in it, held against those nodes: keys that values are taken of, rows that
//! lie over its own, the object where there is no row.

use std::collections::BTreeMap;

use super::model::*;
use super::node_keys::NodeKeys;
use super::validate::Validator;
use super::value_rule::{ValuePath, ValueRule};
use super::yaml::{Located, Position};

impl<'a> Validator<'a> {
    /// Looks for what a node, whose keys these are, says of what is not there.
    pub(super) fn inside(&mut self, name: &Located<String>, keys: NodeKeys<'a>, node: &Node) {
        for (key, file) in keys.computed() {
            let named = |computed: &&Computed| computed.name == key.value;
            for computed in node.computed.iter().filter(named) {
                self.looked_at(file.position, node, &computed.value);
            }
        }
        for (column, file) in keys.values().into_iter().flat_map(|values| values.iter()) {
            if let Some(rule) = node.values.get(&column.value) {
                self.rule_inside(file.position, node, rule);
            }
        }
        if let Some(overlay) = &node.overlay {
            self.under_overlay(name, keys, node, overlay);
        }
        if let (Some(file), Some(object)) = (keys.without_row(), &node.without_row) {
            self.keys_without_row(file.position, node, object);
        }
    }

    fn looked_at(&mut self, position: Position, node: &Node, value: &ComputedValue) {
        match value {
            ComputedValue::Of(path) => self.value_inside(position, node, path),
            ComputedValue::Ruled { rule, .. } => self.rule_inside(position, node, rule),
            ComputedValue::First(values) => {
                for value in values {
                    self.looked_at(position, node, value);
                }
            }
            ComputedValue::Lookup { link, .. } => {
                let over = node.overlay.as_ref().map(|overlay| &overlay.columns);
                let parent = link.parent.iter();
                let found = over.and_then(|over| {
                    let mut parent = parent.map(|column| column.trim_end_matches('?'));
                    parent.find(|column| over.iter().any(|over| over == column))
                });
                if let Some(column) = found {
                    let message = format!(
                        "`{column}` may be that of the row that lies over this one, by which nothing is looked up; nest a \
                         `one` by that link, and take the value with `of`"
                    );
                    self.mistake(position, message);
                }
            }
            ComputedValue::Column(_)
            | ComputedValue::Constant(_)
            | ComputedValue::Names { .. }
            | ComputedValue::TextColor { .. } => {}
        }
    }

    fn rule_inside(&mut self, position: Position, node: &Node, rule: &ValueRule) {
        for rule in rule.rules() {
            if let ValueRule::Of(path) = rule {
                self.value_inside(position, node, path);
            }
            if let ValueRule::Count(nested) = rule
                && !node.nested.iter().any(|inner| inner.name == *nested)
            {
                let message = format!(
                    "nothing is nested under `{nested}`, so that there are no rows to count; name a nested key"
                );
                self.mistake(position, message);
            }
        }
    }

    /// A key of a nested row must be one that is written there.
    fn value_inside(&mut self, position: Position, node: &Node, path: &ValuePath) {
        let inner = path.nested.iter().try_fold(node, |node, name| {
            node.nested.iter().find(|inner| inner.name == *name)
        });
        let is_key = inner.is_some_and(|node| {
            let mut computed = node.computed.iter();
            node.columns.contains(&path.key) || computed.any(|key| key.name == path.key)
        });
        if !is_key {
            let message = format!(
                "`{}.{}` is no value of a nested row; name nested keys from this row inwards, and behind them a column or \
                 computed key that is written there",
                path.nested.join("."),
                path.key
            );
            self.mistake(position, message);
        }
    }

    /// Links go either by columns of the row itself or by those of what lies over it.
    fn under_overlay(
        &mut self,
        name: &Located<String>,
        keys: NodeKeys<'a>,
        node: &Node,
        overlay: &Overlay,
    ) {
        let is_over = |column: &String| {
            let column = column.trim_end_matches('?');
            overlay.columns.iter().any(|over| over == column)
        };
        if let (Some(tree), Some(file)) = (&node.tree, keys.tree())
            && tree.link.parent.iter().any(is_over)
        {
            let message = "the rows below are found by a column that `overlay` takes from another row; leave one of them out";
            self.mistake(file.position, message);
        }
        for (order, file) in node.order.iter().zip(keys.order()) {
            if is_over(&order.column) {
                let message = "rows are put into an order before `overlay` takes this column from another row; order by a \
                               column of their own";
                self.mistake(file.position, message);
            }
        }
        for child in &node.nested {
            let links = child.via.last().map_or(&child.links, |via| &via.links);
            for link in links {
                let over = link.parent.iter().filter(|column| is_over(column)).count();
                let position = keys
                    .nested()
                    .find(|(key, _)| key.value == child.name)
                    .map_or(name.position, |(key, _)| key.position);
                if child.name == overlay.nested && over > 0 {
                    let message = format!(
                        "`{}` lies over the row, and cannot be linked by columns that are taken from it",
                        child.name
                    );
                    self.mistake(position, message);
                } else if over > 0 && over < link.parent.len() {
                    let message = format!(
                        "`{}` is linked by columns of the row and by some that `overlay` takes from another row; let all of \
                         them be of one row",
                        child.name
                    );
                    self.mistake(position, message);
                }
            }
        }
    }

    /// The object of a row that is not there has the keys of one that is.
    fn keys_without_row(
        &mut self,
        position: Position,
        node: &Node,
        object: &BTreeMap<String, String>,
    ) {
        for key in object.keys() {
            let mut computed = node.computed.iter();
            if !node.columns.contains(key) && !computed.any(|computed| computed.name == *key) {
                let message = format!(
                    "a row has no `{key}`, so that nothing of it stands in place of one; name a column or computed key that is \
                     written"
                );
                self.mistake(position, message);
            }
        }
    }

    /// Rules of tables hold in all nodes, which have different rows nested in them.
    pub(super) fn no_nested_rows(&mut self, position: Position, rule: &ValueRule) {
        let looks_inside =
            |rule: &&ValueRule| matches!(rule, ValueRule::Of(_) | ValueRule::Count(_));
        if rule.rules().iter().any(looks_inside) {
            let message = "`of` and `count` are about rows that are nested in a node's; give the rule under `values` of the \
                           node";
            self.mistake(position, message);
        }
    }
}
