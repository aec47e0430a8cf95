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
