//! Compiling: a plan's nodes with their keys written out, positions in place of names, and a codec for every value.

use std::collections::BTreeMap;

use crate::pipeline::{ComputedValue, Instead, OrderBy, TemplatePart, ValueRule};
use crate::resolve::{
    HopId, Plan, PlanComputed, PlanError, PlanNested, PlanNode, PlanTable, ReachedFrom, TableId,
};

use super::TreePlace;
use crate::export::values::{self, Codec};

pub(super) struct Node {
    /// Position in the relation's list of places.
    pub(super) place: usize,
    pub(super) table: TableId,
    pub(super) many: bool,
    /// Ways from the row above; none at the top level, where the plan says them.
    pub(super) reach: Vec<Reach>,
    /// The way from the rows of a join table, where `reach` leads to those.
    pub(super) through: Option<Reach>,
    pub(super) order: Vec<Order>,
    pub(super) instead: Option<(usize, Instead)>,
    pub(super) fields: Vec<Field>,
    pub(super) nested: Vec<Nested>,
    pub(super) collected: Vec<usize>,
}

/// A hop by a column of rows.
pub(super) struct Reach {
    /// Position in the layout of the rows' table.
    pub(super) column: usize,
    pub(super) hop: HopId,
}

pub(super) enum Nested {
    Node { prefix: Vec<u8>, node: Box<Node> },
    Empty { prefix: Vec<u8> },
}

pub(super) struct Order {
    pub(super) column: usize,
    pub(super) integer: bool,
    pub(super) nulls_last: bool,
}

/// A key of an object, and where its value comes from.
pub(super) struct Field {
    /// `"name":`
    pub(super) prefix: Vec<u8>,
    pub(super) column: usize,
    pub(super) value: Value,
}

pub(super) enum Value {
    Plain(Codec),
    Names(BTreeMap<i64, String>),
    NullAs(Codec, Vec<u8>),
    NullAsColumn(Codec, usize, Codec),
    Object {
        prefix: Vec<u8>,
        parts: Vec<TemplateField>,
    },
    TextColor {
        default: Vec<u8>,
    },
    Lookup {
        reach: Reach,
        column: usize,
        codec: Codec,
    },
    Null,
}

/// A piece of an object's text.
pub(super) enum TemplateField {
    Text(Vec<u8>),
    Column(usize),
}

pub(super) struct Compiler<'a> {
    pub(super) plan: &'a Plan,
    pub(super) absent: &'a BTreeMap<TableId, std::collections::BTreeSet<usize>>,
}

