//! `values: exact`: what PostgreSQL itself says that a value is, whatever kind of snapshot it comes by.

use crate::support::server::*;
use crate::support::*;

const PIPELINE: &str = "\
pipeline: shop
values: exact
entity: { kind: Tenant, table: tenants, prefix: \"tenant_{key}\" }
relations:
  items: { table: items, link: { tenant_id: key } }
";

/// Columns: type, value in SQL, exact JSON, usual JSON. All written by hand from docs/pipeline.md.
const COLUMNS: [(&str, &str, &str, &str); 49] = [
    ("smallint", "-32768", "-32768", "-32768"),
    (
        "bigint",
        "9223372036854775807",
        "9223372036854775807",
        "9223372036854775807",
    ),
    ("boolean", "true", "true", "true"),
    (
        "timestamp",
        "2021-05-04 11:25:20.423999",
        r#""2021-05-04T11:25:20.423999""#,
        r#""2021-05-04T11:25:20.423Z""#,
    ),
    (
        "timestamp",
        "2021-05-04",
        r#""2021-05-04T00:00:00.000000""#,
        r#""2021-05-04T00:00:00.000Z""#,
    ),
    ("timestamp", "infinity", r#""infinity""#, "null"),
    (
        "timestamptz",
        "2021-05-04 11:25:20.4+02",
        r#""2021-05-04T09:25:20.400000Z""#,
        r#""2021-05-04T09:25:20.400Z""#,
    ),
    ("timestamptz", "-infinity", r#""-infinity""#, "null"),
    ("date", "2021-05-04", r#""2021-05-04""#, r#""2021-05-04""#),
    (
        "date",
        "0044-03-15 BC",
        r#""-0043-03-15""#,
        r#""-0043-03-15""#,
    ),
    ("date", "infinity", r#""infinity""#, "null"),
    ("time", "11:25:20.5", r#""11:25:20.5""#, r#""11:25:20.5""#),
    (
        "timetz",
        "11:25:20+02",
        r#""11:25:20+02""#,
        r#""11:25:20+02""#,
    ),
    (
        "interval",
        "1 mon 2 days 03:04:05.6",
        r#""1 mon 2 days 03:04:05.6""#,
        r#""1 mon 2 days 03:04:05.6""#,
    ),
    ("numeric", "12.500", r#""12.500""#, r#""12.5""#),
    ("numeric(20,4)", "100", r#""100.0000""#, r#""100.0""#),
    ("numeric", "NaN", r#""NaN""#, "null"),
    ("numeric", "-Infinity", r#""-Infinity""#, "null"),
    ("real", "0.1", "0.1", "0.1"),
    (
        "double precision",
        "0.30000000000000004",
        "0.30000000000000004",
        "0.30000000000000004",
    ),
    ("double precision", "1e+300", "1e+300", "1.0e+300"),
    ("double precision", "95", "95", "95.0"),
    ("double precision", "NaN", r#""NaN""#, "null"),
    ("double precision", "-Infinity", r#""-Infinity""#, "null"),
    ("money", "-1234.5", r#""-$1,234.50""#, r#""-$1,234.50""#),
    (
        "json",
        r#"{ "b": 1.50, "a": [1,  "\u00e9"], "a": null }"#,
        r#"{"b":1.50,"a":[1,"é"],"a":null}"#,
        r#"{"b":1.50,"a":[1,"é"],"a":null}"#,
    ),
    (
        "jsonb",
        r#"{"b": 1.50, "a": null}"#,
        r#"{"a":null,"b":1.50}"#,
        r#"{"a":null,"b":1.50}"#,
    ),
    (
        "xml",
        "<a b=\"c\">d</a>",
        r#""\u003ca b=\"c\"\u003ed\u003c/a\u003e""#,
        r#""\u003ca b=\"c\"\u003ed\u003c/a\u003e""#,
    ),
    ("bytea", r"\xDEADbeef", r#""\\xdeadbeef""#, r#""deadbeef""#),
    ("bit(4)", "0101", r#""0101""#, r#""0101""#),
    ("varbit", "01011", r#""01011""#, r#""01011""#),
    (
        "uuid",
        "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        r#""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#,
        r#""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#,
    ),
    ("inet", "10.0.0.0/8", r#""10.0.0.0/8""#, r#""10.0.0.0/8""#),
    ("int4range", "[1,5)", r#""[1,5)""#, r#""[1,5)""#),
    (
        "tsrange",
        "[2021-05-04 11:25:20.5,)",
        r#""[\"2021-05-04 11:25:20.5\",)""#,
        r#""[\"2021-05-04 11:25:20.5\",)""#,
    ),
    (
        "tstzrange",
        "[2021-05-04 11:25:20.5+02,infinity)",
        r#""[\"2021-05-04 09:25:20.5+00\",infinity)""#,
        r#""[\"2021-05-04 09:25:20.5+00\",infinity)""#,
    ),
    ("character(3)", "a", r#""a  ""#, r#""a  ""#),
    ("text", "a\nb", r#""a\nb""#, r#""a\nb""#),
    ("citext", "Ab", r#""Ab""#, r#""Ab""#),
    (
        "hstore",
        "a=>1",
        r#""\"a\"=\u003e\"1\"""#,
        r#""\"a\"=\u003e\"1\"""#,
    ),
    ("mood", "glad", r#""glad""#, r#""glad""#),
    ("price", "12.500", r#""12.500""#, r#""12.5""#),
    (
        "pair",
        "(1,\"a b\")",
        r#""(1,\"a b\")""#,
        r#""(1,\"a b\")""#,
    ),
    ("oid", "42", r#""42""#, r#""42""#),
    (
        "integer[]",
        "{{1,2},{3,NULL}}",
        "[[1,2],[3,null]]",
        "[[1,2],[3,null]]",
    ),
    ("integer[]", "[0:1]={1,2}", r#""[0:1]={1,2}""#, "[1,2]"),
    (
        "numeric[]",
        "{1.50,NaN}",
        r#"["1.50","NaN"]"#,
        r#"["1.5",null]"#,
    ),
    (
        "timestamptz[]",
        "{2021-05-04 11:25:20.000001+00,infinity}",
        r#"["2021-05-04T11:25:20.000001Z","infinity"]"#,
        r#"["2021-05-04T11:25:20.000Z",null]"#,
    ),
    ("bytea[]", r#"{"\\xde"}"#, r#"["\\xde"]"#, r#"["de"]"#),
];

#[test]
fn every_type_is_written_as_the_docs_say_from_every_kind_of_snapshot() {
    let server = Server::shared();
    let database = server.database();
    let columns: Vec<String> = COLUMNS
        .iter()
        .enumerate()
        .map(|(index, (sql_type, ..))| format!("c{index} {sql_type}"))
        .collect();
    let values: Vec<String> = COLUMNS
        .iter()
        .map(|(sql_type, value, ..)| {
            let written = match *sql_type {
                "money" => format!("({value})::numeric"),
                _ => format!("'{value}'"),
            };
            format!("{written}::{sql_type}")
        })
        .collect();
    database.run(&format!(
        "CREATE EXTENSION hstore; CREATE EXTENSION citext;
         CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE DOMAIN price AS numeric; CREATE TYPE pair AS (a int, b text);
         CREATE TABLE tenants (id bigint PRIMARY KEY);
         CREATE TABLE items (id bigint PRIMARY KEY, tenant_id bigint, {});
         CREATE INDEX ON items (tenant_id);
         INSERT INTO tenants VALUES (1);
         INSERT INTO items VALUES (1, 1, {}); INSERT INTO items (id, tenant_id) VALUES (2, 1)",
        columns.join(", "),
        values.join(", ")
    ));
    let record = |form: fn(&(&str, &str, &'static str, &'static str)) -> &'static str| {
        let keys = |value: fn(usize, &str) -> String| -> String {
            let columns = COLUMNS.iter().enumerate();
            columns
                .map(|(index, column)| value(index, form(column)))
                .collect()
        };
        format!(
            "{{\"id\":1,\"tenant_id\":1{}}}\n{{\"id\":2,\"tenant_id\":1{}}}\n",
            keys(|index, value| format!(",\"c{index}\":{value}")),
            keys(|index, _| format!(",\"c{index}\":null"))
        )
    };
    let (exact, usual) = (record(|column| column.2), record(|column| column.3));

    let dir = Dir::new();
    let pipeline = dir.write("exact.yml", PIPELINE);
    let of_gitlab = dir.write("gitlab.yml", PIPELINE.replace("exact", "gitlab"));
    let unsaid = dir.write("unsaid.yml", PIPELINE.replace("values: exact\n", ""));
    let plain = |name: &str, arguments: &[&str]| dir.write(name, database.dump(arguments));
    let mut snapshots = vec![
        plain("copy.sql", &[]).display().to_string(),
        plain("inserts.sql", &["--inserts"]).display().to_string(),
        plain("custom.dump", &["-Fc"]).display().to_string(),
        plain("tar.dump", &["-Ft"]).display().to_string(),
        database.address(),
    ];
    dir.write("csv/schema.sql", database.dump(&["--schema-only"]));
    for table in ["tenants", "items"] {
        let rows = database.run(&format!("COPY {table} TO STDOUT WITH (FORMAT csv, HEADER)"));
        dir.write(&format!("csv/{table}.csv"), rows + "\n");
    }
    snapshots.push(dir.join("csv").display().to_string());
    // Settings that change how a client sees values, if it lets them.
    database.run(&format!(
        "ALTER DATABASE {0} SET timezone = 'Asia/Kathmandu'; ALTER DATABASE {0} SET bytea_output = 'escape';
         ALTER DATABASE {0} SET datestyle = 'German'; ALTER DATABASE {0} SET intervalstyle = 'iso_8601'",
        database.name
    ));
    snapshots.push(plain("settings.sql", &[]).display().to_string());
    snapshots.push(
        plain("settings-inserts.sql", &["--inserts"])
            .display()
            .to_string(),
    );
    snapshots.push(database.address());
    for (index, snapshot) in snapshots.iter().enumerate() {
        for (name, pipeline, want) in [
            ("exact", &pipeline, &exact),
            ("gitlab", &of_gitlab, &usual),
            ("unsaid", &unsaid, &usual),
        ] {
            let run = dir
                .export_to(snapshot, dir.join(&format!("{name}-{index}")))
                .option("--pipeline", pipeline)
                .group(1)
                .ok();
            let got = String::from_utf8(run.content("tenant_1/items.ndjson.gz")).unwrap();
            // The one text that a dump shows in its session's zone, and that only the exact form knows.
            let of_session = snapshot.contains("settings") && name != "exact";
            let want = &match of_session {
                true => want.replace("09:25:20.5+00", "15:10:20.5+05:45"),
                false => want.clone(),
            };
            for (index, (sql_type, ..)) in COLUMNS.iter().enumerate() {
                let value = |text: &str| {
                    let (_, rest) = text.split_once(&format!("\"c{index}\":")).unwrap();
                    let next = format!(",\"c{}\":", index + 1);
                    rest.split(&next)
                        .next()
                        .unwrap()
                        .lines()
                        .next()
                        .unwrap()
                        .to_owned()
                };
                assert_eq!(
                    value(&got),
                    value(want),
                    "{name} {snapshot} c{index} {sql_type}"
                );
            }
            assert_eq!(&got, want, "{name} {snapshot}");
        }
    }

    // PostgreSQL as the judge of what is its own text.
    for (index, (sql_type, _, exact, _)) in COLUMNS.iter().enumerate() {
        let is_ones_own = ["timestamp", "timestamptz", "json", "jsonb", "boolean"]
            .contains(sql_type)
            || exact.starts_with('[');
        if let (Ok(serde_json::Value::String(text)), false) = (
            serde_json::from_str(exact),
            is_ones_own || *exact == r#""-0043-03-15""#,
        ) {
            let said = database.run(&format!(
                "SET bytea_output = 'hex'; SET datestyle = 'ISO'; SET timezone = 'UTC'; SET intervalstyle = 'postgres';
                 SELECT format('%s', c{index}) FROM items WHERE id = 1"
            ));
            // psql's line end is taken off, and so are blanks before it.
            assert_eq!(said.trim_end(), text.trim_end(), "c{index} {sql_type}");
        }
    }
    let microseconds =
        database.run("SELECT to_char(c3, 'YYYY-MM-DD\"T\"HH24:MI:SS.US') FROM items WHERE id = 1");
    assert_eq!(format!("\"{microseconds}\""), COLUMNS[3].2);
}

#[test]
fn a_form_of_values_that_is_not_known_is_a_mistake() {
    let dir = Dir::new();
    let pipeline = dir.write("p.yml", PIPELINE.replace("exact", "precise"));
    dir.export(dir.write("dump.sql", "SELECT 1;\n"))
        .option("--pipeline", &pipeline)
        .group(1)
        .fails(2, &["p.yml:2:", "exact"]);
}
