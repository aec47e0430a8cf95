//! Tables with keys of every kind, their rows, and what SQL makes them.

use super::random::Random;

/// A type of a column, and how its values are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Smallint,
    Int,
    Bigint,
    /// Integers with and without zeros behind the point.
    WholeNumeric,
    /// Numbers of which half are no integers.
    Numeric,
    Uuid,
    Text,
    Varchar,
    Citext,
    Char,
    WideChar,
    Date,
    Timestamp,
    Timestamptz,
    Enum,
    Bytea,
}

/// Those of keys.
const KEYS: [Kind; 14] = [
    Kind::Uuid,
    Kind::Uuid,
    Kind::Text,
    Kind::Varchar,
    Kind::Citext,
    Kind::Char,
    Kind::Int,
    Kind::Bigint,
    Kind::Numeric,
    Kind::Date,
    Kind::Timestamptz,
    Kind::Timestamp,
    Kind::Bytea,
    Kind::Int,
];

impl Kind {
    fn sql(self) -> &'static str {
        match self {
            Kind::Smallint => "smallint",
            Kind::Int => "integer",
            Kind::Bigint => "bigint",
            Kind::WholeNumeric | Kind::Numeric => "numeric",
            Kind::Uuid => "uuid",
            Kind::Text => "text",
            Kind::Varchar => "varchar(40)",
            Kind::Citext => "citext",
            Kind::Char => "character(12)",
            Kind::WideChar => "character(15)",
            Kind::Date => "date",
            Kind::Timestamp => "timestamp",
            Kind::Timestamptz => "timestamptz",
            Kind::Enum => "colour",
            Kind::Bytea => "bytea",
        }
    }

    /// Types whose values may equal those of this one.
    fn like(self) -> &'static [Kind] {
        match self {
            Kind::Int | Kind::Bigint | Kind::Smallint => &[
                Kind::Int,
                Kind::Bigint,
                Kind::Smallint,
                Kind::WholeNumeric,
                Kind::Int,
            ],
            Kind::WholeNumeric => &[Kind::WholeNumeric, Kind::Bigint],
            Kind::Numeric => &[Kind::Numeric],
            Kind::Uuid => &[Kind::Uuid],
            Kind::Text | Kind::Varchar => &[Kind::Text, Kind::Varchar],
            Kind::Citext => &[Kind::Citext, Kind::Citext, Kind::Text],
            Kind::Char | Kind::WideChar => &[Kind::Char, Kind::WideChar, Kind::Varchar],
            Kind::Date => &[Kind::Date, Kind::Timestamp],
            Kind::Timestamp => &[Kind::Timestamp],
            Kind::Timestamptz => &[Kind::Timestamptz],
            Kind::Enum => &[Kind::Enum],
            Kind::Bytea => &[Kind::Bytea],
        }
    }

    /// A value's literal: one of its spellings. `of` is the type of the column whose values these are.
    fn literal(self, random: &mut Random, of: Kind, value: usize) -> String {
        let spelled = match (self, of) {
            (Kind::Smallint | Kind::Int | Kind::Bigint, _) => format!("{}", value as i64 - 3),
            (Kind::WholeNumeric, _) => {
                format!("{}{}", value as i64 - 3, random.one_of(&["", ".0", ".00"]))
            }
            (Kind::Numeric, _) => {
                let zeros = random.one_of(&["", "0", "000"]);
                format!("{}.{}{zeros}", value / 2, 5 * (value % 2))
            }
            (Kind::Uuid, _) => format!("0A{:06x}-0000-4000-8000-00000000000F", value),
            (Kind::Citext, _) | (Kind::Text, Kind::Citext) => {
                format!("{}{value}", random.one_of(&["Key", "key", "KEY", "kEy"]))
            }
            (Kind::Char | Kind::WideChar, _) | (Kind::Varchar, Kind::Char | Kind::WideChar) => {
                format!("c {value}{}", random.one_of(&["", " ", "  "]))
            }
            (Kind::Text | Kind::Varchar, _) => format!("k\\{value}\t\"ü,{{''"),
            (Kind::Date, _) => format!("2024-02-{:02}", value % 28 + 1),
            (Kind::Timestamp, Kind::Date) => format!("2024-02-{:02} 00:00:00", value % 28 + 1),
            (Kind::Timestamp, _) => format!("2024-02-{:02} 00:00:0{}.5", value % 28 + 1, value % 9),
            (Kind::Timestamptz, _) => match random.percent(50) {
                true => format!("2024-02-{:02} 12:00:00.25+00", value % 28 + 1),
                false => format!("2024-02-{:02} 14:00:00.25+02", value % 28 + 1),
            },
            (Kind::Enum, _) => ["red", "green", "Blue-ish"][value % 3].to_owned(),
            (Kind::Bytea, _) => format!("\\x00{value:04x}5c"),
        };
        format!("'{spelled}'")
    }
}

