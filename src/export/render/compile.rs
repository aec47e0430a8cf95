//! Compiling: a plan's nodes with their keys written out, positions in place of names, and a codec for every value.

use std::collections::BTreeMap;

use crate::pipeline::{Instead, Pick};
use crate::resolve::{
    self, HopId, KeyShape, Plan, PlanEqual, PlanError, PlanNested, PlanNode, PlanTable,
    ReachedFrom, RowOf, RowOrder, Step, TableId, row_order,
};

use super::key_text::prefix;
use super::value::{At, Field, Values};
use super::{CollectedFrom, TreePlace};
use crate::export::values::Codec;

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
    /// The object that is written where there is no row.
    pub(super) without_row: Option<Vec<u8>>,
    pub(super) overlay: Option<Overlay>,
    pub(super) matching: Vec<Match>,
    pub(super) fields: Vec<Field>,
    pub(super) nested: Vec<Nested>,
    /// Keys behind the nested ones.
    pub(super) last: Vec<Field>,
    /// Counted if it leads nowhere: a position among the relation's references.
    pub(super) reference: Option<usize>,
    /// The columns whose values are collected, for relations of the same kind of entity.
    pub(super) collected: Vec<Collected>,
}

/// A column whose values are collected.
pub(super) struct Collected {
    /// Position in the layout.
    pub(super) column: usize,
    pub(super) shape: KeyShape,
    /// Position among all columns that are collected.
    pub(super) number: usize,
}

/// A nested row whose columns lie over those of the row.
pub(super) struct Overlay {
    /// Position among what is nested.
    pub(super) nested: usize,
    /// The nested row's table.
    pub(super) table: TableId,
    /// Positions in the layout of the row's table, each with that in the nested row's.
    pub(super) columns: Vec<(usize, usize)>,
}

/// A column that must equal the first of others that is not NULL.
pub(super) struct Match {
    pub(super) column: usize,
    pub(super) equals: Vec<Equal>,
}

/// One of the columns that another must equal.
pub(super) struct Equal {
    pub(super) at: At,
    pub(super) column: usize,
    /// How the two compare: the column that must equal this one, and this one.
    pub(super) own: KeyShape,
    pub(super) shape: KeyShape,
}

/// A node that stands above, while what is below it is compiled.
#[derive(Clone)]
pub(super) struct Ancestor {
    pub(super) path: Vec<String>,
    pub(super) table: TableId,
    pub(super) place: usize,
}

/// A hop by columns of rows.
#[derive(Clone)]
pub(super) struct Reach {
    pub(super) from: From,
    /// How what it is taken by becomes a key.
    pub(super) shape: KeyShape,
    pub(super) hop: HopId,
    /// For a hop from the row that lies over a row: positions in the layout of that one's table.
    pub(super) over: Option<Vec<usize>>,
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

pub(super) struct Compiler<'a> {
    pub(super) plan: &'a Plan,
    /// The position of the relation that is compiled.
    pub(super) relation: usize,
    pub(super) absent: &'a BTreeMap<TableId, std::collections::BTreeSet<usize>>,
    /// All columns that are collected.
    pub(super) collected: &'a [CollectedFrom],
}