impl Compiler<'_> {
    fn is_absent(&self, table: TableId, column: usize) -> bool {
        self.absent
            .get(&table)
            .is_some_and(|columns| columns.contains(&column))
    }

    fn codec(&self, table: &PlanTable, column: usize) -> Codec {
        Codec::in_form(&table.layout[column].sql_type, self.plan.values)
    }

    /// Compiles a node and those below it, and adds their places to the list.
    pub(super) fn node(
        &self,
        node: &PlanNode,
        parent: Option<(TableId, &str)>,
        places: &mut Vec<TreePlace>,
    ) -> Result<Node, PlanError> {
        let table = &self.plan.tables[node.table];
        let path = match parent {
            Some((_, above)) => format!("{above}.{}", node.name),
            None => node.name.clone(),
        };
        let place = places.len();
        places.push(TreePlace {
            path: path.clone(),
            table: table.name.to_string(),
        });
        let mut fields = Vec::new();
        for (column, layout) in table.layout.iter().enumerate() {
            if node.columns.contains(&layout.name) && !self.is_absent(node.table, column) {
                fields.push(self.field(table, &layout.name, column)?);
            }
        }
        for computed in &node.computed {
            fields.extend(self.computed(node, computed)?);
        }
        let mut nested = Vec::new();
        for child in &node.nested {
            nested.push(match child {
                PlanNested::Empty(name) => Nested::Empty {
                    prefix: prefix(name),
                },
                PlanNested::Node(child) => Nested::Node {
                    prefix: prefix(&child.name),
                    node: Box::new(self.node(child, Some((node.table, &path)), places)?),
                },
            });
        }
        let order = |by: &OrderBy| -> Result<Order, PlanError> {
            let column = table.kept_column(&by.column)?;
            let integer = table.layout[column].sql_type.is_integer();
            Ok(Order {
                column,
                integer,
                nulls_last: by.nulls_last,
            })
        };
        let instead = match (&node.instead, parent) {
            (Some(instead), Some((parent, _))) => Some((
                self.plan.tables[parent].kept_column(&instead.column)?,
                instead.clone(),
            )),
            (Some(_), None) | (None, _) => None,
        };
        let mut reach = Vec::new();
        for planned in &node.reach {
            match (&planned.from, parent) {
                (ReachedFrom::Column(column), Some((parent, _))) => reach.push(Reach {
                    column: self.plan.tables[parent].kept_column(column)?,
                    hop: planned.hop,
                }),
                // The top level.
                (ReachedFrom::EntityKey | ReachedFrom::EntityRoot, _)
                | (ReachedFrom::Column(_), None) => {}
            }
        }
        let through = match &node.through {
            Some(through) => Some(Reach {
                column: self.plan.tables[through.join].kept_column(&through.to)?,
                hop: through.hop,
            }),
            None => None,
        };
        Ok(Node {
            place,
            table: node.table,
            many: node.many,
            reach,
            through,
            order: node.order.iter().map(order).collect::<Result<_, _>>()?,
            instead,
            fields,
            nested,
            collected: table.collected.clone(),
        })
    }

    /// A column as a key, by the rules of its table.
    fn field(&self, table: &PlanTable, name: &str, column: usize) -> Result<Field, PlanError> {
        let codec = self.codec(table, column);
        let rule = table.values.get(&table.layout[column].name);
        let value = match rule {
            None => Value::Plain(codec),
            Some(ValueRule::Names(names)) => Value::Names(names.clone()),
            Some(ValueRule::NullAs(json)) => Value::NullAs(codec, json.clone().into_bytes()),
            Some(ValueRule::NullAsColumn(other)) => match table.column(other) {
                Some(other) => Value::NullAsColumn(codec, other, self.codec(table, other)),
                None => Value::Plain(codec),
            },
            Some(ValueRule::Object { field, template }) => {
                let parts = template.iter().map(|part| match part {
                    TemplatePart::Text(text) => Ok(TemplateField::Text(text.clone().into_bytes())),
                    TemplatePart::Column(other) => {
                        table.kept_column(other).map(TemplateField::Column)
                    }
                });
                Value::Object {
                    prefix: prefix(field),
                    parts: parts.collect::<Result<_, _>>()?,
                }
            }
        };
        Ok(Field {
            prefix: prefix(name),
            column,
            value,
        })
    }

    /// A computed key; `None` if the data does not have the column that it is made of.
    fn computed(
        &self,
        node: &PlanNode,
        computed: &PlanComputed,
    ) -> Result<Option<Field>, PlanError> {
        let table = &self.plan.tables[node.table];
        // Of no column of the row.
        let field = |name: &str, value: Value| Field {
            prefix: prefix(name),
            column: 0,
            value,
        };
        let computed = match computed {
            PlanComputed::Null { name } => return Ok(Some(field(name, Value::Null))),
            PlanComputed::Lookup {
                name,
                parent,
                hop,
                column,
            } => {
                let other = self.plan.hops[*hop].table;
                let looked_up = &self.plan.tables[other];
                let column = looked_up.kept_column(column)?;
                if self.is_absent(other, column) {
                    return Ok(Some(field(name, Value::Null)));
                }
                let value = Value::Lookup {
                    reach: Reach {
                        column: table.kept_column(parent)?,
                        hop: *hop,
                    },
                    column,
                    codec: self.codec(looked_up, column),
                };
                return Ok(Some(field(name, value)));
            }
            PlanComputed::OwnColumns(computed) => computed,
        };
        let (ComputedValue::Column(source)
        | ComputedValue::Names { column: source, .. }
        | ComputedValue::TextColor { column: source }
        | ComputedValue::Lookup { column: source, .. }) = &computed.value;
        let Some(column) = table
            .column(source)
            .filter(|column| !self.is_absent(node.table, *column))
        else {
            return Ok(None);
        };
        let field = match &computed.value {
            ComputedValue::Names { names, .. } => Field {
                prefix: prefix(&computed.name),
                column,
                value: Value::Names(names.clone()),
            },
            ComputedValue::TextColor { .. } => {
                let default = match table.values.get(source) {
                    // The rule holds JSON text; a colour has nothing to unescape.
                    Some(ValueRule::NullAs(json)) => json.trim_matches('"').as_bytes().to_vec(),
                    _ => Vec::new(),
                };
                Field {
                    prefix: prefix(&computed.name),
                    column,
                    value: Value::TextColor { default },
                }
            }
            ComputedValue::Column(_) | ComputedValue::Lookup { .. } => {
                self.field(table, &computed.name, column)?
            }
        };
        Ok(Some(field))
    }
}

/// `"name":`
pub(super) fn prefix(name: &str) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(name.len() + 3);
    values::write_json_str(name, &mut prefix);
    prefix.push(b':');
    prefix
}
