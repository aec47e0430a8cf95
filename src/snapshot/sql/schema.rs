//! Writes a catalog as SQL: the `schema.sql` of a folder of CSV files.
//!
//! Our own reader understands it, and any PostgreSQL makes tables of it that take the files' rows by COPY. A table of
//! partitions is written as one table, and so is one that others inherit from. Types that only an extension has are
//! written as `text`, which holds the same values, but for citext, which compares them otherwise; defaults, and constraints other than keys, are left out.
//!
//! Foreign keys stand at the end, where psql steps over them unless it is told otherwise: rows can then be loaded in any
//! order, and those of some groups may refer to rows that were not taken. Our reader reads them.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write;

use crate::snapshot::catalog::{Catalog, Column, Table};
use crate::snapshot::sql::names::{identifier, string, table as quoted};
use crate::snapshot::sql_type::SqlType;
use crate::snapshot::stated_keys::StatedKey;
use crate::snapshot::table_name::TableName;

/// citext where the extension is put that has it.
const CITEXT: &str = "public.citext";

/// What stands before and behind the foreign keys.
const FOREIGN_KEYS: [&str; 2] = [
    "\n-- Foreign keys: psql steps over them, unless it is run with --set foreign_keys=on.\n\\if :{?foreign_keys}\n",
    "\\endif\n",
];

/// The definitions of the tables of schema `public` and of every schema that a table `with_files` is in, and of their enums.
/// Partitions are left out but for those `with_files`, whose rows stand in files of their own.
pub fn schema_sql(catalog: &Catalog, with_files: &[TableName]) -> String {
    let mut wanted: BTreeSet<&str> = BTreeSet::from(["public"]);
    wanted.extend(with_files.iter().map(|name| name.schema.as_str()));
    let mut tables: Vec<&Table> = catalog
        .tables()
        .filter(|table| wanted.contains(table.name.schema.as_str()))
        .filter(|table| !catalog.is_partition(&table.name) || with_files.contains(&table.name))
        .collect();
    tables.sort_by(|one, other| one.name.cmp(&other.name));
    let schema = Schema {
        catalog,
        tables,
        enums: catalog.enums().map(|(name, _)| quoted(name)).collect(),
    };
    schema.sql(&wanted)
}

/// What is written of a catalog.
struct Schema<'c> {
    catalog: &'c Catalog,
    /// In the order of their names.
    tables: Vec<&'c Table>,
    /// The names of all enums, as SQL writes them.
    enums: HashSet<String>,
}

impl<'c> Schema<'c> {
    fn sql(&self, wanted: &BTreeSet<&str>) -> String {
        let enums = self.written_enums(wanted);
        let of_tables = self.tables.iter().map(|table| &table.name);
        let names = of_tables.chain(enums.iter().map(|(name, _)| *name));
        let schemas: BTreeSet<&str> = names.map(|name| name.schema.as_str()).collect();
        let mut sql =
            "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n".to_owned();
        for schema in schemas.into_iter().filter(|schema| *schema != "public") {
            let schema = identifier(schema);
            // Writing to a string cannot fail, here and below.
            let _ = write!(sql, "\nCREATE SCHEMA IF NOT EXISTS {schema};\n");
        }
        if self.has_citext() {
            let _ = write!(
                sql,
                "\nCREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;\n"
            );
        }
        for (name, labels) in enums {
            let labels: Vec<String> = labels.iter().map(|label| string(label)).collect();
            let _ = write!(
                sql,
                "\nCREATE TYPE {} AS ENUM (\n    {}\n);\n",
                quoted(name),
                labels.join(",\n    ")
            );
        }
        for table in &self.tables {
            let elements = self.elements(table).join(",\n    ");
            let name = quoted(&table.name);
            let _ = write!(sql, "\nCREATE TABLE {name} (\n    {elements}\n);\n");
        }
        let foreign = self.foreign_keys();
        if !foreign.is_empty() {
            let [before, behind] = FOREIGN_KEYS;
            let _ = write!(sql, "{before}{foreign}{behind}");
        }
        sql
    }

