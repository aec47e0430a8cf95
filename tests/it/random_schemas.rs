//! Random schemas with keys of every kind, and random pipelines for them: an export holds the rows that SQL finds.

mod pipeline;
mod random;
mod schema;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::server::*;
use crate::support::*;
use pipeline::Plan;
use random::Random;
use schema::Schema;

/// Each is another schema, with other rows and another pipeline.
const SEEDS: std::ops::Range<u64> = 0..10;

/// Where a row stands: the node, and the labels of the rows from the relation's down to it. How often.
type Found = BTreeMap<String, usize>;

/// What the records of a relation hold.
fn found(records: &[u8], relation: &str) -> Found {
    let mut found = Found::new();
    for line in std::str::from_utf8(records).unwrap().lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        note(&mut found, relation, "", &record);
    }
    found
}

fn note(found: &mut Found, node: &str, above: &str, record: &Value) {
    let fields = record.as_object().unwrap();
    let label = fields["label"].as_str().unwrap();
    let path = match above {
        "" => label.to_owned(),
        above => format!("{above}>{label}"),
    };
    *found.entry(format!("{node} {path}")).or_default() += 1;
    for (key, value) in fields {
        let node = match key.as_str() {
            "label" => continue,
            // The rows of a tree stand in the same node at every depth.
            "below" => node.to_owned(),
            key => format!("{node}/{key}"),
        };
        let rows = value.as_array().unwrap();
        rows.iter().for_each(|row| note(found, &node, &path, row));
    }
}

#[test]
fn an_export_of_a_random_schema_holds_the_rows_that_sql_finds() {
    let mut rows = 0;
    for seed in SEEDS {
        rows += check(seed);
    }
    // They are not all empty.
    assert!(rows > 500, "{rows}");
}

/// Holds one schema to SQL; returns how many rows there were in the export.
fn check(seed: u64) -> usize {
    let (dir, database) = (Dir::new(), Server::shared().database());
    let mut random = Random::new(seed);
    let schema = Schema::new(&mut random);
    let plan = Plan::new(&mut random, &schema);
    let sql = dir.write("schema.sql", schema.sql(&mut random));
    let pipeline = dir.write("pipeline.yml", plan.yaml(&schema));
    database.load(&sql);
    let told = || {
        format!(
            "seed {seed}\n{}\n{}",
            std::fs::read_to_string(&sql).unwrap(),
            std::fs::read_to_string(&pipeline).unwrap()
        )
    };
    let mut expected = Found::new();
    for (node, query) in plan.queries(&schema) {
        for path in database.run(&query).lines() {
            *expected.entry(format!("{node} {path}")).or_default() += 1;
        }
    }
    let plain = dir.write("plain.sql", database.dump(&[]));
    let custom = dir.write("custom", database.dump(&["-Fc"]));
    let entity = database.run("SELECT id FROM tenants WHERE label = 't0r1'");
    let mut first = None;
    for (kind, from) in [
        ("plain", plain.into_os_string()),
        ("custom", custom.into_os_string()),
        ("live", database.address().into()),
    ] {
        let run = dir
            .export_to(&from, dir.join(format!("out-{kind}").as_str()))
            .option("--pipeline", &pipeline)
            .arg(format!("--group={entity}"))
            .run();
        assert_eq!(run.code, Some(0), "{kind}: {} {}", run.stderr, told());
        let contents = run.contents();
        let mut got = Found::new();
        for (name, content) in &contents {
            let name = name.rsplit('/').next().unwrap();
            let relation = name.strip_suffix(".ndjson.gz").unwrap();
            got.extend(found(content, relation));
        }
        let missing: Vec<_> = expected
            .iter()
            .filter(|(path, count)| got.get(*path) != Some(count))
            .collect();
        let more: Vec<_> = got
            .iter()
            .filter(|(path, count)| expected.get(*path) != Some(count))
            .collect();
        assert!(
            missing.is_empty() && more.is_empty(),
            "{kind}: SQL finds {missing:?}, the export has {more:?}\n{}",
            told()
        );
        match &first {
            None => first = Some(contents),
            Some(first) => assert_same_files(&format!("{kind}, seed {seed}"), &contents, first),
        }
    }
    expected.values().sum()
}
