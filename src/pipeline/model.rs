//! A pipeline as types: the relation tree after the file has been read and checked.

use std::collections::{BTreeMap, BTreeSet};

use crate::snapshot::{Catalog, Routing, TableName};

use super::schemas::SchemaPattern;
use super::table_key::TableKey;
use super::value_rule::{ValuePath, ValueRule};

/// A whole pipeline file.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// Its name in the manifest (`group`).
    pub name: String,
    /// SHA-256 of the file's bytes, lower-case hex.
    pub sha256: String,
    pub entity: Entity,
    /// Which tables belong to another database than the main one.
    pub databases: Routing,
    /// How the types of columns are written.
    pub values: ValueForm,
    /// Rules that hold wherever a row of a table is written, by table.
    pub tables: BTreeMap<TableName, TableRules>,
    /// Value rules for columns of a name in every table (`imported_from`).
    pub everywhere: BTreeMap<String, ValueRule>,
    /// In the order of the file, which is the order of the manifest.
    pub relations: Vec<Relation>,
}

impl Pipeline {
    /// What the pipeline says of a table's key.
    pub fn key_of(&self, table: &TableName) -> &TableKey {
        match self.tables.get(table) {
            Some(rules) => &rules.key,
            None => &TableKey::NotSaid,
        }
    }

    /// The names of a table, those that it had before behind its own.
    pub fn names_of<'a>(&'a self, table: &'a TableName) -> impl Iterator<Item = &'a TableName> {
        let rules = self.tables.get(table);
        let formerly = rules.map(|rules| rules.formerly.as_slice());
        std::iter::once(table).chain(formerly.unwrap_or_default())
    }

    /// What the pipeline calls a table of a catalog: its newest name, if it has a former one there. `None` for a table of a
    /// former name beside the one that has its newest name: it is not read.
    pub fn said<'a>(&'a self, table: &'a TableName, catalog: &Catalog) -> Option<&'a TableName> {
        if self.tables.contains_key(table) {
            return Some(table);
        }
        let mut newer = self.tables.iter();
        let newer = newer.find(|(_, rules)| rules.formerly.contains(table));
        match newer {
            None => Some(table),
            Some((name, _)) => catalog.table(name).is_none().then_some(name),
        }
    }

    /// The rule for a column's values: the table's own, else the one for every table.
    pub fn value_rule(&self, table: &TableName, column: &str) -> Option<&ValueRule> {
        let own = self.tables.get(table);
        let own = own.and_then(|rules| rules.values.get(column));
        own.or_else(|| self.everywhere.get(column))
    }

    /// The tables whose rows are written, in order of their names.
    pub fn written_tables(&self) -> Vec<&TableName> {
        fn walk<'a>(node: &'a Node, tables: &mut BTreeSet<&'a TableName>) {
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

    /// True if its entity or one of its relations names a table.
    pub(super) fn reads(&self, table: &TableName) -> bool {
        fn names(node: &Node, table: &TableName) -> bool {
            let mut via = node.via.iter();
            let mut lookups = node.computed.iter().flat_map(|it| it.value.lookups());
            node.table == *table
                || via.any(|step| step.table == *table)
                || lookups.any(|other| other == table)
                || node.nested.iter().any(|nested| names(nested, table))
        }

        let mut paths = self.entity.paths.iter();
        self.entity.table == *table
            || paths.any(|path| path.table == *table)
            || self
                .relations
                .iter()
                .any(|relation| match &relation.source {
                    Source::Rows(node) | Source::Collected(Collected { node, .. }) => {
                        names(node, table)
                    }
                    Source::Maxima(maxima) => maxima.iter().any(|maximum| {
                        let mut via = maximum.via.iter();
                        maximum.table == *table || via.any(|step| step.table == *table)
                    }),
                })
    }
}

/// The tenant that is taken out: which table holds it and how a user names one.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// What the manifest calls one (`Group`).
    pub kind: String,
    pub table: TableName,
    /// Its key column; of none, the key of its table.
    pub key: Option<String>,
    /// Every schema of a name like this that has the table is an entity, rather than every row of the table.
    pub schemas: Option<SchemaPattern>,
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
    /// Columns of the entity's own table whose values name it; the first one is its full path.
    pub path: Vec<String>,
    /// Tables that hold full paths, tried in this order.
    pub paths: Vec<PathLookup>,
    /// The entities of another pipeline that those of this one lie within.
    pub within: Option<Within>,
    /// Which entities are taken only if they are named; of no condition, none.
    pub leave_out: Vec<Condition>,
    /// Columns that a list of the entities shows.
    pub shown: Vec<String>,
}

