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
