//! Foreign keys, wherever they are stated, and what becomes of them.

use super::*;

/// `table (columns) -> other (columns) name` of each foreign key, in the order of the tables' names.
fn foreign(catalog: &Catalog) -> Vec<String> {
    let keys = catalog.keys();
    keys.foreign()
        .map(|(table, key)| {
            let referenced = match keys.referenced(key) {
                Some(columns) => columns.join(", "),
                None => "?".to_owned(),
            };
            let columns = key.columns.join(", ");
            format!(
                "{table} ({columns}) -> {} ({referenced}) {}",
                key.table, key.name
            )
        })
        .collect()
}

fn assert_foreign(cases: &[(&str, String, &[&str])]) {
    for (name, text, expected) in cases {
        assert_eq!(foreign(&read(text)), *expected, "{name}");
    }
}

#[test]
fn foreign_keys_are_read_wherever_they_are_stated() {
    let parents = "CREATE TABLE p (id bigint PRIMARY KEY, code text UNIQUE);\n\
                   CREATE TABLE q (a int, b int, PRIMARY KEY (a, b));\n";
    let case = |text: &str| format!("{parents}{text}");
    assert_foreign(&[
        ("none", case("CREATE TABLE t (id int);"), &[]),
        (
            "of a column",
            case(
                "CREATE TABLE t (id int PRIMARY KEY, p_id bigint NOT NULL REFERENCES p ON DELETE CASCADE, \
                 c text DEFAULT lower('references') CONSTRAINT \"My c\" REFERENCES public.p (code) MATCH FULL DEFERRABLE);",
            ),
            &["t (p_id) -> p (id) t_p_id_fkey", "t (c) -> p (code) My c"],
        ),
        (
            "of a table",
            case(
                "CREATE TABLE t (x int, y int, CONSTRAINT both FOREIGN KEY (x, y) REFERENCES q MATCH SIMPLE ON UPDATE SET NULL (x), \
                 FOREIGN KEY (x) REFERENCES p(id), CHECK (x > 0));",
            ),
            &[
                "t (x, y) -> q (a, b) both",
                "t (x) -> p (id) t_x_fkey",
            ],
        ),
        (
            "as pg_dump writes them",
            case(
                "CREATE TABLE public.t (id int, p_id bigint, \"B c\" text);\n\
                 ALTER TABLE ONLY public.t\n    ADD CONSTRAINT fk_1 FOREIGN KEY (p_id) REFERENCES public.p(id) ON DELETE CASCADE NOT VALID;\n\
                 ALTER TABLE ONLY public.t\n    ADD CONSTRAINT \"fk 2\" FOREIGN KEY (\"B c\") REFERENCES public.p(code) DEFERRABLE INITIALLY DEFERRED;\n",
            ),
            &["t (p_id) -> p (id) fk_1", "t (B c) -> p (code) fk 2"],
        ),
        (
            "of a column that is added, beside others",
            case(
                "CREATE TABLE t (id int);\n\
                 ALTER TABLE t ADD COLUMN p_id bigint REFERENCES p, ADD q int, ADD FOREIGN KEY (q) REFERENCES p (id);",
            ),
            &[
                "t (p_id) -> p (id) t_p_id_fkey",
                "t (q) -> p (id) t_q_fkey",
            ],
        ),
        (
            "a table that refers to itself, before its key",
            case("CREATE TABLE t (parent int REFERENCES t, id int PRIMARY KEY);"),
            &["t (parent) -> t (id) t_parent_fkey"],
        ),
        (
            "a table that comes later",
            "CREATE TABLE t (id int, p_id int);\nALTER TABLE t ADD FOREIGN KEY (p_id) REFERENCES p;\n\
             CREATE TABLE p (id int);\nALTER TABLE p ADD PRIMARY KEY (id);"
                .to_owned(),
            &["t (p_id) -> p (id) t_p_id_fkey"],
        ),
        (
            "a table without a key",
            "CREATE TABLE p (id int);\nCREATE TABLE t (p_id int REFERENCES p);".to_owned(),
            &["t (p_id) -> p (?) t_p_id_fkey"],
        ),
        (
            "several of one column",
            case("CREATE TABLE t (c bigint REFERENCES p REFERENCES r (id), FOREIGN KEY (c) REFERENCES s (x));"),
            &[
                "t (c) -> p (id) t_c_fkey",
                "t (c) -> r (id) t_c_fkey1",
                "t (c) -> s (x) t_c_fkey2",
            ],
        ),
        (
            "of a typed table",
            case("CREATE TYPE i AS (id bigint, p_id bigint);\nCREATE TABLE t OF i (p_id WITH OPTIONS REFERENCES p);"),
            &["t (p_id) -> p (id) t_p_id_fkey"],
        ),
        (
            "another number of columns, which PostgreSQL refuses",
            case("CREATE TABLE t (x int, y int, FOREIGN KEY (x, y) REFERENCES p (id), FOREIGN KEY (x) REFERENCES p (id, code));"),
            &[],
        ),
        (
            "a key with a period, which finds rows by more than equal values",
            case("CREATE TABLE t (x int, d daterange, FOREIGN KEY (x, PERIOD d) REFERENCES r (id, PERIOD d));"),
            &[],
        ),
        (
            "those of a table that it is like",
            case("CREATE TABLE o (c bigint REFERENCES p);\nCREATE TABLE t (LIKE o INCLUDING ALL);"),
            &["o (c) -> p (id) o_c_fkey"],
        ),
        (
            "a name that there is",
            case(
                "CREATE TABLE t (a bigint, b bigint);\nALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p;\n\
                 ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES p;",
            ),
            &["t (a) -> p (id) k"],
        ),
    ]);
}

