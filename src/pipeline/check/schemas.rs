//! Pipelines whose entities are schemas, held against each of them.

use std::collections::{BTreeSet, HashSet};

use super::{Finding, Scope, Severity, check_one};
use crate::pipeline::model::Pipeline;
use crate::snapshot::{Catalog, TableName};

/// Findings of every schema that is an entity. What is found in several is told of the first alone.
pub(super) fn check_each(
    pipeline: &Pipeline,
    entities: &BTreeSet<&str>,
    catalog: &Catalog,
    scope: Scope<'_>,
) -> Vec<Finding> {
    let table = &pipeline.entity.table.name;
    let Some(first) = entities.first() else {
        return vec![Finding {
            severity: Severity::Error,
            place: "entity".to_owned(),
            message: format!(
                "no schema of such a name has a table {table}: nothing can be exported"
            ),
            is_lack: true,
        }];
    };
    let mut findings = Vec::new();
    if entities.len() > 1 {
        findings.push(Finding {
            severity: Severity::Note,
            place: "entity".to_owned(),
            message: format!(
                "{} schemas are entities; what is found in several is told of the first one, as of {first}",
                entities.len()
            ),
            is_lack: false,
        });
    }
    let mut told = HashSet::new();
    for schema in entities {
        // Tables are told with their schemas.
        let shown = TableName::new(*schema, "").to_string();
        for finding in check_one(&pipeline.in_schema(schema), catalog, scope) {
            let everywhere = (
                finding.place.replace(&shown, ""),
                finding.message.replace(&shown, ""),
            );
            if told.insert(everywhere) {
                findings.push(finding);
            }
        }
    }
    findings
}
