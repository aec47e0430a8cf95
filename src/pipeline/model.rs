//! A pipeline as types: the relation tree after the file has been read and checked.

use std::collections::{BTreeMap, BTreeSet};

/// A whole pipeline file.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// Its name in the manifest (`group`).
    pub name: String,
    /// SHA-256 of the file's bytes, lower-case hex.
    pub sha256: String,
    pub entity: Entity,
    /// How the types of columns are written.
    pub values: ValueForm,
    /// Rules that hold wherever a row of a table is written, by table.
    pub tables: BTreeMap<String, TableRules>,
    /// Value rules for columns of a name in every table (`imported_from`).
    pub everywhere: BTreeMap<String, ValueRule>,
    /// In the order of the file, which is the order of the manifest.
    pub relations: Vec<Relation>,
}

impl Pipeline {
    /// The primary key column of a table.
    pub fn key_of(&self, table: &str) -> &str {
        self.tables.get(table).map_or("id", |rules| &rules.key)
    }

    /// The rule for a column's values: the table's own, else the one for every table.
    pub fn value_rule(&self, table: &str, column: &str) -> Option<&ValueRule> {
        let own = self.tables.get(table);
        let own = own.and_then(|rules| rules.values.get(column));
        own.or_else(|| self.everywhere.get(column))
    }

    /// The tables whose rows are written, in order of their names.
    pub fn written_tables(&self) -> Vec<&str> {
        fn walk<'a>(node: &'a Node, tables: &mut BTreeSet<&'a str>) {
            tables.insert(&node.table);
            node.nested.iter().for_each(|nested| walk(nested, tables));
        }

        let mut tables = BTreeSet::new();
        for relation in &self.relations {
            match &relation.source {
                Source::Rows(node) | Source::Collected(Collected { node, .. }) => {
                    walk(node, &mut tables)
                }
                Source::Maxima(_) => {}
            }
        }
        tables.into_iter().collect()
    }
}

/// The tenant that is taken out: which table holds it and how a user names one.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// What the manifest calls one (`Group`).
    pub kind: String,
    pub table: String,
    /// Its integer key column.
    pub key: String,
    /// Which rows of the table are entities at all.
    pub filter: Vec<Condition>,
    /// The folder that its files go to, with `{key}` for the key (`group_{key}`).
    pub prefix: String,
    /// Column with a name for people.
    pub name: Option<String>,
    /// Column with the key of the entity above.
    pub parent: Option<String>,
    /// Column with the keys from the root ancestor down to the entity itself, as an array; where it is
    /// empty or missing, `parent` is walked.
    pub ancestors: Option<String>,
    /// Column with the entity's own part of the full path; the parts are joined by `/`.
    pub segment: Option<String>,
    /// Tables that hold full paths, tried in this order.
    pub paths: Vec<PathLookup>,
}

/// A table that maps full paths to entities.
#[derive(Debug, Clone, PartialEq)]
pub struct PathLookup {
    pub table: String,
    /// Column with the entity's key.
    pub key: String,
    /// Column with the full path.
    pub path: String,
    pub filter: Vec<Condition>,
    /// A former path: it finds an entity but is not its name.
    pub former: bool,
}

/// Rules that hold wherever a row of the table is written.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRules {
    /// The integer primary key column; `id` where a table has no rules.
    pub key: String,
    pub values: BTreeMap<String, ValueRule>,
}

/// How values of a type are written, where no rule says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValueForm {
    /// As GitLab writes them: times to the millisecond, infinities and NaN as null.
    #[default]
    Gitlab,
    /// With all that the database knows.
    Exact,
}

/// How a column's value is written where its type alone does not say it.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueRule {
    /// An integer written as its name; one without a name stays a number.
    Names(BTreeMap<i64, String>),
    /// NULL is written as this JSON text.
    NullAs(String),
    /// NULL is written as the value of another column of the row.
    NullAsColumn(String),
    /// `{"<field>": null}` where the column is NULL or empty, else `{"<field>": "<text>"}`.
    Object {
        field: String,
        template: Vec<TemplatePart>,
    },
}

/// A piece of a template such as `/avatar/{id}/{avatar}`.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplatePart {
    Text(String),
    Column(String),
}

/// A test on one column of a row. All conditions of a list must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub column: String,
    pub test: Test,
}

/// What a condition asks of the column.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Equal to one of these texts (numbers and booleans in PostgreSQL's text form: `5`, `t`).
    In(Vec<String>),
    Null,
    NotNull,
    /// An integer greater than this.
    Above(i64),
    /// An integer less than this.
    Below(i64),
}

/// The editions of the program that wrote the snapshot; what is EE only is left out of a CE export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Edition {
    Ce,
    #[default]
    Ee,
}

