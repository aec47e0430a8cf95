//! Tables of databases that are not GitLab's: stated keys, tables that inherit, tables made from types.

mod support;

use support::*;

/// Where a dump's definitions end and its rows begin, and where its constraints stand.
fn dump(definitions: &str, rows: &str, constraints: &str) -> String {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\
         SELECT pg_catalog.set_config('search_path', '', false);\n\n\
         CREATE TABLE public.tenants (\n    id bigint NOT NULL,\n    name text\n);\n{definitions}\n\
         COPY public.tenants (id, name) FROM stdin;\n1\tone\n2\ttwo\n\\.\n\n{rows}\n{constraints}\n\
         --\n-- PostgreSQL database dump complete\n--\n\n"
    )
}

const PIPELINE: &str = r#"
pipeline: tables
entity: { kind: Tenant, table: tenants, key: id, prefix: "tenant_{key}" }
relations:
  tenant: { table: tenants, form: object, link: { id: key } }
  items: { table: items, link: { tenant_id: key } }
"#;

/// An export of tenant 1.
fn export(dir: &Dir, snapshot: &std::path::Path, pipeline: &str) -> Export {
    let pipeline = dir.write("pipeline.yml", pipeline);
    dir.export(snapshot).arg("--pipeline", &pipeline).group(1)
}

const ITEMS: &str =
    "CREATE TABLE public.items (\n    id bigint NOT NULL,\n    tenant_id bigint NOT NULL\n);\n";
const ITEM_ROWS: &str = "COPY public.items (id, tenant_id) FROM stdin;\n10\t1\n11\t2\n\\.\n";
const COMPOSITE: &str =
    "ALTER TABLE ONLY public.items\n    ADD CONSTRAINT items_pkey PRIMARY KEY (tenant_id, id);\n";
const DOUBT: &str =
    "table items: the pipeline tells its rows apart by id, but its primary key is (tenant_id, id)";

#[test]
fn a_primary_key_of_other_columns_is_a_warning_of_the_export() {
    let dir = Dir::new();
    let path = dir.write("dump.sql", dump(ITEMS, ITEM_ROWS, COMPOSITE));
    let run = export(&dir, &path, PIPELINE).ok();
    assert!(run.stderr.contains(DOUBT), "{}", run.stderr);
    let manifest = run.manifest();
    let warning = manifest["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with(DOUBT), "{warning}");

    let dry = std::process::Command::new(env!("CARGO_BIN_EXE_relexport"))
        .args([
            "export",
            "--dry-run",
            "--json",
            "--group",
            "1",
            "--snapshot",
        ])
        .arg(&path)
        .arg("--pipeline")
        .arg(dir.join("pipeline.yml"))
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&dry.stdout).unwrap();
    assert!(
        json["warnings"][0].as_str().unwrap().starts_with(DOUBT),
        "{json}"
    );

    // Of tables that are not exported nothing is said.
    let other = dir.export_to(&path, dir.join("other"));
    let pipeline = dir.join("pipeline.yml");
    let other = other
        .arg("--pipeline", &pipeline)
        .group(1)
        .relations(&["tenant"])
        .ok();
    assert_eq!(other.manifest()["warnings"], serde_json::Value::Null);
}

#[test]
fn a_unique_constraint_of_the_declared_key_is_enough() {
    let dir = Dir::new();
    let unique = format!("{COMPOSITE}CREATE UNIQUE INDEX i ON public.items USING btree (id);\n");
    let path = dir.write("dump.sql", dump(ITEMS, ITEM_ROWS, &unique));
    let run = export(&dir, &path, PIPELINE).ok();
    assert_eq!(run.manifest()["warnings"], serde_json::Value::Null);
}
