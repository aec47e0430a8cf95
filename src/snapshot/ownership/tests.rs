use super::*;
use crate::snapshot::catalog::{Belonging, Column, Table};
use crate::snapshot::sql_type::SqlType;

fn table(name: &str) -> TableName {
    TableName::public(name)
}

/// Tables of one column, whose name says which database defines it, and which of them are partitions of which.
fn catalog(database: &str, tables: &[&str], partitions: &[(&str, &str)]) -> Catalog {
    let mut catalog = Catalog::default();
    for name in tables {
        catalog.add(Table {
            name: table(name),
            columns: vec![Column {
                name: database.to_owned(),
                sql_type: SqlType::Text,
            }],
            partitioned: false,
        });
        catalog.set_not_null(&table(name), database, true);
    }
    for (child, parent) in partitions {
        catalog.attach(table(child), table(parent), Belonging::Partition);
    }
    catalog
}

fn ownership(others: &[&str], tables: &[(&str, &str)]) -> Ownership {
    let mut routing = Routing::default();
    for (name, database) in tables {
        routing.add(table(name), database).unwrap();
    }
    let others = others.iter().map(|name| (*name).to_owned());
    Ownership::new(others.collect(), &routing)
}

/// Which database each table of a catalog is defined by.
fn defined(catalog: &Catalog) -> Vec<(String, String)> {
    let mut defined: Vec<(String, String)> = catalog
        .tables()
        .map(|table| (table.name.name.clone(), table.columns[0].name.clone()))
        .collect();
    defined.sort();
    defined
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(one, other)| ((*one).to_owned(), (*other).to_owned()))
        .collect()
}

#[test]
fn every_table_comes_from_one_database_and_parts_follow_it() {
    let ownership = ownership(
        &["ci"],
        &[("builds", "ci"), ("gone", "ci"), ("findings", "sec")],
    );
    // The main database has detached one leaf and never had another; the CI database lacks a table.
    let main = catalog(
        "main",
        &[
            "notes", "builds", "builds_1", "builds_2", "old", "gone", "findings",
        ],
        &[("builds_1", "builds"), ("old", "builds")],
    );
    let ci = catalog(
        "ci",
        &[
            "notes", "builds", "builds_1", "builds_2", "builds_3", "findings",
        ],
        &[
            ("builds_1", "builds"),
            ("builds_2", "builds"),
            ("builds_3", "builds_2"),
        ],
    );
    // Before the catalogs are known only what is said is sure.
    assert!(!ownership.may_own(MAIN, &table("builds")));
    assert!(ownership.may_own(MAIN, &table("builds_1")));
    let united = ownership.unite(&[Some(&main), Some(&ci)]).unwrap();
    let expected = [
        ("builds", "ci"),
        ("builds_1", "ci"),
        ("builds_2", "ci"),
        ("builds_3", "ci"),
        // There is no sec database here.
        ("findings", "main"),
        ("notes", "main"),
    ];
    assert_eq!(defined(&united), pairs(&expected));
    for (name, database) in expected {
        let is_ci = database == "ci";
        assert_eq!(ownership.owns(1, &table(name)), is_ci, "{name}");
        assert_eq!(ownership.may_own(MAIN, &table(name)), !is_ci, "{name}");
        assert!(united.is_not_null(&table(name), database), "{name}");
    }
    assert_eq!(
        united.holders(&table("builds_3")),
        ["builds_3", "builds_2", "builds"].map(table)
    );
    // What is left of its tables in the main database is nobody's.
    assert!(!ownership.owns(MAIN, &table("old")));
    assert!(!ownership.owns(MAIN, &table("gone")));
    // A table that is not defined is where it is said to be, or in the main one.
    assert!(ownership.owns(MAIN, &table("unheard")));
}

#[test]
fn of_a_database_that_cannot_be_read_the_main_one_defines_the_tables() {
    let ownership = ownership(&["ci"], &[("builds", "ci")]);
    let main = catalog(
        "main",
        &["notes", "builds", "builds_1"],
        &[("builds_1", "builds")],
    );
    let united = ownership.unite(&[Some(&main), None]).unwrap();
    assert_eq!(
        defined(&united),
        pairs(&[("builds", "main"), ("builds_1", "main"), ("notes", "main")])
    );
    assert_eq!(
        ownership.tables(1),
        ["builds", "builds_1"].map(table).into()
    );
    assert_eq!(ownership.tables(MAIN), [table("notes")].into());
}

#[test]
fn a_part_that_two_databases_claim_is_an_error_unless_the_pipeline_says_whose_it_is() {
    let said = [("builds", "ci"), ("findings", "sec"), ("part", "sec")];
    let ci = catalog("ci", &["builds", "part"], &[("part", "builds")]);
    let sec = catalog("sec", &["findings", "part"], &[("part", "findings")]);
    let main = catalog("main", &["builds", "findings", "part"], &[]);
    let catalogs = [Some(&main), Some(&ci), Some(&sec)];
    let error = ownership(&["ci", "sec"], &said[..2]).unite(&catalogs);
    let error = error.unwrap_err().to_string();
    for part in ["table part", "databases ci and sec"] {
        assert!(error.contains(part), "{error}");
    }
    let united = ownership(&["ci", "sec"], &said).unite(&catalogs).unwrap();
    assert_eq!(
        defined(&united),
        pairs(&[("builds", "ci"), ("findings", "sec"), ("part", "sec")])
    );
}

#[test]
fn holdings_and_keys_are_those_of_own_tables() {
    let ownership = ownership(&["ci"], &[("builds", "ci")]);
    let mut main = catalog("main", &["notes", "builds"], &[]);
    let mut ci = catalog("ci", &["notes", "builds"], &[]);
    let key = |column: &str| crate::snapshot::stated_keys::StatedKey {
        columns: vec![column.to_owned()],
        primary: true,
        name: "key".to_owned(),
    };
    for (catalog, column) in [(&mut main, "a"), (&mut ci, "b")] {
        for name in ["notes", "builds"] {
            catalog.keys_mut().add(table(name), key(column));
        }
    }
    let united = ownership.unite(&[Some(&main), Some(&ci)]).unwrap();
    assert_eq!(united.keys().primary(&table("notes")).unwrap(), ["a"]);
    assert_eq!(united.keys().primary(&table("builds")).unwrap(), ["b"]);
    let keys = ownership.unite_keys([(0, main.keys()), (1, ci.keys())].into_iter());
    assert_eq!(keys, *united.keys());

    let told = Holdings {
        without_data: ["notes", "builds"].map(table).into(),
        undivided: ["builds", "notes"]
            .map(|partition| (table(partition), table("whole")))
            .into(),
        undefined: [table("unheard")].into(),
        warnings: vec!["odd".to_owned()],
    };
    let of = |database| ownership.own_holdings(database, &told);
    assert_eq!(of(MAIN).without_data, [table("notes")]);
    assert_eq!(of(MAIN).undefined, [table("unheard")]);
    assert_eq!(of(MAIN).undivided, [(table("notes"), table("whole"))]);
    assert_eq!(of(1).without_data, [table("builds")]);
    assert_eq!(of(1).undefined, []);
    assert_eq!(of(1).warnings, ["database ci: odd"]);
    let united = unite_holdings([of(1), of(MAIN)]);
    assert_eq!(united.without_data, ["builds", "notes"].map(table));
}
