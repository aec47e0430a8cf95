//! SQL text in many forms, with psql as the judge: what psql loads is what an export holds, or the text is refused by name.

use crate::support::server::*;
use crate::support::*;

const PIPELINE: &str = r#"
pipeline: tables
entity: { kind: Tenant, table: tenants, key: id, prefix: "group_{key}" }
relations:
  items: { table: items, link: { tenant_id: key } }
"#;

const DEFINITIONS: &str = "SET client_encoding = 'UTF8';
CREATE TABLE public.tenants (id bigint NOT NULL, name text);
CREATE TABLE public.items (id bigint NOT NULL, tenant_id bigint, name text, n numeric, x int DEFAULT 5);
CREATE TABLE public.other (a int, b text);
";

const TENANTS: &str = "\nINSERT INTO public.tenants VALUES (1, 'one');\n";

/// Texts that are read, by what is odd about them.
const READ: [(&str, &str); 21] = [
    (
        "comments of both kinds",
        "/* INSERT INTO items VALUES (9, 1, 'z', 0, 0); */ INSERT INTO items VALUES -- it's\n(1, 1, 'a', 1.50, 1), /* (2 */ (2, 1, 'b', -3, 2)\n\
         -- ; \n;/* nested /* */ ; */INSERT /* */ INTO items (id, tenant_id /* key */, x) VALUES (3 /**/, 1 -- x\n, 7);",
    ),
    (
        "strings in every way",
        "INSERT INTO items (id, tenant_id, name) VALUES (1, 1, E'a\\'\\n\\x41\\u00e9'), (2, 1, U&'d\\0061t\\+000061 \\\\'), (3, 1, $$it's$$), (4, 1, $q$ $$ ; $q$),\n\
         (5, 1, 'a'\n 'b''c'), (6, 1, N'n'), (7, 1, E'x'\n'\\''), (8, 1, '/* no comment */ -- none');",
    ),
    (
        "numbers in every way",
        "INSERT INTO items (id, tenant_id, n) VALUES (+1, 1, .5), (2, 01, -0.50), (3, 1, 1.), (4, 1, 007), (5, 1, -0), (6, 1, 1e3);",
    ),
    (
        "ON CONFLICT and RETURNING",
        "INSERT INTO items AS i (id, tenant_id) VALUES (1, 1) ON CONFLICT DO NOTHING RETURNING i.id;\nINSERT INTO items (id, tenant_id) VALUES (2, 1) RETURNING *;",
    ),
    (
        "statements on one line",
        "BEGIN; INSERT INTO items (id, tenant_id) VALUES (1, 1); INSERT INTO items (id, tenant_id) VALUES (2, 1); COMMIT;",
    ),
    (
        "parts with other columns",
        "COPY items (name, id, tenant_id, n, x) FROM stdin;\na\t1\t1\t2\t3\n\\.\nINSERT INTO items (x, tenant_id, id) VALUES (1, 1, 2);\n\
         INSERT INTO items (id, name, x) VALUES (9, 'of nobody', 1);\nCOPY items (id, x, n, tenant_id) FROM stdin;\n3\t7\t\\N\t1\n\\.\n",
    ),
    (
        "options of COPY",
        "COPY items FROM stdin WITH (FORMAT text, DELIMITER '|', NULL '');\n1|1|a\tb\\|c\\n||3\n\\.\n",
    ),
    (
        "the options of old",
        "COPY items (id, tenant_id, name, x) FROM stdin DELIMITER AS ',' NULL AS 'nix';\n1,1,\\N,3\n2,1,nix,4\n3,1,,nix\n\\.\n",
    ),
    (
        "a header",
        "COPY items FROM stdin (HEADER);\nid\ttenant_id\tname\tn\tx\n1\t1\ta\t\\N\t\\N\n\\.\n",
    ),
    (
        "a comment in the head",
        "COPY /* a */ public.items -- b\n (id, /* c */ tenant_id) FROM /* d */ stdin; -- e\n1\t1\n\\.\n",
    ),
    (
        "lines that end with CR LF",
        "-- a\r\nCOPY items (id, tenant_id, name) FROM stdin;\r\n1\t1\ta\\r\\nb\r\n2\t1\t\r\n3\t1\t\\N\r\n\\.\r\nINSERT INTO items (id, tenant_id)\r\nVALUES (4, 1);\r\n",
    ),
    (
        "other COPYs",
        "COPY other FROM stdin (FORMAT csv, HEADER);\na,b\n1,\"x\n;y\"\n\\.\nCOPY (SELECT 1) TO stdout;\nCOPY other (a, b) FROM stdin WHERE a > 1;\n1\tx\n\\.\n\
         \\copy items (id, tenant_id) from stdin\n1\t1\n\\.\n",
    ),
    (
        "commands of psql",
        "\\set x 1\n\\echo it's; here\n\\timing off\n\\if false\nINSERT INTO other VALUES (1, 'x');\n\\endif\nSELECT 1 AS one \\gset\nINSERT INTO items (id, tenant_id) VALUES (1, 1);\n",
    ),
    (
        "the other table",
        "INSERT INTO other SELECT 1, ';' UNION VALUES (2, 'x');\nINSERT INTO other VALUES (1, 'a') UNION ALL VALUES (2, 'b');\nUPDATE other SET a = 2;\n\
         DELETE FROM other;\nTRUNCATE other;\nDROP TABLE other;\nINSERT INTO items (id, tenant_id) VALUES (1, 1);\n",
    ),
    (
        "a table made twice at the head",
        "DROP TABLE IF EXISTS items CASCADE;\nCREATE /* anew */ TABLE items (tenant_id bigint, id bigint, z date);\nALTER TABLE items DROP COLUMN z, ADD COLUMN y text;\n\
         ALTER TABLE items RENAME y TO name;\nINSERT INTO items VALUES (1, 2, 'x');\n",
    ),
    (
        "a table that is there",
        "CREATE TABLE IF NOT EXISTS items (id text);\nINSERT INTO items (id, tenant_id) VALUES (1, 1);\nCREATE TABLE IF NOT EXISTS items (id text);\n",
    ),
    (
        "transactions",
        "BEGIN;\nINSERT INTO other VALUES (1, 'x');\nROLLBACK;\nBEGIN;\nINSERT INTO items (id, tenant_id) VALUES (1, 1);\nSAVEPOINT a;\n\
         INSERT INTO other VALUES (1, 'x');\nROLLBACK TO a;\nEND;\n",
    ),
    (
        "a search path",
        "CREATE SCHEMA s;\nSET search_path = s, public;\nINSERT INTO items (id, tenant_id) VALUES (1, 1);\nCREATE TABLE items (id int);\n\
         INSERT INTO items VALUES (2);\nRESET search_path;\nCOPY items (id, tenant_id) FROM stdin;\n3\t1\n\\.\n",
    ),
    (
        "strings with escapes everywhere",
        "SET standard_conforming_strings = off;\nSET escape_string_warning = off;\nINSERT INTO items (id, tenant_id, name) VALUES (1, 1, 'a\\'b\\\\'), (2, 1, 'x');\n",
    ),
    (
        "a routine with a body of statements",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC\n DELETE FROM items; SELECT 1;\nEND;\nINSERT INTO items (id, tenant_id) VALUES (1, 1);\n",
    ),
    (
        "an empty string beside NULL",
        "INSERT INTO items (id, tenant_id, name) VALUES (1, 1, ''), (2, 1, NULL), (3, 1, null), (4, 1, '\\N');\n",
    ),
];

