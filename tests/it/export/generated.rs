//! Columns that the database computes: dumps have no values of them, a server has.

use serde_json::json;

use crate::support::server::Server;
use crate::support::*;

const SQL: &str = "
CREATE TABLE tenants (id bigint PRIMARY KEY, slug text);
CREATE TABLE users (id bigint PRIMARY KEY, name text);
CREATE TABLE posts (
    id bigint PRIMARY KEY,
    tenant_id bigint,
    author bigint,
    of_tenant bigint GENERATED ALWAYS AS (tenant_id) STORED,
    by_author bigint GENERATED ALWAYS AS (author) STORED,
    place bigint GENERATED ALWAYS AS (-id) STORED
);
CREATE TABLE idle (
    id bigint PRIMARY KEY,
    tenant_id bigint,
    of_tenant bigint GENERATED ALWAYS AS (tenant_id) STORED
);
INSERT INTO tenants VALUES (1, 'acme'), (2, 'zoo');
INSERT INTO users VALUES (5, 'Ann');
INSERT INTO posts (id, tenant_id, author) VALUES (7, 1, 5), (8, 2, 5), (9, 1, NULL);
";

const POSTS: &str = "  plain: { table: posts, link: { tenant_id: key } }\n";
const FOUND: &str = "  found: { table: posts, link: { of_tenant: key } }\n";
const LEADS: &str = "  leads:\n    table: posts\n    link: { tenant_id: key }\n    nested:\n      \
                     writer: { one: users, link: { id: by_author } }\n";
const BELOW: &str = "  below:\n    table: tenants\n    link: { id: key }\n    nested:\n      \
                     posts: { many: posts, link: { of_tenant: id }, only: [id] }\n";
const SORTED: &str =
    "  sorted: { table: posts, link: { tenant_id: key }, only: [id], order: [place] }\n";

fn pipeline(dir: &Dir, name: &str, relations: &str) -> std::path::PathBuf {
    dir.write(
        &format!("{name}.yml"),
        format!(
            "pipeline: {name}\nvalues: exact\nentity: {{ kind: Tenant, table: tenants, key: id, path: slug, prefix: \"t_{{key}}\" }}\n\
             relations:\n{relations}"
        ),
    )
}

#[test]
fn rows_are_found_by_generated_columns_where_there_are_values_of_them() {
    let dir = Dir::new();
    let database = Server::shared().database();
    database.run(SQL);
    let dump = dir.write("dump.sql", database.dump(&[]));

    let record =
        |id: u64, author: &str| format!("{{\"id\":{id},\"tenant_id\":1,\"author\":{author}");
    let cases = [
        (
            "found",
            FOUND,
            format!("{}}}\n{}}}\n", record(7, "5"), record(9, "null")),
            "of_tenant",
        ),
        (
            "leads",
            LEADS,
            format!(
                "{},\"writer\":{{\"id\":5,\"name\":\"Ann\"}}}}\n{}}}\n",
                record(7, "5"),
                record(9, "null")
            ),
            "by_author",
        ),
        (
            "below",
            BELOW,
            "{\"id\":1,\"slug\":\"acme\",\"posts\":[{\"id\":7},{\"id\":9}]}\n".to_owned(),
            "of_tenant",
        ),
        (
            "sorted",
            SORTED,
            "{\"id\":9}\n{\"id\":7}\n".to_owned(),
            "place",
        ),
    ];
    for (name, relation, expected, column) in cases {
        let pipeline = pipeline(&dir, name, relation);
        let live = dir
            .export_to(database.address(), dir.join(&format!("live-{name}")))
            .option("--pipeline", &pipeline)
            .group(1)
            .ok();
        let content = live.content(&format!("t_1/{name}.ndjson.gz"));
        assert_eq!(String::from_utf8(content).unwrap(), expected, "{name}");
        dir.relexport("verify")
            .arg(&live.out)
            .option("--against", database.address())
            .option("--pipeline", &pipeline)
            .ok();

        // Nothing is passed over where there are none.
        let says = format!("the data has no column {column}");
        let of_dump = dir
            .export_to(&dump, dir.join(&format!("dump-{name}")))
            .option("--pipeline", &pipeline)
            .group(1)
            .fails(1, &[&says]);
        assert_eq!(of_dump.relation(name)["status"], json!(-1), "{name}");
        let from = database.address();
        for more in ["", "--group 1"] {
            dir.relexport(&format!("snapshot take {more} --out taken --from {from}"))
                .option("--pipeline", &pipeline)
                .fails(
                    3,
                    &[column, "is generated", "export from the server itself"],
                );
            assert!(!dir.join("taken").exists());
        }
    }
}

#[test]
fn a_generated_column_of_a_table_without_rows_loses_nothing() {
    let dir = Dir::new();
    let database = Server::shared().database();
    database.run(SQL);
    let dump = dir.write("dump.sql", database.dump(&[]));
    let pipeline = pipeline(
        &dir,
        "idle",
        &format!(
            "{POSTS}  idle:\n    table: idle\n    link: {{ tenant_id: key }}\n    nested:\n      \
             posts: {{ many: posts, link: {{ tenant_id: of_tenant }} }}\n"
        ),
    );
    let run = dir
        .export_to(&dump, dir.join("out"))
        .option("--pipeline", &pipeline)
        .group(1)
        .ok();
    assert_eq!(run.content("t_1/idle.ndjson.gz"), b"");
    assert_eq!(run.relation("plain")["total_objects_count"], json!(2));
}

/// What depends on such a column elsewhere is as if it were NULL, from a server, too, and that is told.
#[test]
fn a_generated_column_that_is_named_elsewhere_is_told() {
    let dir = Dir::new();
    let database = Server::shared().database();
    database.run(SQL);
    let dump = dir.write("dump.sql", database.dump(&[]));
    let of_posts = "table: posts, link: { tenant_id: key }";
    let cases = [
        (
            "match",
            "  m:\n    table: users\n    link: { id: key }\n    nested:\n      posts: { many: posts, link: { tenant_id: id }, match: { by_author: [id] } }\n".to_owned(),
        ),
        (
            "maxima",
            format!("  m: {{ maxima: {{ place: {{ {of_posts}, column: place }} }} }}\n"),
        ),
    ];
    for (name, relation) in cases {
        let pipeline = pipeline(&dir, name, &relation);
        let says = "a database computes it, and no values of it are read";
        for (kind, snapshot) in [
            ("dump", dump.display().to_string()),
            ("server", database.address()),
        ] {
            let run = dir
                .export_to(&snapshot, dir.join(&format!("{name}-{kind}")))
                .option("--pipeline", &pipeline)
                .group(1)
                .ok();
            let warnings = run.manifest()["warnings"].to_string();
            assert!(warnings.contains(says), "{name} {kind}: {warnings}");
            assert!(run.stderr.contains(says), "{name} {kind}: {}", run.stderr);
            dir.export_to(&snapshot, dir.join(&format!("{name}-{kind}-strict")))
                .option("--pipeline", &pipeline)
                .group(1)
                .arg("--strict")
                .fails(3, &[says]);
        }
    }
}
