//! Entities with keys of several types, and the names that find them.

use crate::pipeline::{EntityId, Pipeline};
use crate::resolve::entities::{Choice, EntityError, EntityInfo};
use crate::resolve::plan::{Id, KindId, Plan, Relations, Selection, plan};
use crate::snapshot::{TableName, read_schema};

use super::Directories;

const ONE: &str = "7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b";
const TWO: &str = "00000000-0000-4000-8000-000000000002";
const THREE: &str = "00000000-0000-4000-8000-000000000003";

/// Tenants whose key is of some type, with two columns that name them, one above them, and only those that are companies.
struct Tenants {
    plan: Plan,
    directories: Directories,
}

impl Tenants {
    /// `rows`: id, slug, email, parent_id, kind.
    fn new(key_type: &str, rows: &[[&str; 5]]) -> Tenants {
        let sql = format!(
            "CREATE TABLE public.tenants (id {key_type} NOT NULL, slug text, email text, parent_id {key_type}, kind text);\n\
             ALTER TABLE ONLY public.tenants ADD CONSTRAINT tenants_pkey PRIMARY KEY (id);\n"
        );
        let catalog = read_schema(sql.as_bytes()).unwrap();
        let yaml = "pipeline: saas\n\
            entity: { kind: Tenant, table: tenants, key: id, prefix: 't_{key}', where: { kind: company }, parent: parent_id }\n\
            relations: { notes: { table: notes, link: { tenant_id: key } } }\n";
        let mut pipeline = Pipeline::parse(yaml, "test.yml").unwrap();
        pipeline.entity.path = vec!["slug".to_owned(), "email".to_owned()];
        let selection = Selection {
            relations: Relations::Only(Vec::new()),
            ..Selection::default()
        };
        let plan = plan(&[&pipeline], &selection, &catalog).unwrap();
        let directories = Directories::new([&pipeline.entity], &plan, false);
        let mut tenants = Tenants { plan, directories };
        tenants.observe(rows).unwrap();
        tenants
    }

    fn observe(&mut self, rows: &[[&str; 5]]) -> Result<(), EntityError> {
        let rows: Vec<String> = rows.iter().map(|row| row.join("\t") + "\n").collect();
        let table = self.plan.table(&TableName::public("tenants")).unwrap();
        let table = &self.plan.tables[table];
        self.directories
            .observe(table, rows.concat().as_bytes(), &[])
    }

    fn choose(&self, choice: &Choice) -> Result<Vec<EntityInfo>, EntityError> {
        let kind = KindId::at(0);
        let chosen = self.directories.choose(kind, choice, &[])?;
        let keys = chosen.keys.iter();
        Ok(keys
            .map(|key| self.directories.info(kind, key, 0))
            .collect())
    }

    fn chosen(&self, name: &str) -> Result<EntityInfo, EntityError> {
        let choice = Choice::Named {
            names: vec![name.to_owned()],
            descendants: false,
        };
        let mut chosen = self.choose(&choice)?;
        assert_eq!(chosen.len(), 1, "{name}");
        Ok(chosen.remove(0))
    }

