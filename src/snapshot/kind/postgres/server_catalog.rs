//! The catalog of a server, its statistics and its indexes.
//!
//! Definitions are written as SQL and read by the DDL reader, which also reads those of dumps: so a live server
//! and its dump have one and the same catalog.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use super::connection::Connection;
use super::copy_query::TextKinds;
use super::failure::Failure;
use super::literal::{identifier, string, table as quoted};
use super::session::one;
use crate::snapshot::catalog::Catalog;
use crate::snapshot::facts::TableSize;
use crate::snapshot::sql::ddl::read_schema;
use crate::snapshot::table_name::TableName;

/// Tables that a dump would hold: none of the server's own, of an extension, or of a session.
const TABLES: &str = "\
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
    WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.objsubid = 0
      AND e.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.deptype = 'e')";

/// What is known of a server's tables.
#[derive(Debug, Default)]
pub(super) struct ServerCatalog {
    pub(super) catalog: Catalog,
    /// Definitions of the tables, as SQL.
    pub(super) definitions: String,
    pub(super) texts: TextKinds,
    /// Tables with rows that are on other servers.
    pub(super) foreign: HashSet<TableName>,
    /// Tables of which the log has no rows (UNLOGGED).
    pub(super) unlogged: Vec<TableName>,
    /// With what stands in partitions and in tables that inherit.
    pub(super) estimates: HashMap<TableName, TableSize>,
    pub(super) indexes: HashMap<TableName, Vec<Index>>,
    /// The tables in which rows of a table may stand: itself, its partitions, tables that inherit from it.
    pub(super) leaves: HashMap<TableName, Vec<TableName>>,
}

/// Asks a session for all of it.
pub(super) fn read(connection: &mut Connection) -> Result<ServerCatalog, Failure> {
    let version = connection.major_version();
    let mut found = ServerCatalog::default();
    enums(connection, &mut found)?;
    domains(connection, &mut found)?;
    tables(connection, version, &mut found)?;
    keys(connection, version, &mut found)?;
    foreign_keys(connection, version, &mut found)?;
    found.catalog = read_schema(found.definitions.as_bytes())
        .map_err(|_| Failure::Protocol("its tables' definitions cannot be understood"))?;
    found.texts.citext_schema = citext_schema(&found.definitions);
    let encoding = one(
        connection,
        "SELECT pg_catalog.current_setting('server_encoding')",
    )?;
    found.texts.without_encoding = encoding == "SQL_ASCII";
    let foreign: Vec<TableName> = found.foreign.drain().collect();
    for table in foreign {
        found.foreign.extend(found.catalog.holders(&table));
    }
    statistics(connection, version, &mut found)?;
    indexes(connection, &mut found)?;
    Ok(found)
}

/// The schema of the type citext, where some column or domain is of that type.
fn citext_schema(definitions: &str) -> Option<String> {
    let (before, _) = definitions.split_once(".citext")?;
    let schema = before.rsplit(char::is_whitespace).next()?;
    Some(schema.trim_matches('"').replace("\"\"", "\""))
}

fn enums(connection: &mut Connection, found: &mut ServerCatalog) -> Result<(), Failure> {
    let rows = connection.read_all(
        "SELECT t.oid, n.nspname, t.typname, e.enumlabel
         FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid
         JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace ORDER BY t.oid, e.enumsortorder",
    )?;
    let mut types: Vec<(String, TableName, Vec<String>)> = Vec::new();
    for [oid, schema, name, label] in &rows {
        if types.last().is_none_or(|(last, ..)| last != oid) {
            types.push((oid.clone(), TableName::new(schema, name), Vec::new()));
        }
        if let Some((.., labels)) = types.last_mut() {
            labels.push(string(label));
        }
    }
    for (_, name, labels) in types {
        let (name, labels) = (quoted(&name), labels.join(", "));
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(found.definitions, "CREATE TYPE {name} AS ENUM ({labels});");
    }
    Ok(())
}

