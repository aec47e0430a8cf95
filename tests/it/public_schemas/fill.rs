//! Rows of two tenants for any schema, made from its foreign keys: the n-th row of a tenant refers to the n-th rows of it.

use std::collections::HashSet;

use super::LABEL;
use crate::support::server::Database;

/// Rows of a tenant in each table but its own.
const ROWS: usize = 3;

pub(super) struct Foreign {
    pub columns: Vec<String>,
    /// The position of the table that it refers to.
    pub table: usize,
    pub to: Vec<String>,
}

struct Column {
    name: String,
    kind: String,
    is_required: bool,
}

pub(super) struct Table {
    /// Schema and name as SQL writes them.
    pub name: String,
    pub key: Vec<String>,
    columns: Vec<Column>,
    /// Of its primary key and unique constraints.
    unique: Vec<Vec<String>>,
    pub foreign: Vec<Foreign>,
}

/// What the server says of the tables of a database.
pub(super) fn tables(database: &Database<'_>) -> Vec<Table> {
    let lines = |sql: &str| -> Vec<Vec<String>> {
        let printed = database.run(sql);
        let fields = |line: &str| line.split('|').map(str::to_owned).collect();
        printed.lines().map(fields).collect()
    };
    let list = |names: &str| -> Vec<String> { names.split(',').map(str::to_owned).collect() };
    let mut tables: Vec<Table> = lines(
        "SELECT format('\"%s\".\"%s\"', schemaname, tablename) FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
    )
    .into_iter()
    .map(|fields| Table {
        name: fields[0].clone(),
        key: Vec::new(),
        columns: Vec::new(),
        unique: Vec::new(),
        foreign: Vec::new(),
    })
    .collect();
    let position = |tables: &[Table], name: &str| {
        let mut names = tables.iter();
        names.position(|table| table.name == name).unwrap()
    };
    const OF: &str = "format('\"%s\".\"%s\"', n.nspname, c.relname)";
    let from = "JOIN pg_class c ON c.oid = it.rel JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')";
    for fields in lines(&format!(
        "SELECT {OF}, it.attname, format_type(it.atttypid, NULL), it.attnotnull, t.typtype
         FROM (SELECT *, attrelid AS rel FROM pg_attribute WHERE attnum > 0) it
         JOIN pg_type t ON t.oid = it.atttypid {from} ORDER BY 1, it.attnum"
    )) {
        let at = position(&tables, &fields[0]);
        tables[at].columns.push(Column {
            name: fields[1].clone(),
            kind: match fields[4].as_str() {
                "e" => format!("enum {}", fields[2]),
                _ => fields[2].clone(),
            },
            is_required: fields[3] == "t",
        });
    }
    let columns = |relation: &str, numbers: &str| {
        format!(
            "(SELECT string_agg(a.attname, ',' ORDER BY k) FROM generate_subscripts(it.{numbers}, 1) k
              JOIN pg_attribute a ON a.attrelid = it.{relation} AND a.attnum = it.{numbers}[k])"
        )
    };
    for fields in lines(&format!(
        "SELECT {OF}, it.contype, {}, {}, it.confrelid::regclass::oid
         FROM (SELECT *, conrelid AS rel FROM pg_constraint) it {from} ORDER BY it.oid",
        columns("conrelid", "conkey"),
        columns("confrelid", "confkey")
    )) {
        let at = position(&tables, &fields[0]);
        match fields[1].as_str() {
            "f" => {
                let name = database.run(&format!(
                    "SELECT {OF} FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = {}",
                    fields[4]
                ));
                let table = position(&tables, &name);
                tables[at].foreign.push(Foreign {
                    columns: list(&fields[2]),
                    table,
                    to: list(&fields[3]),
                });
            }
            "p" | "u" => {
                if fields[1] == "p" {
                    tables[at].key = list(&fields[2]);
                }
                tables[at].unique.push(list(&fields[2]));
            }
            other => panic!("a constraint of type {other}"),
        }
    }
    tables
}

