//! Snapshots that are not UTF-8, with PostgreSQL as the judge of what their bytes mean.

use std::collections::BTreeMap;
use std::io::Write;

use crate::support::server::*;
use crate::support::*;

const PIPELINE: &str = "\
pipeline: shop
entity: { kind: Tenant, table: tenants, prefix: \"tenant_{key}\" }
relations:
  items: { table: items, link: { tenant_id: key } }
";

/// Encodings with one byte a character.
const SINGLE: [&str; 27] = [
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1250",
    "WIN1251",
    "WIN1252",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1256",
    "WIN1257",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "KOI8U",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
];

/// Encodings with more, and what their first bytes are tried with.
const OTHERS: [&str; 8] = [
    "EUC_JP", "EUC_CN", "EUC_KR", "SJIS", "BIG5", "GBK", "UHC", "GB18030",
];

fn export(dir: &Dir, snapshot: impl AsRef<std::ffi::OsStr>, out: &str) -> Program {
    let pipeline = dir.write("pipeline.yml", PIPELINE);
    dir.export_to(snapshot, dir.join(out))
        .option("--pipeline", &pipeline)
        .group(1)
}

fn hex(digits: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).unwrap() as u8;
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// A plain dump of rows of `items` with these names.
fn dump(encoding: &str, names: impl IntoIterator<Item = (usize, Vec<u8>)>) -> Vec<u8> {
    let mut dump = format!(
        "SET client_encoding = '{encoding}';\n\
         CREATE TABLE public.tenants (id bigint);\n\
         CREATE TABLE public.items (id bigint, tenant_id bigint, name text);\n\
         COPY public.items (id, tenant_id, name) FROM stdin;\n"
    )
    .into_bytes();
    for (id, name) in names {
        dump.extend_from_slice(format!("{id}\t1\t").as_bytes());
        dump.extend_from_slice(&name);
        dump.push(b'\n');
    }
    dump.extend_from_slice(b"\\.\nCOPY public.tenants (id) FROM stdin;\n1\n\\.\n");
    dump
}

/// Codes of an encoding beside what the server's `convert_from` makes of them, nothing where it refuses.
fn judged(database: &Database<'_>, encoding: &str) -> Vec<(Vec<u8>, Option<String>)> {
    let codes = match encoding {
        _ if SINGLE.contains(&encoding) => {
            "SELECT lpad(to_hex(i), 2, '0') FROM generate_series(128, 255) i".to_owned()
        }
        // A single byte before others is another code, and a backslash behind one is a backslash.
        _ => {
            let mut codes = "SELECT to_hex(i) FROM generate_series(128, 255) i UNION ALL
                SELECT to_hex(i) FROM generate_series(32768, 65535) i WHERE i % 256 >= 64"
                .to_owned();
            if encoding == "EUC_JP" {
                codes.push_str(
                    " UNION ALL SELECT '8f' || to_hex(i) FROM generate_series(41377, 65278) i WHERE i % 256 >= 161",
                );
            }
            if encoding == "GB18030" {
                codes.push_str(
                    " UNION ALL SELECT to_hex(a) || to_hex(b) || to_hex(c) || to_hex(d)
                    FROM unnest('{129,132,144,227}'::int[]) a, generate_series(48, 57) b,
                      generate_series(129, 254) c, generate_series(48, 57) d",
                );
            }
            codes
        }
    };
    let rows = database.run(&format!(
        "SELECT code, judged(decode(code, 'hex'), '{encoding}') FROM ({codes}) t (code)"
    ));
    rows.lines()
        .map(|row| {
            let (code, text) = row.split_once('|').unwrap();
            let text = String::from_utf8(hex(text)).unwrap();
            (hex(code), Some(text).filter(|text| !text.is_empty()))
        })
        // Two characters in a row are no code.
        .filter(|(_, text)| text.as_ref().is_none_or(|text| text.chars().count() == 1))
        .collect()
}

#[test]
fn every_character_is_the_one_that_postgresql_reads() {
    let database = Server::shared().database();
    database.run(
        "CREATE FUNCTION judged(code bytea, encoding text) RETURNS text LANGUAGE plpgsql AS $$
         BEGIN RETURN encode(convert_to(convert_from(code, encoding), 'UTF8'), 'hex');
         EXCEPTION WHEN OTHERS THEN RETURN ''; END $$",
    );
    let dir = Dir::new();
    for encoding in SINGLE.iter().chain(&OTHERS) {
        let codes = judged(&database, encoding);
        let names = codes
            .iter()
            .enumerate()
            .map(|(id, (code, _))| (id, code.clone()));
        let snapshot = dir.write(&format!("{encoding}.sql"), dump(encoding, names));
        let run = export(&dir, snapshot, encoding)
            .args(["--keep-going"])
            .run();
        let want: BTreeMap<u64, String> = codes
            .iter()
            .enumerate()
            .filter_map(|(id, (_, text))| Some((id as u64, text.clone()?)))
            .collect();
        let content = run.content("tenant_1/items.ndjson.gz");
        let got: BTreeMap<u64, String> = std::str::from_utf8(&content)
            .unwrap()
            .lines()
            .map(|line| {
                let record: serde_json::Value = serde_json::from_str(line).unwrap();
                let name = record["name"].as_str().unwrap().to_owned();
                (record["id"].as_u64().unwrap(), name)
            })
            .collect();
        assert!(want.len() > 70, "{encoding}: {} characters", want.len());
        for (id, (code, text)) in codes.iter().enumerate() {
            assert_eq!(got.get(&(id as u64)), text.as_ref(), "{encoding} {code:x?}");
        }
        let is_whole = want.len() == codes.len();
        assert_eq!(
            run.code,
            Some(if is_whole { 0 } else { 1 }),
            "{encoding}: {}",
            run.stderr
        );
    }
}

/// Letters that an encoding has, with second bytes that are a backslash where it has such.
const LETTERS: [(&str, &str); 9] = [
    ("LATIN1", "größe ÿ"),
    ("LATIN9", "größe €"),
    ("WIN1251", "Имя"),
    ("KOI8R", "Имя"),
    ("SJIS", "表ポ能ソ"),
    ("EUC_JP", "表ポ丂"),
    ("GBK", "乗俓中"),
    ("BIG5", "功許蓋"),
    ("UHC", "가힣"),
];

#[test]
fn every_kind_of_snapshot_is_converted() {
    let server = Server::shared();
    for (encoding, letters) in LETTERS {
        let database = server.database();
        database.run(&format!(
            r#"CREATE TABLE tenants (id bigint PRIMARY KEY);
            CREATE TABLE items (id bigint PRIMARY KEY, tenant_id bigint, "{letters}" text, tags text[]);
            COMMENT ON TABLE items IS '{letters}';
            CREATE TABLE "{letters}" (id bigint);
            INSERT INTO tenants VALUES (1);
            INSERT INTO items VALUES (1, 1, '{letters}', '{{"{letters}",b}}'), (2, 1, E'{letters}\n\t\\{letters}''{letters}', NULL),
              (3, 1, repeat('{letters}', 1000), '{{}}')"#
        ));
        let dir = Dir::new();
        let utf8 = dir.write("utf8.sql", database.dump(&[]));
        let want = export(&dir, utf8, "utf8").ok().contents();
        let plain = String::from_utf8(want["tenant_1/items.ndjson.gz"].clone()).unwrap();
        assert!(plain.starts_with(&format!(
            r#"{{"id":1,"tenant_id":1,"{letters}":"{letters}","tags":["{letters}","b"]}}"#
        )));
        let option = format!("--encoding={encoding}");
        let ways: [(&str, &[&str]); 6] = [
            ("copy", &[]),
            ("inserts", &["--inserts"]),
            (
                "column-inserts",
                &["--column-inserts", "--rows-per-insert=2"],
            ),
            ("custom", &["-Fc"]),
            ("custom-inserts", &["-Fc", "--inserts"]),
            ("tar", &["-Ft"]),
        ];
        for (name, arguments) in ways {
            let dumped = database.dump(&[&[option.as_str()][..], arguments].concat());
            let snapshot = dir.write(&format!("{name}.dump"), dumped);
            let run = export(&dir, snapshot, name).ok();
            assert_same_files(&format!("{encoding} {name}"), &run.contents(), &want);
        }
        let folder = dir.join("directory");
        database.dump(&[&option, "-Fd", "-f", folder.to_str().unwrap()]);
        dir.write(
            "backup/backup_information.yml",
            ":gitlab_version: 16.5.1-ee\n",
        );
        let mut database_sql =
            flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        database_sql.write_all(&database.dump(&[&option])).unwrap();
        dir.write("backup/db/database.sql.gz", database_sql.finish().unwrap());
        for name in ["directory", "backup"] {
            let run = export(&dir, dir.join(name), &format!("from-{name}")).ok();
            assert_same_files(&format!("{encoding} {name}"), &run.contents(), &want);
        }
        let schema = database.dump(&[&option, "--schema-only"]);
        dir.write("csv/schema.sql", schema);
        for table in ["tenants", "items"] {
            let mut psql = database.psql();
            psql.env("PGCLIENTENCODING", encoding).arg("-c");
            let rows = ok(psql.arg(format!("COPY {table} TO STDOUT WITH (FORMAT csv, HEADER)")));
            dir.write(&format!("csv/{table}.csv"), rows.stdout);
        }
        let run = export(&dir, dir.join("csv"), "from-csv").ok();
        assert_same_files(&format!("{encoding} csv"), &run.contents(), &want);
    }
}

#[test]
fn an_encoding_may_change_between_statements() {
    let dir = Dir::new();
    let mut dump = dump("LATIN1", [(1, b"\xe9\xe9".to_vec())]);
    for (statement, row) in [
        ("SET client_encoding TO UTF8;", &b"2\t1\t\xc3\xa9\n"[..]),
        ("SET NAMES 'SJIS';", b"3\t1\t\x95\x5c\n"),
        ("\\encoding KOI8R", b"4\t1\t\xf0\n"),
        (
            "SELECT pg_catalog.set_config('client_encoding', 'WIN1252', false);",
            b"5\t1\t\x80\n",
        ),
    ] {
        dump.extend_from_slice(statement.as_bytes());
        dump.extend_from_slice(b"\nCOPY public.items (id, tenant_id, name) FROM stdin;\n");
        dump.extend_from_slice(row);
        dump.extend_from_slice(b"\\.\n");
    }
    let run = export(&dir, dir.write("dump.sql", dump), "out").ok();
    let names = ["éé", "é", "表", "П", "€"];
    let want: String = names
        .iter()
        .zip(1..)
        .map(|(name, id)| format!("{{\"id\":{id},\"tenant_id\":1,\"name\":\"{name}\"}}\n"))
        .collect();
    assert_eq!(
        String::from_utf8(run.content("tenant_1/items.ndjson.gz")).unwrap(),
        want
    );
}

#[test]
fn a_byte_that_is_no_character_fails_its_row() {
    let dir = Dir::new();
    for (encoding, bad) in [
        ("WIN1252", &b"\x81"[..]),
        ("SJIS", b"\xf0\x5c"),
        ("SQL_ASCII", b"caf\xe9"),
        ("UTF8", b"caf\xe9"),
    ] {
        let rows = [(1, b"a".to_vec()), (2, bad.to_vec()), (3, b"c".to_vec())];
        let snapshot = dir.write(&format!("{encoding}.sql"), dump(encoding, rows));
        export(&dir, &snapshot, &format!("{encoding}-all")).fails(
            1,
            &[
                "items",
                "primary key 2",
                "column name",
                "not valid in the snapshot's encoding",
            ],
        );
        let run = export(&dir, &snapshot, &format!("{encoding}-some"))
            .args(["--keep-going"])
            .fails(1, &["1 row was left out"]);
        let ids: Vec<serde_json::Value> = run
            .content("tenant_1/items.ndjson.gz")
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap()["id"].clone())
            .collect();
        assert_eq!(ids, [1, 3], "{encoding}");
    }
}

