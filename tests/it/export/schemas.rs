//! A database with a schema for each tenant: who they are, and what is taken out of each of them, from every kind of
//! snapshot.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::shards::{request, take};
use crate::support::server::{Database, Server};
use crate::support::*;
use relexport::pipeline::Pipeline;
use relexport::resolve::{Choice, KindChoice};

/// Tenants are `tenant_a` and `tenant_b`, which has no table `deals`. `tenant_c` lacks the table that makes one. What is
/// called a decoy belongs to no tenant; keys are the same in all of them.
const CRM: &str = r#"--
-- PostgreSQL database dump
--

-- Dumped from database version 15.6
-- Dumped by pg_dump version 15.6

CREATE SCHEMA other;
CREATE SCHEMA tenant_a;
CREATE SCHEMA tenant_b;
CREATE SCHEMA tenant_c;

CREATE TABLE other.notes (user_id integer, text text);
CREATE TABLE other.users (id integer NOT NULL, name text, plan_id integer, country_id integer, state smallint);
CREATE TABLE public.countries (id integer NOT NULL, code character(2));
CREATE TABLE public.plans (id integer NOT NULL, title text);
CREATE TABLE public.users (id integer NOT NULL, name text, plan_id integer, country_id integer, state smallint);
CREATE TABLE tenant_a.deals (id uuid NOT NULL, title text, amount numeric, closed_at date);
CREATE TABLE tenant_a.invoices (id integer NOT NULL, void boolean);
CREATE TABLE tenant_a.notes (user_id integer, text text);
CREATE TABLE tenant_a.payments (id bigint NOT NULL, invoice_id integer);
CREATE TABLE tenant_a.users (id integer NOT NULL, name text, plan_id integer, country_id integer, state smallint);
CREATE TABLE tenant_b.invoices (id integer NOT NULL, void boolean);
CREATE TABLE tenant_b.notes (user_id integer, text text);
CREATE TABLE tenant_b.payments (id bigint NOT NULL, invoice_id integer);
CREATE TABLE tenant_b.users (id integer NOT NULL, name text, plan_id integer, country_id integer, state smallint);
CREATE TABLE tenant_c.notes (user_id integer, text text);

COPY other.notes (user_id, text) FROM stdin;
1	decoy
\.

COPY other.users (id, name, plan_id, country_id, state) FROM stdin;
1	decoy	1	3	1
\.

COPY public.countries (id, code) FROM stdin;
1	GR
2	DE
3	XX
\.

COPY public.plans (id, title) FROM stdin;
1	Free
2	Pro
3	Decoy
\.

COPY public.users (id, name, plan_id, country_id, state) FROM stdin;
1	decoy	1	3	1
\.

COPY tenant_a.deals (id, title, amount, closed_at) FROM stdin;
b0000000-0000-4000-8000-000000000001	Small	10.50	\N
b0000000-0000-4000-8000-000000000003	decoy	99	2024-05-01
b0000000-0000-4000-8000-000000000002	Big	20	\N
\.

COPY tenant_a.invoices (id, void) FROM stdin;
1	f
2	t
\.

COPY tenant_a.notes (user_id, text) FROM stdin;
1	b
1	a
3	decoy
\.

COPY tenant_a.payments (id, invoice_id) FROM stdin;
6	2
5	1
\.

COPY tenant_a.users (id, name, plan_id, country_id, state) FROM stdin;
2	Bea	2	1	1
1	Al	\N	\N	2
\.

COPY tenant_b.invoices (id, void) FROM stdin;
1	f
2	f
\.

COPY tenant_b.notes (user_id, text) FROM stdin;
1	of b
\.

COPY tenant_b.payments (id, invoice_id) FROM stdin;
5	2
8	3
\.

COPY tenant_b.users (id, name, plan_id, country_id, state) FROM stdin;
1	Cy	1	2	1
\.

COPY tenant_c.notes (user_id, text) FROM stdin;
1	decoy
\.

--
-- PostgreSQL database dump complete
--

"#;

const PIPELINE: &str = r#"pipeline: crm
entity: { kind: Tenant, schema: "tenant_*", table: users, prefix: "crm_{key}" }
relations:
  open_deals: { table: deals, where: { closed_at: null }, order: [amount desc] }
  users:
    table: users
    nested:
      plan: { one: public.plans, link: { id: plan_id } }
      notes: { many: notes, link: { user_id: id } }
  notes: { table: notes }
  payments:
    table: payments
    link: { invoice_id: id }
    via: [{ table: invoices, where: { void: false } }]
  last_numbers: { maxima: { users: { table: users, column: id }, payments: { table: payments, column: id } } }
  countries: { table: public.countries, collected: { columns: [country_id] } }