    /// The enums of the wanted schemas, and those that columns of the tables are of.
    fn written_enums(&self, wanted: &BTreeSet<&str>) -> Vec<(&'c TableName, &'c [String])> {
        let mut used = HashSet::new();
        for table in &self.tables {
            let columns = table.columns.iter();
            let written = columns.filter_map(|it| self.catalog.written_type(&table.name, &it.name));
            used.extend(written.map(|sql| element(sql)));
        }
        let is_written = |name: &TableName| {
            wanted.contains(name.schema.as_str()) || used.contains(quoted(name).as_str())
        };
        let enums = self.catalog.enums();
        enums.filter(|(name, _)| is_written(name)).collect()
    }

    /// The columns of a table, and its keys.
    fn elements(&self, table: &Table) -> Vec<String> {
        let mut elements = Vec::new();
        for column in &table.columns {
            let computed = match self.catalog.is_generated(&table.name, &column.name) {
                true => " GENERATED ALWAYS AS (NULL) STORED",
                false => "",
            };
            let (name, sql_type) = (identifier(&column.name), self.type_sql(table, column));
            elements.push(format!("{name} {sql_type}{computed}"));
        }
        for key in self.keys(table) {
            let kind = match key.primary {
                true => "PRIMARY KEY",
                false => "UNIQUE",
            };
            elements.push(format!("{kind} ({})", list(&key.columns)));
        }
        elements
    }

    /// A column's type.
    fn type_sql(&self, table: &Table, column: &Column) -> String {
        let written = self.catalog.written_type(&table.name, &column.name);
        // What is in quotes is an enum, which may have another name by now, or be gone.
        let is_there = |sql: &str| !sql.starts_with('"') || self.enums.contains(element(sql));
        match (written.filter(|sql| is_there(sql)), &column.sql_type) {
            (Some(sql), _) => sql.to_string(),
            (None, SqlType::Citext) => CITEXT.to_owned(),
            (None, SqlType::Array(element)) if **element == SqlType::Citext => {
                format!("{CITEXT}[]")
            }
            (None, sql_type) => sql_type.sql(),
        }
    }

    fn has_citext(&self) -> bool {
        let mut columns = self.tables.iter().flat_map(|table| &table.columns);
        columns.any(|column| match &column.sql_type {
            SqlType::Array(element) => **element == SqlType::Citext,
            sql_type => *sql_type == SqlType::Citext,
        })
    }

    /// The keys of a table that hold for all rows of its file.
    fn keys(&self, table: &Table) -> &'c [StatedKey] {
        // With the rows of tables below it, a table that others inherit from may have one key twice.
        match table.partitioned || !self.catalog.has_children(&table.name) {
            true => self.catalog.keys().of(&table.name),
            false => &[],
        }
    }

    /// The foreign keys that PostgreSQL accepts between the tables that are written, and which of their columns are never
    /// NULL, as statements.
    fn foreign_keys(&self) -> String {
        let mut sql = String::new();
        let keys = self.catalog.keys();
        for table in &self.tables {
            let mut required = BTreeSet::new();
            for key in keys.foreign_of(&table.name) {
                let other = self
                    .tables
                    .binary_search_by(|other| other.name.cmp(&key.table));
                if let (Ok(other), Some(referenced)) = (other, keys.referenced(key))
                    && self.is_accepted(table, &key.columns, self.tables[other], referenced)
                {
                    let _ = writeln!(
                        sql,
                        "ALTER TABLE ONLY {} ADD FOREIGN KEY ({}) REFERENCES {} ({});",
                        quoted(&table.name),
                        list(&key.columns),
                        quoted(&key.table),
                        list(referenced)
                    );
                    required.extend(&key.columns);
                }
            }
            // Only here, because the files of some groups lack columns.
            let is_required = |column: &&String| self.catalog.is_not_null(&table.name, column);
            let primary = keys.primary(&table.name).unwrap_or_default();
            for column in required.into_iter().filter(is_required) {
                if !primary.contains(column) {
                    let (table, column) = (quoted(&table.name), identifier(column));
                    let _ = writeln!(
                        sql,
                        "ALTER TABLE ONLY {table} ALTER COLUMN {column} SET NOT NULL;"
                    );
                }
            }
        }
        sql
    }

    /// True if the columns that are referred to are a key, and all are of types that are written alike, as far as they are
    /// known.
    fn is_accepted(
        &self,
        table: &Table,
        columns: &[String],
        other: &Table,
        referenced: &[String],
    ) -> bool {
        let is_key = self.keys(other).iter().any(|stated| {
            let mut columns = stated.columns.iter();
            stated.columns.len() == referenced.len()
                && columns.all(|column| referenced.contains(column))
        });
        let mut pairs = columns.iter().zip(referenced);
        is_key
            && pairs.all(|(one, two)| match (table.column(one), other.column(two)) {
                (Some((_, one)), Some((_, two))) => {
                    kind(&self.type_sql(table, one)) == kind(&self.type_sql(other, two))
                }
                _ => false,
            })
    }
}

