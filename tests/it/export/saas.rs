//! docs/saas.yml: keys of uuids, texts and several columns, two schemas, a tree. Expected files are written by hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::support::server::*;
use crate::support::*;

/// The tenant that is exported, and its folder.
const ACME: &str = "7f0e2a00-0000-4000-8000-00000000000a";
const GLOBEX: &str = "7f0e2a00-0000-4000-8000-00000000000b";

const TENANT: &str = concat!(
    r#"{"id":"7f0e2a00-0000-4000-8000-00000000000a","slug":"acme","name":"Acme \u0026 Co","plan":"team","#,
    r#""settings":{"ratio":1.50,"seats":5,"theme":{"dark":true}},"domains":["acme.example","a \"b\"",null],"#,
    r#""created_at":"2024-01-02T01:04:05.678901Z","kind":"tenant","#,
    r#""account":{"id":"04000000-0000-4000-8000-000000000001","currency":"EUR","vat_id":null},"#,
    // Two payments came last; the key decides.
    r#""last_payment":{"id":"06000000-0000-4000-8000-000000000004","invoice_number":"GR-2024-001","#,
    r#""amount":"40.00","received_at":"2024-02-15T08:30:00.250000Z"}}"#,
);

const MEMBERS: [&str; 3] = [
    concat!(
        r#"{"user_id":"01000000-0000-4000-8000-000000000006","role":"member","joined_on":"2024-03-01","#,
        r#""user":{"email":"fay@example.org","name":"Fay"}}"#,
        "\n",
    ),
    concat!(
        r#"{"user_id":"01000000-0000-4000-8000-000000000002","role":"member","joined_on":"2024-02-01","#,
        r#""user":{"email":"bo@example.org","name":"Bo"}}"#,
        "\n",
    ),
    concat!(
        r#"{"user_id":"01000000-0000-4000-8000-000000000001","role":"owner","joined_on":"2024-01-02","#,
        r#""user":{"email":"ann@example.org","name":"Ann \"A\" O'Neil"}}"#,
        "\n",
    ),
];

const PROJECTS: [&str; 3] = [
    concat!(
        r#"{"number":3,"name":"App","lead_id":"01000000-0000-4000-8000-000000000002","budget":"0.00","archived":false,"#,
        r#""tags":null,"tasks":[]}"#,
        "\n",
    ),
    concat!(
        r#"{"number":1,"name":"Website","lead_id":"01000000-0000-4000-8000-000000000006","budget":"1200.50","#,
        r#""archived":false,"tags":["web","q\u0026a"],"tasks":["#,
        r#"{"id":"02000000-0000-4000-8000-00000000000a","title":"Fonts","state":"open","assignee_id":null,"#,
        r#""due_on":"2024-06-01","subtasks":[],"watchers":[],"comments":[]},"#,
        r#"{"id":"02000000-0000-4000-8000-000000000001","title":"Design","state":"open","#,
        r#""assignee_id":"01000000-0000-4000-8000-000000000001","due_on":"2024-05-01","subtasks":["#,
        r#"{"id":"02000000-0000-4000-8000-000000000003","title":"Colours","state":"open","#,
        r#""assignee_id":"01000000-0000-4000-8000-000000000002","due_on":"2024-04-01","subtasks":["#,
        r#"{"id":"02000000-0000-4000-8000-000000000004","title":"Red \u003cb\u003e","state":"open","assignee_id":null,"#,
        r#""due_on":null,"subtasks":[],"watchers":[],"comments":["#,
        r#"{"id":"03000000-0000-4000-8000-000000000007","author_id":null,"body":null,"#,
        r#""created_at":"2024-02-01T10:00:00.000000Z"}]}],"#,
        r#""watchers":[{"id":"01000000-0000-4000-8000-000000000001","name":"Ann \"A\" O'Neil"}],"comments":[]},"#,
        r#"{"id":"02000000-0000-4000-8000-00000000000b","title":"Shapes","state":"done","assignee_id":null,"#,
        r#""due_on":null,"subtasks":[],"watchers":[],"comments":[]}],"#,
        r#""watchers":[{"id":"01000000-0000-4000-8000-000000000001","name":"Ann \"A\" O'Neil"},"#,
        r#"{"id":"01000000-0000-4000-8000-000000000002","name":"Bo"}],"comments":["#,
        r#"{"id":"03000000-0000-4000-8000-000000000002","author_id":"01000000-0000-4000-8000-000000000001","#,
        r#""body":"First","created_at":"2024-02-01T10:00:00.000000Z","author":{"name":"Ann \"A\" O'Neil"}},"#,
        r#"{"id":"03000000-0000-4000-8000-000000000001","author_id":"01000000-0000-4000-8000-000000000003","#,
        r#""body":"Looks\ngood","created_at":"2024-02-02T10:00:00.000000Z","author":{"name":"Cy"}}]},"#,
        r#"{"id":"02000000-0000-4000-8000-000000000002","title":"Build","state":"done","assignee_id":null,"#,
        r#""due_on":null,"subtasks":[],"watchers":[],"comments":[]}]}"#,
        "\n",
    ),
    concat!(
        r#"{"number":2,"name":"Archive","lead_id":null,"budget":null,"archived":true,"tags":[],"tasks":["#,
        r#"{"id":"02000000-0000-4000-8000-000000000008","title":"Old","state":"done","assignee_id":null,"#,
        r#""due_on":"2023-01-01","subtasks":[],"watchers":[],"comments":[]}]}"#,
        "\n",
    ),
];

