//! The pipeline file as it is written: one type per shape of YAML, nothing resolved yet.
//!
//! The JSON Schema is derived from these types, so that their doc comments are the descriptions an editor shows.

use schemars::JsonSchema;
use serde::Deserialize;

use super::notation::{ByInteger, LinkFile, NameMap, NamesFile, TreeFile};
use super::scalar::Scalar;
use super::where_file::WhereFile;
use super::yaml::{Entries, Located, OneOrMany, Texts, given};

/// A pipeline: which rows of a database belong to one tenant's export, and how they nest.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "relexport pipeline")]
pub(crate) struct PipelineFile {
    /// The pipeline's name, as the manifest states it.
    pub pipeline: Located<String>,
    /// The schema of tables that are named without one; `public` where it is not given.
    pub schema: Option<Located<String>>,
    /// The tenant that is taken out.
    pub entity: EntityFile,
    /// Other databases than the main one, and the tables that belong to each; partitions follow the table above them.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z_][a-z0-9_]{0,62}$" }))]
    pub databases: Entries<Vec<Located<String>>>,
    /// How the types of columns are written; `gitlab` where it is not given.
    pub values: Option<ValueFormFile>,
    /// Sets of names for integers, referred to by `names`.
    #[serde(default)]
    pub names: Entries<NameMap>,
    /// Nodes, or parts of nodes, that others take in by `use`.
    #[serde(default)]
    pub shapes: Entries<NodeFile>,
    /// Rules that hold wherever a row of the table is written, by table.
    #[serde(default)]
    pub tables: Entries<TableFile>,
    /// Value rules for columns of that name in every table; a table's own rule goes first.
    #[serde(default)]
    pub everywhere: Entries<Located<OneOrMany<ValueFile>>>,
    /// The top-level relations, in the order of the manifest. Their names are file names.
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z0-9_]{1,100}$" }))]
    pub relations: Entries<RelationFile>,
}

/// Which table holds the tenants and how a user names one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Entity")]
pub(crate) struct EntityFile {
    /// What the manifest calls one.
    pub kind: Located<String>,
    /// The table with a row per entity.
    pub table: Located<String>,
    /// Its key column; the table's key where it is not given.
    pub key: Option<Located<Texts>>,
    /// The tenants are schemas, each with tables of its own: those of such names, of which `*` stands for any text.
    pub schema: Option<Located<String>>,
    /// Which rows of the table are entities at all.
    pub r#where: Option<WhereFile>,
    /// The folder that an entity's files go to, with `{key}` for its key.
    #[schemars(extend("pattern" = r"\{key\}"))]
    pub prefix: Located<String>,
    /// Column with a name for people.
    pub name: Option<Located<String>>,
    /// Column with the key of the entity above.
    pub parent: Option<Located<String>>,
    /// Column with the array of keys from the root ancestor down to the entity itself.
    pub ancestors: Option<Located<String>>,
    /// Column with the entity's own part of the full path.
    pub segment: Option<Located<String>>,
    /// Unique text columns of the table, by which an entity may be named; the first one is its full path.
    pub path: Option<Located<Texts>>,
    /// Tables that hold full paths, tried in this order.
    #[serde(default)]
    pub paths: Vec<PathFile>,
    /// The entities of another pipeline that those of this one lie within.
    pub within: Option<WithinFile>,
    /// Entities that are taken only if they are named: what must hold for such a row.
    pub leave_out: Option<WhereFile>,
    /// Columns that a list of the entities shows.
    pub shown: Option<Located<Vec<Located<String>>>>,
}

/// What an entity lies within: an entity of another pipeline of the run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Within")]
pub(crate) struct WithinFile {
    /// The name of the other pipeline.
    pub pipeline: Located<String>,
    /// The column with the key of the entity that this one lies within. The key may be that of a row that is no entity.
    pub column: Located<String>,
}

/// A table that maps full paths to entities.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Path")]
pub(crate) struct PathFile {
    pub table: Located<String>,
    /// Column with the entity's key.
    pub key: Located<String>,
    /// Column with the full path.
    pub path: Located<String>,
    pub r#where: Option<WhereFile>,
    /// A former path: it finds an entity but is not its name.
    #[serde(default)]
    pub former: bool,
}

