//! Foreign keys of twenty public databases: what `pipeline init` makes of them finds the rows that SQL finds.
//!
//! Each schema is filled with rows of two tenants, made from its foreign keys. Rows of the first are exported.

mod fill;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::server::*;
use crate::support::*;

/// The column by which a test knows each row.
const LABEL: &str = "relexport_row";

/// The labels in a record, at any depth.
fn labels(labels_found: &mut BTreeSet<String>, record: &Value) {
    match record {
        Value::Object(fields) => {
            if let Some(label) = fields.get(LABEL).and_then(Value::as_str) {
                labels_found.insert(label.to_owned());
            }
            fields.values().for_each(|it| labels(labels_found, it));
        }
        Value::Array(items) => items.iter().for_each(|it| labels(labels_found, it)),
        _ => {}
    }
}

/// Every row that a chain of foreign keys leads from to the tenant, by SQL.
fn by_sql(database: &Database<'_>, tables: &[fill::Table], entity: &str) -> BTreeSet<String> {
    let mut steps = String::new();
    for table in tables {
        for foreign in &table.foreign {
            let parent = &tables[foreign.table].name;
            let pairs = foreign.columns.iter().zip(&foreign.to);
            let equal: Vec<String> = pairs
                .map(|(column, to)| format!("c.\"{column}\" = p.\"{to}\""))
                .collect();
            steps.push_str(&format!(
                "INSERT INTO reached SELECT DISTINCT c.{LABEL} FROM {} c JOIN {parent} p ON {}
                   JOIN reached r ON r.label = p.{LABEL}
                   WHERE NOT EXISTS (SELECT FROM reached x WHERE x.label = c.{LABEL});
                 GET DIAGNOSTICS found = ROW_COUNT; total := total + found;\n",
                table.name,
                equal.join(" AND ")
            ));
        }
    }
    let found = database.run(&format!(
        "CREATE TEMP TABLE reached (label text PRIMARY KEY);
         INSERT INTO reached VALUES ('{}');
         DO $$ DECLARE found int; total int; BEGIN LOOP total := 0;
         {steps} EXIT WHEN total = 0; END LOOP; END $$;
         SELECT label FROM reached",
        fill::label(entity, 1, 0)
    ));
    found.lines().map(str::to_owned).collect()
}

/// Holds one schema to SQL.
fn check(name: &str) {
    // A table's rows have one `tree`. The comments say which other foreign keys to itself are not followed.
    let not_followed: &[&str] = match name {
        "odoo" => &["public.res_partner#1.2"],
        _ => &[],
    };
    let (dir, database) = (Dir::new(), Server::shared().database());
    let path = project(&format!("tests/schemas/{name}.sql"));
    let text = std::fs::read_to_string(&path).unwrap();
    let entity = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("-- entity: "))
        .expect("the first line names the entity");
    database.load(&path);
    let tables = fill::tables(&database);
    let quoted = match entity.split_once('.') {
        None => format!("\"public\".\"{entity}\""),
        Some((schema, table)) => format!("\"{schema}\".\"{table}\""),
    };
    database.load(&dir.write("rows.sql", fill::rows(&tables, &quoted)));
    let expected = by_sql(&database, &tables, &quoted);
    assert!(expected.len() > 3, "{expected:?}");

    let plain = dir.write("plain.sql", database.dump(&[]));
    let custom = dir.write("custom", database.dump(&["-Fc"]));
    let init = |more: &[&str], out: &str| {
        dir.relexport("--quiet pipeline init")
            .option("--snapshot", &plain)
            .option("--entity", entity)
            .option("--out", dir.join(out))
            .args(more)
            .ok();
        dir.join(out)
    };
    let tenant = fill::label(&quoted, 1, 0);
    let key = tables
        .iter()
        .find(|table| table.name == quoted)
        .map(|table| &table.key[0])
        .expect("the schema has the entity");
    let id = database.run(&format!(
        "SELECT \"{key}\" FROM {quoted} WHERE {LABEL} = '{tenant}'"
    ));
    for (more, file) in [(&[][..], "some.yml"), (&["--every-way"], "every.yml")] {
        let pipeline = init(more, file);
        let told = || std::fs::read_to_string(&pipeline).unwrap();
        let mut first = None;
        for (kind, from) in [("plain", &plain), ("custom", &custom)] {
            let check = dir
                .relexport("--quiet pipeline check --json")
                .arg(&pipeline)
                .option("--snapshot", from)
                .run();
            assert_eq!(
                check.code,
                Some(0),
                "{name}, {kind}: {}\n{}",
                check.stdout,
                told()
            );
            let run = dir
                .export_to(from, dir.join(&format!("{kind}-{file}")))
                .option("--pipeline", &pipeline)
                .group(&id)
                .run();
            assert_eq!(
                run.code,
                Some(0),
                "{name}, {kind}: {}\n{}",
                run.stderr,
                told()
            );
            let mut got = BTreeSet::new();
            for content in run.contents().values() {
                for line in std::str::from_utf8(content).unwrap().lines() {
                    labels(&mut got, &serde_json::from_str(line).unwrap());
                }
            }
            let missing: Vec<&String> = expected.difference(&got).collect();
            let more: Vec<_> = got.difference(&expected).collect();
            assert!(
                missing == not_followed && more.is_empty(),
                "{name}, {kind}, {file}: missing {missing:?}, more {more:?}\n{}",
                told()
            );
            match &first {
                None => first = Some(run.contents()),
                Some(first) => {
                    assert_same_files(&format!("{name}, {kind}"), &run.contents(), first)
                }
            }
        }
    }
}

macro_rules! schemas {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*
    };
}

schemas! {
    adventureworks airflow chinook employees kong keycloak kratos mastodon mediawiki musicbrainz northwind odoo openmrs
    pagila sentry stackoverflow supabase tpch world zulip
}