/// Texts that psql loads and that are refused, with what the message says.
const REFUSED: [(&str, &str); 13] = [
    (
        "INSERT INTO items (id, tenant_id) VALUES (1, 1) UNION ALL VALUES (2, 1);",
        "INSERT of rows of table items",
    ),
    (
        "INSERT INTO items (id, tenant_id) SELECT 1, 1;",
        "its rows come from a query",
    ),
    (
        "INSERT INTO items (id, tenant_id, x) VALUES (1, 1, DEFAULT);",
        "DEFAULT",
    ),
    (
        "INSERT INTO items (id, tenant_id, x) VALUES (1, 1, 2);\nINSERT INTO items (id, tenant_id) VALUES (2, 1);",
        "no column x",
    ),
    (
        "WITH a AS (SELECT 1) INSERT INTO items (id, tenant_id) SELECT 1, 1;",
        "INSERT of table items",
    ),
    (
        "INSERT INTO items (id, tenant_id) VALUES (1, 1);\nUPDATE items SET name = 'x';",
        "UPDATE of table items",
    ),
    (
        "INSERT INTO items (id, tenant_id) VALUES (1, 1);\nDELETE FROM items WHERE id = 1;",
        "DELETE of table items",
    ),
    (
        "INSERT INTO items (id, tenant_id) VALUES (1, 1);\nTRUNCATE other, items;",
        "TRUNCATE of table items",
    ),
    (
        "INSERT INTO items (id, tenant_id) VALUES (1, 1);\nALTER TABLE items DROP COLUMN name;",
        "definition of table items",
    ),
    (
        "BEGIN;\nINSERT INTO items (id, tenant_id) VALUES (1, 1);\nROLLBACK;",
        "ROLLBACK",
    ),
    (
        "\\if false\nINSERT INTO items (id, tenant_id) VALUES (1, 1);\n\\endif",
        "\\if",
    ),
    (
        "COPY items (id, tenant_id) FROM stdin (FORMAT csv);\n1,1\n\\.\n",
        "FORMAT csv",
    ),
    (
        "ALTER TABLE items ADD PRIMARY KEY (id);\nCOPY items (id, tenant_id) FROM stdin;\n1\t1\n\\.\n\
         INSERT INTO other VALUES (2, 'two');\nINSERT INTO items (id, tenant_id) VALUES (1, 1) ON CONFLICT DO NOTHING;",
        "ON CONFLICT leaves out rows",
    ),
];