const INVOICES: [&str; 2] = [
    concat!(
        r#"{"id":"05000000-0000-4000-8000-000000000002","number":"GR-2024-002","#,
        r#""account_id":"04000000-0000-4000-8000-000000000001","state":"void","issued_on":"2024-02-29","total":"0.10","#,
        r#""lines":[],"payments":[{"id":"06000000-0000-4000-8000-000000000002","invoice_number":"GR-2024-002","#,
        r#""amount":"0.10","received_at":"2024-02-15T08:30:00.250000Z"}],"comments":[]}"#,
        "\n",
    ),
    concat!(
        r#"{"id":"05000000-0000-4000-8000-000000000001","number":"GR-2024-001","#,
        r#""account_id":"04000000-0000-4000-8000-000000000001","state":"paid","issued_on":"2024-01-31","total":"100.00","#,
        r#""lines":[{"line":1,"description":"Seats","quantity":"5","unit_price":"10.0000"},"#,
        r#"{"line":2,"description":"Support","quantity":"0.50","unit_price":"100.0000"}],"#,
        r#""payments":[{"id":"06000000-0000-4000-8000-000000000001","invoice_number":"GR-2024-001","amount":"60.00","#,
        r#""received_at":"2024-02-10T12:00:00.000000Z"},"#,
        r#"{"id":"06000000-0000-4000-8000-000000000004","invoice_number":"GR-2024-001","amount":"40.00","#,
        r#""received_at":"2024-02-15T08:30:00.250000Z"}],"#,
        r#""comments":[{"id":"03000000-0000-4000-8000-000000000004","#,
        r#""author_id":"01000000-0000-4000-8000-000000000007","body":"Paid late \\ äöü","#,
        r#""created_at":"2024-02-16T00:00:00.000000Z","author":{"name":"Gus\tG."}}]}"#,
        "\n",
    ),
];

/// Rows of one instant are sorted by their bytes. One is there twice.
const AUDIT_LOG: [&str; 5] = [
    concat!(
        r#"{"at":"2024-01-15T09:00:00.500000Z","actor_id":null,"action":"start","details":[1,2.0]}"#,
        "\n"
    ),
    concat!(
        r#"{"at":"2024-02-01T09:00:00.000000Z","actor_id":"01000000-0000-4000-8000-000000000001","#,
        r#""action":"logout","details":null}"#,
        "\n",
    ),
    concat!(
        r#"{"at":"2024-02-01T09:00:00.000000Z","actor_id":"01000000-0000-4000-8000-000000000005","#,
        r#""action":"login","details":{"ip":"10.0.0.1"}}"#,
        "\n",
    ),
    concat!(
        r#"{"at":"2024-02-01T09:00:00.000000Z","actor_id":"01000000-0000-4000-8000-000000000005","#,
        r#""action":"login","details":{"ip":"10.0.0.1"}}"#,
        "\n",
    ),
    concat!(
        r#"{"at":"2024-02-02T09:00:00.000000Z","actor_id":"01000000-0000-4000-8000-000000000099","#,
        r#""action":"unknown","details":null}"#,
        "\n",
    ),
];

