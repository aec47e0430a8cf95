use super::*;

fn tree(links: &[(&str, &str)]) -> Catalog {
    let mut catalog = Catalog::default();
    for (child, parent) in links {
        let (child, parent) = (TableName::public(*child), TableName::public(*parent));
        catalog.attach(child, parent, Belonging::Inheritance);
    }
    catalog
}

fn holders(catalog: &Catalog, name: &str) -> String {
    let holders = catalog.holders(&TableName::public(name));
    let names: Vec<String> = holders.iter().map(TableName::to_string).collect();
    names.join(" ")
}

#[test]
fn rows_belong_to_all_tables_above() {
    let catalog = tree(&[("leaf", "middle"), ("middle", "root")]);
    assert_eq!(holders(&catalog, "leaf"), "leaf middle root");
    assert_eq!(holders(&catalog, "root"), "root");
    assert_eq!(
        catalog.descendants(&TableName::public("root")),
        ["middle", "leaf"].map(TableName::public)
    );
}

#[test]
fn a_table_above_by_two_ways_holds_rows_once() {
    let catalog = tree(&[("d", "b"), ("d", "c"), ("b", "a"), ("c", "a")]);
    assert_eq!(holders(&catalog, "d"), "d b c a");
    assert_eq!(
        catalog.descendants(&TableName::public("a")),
        ["b", "c", "d"].map(TableName::public)
    );
}

#[test]
fn rows_of_a_detached_table_are_its_own() {
    let mut catalog = tree(&[("b", "a"), ("b", "c")]);
    let [a, b] = ["a", "b"].map(TableName::public);
    catalog.detach(&b, &a);
    assert_eq!(holders(&catalog, "b"), "b c");
    assert!(!catalog.has_children(&a));
}

#[test]
fn a_chain_that_is_too_long_is_not_followed() {
    let mut catalog = Catalog::default();
    let name = |level: usize| TableName::public(format!("t{level}"));
    for level in 0..200 {
        catalog.attach(name(level), name(level + 1), Belonging::Partition);
    }
    assert_eq!(catalog.holders(&name(0)).len(), MOST_ABOVE);
    assert_eq!(catalog.holders(&name(140)).len(), 61);
}

#[test]
fn tables_attached_in_a_circle_hold_each_other_s_rows() {
    let catalog = tree(&[("a", "b"), ("b", "a")]);
    assert_eq!(holders(&catalog, "a"), "a b");
    assert_eq!(
        catalog.descendants(&TableName::public("a")),
        [TableName::public("b")]
    );
}