fn domains(connection: &mut Connection, found: &mut ServerCatalog) -> Result<(), Failure> {
    let rows = connection.read_all(
        "SELECT n.nspname, t.typname, pg_catalog.format_type(t.typbasetype, t.typtypmod)
         FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
         WHERE t.typtype = 'd' AND n.nspname <> 'information_schema' ORDER BY t.oid",
    )?;
    for [schema, name, base] in &rows {
        let name = quoted(&TableName::new(schema, name));
        let _ = writeln!(found.definitions, "CREATE DOMAIN {name} AS {base};");
    }
    Ok(())
}

fn tables(
    connection: &mut Connection,
    version: u32,
    found: &mut ServerCatalog,
) -> Result<(), Failure> {
    let generated = match version {
        12.. => "a.attgenerated <> ''",
        _ => "false",
    };
    let deterministic = match version {
        12.. => "COALESCE(l.collisdeterministic, true)",
        _ => "true",
    };
    // Since version 18 a constraint may say so that does not hold for all rows.
    let not_null = match version {
        18.. => {
            "a.attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint v WHERE v.conrelid = a.attrelid
             AND v.contype = 'n' AND v.conkey[1] = a.attnum AND NOT v.convalidated)"
        }
        _ => "a.attnotnull",
    };
    let columns = connection.read_all(&format!(
        "SELECT a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), {generated}, {not_null},
           a.atttypid IN ('pg_catalog.text'::pg_catalog.regtype, 'pg_catalog.varchar'::pg_catalog.regtype) AND {deterministic}
         FROM pg_catalog.pg_attribute a
         JOIN (SELECT c.oid {TABLES}) t ON t.oid = a.attrelid
         LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
         WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum"
    ))?;
    let mut columns_of: HashMap<String, Vec<[String; 5]>> = HashMap::new();
    for [oid, name, sql_type, generated, not_null, plain] in columns {
        let column = [name, sql_type, generated, not_null, plain];
        columns_of.entry(oid).or_default().push(column);
    }
    let tables = connection.read_all(&format!(
        "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence {TABLES} ORDER BY n.nspname, c.relname"
    ))?;
    for [oid, schema, name, kind, persistence] in &tables {
        let table = TableName::new(schema, name);
        let foreign = match kind.as_str() {
            "f" => "FOREIGN ",
            _ => "",
        };
        if !foreign.is_empty() {
            found.foreign.insert(table.clone());
        }
        // A partitioned table has no rows of its own.
        if (persistence.as_str(), kind.as_str()) == ("u", "r") {
            found.unlogged.push(table.clone());
        }
        let _ = write!(
            found.definitions,
            "CREATE {foreign}TABLE {} (",
            quoted(&table)
        );
        let columns = columns_of.remove(oid).unwrap_or_default();
        for (index, [name, sql_type, generated, not_null, plain]) in columns.iter().enumerate() {
            let separator = match index {
                0 => "\n    ",
                _ => ",\n    ",
            };
            let computed = match generated.as_str() {
                "t" => " GENERATED ALWAYS AS (NULL) STORED",
                _ => "",
            };
            let required = match not_null.as_str() {
                "t" => " NOT NULL",
                _ => "",
            };
            let _ = write!(
                found.definitions,
                "{separator}{} {sql_type}{required}{computed}",
                identifier(name)
            );
            if plain != "t" {
                found.texts.loose.insert((table.clone(), name.clone()));
            }
        }
        let _ = writeln!(
            found.definitions,
            "\n){};",
            match kind.as_str() {
                // By what is of no interest to who reads rows.
                "p" => " PARTITION BY LIST (NULL)",
                _ => "",
            }
        );
    }
    let attached = connection.read_all(&format!(
        "SELECT pn.nspname, p.relname, n.nspname, c.relname, c.relispartition
         FROM pg_catalog.pg_inherits i
         JOIN pg_catalog.pg_class p ON p.oid = i.inhparent JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
         JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid IN (SELECT c.oid {TABLES}) ORDER BY 3, 4, i.inhseqno"
    ))?;
    for [parent_schema, parent, schema, name, is_partition] in &attached {
        let parent = quoted(&TableName::new(parent_schema, parent));
        let child = quoted(&TableName::new(schema, name));
        let _ = match is_partition.as_str() {
            "t" => writeln!(
                found.definitions,
                "ALTER TABLE ONLY {parent} ATTACH PARTITION {child} DEFAULT;"
            ),
            _ => writeln!(
                found.definitions,
                "ALTER TABLE ONLY {child} INHERIT {parent};"
            ),
        };
    }
    Ok(())
}

