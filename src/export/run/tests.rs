//! Whole exports into a store that fails: whatever happens, the manifest tells the truth, and another run goes on.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::export::{BatchObserver, Expected, ExportOptions, Share};
use crate::output::manifest::FILE_NAME;
use crate::output::store::memory::{Fault, MemoryFiles, MemoryStore};
use crate::output::{FolderStore, GzipLevel, Judge, Store, StoreError, layout};
use crate::pipeline::{Edition, Pipeline};
use crate::resolve::{Choice, KindChoice, Limits, Relations, Selection};
use crate::snapshot::OpenOptions;

/// Nobody looks.
struct Unwatched;

impl BatchObserver for Unwatched {
    fn relation(&mut self, _entity: usize, _relation: &str, _rows: u64) {}
    fn rendered(&mut self, _entity: usize, _relation: &str, _rows: u64, _bytes: u64) {}
}

impl ExportObserver for Unwatched {
    fn reading(&mut self, _size: Option<u64>, _read: Arc<std::sync::atomic::AtomicU64>) {}
    fn table(&mut self, _name: &str) {}
    fn writing(&mut self, _expected: Expected) {}
}

/// Relations in batches, as one object, and collected from the others.
const PIPELINE: &str = r#"
pipeline: shop
entity: { kind: Customer, table: customers, key: id, prefix: "customer_{key}", name: company }
relations:
  orders: { table: orders, link: { customer_id: key } }
  profile: { table: customers, form: object, link: { id: key } }
  discount: { table: discounts, form: single, pick: last, order: [percent], without_row: null, link: { customer_id: key } }
  employees:
    table: employees
    collected: { columns: [packed_by_id], except_tables: [employees] }
"#;

/// Customer 5 has three batches of two orders and no discount, customer 6 has one batch and two discounts.
const SHOP: &str = r#"--
-- PostgreSQL database dump
--

-- Dumped from database version 16.1
-- Dumped by pg_dump version 16.1

CREATE TABLE public.customers (id integer NOT NULL, company text NOT NULL);
CREATE TABLE public.discounts (id integer NOT NULL, customer_id integer, percent integer);
CREATE TABLE public.employees (id bigint NOT NULL, name text);
CREATE TABLE public.orders (id integer NOT NULL, customer_id integer, packed_by_id bigint);

COPY public.customers (id, company) FROM stdin;
5	Lamps & Co
6	Chairs Ltd
\.

COPY public.discounts (id, customer_id, percent) FROM stdin;
1	6	20
2	6	10
\.

COPY public.employees (id, name) FROM stdin;
31	Ann
30	Bo
32	Cy
\.

COPY public.orders (id, customer_id, packed_by_id) FROM stdin;
1	5	30
2	5	31
3	6	32
4	5	30
5	5	\N
6	5	30
\.


--
-- PostgreSQL database dump complete
--
"#;

/// The dump of the shop, in a folder of its own.
fn shop() -> (tempfile::TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let dump = temp.path().join("shop.sql");
    std::fs::write(&dump, SHOP).unwrap();
    (temp, dump)
}

/// An export of a customer.
fn request(dump: &Path, customer: i64) -> ExportRequest {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
    ExportRequest {
        redaction: None,
        recipients: None,
        snapshot: dump.to_str().unwrap().into(),
        open: OpenOptions::default(),
        kinds: vec![KindChoice {
            pipeline: Pipeline::parse(PIPELINE, "shop.yml").unwrap(),
            choice: Choice::Named {
                names: vec![customer.to_string()],
                descendants: false,
            },
        }],
        share: Share::default(),
        selection: Selection {
            relations: Relations::All,
            edition: Edition::Ee,
            files: true,
            ..Selection::default()
        },
        options: ExportOptions {
            batched: true,
            batch_size: 2.try_into().unwrap(),
            batch_sizes: Default::default(),
            batch_bytes: None,
            gzip_level: GzipLevel::default(),
            edition: Edition::Ee,
            keep_going: false,
            allow_missing: false,
            strict: false,
        },
        limits: Limits {
            memory: 64 << 20,
            temp_dir: std::env::temp_dir(),
        },
        pool: Arc::new(pool.unwrap()),
        gitlab_version: None,
        source_url: None,
        job: None,
        judge: None,
        interrupted: Arc::default(),
    }
}

