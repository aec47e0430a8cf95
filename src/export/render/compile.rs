//! Compiling: a plan's nodes with their keys written out, positions in place of names, and a codec for every value.

use std::collections::BTreeMap;

use crate::pipeline::{ComputedValue, Instead, Pick, TemplatePart, ValueRule};
use crate::resolve::{
    self, HopId, KeyShape, Plan, PlanComputed, PlanError, PlanNested, PlanNode, PlanTable,
    ReachedFrom, RowOrder, Step, TableId, row_order,
};

use super::TreePlace;
use crate::export::values::{self, Codec};

pub(super) struct Node {
    /// Position in the relation's list of places.
    pub(super) place: usize,
    pub(super) table: TableId,
    pub(super) many: bool,
    /// The way from the row above: a step for each table between, and one to the node's own.
    pub(super) steps: Vec<Vec<Reach>>,
    /// A row may be come by in several ways.
    pub(super) may_repeat: bool,
    /// Rows below a row, of the same kind: the key that they stand under, and the way to them.
    pub(super) tree: Option<(Vec<u8>, Reach)>,
    pub(super) order: RowOrder,
    pub(super) pick: Pick,
    pub(super) instead: Option<(usize, Instead)>,
    pub(super) fields: Vec<Field>,
    pub(super) nested: Vec<Nested>,
}

/// A hop by columns of rows.
#[derive(Clone)]
pub(super) struct Reach {
    pub(super) from: From,
    /// How what it is taken by becomes a key.
    pub(super) shape: KeyShape,
    pub(super) hop: HopId,
}

/// What a hop is taken by.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum From {
    EntityKey,
    EntityRoot,
    Everything,
    Collected,
    /// Positions in the layout of the rows' table.
    Columns(Vec<usize>),
}

pub(super) enum Nested {
    Node { prefix: Vec<u8>, node: Box<Node> },
    Empty { prefix: Vec<u8> },
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
    /// This JSON text.
    Constant(Vec<u8>),
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

    pub(super) fn codec(&self, table: &PlanTable, column: usize) -> Codec {
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
                let name = node.renamed.get(&layout.name).unwrap_or(&layout.name);
                fields.push(self.field(table, name, column)?);
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
        let instead = match (&node.instead, parent) {
            (Some(instead), Some((parent, _))) => Some((
                self.plan.tables[parent].kept_column(&instead.column)?,
                instead.clone(),
            )),
            (Some(_), None) | (None, _) => None,
        };
        let steps = self.steps(&node.steps, parent.map(|(parent, _)| parent))?;
        let tree = match &node.tree {
            None => None,
            Some(tree) => {
                let reach = Reach {
                    from: self.columns(table, &tree.columns)?,
                    shape: tree.shape.clone(),
                    hop: tree.hop,
                };
                Some((prefix(&tree.name), reach))
            }
        };
        Ok(Node {
            place,
            table: node.table,
            many: node.many,
            may_repeat: node.may_repeat(),
            steps,
            tree,
            order: row_order(table, &node.order)?,
            pick: node.pick,
            instead,
            fields,
            nested,
        })
    }

    /// Steps, from rows of the table `above` if there is one.
    pub(super) fn steps(
        &self,
        steps: &[Step],
        mut above: Option<TableId>,
    ) -> Result<Vec<Vec<Reach>>, PlanError> {
        let mut compiled = Vec::new();
        for step in steps {
            let reach = step.reach.iter();
            let reach = reach.map(|reach| self.reach(reach, above));
            compiled.push(reach.collect::<Result<_, _>>()?);
            above = Some(step.table);
        }
        Ok(compiled)
    }

    fn reach(&self, reach: &resolve::Reach, above: Option<TableId>) -> Result<Reach, PlanError> {
        let from = match (&reach.from, above) {
            (ReachedFrom::EntityKey, _) => From::EntityKey,
            (ReachedFrom::EntityRoot, _) => From::EntityRoot,
            (ReachedFrom::Everything, _) => From::Everything,
            (ReachedFrom::Collected, _) => From::Collected,
            (ReachedFrom::Columns(columns), Some(above)) => {
                self.columns(&self.plan.tables[above], columns)?
            }
            // There is no row above a top-level one.
            (ReachedFrom::Columns(_), None) => From::Columns(Vec::new()),
        };
        Ok(Reach {
            from,
            shape: reach.shape.clone(),
            hop: reach.hop,
        })
    }

    fn columns(&self, table: &PlanTable, columns: &[String]) -> Result<From, PlanError> {
        let columns = columns.iter().map(|column| table.kept_column(column));
        Ok(From::Columns(columns.collect::<Result<_, _>>()?))
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
            PlanComputed::Constant { name, json } => {
                let json = json.clone().into_bytes();
                return Ok(Some(field(name, Value::Constant(json))));
            }
            PlanComputed::Lookup {
                name,
                reach,
                column,
            } => {
                let other = self.plan.hops[reach.hop].table;
                let looked_up = &self.plan.tables[other];
                let column = looked_up.kept_column(column)?;
                if self.is_absent(other, column) {
                    return Ok(Some(field(name, Value::Null)));
                }
                let value = Value::Lookup {
                    reach: self.reach(reach, Some(node.table))?,
                    column,
                    codec: self.codec(looked_up, column),
                };
                return Ok(Some(field(name, value)));
            }
            PlanComputed::OwnColumns(computed) => computed,
        };
        let source = match &computed.value {
            ComputedValue::Column(source)
            | ComputedValue::Names { column: source, .. }
            | ComputedValue::TextColor { column: source }
            | ComputedValue::Lookup { column: source, .. } => source,
            ComputedValue::Constant(json) => {
                let json = json.clone().into_bytes();
                return Ok(Some(field(&computed.name, Value::Constant(json))));
            }
        };
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
            ComputedValue::Column(_)
            | ComputedValue::Lookup { .. }
            | ComputedValue::Constant(_) => self.field(table, &computed.name, column)?,
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
