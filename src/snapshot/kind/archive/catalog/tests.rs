use super::super::sample::{Sample, attach, files_toc, rows, table};
use super::*;

fn contents(samples: &[Sample<'_>]) -> Result<Contents, String> {
    let toc = Toc::read(&mut &files_toc(samples)[..], Some("toc.dat")).unwrap();
    Contents::new(toc, Some("toc.dat")).map_err(|error| error.to_string())
}

/// The dump ids of a table's parts.
fn parts(contents: &Contents, table: &str) -> Vec<i64> {
    let parts = contents.parts(&TableName::public(table), |_, _| 0);
    parts
        .iter()
        .map(|part| contents.data[part.index].dump_id)
        .collect()
}

#[test]
fn names_without_a_schema_are_in_that_of_the_entry() {
    // Archives of version 1.12 are so.
    let contents = contents(&[
        table(
            "public",
            "notes",
            "CREATE TABLE notes (\n    id bigint,\n    note text\n);\n",
        ),
        table(
            "other",
            "notes",
            "CREATE TABLE notes (\n    x integer\n);\n",
        ),
        rows(1, "other", "notes", "COPY notes (x) FROM stdin;\n"),
        rows(2, "public", "notes", "COPY notes (note, id) FROM stdin;\n"),
    ])
    .unwrap();
    assert_eq!(parts(&contents, "notes"), [2]);
    assert_eq!(contents.data[1].head.columns, ["note", "id"]);
    assert_eq!(&contents.data[0].table, &TableName::new("other", "notes"));
    let columns = |name| contents.catalog.table(&name).unwrap().columns.len();
    assert_eq!(columns(TableName::public("notes")), 2);
    assert_eq!(columns(TableName::new("other", "notes")), 1);
}

const LEAVES: [Sample<'static>; 2] = [
    Sample {
        id: 8,
        description: "TABLE DATA",
        namespace: "public",
        tag: "namespace_uploads",
        definition: "",
        copy: "COPY public.namespace_uploads (id) FROM stdin;\n",
        extra: b"",
    },
    Sample {
        id: 9,
        description: "TABLE DATA",
        namespace: "public",
        tag: "project_uploads",
        definition: "",
        copy: "COPY public.project_uploads (id) FROM stdin;\n",
        extra: b"",
    },
];

#[test]
fn uploads_are_their_leaves_or_the_plain_table_but_never_both() {
    let namespace = "CREATE TABLE public.namespace_uploads (\n    id bigint\n);\n";
    let project = "CREATE TABLE public.project_uploads (\n    id bigint\n);\n";
    let plain = "CREATE TABLE public.uploads (\n    id bigint\n);\n";
    let root = "CREATE TABLE public.uploads (\n    id bigint\n)\nPARTITION BY LIST (model_type);\n";
    let copy = "CREATE TABLE public.uploads_9ba88c4165 (\n    id bigint\n)\nPARTITION BY LIST (model_type);\n";
    // Up to GitLab 18.10 a copy is kept in partitions by triggers.
    let before = contents(&[
        table("public", "uploads", plain),
        table("public", "uploads_9ba88c4165", copy),
        table("public", "namespace_uploads", namespace),
        table("public", "project_uploads", project),
        attach("ALTER TABLE ONLY public.uploads_9ba88c4165 ATTACH PARTITION public.namespace_uploads FOR VALUES IN ('Namespace');\n"),
        attach("ALTER TABLE ONLY public.uploads_9ba88c4165 ATTACH PARTITION public.project_uploads FOR VALUES IN ('Project');\n"),
        LEAVES[0],
        LEAVES[1],
        rows(10, "public", "uploads", "COPY public.uploads (id) FROM stdin;\n"),
    ])
    .unwrap();
    assert_eq!(parts(&before, "uploads"), [10]);
    assert_eq!(parts(&before, "uploads_9ba88c4165"), [8, 9]);
    // From 18.11 on the partitions are the table. pg_dump up to 13 attaches them where they are made.
    let attached = |leaf: &str, value: &str| {
        format!(
            "CREATE TABLE public.{leaf} (\n    id bigint\n);\nALTER TABLE ONLY public.uploads ATTACH PARTITION public.{leaf} \
             FOR VALUES IN ('{value}');\n"
        )
    };
    let after = contents(&[
        table("public", "uploads", root),
        table(
            "public",
            "namespace_uploads",
            &attached("namespace_uploads", "Namespace"),
        ),
        table(
            "public",
            "project_uploads",
            &attached("project_uploads", "Project"),
        ),
        LEAVES[0],
        LEAVES[1],
    ])
    .unwrap();
    assert_eq!(parts(&after, "uploads"), [8, 9]);
    // A partition may be asked for by itself.
    assert_eq!(parts(&after, "namespace_uploads"), [8]);
}

#[test]
fn rows_loaded_through_the_root_are_its_own() {
    let contents = contents(&[
        table(
            "public",
            "events",
            "CREATE TABLE public.events (\n    id bigint\n)\nPARTITION BY RANGE (id);\n",
        ),
        table(
            "parts",
            "events_1",
            "CREATE TABLE parts.events_1 (\n    id bigint\n);\n",
        ),
        rows(
            5,
            "parts",
            "events_1",
            "COPY public.events (id) FROM stdin;\n",
        ),
    ])
    .unwrap();
    assert_eq!(parts(&contents, "events"), [5]);
}

#[test]
fn columns_of_inserts_are_those_of_the_table() {
    let contents = contents(&[
        table(
            "public",
            "t",
            "CREATE TABLE public.t (\n    a integer,\n    b integer GENERATED ALWAYS AS (a) STORED,\n    c text\n);\n",
        ),
        rows(5, "public", "t", ""),
    ])
    .unwrap();
    assert!(contents.data[0].is_inserts);
    assert_eq!(contents.data[0].head.columns, ["a", "c"]);
}

#[test]
fn what_cannot_be_used_is_told() {
    let t = table(
        "public",
        "t",
        "CREATE TABLE public.t (\n    a integer\n);\n",
    );
    let copy = "COPY public.t (a) FROM stdin;\n";
    let encoding = Sample {
        description: "ENCODING",
        definition: "SET client_encoding = 'JOHAB';\n",
        ..Sample::default()
    };
    let cases: [(&str, Vec<Sample<'_>>, &[&str]); 5] = [
        (
            "data only",
            vec![rows(1, "public", "t", copy)],
            &["without --data-only"],
        ),
        (
            "another encoding",
            vec![encoding],
            &["JOHAB", "--encoding=UTF8"],
        ),
        (
            "an id twice",
            vec![
                t,
                rows(1, "public", "t", copy),
                rows(1, "public", "t", copy),
            ],
            &["toc.dat", "entry 3", "has the dump id 1 of the data of t"],
        ),
        (
            "another form of COPY",
            vec![
                t,
                rows(1, "public", "t", "COPY public.t (a) FROM stdin CSV;\n"),
            ],
            &["the data of table t", "text format"],
        ),
        (
            "half a definition",
            vec![table(
                "public",
                "t",
                "CREATE TABLE public.t (\n    a integer",
            )],
            &["toc.dat, table t", "cannot be understood"],
        ),
    ];
    for (name, samples, expected) in cases {
        let message = contents(&samples).err().expect(name);
        for part in expected {
            assert!(message.contains(part), "{name}: {message}");
        }
    }
}
