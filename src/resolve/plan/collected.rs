//! Which relations others are collected from.

use crate::pipeline::{Collected, Form, Node, Pipeline, Relation, Source};
use crate::snapshot::Catalog;

/// True where the records of a relation may refer to rows of a collected one, by the columns in the catalog, if there
/// is one.
pub(super) fn is_collected_from(
    pipeline: &Pipeline,
    relation: &Relation,
    catalog: Option<&Catalog>,
) -> bool {
    fn refers(node: &Node, it: &Collected, catalog: Option<&Catalog>) -> bool {
        let has_column = |catalog: &Catalog| {
            let table = catalog.table(&node.table);
            let mut columns = it.columns.iter();
            table.is_some_and(|table| columns.any(|column| table.column(column).is_some()))
        };
        !it.except_tables.contains(&node.table) && catalog.is_none_or(has_column)
            || node.nested.iter().any(|child| refers(child, it, catalog))
    }

    // Rows that name files are no records.
    let (Source::Rows(node), false) = (&relation.source, matches!(relation.form, Form::Archive(_)))
    else {
        return false;
    };
    let mut relations = pipeline.relations.iter();
    relations.any(|other| match &other.source {
        Source::Collected(it) => refers(node, it, catalog),
        Source::Rows(_) | Source::Maxima(_) => false,
    })
}
