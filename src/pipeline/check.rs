//! A pipeline held against a snapshot's catalog: what of it the snapshot cannot give.

pub(super) mod keys;
mod tree;

use std::collections::HashSet;
use std::fmt;

use super::model::*;
use crate::snapshot::{Catalog, Column, SqlType, Table, TableName};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something is left out, as it should be where a snapshot is older, newer or of another edition.
    Note,
    /// Something is most likely not what was meant.
    Warning,
    /// Rows cannot be found or written as the pipeline says.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// Something that pipeline and snapshot do not agree on. Shown as `severity: place: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// Where in the pipeline, from the outside in: `relations > boards > lists`.
    pub place: String,
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.severity, self.place, self.message)
    }
}

/// Finds what of the pipeline the snapshot cannot give, in the pipeline's order.
pub fn check(pipeline: &Pipeline, catalog: &Catalog) -> Vec<Finding> {
    let mut checker = Checker {
        pipeline,
        catalog,
        findings: Vec::new(),
        keys_judged: HashSet::new(),
    };
    checker.entity();
    checker.tables();
    for relation in &pipeline.relations {
        checker.relation(relation);
    }
    checker.findings
}

/// What a column must be for what a pipeline does with it.
#[derive(Clone, Copy)]
enum Need {
    Any,
    Integer,
    IntegerArray,
    Text,
}

impl Need {
    fn is_met(self, sql_type: &SqlType) -> bool {
        match self {
            Need::Any => true,
            Need::Integer => sql_type.is_integer(),
            Need::IntegerArray => matches!(sql_type, SqlType::Array(inner) if inner.is_integer()),
            Need::Text => sql_type.is_text(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Need::Any => "a column",
            Need::Integer => "an integer",
            Need::IntegerArray => "an array of integers",
            Need::Text => "a text",
        }
    }
}

struct Checker<'a> {
    pipeline: &'a Pipeline,
    catalog: &'a Catalog,
    findings: Vec<Finding>,
    /// Tables whose declared keys were held against the stated ones.
    keys_judged: HashSet<TableName>,
}

impl<'a> Checker<'a> {
    fn report(&mut self, severity: Severity, place: &str, message: String) {
        self.findings.push(Finding {
            severity,
            place: place.to_owned(),
            message,
        });
    }

