//! What `--strict` refuses: everything that a pipeline names, does not mark with a `?`, and the snapshot does not have.

use std::path::PathBuf;

use crate::support::*;

/// A shop whose database lacks nothing that [`PIPELINE`] names.
const DUMP: &str = "--
-- PostgreSQL database dump
--

CREATE TABLE public.colours (id bigint NOT NULL, name text);
CREATE TABLE public.items (id bigint NOT NULL, order_id bigint, colour_id bigint, state smallint, note text);
CREATE TABLE public.orders (id bigint NOT NULL, shop_id bigint, total bigint, secret text);
CREATE TABLE public.paths (shop_id bigint, path text);
CREATE TABLE public.shops (id bigint NOT NULL, name text, parent_id bigint);

COPY public.colours (id, name) FROM stdin;
\\.

COPY public.items (id, order_id, colour_id, state, note) FROM stdin;
\\.

COPY public.orders (id, shop_id, total, secret) FROM stdin;
\\.

COPY public.paths (shop_id, path) FROM stdin;
\\.

COPY public.shops (id, name, parent_id) FROM stdin;
1\tOne\t\\N
\\.

--
-- PostgreSQL database dump complete
--

";

const PIPELINE: &str = r#"pipeline: shop
entity:
  kind: Shop
  table: shops
  prefix: "shop_{key}"
  name: name
  parent: parent_id
  paths:
    - { table: paths, key: shop_id, path: path }
everywhere:
  note: { null_as: "" }
tables:
  items:
    values:
      state: { names: states }
names:
  states: { 1: open }
relations:
  orders:
    table: orders
    link: { shop_id: key }
    except: [secret]
    as: { total: sum }
    order: [total, id]
    nested:
      items:
        many: items
        link: { order_id: id }
        computed:
          colour: { lookup: colours, link: { id: colour_id }, column: name }
  maxima: { maxima: { orders: { table: orders, link: { shop_id: key }, column: id } } }
  dear:
    table: orders
    link: { shop_id: key, where: { total: { above: 100 } } }
    only: [id]
  big:
    table: items
    link: { order_id: id }
    via: [{ table: orders, link: { shop_id: key } }]
    only: [id]
"#;

struct Shop {
    dir: Dir,
    dump: PathBuf,
}

impl Shop {
    fn new() -> Shop {
        let dir = Dir::new();
        let dump = dir.write("shop.sql", DUMP);
        Shop { dir, dump }
    }

    /// A pipeline in which one text is another.
    fn pipeline(&self, old: &str, new: &str) -> PathBuf {
        self.dir.write("shop.yml", edit(PIPELINE, old, new))
    }

    fn export(&self, more: &str) -> Program {
        let out = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        self.dir
            .export_to(&self.dump, out.join("out"))
            .group(1)
            .option("--pipeline", self.dir.join("shop.yml"))
            .args(more.split_whitespace())
    }

    fn check(&self, more: &str) -> Program {
        self.dir.relexport(&format!(
            "pipeline check shop.yml --snapshot shop.sql {more}"
        ))
    }
}

#[test]
fn a_pipeline_that_fits_is_strict_about_nothing() {
    let shop = Shop::new();
    shop.pipeline("name: name", "name: name");
    shop.export("--strict").ok();
    shop.check("--strict").ok();
}

#[test]
fn every_name_that_finds_nothing_is_refused() {
    let shop = Shop::new();
    // What is misspelt; what of it `--strict` says.
    for (old, new, says) in [
        (
            "except: [secret]",
            "except: [sekret]",
            "orders has no column sekret",
        ),
        (
            "as: { total: sum }",
            "as: { totl: sum }",
            "orders has no column totl",
        ),
        ("order: [total, id]", "order: [totl, id]", "column totl"),
        ("{ total: { above", "{ totl: { above", "column totl"),
        (
            "{ shop_id: key }\n    except",
            "{ shp_id: key }\n    except",
            "column shp_id",
        ),
        ("many: items", "many: itms", "no table itms"),
        ("lookup: colours", "lookup: colors", "no table colors"),
        (
            "column: name }",
            "column: nam }",
            "colours has no column nam",
        ),
        (
            "maxima: { orders: { table: orders",
            "maxima: { orders: { table: ordrs",
            "no table ordrs",
        ),
        ("column: id }", "column: idd }", "column idd"),
        (
            "via: [{ table: orders",
            "via: [{ table: ordrs",
            "no table ordrs",
        ),
        (
            "table: items\n    link",
            "table: itms\n    link",
            "no table itms",
        ),
        (
            "state: { names",
            "stat: { names",
            "items has no column stat",
        ),
        (
            "tables:\n  items:",
            "tables:\n  itms:",
            "no table itms, and nothing of the pipeline reads it",
        ),
        ("name: name", "name: nam", "shops has no column nam"),
        (
            "parent: parent_id",
            "parent: parent",
            "shops has no column parent",
        ),
        ("- { table: paths", "- { table: routes", "no table routes"),
        ("path: path }", "path: full_path }", "column full_path"),
    ] {
        shop.pipeline(old, new);
        for more in ["--strict", "--strict --dry-run"] {
            shop.export(more).fails(3, &[says]);
        }
        let checked = shop.check("--strict").run();
        assert_eq!(checked.code, Some(1), "{new}: {}", checked.stdout);
        assert!(checked.stdout.contains(says), "{new}: {}", checked.stdout);
        let json = shop.check("--strict --json").run();
        let json = json.json();
        assert_eq!(json["ok"], false, "{new}");
        let findings = json["findings"].as_array().unwrap();
        assert!(
            findings.iter().any(|it| it["lack"] == true),
            "{new}: {json}"
        );
    }
}

#[test]
fn what_may_be_missing_is_not_refused() {
    let shop = Shop::new();
    for (old, new) in [
        ("except: [secret]", "except: [secret, sekret?]"),
        ("as: { total: sum }", "as: { total: sum, totl?: all }"),
        ("column: name }", "column: name, without_table: colour_id }"),
        ("  note: {", "  nte: {"),
        (
            "lookup: colours, link: { id: colour_id }, column: name }",
            "lookup: colors, link: { id: colour_id }, column: name, without_table: colour_id }",
        ),
        (
            "colour: { lookup: colours, link: { id: colour_id }, column: name }",
            "colour: { first: [{ lookup: colors, link: { id: colour_id }, column: name }, { lookup: colours, link: { id: \
             colour_id }, column: name }] }",
        ),
    ] {
        shop.pipeline(old, new);
        shop.export("--strict").ok();
        shop.check("--strict").ok();
    }
}

#[test]
fn only_what_is_exported_has_to_be_there() {
    let shop = Shop::new();
    shop.pipeline("many: items", "many: itms");
    shop.export("--strict --relation dear").ok();
    shop.export("--strict --relation orders")
        .fails(3, &["no table itms"]);
    // A relation of the other edition is not exported either.
    shop.pipeline(
        "  dear:\n    table: orders",
        "  dear:\n    edition: ee\n    table: ordrs",
    );
    shop.export("--strict --edition ce").ok();
    shop.export("--strict").fails(3, &["no table ordrs"]);
    // Without --strict it is a note, and what is left out is told.
    shop.check("").run();
    shop.export("").ok();
}
