//! Pipelines of random schemas.

use super::*;

/// The types of keys.
const TYPES: [&str; 8] = [
    "int",
    "bigint",
    "uuid",
    "text",
    "varchar(9)",
    "citext",
    "numeric",
    "char(3)",
];

/// Names of tables, those among them that YAML, SQL or pipelines take for something else.
const NAMES: [&str; 10] = [
    "items", "Item", "tags", "a b", "key", "root", "true", "odd.name", "no", "where",
];

/// The columns of keys.
const KEYS: [&[&str]; 5] = [&["id"], &["id"], &["id", "no"], &["code"], &[]];

/// Numbers that look random, the same ones for a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A table's name and the columns of its key, with their types.
type Keyed = (String, Vec<(&'static str, &'static str)>);

/// Tables that refer to each other and to themselves, the entities' first.
fn schema(seed: u64) -> String {
    let mut numbers = Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut sql = String::new();
    let mut tables: Vec<Keyed> = Vec::new();
    for place in 0..3 + numbers.below(9) {
        let schema = numbers.one_of(&["public", "app", "odd.schema"]);
        let name = numbers.one_of(&NAMES);
        let end = numbers.one_of(&["", "s", "_2"]);
        let table = match place {
            0 => "\"app\".\"tenants\"".to_owned(),
            _ => format!("\"{schema}\".\"{name}{end}\""),
        };
        if tables.iter().any(|(other, _)| *other == table) {
            continue;
        }
        let key = match place {
            0 => KEYS[0],
            _ => numbers.one_of(&KEYS),
        };
        let key: Vec<_> = key
            .iter()
            .map(|name| (*name, numbers.one_of(&TYPES)))
            .collect();
        tables.push((table.clone(), key.clone()));
        let mut elements: Vec<String> = key
            .iter()
            .map(|(name, of)| format!("{name} {of}"))
            .collect();
        elements.push("items text".to_owned());
        for number in 0..numbers.below(4) {
            let (other, referenced) = &tables[numbers.below(tables.len())];
            let not_null = numbers.one_of(&["", " NOT NULL"]);
            let stem = numbers.one_of(&["parent", "items", "owner", "key"]);
            let mut columns = Vec::new();
            for (name, of) in referenced {
                columns.push(format!("{stem}_{number}_{name}_id"));
                elements.push(format!("{stem}_{number}_{name}_id {of}{not_null}"));
            }
            if !columns.is_empty() {
                let columns = columns.join(", ");
                elements.push(format!("FOREIGN KEY ({columns}) REFERENCES {other}"));
            }
        }
        if !key.is_empty() {
            let names: Vec<&str> = key.iter().map(|(name, _)| *name).collect();
            elements.push(format!("PRIMARY KEY ({})", names.join(", ")));
        }
        sql += &format!("CREATE TABLE {table} ({});\n", elements.join(", "));
    }
    sql
}

#[test]
fn pipelines_of_random_schemas_are_right() {
    let mut nested = 0;
    for seed in 1..200 {
        let sql = schema(seed);
        let text = made(&sql, "app.tenants", seed % 2 == 0);
        let text = text.unwrap_or_else(|error| panic!("{error}\n{sql}"));
        nested += text.matches("many: ").count();
        assert_is_right(&text, &sql);
    }
    assert!(nested > 20, "{nested}");
}