const USERS: &str = concat!(
    r#"{"id":"01000000-0000-4000-8000-000000000001","email":"ann@example.org","name":"Ann \"A\" O'Neil"}"#,
    "\n",
    r#"{"id":"01000000-0000-4000-8000-000000000002","email":"bo@example.org","name":"Bo"}"#,
    "\n",
    r#"{"id":"01000000-0000-4000-8000-000000000003","email":"cy@example.org","name":"Cy"}"#,
    "\n",
    r#"{"id":"01000000-0000-4000-8000-000000000005","email":"eli@example.org","name":null}"#,
    "\n",
    r#"{"id":"01000000-0000-4000-8000-000000000006","email":"fay@example.org","name":"Fay"}"#,
    "\n",
    r#"{"id":"01000000-0000-4000-8000-000000000007","email":"gus@example.org","name":"Gus\tG."}"#,
    "\n",
);

const LATEST: &str =
    r#"{"activity":"2024-02-02T09:00:00.000000Z","payment":"2024-02-15T08:30:00.250000Z"}"#;

/// The other tenant's own row; of the rest of it only the numbers of records are looked at.
const OTHER: &str = concat!(
    r#"{"id":"7f0e2a00-0000-4000-8000-00000000000b","slug":"globex","name":"Decoy","plan":"free","settings":{},"#,
    r#""domains":null,"created_at":"2024-01-01T00:00:00.000000Z","kind":"tenant","#,
    r#""account":{"id":"04000000-0000-4000-8000-000000000002","currency":"USD","vat_id":"DECOY"},"#,
    r#""last_payment":{"id":"06000000-0000-4000-8000-000000000003","invoice_number":"GR-2024-004","amount":"8.00","#,
    r#""received_at":"2024-12-31T00:00:00.000000Z"}}"#,
);

type Files = BTreeMap<String, Vec<u8>>;

fn files<const N: usize>(files: [(&str, String); N]) -> Files {
    let file = |(name, content): (&str, String)| {
        (format!("tenant_{ACME}/{name}.gz"), content.into_bytes())
    };
    files.into_iter().map(file).collect()
}

fn expected() -> Files {
    files([
        ("tenant.json", TENANT.to_owned()),
        ("members.ndjson", MEMBERS.concat()),
        ("projects.ndjson", PROJECTS.concat()),
        ("invoices.ndjson", INVOICES.concat()),
        ("audit_log.ndjson", AUDIT_LOG.concat()),
        ("users.ndjson", USERS.to_owned()),
        ("latest.json", LATEST.to_owned()),
    ])
}

/// Batches of two: cut by key, and in `order` inside.
fn expected_batches() -> Files {
    let [fay, bo, ann] = MEMBERS;
    let [app, website, archive] = PROJECTS;
    let [start, logout, login, again, unknown] = AUDIT_LOG;
    files([
        ("tenant.json", TENANT.to_owned()),
        ("members/batch_1.ndjson", [bo, ann].concat()),
        ("members/batch_2.ndjson", fay.to_owned()),
        ("projects/batch_1.ndjson", [website, archive].concat()),
        ("projects/batch_2.ndjson", app.to_owned()),
        ("invoices/batch_1.ndjson", INVOICES.concat()),
        ("audit_log/batch_1.ndjson", [start, logout].concat()),
        ("audit_log/batch_2.ndjson", [login, again].concat()),
        ("audit_log/batch_3.ndjson", unknown.to_owned()),
        ("users.ndjson", USERS.to_owned()),
        ("latest.json", LATEST.to_owned()),
    ])
}

/// The database as it is loaded.
fn database() -> Database<'static> {
    let database = Server::shared().database();
    database.load(&project("tests/saas/database.sql"));
    database
}

/// The tables, by their names in SQL.
const TABLES: [&str; 12] = [
    "app.audit_log",
    "app.comments",
    "app.memberships",
    "app.projects",
    "app.task_watchers",
    "app.tasks",
    "app.tenants",
    "app.users",
    "billing.accounts",
    "billing.invoice_lines",
    "billing.invoices",
    "billing.payments",
];

