//! A redaction file laid over a plan: the mask of every column that has one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mask::Mask;
use super::parse::{ColumnRule, Redaction};
use super::rule::Rule;
use super::strict::Open;
use super::written::written;
use crate::export::error::ExportError;
use crate::export::request::ExportRequest;
use crate::key::KeyForm;
use crate::pipeline::{Entity, Mistake, Pipeline, PipelineError};
use crate::resolve::{
    EntityInfo, Id, KindChoice, LayoutColumn, Plan, PlanTable, Resolved, TableId,
};
use crate::snapshot::{SqlType, TableName};

/// The masks of a plan's columns.
#[derive(Debug)]
pub(in crate::export) struct Masks {
    /// By table, and by the position of its columns.
    tables: Vec<Vec<Option<Arc<Mask>>>>,
    /// Those that are written and have a rule: the rules' names by table and column.
    words: BTreeMap<String, BTreeMap<String, String>>,
    /// Rules that are for nothing that is written.
    idle: Vec<String>,
}

/// True if a column's values are parts of the names of folders.
fn names_folders(
    plan: &Plan,
    kinds: &[KindChoice],
    table: &PlanTable,
    column: &LayoutColumn,
) -> bool {
    let mut planned = kinds.iter().zip(plan.kinds.iter());
    planned.any(|(kind, planned)| {
        let key = planned.key.as_ref();
        kind.pipeline.entity.table == table.name && key.is_some_and(|key| key.column == column.name)
    })
}

impl Masks {
    /// Lays a redaction file over a plan.
    ///
    /// # Errors
    /// Rules that are not for the type of their column; if it is strict, whatever the file leaves open.
    pub(in crate::export) fn new(
        redaction: &Redaction,
        plan: &Plan,
        kinds: &[KindChoice],
        is_strict: bool,
    ) -> Result<Masks, String> {
        let mut mistakes = Vec::new();
        let mut of_column = |table: &PlanTable, column: &LayoutColumn| {
            let may_hold_text = may_hold_text(&column.sql_type, column.form);
            let rule = redaction.rule_of(table, column, may_hold_text)?;
            let key = redaction.key.as_ref();
            match Mask::new(&rule.rule, &column.sql_type, may_hold_text, key) {
                Ok(mask) if !mask.keeps() && names_folders(plan, kinds, table, column) => {
                    let message = format!(
                        "column {} of table {}: the folders of the export are named by it; write `keep`",
                        column.name, table.name
                    );
                    mistakes.push(Mistake::new(rule.position, message));
                    None
                }
                Ok(mask) => Some(Arc::new(mask)),
                Err(error) => {
                    let message =
                        format!("column {} of table {}: {error}", column.name, table.name);
                    mistakes.push(Mistake::new(rule.position, message));
                    None
                }
            }
        };
        let tables = plan.tables.iter().map(|table| {
            let columns = table.layout.iter();
            columns.map(|column| of_column(table, column)).collect()
        });
        let mut masks = Masks {
            tables: tables.collect(),
            words: BTreeMap::new(),
            idle: Vec::new(),
        };
        match mistakes.is_empty() {
            true => {
                let pipelines: Vec<&Pipeline> = kinds
                    .iter()
                    .filter(|kind| !kind.choice.is_nobody())
                    .map(|kind| &kind.pipeline)
                    .collect();
                masks.words = masks.words_of(plan, &pipelines);
                let open = Open::of(redaction, &masks, plan, &pipelines);
                if let Some(refusal) = open.refusal(&redaction.source_name).filter(|_| is_strict) {
                    return Err(refusal);
                }
                masks.idle = open.warnings(&redaction.source_name);
                Ok(masks)
            }
            false => {
                mistakes.sort();
                mistakes.dedup();
                let error = PipelineError {
                    source_name: redaction.source_name.clone(),
                    mistakes,
                };
                Err(error.to_string())
            }
        }
    }

    /// The mask of a column, if it has a rule.
    pub(super) fn any(&self, table: TableId, column: usize) -> Option<&Mask> {
        self.tables.get(table.position())?.get(column)?.as_deref()
    }

    /// The mask of a column, if what is written of it is not what the snapshot holds.
    pub(in crate::export) fn of(&self, table: TableId, column: usize) -> Option<&Mask> {
        self.any(table, column).filter(|mask| !mask.keeps())
    }

    /// The names of the rules of columns that are written, by table and column.
    pub(in crate::export) fn words(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        self.words.clone()
    }

    /// What is said of rules that do nothing.
    pub(in crate::export) fn idle(&self) -> &[String] {
        &self.idle
    }