impl Compiler<'_> {
    pub(super) fn is_absent(&self, table: TableId, column: usize) -> bool {
        self.absent
            .get(&table)
            .is_some_and(|columns| columns.contains(&column))
    }

    pub(super) fn codec(&self, table: &PlanTable, column: usize) -> Codec {
        let values = self.plan.relations[self.relation].values;
        Codec::in_form(&table.layout[column].sql_type, values)
    }

    /// The columns of a table's rows that are collected: a record refers to rows of its own entity's relations alone.
    fn collected(&self, table: TableId) -> Vec<Collected> {
        let set = self.plan.set_of(self.relation);
        let all = self.plan.tables[table].collected.iter();
        let own = all.filter(|column| set.contains(&column.relation));
        let own = own.filter_map(|column| {
            let from = CollectedFrom {
                relation: column.relation,
                table,
                column: column.column,
            };
            Some(Collected {
                column: column.column,
                shape: column.shape.clone(),
                number: self.collected.iter().position(|it| *it == from)?,
            })
        });
        own.collect()
    }

    /// Compiles a node and those below it, and adds their places to the list. `above` are the nodes that it stands in.
    pub(super) fn node(
        &self,
        node: &PlanNode,
        above: &[Ancestor],
        overlay: Option<TableId>,
        places: &mut Vec<TreePlace>,
    ) -> Result<Node, PlanError> {
        let table = &self.plan.tables[node.table];
        let parent = above.last();
        let mut path = parent.map(|parent| parent.path.clone()).unwrap_or_default();
        path.push(node.name.clone());
        let place = places.len();
        places.push(TreePlace {
            path: path.join("."),
            table: table.name.to_string(),
        });
        let mut within = above.to_vec();
        within.push(Ancestor {
            path,
            table: node.table,
            place,
        });
        // The table of what lies over the rows of this node.
        let over = node.overlay.as_ref().and_then(|overlay| {
            let nested = node.nested.iter().enumerate();
            nested
                .filter_map(|(position, nested)| match nested {
                    PlanNested::Node(child) if child.name == overlay.nested => {
                        Some((position, child.table, &overlay.columns))
                    }
                    PlanNested::Node(_) | PlanNested::Empty(_) => None,
                })
                .next()
        });
        let mut nested = Vec::new();
        for child in &node.nested {
            nested.push(match child {
                PlanNested::Empty(name) => Nested::Empty {
                    prefix: prefix(name),
                },
                PlanNested::Node(child) => {
                    let over = over.map(|(_, table, _)| table);
                    Nested::Node {
                        prefix: prefix(&child.name),
                        node: Box::new(self.node(child, &within, over, places)?),
                    }
                }
            });
        }
        let values = Values {
            compiler: self,
            node,
            above: &within,
            nested: &nested,
        };
        let fields = values.columns()?;
        let (computed, last) = values.computed()?;
        let without_row = node
            .without_row
            .as_ref()
            .map(|object| without_row(object, fields.iter().chain(&computed), &nested, &last));
        let instead = match (&node.instead, parent) {
            (Some(instead), Some(parent)) => Some((
                self.plan.tables[parent.table].kept_column(&instead.column)?,
                instead.clone(),
            )),
            (Some(_), None) | (None, _) => None,
        };
        let steps = self.steps(&node.steps, parent.map(|parent| parent.table), overlay)?;
        let tree = match &node.tree {
            None => None,
            Some(tree) => {
                let reach = Reach {
                    from: self.columns(table, &tree.columns)?,
                    shape: tree.shape.clone(),
                    hop: tree.hop,
                    over: None,
                };
                Some((prefix(&tree.name), reach))
            }
        };
        let overlay = match over {
            None => None,
            Some((nested, other, columns)) => Some(Overlay {
                nested,
                table: other,
                columns: columns
                    .iter()
                    .map(|column| {
                        let other = self.plan.tables[other].kept_column(column)?;
                        Ok((table.kept_column(column)?, other))
                    })
                    .collect::<Result<_, PlanError>>()?,
            }),
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
            without_row,
            overlay,
            matching: self.matching(node, above)?,
            fields: fields.into_iter().chain(computed).collect(),
            nested,
            last,
            reference: None,
            collected: self.collected(node.table),
        })
    }

    /// What must hold between a node's rows and those above.
    fn matching(&self, node: &PlanNode, above: &[Ancestor]) -> Result<Vec<Match>, PlanError> {
        let mut matching = Vec::new();
        for it in &node.matching {
            let mut equals = Vec::new();
            for PlanEqual {
                of,
                column,
                own,
                shape,
            } in &it.equals
            {
                let ancestor = match of {
                    RowOf::Own | RowOf::Parent => above.last(),
                    RowOf::Above(path) => above.iter().find(|above| above.path == *path),
                };
                let ancestor = ancestor.ok_or_else(|| PlanError::NoSteps(node.name.clone()))?;
                let column = self.plan.tables[ancestor.table].kept_column(column)?;
                let at = match of {
                    RowOf::Own | RowOf::Parent => At::Own,
                    RowOf::Above(_) => At::Above(ancestor.place),
                };
                equals.push(Equal {
                    at,
                    column,
                    own: own.clone(),
                    shape: shape.clone(),
                });
            }
            matching.push(Match {
                column: self.plan.tables[node.table].kept_column(&it.column)?,
                equals,
            });
        }
        Ok(matching)
    }

    /// Steps, from rows of the table `above` if there is one, over which rows of the table `overlay` may lie.
    pub(super) fn steps(
        &self,
        steps: &[Step],
        mut above: Option<TableId>,
        mut overlay: Option<TableId>,
    ) -> Result<Vec<Vec<Reach>>, PlanError> {
        let mut compiled = Vec::new();
        for step in steps {
            let reach = step.reach.iter();
            let reach = reach.map(|reach| self.reach(reach, above, overlay));
            compiled.push(reach.collect::<Result<_, _>>()?);
            above = Some(step.table);
            overlay = None;
        }
        Ok(compiled)
    }

    pub(super) fn reach(
        &self,
        reach: &resolve::Reach,
        above: Option<TableId>,
        overlay: Option<TableId>,
    ) -> Result<Reach, PlanError> {
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
        let over = match (&reach.from, overlay, reach.of_overlay) {
            (ReachedFrom::Columns(columns), Some(overlay), true) => {
                match self.columns(&self.plan.tables[overlay], columns)? {
                    From::Columns(columns) => Some(columns),
                    From::EntityKey | From::EntityRoot | From::Everything | From::Collected => None,
                }
            }
            _ => None,
        };
        Ok(Reach {
            from,
            shape: reach.shape.clone(),
            hop: reach.hop,
            over,
        })
    }

    fn columns(&self, table: &PlanTable, columns: &[String]) -> Result<From, PlanError> {
        let columns = columns.iter().map(|column| table.kept_column(column));
        Ok(From::Columns(columns.collect::<Result<_, _>>()?))
    }
}

/// The object of a single row that is not there: all keys that one has, null if their values are not said, and nothing in
/// what is nested.
fn without_row<'f>(
    object: &BTreeMap<String, String>,
    fields: impl Iterator<Item = &'f Field>,
    nested: &[Nested],
    last: &'f [Field],
) -> Vec<u8> {
    let mut members: Vec<Vec<u8>> = Vec::new();
    let member = |field: &Field| {
        let value = object.get(&field.name).map_or("null", String::as_str);
        [field.key.first(), value.as_bytes()].concat()
    };
    members.extend(fields.map(member));
    for nested in nested {
        match nested {
            Nested::Empty { prefix } => members.push([prefix.as_slice(), b"[]"].concat()),
            Nested::Node { prefix, node } if node.many => {
                members.push([prefix.as_slice(), b"[]"].concat());
            }
            // A single row that is not there has no key.
            Nested::Node { .. } => {}
        }
    }
    members.extend(last.iter().map(member));
    let mut text = vec![b'{'];
    text.extend(members.join(&b','));
    text.push(b'}');
    text
}
