//! Writes a catalog as SQL: the `schema.sql` of a folder of CSV files.
//!
//! Our own reader understands it, and any PostgreSQL makes tables of it that take the files' rows by COPY. A table of
//! partitions is written as one table, and so is one that others inherit from. Types that only an extension or another schema has are written as `text`, which
//! holds the same values; defaults, and constraints other than keys, are left out.

use std::fmt::Write;

use crate::snapshot::catalog::{Catalog, Table};
use crate::snapshot::sql::names::{identifier, string, table as quoted};
use crate::snapshot::table_name::TableName;

/// The definitions of the tables of schema `public`, and of its enums. Partitions are left out but for those `with_files`, whose
/// rows stand in files of their own.
pub fn schema_sql(catalog: &Catalog, with_files: &[&str]) -> String {
    let mut sql =
        "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n".to_owned();
    for (name, labels) in catalog.enums().filter(|(name, _)| is_public(name)) {
        let labels: Vec<String> = labels.iter().map(|label| string(label)).collect();
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            sql,
            "\nCREATE TYPE {} AS ENUM (\n    {}\n);\n",
            quoted(name),
            labels.join(",\n    ")
        );
    }
    let mut tables: Vec<&Table> = catalog
        .tables()
        .filter(|table| is_public(&table.name))
        .filter(|table| {
            !catalog.is_partition(&table.name) || with_files.contains(&table.name.name.as_str())
        })
        .collect();
    tables.sort_by(|one, other| one.name.cmp(&other.name));
    for table in tables {
        let mut elements: Vec<String> = table
            .columns
            .iter()
            .map(|column| {
                let written = catalog.written_type(&table.name, &column.name);
                let sql_type = written.map_or_else(|| column.sql_type.sql(), |sql| sql.to_string());
                let computed = match catalog.is_generated(&table.name, &column.name) {
                    true => " GENERATED ALWAYS AS (NULL) STORED",
                    false => "",
                };
                format!("{} {sql_type}{computed}", identifier(&column.name))
            })
            .collect();
        // With the rows of tables below it, a table that others inherit from may have one key twice.
        let keys = match table.partitioned || !catalog.has_children(&table.name) {
            true => catalog.keys().of(&table.name),
            false => &[],
        };
        for key in keys {
            let kind = match key.primary {
                true => "PRIMARY KEY",
                false => "UNIQUE",
            };
            let columns: Vec<String> = key.columns.iter().map(|name| identifier(name)).collect();
            elements.push(format!("{kind} ({})", columns.join(", ")));
        }
        let _ = write!(
            sql,
            "\nCREATE TABLE {} (\n    {}\n);\n",
            quoted(&table.name),
            elements.join(",\n    ")
        );
    }
    sql
}

fn is_public(name: &TableName) -> bool {
    name.schema == "public"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::sql::ddl::read_schema;
    use crate::snapshot::sql_type::SqlType;

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
    "other" text,
    "price" numeric,
    "place" text[],
    "email" text,
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
}