    /// The id of the entity of a name, as the manifest has it.
    fn id(&self, name: &str) -> String {
        match self.chosen(name) {
            Ok(entity) => entity.id.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

#[test]
fn a_uuid_names_its_tenant_in_any_spelling_and_so_do_its_paths() {
    let tenants = Tenants::new(
        "uuid",
        &[
            [ONE, "acme", "a@acme.example", "\\N", "company"],
            [TWO, "Globex", "g@globex.example", "\\N", "company"],
            [THREE, "person", "p@example.com", "\\N", "user"],
        ],
    );
    for (name, id) in [
        (ONE, ONE),
        ("7F0E1C9A-3B2D-4E5F-8A6B-9C0D1E2F3A4B", ONE),
        ("{7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b}", ONE),
        ("7f0e1c9a3b2d4e5f8a6b9c0d1e2f3a4b", ONE),
        ("acme", ONE),
        ("/acme/", ONE),
        ("ACME", ONE),
        ("a@acme.example", ONE),
        ("globex", TWO),
        ("G@globex.example", TWO),
    ] {
        assert_eq!(tenants.id(name), id, "{name}");
    }
    for name in [THREE, "person", "Person", "p@example.com"] {
        let error = tenants.chosen(name).unwrap_err();
        assert!(
            matches!(error, EntityError::NotAnEntity { .. }),
            "{name}: {error}"
        );
    }
    for name in ["acm", "7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4c", ""] {
        let error = tenants.chosen(name).unwrap_err();
        let EntityError::Unknown { hint, .. } = error else {
            panic!("{name}: {error}");
        };
        assert!(hint.contains("acme") && hint.contains("Globex"), "{hint}");
    }
}

#[test]
fn a_name_that_may_be_both_is_a_key_first() {
    let tenants = Tenants::new(
        "character varying(20)",
        &[
            ["acme", "globex", "\\N", "\\N", "company"],
            ["globex", "acme", "\\N", "\\N", "company"],
            ["5", "initech", "7", "\\N", "company"],
            ["/odd/", "6", "5", "\\N", "company"],
        ],
    );
    for (name, id) in [
        ("acme", "acme"),
        ("globex", "globex"),
        ("initech", "5"),
        ("5", "5"),
        ("6", "/odd/"),
        ("7", "5"),
        ("/odd/", "/odd/"),
    ] {
        assert_eq!(tenants.id(name), id, "{name}");
    }
    let numbered = Tenants::new(
        "bigint",
        &[
            ["5", "6", "x", "\\N", "company"],
            ["6", "7", "y", "\\N", "company"],
        ],
    );
    for (name, id) in [("5", "5"), ("6", "6"), ("7", "6"), ("Y", "6")] {
        assert_eq!(numbered.id(name), id, "{name}");
    }
    assert_eq!(numbered.chosen("7").unwrap().id, EntityId::Integer(6));
}

#[test]
fn a_path_in_another_case_has_to_mean_one_tenant() {
    let tenants = Tenants::new(
        "uuid",
        &[
            [ONE, "Acme", "\\N", "\\N", "company"],
            [TWO, "acme", "\\N", "\\N", "company"],
        ],
    );
    assert_eq!(tenants.id("Acme"), ONE);
    assert_eq!(tenants.id("acme"), TWO);
    let expected = format!("ACME is the path of 2 Tenants\n  name one by its id: {TWO}, {ONE}");
    assert_eq!(tenants.id("ACME"), expected);
}

#[test]
fn a_key_is_shown_as_it_is_written_and_found_as_its_type_compares() {
    for (key_type, written, others, key) in [
        ("public.citext", "Acme", &["acme", "ACME"][..], "acme"),
        ("numeric(12,2)", "12.50", &["12.5", "0012.500"][..], "12.5"),
        ("character(6)", "ab    ", &["ab", "ab  "][..], "ab"),
        ("text", "Acme", &["Acme"][..], "Acme"),
        ("date", "2024-01-31", &["2024-01-31"][..], "2024-01-31"),
    ] {
        let tenants = Tenants::new(key_type, &[[written, "\\N", "\\N", "\\N", "company"]]);
        for name in others.iter().chain([&written]) {
            let entity = tenants.chosen(name).unwrap();
            assert_eq!(entity.id, EntityId::text(written), "{key_type} {name}");
            assert_eq!(entity.key, EntityId::text(key), "{key_type} {name}");
            assert_eq!(entity.root, EntityId::text(written), "{key_type} {name}");
            assert_eq!(entity.full_path, written, "{key_type} {name}");
        }
    }
}

#[test]
fn the_full_path_is_the_first_column_that_has_one() {
    let tenants = Tenants::new(
        "uuid",
        &[
            [ONE, "acme", "a@acme.example", "\\N", "company"],
            [TWO, "\\N", "g@globex.example", "\\N", "company"],
            [THREE, "", "\\N", "\\N", "company"],
        ],
    );
    let paths = [ONE, TWO, THREE].map(|id| tenants.chosen(id).unwrap().full_path);
    assert_eq!(paths, ["acme", "g@globex.example", THREE]);
}

#[test]
fn families_are_found_by_keys_that_compare_equal() {
    let tenants = Tenants::new(
        "public.citext",
        &[
            ["Top", "top", "\\N", "\\N", "company"],
            ["Middle", "middle", "\\N", "TOP", "company"],
            ["low", "low", "\\N", "MIDDLE", "company"],
            ["alone", "alone", "\\N", "gone", "company"],
        ],
    );
    let choice = Choice::Named {
        names: vec!["tOP".to_owned()],
        descendants: true,
    };
    let family = tenants.choose(&choice).unwrap();
    let shown: Vec<(String, Option<String>)> = family
        .iter()
        .map(|it| {
            (
                it.id.to_string(),
                it.parent_id.as_ref().map(EntityId::to_string),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("Top".to_owned(), None),
            ("low".to_owned(), Some("Middle".to_owned())),
            ("Middle".to_owned(), Some("Top".to_owned())),
        ]
    );
    assert!(family.iter().all(|it| it.root == EntityId::text("Top")));
    let alone = tenants.chosen("alone").unwrap();
    assert_eq!(alone.parent_id, Some(EntityId::text("gone")));
}

#[test]
fn what_cannot_be_a_key_and_rows_that_contradict_each_other_are_told() {
    let mut tenants = Tenants::new("uuid", &[]);
    let error = tenants
        .observe(&[["acme", "a", "\\N", "\\N", "company"]])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "table tenants: its id is no value of the type of the key, so that it is not sure which ones there are\n  \
         copy or dump it again"
    );
    let error = tenants
        .observe(&[["\\N", "a", "\\N", "\\N", "company"]])
        .unwrap_err();
    assert!(error.to_string().contains("its id is NULL"), "{error}");
    let twice = Tenants::new(
        "uuid",
        &[
            [ONE, "acme", "\\N", "\\N", "company"],
            [ONE, "globex", "\\N", "\\N", "company"],
        ],
    );
    assert_eq!(
        twice.id(ONE),
        "table tenants: two rows have the same id, with different slug\n  repair the table, and dump it again"
    );
}

#[test]
fn names_in_a_message_cannot_move_the_cursor() {
    let rows = ["a\u{1b}[2J", "b"].map(|id| [id, "\u{1b}c", "\\N", "\\N", "company"]);
    let tenants = Tenants::new("text", &rows);
    assert_eq!(
        tenants.id("\u{1b}C"),
        "\u{1b}C is the path of 2 Tenants\n  name one by its id: a\\u{1b}[2J, b"
    );
    assert_eq!(
        tenants.id("c"),
        "there is no Tenant c in the snapshot\n  the nearest paths are: \\u{1b}c, \\u{1b}c"
    );
}