/// What entities lie within.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// The name of the other pipeline.
    pub pipeline: String,
    /// Column with the key of an entity of that pipeline, or of a row of its table that is none.
    pub column: String,
}

/// A table that maps full paths to entities.
#[derive(Debug, Clone, PartialEq)]
pub struct PathLookup {
    pub table: TableName,
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
    pub key: TableKey,
    /// What the table was called before, the newest name first: where a snapshot lacks it, the first that is there.
    pub formerly: Vec<TableName>,
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

/// A test on one column of a row. All conditions of a list must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub column: String,
    pub test: Test,
}

/// What a condition asks of the column. Values are texts that are read by the column's type (numbers and booleans in
/// PostgreSQL's text form: `5`, `t`).
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Equal to one of the values; or NULL, if `null` says so.
    In { values: Vec<String>, null: bool },
    /// Equal to none of the values; and not NULL, if `null` says so. Without it NULL is let through.
    NotIn { values: Vec<String>, null: bool },
    /// Greater than the one and less than the other, as far as they are given.
    Between {
        above: Option<String>,
        below: Option<String>,
    },
    /// A text that begins like this.
    Prefix(String),
    /// A text of so many characters.
    Length(u32),
}

impl Test {
    /// `IS NULL`
    pub fn null() -> Test {
        Test::In {
            values: Vec::new(),
            null: true,
        }
    }
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
    /// The rows of a batch's file are in the order of their keys, though the relation's one file has another order.
    pub batches_by_key: bool,
    /// Which of several rows a relation of one object is; of none, several are an error.
    pub pick: Option<Pick>,
    /// What is written of a relation of one object where there is no row; of none, nothing.
    pub without_row: Option<String>,
    pub source: Source,
}

impl Relation {
    /// The table of its rows; `None` if it is not made of rows.
    pub fn table(&self) -> Option<&TableName> {
        match &self.source {
            Source::Rows(node) | Source::Collected(Collected { node, .. }) => Some(&node.table),
            Source::Maxima(_) => None,
        }
    }
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
    /// `<name>.tar.gz`: files of a backup, which the rows name.
    Archive(Archive),
}

/// The archives that GitLab packs files into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archive {
    Uploads,
    LfsObjects,
    /// One bundle of the project's repository.
    Repository,
    /// One bundle of the repository of the project's designs.
    Design,
}

impl Archive {
    /// True if it is made of many files, and so may be cut into batches.
    pub fn holds_many(self) -> bool {
        match self {
            Archive::Uploads | Archive::LfsObjects => true,
            Archive::Repository | Archive::Design => false,
        }
    }
}

/// Where a relation's records come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Rows of a table linked to the entity.
    Rows(Node),
    /// One object with the largest value of a column per named table; keys without rows are left out.
    Maxima(Vec<Maximum>),
    /// The rows that other relations' records refer to by columns of these names.
    Collected(Collected),
}

/// One key of a [`Source::Maxima`] object.
#[derive(Debug, Clone, PartialEq)]
pub struct Maximum {
    pub name: String,
    pub ee: bool,
    pub table: TableName,
    pub link: Link,
    /// As of a [`Node`].
    pub via: Vec<Via>,
    pub column: String,
}

/// A relation made of the rows that written records refer to.
#[derive(Debug, Clone, PartialEq)]
pub struct Collected {
    /// Column names whose values count, in every table but those of `except_tables`.
    pub columns: Vec<String>,
    /// Those of them that no table of a snapshot need have.
    pub optional: BTreeSet<String>,
    /// Tables whose records refer to nobody.
    pub except_tables: Vec<TableName>,
    /// The node that is written. Its links, or those of the last table of its `via`, are to the collected values.
    pub node: Node,
}