#[test]
fn a_name_that_is_no_text_fails_what_writes_it() {
    let dir = Dir::new();
    for encoding in ["SQL_ASCII", "WIN1252"] {
        let whole = dump(encoding, [(1, b"a".to_vec())]);
        let mut named = Vec::new();
        for part in whole.split(|byte| *byte == b'\n') {
            let part = String::from_utf8(part.to_vec()).unwrap();
            let (before, after) = part.split_once("name").unwrap_or((&part, ""));
            named.extend_from_slice(before.as_bytes());
            if before != part {
                named.extend_from_slice(b"\"na\x81e\"");
            }
            named.extend_from_slice(after.as_bytes());
            named.push(b'\n');
        }
        named.pop();
        let snapshot = dir.write(&format!("{encoding}.sql"), named);
        export(&dir, &snapshot, &format!("{encoding}-all")).fails(
            1,
            &["items", "name", "not valid in the snapshot's encoding"],
        );
        let without = dir.write(
            "without.yml",
            PIPELINE.replace("link:", "only: [id], link:"),
        );
        let run = dir
            .export_to(&snapshot, dir.join(&format!("{encoding}-some")))
            .option("--pipeline", &without)
            .group(1)
            .ok();
        assert_eq!(run.content("tenant_1/items.ndjson.gz"), b"{\"id\":1}\n");
    }
}