#[test]
fn foreign_keys_name_tables_by_schema_or_search_path() {
    let tables =
        "CREATE TABLE app.p (id int PRIMARY KEY);\nCREATE TABLE public.o (id int PRIMARY KEY);\n";
    let case = |text: &str| format!("{tables}{text}");
    assert_foreign(&[
        (
            "another schema",
            case("CREATE TABLE public.t (p int REFERENCES app.p(id));"),
            &["t (p) -> app.p (id) t_p_fkey"],
        ),
        (
            "quoted names with dots in them",
            "CREATE TABLE \"a.b\".\"c.d\" (id int PRIMARY KEY);\nCREATE TABLE t (x int REFERENCES \"a.b\".\"c.d\");".to_owned(),
            &["t (x) -> a.b.c.d (id) t_x_fkey"],
        ),
        (
            "the first schema of the search path that has it",
            case("SET search_path = app, public;\nCREATE TABLE t (p int REFERENCES p, o int REFERENCES o (id));"),
            &[
                "app.t (p) -> app.p (id) t_p_fkey",
                "app.t (o) -> o (id) t_o_fkey",
            ],
        ),
        (
            "itself, where a later schema has a table of its name",
            case("SET search_path = app, public;\nCREATE TABLE o (id int PRIMARY KEY, up int REFERENCES o);"),
            &["app.o (up) -> app.o (id) o_up_fkey"],
        ),
        (
            "older dumps, table by table",
            case(
                "SET search_path = app, pg_catalog;\nCREATE TABLE t (p int);\n\
                 ALTER TABLE ONLY t ADD CONSTRAINT f FOREIGN KEY (p) REFERENCES p(id);\n\
                 ALTER TABLE ONLY t ADD CONSTRAINT g FOREIGN KEY (p) REFERENCES public.o(id);",
            ),
            &["app.t (p) -> app.p (id) f", "app.t (p) -> o (id) g"],
        ),
    ]);
}