    fn table(&self, name: &str) -> Option<&'a Table> {
        self.catalog.table(&TableName::public(name))
    }

    /// A column that rows are found by: without it nothing can be done.
    fn needed(&mut self, place: &str, table: &Table, column: &str, need: Need, role: &str) {
        match table.column(column) {
            None => {
                let message = format!(
                    "{role} needs column {column}, which table {} does not have",
                    table.name
                );
                self.report(Severity::Error, place, message);
            }
            Some((_, found)) if !need.is_met(&found.sql_type) => {
                let message = format!(
                    "{role} needs {}, and column {column} of table {} is none",
                    need.name(),
                    table.name
                );
                self.report(Severity::Error, place, message);
            }
            Some(_) => {}
        }
    }

    /// A column that is only written: without it something is left out.
    fn wanted(
        &mut self,
        place: &str,
        table: &'a Table,
        column: &str,
        severity: Severity,
        consequence: &str,
    ) -> Option<&'a Column> {
        let found = table.column(column).map(|(_, column)| column);
        if found.is_none() {
            let message = format!("table {} has no column {column}: {consequence}", table.name);
            self.report(severity, place, message);
        }
        found
    }

    fn filter(&mut self, place: &str, table: &Table, filter: &[Condition]) {
        for condition in filter {
            let need = match condition.test {
                Test::Above(_) | Test::Below(_) => Need::Integer,
                Test::In(_) | Test::Null | Test::NotNull => Need::Any,
            };
            self.needed(place, table, &condition.column, need, "a condition");
            let Some((_, column)) = table.column(&condition.column) else {
                continue;
            };
            if let Test::In(values) = &condition.test {
                for value in values
                    .iter()
                    .filter(|value| !may_hold(&column.sql_type, value))
                {
                    let message = format!(
                        "column {} of table {} is never \"{value}\"",
                        column.name, table.name
                    );
                    self.report(Severity::Warning, place, message);
                }
            }
        }
    }

    fn entity(&mut self) {
        let entity = &self.pipeline.entity;
        let Some(table) = self.table(&entity.table) else {
            let message = format!(
                "the snapshot has no table {}: nothing can be exported",
                entity.table
            );
            return self.report(Severity::Error, "entity", message);
        };
        self.needed("entity", table, &entity.key, Need::Integer, "the key");
        self.stated_key("entity", table);
        self.filter("entity", table, &entity.filter);
        let optional = [
            (&entity.name, Need::Any, "entities have no name for people"),
            (&entity.parent, Need::Integer, "entities have no parents"),
            (
                &entity.ancestors,
                Need::IntegerArray,
                "ancestors are found through parents",
            ),
            (
                &entity.segment,
                Need::Any,
                "full paths cannot be put together from their parts",
            ),
        ];
        for (column, need, consequence) in optional {
            let Some(column) = column else { continue };
            let found = self.wanted("entity", table, column, Severity::Note, consequence);
            if found.is_some() {
                self.needed("entity", table, column, need, "the family of an entity");
            }
        }
        for path in &entity.paths {
            let place = "entity > paths";
            let Some(table) = self.table(&path.table) else {
                let message = format!(
                    "the snapshot has no table {}: no path is found there",
                    path.table
                );
                self.report(Severity::Note, place, message);
                continue;
            };
            self.needed(place, table, &path.key, Need::Integer, "a path's key");
            self.needed(place, table, &path.path, Need::Text, "a path");
            self.filter(place, table, &path.filter);
        }
    }

    fn tables(&mut self) {
        let pipeline = self.pipeline;
        for (name, rules) in &pipeline.tables {
            // A table without rows to write needs no rules.
            let Some(table) = self.table(name) else {
                continue;
            };
            let place = format!("tables > {name}");
            self.needed(&place, table, &rules.key, Need::Integer, "the key");
            for (column, rule) in &rules.values {
                let consequence = "the rule has nothing to hold for";
                let found = self.wanted(&place, table, column, Severity::Note, consequence);
                if found.is_some() {
                    self.value_rule(&place, table, column, rule);
                }
            }
        }
        for (column, rule) in &pipeline.everywhere {
            let mut names: Vec<&str> = pipeline.written_tables();
            names.retain(|name| {
                !pipeline
                    .tables
                    .get(*name)
                    .is_some_and(|rules| rules.values.contains_key(column))
            });
            for name in names {
                if let Some(table) = self.table(name)
                    && table.column(column).is_some()
                {
                    self.value_rule("everywhere", table, column, rule);
                }
            }
        }
    }

    fn value_rule(&mut self, place: &str, table: &'a Table, column: &str, rule: &ValueRule) {
        match rule {
            ValueRule::Names(_) => {
                self.needed(place, table, column, Need::Integer, "a rule with names")
            }
            ValueRule::NullAs(_) => {}
            ValueRule::NullAsColumn(other) => {
                self.needed(place, table, other, Need::Any, "the value in place of NULL");
                let types = (table.column(column), table.column(other));
                if let (Some((_, column)), Some((_, other))) = types
                    && !written_alike(&column.sql_type, &other.sql_type)
                {
                    let message = format!(
                        "column {} of table {} stands in for {}, which has another type",
                        other.name, table.name, column.name
                    );
                    self.report(Severity::Warning, place, message);
                }
            }
            ValueRule::Object { template, .. } => {
                for part in template {
                    if let TemplatePart::Column(name) = part {
                        self.needed(place, table, name, Need::Any, "the template");
                    }
                }
            }
        }
    }
}

/// True for types whose values look the same in JSON.
fn written_alike(one: &SqlType, other: &SqlType) -> bool {
    let moment = |sql_type: &SqlType| matches!(sql_type, SqlType::Timestamp | SqlType::TimestampTz);
    one == other
        || (one.is_integer() && other.is_integer())
        || (one.is_text() && other.is_text())
        || (moment(one) && moment(other))
}