    fn words_of(
        &self,
        plan: &Plan,
        pipelines: &[&Pipeline],
    ) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut words: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (table, column) in written(plan, pipelines) {
            if let Some(mask) = self.any(table, column) {
                let table = &plan.tables[table];
                let of_table = words.entry(table.name.to_string()).or_default();
                of_table.insert(table.layout[column].name.clone(), mask.word.to_owned());
            }
        }
        words
    }

    /// The full path of an entity as it may be written; `None` if no column that it is made of is redacted. What has no path
    /// any more is named by its folder.
    pub(in crate::export) fn full_path(
        &self,
        plan: &Plan,
        entity: &Entity,
        info: &EntityInfo,
        folder: &str,
    ) -> Option<String> {
        let mask = |table: &TableName, column: &str| {
            let table = plan.table(table)?;
            self.of(table, plan.tables[table].column(column)?)
        };
        let lookups = entity.paths.iter().filter(|lookup| !lookup.former);
        let lookups = lookups.map(|lookup| mask(&lookup.table, &lookup.path));
        let own = entity.path.iter().map(|column| mask(&entity.table, column));
        let (mask, parts) = match lookups.chain(own).flatten().next() {
            Some(mask) => (mask, vec![info.full_path.as_str()]),
            None => {
                let segment = entity.segment.as_ref()?;
                let mask = mask(&entity.table, segment)?;
                (mask, info.full_path.split('/').collect())
            }
        };
        let redacted: Option<Vec<String>> = parts.iter().map(|part| mask.text(part)).collect();
        Some(redacted.map_or_else(|| folder.to_owned(), |parts| parts.join("/")))
    }
}

/// The masks of a run.
///
/// # Errors
/// As [`Masks::new`].
pub(in crate::export) fn masks(
    request: &ExportRequest,
    resolved: &Resolved,
) -> Result<Option<Arc<Masks>>, ExportError> {
    let redaction = request.redaction.as_ref();
    let masks = redaction.map(|redaction| {
        Masks::new(
            redaction,
            &resolved.plan,
            &request.kinds,
            request.options.strict,
        )
    });
    let masks = masks.transpose();
    masks
        .map(|masks| masks.map(Arc::new))
        .map_err(ExportError::Redaction)
}

impl Redaction {
    /// The rule of a column: the one that names it, else the first pattern that fits, else that of a table which has rows in
    /// common with it, since their values would stand in the export. Patterns are for columns that may hold text alone.
    fn rule_of(
        &self,
        table: &PlanTable,
        column: &LayoutColumn,
        may_hold_text: bool,
    ) -> Option<&ColumnRule> {
        let mut relatives = table.relatives.iter();
        self.rule_for(&table.name, column, may_hold_text)
            .or_else(|| {
                // That somebody let the values of another table pass says nothing of this one's.
                relatives.find_map(|relative| {
                    self.rule_for(relative, column, may_hold_text)
                        .filter(|rule| rule.rule != Rule::Keep)
                })
            })
    }

    /// The rule that the file has for a column of a table of this name.
    fn rule_for(
        &self,
        table: &TableName,
        column: &LayoutColumn,
        may_hold_text: bool,
    ) -> Option<&ColumnRule> {
        let fitting = |rule: &&ColumnRule| rule.name.fits(table, &column.name);
        let mut rules = self.columns.iter().filter(fitting);
        let full = rules.clone().find(|rule| rule.name.is_full());
        full.or_else(|| rules.next().filter(|_| may_hold_text))
    }
}

/// True if values of a type may hold text that somebody wrote. Types that are not known count as such.
pub(super) fn may_hold_text(sql_type: &SqlType, form: Option<KeyForm>) -> bool {
    match sql_type {
        SqlType::SmallInt
        | SqlType::Integer
        | SqlType::BigInt
        | SqlType::Boolean
        | SqlType::Timestamp
        | SqlType::TimestampTz
        | SqlType::Date
        | SqlType::Numeric
        | SqlType::Real
        | SqlType::Double => false,
        SqlType::Text
        | SqlType::Varchar
        | SqlType::Character
        | SqlType::Citext
        | SqlType::Json
        | SqlType::Jsonb
        | SqlType::Bytea => true,
        SqlType::Array(element) => may_hold_text(element, None),
        SqlType::Other(name) if WITHOUT_TEXT.contains(&name.as_str()) => false,
        // An enum: its labels stand in the schema. PostgreSQL's own types of that form are named here.
        SqlType::Other(name) => {
            form != Some(KeyForm::Verbatim) || WITH_TEXT.contains(&name.as_str())
        }
    }
}

/// PostgreSQL's own types that hold numbers, times or places.
const WITHOUT_TEXT: [&str; 31] = [
    "bit",
    "bit varying",
    "varbit",
    "box",
    "circle",
    "interval",
    "line",
    "lseg",
    "money",
    "oid",
    "path",
    "pg_lsn",
    "pg_snapshot",
    "txid_snapshot",
    "point",
    "polygon",
    "time",
    "time without time zone",
    "time with time zone",
    "timetz",
    "uuid",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
    "daterange",
    "xid",
    "xid8",
    "regclass",
    "regtype",
];

/// Of those whose values have one text each, the ones that may tell of a person: addresses of machines.
const WITH_TEXT: [&str; 5] = ["\"char\"", "cidr", "inet", "macaddr", "macaddr8"];
