//! Fixing the layouts: which columns of each table are kept, and names turned into positions.

use crate::pipeline::{Collected, Computed, ComputedValue, Pipeline, Source, ValueRule};
use crate::snapshot::Table;

use super::draft::{Draft, DraftComputed, DraftNested, DraftNode, DraftRelation, DraftTable};
use super::{
    Hop, HopId, LayoutColumn, PlanComputed, PlanMaximum, PlanNested, PlanNode, PlanRelation,
    PlanSource, PlanTable, Reach, TableId, Through,
};

/// Fixes which columns of each table are kept, and lays the drafts over that.
///
/// # Errors
/// Where a draft names a column that nothing said it needs.
pub(super) fn lay_out(
    pipeline: &Pipeline,
    drafts: &[DraftTable<'_>],
    hops: &[Hop],
    relations: Vec<DraftRelation<'_>>,
) -> Result<(Vec<PlanTable>, Vec<PlanRelation>), String> {
    let tables = drafts.iter().map(table).collect::<Result<Vec<_>, _>>()?;
    let collected = relations.iter().find_map(|it| match &it.relation.source {
        Source::Collected(collected) => Some(collected),
        Source::Rows(_) | Source::Maxima(_) => None,
    });
    let fixer = Fixer {
        pipeline,
        tables: &tables,
        collected,
    };
    let mut fixed = Vec::new();
    for draft in relations {
        let source = match draft.source {
            Err(reason) => Err(reason),
            Ok(Draft::Maxima(maxima)) => maxima
                .into_iter()
                .map(|(name, hop, column)| {
                    let column = position(&tables[hops[hop].table].layout, &column)?;
                    Ok(PlanMaximum { name, hop, column })
                })
                .collect::<Result<_, String>>()
                .map(PlanSource::Maxima),
            Ok(Draft::Node(node)) => {
                let node = fixer.node(node, None, hops)?;
                Ok(match draft.relation.source {
                    Source::Collected(_) => PlanSource::Collected(node),
                    Source::Rows(_) | Source::Maxima(_) => PlanSource::Rows(node),
                })
            }
        };
        fixed.push(PlanRelation {
            name: draft.relation.name.clone(),
            form: draft.relation.form,
            batched: draft.relation.batched,
            source,
            tables: draft.tables,
            hops: draft.hops,
            collected_from: draft.collected_from,
        });
    }
    Ok((tables, fixed))
}

fn table(draft: &DraftTable<'_>) -> Result<PlanTable, String> {
    let layout: Vec<LayoutColumn> = draft
        .table
        .columns
        .iter()
        .filter(|column| draft.needs.contains(&column.name))
        .map(|column| LayoutColumn {
            name: column.name.clone(),
            sql_type: column.sql_type.clone(),
        })
        .collect();
    Ok(PlanTable {
        name: draft.table.name.clone(),
        key: position(&layout, &draft.key)?,
        layout,
        observed: draft.observed,
        in_parts: draft.in_parts,
    })
}

/// Turns column names into layout positions.
struct Fixer<'a> {
    pipeline: &'a Pipeline,
    tables: &'a [PlanTable],
    collected: Option<&'a Collected>,
}

impl Fixer<'_> {
    fn node(
        &self,
        draft: DraftNode<'_>,
        parent: Option<TableId>,
        hops: &[Hop],
    ) -> Result<PlanNode, String> {
        let table = &self.tables[draft.table];
        let reach = |column: &str, hop: HopId| -> Result<Reach, String> {
            let parent = match parent {
                Some(parent) => position(&self.tables[parent].layout, column)?,
                None => usize::from(column == "root"),
            };
            Ok(Reach { parent, hop })
        };
        let through = match &draft.through {
            Some((join, to, hop)) => Some(Through {
                to: position(&self.tables[*join].layout, to)?,
                hop: *hop,
            }),
            None => None,
        };
        let mut computed = Vec::new();
        for item in draft.computed {
            computed.push(match item {
                DraftComputed::Of(item) => PlanComputed::Of(item.clone()),
                DraftComputed::Column { name, column } => PlanComputed::Of(Computed {
                    name: name.to_owned(),
                    value: ComputedValue::Column(column.to_owned()),
                }),
                DraftComputed::Null { name } => PlanComputed::Null {
                    name: name.to_owned(),
                },
                DraftComputed::Lookup {
                    name,
                    parent,
                    hop,
                    column,
                } => PlanComputed::Lookup {
                    name: name.to_owned(),
                    reach: Reach {
                        parent: position(&table.layout, parent)?,
                        hop,
                    },
                    column: position(&self.tables[hops[hop].table].layout, column)?,
                },
            });
        }
        let mut nested = Vec::new();
        for child in draft.nested {
            nested.push(match child {
                DraftNested::Empty(name) => PlanNested::Empty(name.to_owned()),
                DraftNested::Node(child) => {
                    PlanNested::Node(Box::new(self.node(child, Some(draft.table), hops)?))
                }
            });
        }
        let collected = match self.collected {
            Some(it) if !it.except_tables.contains(&table.name.name) => it
                .columns
                .iter()
                .filter_map(|column| table.column(column))
                .collect(),
            _ => Vec::new(),
        };
        let values = table
            .layout
            .iter()
            .filter_map(|column| {
                let rule = rules_of(self.pipeline, &table.name.name, &column.name)?;
                Some((column.name.clone(), rule.clone()))
            })
            .collect();
        Ok(PlanNode {
            name: draft.node.name.clone(),
            table: draft.table,
            many: draft.node.many,
            reach: draft
                .reach
                .iter()
                .map(|(column, hop)| reach(column, *hop))
                .collect::<Result<_, _>>()?,
            through,
            order: draft.node.order.clone(),
            columns: draft.node.columns.clone(),
            computed,
            instead: draft.node.instead.clone(),
            nested,
            collected,
            values,
        })
    }
}

/// The rule for a column's values: the table's own, else the one for every table.
pub(super) fn rules_of<'p>(
    pipeline: &'p Pipeline,
    table: &str,
    column: &str,
) -> Option<&'p ValueRule> {
    let own = pipeline
        .tables
        .get(table)
        .and_then(|rules| rules.values.get(column));
    own.or_else(|| pipeline.everywhere.get(column))
}

fn position(layout: &[LayoutColumn], column: &str) -> Result<usize, String> {
    layout
        .iter()
        .position(|candidate| candidate.name == column)
        .ok_or_else(|| format!("column {column} is not among the kept ones"))
}

/// Keys are integers: sets of them decide which rows are kept.
pub(super) fn key_column(table: &Table, column: &str) -> Result<(), String> {
    match table.column(column) {
        None => Err(format!(
            "table {} has no column {column}, which is needed to find its rows",
            table.name
        )),
        Some((_, found)) if !found.sql_type.is_integer() => Err(format!(
            "column {column} of table {} is no integer, so it cannot link rows",
            table.name
        )),
        Some(_) => Ok(()),
    }
}