fn export(
    request: &ExportRequest,
    store: &MemoryStore,
    begin: Begin,
) -> Result<ExportReport, ExportError> {
    let destination = Destination {
        store: Arc::new(store.clone()),
        begin,
        lock_wait: Duration::ZERO,
    };
    run(request, &destination, &mut Unwatched)
}

/// What an undisturbed run writes.
fn undisturbed(request: &ExportRequest) -> MemoryFiles {
    let store = MemoryStore::default();
    assert!(export(request, &store, Begin::New).unwrap().is_complete());
    store.files()
}

fn manifest(files: &MemoryFiles) -> Option<Manifest> {
    let bytes = files.get(FILE_NAME)?;
    Some(Manifest::parse(bytes, FILE_NAME.to_owned()).unwrap())
}

/// Everything but the manifest, in which times differ.
fn content(files: &MemoryFiles) -> Vec<(&String, &Arc<[u8]>)> {
    let names = files.iter();
    names.filter(|(name, _)| *name != FILE_NAME).collect()
}

/// What the manifest calls finished is there, with its checksum and the content that it should have; and what it
/// calls finished as a whole is the whole.
fn assert_true(case: &str, files: &MemoryFiles, undisturbed: &MemoryFiles) {
    let Some(manifest) = manifest(files) else {
        return;
    };
    let expected = self::manifest(undisturbed).unwrap();
    let entries = |manifest: &Manifest| -> Vec<crate::output::FileEntry> {
        let ledger = Ledger::new(manifest.clone());
        ledger.finished_files().cloned().collect()
    };
    let expected_entries = entries(&expected);
    for entry in entries(&manifest) {
        let file = files.get(&entry.file);
        assert_eq!(file, undisturbed.get(&entry.file), "{case}: {entry:?}");
        assert!(expected_entries.contains(&entry), "{case}: {entry:?}");
    }
    let expected_relations = expected
        .entities
        .iter()
        .flat_map(|entity| &entity.relations);
    for entity in &manifest.entities {
        for (relation, expected) in entity.relations.iter().zip(expected_relations.clone()) {
            if relation.status == Status::Finished {
                let files = relation.files().count();
                assert_eq!(files, expected.files().count(), "{case}: {relation:?}");
            }
        }
    }
    if manifest.status == Status::Finished {
        assert_eq!(content(files), content(undisturbed), "{case}");
    } else {
        assert!(
            manifest.resume.is_some() || manifest.entities.is_empty(),
            "{case}"
        );
    }
}

/// After a run that failed, another one on what it left completes the export with the bytes that an undisturbed run
/// writes.
fn assert_goes_on(
    case: &str,
    request: &ExportRequest,
    left: MemoryFiles,
    undisturbed: &MemoryFiles,
) {
    let is_finished = manifest(&left).is_some_and(|found| found.status == Status::Finished);
    if is_finished {
        // Its end was told, and only then something went wrong.
        assert_eq!(content(&left), content(undisturbed), "{case}");
        return;
    }
    let store = MemoryStore::holding(left);
    let report = export(request, &store, Begin::Resume);
    let report = report.unwrap_or_else(|error| panic!("{case}: {error}"));
    assert!(report.is_complete(), "{case}");
    assert_eq!(content(&store.files()), content(undisturbed), "{case}");
    assert_true(case, &store.files(), undisturbed);
}

/// The ways in which a call fails: once, once though it has had its effect, and from then on.
fn faults(at: u64) -> [Fault; 3] {
    let kind = ErrorKind::ConnectionReset;
    [(false, false), (false, true), (true, false)].map(|(lasts, happens)| Fault {
        at,
        kind,
        lasts,
        happens,
    })
}

/// Makes runs with a fault at call 1, 2, 3, … until a run has no such call any more. `begin` gives each run its store.
/// Returns how many calls there are.
fn with_a_fault_at_every_call(
    request: &ExportRequest,
    begin: Begin,
    new_store: impl Fn() -> MemoryStore,
    mut after: impl FnMut(&str, &MemoryStore, &Result<ExportReport, ExportError>),
) -> u64 {
    for at in 1.. {
        let mut is_hit = false;
        for fault in faults(at) {
            let store = new_store();
            store.set_fault(Some(fault));
            let result = export(request, &store, begin);
            let hit = store.hit();
            store.set_fault(None);
            let case = format!("{fault:?} {hit:?}");
            is_hit |= hit.is_some();
            match (&result, &hit) {
                (Ok(report), _) => assert!(report.is_complete(), "{case}"),
                (Err(error), Some(hit)) => {
                    let said = error.to_string();
                    assert!(said.contains(&format!("cannot {hit}")), "{case}: {said}");
                }
                (Err(error), None) => panic!("{case}: {error}"),
            }
            after(&case, &store, &result);
        }
        if !is_hit {
            return at - 1;
        }
    }
    0
}

