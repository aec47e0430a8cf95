//! Tenants whose keys are uuids or texts: how they are named, listed, exported and taken, from every kind of snapshot.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::server::{Database, Server};
use crate::support::*;

/// Two companies and a person. Whatever names the second company or is called a decoy belongs to nobody's export but its.
const SAAS: &str = r#"--
-- PostgreSQL database dump
--

-- Dumped from database version 15.6
-- Dumped by pg_dump version 15.6

CREATE TABLE public.projects (
    id uuid NOT NULL,
    tenant_id uuid,
    tenant_slug character varying(40),
    title text
);
CREATE TABLE public.tenants (
    id uuid NOT NULL,
    slug character varying(40) NOT NULL,
    email text,
    name text,
    parent_id uuid,
    kind text
);

COPY public.projects (id, tenant_id, tenant_slug, title) FROM stdin;
b0000000-0000-4000-8000-000000000002	7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b	Acme 1	Two
b0000000-0000-4000-8000-000000000001	7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b	Acme 1	One
b0000000-0000-4000-8000-000000000003	00000000-0000-4000-8000-000000000002	globex	decoy
b0000000-0000-4000-8000-000000000004	\N	\N	decoy
\.

COPY public.tenants (id, slug, email, name, parent_id, kind) FROM stdin;
7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b	Acme 1	mail@acme.example	Acme\tLtd	\N	company
00000000-0000-4000-8000-000000000002	globex	\N	Globex	7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b	company
00000000-0000-4000-8000-000000000003	person	p@example.com	Person	\N	user
\.

ALTER TABLE ONLY public.projects ADD CONSTRAINT projects_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tenants ADD CONSTRAINT tenants_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tenants ADD CONSTRAINT tenants_slug_key UNIQUE (slug);

--
-- PostgreSQL database dump complete
--

"#;

/// Named by its uuid, its slug or its email.
const BY_UUID: &str = "\
pipeline: saas
entity:
  kind: Tenant
  table: tenants
  where: { kind: company }
  name: name
  parent: parent_id
  path: [slug, email]
  prefix: 'tenant_{key}'
relations:
  projects: { table: projects, link: { tenant_id: key } }
";

/// Named by its slug, or its email.
const BY_SLUG: &str = "\
pipeline: saas
entity:
  kind: Tenant
  table: tenants
  key: slug
  where: { kind: company }
  name: name
  path: email
  prefix: 'tenant_{key}'
relations:
  projects: { table: projects, link: { tenant_slug: key } }
";

const ACME: &str = "7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b";
const GLOBEX: &str = "00000000-0000-4000-8000-000000000002";

const PROJECTS: &str = concat!(
    r#"{"id":"b0000000-0000-4000-8000-000000000001","tenant_id":"7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b","#,
    r#""tenant_slug":"Acme 1","title":"One"}"#,
    "\n",
    r#"{"id":"b0000000-0000-4000-8000-000000000002","tenant_id":"7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b","#,
    r#""tenant_slug":"Acme 1","title":"Two"}"#,
    "\n",
);

/// The database in several kinds of snapshot, and pipelines for it.
struct Saas<'s> {
    dir: Dir,
    database: Database<'s>,
}