/// Primary keys and unique indexes, those of constraints among them, that hold for all rows of a table.
fn keys(
    connection: &mut Connection,
    version: u32,
    found: &mut ServerCatalog,
) -> Result<(), Failure> {
    // Columns that an index only holds are no part of its key.
    let columns = match version {
        11.. => "i.indnkeyatts",
        _ => "i.indnatts",
    };
    let rows = connection.read_all(&format!(
        "SELECT t.nspname, t.relname, x.relname, i.indisprimary, a.attname
         FROM pg_catalog.pg_index i
         JOIN (SELECT c.oid, n.nspname, c.relname {TABLES}) t ON t.oid = i.indrelid
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
         CROSS JOIN LATERAL pg_catalog.generate_series(0, {columns} - 1) k
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k]
         WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
         ORDER BY t.nspname, t.relname, x.relname, k"
    ))?;
    let mut keys: Vec<(TableName, String, bool, Vec<String>)> = Vec::new();
    for [schema, name, index, primary, column] in &rows {
        let table = TableName::new(schema, name);
        let goes_on = keys
            .last()
            .is_some_and(|(last, last_index, ..)| *last == table && last_index == index);
        if !goes_on {
            keys.push((table, index.clone(), primary == "t", Vec::new()));
        }
        if let Some((.., columns)) = keys.last_mut() {
            columns.push(identifier(column));
        }
    }
    for (table, index, primary, columns) in keys {
        let (table, index, columns) = (quoted(&table), identifier(&index), columns.join(", "));
        let _ = match primary {
            true => writeln!(
                found.definitions,
                "ALTER TABLE ONLY {table} ADD CONSTRAINT {index} PRIMARY KEY ({columns});"
            ),
            false => writeln!(
                found.definitions,
                "CREATE UNIQUE INDEX {index} ON {table} ({columns});"
            ),
        };
    }
    Ok(())
}

/// Foreign keys, as a dump has them: not those that partitions have from their tables, and none by periods, which find rows
/// by more than equal values.
fn foreign_keys(
    connection: &mut Connection,
    version: u32,
    found: &mut ServerCatalog,
) -> Result<(), Failure> {
    let stated = match version {
        18.. => "f.conparentid = 0 AND NOT f.conperiod",
        11.. => "f.conparentid = 0",
        _ => "true",
    };
    let rows = connection.read_all(&format!(
        "SELECT t.nspname, t.relname, f.conname, rn.nspname, r.relname, a.attname, ra.attname, k
         FROM pg_catalog.pg_constraint f
         JOIN (SELECT c.oid, n.nspname, c.relname {TABLES}) t ON t.oid = f.conrelid
         JOIN pg_catalog.pg_class r ON r.oid = f.confrelid
         JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
         CROSS JOIN LATERAL pg_catalog.generate_subscripts(f.conkey, 1) k
         JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[k]
         JOIN pg_catalog.pg_attribute ra ON ra.attrelid = f.confrelid AND ra.attnum = f.confkey[k]
         WHERE f.contype = 'f' AND {stated}
         ORDER BY t.nspname, t.relname, f.conname, k"
    ))?;
    let mut keys: Vec<ForeignKey> = Vec::new();
    for [
        schema,
        name,
        constraint,
        other_schema,
        other,
        column,
        referenced,
        place,
    ] in &rows
    {
        if place == "1" {
            keys.push(ForeignKey {
                table: quoted(&TableName::new(schema, name)),
                constraint: identifier(constraint),
                other: quoted(&TableName::new(other_schema, other)),
                columns: Vec::new(),
                referenced: Vec::new(),
            });
        }
        if let Some(key) = keys.last_mut() {
            key.columns.push(identifier(column));
            key.referenced.push(identifier(referenced));
        }
    }
    for key in keys {
        let _ = writeln!(
            found.definitions,
            "ALTER TABLE ONLY {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({});",
            key.table,
            key.constraint,
            key.columns.join(", "),
            key.other,
            key.referenced.join(", ")
        );
    }
    Ok(())
}