/// Rules for one table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Table")]
pub(crate) struct TableFile {
    /// The columns that tell the rows apart; `none` if nothing does. Where it is not given it is `id`, or else the
    /// primary key that the snapshot states.
    pub key: Option<Located<Texts>>,
    /// What the table was called before: where a snapshot lacks it, the first of these that is there is read.
    pub formerly: Option<Located<Texts>>,
    /// How columns are written whose type alone does not say it.
    #[serde(default)]
    pub values: Entries<Located<OneOrMany<ValueFile>>>,
}

/// How a column's value is written. Of a list the first rule counts whose `when` holds; if none does, the value is written
/// as its type says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Value")]
pub(crate) struct ValueFile {
    /// What must hold for the row, if the rule stands in a list. A column of a row further up is written with the name of its
    /// node: `merge_request_diff.stored_externally`.
    pub when: Option<WhereFile>,
    /// Integers are written as names; one without a name stays a number.
    pub names: Option<Located<NamesFile>>,
    /// NULL is written as this value.
    pub null_as: Option<Located<Scalar>>,
    /// NULL is written as the value of this column of the row.
    pub null_as_column: Option<Located<String>>,
    /// The value is written as an object with this one key: null where the column is NULL or empty, else the `template`.
    pub object: Option<Located<String>>,
    /// The text under the key of `object`, with `{column}` for a column of the row.
    pub template: Option<Located<String>>,
    /// This value is written.
    #[serde(default, deserialize_with = "given")]
    pub constant: Option<Located<Scalar>>,
    /// This JSON text is written.
    pub json: Option<Located<String>>,
    /// The value of this column of the row is written.
    pub column: Option<Located<String>>,
    /// This text is written, with `{column}` for a column of the row.
    pub text: Option<Located<String>>,
    /// The `text` is written as its digest, in lower-case hex.
    pub digest: Option<DigestFile>,
    /// The value of a key of a nested row: the nested keys and the key, joined by dots; the first row of each counts.
    pub of: Option<Located<String>>,
    /// The number of rows under this nested key.
    pub count: Option<Located<String>>,
    /// A part of a path as words.
    pub title: Option<Located<TitleFile>>,
    /// The column's text is YAML as Ruby writes it, and is written as JSON. What cannot be read is null, and counted.
    pub yaml: Option<Located<YamlFile>>,
    /// The column's text stands for bytes in any encoding: as they are, or as base64.
    pub bytes: Option<Located<BytesFile>>,
    /// The value lies in a file that a backup holds beside its databases. Where there is no such file it is an empty text, and
    /// counted as missing.
    pub file: Option<Located<FileSliceFile>>,
    /// The value is what a project's repository says, in a backup that holds it; else null.
    pub repository: Option<Located<RepositoryFile>>,
}

/// A part of a file of external diffs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FileSlice")]
pub(crate) struct FileSliceFile {
    /// The path of the file, with `{column}` for a column of the row.
    pub path: Located<String>,
    /// The columns of the row with the position of the part's first byte, and with the number of its bytes.
    pub offset: Located<String>,
    pub size: Located<String>,
    /// How the part stands for bytes.
    pub bytes: Option<BytesFile>,
}

/// What a project's repository says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Repository")]
pub(crate) struct RepositoryFile {
    /// The column with the project's id.
    pub project: Located<String>,
    /// The column with the name of a branch, of which the value is the object id; where it is not given the value is the
    /// name of the default branch.
    pub branch: Option<Located<String>>,
}

/// How a column's YAML is read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Yaml")]
pub(crate) struct YamlFile {
    /// What the text has to hold: `anything` (where it is not given), a `mapping`, or a mapping with one of these tags.
    pub root: Option<Located<Texts>>,
    /// Tags of Ruby that mappings may have, and under which of their keys the values lie; null for the mapping itself. No
    /// object is made of a tag. Any other tag makes the whole text unreadable.
    #[serde(default)]
    pub tags: Entries<Located<Scalar>>,
    /// A printed Ruby hash (`{:a=>1}`) is read, too.
    #[serde(default)]
    pub printed_hash: bool,
    /// The keys that are written, in this order: null for one that the text lacks; others are dropped.
    pub keys: Option<Vec<Located<String>>>,
    /// Keys behind those, as the value of one of them says.
    pub by: Option<Located<KeysByFile>>,
}