pub(super) struct Column {
    pub name: String,
    kind: Kind,
}

/// Columns that refer to columns of another table.
pub(super) struct Reference {
    pub table: usize,
    pub columns: Vec<Column>,
    /// The columns that they refer to: those of the key, or one that tells no rows apart.
    pub to: Vec<String>,
    kinds: Vec<Kind>,
    /// Whether it is declared as a foreign key.
    declared: bool,
}

impl Reference {
    /// `link: { … }` of rows that refer.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let columns = self.columns.iter().map(|column| column.name.clone());
        columns.zip(self.to.iter().cloned()).collect()
    }
}

pub(super) struct Table {
    /// With its schema, if that is not public.
    pub name: String,
    pub key: Vec<Column>,
    /// Of many rows the same value, or NULL.
    tag: Column,
    /// The table above it; of the tenants none.
    pub parent: Option<Reference>,
    /// To rows of the same table.
    pub own: Option<Reference>,
    /// To rows of any table.
    pub cross: Option<Reference>,
    rows: usize,
}

pub(super) struct Schema {
    pub tables: Vec<Table>,
}

impl Schema {
    pub(super) fn new(random: &mut Random) -> Schema {
        let id = |kind| Column {
            name: "id".to_owned(),
            kind,
        };
        let mut tables = vec![Table {
            name: "tenants".to_owned(),
            key: vec![id(random.one_of(&KEYS))],
            tag: tag(random),
            parent: None,
            own: None,
            cross: None,
            rows: 3,
        }];
        for number in 1..4 + random.below(4) {
            let schema = ["", "", "Two."][random.below(3)];
            let key = match random.below(10) {
                0 => Vec::new(),
                1..4 => ["no", "K 2"]
                    .map(|name| Column {
                        name: name.to_owned(),
                        kind: random.one_of(&[Kind::Enum, KEYS[number], Kind::Uuid, Kind::Bigint]),
                    })
                    .into(),
                _ => vec![id(random.one_of(&KEYS))],
            };
            let above = match number == 1 || random.percent(25) {
                true => 0,
                false => 1 + random.below(number - 1),
            };
            let parent = reference(random, &tables, above, "p");
            let mut table = Table {
                name: format!("{schema}t{number}"),
                key,
                tag: tag(random),
                parent: Some(parent),
                own: None,
                cross: None,
                rows: 14 + random.below(14),
            };
            // Kinds with few values make few keys.
            if table.key.iter().skip(1).any(|it| it.kind == Kind::Enum) {
                table.rows = table.rows.min(9);
            }
            tables.push(table);
            if !tables[number].key.is_empty() && random.percent(40) {
                tables[number].own = Some(reference(random, &tables, number, "up"));
            }
            if number > 1 && random.percent(50) {
                let to = 1 + random.below(number - 1);
                tables[number].cross = Some(reference(random, &tables, to, "x"));
            }
        }
        Schema { tables }
    }

    /// Makes the tables, and their rows in any order.
    pub(super) fn sql(&self, random: &mut Random) -> String {
        let mut sql = "CREATE EXTENSION citext; CREATE SCHEMA \"Two\";\n\
                       CREATE TYPE colour AS ENUM ('red', 'green', 'Blue-ish');\n"
            .to_owned();
        let mut after = String::new();
        for (number, table) in self.tables.iter().enumerate() {
            let mut columns = vec!["label text".to_owned(), "flag varchar(3)".to_owned()];
            columns.extend(
                table
                    .columns()
                    .map(|column| format!("{} {}", quoted(&column.name), column.kind.sql())),
            );
            if !table.key.is_empty() {
                columns.push(format!("PRIMARY KEY ({})", names(&table.key)));
            }
            let name = table.quoted();
            sql.push_str(&format!("CREATE TABLE {name} ({});\n", columns.join(", ")));
            for reference in table.references().filter(|reference| reference.declared) {
                after.push_str(&format!(
                    "ALTER TABLE {name} ADD FOREIGN KEY ({}) REFERENCES {};\n",
                    names(&reference.columns),
                    self.tables[reference.table].quoted()
                ));
            }
            for row in 0..table.rows {
                let values = self.row(random, number, row).join(", ");
                sql.push_str(&format!("INSERT INTO {name} VALUES ({values});\n"));
            }
        }
        sql + &after
    }