/// False where a column of this type cannot hold the value, so that the test is a slip.
fn may_hold(sql_type: &SqlType, value: &str) -> bool {
    match sql_type {
        SqlType::SmallInt => value.parse::<i16>().is_ok(),
        SqlType::Integer => value.parse::<i32>().is_ok(),
        SqlType::BigInt => value.parse::<i64>().is_ok(),
        SqlType::Boolean => matches!(value, "t" | "f"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `orders id:bigint customer_id:bigint name:text`, one table a line.
    fn catalog(text: &str) -> Catalog {
        let mut catalog = Catalog::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.split_whitespace();
            let name = TableName::public(words.next().unwrap());
            let columns = words.map(|word| {
                let (name, sql_type) = word.split_once(':').unwrap_or((word, "bigint"));
                let sql_type = match sql_type {
                    "bigint" => SqlType::BigInt,
                    "text" => SqlType::Text,
                    "bool" => SqlType::Boolean,
                    "time" => SqlType::Timestamp,
                    "bigint[]" => SqlType::Array(Box::new(SqlType::BigInt)),
                    other => SqlType::Other(other.to_owned()),
                };
                Column {
                    name: name.to_owned(),
                    sql_type,
                }
            });
            let columns = columns.collect();
            catalog.add(Table {
                name,
                columns,
                partitioned: false,
            });
        }
        catalog
    }

    const SHOP: &str = "
pipeline: shop
entity: { kind: Customer, table: customers, prefix: 'customer_{key}' }
tables: { products: { key: sku, values: { size: { names: { 1: small } } } } }
relations:
  orders:
    table: orders
    link: { customer_id: key }
    where: { state: [1, 2] }
    except: [secret]
    nested:
      lines: { many: lines, link: { order_id: id }, order: [position] }
";

    const TABLES: &str = "
        customers id
        orders id customer_id state secret
        lines id order_id position
        products sku size";

    fn findings(pipeline: &str, tables: &str) -> Vec<String> {
        let pipeline =
            Pipeline::parse(pipeline, "shop.yml").unwrap_or_else(|error| panic!("{error}"));
        check(&pipeline, &catalog(tables))
            .iter()
            .map(Finding::to_string)
            .collect()
    }

    #[test]
    fn a_snapshot_with_everything_gives_no_findings() {
        assert_eq!(findings(SHOP, TABLES), Vec::<String>::new());
    }

    #[test]
    fn what_a_snapshot_lacks_is_found() {
        let cases = [
            (
                "no entity table",
                ("customers id", ""),
                "error: entity: the snapshot has no table customers: nothing can be exported",
            ),
            (
                "a key that is no integer",
                ("customers id", "customers id:text"),
                "error: entity: the key needs an integer, and column id of table customers is none",
            ),
            (
                "no top-level table",
                ("orders id", "other id"),
                "warning: relations > orders: the snapshot has no table orders: the relation is left out",
            ),
            (
                "no nested table",
                ("lines id", "other id"),
                "note: relations > orders > lines: the snapshot has no table lines: the array is empty",
            ),
            (
                "no link column",
                ("customer_id", "other_id"),
                "error: relations > orders: a link needs column customer_id, which table orders does not have",
            ),
            (
                "a link that is no integer",
                ("order_id", "order_id:text"),
                "error: relations > orders > lines: a link needs an integer, and column order_id of table lines is none",
            ),
            (
                "no order column",
                ("position", ""),
                "error: relations > orders > lines: the order needs column position, which table lines does not have",
            ),
            (
                "no excepted column",
                ("secret", ""),
                "warning: relations > orders: table orders has no column secret: there is nothing to leave out",
            ),
            (
                "a condition that cannot hold",
                ("state", "state:bool"),
                "warning: relations > orders: column state of table orders is never \"1\"",
            ),
            (
                "a key that is also a column",
                ("secret", "secret lines"),
                "error: relations > orders: key lines would be written twice: table orders has a column of that name",
            ),
            (
                "names on a text",
                ("size", "size:text"),
                "error: tables > products: a rule with names needs an integer, and column size of table products is none",
            ),
        ];
        for (name, (from, to), expected) in cases {
            let found = findings(SHOP, &TABLES.replace(from, to));
            assert!(
                found.iter().any(|finding| finding == expected),
                "{name}: {found:#?}"
            );
        }
    }

    #[test]
    fn a_declared_key_is_held_against_the_stated_ones() {
        let orders =
            "CREATE TABLE orders (id bigint, customer_id bigint, state bigint, secret text";
        let other = "error: relations > orders: table orders: the pipeline tells its rows apart by id, but its primary \
             key is (customer_id, id), so rows may share a value of id; declare a column that is unique as the table's key";
        let parts = "warning: relations > orders: table orders: the pipeline tells its rows apart by id, but its \
             primary key is (id, state): if rows of several partitions share a value of id, they cannot be told apart";
        let cases = [
            ("nothing is stated", ");", None),
            ("the primary key", ", PRIMARY KEY (id));", None),
            (
                "other columns",
                ", PRIMARY KEY (customer_id, id));",
                Some(other),
            ),
            (
                "and a unique one",
                ", PRIMARY KEY (customer_id, id), UNIQUE (id));",
                None,
            ),
            ("no primary key", ", UNIQUE (customer_id, id));", None),
            (
                "a partitioned table",
                ", PRIMARY KEY (id, state)) PARTITION BY LIST (state);",
                Some(parts),
            ),
        ];
        let pipeline = Pipeline::parse(SHOP, "shop.yml").unwrap_or_else(|error| panic!("{error}"));
        for (name, end, expected) in cases {
            let sql = format!(
                "CREATE TABLE customers (id bigint); CREATE TABLE products (sku bigint, size bigint);\n\
                 CREATE TABLE lines (id bigint, order_id bigint, position bigint);\n{orders}{end}"
            );
            let catalog = crate::snapshot::read_schema(sql.as_bytes()).unwrap();
            let found = check(&pipeline, &catalog);
            let found: Vec<String> = found.iter().map(Finding::to_string).collect();
            assert_eq!(found, Vec::from_iter(expected), "{name}");
        }
    }
}