/// The database in every kind of snapshot: the kind, and what to give as `--snapshot`.
fn snapshots(dir: &Dir, database: &Database<'_>) -> Vec<(&'static str, String)> {
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    dir.write("plain.sql", database.dump(&[]));
    dir.write("inserts.sql", database.dump(&["--inserts"]));
    dir.write("custom", database.dump(&["-Fc"]));
    database.dump(&["-Fd", "-f", &path("folder")]);
    dir.write("csv/schema.sql", database.dump(&["--schema-only"]));
    for table in TABLES {
        let copy = format!("COPY {table} TO STDOUT (FORMAT csv, HEADER)");
        let rows = ok(database.psql().env("PGTZ", "UTC").args(["-c", &copy])).stdout;
        dir.write(&format!("csv/{table}.csv"), rows);
    }
    let mut snapshots: Vec<_> = ["plain.sql", "inserts.sql", "custom", "folder", "csv"]
        .map(|name| (name, path(name)))
        .into();
    snapshots.push(("live", database.address()));
    snapshots
}

fn pipeline() -> PathBuf {
    project("docs/saas.yml")
}

/// An export with the pipeline.
fn export(dir: &Dir, from: &str, out: &str) -> Program {
    dir.export_to(from, dir.join(out))
        .option("--pipeline", pipeline())
}

#[test]
fn a_tenant_is_the_same_from_every_kind_of_snapshot_and_by_every_name() {
    let (dir, database) = (Dir::new(), database());
    for (kind, from) in snapshots(&dir, &database) {
        let braces = format!("{{{}}}", ACME.to_uppercase());
        for (position, name) in [ACME, &braces, "acme"].into_iter().enumerate() {
            let out = format!("out-{kind}-{position}");
            let run = export(&dir, &from, &out)
                .group(name)
                .args(["--strict"])
                .ok();
            assert_same_files(&out, &run.contents(), &expected());
            let manifest = run.manifest();
            let warnings = manifest["warnings"].as_array();
            assert_eq!(warnings.map_or(0, Vec::len), 0, "{out}: {warnings:?}");
            assert_eq!(manifest["entities"][0]["id"], ACME);
            assert_eq!(manifest["entities"][0]["full_path"], "acme");
        }
        let run = export(&dir, &from, &format!("batched-{kind}"))
            .group("acme")
            .args(["--batched", "--batch-size", "2"])
            .ok();
        assert_same_files(kind, &run.contents(), &expected_batches());
        let run = export(&dir, &from, &format!("all-{kind}"))
            .args(["--all-groups"])
            .ok();
        let (ours, others): (Files, Files) = run
            .contents()
            .into_iter()
            .partition(|(name, _)| name.contains(ACME));
        assert_same_files(kind, &ours, &expected());
        // The third tenant has left.
        let folder = format!("tenant_{GLOBEX}/");
        assert!(others.keys().all(|name| name.starts_with(&folder)));
        let tenant = &others[&format!("{folder}tenant.json.gz")];
        assert_eq!(std::str::from_utf8(tenant).unwrap(), OTHER, "{kind}");
        for (relation, records) in [
            ("members", 2),
            ("projects", 1),
            ("invoices", 1),
            ("audit_log", 1),
            ("users", 2),
        ] {
            let content = &others[&format!("{folder}{relation}.ndjson.gz")];
            let lines = content.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(lines, records, "{kind}: {relation}");
        }
    }
}

#[test]
fn a_taken_snapshot_of_a_tenant_or_of_all_gives_the_same() {
    let (dir, database) = (Dir::new(), database());
    for (kind, from) in snapshots(&dir, &database) {
        for more in [&[][..], &["--group", "acme"], &["--group", ACME]] {
            let taken = dir.join(&format!("taken-{kind}-{}", more.concat()));
            dir.relexport("--quiet snapshot take")
                .option("--pipeline", pipeline())
                .option("--from", &from)
                .option("--out", &taken)
                .args(more)
                .ok();
            let taken = taken.to_str().unwrap();
            dir.relexport("--quiet snapshot verify").arg(taken).ok();
            let what = format!("out-{kind}-{}", more.concat());
            let run = export(&dir, taken, &what).group("acme").ok();
            assert_same_files(&what, &run.contents(), &expected());
            if more.is_empty() {
                continue;
            }
            // Rows of others are not in it.
            for table in TABLES {
                let path = PathBuf::from(taken).join(format!("{table}.csv.zst"));
                let rows = zstd::decode_all(&fs::read(&path).unwrap()[..]).unwrap();
                let rows = String::from_utf8(rows).unwrap();
                assert!(!rows.contains(GLOBEX), "{what}: {table}");
            }
            export(&dir, taken, "other")
                .group("globex")
                .fails(3, &["globex"]);
        }
    }
}