    fn row(&self, random: &mut Random, number: usize, row: usize) -> Vec<String> {
        let table = &self.tables[number];
        let null = || "NULL".to_owned();
        let mut values = vec![
            format!("'t{number}r{row}'"),
            random.one_of(&["'a'", "'b'", "NULL"]).to_owned(),
        ];
        for (position, column) in table.key.iter().enumerate() {
            let value = table.key_value(position, row);
            values.push(column.kind.literal(random, column.kind, value));
        }
        values.push(match random.percent(20) {
            true => null(),
            false => {
                let value = random.below(4);
                table.tag.kind.literal(random, table.tag.kind, value)
            }
        });
        for reference in table.references() {
            let to = &self.tables[reference.table];
            // Its own rows refer to those before them, so that there is no circle.
            let rows = match reference.table == number {
                true => row,
                false => to.rows,
            };
            let dangling = !reference.declared && random.percent(8);
            let row = match rows {
                0 => None,
                _ if dangling => Some(to.rows + 1),
                rows => Some(random.below(rows)).filter(|_| !random.percent(8)),
            };
            let by_tag = reference.to == ["tag"];
            for (position, column) in reference.columns.iter().enumerate() {
                let value = match (row, by_tag) {
                    (None, _) => None,
                    (Some(_), true) => Some(random.below(5)),
                    (Some(row), false) => Some(to.key_value(position, row)),
                };
                // A half of a key refers to nothing.
                let is_half = row.is_some() && position > 0 && random.percent(10);
                values.push(match value.filter(|_| !is_half) {
                    None => null(),
                    Some(value) => column
                        .kind
                        .literal(random, reference.kinds[position], value),
                });
            }
        }
        values
    }
}

/// A column whose values tell no rows apart.
fn tag(random: &mut Random) -> Column {
    Column {
        name: "tag".to_owned(),
        kind: random.one_of(&KEYS),
    }
}

/// Columns for the key of a table, or for its tag.
fn reference(random: &mut Random, tables: &[Table], to: usize, name: &str) -> Reference {
    let table = &tables[to];
    let by_tag = to > 0 && name != "up" && (table.key.is_empty() || random.percent(10));
    let columns = match by_tag {
        true => std::slice::from_ref(&table.tag),
        false => &table.key,
    };
    let declared = !by_tag && random.percent(50);
    let referring = columns.iter().enumerate().map(|(position, column)| Column {
        name: format!("{name}{position}"),
        kind: match declared {
            true => column.kind,
            false => random.one_of(column.kind.like()),
        },
    });
    Reference {
        table: to,
        columns: referring.collect(),
        to: columns.iter().map(|column| column.name.clone()).collect(),
        kinds: columns.iter().map(|column| column.kind).collect(),
        declared,
    }
}

impl Table {
    fn references(&self) -> impl Iterator<Item = &Reference> {
        [&self.parent, &self.own, &self.cross].into_iter().flatten()
    }

    /// Those beside `label` and `flag`.
    fn columns(&self) -> impl Iterator<Item = &Column> {
        let own = self.key.iter().chain([&self.tag]);
        own.chain(self.references().flat_map(|reference| &reference.columns))
    }

    /// The name in SQL.
    pub(super) fn quoted(&self) -> String {
        let parts: Vec<String> = self.name.split('.').map(quoted).collect();
        parts.join(".")
    }

    /// Of a key of two columns no column alone tells rows apart.
    fn key_value(&self, position: usize, row: usize) -> usize {
        match (self.key.len(), position) {
            (1, _) => row,
            (_, 0) => row % 3,
            (_, _) => row / 3,
        }
    }
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn names(columns: &[Column]) -> String {
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    names.join(", ")
}