/// A node of the relation tree: rows of one table, linked to the row above.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The JSON key (for a top-level node: the relation's name).
    pub name: String,
    /// Written for EE only.
    pub ee: bool,
    pub table: TableName,
    /// One object or an array.
    pub many: bool,
    /// Alternatives: a row belongs to the row above, or to one of the first table of `via`, if any of them links it.
    /// Never empty.
    pub links: Vec<Link>,
    /// Tables between the rows and the row above, from the rows outwards.
    pub via: Vec<Via>,
    /// Rows below a row of the node, which are written in it under the same keys, at any depth.
    pub tree: Option<Tree>,
    /// Order of the rows, before the primary key, which always comes last.
    pub order: Vec<OrderBy>,
    /// Which of several rows a `one` is.
    pub pick: Pick,
    pub columns: Columns,
    /// Columns that are written under other keys, by their names.
    pub renamed: BTreeMap<String, String>,
    /// Columns, of those that `columns` and `computed` name, which a snapshot may lack without a word.
    pub optional: BTreeSet<String>,
    /// Columns that are written for EE only.
    pub ee_columns: BTreeSet<String>,
    /// Rules for columns, before those of the table.
    pub values: BTreeMap<String, ValueRule>,
    /// Columns whose values are those of a nested row, where there is one.
    pub overlay: Option<Overlay>,
    /// What must hold between the row and those above, beside the links.
    pub matching: Vec<Match>,
    /// The keys and JSON texts of the object that a `one` is where there is no row.
    pub without_row: Option<BTreeMap<String, String>>,
    /// Keys after the columns, in this order.
    pub computed: Vec<Computed>,
    /// Constant objects written in place of a row, by the value of a column of the row above.
    pub instead: Option<Instead>,
    /// Keys after the computed ones, in this order.
    pub nested: Vec<Node>,
}

impl Node {
    /// A node that says no more than whose rows it is made of and how they are found: it writes nothing.
    pub fn bare(name: String, table: TableName, links: Vec<Link>) -> Node {
        Node {
            name,
            ee: false,
            table,
            many: true,
            links,
            via: Vec::new(),
            tree: None,
            order: Vec::new(),
            pick: Pick::First,
            columns: Columns::Only(Vec::new()),
            renamed: BTreeMap::new(),
            optional: BTreeSet::new(),
            ee_columns: BTreeSet::new(),
            values: BTreeMap::new(),
            overlay: None,
            matching: Vec::new(),
            without_row: None,
            computed: Vec::new(),
            instead: None,
            nested: Vec::new(),
        }
    }
}

/// The `child` columns of the row = the `parent` columns of the row above, pair by pair, and `filter` holds for the row.
///
/// At the top level the row above is the entity, whose "columns" are `key` and `root` (the key of its root ancestor). If
/// the entities are schemas, the only link to one is [`Link::to_schema`].
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Of none, the key of the row's table. A pair whose child ends with `?` does not count if one of both tables lacks its
    /// column.
    pub child: Vec<String>,
    /// As many as `child`; of none, the key of the table above.
    pub parent: Vec<String>,
    pub filter: Vec<Condition>,
}

impl Link {
    /// What links every row of a table, for which `filter` holds, to the schema that it stands in.
    pub fn to_schema(filter: Vec<Condition>) -> Link {
        Link {
            child: Vec::new(),
            parent: vec!["schema".to_owned()],
            filter,
        }
    }

    /// The link without the pairs that do not count: those with a `?`, of which one of both tables lacks the column.
    pub fn counted(&self, has: impl Fn(&str) -> bool, has_above: impl Fn(&str) -> bool) -> Link {
        let pairs = self.child.iter().zip(&self.parent);
        let counted = pairs.filter_map(|(child, parent)| match child.strip_suffix('?') {
            None => Some((child.clone(), parent.clone())),
            Some(child) => {
                (has(child) && has_above(parent)).then(|| (child.to_owned(), parent.clone()))
            }
        });
        match self.child.len() == self.parent.len() {
            true => {
                let (child, parent) = counted.unzip();
                Link {
                    child,
                    parent,
                    filter: self.filter.clone(),
                }
            }
            // One end is the key of its table.
            false => self.clone(),
        }
    }