/// Keys that depend on a value.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KeysBy")]
pub(crate) struct KeysByFile {
    /// The key of the value; one of `keys`.
    pub key: Located<String>,
    /// What a missing or unknown value is taken for, and written as.
    pub default: Located<String>,
    /// The keys for each value.
    pub more: Entries<Vec<Located<String>>>,
}

/// How a text stands for bytes.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Bytes")]
pub(crate) struct BytesFile {
    /// The text is base64; one that is not is taken as it is.
    #[serde(default)]
    pub base64: bool,
    /// NULL, and a text of nothing but white space, is an empty text.
    #[serde(default)]
    pub blank_as_empty: bool,
}

/// What a text is digested with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Digest")]
pub(crate) enum DigestFile {
    Sha1,
}

/// A part of a path as words: of `/api/0/projects/my-org/shop/` behind `/api/0/projects/` the first is `My Org`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Title")]
pub(crate) struct TitleFile {
    /// The column with the path, or with an address that has one.
    pub column: Located<String>,
    /// What the parts stand behind.
    pub behind: Located<String>,
    /// Which of the parts, from 1.
    pub part: Located<usize>,
}

/// A top-level relation: one entry of the manifest. It has `table` (rows linked to the entity), `table` and
/// `collected` (rows that other records refer to) or `maxima` (one object of largest values).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Relation")]
pub(crate) struct RelationFile {
    /// `ee`: left out of a CE export.
    pub edition: Option<EditionFile>,
    /// What the file looks like; `lines` where it is not given, `object` for `maxima`.
    pub form: Option<Located<FormFile>>,
    /// The rows say which files of a backup are packed into an archive, in place of `form`.
    pub files: Option<Located<ArchiveFile>>,
    /// Whether it may be cut into batches; `true` for rows in `lines` where it is not given.
    pub batched: Option<Located<bool>>,
    /// One object with the largest value of a column per key; keys without rows are left out.
    pub maxima: Option<Located<Entries<MaximumFile>>>,
    /// The rows that written records refer to.
    pub collected: Option<Located<CollectedFile>>,
    /// The table with the rows.
    pub table: Option<Located<String>>,
    /// What links a row to the entity, whose columns are `key` and `root` (the key of its root ancestor).
    pub link: Option<Located<OneOrMany<LinkFile>>>,
    /// What must hold for a row, whichever link it comes by.
    pub r#where: Option<WhereFile>,
    /// A join table between the rows and the entity.
    pub through: Option<Located<ThroughFile>>,
    /// Tables between the rows and the entity, from the rows outwards; `link` then links the rows to the first one.
    pub via: Option<Located<Vec<ViaFile>>>,
    /// Rows below a row are written in it, at any depth: the column that holds the key of the row above.
    pub tree: Option<Located<TreeFile>>,
    /// Columns by which the rows are ordered before their key, each with ` desc`, ` nulls first` or ` nulls last` behind it.
    pub order: Option<Vec<Located<String>>>,
    /// How the rows of a batch's file are ordered, where that is not `order`.
    pub batch_order: Option<Located<BatchOrderFile>>,
    /// Which of several rows a relation of one object is; where it is not given, several are an error.
    pub pick: Option<Located<PickFile>>,
    /// What is written of a relation of one object where there is no row; nothing where it is not given.
    #[serde(default, deserialize_with = "given")]
    pub without_row: Option<Located<Scalar>>,
    /// Only these columns are written; a `?` behind one says that a snapshot may lack it.
    pub only: Option<Located<Vec<Located<String>>>>,
    /// All columns but these are written; a `?` behind one says that a snapshot may lack it.
    pub except: Option<Located<Vec<Located<String>>>>,
    /// Columns that are written for EE only.
    pub ee_columns: Option<Vec<Located<String>>>,
    /// Columns that are written under other keys.
    pub r#as: Option<Entries<Located<String>>>,
    /// How columns are written, before what the rules of the table say.
    pub values: Option<Entries<Located<OneOrMany<ValueFile>>>>,
    /// Columns whose values are those of a nested row, where there is one.
    pub overlay: Option<Located<OverlayFile>>,
    /// Keys after the columns.
    pub computed: Option<Entries<Located<ComputedFile>>>,
    /// Keys after the computed ones.
    pub nested: Option<Entries<NodeFile>>,
}