impl Saas<'_> {
    fn new() -> Saas<'static> {
        let dir = Dir::new();
        let dump = dir.write("saas.sql", SAAS);
        dir.write("uuid.yml", BY_UUID);
        dir.write("slug.yml", BY_SLUG);
        let database = Server::shared().database();
        database.load(&dump);
        let archive = database.dump(&["-Fc"]);
        dir.write("saas.dump", archive);
        Saas { dir, database }
    }

    fn snapshots(&self) -> Vec<String> {
        let file = |name: &str| self.dir.join(name).display().to_string();
        vec![file("saas.sql"), file("saas.dump"), self.database.address()]
    }

    fn run(&self, arguments: &str, snapshot: &str) -> Program {
        let program = self.dir.relexport(arguments);
        program.option("--snapshot", snapshot)
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn tenants_are_listed_with_their_keys() {
    let saas = Saas::new();
    let by_uuid = "\
ID                                    PARENT                                FULL PATH  NAME
7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b  -                                     Acme 1     Acme\\tLtd
00000000-0000-4000-8000-000000000002  7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b  globex     Globex
";
    let by_slug = "\
ID      PARENT  FULL PATH          NAME
globex  -       globex             Globex
Acme 1  -       mail@acme.example  Acme\\tLtd
";
    let tree = format!("Acme 1 ({ACME})  Acme\\tLtd\n└── globex ({GLOBEX})  Globex\n");
    let listed = json!([
        {"id": ACME, "full_path": "Acme 1", "name": "Acme\tLtd", "parent_id": null},
        {"id": GLOBEX, "full_path": "globex", "name": "Globex", "parent_id": ACME},
    ]);
    for snapshot in saas.snapshots() {
        let groups = |arguments: &str| saas.run(&format!("groups {arguments}"), &snapshot);
        assert_eq!(
            groups("--pipeline uuid.yml").prints(),
            by_uuid,
            "{snapshot}"
        );
        assert_eq!(
            groups("--pipeline slug.yml").prints(),
            by_slug,
            "{snapshot}"
        );
        assert_eq!(
            groups("--pipeline uuid.yml --tree").prints(),
            tree,
            "{snapshot}"
        );
        assert_eq!(
            groups("--pipeline uuid.yml --json").json(),
            listed,
            "{snapshot}"
        );
    }
}

#[test]
fn a_tenant_is_named_by_its_key_or_its_paths() {
    let saas = Saas::new();
    let mut number = 0;
    let mut out = || -> PathBuf {
        number += 1;
        saas.dir.join(&format!("out-{number}"))
    };
    for snapshot in saas.snapshots() {
        for (pipeline, name, id, path, folder) in [
            ("uuid.yml", ACME, ACME, "Acme 1", ACME),
            (
                "uuid.yml",
                "7F0E1C9A-3B2D-4E5F-8A6B-9C0D1E2F3A4B",
                ACME,
                "Acme 1",
                ACME,
            ),
            (
                "uuid.yml",
                "{7f0e1c9a3b2d4e5f8a6b9c0d1e2f3a4b}",
                ACME,
                "Acme 1",
                ACME,
            ),
            ("uuid.yml", "Acme 1", ACME, "Acme 1", ACME),
            ("uuid.yml", "ACME 1", ACME, "Acme 1", ACME),
            ("uuid.yml", "Mail@acme.example", ACME, "Acme 1", ACME),
            (
                "slug.yml",
                "Acme 1",
                "Acme 1",
                "mail@acme.example",
                "_41cme_201",
            ),
            (
                "slug.yml",
                "mail@acme.example",
                "Acme 1",
                "mail@acme.example",
                "_41cme_201",
            ),
        ] {
            let what = format!("{snapshot}: {name}");
            let out = out();
            let run = saas.dir.export_to(&snapshot, &out).group(name);
            let run = run.option("--pipeline", saas.dir.join(pipeline)).ok();
            let entity = run.manifest()["entities"][0].clone();
            assert_eq!(entity["id"], id, "{what}");
            assert_eq!(entity["full_path"], path, "{what}");
            assert_eq!(entity["prefix"], format!("tenant_{folder}"), "{what}");
            let files = run.contents();
            let names: Vec<&String> = files.keys().collect();
            let projects = format!("tenant_{folder}/projects.ndjson.gz");
            assert_eq!(names, [&projects], "{what}");
            assert_eq!(
                String::from_utf8_lossy(&files[&projects]),
                PROJECTS,
                "{what}"
            );
            saas.dir.relexport("verify").arg(&out).ok();
            let status = saas
                .dir
                .relexport("status")
                .arg(&out)
                .group(id.to_uppercase());
            assert!(status.prints().contains(path), "{what}");
        }
        for (name, says) in [
            ("person", &["person is not a Tenant", "the right kind"][..]),
            (
                "00000000-0000-4000-8000-000000000003",
                &["is not a Tenant"][..],
            ),
            (
                "glopex",
                &["no Tenant glopex", "the nearest paths are: globex"][..],
            ),
            (
                "00000000-0000-4000-8000-000000000009",
                &["no Tenant 00000000"][..],
            ),
        ] {
            let run = saas.dir.export_to(&snapshot, out()).group(name);
            let run = run.option("--pipeline", saas.dir.join("uuid.yml"));
            run.fails(3, says).left_nothing();
        }
    }
}

#[test]
fn all_tenants_have_folders_of_their_own() {
    let saas = Saas::new();
    for (position, snapshot) in saas.snapshots().into_iter().enumerate() {
        for (pipeline, folders) in [
            ("uuid.yml", [GLOBEX, ACME]),
            ("slug.yml", ["_41cme_201", "globex"]),
        ] {
            let out = saas.dir.join(&format!("{pipeline}-{position}"));
            let run = saas.dir.export_to(&snapshot, out).arg("--all-groups");
            let run = run.option("--pipeline", saas.dir.join(pipeline)).ok();
            let expected = folders.map(|folder| format!("tenant_{folder}/projects.ndjson.gz"));
            let files = run.contents();
            let names: Vec<&String> = files.keys().collect();
            assert_eq!(names, expected.iter().collect::<Vec<_>>(), "{snapshot}");
        }
    }
}

#[test]
fn a_taken_tenant_is_known_by_its_key() {
    let saas = Saas::new();
    for (position, snapshot) in saas.snapshots().into_iter().enumerate() {
        let taken = saas.dir.join(&format!("taken-{position}"));
        let take = saas.dir.relexport("snapshot take --pipeline uuid.yml");
        take.option("--from", &snapshot)
            .group("globex")
            .option("--out", &taken)
            .ok();
        assert_eq!(read(&taken.join("snapshot.json"))["only"], json!([GLOBEX]));
        let taken = taken.display().to_string();
        let listed = saas.run("groups --json --pipeline uuid.yml", &taken).json();
        assert_eq!(
            listed,
            json!([{"id": GLOBEX, "full_path": "globex", "name": "Globex", "parent_id": ACME}]),
            "{snapshot}"
        );
        let out = saas.dir.join(&format!("other-{position}"));
        let other = saas.dir.export_to(&taken, out).group("Acme 1");
        let other = other.option("--pipeline", saas.dir.join("uuid.yml"));
        other.fails(3, &["Tenant Acme 1 is not among those"]);
    }
}

#[test]
fn tenants_whose_keys_are_no_integers_are_not_served() {
    let saas = Saas::new();
    let serve = saas.run("serve --pipeline uuid.yml --listen 127.0.0.1:0", "saas.sql");
    let serve = serve.option("--data", saas.dir.join("data"));
    serve.fails(
        3,
        &[
            "cannot serve the Tenants of table tenants",
            "their key is no integer",
            "export them with `relexport export`",
        ],
    );
}

#[test]
fn an_export_of_a_tenant_goes_on_where_it_was() {
    let dir = Dir::new();
    let dump = SAAS
        .replace("    title text\n", "    title text,\n    due date\n")
        .replace("title) FROM", "title, due) FROM")
        .replace("\tOne\n", "\tOne\t\\N\n")
        .replace("\tTwo\n", "\tTwo\tyesterday\n")
        .replace("\tdecoy\n", "\tdecoy\t\\N\n");
    let dump = dir.write("saas.sql", dump);
    let titles = "  titles: { table: projects, only: [title], link: { tenant_slug: key } }\n";
    dir.write("slug.yml", format!("{BY_SLUG}{titles}"));
    let export = || {
        let export = dir.export(&dump).group("Acme 1");
        export.option("--pipeline", dir.join("slug.yml"))
    };
    let first = export().fails(1, &["projects"]);
    let titles = "tenant__41cme_201/titles.ndjson.gz";
    let expected = "{\"title\":\"One\"}\n{\"title\":\"Two\"}\n";
    assert_eq!(String::from_utf8_lossy(&first.content(titles)), expected);
    let written = || {
        first
            .out
            .join(titles)
            .metadata()
            .unwrap()
            .modified()
            .unwrap()
    };
    let before = written();
    let again = export().args(["--resume", "--keep-going"]);
    let again = again.fails(1, &["1 row was left out"]);
    assert_eq!(written(), before);
    assert_eq!(again.manifest()["entities"][0]["id"], "Acme 1");
    let projects = again.content("tenant__41cme_201/projects.ndjson.gz");
    assert_eq!(
        String::from_utf8_lossy(&projects),
        concat!(
            r#"{"id":"b0000000-0000-4000-8000-000000000001","tenant_id":"7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b","#,
            r#""tenant_slug":"Acme 1","title":"One","due":null}"#,
            "\n",
        )
    );
}

#[test]
fn a_row_without_a_key_matters_only_if_it_is_an_entity() {
    let dir = Dir::new();
    let dump = "-- PostgreSQL database dump
CREATE TABLE accounts (id integer PRIMARY KEY, tenant_code text UNIQUE, parent_code text, kind text);
COPY accounts (id, tenant_code, parent_code, kind) FROM stdin;
1\ta\t\\N\tshop
2\t\\N\ta\tbot
3\tb\ta\tshop
\\.
-- PostgreSQL database dump complete
";
    let dump = dir.write("dump.sql", dump);
    for (name, condition, is_none) in [
        ("null", "where: { tenant_code: { not: null } },", true),
        ("kind", "where: { kind: shop },", true),
        ("all", "", false),
    ] {
        let pipeline = format!(
            "pipeline: accounts
entity: {{ kind: Account, table: accounts, key: tenant_code, {condition} parent: parent_code, prefix: \"a_{{key}}\" }}
relations:
  self: {{ table: accounts, link: {{ tenant_code: key }}, only: [id] }}
"
        );
        let pipeline = dir.write(&format!("{name}.yml"), pipeline);
        let run = dir
            .export_to(&dump, dir.join(name))
            .option("--pipeline", &pipeline)
            .args(["--all-groups"]);
        if is_none {
            let run = run.ok();
            assert_eq!(run.content("a_a/self.ndjson.gz"), b"{\"id\":1}\n", "{name}");
            assert_eq!(run.content("a_b/self.ndjson.gz"), b"{\"id\":3}\n", "{name}");
        } else {
            run.fails(
                3,
                &[
                    "table accounts, row 2 (byte ",
                    "its tenant_code is NULL",
                    "say by its `where` that such rows are none",
                ],
            );
        }
    }
}