#[test]
fn foreign_keys_change_with_their_tables() {
    let tables = "CREATE TABLE p (id int, code text UNIQUE, PRIMARY KEY (id));\n\
                  CREATE TABLE t (a int REFERENCES p, b int REFERENCES p (id), c text REFERENCES p (code));\n";
    let case = |text: &str| format!("{tables}{text}");
    let all = [
        "t (a) -> p (id) t_a_fkey",
        "t (b) -> p (id) t_b_fkey",
        "t (c) -> p (code) t_c_fkey",
    ];
    assert_foreign(&[
        ("nothing", case(""), &all),
        (
            "constraints that are dropped",
            case(
                "ALTER TABLE ONLY t DROP CONSTRAINT IF EXISTS t_a_fkey, DROP CONSTRAINT t_c_fkey RESTRICT;",
            ),
            &all[1..2],
        ),
        (
            "a constraint with another name",
            case(
                "ALTER TABLE t RENAME CONSTRAINT t_a_fkey TO \"x y\";\nALTER TABLE t DROP CONSTRAINT \"x y\";",
            ),
            &all[1..],
        ),
        (
            "a key that is dropped, and what refers to it",
            case("ALTER TABLE p DROP CONSTRAINT p_pkey CASCADE;"),
            &all[2..],
        ),
        (
            "a unique constraint that is dropped, and what refers to it",
            case(
                "ALTER TABLE p RENAME CONSTRAINT p_code_key TO k;\nALTER TABLE p DROP CONSTRAINT k CASCADE;",
            ),
            &all[..2],
        ),
        (
            "renamed columns",
            case(
                "ALTER TABLE t RENAME COLUMN a TO \"A\";\nALTER TABLE p RENAME id TO key;\nALTER TABLE p RENAME code TO slug;",
            ),
            &[
                "t (A) -> p (key) t_a_fkey",
                "t (b) -> p (key) t_b_fkey",
                "t (c) -> p (slug) t_c_fkey",
            ],
        ),
        (
            "columns that are dropped",
            case("ALTER TABLE t DROP COLUMN a;\nALTER TABLE p DROP COLUMN code CASCADE;"),
            &all[1..2],
        ),
        (
            "the primary key's column that is dropped",
            case("ALTER TABLE p DROP COLUMN id CASCADE;"),
            &all[2..],
        ),
        (
            "renamed tables",
            case("ALTER TABLE t RENAME TO u;\nALTER TABLE p RENAME TO q;"),
            &[
                "u (a) -> q (id) t_a_fkey",
                "u (b) -> q (id) t_b_fkey",
                "u (c) -> q (code) t_c_fkey",
            ],
        ),
        ("its table that is dropped", case("DROP TABLE t;"), &[]),
        (
            "the other table that is dropped",
            case("DROP TABLE IF EXISTS p CASCADE;\nCREATE TABLE p (id int PRIMARY KEY);"),
            &[],
        ),
    ]);
}

#[test]
fn keys_change_with_their_columns() {
    let table = "CREATE TABLE t (id bigint PRIMARY KEY, a int, b int, UNIQUE (a, b));\n";
    let cases = [
        ("ALTER TABLE t RENAME a TO c;", "*(id) (c, b)"),
        ("ALTER TABLE t RENAME COLUMN id TO no;", "*(no) (a, b)"),
        ("ALTER TABLE t DROP COLUMN b;", "*(id)"),
        ("ALTER TABLE t DROP COLUMN id CASCADE;", "(a, b)"),
        (
            "ALTER TABLE t RENAME CONSTRAINT t_pkey TO k;\nALTER TABLE t DROP CONSTRAINT k;",
            "(a, b)",
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(
            keys(&read(&format!("{table}{change}")), "t"),
            expected,
            "{change}"
        );
    }
}

#[test]
fn very_many_unnamed_keys_of_one_column_are_read_in_time() {
    let keys = "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p (id);\n".repeat(2000);
    let catalog = read(&format!("CREATE TABLE t (a int);\n{keys}"));
    assert_eq!(catalog.keys().foreign().count(), 2000);
}

#[test]
fn columns_that_are_never_null_are_known() {
    let table = "CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL DEFAULT 1, b int CONSTRAINT n NOT NULL, c int NULL, \
                 d int CHECK (d IS NOT NULL), e int, CONSTRAINT x NOT NULL e);\n";
    let cases = [
        ("", "id a b e"),
        (
            "ALTER TABLE t ALTER c SET NOT NULL, ALTER COLUMN a DROP NOT NULL;",
            "id b c e",
        ),
        ("ALTER TABLE t ADD f int NOT NULL, ADD g int;", "id a b e f"),
        (
            "ALTER TABLE t RENAME a TO g;\nALTER TABLE t DROP b;\nALTER TABLE t ADD b int;",
            "id g e",
        ),
        (
            "ALTER TABLE t ADD CONSTRAINT v NOT NULL d NOT VALID, ADD NOT NULL c;",
            "id a b c e",
        ),
        (
            "ALTER TABLE t RENAME TO o;\nCREATE TABLE t (LIKE o);",
            "id a b e",
        ),
        ("DROP TABLE t;\nCREATE TABLE t (a int);", ""),
    ];
    for (change, expected) in cases {
        let catalog = read(&format!("{table}{change}"));
        let name = TableName::public("t");
        let columns = &catalog.table(&name).unwrap().columns;
        let names = columns.iter().map(|column| column.name.as_str());
        let not_null: Vec<&str> = names.filter(|it| catalog.is_not_null(&name, it)).collect();
        assert_eq!(not_null.join(" "), expected, "{change}");
    }
}
