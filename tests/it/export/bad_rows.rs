//! Rows that cannot be read: what they cost, and how they are counted.

use crate::support::*;

const SCHEMA: &str = "CREATE TABLE public.tenants (id integer NOT NULL);
CREATE TABLE public.items (id integer NOT NULL, tenant_id integer, a text);
CREATE TABLE public.lines (id integer NOT NULL, item_id integer, day date);
";

const PIPELINE: &str = "pipeline: shop
entity: { kind: Tenant, table: tenants, key: id, prefix: \"t_{key}\" }
relations:
  items: { table: items, link: { tenant_id: key }, nested: { lines: { many: lines, link: { item_id: id } } } }
  last: { maxima: { line: { table: lines, link: { item_id: id }, via: [{ table: items, link: { tenant_id: key } }], column: id } } }
";

/// A folder of CSV files with two tenants, and these items and lines.
fn folder(dir: &Dir, items: &str, lines: &str) {
    dir.write("csv/schema.sql", SCHEMA);
    dir.write("csv/tenants.csv", "id\n1\n2\n");
    dir.write("csv/items.csv", format!("id,tenant_id,a\n{items}"));
    dir.write("csv/lines.csv", format!("id,item_id,day\n{lines}"));
    dir.write("shop.yml", PIPELINE);
}

/// An export of the first tenant out of that folder, in spite of bad rows.
fn export(dir: &Dir) -> Program {
    let run = dir.export(dir.join("csv"));
    let run = run.option("--pipeline", dir.join("shop.yml"));
    run.group(1).args(["--keep-going"])
}

#[test]
fn a_stray_carriage_return_in_csv_costs_its_row_alone() {
    let dir = Dir::new();
    let items = "1,1,a\n2,1,b\rc\n3,2,d\n4,1,\"e\nf\"\n5,1\n6,1,g\n";
    folder(&dir, items, "");
    let run = export(&dir).fails(1, &["items: 2 rows were left out", "5 read, 3 written"]);
    let got = run.content("t_1/items.ndjson.gz");
    assert_eq!(
        String::from_utf8(got).unwrap(),
        "{\"id\":1,\"tenant_id\":1,\"a\":\"a\",\"lines\":[]}\n\
         {\"id\":4,\"tenant_id\":1,\"a\":\"e\\nf\",\"lines\":[]}\n\
         {\"id\":6,\"tenant_id\":1,\"a\":\"g\",\"lines\":[]}\n"
    );
    let entry = run.relation("items");
    assert_eq!(
        (&entry["skipped_count"], &entry["rows_read"]),
        (&2.into(), &5.into())
    );
    for (at, reason) in [
        (
            0,
            "row 2 (byte 21): a carriage return stands outside quotes",
        ),
        (
            1,
            "row 5 (byte 45): 2 fields, but the table's data has 3 columns",
        ),
    ] {
        assert_eq!(entry["skipped"][at]["reason"], reason);
    }
    dir.relexport("verify").arg(&run.out).ok();
}

#[test]
fn a_quote_that_stands_wrongly_in_csv_fails_what_needs_the_table() {
    let dir = Dir::new();
    folder(&dir, "1,1,a\n2,2,b\"c\"\n3,1,d\n", "");
    let says = "table items, row 2, byte 26): a quote stands inside an unquoted field";
    let run = export(&dir).fails(1, &[says]);
    assert_eq!(run.relation("items")["total_objects_count"], 0);
    // Nobody knows which tenants there are.
    dir.write("csv/tenants.csv", "id\n1\n2\"\"\n");
    let run = dir.export_to(dir.join("csv"), dir.join("other"));
    let run = run.option("--pipeline", dir.join("shop.yml"));
    run.args(["--all-groups", "--keep-going"])
        .fails(
            3,
            &["table tenants, row 2, byte 6)", "a quote stands inside"],
        )
        .left_nothing();
}

#[test]
fn nested_rows_that_are_left_out_are_no_rows_of_the_relation() {
    let dir = Dir::new();
    let lines = "7,1,2026-01-02,x\n8,1,never\n9,3,2026-01-03\n";
    folder(&dir, "1,1,a\n2,2,b\n3,1,c\n", lines);
    let says = [
        "items: 2 rows were left out (--keep-going); 2 read, 2 written",
        "last: 1 row was left out (--keep-going); 1 read, 1 written",
    ];
    let run = export(&dir).fails(1, &says);
    let got = run.content("t_1/items.ndjson.gz");
    assert_eq!(
        String::from_utf8(got).unwrap(),
        "{\"id\":1,\"tenant_id\":1,\"a\":\"a\",\"lines\":[]}\n\
         {\"id\":3,\"tenant_id\":1,\"a\":\"c\",\"lines\":[{\"id\":9,\"item_id\":3,\"day\":\"2026-01-03\"}]}\n"
    );
    for (relation, counts) in [("items", [2, 2, 2]), ("last", [1, 1, 1])] {
        let entry = run.relation(relation);
        let names = ["rows_read", "skipped_count", "skipped_nested_count"];
        let told = names.map(|name| entry[name].as_u64().unwrap());
        assert_eq!(told, counts, "{relation}");
    }
    dir.relexport("verify").arg(&run.out).ok();
    // A record that is lost is missed, whatever was left out below others.
    let manifest = run.manifest().to_string();
    let lost = manifest.replace("\"rows_read\":2", "\"rows_read\":3");
    assert_ne!(lost, manifest);
    dir.write("out/manifest.json", lost);
    let says = "of 3 rows that were read, 1 are neither written nor left out";
    let verify = dir.relexport("verify").arg(&run.out).fails(1, &[]);
    assert!(verify.stdout.contains(says), "{}", verify.stdout);
}

#[test]
fn a_row_of_the_records_table_counts_for_each_that_it_may_be_of() {
    let dir = Dir::new();
    folder(&dir, "1,1,a\n2,2\n3,2,c\n", "");
    let run = dir.export(dir.join("csv"));
    let run = run.option("--pipeline", dir.join("shop.yml"));
    let run = run.args(["--all-groups", "--keep-going"]);
    let run = run.fails(
        1,
        &["items: 2 rows were left out (--keep-going); 4 read, 2 written"],
    );
    for entity in run.manifest()["entities"].as_array().unwrap() {
        let items = &entity["relations"][0];
        assert_eq!(items["rows_read"], 2);
        assert_eq!(items["skipped_count"], 1);
        assert_eq!(items.get("skipped_nested_count"), None);
    }
    dir.relexport("verify").arg(&run.out).ok();
}