tables:
  users: { values: { state: { names: { 1: active } } } }
"#;

/// A tenant's files by hand.
fn expected(tenants: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let a = [
        (
            "open_deals.ndjson",
            concat!(
                r#"{"id":"b0000000-0000-4000-8000-000000000002","title":"Big","amount":"20.0","closed_at":null}"#,
                "\n",
                r#"{"id":"b0000000-0000-4000-8000-000000000001","title":"Small","amount":"10.5","closed_at":null}"#,
                "\n",
            ),
        ),
        (
            "users.ndjson",
            concat!(
                r#"{"id":1,"name":"Al","plan_id":null,"country_id":null,"state":2,"#,
                r#""notes":[{"user_id":1,"text":"a"},{"user_id":1,"text":"b"}]}"#,
                "\n",
                r#"{"id":2,"name":"Bea","plan_id":2,"country_id":1,"state":"active","#,
                r#""plan":{"id":2,"title":"Pro"},"notes":[]}"#,
                "\n",
            ),
        ),
        (
            "notes.ndjson",
            "{\"user_id\":1,\"text\":\"a\"}\n{\"user_id\":1,\"text\":\"b\"}\n{\"user_id\":3,\"text\":\"decoy\"}\n",
        ),
        ("payments.ndjson", "{\"id\":5,\"invoice_id\":1}\n"),
        ("last_numbers.json", r#"{"users":2,"payments":6}"#),
        ("countries.ndjson", "{\"id\":1,\"code\":\"GR\"}\n"),
    ];
    let b = [
        (
            "users.ndjson",
            concat!(
                r#"{"id":1,"name":"Cy","plan_id":1,"country_id":2,"state":"active","#,
                r#""plan":{"id":1,"title":"Free"},"notes":[{"user_id":1,"text":"of b"}]}"#,
                "\n",
            ),
        ),
        ("notes.ndjson", "{\"user_id\":1,\"text\":\"of b\"}\n"),
        ("payments.ndjson", "{\"id\":5,\"invoice_id\":2}\n"),
        ("last_numbers.json", r#"{"users":1,"payments":8}"#),
        ("countries.ndjson", "{\"id\":2,\"code\":\"DE\"}\n"),
    ];
    let mut files = BTreeMap::new();
    for tenant in tenants {
        let (folder, contents) = match *tenant {
            "tenant_a" => ("crm_tenant_5fa", a.as_slice()),
            "tenant_b" => ("crm_tenant_5fb", b.as_slice()),
            other => panic!("{other} is no tenant"),
        };
        for (name, content) in contents {
            files.insert(format!("{folder}/{name}.gz"), content.as_bytes().to_vec());
        }
    }
    files
}

/// The database in several kinds of snapshot.
struct Crm<'s> {
    dir: Dir,
    database: Database<'s>,
    snapshots: Vec<String>,
}

impl Crm<'_> {
    fn new() -> Crm<'static> {
        let dir = Dir::new();
        let dump = dir.write("crm.sql", CRM);
        dir.write("crm.yml", PIPELINE);
        let database = Server::shared().database();
        database.load(&dump);
        dir.write("crm.dump", database.dump(&["-Fc"]));
        dir.write("inserts.sql", database.dump(&["--inserts"]));
        let tables = database
            .run("SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'");
        for table in tables.lines() {
            let (schema, table) = table.split_once('|').unwrap();
            let rows = database.run(&format!(
                "COPY {schema}.{table} TO STDOUT (FORMAT csv, HEADER)"
            ));
            let file = match schema {
                "public" => format!("csv/{table}.csv"),
                schema => format!("csv/{schema}.{table}.csv"),
            };
            dir.write(&file, rows + "\n");
        }
        dir.write("csv/schema.sql", database.dump(&["-s"]));
        let file = |name: &str| dir.join(name).display().to_string();
        let snapshots = ["crm.sql", "inserts.sql", "crm.dump", "csv"].map(file);
        let snapshots = snapshots.into_iter().chain([database.address()]).collect();
        Crm {
            dir,
            database,
            snapshots,
        }
    }

    fn run(&self, arguments: &str, snapshot: &str) -> Program {
        let program = self.dir.relexport(arguments);
        program
            .option("--snapshot", snapshot)
            .args(["--pipeline", "crm.yml"])
    }

    fn export(&self, snapshot: &str, out: &str) -> Program {
        let program = self.dir.export_to(snapshot, self.dir.join(out));
        program.args(["--pipeline", "crm.yml"])
    }
}