/// The rows of items of tenant 1 that psql ends with, as a JSON array.
fn loaded(text: &str) -> String {
    let database = Server::shared().database();
    let dir = Dir::new();
    let path = dir.write("text.sql", text);
    // The server's user need not be able to read the file: psql does.
    database.load(&path);
    database.run(
        "SELECT coalesce(json_agg(row_to_json(items)::jsonb ORDER BY id), '[]') FROM items WHERE tenant_id = 1",
    )
}

#[test]
fn what_psql_loads_is_exported() {
    for (name, text) in READ {
        // What only the database would fill in is refused.
        let definitions = DEFINITIONS.replace(" DEFAULT 5", "");
        let text = format!("{definitions}{text}{TENANTS}");
        let dir = Dir::new();
        let snapshot = dir.write("text.sql", &text);
        let pipeline = dir.write("pipeline.yml", PIPELINE);
        let run = dir
            .export(&snapshot)
            .option("--pipeline", &pipeline)
            .group(1)
            .run();
        assert_eq!(run.code, Some(0), "{name}: {}", run.stderr);
        let mut want: Vec<serde_json::Value> = serde_json::from_str(&loaded(&text)).unwrap();
        let mut got = run.records(1, "items");
        assert!(!want.is_empty(), "{name}: nothing to compare");
        for row in want.iter_mut().chain(&mut got) {
            let row = row.as_object_mut().unwrap();
            // Numerics are strings in an export.
            let n = row.remove("n").unwrap_or_default();
            let n = n.as_f64().or_else(|| n.as_str()?.parse().ok());
            row.insert("n".to_owned(), n.into());
            row.retain(|_, value| !value.is_null());
        }
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn what_cannot_be_followed_is_refused_by_name() {
    for (text, says) in REFUSED {
        let text = format!("{DEFINITIONS}{text}{TENANTS}");
        loaded(&text);
        let dir = Dir::new();
        let snapshot = dir.write("text.sql", &text);
        let pipeline = dir.write("pipeline.yml", PIPELINE);
        let run = dir
            .export(&snapshot)
            .option("--pipeline", &pipeline)
            .group(1)
            .run();
        assert_ne!(run.code, Some(0), "{text}");
        assert!(run.stderr.contains(says), "{text}: {}", run.stderr);
        let finished = dir.join("out/group_1/items.ndjson.gz");
        assert!(!finished.exists(), "{text}");
    }
}

#[test]
fn code_that_the_database_runs_is_said() {
    let dir = Dir::new();
    let pipeline = dir.write("pipeline.yml", PIPELINE);
    let rows = "INSERT INTO items (id, tenant_id, x) VALUES (1, 1, 2);\n";
    let run = |name: &str, code: &str| {
        let text = format!("{DEFINITIONS}{rows}{code}{TENANTS}");
        let snapshot = dir.write(&format!("{name}.sql"), text);
        let export = dir.export_to(&snapshot, dir.join(name));
        export.option("--pipeline", &pipeline).group(1).ok().stderr
    };
    let code = "DO $$ BEGIN EXECUTE replace('x', 'y', 'z'); END $$;\nSELECT f(1);\nCALL p();\n";
    let place = DEFINITIONS.len() + rows.len();
    let said = run("code", code);
    assert!(
        said.contains(&format!("3 statements, the first is DO at byte {place}")),
        "{said}"
    );
    let harmless =
        "SELECT pg_catalog.setval('x', 1, true);\nSELECT count(*) FROM items WHERE id IN (1);\n";
    assert!(!run("harmless", harmless).contains("run code"));
}