/// A top-level relation: one entry of the manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    pub name: String,
    /// Exported for EE only.
    pub ee: bool,
    pub form: Form,
    /// Whether it may be cut into one file per batch.
    pub batched: bool,
    pub source: Source,
}

/// What a relation's file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `<name>.ndjson.gz`: one object a line.
    Lines,
    /// `<name>.ndjson.gz`: at most one object, without a line end.
    Single,
    /// `<name>.json.gz`: one object without a line end.
    Object,
}

/// Where a relation's records come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Rows of a table linked to the entity.
    Rows(Node),
    /// One object with the largest value of a column per named table; keys without rows are left out.
    Maxima(Vec<Maximum>),
    /// The rows that other relations' records refer to by integer columns of these names.
    Collected(Collected),
}

/// One key of a [`Source::Maxima`] object.
#[derive(Debug, Clone, PartialEq)]
pub struct Maximum {
    pub name: String,
    pub ee: bool,
    pub table: String,
    pub link: Link,
    pub column: String,
}

/// A relation made of the rows that written records refer to.
#[derive(Debug, Clone, PartialEq)]
pub struct Collected {
    /// Column names whose values count, in every table but those of `except_tables`.
    pub columns: Vec<String>,
    /// Tables whose records refer to nobody.
    pub except_tables: Vec<String>,
    /// The node that is written; its single link's `parent` is ignored, its `child` is the key that is looked up.
    pub node: Node,
}

/// A node of the relation tree: rows of one table, linked to the row above.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The JSON key (for a top-level node: the relation's name).
    pub name: String,
    /// Written for EE only.
    pub ee: bool,
    pub table: String,
    /// One object or an array.
    pub many: bool,
    /// Alternatives: a row belongs to the row above if any of them links it. Never empty.
    pub links: Vec<Link>,
    /// Rows reached through a join table: `links` then link the join table's rows.
    pub through: Option<Through>,
    /// Order of the rows, before the primary key, which always comes last.
    pub order: Vec<OrderBy>,
    pub columns: Columns,
    /// Columns, of those that `columns` and `computed` name, which a snapshot may lack without a word.
    pub optional: BTreeSet<String>,
    /// Keys after the columns, in this order.
    pub computed: Vec<Computed>,
    /// Constant objects written in place of a row, by the value of a column of the row above.
    pub instead: Option<Instead>,
    /// Keys after the computed ones, in this order.
    pub nested: Vec<Node>,
}

/// `child` column of the row = `parent` column of the row above, and `filter` holds for the row.
///
/// At the top level the row above is the entity, whose "columns" are `key` and `root` (the key of its root ancestor).
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    pub child: String,
    pub parent: String,
    pub filter: Vec<Condition>,
}

impl Link {
    /// True for a top-level link to the key of the entity's root ancestor rather than to its own.
    pub fn is_to_root(&self) -> bool {
        self.parent == "root"
    }
}

/// A join table between a node and its parent.
#[derive(Debug, Clone, PartialEq)]
pub struct Through {
    pub table: String,
    /// Column of the join table that holds the key of the node's row.
    pub to: String,
    /// Column of the node's table that `to` refers to.
    pub key: String,
}

/// One order key, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderBy {
    pub column: String,
    /// Where NULLs go; ascending integers by value, everything else by bytes.
    pub nulls_last: bool,
}

/// Which columns of a row are written.
#[derive(Debug, Clone, PartialEq)]
pub enum Columns {
    /// All but these; the snapshot's order.
    Except(Vec<String>),
    /// Just these; the snapshot's order.
    Only(Vec<String>),
}

impl Columns {
    pub fn contains(&self, column: &str) -> bool {
        match self {
            Columns::Except(names) => !names.iter().any(|name| name == column),
            Columns::Only(names) => names.iter().any(|name| name == column),
        }
    }
}

/// A key that is not a column of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Computed {
    pub name: String,
    pub value: ComputedValue,
}

/// How a computed key gets its value.
#[derive(Debug, Clone, PartialEq)]
pub enum ComputedValue {
    /// The value of a column of the row (one that `columns` leaves out), by the table's value rules.
    /// The key is left out where the snapshot does not have the column.
    Column(String),
    /// The name of a column's integer.
    Names {
        column: String,
        names: BTreeMap<i64, String>,
    },
    /// `"#1F1E24"` or `"#FFFFFF"`, whichever reads better on the column's colour (after its value rule).
    TextColor { column: String },
    /// A column of the row of another table that is linked to this one, or null where there is none.
    Lookup {
        table: String,
        link: Link,
        column: String,
        without_table: Option<String>,
    },
}

/// Constant objects in place of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Instead {
    /// Integer column of the row above.
    pub column: String,
    /// Compact JSON text by value, written as it stands.
    pub objects: BTreeMap<i64, String>,
}