#[test]
fn tenants_are_listed_by_their_slugs_and_the_pipeline_fits_every_kind_of_snapshot() {
    let (dir, database) = (Dir::new(), database());
    for (kind, from) in snapshots(&dir, &database) {
        let groups = dir
            .relexport("--quiet groups --json")
            .option("--pipeline", pipeline())
            .option("--snapshot", &from)
            .json();
        let listed: Vec<_> = groups
            .as_array()
            .unwrap()
            .iter()
            .map(|group| (&group["id"], &group["full_path"], &group["name"]))
            .map(|fields| (fields.0.as_str(), fields.1.as_str(), fields.2.as_str()))
            .collect();
        let wanted = [
            (Some(ACME), Some("acme"), Some("Acme & Co")),
            (Some(GLOBEX), Some("globex"), Some("Decoy")),
        ];
        assert_eq!(listed, wanted, "{kind}");
        let findings = dir
            .relexport("--quiet pipeline check --json")
            .arg(pipeline())
            .option("--snapshot", &from)
            .json();
        assert_eq!(findings["findings"].to_string(), "[]", "{kind}");
    }
    export(&dir, &database.address(), "gone")
        .group("initech")
        .fails(3, &["initech"])
        .left_nothing();
}

#[cfg(unix)]
#[test]
fn a_killed_export_of_a_tenant_is_completed() {
    let (dir, database) = (Dir::new(), database());
    // So many that it cannot be done before it is killed.
    database.run(&format!(
        "INSERT INTO app.projects (tenant_id, no, name)
         SELECT '{ACME}', no, 'P ' || no FROM generate_series(10, 1200) no"
    ));
    dir.write("many.sql", database.dump(&[]));
    let options = ["--group", "acme", "--batched", "--batch-size", "1"];
    dir.write("many.custom", database.dump(&["-Fc"]));
    for kind in ["sql", "custom"] {
        let from = dir.join(&format!("many.{kind}"));
        let from = from.to_str().unwrap();
        let whole = export(&dir, from, &format!("whole-{kind}"))
            .args(options)
            .ok();
        let out = format!("out-{kind}");
        let mut started = export(&dir, from, &out).args(options).start();
        let first = dir
            .join(&out)
            .join(format!("tenant_{ACME}/projects/batch_20.ndjson.gz"));
        started.wait_until("a batch is there", || first.exists());
        started.kill();
        let run = export(&dir, from, &out)
            .args(options)
            .args(["--resume"])
            .ok();
        assert_same_files(kind, &run.packed(), &whole.packed());
    }
}

#[test]
fn an_export_of_a_tenant_is_measured() {
    let (dir, database) = (Dir::new(), database());
    for (kind, from) in [
        ("plain", dir.write("plain.sql", database.dump(&[]))),
        ("live", database.address().into()),
    ] {
        let result = dir
            .relexport("bench --group acme --batch-sizes 1,2 --runs 1 --warmup 0 --json")
            .option("--pipeline", pipeline())
            .option("--snapshot", from)
            .env("TMPDIR", dir.path())
            .json();
        assert_eq!(
            result["points"].as_array().map(Vec::len),
            Some(2),
            "{kind}: {result}"
        );
    }
}

#[test]
fn an_export_is_what_every_kind_of_snapshot_holds() {
    let (dir, database) = (Dir::new(), database());
    export(&dir, &database.address(), "out").group(ACME).ok();
    for (kind, from) in snapshots(&dir, &database) {
        let verify = dir.relexport("verify out --json --against").arg(&from);
        let run = verify.option("--pipeline", pipeline()).run();
        assert_eq!(run.code, Some(0), "{kind}: {}{}", run.stdout, run.stderr);
        let against = run.json()["against"].take();
        for relation in against["relations"].as_array().unwrap() {
            assert_eq!(
                relation["not_compared"],
                serde_json::Value::Null,
                "{kind}: {relation}"
            );
            assert_ne!(relation["rows"], 0, "{kind}: {relation}");
        }
    }
}