/// Names of the relations of each entity, by its id.
fn relations(manifest: &Value) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entities = manifest["entities"].as_array().unwrap().iter();
    entities
        .map(|entity| {
            let relations = entity["relations"].as_array().unwrap().iter();
            let names = relations.map(|it| text(&it["relation"])).collect();
            (text(&entity["id"]), names)
        })
        .collect()
}

#[test]
fn each_tenant_s_files_are_those_of_its_schema_in_every_kind_of_snapshot() {
    let crm = Crm::new();
    let mut number = 0;
    for snapshot in &crm.snapshots {
        for (groups, tenants) in [
            (["--group", "tenant_a"].as_slice(), ["tenant_a"].as_slice()),
            (&["--group", "tenant_b"], &["tenant_b"]),
            (
                &["--group", "tenant_b", "--group", "tenant_a"],
                &["tenant_b", "tenant_a"],
            ),
            (&["--all-groups"], &["tenant_a", "tenant_b"]),
            (&["--group", "tenant_*"], &["tenant_a", "tenant_b"]),
            (&["--group", "TENANT_[!a]"], &["tenant_b"]),
        ] {
            number += 1;
            let run = crm
                .export(snapshot, &format!("out-{number}"))
                .args(groups)
                .ok();
            let what = format!("{snapshot} {groups:?}");
            assert_same_files(&what, &run.contents(), &expected(tenants));
            let all = ["users", "notes", "payments", "last_numbers", "countries"];
            let of = |tenant: &&str| {
                let more = ["open_deals"].into_iter().filter(|_| *tenant == "tenant_a");
                let names = more.chain(all).map(str::to_owned).collect();
                ((*tenant).to_owned(), names)
            };
            let listed: Vec<_> = tenants.iter().map(of).collect();
            assert_eq!(relations(&run.manifest()), listed, "{what}");
            crm.dir.relexport("verify").arg(&run.out).ok();
        }
        number += 1;
        let batched = crm.export(snapshot, &format!("out-{number}"));
        let batched = batched
            .args(["--all-groups", "--batched", "--batch-size", "1"])
            .ok();
        let contents = batched.contents();
        let users = |folder: &str, batch: usize| {
            let whole = &expected(&["tenant_a", "tenant_b"])[&format!("{folder}/users.ndjson.gz")];
            let lines = std::str::from_utf8(whole).unwrap().split_inclusive('\n');
            lines.map(str::to_owned).nth(batch - 1)
        };
        for (folder, batch) in [
            ("crm_tenant_5fa", 1),
            ("crm_tenant_5fa", 2),
            ("crm_tenant_5fb", 1),
        ] {
            let content = &contents[&format!("{folder}/users/batch_{batch}.ndjson.gz")];
            let content = String::from_utf8(content.clone()).unwrap();
            assert_eq!(Some(content), users(folder, batch), "{snapshot}");
        }
    }
}

#[test]
fn tables_of_other_schemas_are_not_read() {
    let crm = Crm::new();
    // What another tenant's rows are does not matter, nor whether they can be read at all.
    let damaged = CRM.replace("1\tCy\t1\t2\t1", "x\tCy\t1\t2\t1");
    assert_ne!(damaged, CRM);
    let snapshot = crm.dir.write("damaged.sql", damaged);
    let run = crm
        .export(&snapshot.display().to_string(), "out")
        .group("tenant_a")
        .ok();
    assert_same_files("damaged", &run.contents(), &expected(&["tenant_a"]));
    crm.database.run(
        "DROP ROLE IF EXISTS only_a; CREATE ROLE only_a LOGIN; GRANT USAGE ON SCHEMA public, tenant_a TO only_a;
         GRANT SELECT ON ALL TABLES IN SCHEMA public, tenant_a TO only_a",
    );
    let address = crm.database.address().replace("postgres@", "only_a@");
    let run = crm.export(&address, "live").group("tenant_a").ok();
    assert_same_files("live", &run.contents(), &expected(&["tenant_a"]));
    crm.database.run("DROP OWNED BY only_a; DROP ROLE only_a");
}