    /// True for a top-level link to a schema that is an entity: it takes every row of the table, and `child` is empty.
    pub fn is_to_schema(&self) -> bool {
        self.parent == ["schema"]
    }

    /// True for a top-level link to the key of the entity's root ancestor rather than to its own.
    pub fn is_to_root(&self) -> bool {
        self.parent == ["root"]
    }
}

/// A table between a node and the row above.
#[derive(Debug, Clone, PartialEq)]
pub struct Via {
    pub table: TableName,
    /// What links its rows to those of the next table of the chain, or to the row above. As of a [`Node`].
    pub links: Vec<Link>,
}

/// Rows of a node's table below other rows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// What links a row to the row above, which is of the same table.
    pub link: Link,
    /// The JSON key that the rows below a row stand under.
    pub name: String,
}

/// Which of several rows is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pick {
    #[default]
    First,
    Last,
}

/// One order key.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderBy {
    pub column: String,
    pub descending: bool,
    /// Where NULLs go. Other values are ordered as those of their type, texts by bytes.
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
    /// The value is written as an object with this one key.
    pub object: Option<String>,
    /// The key stands behind the nested ones.
    pub last: bool,
    /// The key is left out, and counted as unreadable, where its value is null.
    pub unless_null: bool,
}

impl Computed {
    /// A key that is written as it is, behind the columns.
    pub fn plain(name: String, value: ComputedValue) -> Computed {
        Computed {
            name,
            value,
            object: None,
            last: false,
            unless_null: false,
        }
    }
}

/// Columns of a row whose values are taken from a row that is nested in it, where there is one, NULLs included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The nested key, of a `one` whose table has columns of these names.
    pub nested: String,
    pub columns: Vec<String>,
}

/// A column of a row must equal the first of these that is not NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    pub column: String,
    /// Columns of the row above, or, with the name of its node before the dot, of a row further up.
    pub equals: Vec<String>,
}

/// How a computed key gets its value.
#[derive(Debug, Clone, PartialEq)]
pub enum ComputedValue {
    /// The value of a column of the row (one that `columns` leaves out), by the table's value rules.
    /// The key is left out where the snapshot does not have the column.
    Column(String),
    /// This JSON text.
    Constant(String),
    /// The name of a column's integer.
    Names {
        column: String,
        names: BTreeMap<i64, String>,
    },
    /// `"#1F1E24"` or `"#FFFFFF"`, whichever reads better on the column's colour (after its value rule).
    TextColor { column: String },
    /// A column of the row of another table that is linked to this one, or null where there is none.
    Lookup {
        table: TableName,
        link: Link,
        column: String,
        without_table: Option<String>,
        /// Of the column's integers; one without a name stays a number.
        names: Option<BTreeMap<i64, String>>,
        /// The JSON text that is written where there is no row, or no table.
        without_row: Option<String>,
    },
    /// The value of a column, by a rule of its own in place of the table's.
    Ruled { column: String, rule: ValueRule },
    /// The value of a key of a nested row, or null where there is none.
    Of(ValuePath),
    /// The first of these that is not null. An integer without a name counts as null.
    First(Vec<ComputedValue>),
}

impl ComputedValue {
    /// The tables that it looks up rows of.
    pub fn lookups(&self) -> Vec<&TableName> {
        match self {
            ComputedValue::Lookup { table, .. } => vec![table],
            ComputedValue::First(values) => values.iter().flat_map(Self::lookups).collect(),
            ComputedValue::Column(_)
            | ComputedValue::Constant(_)
            | ComputedValue::Names { .. }
            | ComputedValue::TextColor { .. }
            | ComputedValue::Ruled { .. }
            | ComputedValue::Of(_) => Vec::new(),
        }
    }
}

/// Constant objects in place of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Instead {
    /// Integer column of the row above.
    pub column: String,
    /// Compact JSON text by value, written as it stands.
    pub objects: BTreeMap<i64, String>,
}