/// Rows of one table, linked to the row above. A key that is given here replaces that of the shape in `use`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Node")]
pub(crate) struct NodeFile {
    /// The shape that is taken in.
    pub r#use: Option<Located<String>>,
    /// `ee`: left out of a CE export.
    pub edition: Option<EditionFile>,
    /// The table of the one row: an object, and no key at all where there is no row.
    pub one: Option<Located<String>>,
    /// The table of the rows: an array, which is empty where there is none.
    pub many: Option<Located<String>>,
    /// What links a row to the row above; any of a list.
    pub link: Option<Located<OneOrMany<LinkFile>>>,
    /// What must hold for a row, whichever link it comes by.
    pub r#where: Option<WhereFile>,
    /// A join table between the rows and the row above.
    pub through: Option<Located<ThroughFile>>,
    /// Tables between the rows and the row above, from the rows outwards; `link` then links the rows to the first one.
    pub via: Option<Located<Vec<ViaFile>>>,
    /// Rows below a row are written in it, at any depth: the column that holds the key of the row above.
    pub tree: Option<Located<TreeFile>>,
    /// Columns by which the rows are ordered before their key, each with ` desc`, ` nulls first` or ` nulls last` behind it.
    pub order: Option<Vec<Located<String>>>,
    /// Which of several rows a `one` is; `first` where it is not given.
    pub pick: Option<Located<PickFile>>,
    /// Only these columns are written; a `?` behind one says that a snapshot may lack it.
    pub only: Option<Located<Vec<Located<String>>>>,
    /// All columns but these are written; a `?` behind one says that a snapshot may lack it.
    pub except: Option<Located<Vec<Located<String>>>>,
    /// Columns that are written for EE only.
    pub ee_columns: Option<Vec<Located<String>>>,
    /// Columns that are written under other keys.
    pub r#as: Option<Entries<Located<String>>>,
    /// How columns are written, before what the rules of the table say.
    pub values: Option<Entries<Located<OneOrMany<ValueFile>>>>,
    /// Columns whose values are those of a nested row, where there is one.
    pub overlay: Option<Located<OverlayFile>>,
    /// Columns that must equal the first of these columns of rows above that is not NULL; one of a row further up is written
    /// with the name of its node: `merge_requests.target_project_id`.
    pub r#match: Option<Entries<Located<Texts>>>,
    /// Keys and values of the object that a `one` is where there is no row: those of its columns and computed keys, null for
    /// those that are not named; a `many` below it is empty.
    pub without_row: Option<Located<Constant>>,
    /// Keys after the columns.
    pub computed: Option<Entries<Located<ComputedFile>>>,
    /// Constant objects in place of a row.
    pub instead: Option<InsteadFile>,
    /// Keys after the computed ones.
    pub nested: Option<Entries<NodeFile>>,
}

/// A join table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Through")]
pub(crate) struct ThroughFile {
    /// The join table; `link` then links its rows to the row above.
    pub table: Located<String>,
    /// Its column, or columns, that refer to the node's row.
    pub to: Located<Texts>,
    /// What `to` refers to; the key of the node's table where it is not given.
    pub key: Option<Located<Texts>>,
}

/// A table between rows and the row above.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Via")]
pub(crate) struct ViaFile {
    pub table: Located<String>,
    /// What links its rows to those of the next table, or to the row above; any of a list.
    pub link: Option<Located<OneOrMany<LinkFile>>>,
    /// What must hold for a row of the table, whichever link it comes by.
    pub r#where: Option<WhereFile>,
}

