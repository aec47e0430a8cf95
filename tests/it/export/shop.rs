//! A pipeline and a database that are not GitLab's: docs/shop.yml, with its expected files written by hand.

use std::collections::BTreeMap;

use crate::support::*;

/// Customer 5 is exported. Whatever names 6 or is called a decoy belongs to nobody's export but 6's.
const SHOP: &str = r#"--
-- PostgreSQL database dump
--

-- Dumped from database version 16.1
-- Dumped by pg_dump version 16.1

CREATE TABLE public.contracts (id integer NOT NULL, customer_id integer, discount numeric(5,2));
CREATE TABLE public.customers (
    id integer NOT NULL,
    company text NOT NULL,
    secret text,
    created_at timestamp with time zone,
    closed_at date
);
CREATE TABLE public.employees (id bigint NOT NULL, salary integer, name text);
CREATE TABLE public.messages (
    id integer NOT NULL,
    subject_id integer,
    subject_type character varying(20),
    employee_id bigint,
    text text
);
CREATE TABLE public.order_lines (
    id integer NOT NULL,
    order_id integer,
    "position" smallint,
    product_no integer,
    promised_at date,
    shipped_at date
);
CREATE TABLE public.order_vouchers (id integer NOT NULL, order_id integer, voucher_id integer);
CREATE TABLE public.orders (
    id integer NOT NULL,
    number integer,
    customer_id integer,
    state smallint,
    currency character(3),
    placed_at timestamp without time zone,
    internal_remark text,
    parcel_id integer,
    packed_by_id bigint,
    origin integer
);
CREATE TABLE public.products (
    product_no integer NOT NULL,
    title text,
    purchase_price numeric,
    supplier_id integer,
    photo text
);
CREATE TABLE public.vouchers (id integer NOT NULL, code text, amount numeric);
CREATE TABLE public.watch_list (id integer NOT NULL, customer_id integer, product_no integer);

COPY public.contracts (id, customer_id, discount) FROM stdin;
1	6	9.99
2	5	12.50
\.

COPY public.customers (id, company, secret, created_at, closed_at) FROM stdin;
5	Lamps & Co	hush	2024-02-29 23:30:00.123999-01	\N
6	Decoy Ltd	hush	2024-01-01 00:00:00+00	\N
7	Gone Inc	hush	2024-01-01 00:00:00+00	2024-06-30
\.

COPY public.employees (id, salary, name) FROM stdin;
31	1	Ann "the <b>"
9	2	Decoy
30	3	Bo\tb
32	4	\N
\.

COPY public.messages (id, subject_id, subject_type, employee_id, text) FROM stdin;
4	7	Order	31	second
3	90	Parcel	31	in the parcel
2	90	Order	9	decoy: another order
1	7	Parcel	9	decoy: another parcel
5	90	Return	404	sent back\\, by someone
\.

COPY public.order_lines (id, order_id, "position", product_no, promised_at, shipped_at) FROM stdin;
71	7	2	3	2024-03-05	2024-03-04
70	7	10	4	2024-03-06	\N
72	7	\N	404	\N	\N
73	8	1	3	\N	\N
74	7	2	3	infinity	\N
\.

COPY public.order_vouchers (id, order_id, voucher_id) FROM stdin;
1	7	51
2	7	50
3	8	52
4	7	404
\.

COPY public.orders (id, number, customer_id, state, currency, placed_at, internal_remark, parcel_id, packed_by_id, origin) FROM stdin;
10	1003	5	\N	USD	2024-03-02 00:00:00	decoy	\N	\N	9
7	1001	5	2	\N	2024-03-01 10:00:00.5	decoy	90	30	0
8	2001	6	1	EUR	2024-03-01 10:00:00	\N	\N	9	1
9	1004	5	1	EUR	\N	decoy: not placed	\N	9	1
\.

COPY public.products (product_no, title, purchase_price, supplier_id, photo) FROM stdin;
4	Bulb	0.10	1	\N
3	Lamp	5.00	1	lamp<1>.png
2	Decoy	5.00	1	\N
\.

COPY public.vouchers (id, code, amount) FROM stdin;
50	WINTER	10.0
51	SUMMER	NaN
52	DECOY	1
\.

COPY public.watch_list (id, customer_id, product_no) FROM stdin;
1	5	4
2	6	2
3	5	3
\.

--
-- PostgreSQL database dump complete
--

"#;

const PROFILE: &str = r#"{"id":5,"company":"Lamps \u0026 Co","created_at":"2024-03-01T00:30:00.123Z","discount":"12.5"}"#;