/// A type without the brackets of an array.
fn element(sql: &str) -> &str {
    sql.strip_suffix("[]").unwrap_or(sql)
}

/// What types that PostgreSQL compares with one another have in common.
fn kind(sql: &str) -> &str {
    match sql.split('(').next().unwrap_or(sql).trim_end() {
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => "number",
        "text" | "character varying" | "character" | "name" | CITEXT => "text",
        "date" | "timestamp" | "timestamp without time zone" | "timestamp with time zone" => "time",
        other => other,
    }
}

fn list(columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|name| identifier(name)).collect();
    columns.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::sql::ddl::read_schema;

    const DUMP: &str = "
CREATE TYPE public.mood AS ENUM (
    'sad',
    'it''s ok'
);
CREATE TYPE elsewhere.mood AS ENUM ('x');
CREATE DOMAIN public.small AS numeric(3,1) CHECK ((VALUE > 0));
CREATE TABLE public.people (
    id bigint DEFAULT nextval('public.people_id_seq'::regclass) NOT NULL,
    \"the \"\"name\"\"\" character varying(255) COLLATE pg_catalog.\"C\",
    mood public.mood DEFAULT 'sad'::public.mood,
    moods public.mood[],
    other elsewhere.mood,
    price public.small,
    place public.ltree[],
    email public.citext,
    flags bit(3),
    born timestamp(3) without time zone,
    upper text GENERATED ALWAYS AS (upper(email)) STORED,
    CONSTRAINT x CHECK ((id > 0))
);
ALTER TABLE ONLY public.people ADD CONSTRAINT people_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX i ON public.people USING btree (email, \"the \"\"name\"\"\");
CREATE TABLE public.parts (id bigint, at date) PARTITION BY RANGE (at);
CREATE TABLE partitions.parts_1 (id bigint, at date);
ALTER TABLE ONLY public.parts ATTACH PARTITION partitions.parts_1 FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
";

    const WRITTEN: &str = r#"SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;

CREATE SCHEMA IF NOT EXISTS "elsewhere";

CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;

CREATE TYPE "elsewhere"."mood" AS ENUM (
    'x'
);

CREATE TYPE "public"."mood" AS ENUM (
    'sad',
    'it''s ok'
);

CREATE TABLE "public"."parts" (
    "id" bigint,
    "at" date
);

CREATE TABLE "public"."people" (
    "id" bigint,
    "the ""name""" character varying(255),
    "mood" "public"."mood",
    "moods" "public"."mood"[],
    "other" "elsewhere"."mood",
    "price" numeric,
    "place" text[],
    "email" public.citext,
    "flags" bit(3),
    "born" timestamp(3) without time zone,
    "upper" text GENERATED ALWAYS AS (NULL) STORED,
    PRIMARY KEY ("id"),
    UNIQUE ("email", "the ""name""")
);
"#;

    #[test]
    fn a_dump_s_tables_are_written_with_types_that_every_server_has() {
        let catalog = read_schema(DUMP.as_bytes()).unwrap();
        assert_eq!(schema_sql(&catalog, &[]), WRITTEN);
    }

    #[test]
    fn what_is_written_is_read_as_the_same_types() {
        let catalog = read_schema(WRITTEN.as_bytes()).unwrap();
        assert_eq!(schema_sql(&catalog, &[]), WRITTEN);
        let people = TableName::public("people");
        let table = catalog.table(&people).unwrap();
        let other = SqlType::Other("mood".into());
        assert_eq!(table.columns[2].sql_type, other);
        assert_eq!(table.columns[3].sql_type, SqlType::Array(Box::new(other)));
        assert!(catalog.is_generated(&people, "upper"));
    }

    #[test]
    fn a_hostile_type_does_not_become_sql() {
        for text in [
            "numeric(10); DROP TABLE x",
            "numeric((SELECT 'x'))",
            "text[1)] , x text",
            "\"text\"); --\"",
        ] {
            let dump = format!("CREATE TABLE t (a {text});");
            let Ok(catalog) = read_schema(dump.as_bytes()) else {
                continue;
            };
            let sql = schema_sql(&catalog, &[]);
            let again = read_schema(sql.as_bytes()).unwrap();
            assert_eq!(schema_sql(&again, &[]), sql, "{text}");
            assert!(!sql.contains("DROP") && !sql.contains("select"), "{sql}");
        }
    }

    #[test]
    fn tables_of_other_schemas_are_written_if_one_of_them_has_a_file() {
        let dump = "
CREATE TYPE billing.state AS ENUM ('open');
CREATE TYPE audit.level AS ENUM ('low');
CREATE TABLE public.users (id bigint PRIMARY KEY);
CREATE TABLE billing.invoices (id uuid PRIMARY KEY, state billing.state[], user_id int REFERENCES public.users);
CREATE TABLE billing.lines (invoice_id uuid NOT NULL REFERENCES billing.invoices ON DELETE CASCADE, log_id int);
CREATE TABLE audit.logs (id int PRIMARY KEY, level audit.level);
ALTER TABLE billing.lines ADD FOREIGN KEY (log_id) REFERENCES audit.logs;
";
        let expected = r#"SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;

CREATE SCHEMA IF NOT EXISTS "billing";

CREATE TYPE "billing"."state" AS ENUM (
    'open'
);

CREATE TABLE "billing"."invoices" (
    "id" uuid,
    "state" "billing"."state"[],
    "user_id" integer,
    PRIMARY KEY ("id")
);

CREATE TABLE "billing"."lines" (
    "invoice_id" uuid,
    "log_id" integer
);

CREATE TABLE "public"."users" (
    "id" bigint,
    PRIMARY KEY ("id")
);

-- Foreign keys: psql steps over them, unless it is run with --set foreign_keys=on.
\if :{?foreign_keys}
ALTER TABLE ONLY "billing"."invoices" ADD FOREIGN KEY ("user_id") REFERENCES "public"."users" ("id");
ALTER TABLE ONLY "billing"."lines" ADD FOREIGN KEY ("invoice_id") REFERENCES "billing"."invoices" ("id");
ALTER TABLE ONLY "billing"."lines" ALTER COLUMN "invoice_id" SET NOT NULL;
\endif
"#;
        let files = [TableName::new("billing", "invoices")];
        let catalog = read_schema(dump.as_bytes()).unwrap();
        assert_eq!(schema_sql(&catalog, &files), expected);
        let again = read_schema(expected.as_bytes()).unwrap();
        assert_eq!(schema_sql(&again, &files), expected);
        // Without a table of theirs only those of public.
        let public = schema_sql(&catalog, &[]);
        assert!(
            !public.contains("billing") && !public.contains("ALTER TABLE"),
            "{public}"
        );
    }

    #[test]
    fn foreign_keys_that_postgresql_would_refuse_are_left_out() {
        let tables = "CREATE TABLE p (id int PRIMARY KEY, code text, no text);\nCREATE UNIQUE INDEX ON p (code) WHERE id > 1;\n";
        for (name, text) in [
            ("no key", "CREATE TABLE t (c text REFERENCES p (code));"),
            (
                "types that differ",
                "CREATE TABLE t (p_id missing.a_domain REFERENCES p);",
            ),
            (
                "a column that is not there",
                "CREATE TABLE t (id int, FOREIGN KEY (gone) REFERENCES p);",
            ),
            (
                "a table that is not there",
                "CREATE TABLE t (id int REFERENCES gone (id));",
            ),
            (
                "rows of other tables beside its own",
                "CREATE TABLE q () INHERITS (p);\nCREATE TABLE t (id int REFERENCES p);",
            ),
        ] {
            let catalog = read_schema(format!("{tables}{text}").as_bytes()).unwrap();
            let sql = schema_sql(&catalog, &[]);
            assert!(!sql.contains("FOREIGN KEY"), "{name}: {sql}");
        }
    }

    #[test]
    fn an_enum_that_has_another_name_by_now_is_text() {
        let dump = "CREATE TYPE m AS ENUM ('a');\nCREATE TABLE t (m m);\nALTER TYPE m RENAME TO n;";
        let catalog = read_schema(dump.as_bytes()).unwrap();
        assert!(schema_sql(&catalog, &[]).contains("    \"m\" text\n"));
    }
}