/// A key that is not a column: one of `column` (with `names` for an integer's name, or a `value`), `constant`, `text_color`,
/// `lookup`, `of` or `first`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Computed")]
pub(crate) struct ComputedFile {
    /// The column whose value it is; a `?` behind it says that a snapshot may lack it.
    pub column: Option<Located<String>>,
    /// The names of the column's integers.
    pub names: Option<Located<NamesFile>>,
    /// A value that is the same in every row.
    #[serde(default, deserialize_with = "given")]
    pub constant: Option<Located<Scalar>>,
    /// A column with a colour (`#rgb` or `#rrggbb`): black or white, whichever reads better on it.
    pub text_color: Option<Located<String>>,
    /// Another table, of whose linked row `column` is the value; null where there is no row.
    pub lookup: Option<Located<String>>,
    /// What links the other table's row to this one.
    pub link: Option<Located<LinkFile>>,
    /// The column of this row whose value is taken where the snapshot lacks the other table.
    pub without_table: Option<Located<String>>,
    /// What is written where there is no row of the other table; null where it is not given.
    pub without_row: Option<Located<Scalar>>,
    /// How the column's value is written, in place of the table's rules.
    pub value: Option<Located<OneOrMany<ValueFile>>>,
    /// The value of a key of a nested row: the nested keys and the key, joined by dots; the first row of each counts.
    pub of: Option<Located<String>>,
    /// The first of these that is not null; an integer without a name counts as null.
    pub first: Option<Vec<Located<ComputedFile>>>,
    /// The value is written as an object with this one key.
    pub object: Option<Located<String>>,
    /// The key stands behind the nested ones.
    #[serde(default)]
    pub last: bool,
    /// The key is left out, and counted, where its value is null.
    #[serde(default)]
    pub unless_null: bool,
}

/// Columns whose values are those of a nested row.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Overlay")]
pub(crate) struct OverlayFile {
    /// The nested key, of a `one` whose table has columns of these names.
    pub nested: Located<String>,
    pub columns: Vec<Located<String>>,
}

/// How the rows of a batch's file are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "BatchOrder")]
pub(crate) enum BatchOrderFile {
    /// By their key alone.
    Key,
}

/// Constant objects by the value of a column of the row above.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Instead")]
pub(crate) struct InsteadFile {
    /// Integer column of the row above.
    pub column: Located<String>,
    /// The objects, by value of that column.
    pub objects: ByInteger<Constant>,
}

/// One key of a `maxima` object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Maximum")]
pub(crate) struct MaximumFile {
    /// `ee`: left out of a CE export.
    pub edition: Option<EditionFile>,
    pub table: Located<String>,
    /// What links a row to the entity, or to the first table of `via`.
    pub link: Option<Located<LinkFile>>,
    /// What must hold for a row.
    pub r#where: Option<WhereFile>,
    /// Tables between the rows and the entity, from the rows outwards.
    pub via: Option<Located<Vec<ViaFile>>>,
    /// The column whose largest value is written.
    pub column: Located<String>,
}

/// Which columns of written records refer to the rows of a relation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Collected")]
pub(crate) struct CollectedFile {
    /// The column that is referred to; the table's key where it is not given.
    pub key: Option<Located<String>>,
    /// Names of the referring columns, which count in every table, whether they are written or not.
    pub columns: Vec<Located<String>>,
    /// Tables whose records refer to nobody.
    #[serde(default)]
    pub except_tables: Vec<Located<String>>,
}

/// An edition of the program that wrote the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Edition")]
pub(crate) enum EditionFile {
    /// For EE only.
    Ee,
}

/// Which of several rows is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Pick")]
pub(crate) enum PickFile {
    First,
    Last,
}

/// How the types of columns are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ValueForm")]
pub(crate) enum ValueFormFile {
    /// As GitLab writes them: times to the millisecond and with Z, infinities and NaN as null, numbers without trailing zeros.
    Gitlab,
    /// With all that the database knows: microseconds, infinities and NaN, every digit.
    Exact,
}

/// What a relation's file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Form")]
pub(crate) enum FormFile {
    /// One object a line.
    Lines,
    /// At most one object, without a line end.
    Single,
    /// A JSON file with one object.
    Object,
}

/// The archives that a backup's files are packed into, as GitLab does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Archive")]
pub(crate) enum ArchiveFile {
    /// Uploads, by rows with `id`, `path`, `secret`, `store`, `checksum`, `model_id` and `avatar`.
    Uploads,
    /// LFS objects, by rows with `id`, `oid` and, nested as `projects`, `project_id` and `repository_type`.
    LfsObjects,
    /// The repository, by the project's row with `id`, `storage_version` and `repository_storage`.
    Repository,
    /// The repository of designs, by the same row.
    Design,
}

/// An object of plain values, written in place of a row.
pub(crate) type Constant = Entries<Scalar>;