#[test]
fn a_row_that_is_cut_off_is_named_by_its_place_in_the_dump() {
    let dir = Dir::new();
    let whole = dump(
        "LATIN1",
        [(1, b"\xe9".repeat(300)), (2, b"\xe9 without".to_vec())],
    );
    let text = String::from_utf8_lossy(&whole).into_owned();
    assert!(text.contains("without"));
    // The second row loses its tabs.
    let at = whole.windows(4).position(|part| part == b"2\t1\t").unwrap();
    let mut broken = whole.clone();
    broken[at + 1] = b' ';
    export(&dir, dir.write("dump.sql", broken), "out")
        .fails(1, &["items", "row 2", &format!("byte {at}")]);
}

#[test]
fn a_server_of_another_encoding_gives_the_same_rows() {
    let server = Server::shared();
    let admin = server.database();
    let create = |name: &str, encoding: &str| {
        admin.run(&format!(
            "CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
        ));
        Database {
            server,
            name: name.to_owned(),
        }
    };
    let tables = "CREATE TABLE tenants (id bigint PRIMARY KEY);
        CREATE TABLE items (id bigint PRIMARY KEY, tenant_id bigint, name text);
        CREATE INDEX ON items (tenant_id);
        INSERT INTO tenants VALUES (1);";
    let dir = Dir::new();

    let latin1 = create("of_latin1", "LATIN1");
    latin1.run(&format!(
        "{tables} INSERT INTO items VALUES (1, 1, U&'gr\\00f6\\00dfe')"
    ));
    let run = export(&dir, latin1.address(), "latin1").ok();
    assert_eq!(
        String::from_utf8(run.content("tenant_1/items.ndjson.gz")).unwrap(),
        "{\"id\":1,\"tenant_id\":1,\"name\":\"größe\"}\n"
    );

    let ascii = create("of_sql_ascii", "SQL_ASCII");
    ascii.run(&format!(
        "{tables} INSERT INTO items VALUES (1, 1, 'größe'), (2, 1, E'caf\\xe9'), (3, 1, 'c')"
    ));
    for (name, snapshot) in [
        ("live", ascii.address()),
        (
            "dump",
            dir.write("ascii.sql", ascii.dump(&[]))
                .display()
                .to_string(),
        ),
    ] {
        export(&dir, &snapshot, &format!("{name}-all")).fails(
            1,
            &[
                "items",
                "primary key 2",
                "not valid in the snapshot's encoding",
            ],
        );
        let run = export(&dir, &snapshot, &format!("{name}-some"))
            .args(["--keep-going"])
            .fails(1, &["1 row was left out"]);
        assert_eq!(
            String::from_utf8(run.content("tenant_1/items.ndjson.gz")).unwrap(),
            "{\"id\":1,\"tenant_id\":1,\"name\":\"größe\"}\n{\"id\":3,\"tenant_id\":1,\"name\":\"c\"}\n",
            "{name}"
        );
    }
}
