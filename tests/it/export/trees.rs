//! Trees of rows: how deep they may be, and circles; and the order of rows whose key stands behind them.

use std::fmt::Write;

use crate::support::*;

const TREE: &str = "pipeline: u\n\
    entity: { kind: T, table: t, key: k, prefix: 't_{key}', path: slug }\n\
    relations:\n  deep: { table: deep, link: { k: key, where: { id: 1 } }, tree: up }\n";

/// Rows each of which stands below the one before it; the first one below `first`.
fn chain(rows: u32, first: &str) -> String {
    let mut dump =
        "-- PostgreSQL database dump\n\nCREATE TABLE public.t (k text NOT NULL, slug text);\n\
         CREATE TABLE public.deep (id integer NOT NULL, k text, up integer);\n\
         COPY public.deep (id, k, up) FROM stdin;\n"
            .to_owned();
    for id in 1..=rows {
        let up = match id {
            1 => first.to_owned(),
            _ => (id - 1).to_string(),
        };
        writeln!(dump, "{id}\ta\t{up}").unwrap();
    }
    dump.push_str("\\.\n\nCOPY public.t (k, slug) FROM stdin;\na\talow\n\\.\n");
    dump.push_str("\n-- PostgreSQL database dump complete\n");
    dump
}

#[test]
fn a_tree_is_written_to_its_limit_and_fails_its_relation_beyond() {
    let dir = Dir::new();
    let pipeline = dir.write("tree.yml", TREE);
    let export = |dump: String, out: &str| {
        let dump = dir.write("dump.sql", dump);
        let export = dir.export_to(dump, dir.join(out)).group("a");
        export.option("--pipeline", &pipeline)
    };
    let run = export(chain(900, "\\N"), "deep").ok();
    let content = String::from_utf8(run.content("t_a/deep.ndjson.gz")).unwrap();
    assert!(content.starts_with(
        r#"{"id":1,"k":"a","up":null,"deep":[{"id":2,"k":"a","up":1,"deep":[{"id":3,"#
    ));
    assert_eq!(content.matches("\"id\":").count(), 900);
    let too_deep =
        "table deep, primary key 1001, column id: rows stand in one another more than 1000 deep";
    export(chain(2000, "\\N"), "deeper").fails(1, &[too_deep]);
    let circle = "table deep, primary key 1, column id: rows refer to one another in a circle";
    export(chain(5, "5"), "circle").fails(1, &[circle]);
}

#[test]
fn rows_are_in_the_order_of_an_integer_key_that_stands_behind_them() {
    let dir = Dir::new();
    let dump = "-- PostgreSQL database dump\n\nCREATE TABLE public.t (k text NOT NULL, slug text);\n\
        CREATE TABLE public.r (no integer NOT NULL, k text);\n\
        COPY public.r (no, k) FROM stdin;\n10\ta\n9\ta\n100\ta\n\\.\n\n\
        COPY public.t (k, slug) FROM stdin;\na\talow\n\\.\n\n\
        ALTER TABLE ONLY public.r ADD CONSTRAINT r_pkey PRIMARY KEY (no);\n\
        -- PostgreSQL database dump complete\n";
    let pipeline = "pipeline: u\n\
        entity: { kind: T, table: t, key: k, prefix: 't_{key}', path: slug }\n\
        relations:\n  r: { table: r, link: { k: key } }\n";
    let (dump, pipeline) = (dir.write("dump.sql", dump), dir.write("r.yml", pipeline));
    let export = dir.export_to(dump, dir.join("out")).group("a");
    let run = export.option("--pipeline", pipeline).ok();
    let expected = "{\"no\":9,\"k\":\"a\"}\n{\"no\":10,\"k\":\"a\"}\n{\"no\":100,\"k\":\"a\"}\n";
    assert_eq!(run.content("t_a/r.ndjson.gz"), expected.as_bytes());
}
