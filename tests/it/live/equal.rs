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