#[test]
fn schemas_with_the_entity_s_table_are_listed() {
    let crm = Crm::new();
    for snapshot in &crm.snapshots {
        let text = crm.run("groups", snapshot).prints();
        let expected = "\
ID        PARENT  FULL PATH  NAME
tenant_a  -       tenant_a   tenant_a
tenant_b  -       tenant_b   tenant_b
";
        assert_eq!(text, expected, "{snapshot}");
        let expected = json!([
            {"id": "tenant_a", "full_path": "tenant_a", "name": "tenant_a", "parent_id": null},
            {"id": "tenant_b", "full_path": "tenant_b", "name": "tenant_b", "parent_id": null},
        ]);
        assert_eq!(
            crm.run("groups --json", snapshot).json(),
            expected,
            "{snapshot}"
        );
    }
    // No row is looked at, not even one that cannot be read.
    let damaged = CRM.replace("2\tBea\t2\t1\t1", "2");
    let snapshot = crm.dir.write("damaged.sql", damaged);
    crm.run("groups", &snapshot.display().to_string()).ok();
}

#[test]
fn a_schema_that_is_no_tenant_is_refused_with_the_nearest_names() {
    let crm = Crm::new();
    for snapshot in &crm.snapshots {
        for name in ["tenant_c", "other", "tenant_d", "public", "Tenant_a"] {
            let run = crm.export(snapshot, "out").group(name);
            let says = format!("there is no Tenant {name} in the snapshot");
            let run = run.fails(3, &[&says, "the nearest paths are: tenant_a, tenant_b"]);
            run.left_nothing();
        }
    }
    let none = crm
        .dir
        .write("none.yml", PIPELINE.replace("tenant_*", "customer_*"));
    let run = crm
        .dir
        .export(&crm.snapshots[0])
        .option("--pipeline", &none);
    run.arg("--all-groups").fails(
        1,
        &["there is no Tenant to export: no schema of such a name has a table users"],
    );
}

#[test]
fn a_dry_run_counts_each_tenant_s_rows() {
    let crm = Crm::new();
    for snapshot in &crm.snapshots {
        let run = crm.run("export --quiet --dry-run --json --all-groups", snapshot);
        let counted = run.json();
        let entities = counted["entities"].as_array().unwrap().iter();
        let rows: Vec<(&str, Vec<(&str, u64)>)> = entities
            .map(|entity| {
                let relations = entity["relations"].as_array().unwrap().iter();
                let count = |it: &'static str| move |entry: &Value| entry[it].as_u64().unwrap();
                let rows = relations
                    .map(|entry| (entry["relation"].as_str().unwrap(), count("rows")(entry)));
                (entity["prefix"].as_str().unwrap(), rows.collect())
            })
            .collect();
        let expected = [
            (
                "crm_tenant_5fa",
                vec![
                    ("open_deals", 2),
                    ("users", 2),
                    ("notes", 3),
                    ("payments", 1),
                    ("last_numbers", 1),
                    ("countries", 1),
                ],
            ),
            (
                "crm_tenant_5fb",
                vec![
                    ("users", 1),
                    ("notes", 1),
                    ("payments", 1),
                    ("last_numbers", 1),
                    ("countries", 1),
                ],
            ),
        ];
        assert_eq!(rows, expected, "{snapshot}");
    }
}

#[test]
fn an_export_of_several_tenants_is_gone_on_with() {
    let crm = Crm::new();
    let broken = CRM.replace("5\t2\n8\t3", "5\t2\nx\t3");
    let snapshot = crm.dir.write("broken.sql", &broken).display().to_string();
    let failed = crm.export(&snapshot, "out").arg("--all-groups");
    let failed = failed.fails(1, &["table tenant_b.payments"]);
    let kept: Vec<String> = failed
        .files()
        .into_iter()
        .filter(|it| it.contains('/'))
        .collect();
    let mut whole = expected(&["tenant_a", "tenant_b"]);
    for name in ["payments.ndjson", "last_numbers.json"] {
        whole.remove(&format!("crm_tenant_5fb/{name}.gz"));
    }
    assert_same_files("failed", &failed.contents(), &whole);
    let times = |names: &[String]| -> Vec<_> {
        let time = |name: &String| {
            fs::metadata(failed.out.join(name))
                .unwrap()
                .modified()
                .unwrap()
        };
        names.iter().map(time).collect()
    };
    let not_collected: Vec<String> = kept
        .into_iter()
        .filter(|it| !it.contains("countries"))
        .collect();
    let before = times(&not_collected);
    let again = crm
        .export(&snapshot, "out")
        .args(["--all-groups", "--resume"]);
    let again = again.fails(1, &["table tenant_b.payments"]);
    assert_same_files("again", &again.contents(), &whole);
    assert_eq!(times(&not_collected), before, "written again");
}

