//! A source that finds rows by key, made of a dump: what a server would answer, without one.

use std::collections::{HashMap, HashSet};
use std::ops::{ControlFlow, Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use relexport::export::{
    BatchObserver, Destination, Expected, ExportError, ExportObserver, ExportOptions, ExportReport,
    ExportRequest, Share, run_from,
};
use relexport::output::{Begin, FolderStore, GzipLevel};
use relexport::pipeline::{Edition, Pipeline};
use relexport::resolve::{Choice, KindChoice, Limits, Relations, Selection};
use relexport::snapshot::{
    Access, Block, BlockHead, Catalog, Event, Fields, FileSource, KeyedSource, Kind, OpenOptions,
    Predicate, Query, RowForm, Sink, Snapshot, SnapshotError, SnapshotFacts, TableEnd, TableName,
    TableSize, open,
};

/// What a test makes happen to one query.
pub(crate) enum Fault {
    Refused,
    Lost,
}

/// Says what happens to a query: its number, from 0, and the query.
pub(crate) type Faults = Box<dyn Fn(usize, &Query<'_>) -> Option<Fault> + Send + Sync>;

/// The rows of a table: the columns' names, and the fields of each row as COPY text.
#[derive(Default)]
pub(crate) struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// What was asked of a [`Double`], also after it has gone.
#[derive(Default)]
pub(crate) struct Asked {
    pub queries: AtomicUsize,
    /// Table and predicates of each query.
    pub log: Mutex<Vec<(String, String)>>,
}

/// A keyed source whose rows are those of a dump.
pub(crate) struct Double {
    pub catalog: Arc<Catalog>,
    pub tables: HashMap<TableName, Rows>,
    pub connections: usize,
    /// Rows of a block.
    pub block: usize,
    /// How large it says that each table is.
    pub size: Option<TableSize>,
    pub faults: Faults,
    pub asked: Arc<Asked>,
}

impl Double {
    pub(crate) fn of(dump: &Path) -> Double {
        let Access::Stream(source) = open(&dump.to_str().unwrap().into()).unwrap().access else {
            panic!("{} is no plain dump", dump.display());
        };
        let mut catalog = Arc::default();
        let mut tables: HashMap<TableName, Rows> = HashMap::new();
        let mut take = |event| {
            match event {
                Event::Catalog(known, _) => catalog = known,
                Event::Begin(head) => {
                    tables.entry(head.table.clone()).or_default().columns = head.columns.clone();
                }
                Event::Rows(block) => {
                    let text = std::str::from_utf8(block.bytes()).unwrap();
                    let rows = text.strip_suffix('\n').unwrap().split('\n');
                    let fields = |row: &str| row.split('\t').map(str::to_owned).collect();
                    let table = tables.get_mut(&block.head.table).unwrap();
                    table.rows.extend(rows.map(fields));
                }
                Event::Damage(damage) => panic!("{damage}"),
                Event::End(_) | Event::Keys(_) | Event::DatabaseEnd(_) | Event::Holdings(_) => {}
            }
            ControlFlow::Continue(())
        };
        source.read(&|_| true, &mut take).unwrap();
        Double {
            catalog,
            tables,
            connections: 2,
            block: 2,
            size: None,
            faults: Box::new(|_, _| None),
            asked: Arc::default(),
        }
    }

    pub(crate) fn snapshot(self) -> Snapshot {
        Snapshot {
            kind: Kind::Postgres,
            source: "double".to_owned(),
            size: None,
            progress: Arc::default(),
            access: Access::Keyed(Box::new(self)),
            files: FileSource::None {
                why: "a double holds none".to_owned(),
            },
        }
    }
}

/// An integer as the server compares it; of a text that is none, nothing holds.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// The keys that a predicate names.
fn keys(predicate: &Predicate<'_>) -> HashSet<i64> {
    match predicate {
        Predicate::AnyInteger(_, keys) | Predicate::Holds(_, keys) => {
            keys.iter().copied().collect()
        }
        _ => HashSet::new(),
    }
}

fn holds(predicate: &Predicate<'_>, keys: &HashSet<i64>, field: impl Fn(&str) -> String) -> bool {
    let value = |column: &str| Some(field(column)).filter(|value| value != "\\N");
    match predicate {
        Predicate::AnyInteger(column, _) => value(column.name)
            .and_then(|value| integer(&value))
            .is_some_and(|value| keys.contains(&value)),
        Predicate::AnyOf(columns, lists) => {
            let row: Option<Vec<String>> =
                columns.iter().map(|column| value(column.name)).collect();
            let rows = lists.first().map_or(0, Vec::len);
            row.is_some_and(|row| {
                (0..rows).any(|at| {
                    lists
                        .iter()
                        .zip(&row)
                        .all(|(list, value)| list[at] == *value)
                })
            })
        }
        Predicate::In {
            column,
            values,
            null,
        } => match value(column) {
            Some(value) => values.contains(&value.as_str()),
            None => *null,
        },
        Predicate::NotIn {
            column,
            values,
            null,
        } => match value(column) {
            Some(value) => !values.contains(&value.as_str()),
            None => !*null,
        },
        Predicate::Prefix(column, start) => {
            value(column).is_some_and(|value| value.starts_with(start))
        }
        Predicate::Length(column, length) => {
            value(column).is_some_and(|value| value.chars().count() == *length as usize)
        }
        Predicate::InIgnoringCase(column, texts) => value(column).is_some_and(|value| {
            texts
                .iter()
                .any(|text| text.to_lowercase() == value.to_lowercase())
        }),
        Predicate::Holds(column, _) => value(column).is_some_and(|value| {
            let mut items = value.trim_matches(['{', '}']).split(',');
            items.any(|item| integer(item).is_some_and(|item| keys.contains(&item)))
        }),
        Predicate::Above(column, bound) => value(column)
            .and_then(|value| Some(integer(&value)? > integer(bound)?))
            .unwrap_or_default(),
        Predicate::Below(column, bound) => value(column)
            .and_then(|value| Some(integer(&value)? < integer(bound)?))
            .unwrap_or_default(),
    }
}

impl KeyedSource for Double {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog)
    }

    fn facts(&self) -> SnapshotFacts {
        SnapshotFacts {
            server_version: Some("15.4".to_owned()),
            ..SnapshotFacts::default()
        }
    }

    fn connections(&self) -> usize {
        self.connections
    }

    fn estimate(&self, _table: &TableName) -> Option<TableSize> {
        self.size
    }

    fn is_indexed(&self, table: &TableName, column: &str, _known: &[&str]) -> bool {
        !(table.name == "badges" && column == "group_id")
    }

    fn read(&self, query: &Query<'_>, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let number = self.asked.queries.fetch_add(1, Ordering::Relaxed);
        let asked = (query.table.to_string(), format!("{:?}", query.predicates));
        self.asked.log.lock().unwrap().push(asked);
        match (self.faults)(number, query) {
            None => {}
            Some(Fault::Refused) => {
                return Err(SnapshotError::Refused {
                    table: query.table.to_string(),
                    message: "permission denied".to_owned(),
                    sqlstate: "42501".to_owned(),
                    may_pass: false,
                });
            }
            Some(Fault::Lost) => return Err(SnapshotError::Lost("gone".to_owned())),
        }
        let none = Rows::default();
        let table = self.tables.get(query.table).unwrap_or(&none);
        let place = |column: &str| {
            table
                .columns
                .iter()
                .position(|name| name == column)
                .unwrap()
        };
        let mut rows = Vec::new();
        let keys: Vec<HashSet<i64>> = query.predicates.iter().map(keys).collect();
        assert!(
            !keys.iter().zip(&query.predicates).any(|(keys, predicate)| {
                keys.is_empty() && matches!(predicate, Predicate::AnyOf(..) | Predicate::Holds(..))
            }),
            "a query for no key"
        );
        for row in &table.rows {
            let field = |column: &str| row[place(column)].clone();
            let mut predicates = query.predicates.iter().zip(&keys);
            if predicates.all(|(predicate, keys)| holds(predicate, keys, field)) {
                rows.push(row);
            }
        }
        // A server gives rows in no order.
        rows.reverse();
        let (columns, texts): (&[&str], Vec<String>) = match &query.fields {
            Fields::Columns(columns) => {
                let text = |row: &&Vec<String>| {
                    let fields = columns.iter().map(|column| row[place(column)].as_str());
                    fields.collect::<Vec<_>>().join("\t") + "\n"
                };
                (columns.as_slice(), rows.iter().map(text).collect())
            }
            Fields::Maximum(column) => {
                let values = rows.iter().filter_map(|row| integer(&row[place(column)]));
                let greatest = values.max();
                let text = greatest.map_or("\\N".to_owned(), |value| value.to_string());
                (std::slice::from_ref(column), vec![text + "\n"])
            }
            Fields::Gathered(column, most) => {
                let most = usize::try_from(*most).unwrap();
                let values = rows
                    .iter()
                    .take(most)
                    .map(|row| row[place(column)].as_str());
                let array = format!("{{{}}}\n", values.collect::<Vec<_>>().join(","));
                (std::slice::from_ref(column), vec![array])
            }
        };
        let head = Arc::new(BlockHead {
            table: query.table.clone(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            form: RowForm::CopyText,
        });
        let count = texts.len() as u64;
        if sink(Event::Begin(Arc::clone(&head))).is_break() {
            return Ok(());
        }
        for texts in texts.chunks(self.block) {
            let buffer = Arc::new(texts.concat().into_bytes());
            let block = Block {
                head: Arc::clone(&head),
                range: 0..buffer.len(),
                buffer,
                offset: 0,
                first_row: 0,
                converted: None,
            };
            if sink(Event::Rows(block)).is_break() {
                return Ok(());
            }
        }
        let _ = sink(Event::End(TableEnd {
            table: query.table.clone(),
            rows: count,
            bytes: 0,
        }));
        Ok(())
    }
}

/// Whom to export.
pub(crate) fn named(names: &[&str], descendants: bool) -> Choice {
    Choice::Named {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        descendants,
    }
}

/// An export into a folder.
pub(crate) struct ToFolder {
    request: ExportRequest,
    pub out: PathBuf,
}

impl Deref for ToFolder {
    type Target = ExportRequest;

    fn deref(&self) -> &ExportRequest {
        &self.request
    }
}

impl DerefMut for ToFolder {
    fn deref_mut(&mut self) -> &mut ExportRequest {
        &mut self.request
    }
}

/// A request for an export into a folder, to be changed by the test.
pub(crate) fn request(out: &Path, choice: Choice) -> ToFolder {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .unwrap();
    let request = ExportRequest {
        redaction: None,
        recipients: None,
        snapshot: "double".into(),
        open: OpenOptions::default(),
        kinds: vec![KindChoice {
            pipeline: Pipeline::builtin(),
            choice,
        }],
        share: Share::default(),
        selection: Selection {
            relations: Relations::All,
            edition: Edition::Ee,
            files: true,
            ..Selection::default()
        },
        options: ExportOptions {
            batched: false,
            batch_size: 1000.try_into().unwrap(),
            batch_sizes: Default::default(),
            batch_bytes: None,
            gzip_level: GzipLevel::default(),
            edition: Edition::Ee,
            keep_going: false,
            allow_missing: false,
            strict: false,
        },
        limits: Limits {
            memory: 512 << 20,
            temp_dir: std::env::temp_dir(),
        },
        pool: Arc::new(pool),
        gitlab_version: None,
        source_url: None,
        job: None,
        judge: None,
        interrupted: Arc::default(),
    };
    ToFolder {
        request,
        out: out.to_owned(),
    }
}

/// Runs an export.
pub(crate) fn export(double: Double, to: &ToFolder) -> Result<ExportReport, ExportError> {
    let destination = Destination {
        store: Arc::new(FolderStore::new(&to.out)),
        begin: Begin::New,
        lock_wait: Duration::ZERO,
    };
    run_from(to, &destination, double.snapshot(), &mut Unwatched)
}

/// Nobody looks.
pub(crate) struct Unwatched;

impl BatchObserver for Unwatched {
    fn relation(&mut self, _entity: usize, _relation: &str, _rows: u64) {}
    fn rendered(&mut self, _entity: usize, _relation: &str, _rows: u64, _bytes: u64) {}
}

impl ExportObserver for Unwatched {
    fn reading(&mut self, _size: Option<u64>, _read: Arc<std::sync::atomic::AtomicU64>) {}
    fn table(&mut self, _name: &str) {}
    fn writing(&mut self, _expected: Expected) {}
}