const ORDERS: &str = concat!(
    r#"{"id":7,"number":1001,"customer_id":5,"state":"paid","currency":"EUR","placed_at":"2024-03-01T10:00:00.500Z","#,
    r#""parcel_id":90,"packed_by_id":30,"origin":"web","lines":["#,
    // The order is by position, nulls first.
    r#"{"id":72,"order_id":7,"position":null,"product_no":404,"promised_at":null,"shipped_at":null},"#,
    r#"{"id":71,"order_id":7,"position":2,"product_no":3,"promised_at":"2024-03-05","shipped_at":"2024-03-04","#,
    r#""product":{"product_no":3,"title":"Lamp","photo":{"url":"/photos/3/lamp\u003c1\u003e.png"}}},"#,
    r#"{"id":74,"order_id":7,"position":2,"product_no":3,"promised_at":null,"shipped_at":null,"#,
    r#""product":{"product_no":3,"title":"Lamp","photo":{"url":"/photos/3/lamp\u003c1\u003e.png"}}},"#,
    r#"{"id":70,"order_id":7,"position":10,"product_no":4,"promised_at":"2024-03-06","shipped_at":"2024-03-06","#,
    r#""product":{"product_no":4,"title":"Bulb","photo":{"url":null}}}],"#,
    r#""vouchers":[{"id":51,"code":"SUMMER","amount":null},{"id":50,"code":"WINTER","amount":"10.0"}],"#,
    r#""messages":[{"id":3,"subject_id":90,"subject_type":"Parcel","employee_id":31,"text":"in the parcel","#,
    r#""author":{"name":"Ann \"the \u003cb\u003e\""}},"#,
    r#"{"id":4,"subject_id":7,"subject_type":"Order","employee_id":31,"text":"second","#,
    r#""author":{"name":"Ann \"the \u003cb\u003e\""}},"#,
    r#"{"id":5,"subject_id":90,"subject_type":"Return","employee_id":404,"text":"sent back\\, by someone"}]}"#,
    "\n",
    r#"{"id":10,"number":1003,"customer_id":5,"state":null,"currency":"USD","placed_at":"2024-03-02T00:00:00.000Z","#,
    r#""parcel_id":null,"packed_by_id":null,"origin":9,"lines":[],"vouchers":[],"messages":[]}"#,
    "\n",
);

const WATCHED: &str = concat!(
    r#"{"product_no":3,"title":"Lamp","photo":{"url":"/photos/3/lamp\u003c1\u003e.png"}}"#,
    "\n",
    r#"{"product_no":4,"title":"Bulb","photo":{"url":null}}"#,
    "\n",
);

const EMPLOYEES: &str = concat!(
    r#"{"id":30,"name":"Bo\tb"}"#,
    "\n",
    r#"{"id":31,"name":"Ann \"the \u003cb\u003e\""}"#,
    "\n",
);

fn expected_shop() -> BTreeMap<String, Vec<u8>> {
    [
        ("profile.json", PROFILE),
        ("orders.ndjson", ORDERS),
        ("watched_products.ndjson", WATCHED),
        ("employees.ndjson", EMPLOYEES),
        // The number of an order that was not placed counts, too: maxima have no such condition.
        ("last_numbers.json", r#"{"orders":1004}"#),
    ]
    .into_iter()
    .map(|(name, content)| (format!("customer_5/{name}.gz"), content.as_bytes().to_vec()))
    .collect()
}

fn shop(dir: &Dir, out: &str) -> Program {
    let path = dir.write("shop.sql", SHOP);
    dir.export_to(path, dir.join(out))
        .option("--pipeline", project("docs/shop.yml"))
}

#[test]
fn a_customer_of_the_shop_is_exported() {
    let dir = Dir::new();
    let expected = expected_shop();
    let run = shop(&dir, "out").group(5).ok();
    assert_same_files("shop", &run.contents(), &expected);
    let manifest = run.manifest();
    assert_eq!(manifest["pipeline"]["name"], "shop");
    assert_eq!(manifest["entities"][0]["type"], "Customer");
    assert_eq!(manifest["entities"][0]["prefix"], "customer_5");
    for (threads, size, memory) in [("1", "1", "0"), ("7", "1", "512MiB")] {
        let run = shop(&dir, threads)
            .group(5)
            .args(["--threads", threads, "--batch-size", size])
            .args(["--memory-limit", memory])
            .ok();
        assert_same_files(threads, &run.contents(), &expected);
    }
}

#[test]
fn only_customers_who_did_not_leave_are_entities() {
    let dir = Dir::new();
    let run = shop(&dir, "all").args(["--all-groups"]).ok();
    let manifest = run.manifest();
    let entities = manifest["entities"].as_array().unwrap();
    let ids: Vec<i64> = entities
        .iter()
        .map(|entity| entity["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, [5, 6]);
    shop(&dir, "gone")
        .group(7)
        .fails(3, &["7 is not a Customer", "customers"])
        .left_nothing();
    shop(&dir, "none").group(8).fails(3, &["no Customer 8"]);
    // Nobody is above or below a customer: silence would look as if there were none.
    shop(&dir, "below")
        .group(5)
        .args(["--subgroups"])
        .fails(
            3,
            &[
                "pipeline shop does not say who is below a Customer",
                "leave --subgroups out",
            ],
        )
        .left_nothing();
}