/// A foreign key's names, as SQL writes them.
struct ForeignKey {
    table: String,
    constraint: String,
    other: String,
    columns: Vec<String>,
    referenced: Vec<String>,
}

fn statistics(
    connection: &mut Connection,
    version: u32,
    found: &mut ServerCatalog,
) -> Result<(), Failure> {
    let block: u64 = one(connection, "SHOW block_size")?.parse().unwrap_or(8192);
    // Before 14, no rows in no pages also stands for a table that was never looked at.
    let known = match version {
        14.. => "c.reltuples >= 0",
        _ => "c.relpages > 0",
    };
    let rows = connection.read_all(&format!(
        "SELECT n.nspname, c.relname, c.reltuples::pg_catalog.int8, c.relpages + COALESCE(
           (SELECT t.relpages FROM pg_catalog.pg_class t WHERE t.oid = c.reltoastrelid), 0), {known}
         {TABLES} AND c.relkind = 'r'"
    ))?;
    for [schema, name, tuples, pages, known] in &rows {
        let leaf = TableName::new(schema, name);
        for holder in found.catalog.holders(&leaf) {
            let leaves = found.leaves.entry(holder.clone()).or_default();
            leaves.push(leaf.clone());
            if known == "t" {
                let size = found.estimates.entry(holder).or_default();
                size.rows += tuples.parse::<u64>().unwrap_or_default();
                size.bytes += pages.parse::<u64>().unwrap_or_default() * block;
            }
        }
    }
    Ok(())
}

fn indexes(connection: &mut Connection, found: &mut ServerCatalog) -> Result<(), Failure> {
    // An index may leave out rows that have no value: conditions on keys ask for no such rows. The condition is looked
    // at as the server keeps it, because the functions that would write it as SQL wait for locks.
    let rows = connection.read_all(&format!(
        "SELECT t.nspname, t.relname, i.indexrelid, m.amname, COALESCE(a.attname, '')
         FROM pg_catalog.pg_index i
         JOIN (SELECT c.oid, n.nspname, c.relname {TABLES}) t ON t.oid = i.indrelid
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
         JOIN pg_catalog.pg_am m ON m.oid = x.relam
         CROSS JOIN LATERAL pg_catalog.generate_series(0, i.indnatts - 1) k
         LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k] AND a.attnum <> 0
         WHERE i.indisvalid AND m.amname IN ('btree', 'hash', 'gin', 'gist')
           AND (i.indpred IS NULL OR pg_catalog.substring(i.indpred::pg_catalog.text,
             '^{{NULLTEST :arg {{VAR :varno 1 :varattno ([0-9]+) [^{{}}]*}} :nulltesttype 1 ')::pg_catalog.int2 = ANY (i.indkey))
         ORDER BY i.indexrelid, k"
    ))?;
    let mut last = String::new();
    for [schema, name, index, method, column] in &rows {
        let indexes = found
            .indexes
            .entry(TableName::new(schema, name))
            .or_default();
        if last != *index {
            last.clone_from(index);
            indexes.push(Index {
                in_order: method == "btree",
                columns: Vec::new(),
            });
        }
        if let Some(index) = indexes.last_mut() {
            index.columns.push(column.clone());
        }
    }
    Ok(())
}

/// The columns of an index.
#[derive(Debug)]
pub(super) struct Index {
    /// A column is of use only where those before it are known.
    in_order: bool,
    /// Empty where an expression stands in a column's place.
    columns: Vec<String>,
}

impl Index {
    /// True where rows are found by `column`, when the values of `known` are known, too.
    pub(super) fn finds(&self, column: &str, known: &[&str]) -> bool {
        let Some(place) = self.columns.iter().position(|own| own == column) else {
            return false;
        };
        !self.in_order
            || self.columns[..place]
                .iter()
                .all(|before| known.contains(&before.as_str()))
    }
}