#[test]
fn a_folder_and_memory_hold_the_same_files() {
    let (_temp, dump) = shop();
    let request = request(&dump, 5);
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let destination = Destination {
        store: Arc::new(FolderStore::new(&out)),
        begin: Begin::New,
        lock_wait: Duration::ZERO,
    };
    let report = run(&request, &destination, &mut Unwatched).unwrap();
    assert!(report.is_complete());
    let expected = undisturbed(&request);
    // Several batches, several kinds of files.
    assert!(expected.len() > 6, "{:?}", expected.keys());
    for (name, bytes) in content(&expected) {
        assert_eq!(
            &std::fs::read(out.join(name)).unwrap()[..],
            &bytes[..],
            "{name}"
        );
    }
}

#[test]
fn a_relation_without_its_row_is_one_value_and_of_several_rows_the_last_one_of_the_order() {
    let (_temp, dump) = shop();
    let mut one = request(&dump, 5);
    for batched in [true, false] {
        one.options.batched = batched;
        let mut other = request(&dump, 6);
        other.options.batched = batched;
        for (customer, request, expected) in [
            (5, &one, "null"),
            (6, &other, r#"{"id":1,"customer_id":6,"percent":20}"#),
        ] {
            let files = undisturbed(request);
            let packed = &files[&format!("customer_{customer}/discount.ndjson.gz")];
            let mut content = String::new();
            let mut member = flate2::read::GzDecoder::new(&packed[..]);
            std::io::Read::read_to_string(&mut member, &mut content).unwrap();
            assert_eq!(content, expected);
            let manifest = manifest(&files).unwrap();
            let relations = manifest.entities[0].relations.iter();
            let discount = relations
                .clone()
                .find(|it| it.relation == "discount")
                .unwrap();
            assert_eq!(discount.total_objects_count, 1, "customer {customer}");
            assert!(!discount.batched);
        }
    }
}

#[test]
fn after_a_fault_at_any_call_the_manifest_is_true_and_a_resume_completes_the_export() {
    let (_temp, dump) = shop();
    let request = request(&dump, 5);
    let expected = undisturbed(&request);
    let mut kept = 0;
    let calls = with_a_fault_at_every_call(
        &request,
        Begin::New,
        MemoryStore::default,
        |case, store, result| {
            let left = store.files();
            assert_true(case, &left, &expected);
            if result.is_ok() {
                assert_eq!(content(&left), content(&expected), "{case}");
            }
            kept += usize::from(left.keys().any(|name| name.starts_with("customer_5/")));
            assert_goes_on(case, &request, left, &expected);
        },
    );
    assert!(calls > 30, "{calls} calls");
    // More than a few runs left something to go on with.
    assert!(kept > 30, "{kept} runs");
}

#[test]
fn a_resume_that_fails_at_any_call_loses_nothing() {
    let (_temp, dump) = shop();
    let request = request(&dump, 5);
    let expected = undisturbed(&request);
    // What a run leaves that failed at the profile, which comes behind the orders, with a damaged and a stray file.
    let mut begun = MemoryStore::default();
    for at in 1.. {
        begun = MemoryStore::default();
        begun.set_fault(faults(at).first().copied());
        assert!(export(&request, &begun, Begin::New).is_err());
        if begun.hit().as_deref() == Some("commit customer_5/profile.json.gz") {
            break;
        }
    }
    let mut begun = begun.files();
    let damaged = "customer_5/orders/batch_2.ndjson.gz";
    assert!(begun.contains_key(damaged), "{:?}", begun.keys());
    begun.insert(damaged.to_owned(), Arc::from(b"other bytes".as_slice()));
    let stray = "customer_5/orders/batch_9.ndjson.gz";
    begun.insert(stray.to_owned(), Arc::from(b"nobody's".as_slice()));
    let calls = with_a_fault_at_every_call(
        &request,
        Begin::Resume,
        || MemoryStore::holding(begun.clone()),
        |case, store, _| {
            let left = store.files();
            // The manifest is the earlier run's until this one begins to write; the damage is older than both.
            if left.get(damaged) != begun.get(damaged) {
                assert_true(case, &left, &expected);
            }
            assert!(
                left.contains_key("customer_5/orders/batch_1.ndjson.gz"),
                "{case}: {:?}",
                left.keys()
            );
            assert_goes_on(case, &request, left, &expected);
        },
    );
    assert!(calls > 20, "{calls} calls");
}

#[test]
fn an_export_is_replaced_by_a_whole_one_or_not_at_all() {
    let (_temp, dump) = shop();
    let request = request(&dump, 5);
    let expected = undisturbed(&request);
    let older = undisturbed(&self::request(&dump, 6));
    with_a_fault_at_every_call(
        &request,
        Begin::Replace,
        || MemoryStore::holding(older.clone()),
        |case, store, result| {
            let left = store.files();
            match result {
                Ok(_) => assert_eq!(content(&left), content(&expected), "{case}"),
                Err(_) => assert_eq!(left, older, "{case}"),
            }
            let failed = store.failed();
            assert_true(case, &failed, &expected);
            // What came to nothing says why, and has nothing to go on with.
            if manifest(&failed).is_some_and(|manifest| !manifest.entities.is_empty()) {
                assert_goes_on(case, &request, failed, &expected);
            }
        },
    );
}

#[test]
fn without_room_the_manifest_is_true_and_a_resume_completes_the_export() {
    let (_temp, dump) = shop();
    let request = request(&dump, 5);
    let expected = undisturbed(&request);
    let all: usize = expected.values().map(|bytes| bytes.len()).sum();
    let mut kept = 0;
    // Behind the last file comes the last manifest, which needs room beside the one before.
    for room in (0..2 * all).step_by(211) {
        let case = format!("{room} bytes of room");
        let store = MemoryStore::default();
        store.set_room(Some(room));
        let result = export(&request, &store, Begin::New);
        store.set_room(None);
        let left = store.files();
        assert_true(&case, &left, &expected);
        match result {
            Ok(report) => assert!(report.is_complete(), "{case}"),
            Err(error) => assert!(matches!(error, ExportError::Write(_)), "{case}: {error}"),
        }
        kept += usize::from(left.contains_key("customer_5/orders/batch_1.ndjson.gz"));
        assert_goes_on(&case, &request, left, &expected);
    }
    assert!(kept > 3, "{kept} runs kept files");
}

#[test]
fn two_runs_do_not_write_to_one_place() {
    let (_temp, dump) = shop();
    let request = request(&dump, 5);
    let store = MemoryStore::default();
    let held = Store::claim(&store).unwrap();
    let error = export(&request, &store, Begin::New).unwrap_err();
    assert!(
        matches!(error, ExportError::Store(StoreError::InUse { .. })),
        "{error}"
    );
    drop(held);
    assert!(export(&request, &store, Begin::New).is_ok());
    assert!(store.files().contains_key(layout::METADATA));
}

#[test]
fn what_somebody_removes_or_changes_before_the_end_is_not_called_finished() {
    let (_temp, dump) = shop();
    let expected = undisturbed(&request(&dump, 5));
    assert!(expected.len() > 4, "{:?}", expected.keys());
    let files = expected.keys().filter(|name| *name != FILE_NAME);
    for (name, what) in files.flat_map(|name| [(name, "removed"), (name, "changed")]) {
        let store = MemoryStore::default();
        let mut request = request(&dump, 5);
        let (place, file) = (store.clone(), name.clone());
        // A judge is asked when all files are written, before the manifest says so.
        request.judge = Some(Judge::new(move |_| {
            place.meddle(|files| match what {
                "removed" => drop(files.remove(&file)),
                _ => drop(files.insert(file.clone(), Arc::from(&b"another one"[..]))),
            });
            Vec::new()
        }));
        let error = export(&request, &store, Begin::New).unwrap_err();
        let wanted = format!("{name}: the file was {what} after it was written");
        assert!(error.to_string().contains(&wanted), "{name}: {error}");
        let left = store.files();
        assert_eq!(manifest(&left).unwrap().status, Status::Failed, "{name}");
        request.judge = None;
        assert_goes_on(name, &request, left, &expected);
    }
}