#[test]
fn a_table_without_a_definition_fails_its_relation_of_its_tenant_alone() {
    let dir = Dir::new();
    let table = "CREATE TABLE tenant_a.deals";
    let lines = CRM.split_inclusive('\n');
    let dump: String = lines.filter(|line| !line.starts_with(table)).collect();
    assert_ne!(dump, CRM);
    // Deals refer to no country, so that those that others refer to are all there.
    let (columns, but) = ("columns: [country_id]", "except_tables: [deals]");
    let pipeline = PIPELINE.replace(columns, &format!("{columns}, {but}"));
    let pipeline = dir.write("crm.yml", pipeline);
    let program = dir.export(dir.write("crm.sql", dump));
    let program = program.option("--pipeline", pipeline).arg("--all-groups");
    let run = program.fails(1, &["tenant_a.deals", "not its definition"]);
    let mut expected = expected(&["tenant_a", "tenant_b"]);
    expected.remove("crm_tenant_5fa/open_deals.ndjson.gz");
    assert_same_files("undefined", &run.contents(), &expected);
    assert_eq!(run.relation("open_deals")["status"], -1);
}

/// The files of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = files_below(folder).into_iter();
    names
        .map(|name| (name.clone(), fs::read(folder.join(&name)).unwrap()))
        .collect()
}

#[test]
fn an_export_of_a_taken_tenant_is_that_of_its_source() {
    let crm = Crm::new();
    for (number, snapshot) in crm.snapshots.iter().enumerate() {
        let (one, all) = (format!("one-{number}"), format!("all-{number}"));
        let take = |out: &str| {
            let program = crm
                .dir
                .relexport("snapshot take --quiet --pipeline crm.yml");
            program.option("--from", snapshot).args(["--out", out])
        };
        take(&one).group("tenant_a").ok();
        let names = files(&crm.dir.join(&one)).into_keys();
        let other = |name: &String| name.contains("tenant_b") || name.contains("other");
        assert!(!names.into_iter().any(|name| other(&name)));
        let groups = crm.run("groups --json", &one).json();
        assert_eq!(groups.as_array().unwrap().len(), 1, "{groups}");
        let run = crm
            .export(&one, &format!("out-{one}"))
            .arg("--all-groups")
            .ok();
        assert_same_files(snapshot, &run.contents(), &expected(&["tenant_a"]));
        take(&all).ok();
        let run = crm
            .export(&all, &format!("out-{all}"))
            .arg("--all-groups")
            .ok();
        assert_same_files(
            snapshot,
            &run.contents(),
            &expected(&["tenant_a", "tenant_b"]),
        );
    }
}

#[test]
fn a_bench_measures_tenants_and_a_server_refuses_them() {
    let crm = Crm::new();
    let bench = crm.run(
        "bench --quiet --all-groups --runs 2 --out bench",
        &crm.snapshots[0],
    );
    bench.ok();
    let serve = crm.run("serve --data data", &crm.snapshots[0]);
    serve.fails(2, &["cannot serve pipeline crm: its entities are schemas"]);
}

#[test]
fn each_shard_of_a_snapshot_has_the_schemas_of_its_tenants_and_no_others() {
    let crm = Crm::new();
    for (number, snapshot) in crm.snapshots.iter().enumerate() {
        let pipeline = Pipeline::parse(PIPELINE, "crm.yml").unwrap();
        let kind = KindChoice {
            pipeline,
            choice: Choice::All,
        };
        let stage = crm.dir.join(&format!("stage-{number}"));
        let shards = take(&request(snapshot, stage.clone(), vec![kind]), 2).unwrap();
        assert_eq!(shards.len(), 2);
        for (shard, tenants) in shards
            .iter()
            .zip([["tenant_a", "tenant_b"], ["tenant_b", "tenant_a"]])
        {
            let [own, other] = tenants;
            let folder = stage.join(&shard.folder);
            let files = files_below(&folder);
            let has = |schema: &str| files.iter().any(|file| file.starts_with(schema));
            assert!(has(own) && !has(other), "{snapshot}: {files:?}");
            let run = crm
                .export(folder.to_str().unwrap(), &format!("{number}-{own}"))
                .args(["--all-groups"])
                .ok();
            assert_same_files(snapshot, &run.contents(), &expected(&[own]));
            crm.dir
                .relexport("snapshot verify --quiet")
                .arg(&folder)
                .ok();
        }
    }
}