/// How a row is known.
pub(super) fn label(table: &str, tenant: usize, row: usize) -> String {
    format!("{}#{tenant}.{row}", table.replace('"', ""))
}

/// SQL that fills the tables.
pub(super) fn rows(tables: &[Table], entity: &str) -> String {
    let filling = Filling { tables, entity };
    // Foreign keys may go around in a circle, and NULLs leave some of them without a row.
    let mut sql = "SET session_replication_role = replica;\n".to_owned();
    for (at, table) in tables.iter().enumerate() {
        sql.push_str(&format!(
            "ALTER TABLE {} ADD COLUMN {LABEL} text;\n",
            table.name
        ));
        let mut known = HashSet::new();
        for tenant in [1, 2] {
            for row in 0..filling.count(at) {
                let value = |column: &str| filling.value(at, tenant, row, column);
                let keys: Vec<Vec<String>> = table
                    .unique
                    .iter()
                    .map(|key| key.iter().map(|column| value(column)).collect())
                    .collect();
                let is_new = |(number, key): (usize, &Vec<String>)| {
                    key.iter().any(|value| value == "NULL")
                        || !known.contains(&(number, key.clone()))
                };
                if !keys.iter().enumerate().all(is_new) {
                    continue;
                }
                known.extend(keys.into_iter().enumerate());
                let values: Vec<String> = table.columns.iter().map(|it| value(&it.name)).collect();
                sql.push_str(&format!(
                    "INSERT INTO {} VALUES ({}, '{}');\n",
                    table.name,
                    values.join(", "),
                    label(&table.name, tenant, row)
                ));
            }
        }
    }
    sql
}

struct Filling<'a> {
    tables: &'a [Table],
    entity: &'a str,
}

impl Filling<'_> {
    /// Rows of a tenant in a table.
    fn count(&self, table: usize) -> usize {
        match self.tables[table].name == self.entity {
            true => 1,
            false => ROWS,
        }
    }

    /// A value as a literal.
    fn value(&self, at: usize, tenant: usize, row: usize, name: &str) -> String {
        let table = &self.tables[at];
        let column = table
            .columns
            .iter()
            .find(|column| column.name == name)
            .unwrap();
        // A column may belong to several foreign keys; to other tables they come first.
        let mut foreign: Vec<(usize, &Foreign)> = table.foreign.iter().enumerate().collect();
        foreign.sort_by_key(|(_, foreign)| foreign.table == at);
        for (number, foreign) in foreign {
            let Some(position) = foreign.columns.iter().position(|it| it == name) else {
                continue;
            };
            if !column.is_required && (row + number) % 3 == 2 {
                return "NULL".to_owned();
            }
            let to = &foreign.to[position];
            return match (foreign.table == at, row) {
                // Of its own rows the one before.
                (true, 0) if column.is_required => own(column, tenant, row),
                (true, 0) => "NULL".to_owned(),
                (true, row) => self.value(at, tenant, row - 1, to),
                (false, row) => {
                    let row = row % self.count(foreign.table);
                    self.value(foreign.table, tenant, row, to)
                }
            };
        }
        own(column, tenant, row)
    }
}

/// A value that no other row of the table has, if the type has as many. Other tables have the same ones.
fn own(column: &Column, tenant: usize, row: usize) -> String {
    let code = tenant * 10 + row;
    let spelled = match column.kind.as_str() {
        "boolean" => "true".to_owned(),
        "date" | "timestamp without time zone" | "timestamp with time zone" => {
            format!("2024-01-{code}")
        }
        "time without time zone" => format!("10:{code}"),
        "uuid" => format!("000000{code}-0000-4000-8000-0000000000{code}"),
        "json" | "jsonb" | "text[]" => "{}".to_owned(),
        "inet" => format!("10.0.0.{code}"),
        "bytea" => format!("\\x{code}"),
        kind => match kind.strip_prefix("enum ") {
            Some(kind) => return format!("(enum_range(NULL::{kind}))[1]"),
            None => code.to_string(),
        },
    };
    format!("'{spelled}'")
}
