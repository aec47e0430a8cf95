//! What equals what: a server's rows are those of its dump, where values are equal in several spellings, and where they are NULL.

use crate::support::live::*;
use crate::support::server::*;
use crate::support::*;

#[test]
fn null_in_a_link_of_several_columns_equals_no_empty_text() {
    let (dir, database) = (Dir::new(), Server::shared().database());
    database.run(
        "CREATE TYPE mood AS ENUM ('', 'ok');
         CREATE TABLE tenants (id int PRIMARY KEY);
         CREATE TABLE p (id int PRIMARY KEY, tenant_id int, a int, k varbit, m mood);
         CREATE TABLE c (id int PRIMARY KEY, a int, r varbit, s mood, x text);
         INSERT INTO tenants VALUES (1);
         INSERT INTO p VALUES (1, 1, 7, '', ''), (2, 1, 8, '101', 'ok');
         INSERT INTO c VALUES (1, 7, '', '', 'x'), (2, 8, '101', 'ok', 'y'), (3, 7, NULL, NULL, 'z'), (4, NULL, '', '', 'z');",
    );
    let pipeline = dir.write(
        "links.yml",
        "pipeline: links
entity: { kind: Tenant, table: tenants, key: id, prefix: \"t_{key}\" }
relations:
  bits: { table: c, link: { a: a, r: k }, via: [{ table: p, link: { tenant_id: key } }], only: [x] }
  moods: { table: c, link: { a: a, s: m }, via: [{ table: p, link: { tenant_id: key } }], only: [x] }
  nested: { table: p, link: { tenant_id: key }, only: [id], nested: { c: { many: c, link: { a: a, r: k }, only: [x] } } }
",
    );
    let dump = dir.write("dump.sql", database.dump(&[]));
    let of_dump = dir.export_to(dump, dir.join("of-dump"));
    for run in [export(&dir, &database, "of-server"), of_dump] {
        let run = run.option("--pipeline", &pipeline).group(1).ok();
        let text = |name: &str| String::from_utf8(run.content(&format!("t_1/{name}.ndjson.gz")));
        for name in ["bits", "moods"] {
            let rows = "{\"x\":\"x\"}\n{\"x\":\"y\"}\n";
            assert_eq!(text(name).unwrap(), rows, "{name}");
        }
        assert_eq!(
            text("nested").unwrap(),
            "{\"id\":1,\"c\":[{\"x\":\"x\"}]}\n{\"id\":2,\"c\":[{\"x\":\"y\"}]}\n"
        );
    }
}

#[test]
fn of_equal_values_the_largest_is_the_same_from_every_snapshot_and_in_a_check() {
    let (dir, database) = (Dir::new(), Server::shared().database());
    database.run(
        "CREATE EXTENSION citext;
         CREATE TABLE tenants (id int PRIMARY KEY);
         CREATE TABLE p (id int PRIMARY KEY, tenant_id int, n numeric, d double precision, r real, c citext, b char(4));
         INSERT INTO tenants VALUES (1), (2), (3);
         -- Tenant 2 has the same rows the other way round, tenant 3 nothing that is larger than nothing.
         INSERT INTO p VALUES (1, 1, 1.0, '0', '-0', 'ab', 'x'), (2, 1, 1.00, '-0', '0', 'AB', 'x'), (3, 1, 0.9, '-1', '-1', 'aa', ''),
                              (4, 2, 1.00, '-0', '0', 'AB', 'x'), (5, 2, 1.0, '0', '-0', 'ab', 'x'), (6, 2, 0.9, '-1', '-1', 'aa', ''),
                              (7, 3, NULL, NULL, NULL, NULL, NULL);",
    );
    let keys = ["n", "d", "r", "c", "b"].map(|column| {
        format!("{column}: {{ table: p, link: {{ tenant_id: key }}, column: {column} }}")
    });
    let pipeline = format!(
        "pipeline: largest\nvalues: exact\nentity: {{ kind: Tenant, table: tenants, key: id, prefix: \"t_{{key}}\" }}\nrelations: {{ m: {{ maxima: {{ {} }} }} }}\n",
        keys.join(", ")
    );
    let pipeline = dir.write("largest.yml", pipeline);
    let dump = dir.write("dump.sql", database.dump(&[]));
    let mut runs = vec![("dump", dir.export_to(&dump, dir.join("of-dump")))];
    let server = |name: &'static str| (name, export(&dir, &database, name));
    runs.push(server("server"));
    for (name, run) in runs {
        let run = run.option("--pipeline", &pipeline);
        let run = run.args(["--all-groups"]).ok();
        for tenant in [1, 2] {
            let got = run.content(&format!("t_{tenant}/m.json.gz"));
            let got = String::from_utf8(got).unwrap();
            let expected = "{\"n\":\"1.0\",\"d\":0,\"r\":0,\"c\":\"AB\",\"b\":\"x   \"}\n";
            assert_eq!(got.trim_end(), expected.trim_end(), "{name}, {tenant}");
        }
        assert_eq!(run.content("t_3/m.json.gz").trim_ascii(), b"{}", "{name}");
        let verify = dir.relexport("verify").arg(&run.out);
        let verify = verify.option("--against", &dump);
        verify.option("--pipeline", &pipeline).ok();
    }
}

#[test]
fn conditions_on_texts_mean_the_same_to_a_server_and_in_its_dump() {
    let pipeline = "pipeline: texts
entity: { kind: Tenant, table: tenants, key: id, prefix: \"t_{key}\" }
relations:
  two: { table: p, link: { tenant_id: key }, only: [id], where: { c: { length: 2 } } }
  five: { table: p, link: { tenant_id: key }, only: [id], where: { c: { length: 5 } } }
  blank: { table: p, link: { tenant_id: key }, only: [id], where: { c: { like: \"ab %\" } } }
  begins: { table: p, link: { tenant_id: key }, only: [id], where: { c: { like: \"ab%\" } } }
  one: { table: p, link: { tenant_id: key }, only: [id], where: { t: { length: 1 } } }
";
    let expected = [
        ("two", "{\"id\":1}\n"),
        ("five", "{\"id\":4}\n"),
        ("blank", ""),
        ("begins", "{\"id\":1}\n{\"id\":3}\n{\"id\":4}\n"),
        ("one", "{\"id\":1}\n{\"id\":2}\n"),
    ];
    let dir = Dir::new();
    let pipeline = dir.write("texts.yml", pipeline);
    for encoding in ["UTF8", "SQL_ASCII"] {
        let database = Server::shared().database_in(encoding);
        database.run(
            "SET client_encoding = 'UTF8';
             CREATE TABLE tenants (id int PRIMARY KEY);
             CREATE TABLE p (id int PRIMARY KEY, tenant_id int, c char(5), t text);
             INSERT INTO tenants VALUES (1);
             INSERT INTO p VALUES (1, 1, 'ab', 'é'), (2, 1, '', '日'), (3, 1, 'abc', 'éé'), (4, 1, 'abcde', NULL);",
        );
        let dump = dir.write(&format!("{encoding}.sql"), database.dump(&[]));
        let of_dump = dir.export_to(&dump, dir.join(&format!("{encoding}-dump")));
        let of_server = export(&dir, &database, &format!("{encoding}-server"));
        for run in [of_server, of_dump] {
            let run = run.option("--pipeline", &pipeline).group(1).ok();
            for (name, rows) in expected {
                let content = run.content(&format!("t_1/{name}.ndjson.gz"));
                assert_eq!(
                    String::from_utf8(content).unwrap(),
                    rows,
                    "{name} {encoding}"
                );
            }
            let verify = dir.relexport("verify").arg(&run.out);
            let verify = verify.option("--against", &dump);
            verify.option("--pipeline", &pipeline).ok();
        }
    }
}

/// Exports all entities of a pipeline from a server and from its dump, and looks what is in some of their files.
fn both_hold(database: &Database<'_>, pipeline: &str, expected: &[(&str, &str)]) {
    let dir = Dir::new();
    let pipeline = dir.write("pipeline.yml", pipeline);
    let dump = dir.write("dump.sql", database.dump(&[]));
    let of_dump = dir.export_to(&dump, dir.join("of-dump"));
    for (of, run) in [
        ("server", export(&dir, database, "of-server")),
        ("dump", of_dump),
    ] {
        let run = run.option("--pipeline", &pipeline).args(["--all-groups"]);
        let run = run.ok();
        for (name, rows) in expected {
            let content = String::from_utf8(run.content(name)).unwrap();
            assert_eq!(content.trim_end(), rows.trim_end(), "{name} of the {of}");
        }
        let verify = dir.relexport("verify").arg(&run.out);
        let verify = verify.option("--against", &dump);
        verify.option("--pipeline", &pipeline).ok();
    }
}

#[test]
fn the_key_of_an_entity_equals_what_postgresql_says_it_does() {
    let database = Server::shared().database();
    database.run(
        "CREATE TABLE shops (code text PRIMARY KEY, name name UNIQUE NOT NULL);
         CREATE TABLE orders (id int PRIMARY KEY, shop char(4));
         CREATE TABLE probes (f double precision PRIMARY KEY);
         CREATE TABLE samples (id int PRIMARY KEY, f real);
         INSERT INTO shops VALUES ('abcd', 'abcd'), ('abcd  ', 'abcd  '), ('ab', 'ab');
         INSERT INTO orders VALUES (1, 'abcd'), (2, 'ab');
         INSERT INTO probes VALUES (0.1), (0.1::real::float8), (16777216), (16777217), (1e39), (1e-300);
         INSERT INTO samples VALUES (1, 0.1), (2, 16777216), (3, 0);",
    );
    for key in ["code", "name"] {
        let pipeline = format!(
            "pipeline: shops
entity: {{ kind: Shop, table: shops, key: {key}, prefix: \"s_{{key}}\" }}
relations:
  orders: {{ table: orders, link: {{ shop: key }}, only: [id] }}
  last: {{ maxima: {{ order: {{ table: orders, link: {{ shop: key }}, column: id }} }} }}
"
        );
        let expected = [
            ("s_abcd/orders.ndjson.gz", "{\"id\":1}"),
            ("s_abcd/last.json.gz", "{\"order\":1}"),
            ("s_abcd_20_20/orders.ndjson.gz", ""),
            ("s_abcd_20_20/last.json.gz", "{}"),
            ("s_ab/orders.ndjson.gz", "{\"id\":2}"),
        ];
        both_hold(&database, &pipeline, &expected);
    }
    let pipeline = "pipeline: probes
entity: { kind: Probe, table: probes, key: f, prefix: \"p_{key}\" }
relations:
  samples: { table: samples, link: { f: key }, only: [id] }
  last: { maxima: { sample: { table: samples, link: { f: key }, column: id } } }
";
    let expected = [
        ("p_0_2e1/samples.ndjson.gz", ""),
        ("p_0_2e1/last.json.gz", "{}"),
        ("p_0_2e10000000149011612/samples.ndjson.gz", "{\"id\":1}"),
        ("p_16777216/samples.ndjson.gz", "{\"id\":2}"),
        ("p_16777216/last.json.gz", "{\"sample\":2}"),
        ("p_16777217/samples.ndjson.gz", ""),
        ("p_16777217/last.json.gz", "{}"),
    ];
    both_hold(&database, pipeline, &expected);
}

#[test]
fn what_is_collected_equals_what_postgresql_says_it_does_whoever_else_refers_to_it() {
    let database = Server::shared().database();
    // Meter 2 refers to the very `real` that 0.1 of meter 1 is not.
    database.run(
        "CREATE TABLE meters (id int PRIMARY KEY);
         CREATE TABLE units (f real PRIMARY KEY, n text);
         CREATE TABLE readings (id int PRIMARY KEY, meter_id int, unit double precision);
         INSERT INTO meters VALUES (1), (2);
         INSERT INTO units VALUES (0.1, 'tenth'), (1, 'one');
         INSERT INTO readings VALUES (1, 1, 0.1), (2, 1, 1), (3, 2, 0.1::real);",
    );
    let pipeline = "pipeline: meters
entity: { kind: Meter, table: meters, key: id, prefix: \"m_{key}\" }
tables: { units: { key: f } }
relations:
  readings: { table: readings, link: { meter_id: key }, only: [id] }
  units: { table: units, collected: { columns: [unit] }, only: [n] }
";
    let expected = [
        ("m_1/units.ndjson.gz", "{\"n\":\"one\"}"),
        ("m_2/units.ndjson.gz", "{\"n\":\"tenth\"}"),
    ];
    both_hold(&database, pipeline, &expected);
}

#[test]
fn a_value_beyond_the_other_columns_type_equals_none_of_its_values() {
    let database = Server::shared().database();
    database.run(
        "CREATE TABLE tenants (id int PRIMARY KEY, f double precision, d date, ts timestamp);
         CREATE TABLE kids (id int PRIMARY KEY, f real, ts timestamp, d date);
         INSERT INTO tenants VALUES (1, 1, '2020-01-01', '2020-01-01'), (2, 1e39, '5874897-12-31', '294276-12-31'),
                                    (3, 1e-300, 'infinity', 'infinity');
         INSERT INTO kids VALUES (1, 1, '2020-01-01', '2020-01-01'), (2, 0, 'infinity', '5874897-12-31'),
                                 (3, 'infinity', '294276-12-31', '294276-12-31');",
    );
    let relation = |name: &str, link: &str| {
        format!(
            "  {name}: {{ table: tenants, link: {{ id: key }}, only: [id], nested: {{ kids: {{ many: kids, link: {{ {link} }}, only: [id] }} }} }}\n"
        )
    };
    let pipeline = format!(
        "pipeline: beyond\nentity: {{ kind: T, table: tenants, key: id, prefix: \"t_{{key}}\" }}\nrelations:\n{}{}{}{}",
        relation("by_f", "f: f"),
        relation("by_ts", "ts: d"),
        relation("by_d", "d: ts"),
        relation("by_both", "ts: d, d: ts"),
    );
    let row = |tenant: u8, kids: &str| format!("{{\"id\":{tenant},\"kids\":[{kids}]}}");
    let kid = |id: u8| format!("{{\"id\":{id}}}");
    let expected = [
        ("t_1/by_f.ndjson.gz", row(1, &kid(1))),
        ("t_2/by_f.ndjson.gz", row(2, "")),
        ("t_3/by_f.ndjson.gz", row(3, "")),
        ("t_1/by_ts.ndjson.gz", row(1, &kid(1))),
        ("t_2/by_ts.ndjson.gz", row(2, "")),
        ("t_3/by_ts.ndjson.gz", row(3, &kid(2))),
        ("t_1/by_d.ndjson.gz", row(1, &kid(1))),
        ("t_2/by_d.ndjson.gz", row(2, &kid(3))),
        ("t_3/by_d.ndjson.gz", row(3, "")),
        ("t_1/by_both.ndjson.gz", row(1, &kid(1))),
    ];
    let expected: Vec<(&str, &str)> = expected
        .iter()
        .map(|(name, rows)| (*name, rows.as_str()))
        .collect();
    both_hold(&database, &pipeline, &expected);
}

#[test]
fn a_key_of_citext_is_compared_with_a_text_as_it_is_written() {
    let database = Server::shared().database();
    // The text columns' table is dumped before that of the entities.
    database.run(
        "CREATE EXTENSION citext;
         CREATE TABLE accounts (name citext PRIMARY KEY, boss citext);
         CREATE TABLE a_posts (id int PRIMARY KEY, author text, reader citext);
         INSERT INTO accounts VALUES ('Ann', NULL), ('BOB', 'ann');
         INSERT INTO a_posts VALUES (1, 'Ann', 'bob'), (2, 'ann', 'BOB'), (3, 'BOB', 'ANN'), (4, 'bob', 'x');",
    );
    let pipeline = "pipeline: accounts
entity: { kind: Account, table: accounts, key: name, parent: boss, prefix: \"a_{key}\" }
relations:
  wrote: { table: a_posts, link: { author: key }, only: [id] }
  read: { table: a_posts, link: { reader: key }, only: [id] }
  of_root: { table: a_posts, link: { author: root }, only: [id] }
";
    let of_bob = [
        ("a__42_4f_42/wrote.ndjson.gz", "{\"id\":3}"),
        ("a__42_4f_42/read.ndjson.gz", "{\"id\":1}\n{\"id\":2}"),
        ("a__42_4f_42/of_root.ndjson.gz", "{\"id\":1}"),
    ];
    let of_ann = [
        ("a__41nn/wrote.ndjson.gz", "{\"id\":1}"),
        ("a__41nn/read.ndjson.gz", "{\"id\":3}"),
        ("a__41nn/of_root.ndjson.gz", "{\"id\":1}"),
    ];
    both_hold(&database, pipeline, &[of_bob, of_ann].concat());
    // However it is named.
    let dir = Dir::new();
    let pipeline = dir.write("pipeline.yml", pipeline);
    let dump = dir.write("dump.sql", database.dump(&[])).into_os_string();
    for from in [dump, database.address().into()] {
        for name in ["BOB", "bob"] {
            let run = dir.export_to(&from, dir.join("out"));
            let run = run.option("--pipeline", &pipeline);
            let run = run.args(["--group", name, "--force"]).ok();
            for (name, rows) in of_bob {
                let content = String::from_utf8(run.content(name)).unwrap();
                assert_eq!(content.trim_end(), rows, "{name}");
            }
        }
    }
}
