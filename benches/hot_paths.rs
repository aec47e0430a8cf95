//! Speed of the paths that every byte goes through: MB/s of what comes in.
//!
//! The claims: splitting rows and testing their keys is faster than any decompression, so that a dump is read at the
//! speed of its decompressor; rendering an epic is faster than compressing it; zlib-rs, whose pieces can be joined,
//! is not far behind a library that takes whole buffers only; and a manifest of thousands of batches is written in
//! milliseconds. Escaping has benches of its own (`values.rs`). Every input is made once and its size checked, so that an
//! empty one cannot look fast.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a bench stops at the first surprise"
)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use relexport::export::Renderer;
use relexport::output::{
    BatchEntry, BatchNumber, BatchStatus, EntityEntry, FileEntry, GzipLevel, Manifest,
    OptionsEntry, PipelineEntry, RelationEntry, SnapshotEntry, Status, atomic, deflate,
};
use relexport::pipeline::{Edition, Pipeline};
use relexport::resolve::{
    Choice, HopToScan, IndexKey, KeySet, KindChoice, Limits, Observer, Plan, Relations, Request,
    ResolveError, Resolved, RowSource, RowStore, ScanFor, Scanner, Selection, plan, resolve,
};
use relexport::snapshot::codec::copy_text;
use relexport::snapshot::{
    Access, Block, BlockHead, FileSource, Kind, PlainDump, RowForm, Snapshot, SnapshotFacts,
    TableName, read_schema,
};

const FIXTURE: &str = include_str!("../fixtures/gitlab.sql");

/// Bytes of a block, as a reader hands them out.
const BLOCK: usize = 1 << 20;

/// The columns of the fixture's notes, in the order of its dump.
fn note_columns() -> Vec<&'static str> {
    let head = FIXTURE
        .lines()
        .find(|line| line.starts_with("COPY public.notes ("))
        .expect("the fixture has notes");
    let list = head.split(['(', ')']).nth(1).expect("a list of columns");
    list.split(", ")
        .map(|column| column.trim_matches('"'))
        .collect()
}

/// A note as a row of COPY text, on the epic with this id.
fn note(columns: &[&str], id: usize, epic: usize) -> String {
    let fields: Vec<String> = columns
        .iter()
        .map(|column| match *column {
            "id" => id.to_string(),
            "note" => format!(
                "Number {id} says: see <b>the issue</b>, \\n\\n* one \"quoted\" item\\n* another; {}",
                "Lorem ipsum dolor sit amet, consectetur. ".repeat(1 + id % 9)
            ),
            "noteable_type" => "Epic".to_owned(),
            "noteable_id" => epic.to_string(),
            "author_id" => (2 + id % 2).to_string(),
            "created_at" | "updated_at" => format!("2023-05-04 11:{:02}:20.42{}", id % 60, id % 10),
            "system" | "internal" => "f".to_owned(),
            "imported_from" => "0".to_owned(),
            _ => "\\N".to_owned(),
        })
        .collect();
    fields.join("\t") + "\n"
}

/// A block of notes, one of ten on epic 21.
fn block() -> Block {
    let columns = note_columns();
    let mut rows = String::new();
    let mut id = 1000;
    while rows.len() < BLOCK {
        let epic = if id % 10 == 0 { 21 } else { 1_000_000 + id };
        rows.push_str(&note(&columns, id, epic));
        id += 1;
    }
    assert!((BLOCK..BLOCK + 2000).contains(&rows.len()));
    let bytes = rows.into_bytes();
    Block {
        head: Arc::new(BlockHead {
            table: TableName::public("notes"),
            columns: columns.into_iter().map(str::to_owned).collect(),
            form: RowForm::CopyText,
        }),
        range: 0..bytes.len(),
        buffer: Arc::new(bytes),
        offset: 0,
        first_row: 0,
        converted: None,
    }
}

/// The same rows as CSV.
fn csv_block(block: &Block) -> Block {
    let mut rows = Vec::new();
    for row in block.bytes().split_inclusive(|byte| *byte == b'\n') {
        let row = row.strip_suffix(b"\n").expect("a whole row");
        for (position, field) in row.split(|byte| *byte == b'\t').enumerate() {
            if position > 0 {
                rows.push(b',');
            }
            let mut value = Vec::new();
            match copy_text::decode(field, &mut value).expect("COPY text") {
                Some(()) if value.iter().any(|byte| b",\"\n".contains(byte)) => {
                    let text = String::from_utf8(value).expect("UTF-8");
                    rows.extend(format!("\"{}\"", text.replace('"', "\"\"")).bytes());
                }
                Some(()) => rows.extend(value),
                None => {}
            }
        }
        rows.push(b'\n');
    }
    assert!((BLOCK / 2..BLOCK).contains(&rows.len()));
    let head = BlockHead {
        form: RowForm::Csv,
        ..BlockHead::clone(&block.head)
    };
    Block {
        head: Arc::new(head),
        range: 0..rows.len(),
        buffer: Arc::new(rows),
        ..block.clone()
    }
}

fn selection() -> Selection {
    Selection {
        relations: Relations::Only(vec!["epics".to_owned()]),
        edition: Edition::Ee,
        files: false,
        ..Selection::default()
    }
}

fn scan(c: &mut Criterion) {
    let block = block();
    let bytes = block.bytes();
    let rows = bytes.iter().filter(|byte| **byte == b'\n').count();
    let fields = block.head.columns.len();
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::BytesDecimal(bytes.len() as u64));
    group.bench_function("COPY rows into fields", |b| {
        let mut places = Vec::with_capacity(fields);
        b.iter(|| {
            let mut found = 0;
            let mut split = copy_text::CopyRows::new(black_box(bytes));
            while split.next_row(&mut places).is_some() {
                found += places.len();
            }
            assert_eq!(found, rows * fields);
        });
    });

    let catalog = read_schema(FIXTURE.as_bytes()).expect("the fixture's schema");
    let plan = plan(&[&Pipeline::builtin()], &selection(), &catalog).expect("a plan of epics");
    let table = plan.table(&block.head.table).expect("epics have notes");
    let definition = catalog.table(&block.head.table).expect("a table of notes");
    let csv = csv_block(&block);
    let cases = [
        ("key filter, one row of ten is kept", &block, 21),
        ("key filter, no row is kept", &block, 22),
        ("CSV, key filter, one row of ten is kept", &csv, 21),
        ("CSV, key filter, no row is kept", &csv, 22),
    ];
    for (name, block, wanted) in cases {
        group.throughput(Throughput::BytesDecimal(block.bytes().len() as u64));
        let keys = (0..1000).map(|other| -other).chain([wanted]);
        let keys = KeySet::of(keys.map(IndexKey::Integer).collect(), true);
        let keys = Arc::new(keys);
        let hops = plan
            .hops_onto(table)
            .map(|id| HopToScan {
                hop: id,
                child: plan.hops[id].child.iter().map(String::as_str).collect(),
                shape: plan.hops[id].shape.clone(),
                tests: &plan.hops[id].tests,
                keys: Some(Arc::clone(&keys)),
                feeds: Vec::new(),
                own_slot: None,
            })
            .collect();
        let purpose = ScanFor::default();
        let scanner = Scanner::new(&plan.tables[table], definition, &block.head, hops, purpose)
            .expect("the head fits the table");
        let kept = scanner.scan(block).ranges.len();
        assert_eq!(kept, if wanted == 21 { rows.div_ceil(10) } else { 0 });
        group.bench_function(name, |b| {
            b.iter(|| black_box(scanner.scan(black_box(block))).rows);
        });
    }
    group.finish();
}

struct Silent;

impl Observer for Silent {
    fn planned(&mut self, _plan: &Plan, _facts: &SnapshotFacts) -> Result<(), ResolveError> {
        Ok(())
    }
    fn table(&mut self, _name: &TableName) {}
}

/// The epics of the fixture's group, the first of them with so many notes more.
fn epic_with_notes(count: usize) -> Resolved {
    let columns = note_columns();
    let head = FIXTURE.find("\nCOPY public.notes (").expect("notes") + 1;
    let rows = head + FIXTURE[head..].find('\n').expect("a line") + 1;
    let mut dump = FIXTURE[..rows].to_owned();
    for id in 0..count {
        dump.push_str(&note(&columns, 900_000 + id, 21));
    }
    dump.push_str(&FIXTURE[rows..]);
    let source = PlainDump::new(Box::new(std::io::Cursor::new(dump)), "fixture", None);
    let snapshot = Snapshot {
        kind: Kind::Plain,
        source: "fixture".to_owned(),
        size: None,
        progress: Arc::default(),
        access: Access::Stream(Box::new(source)),
        files: FileSource::None { why: String::new() },
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("a pool");
    let request = Request {
        kinds: &[KindChoice {
            pipeline: Pipeline::builtin(),
            choice: Choice::Named {
                names: vec!["4351".to_owned()],
                descendants: false,
            },
        }],
        selection: &selection(),
        limits: &Limits {
            memory: 1 << 30,
            temp_dir: std::env::temp_dir(),
        },
        pool: Arc::new(pool),
        interrupted: Arc::default(),
        seal_late: false,
        allow_missing: false,
        strict: false,
        stop_early: false,
    };
    let outcome = resolve(snapshot, &request, &mut Silent).expect("the fixture's rows");
    outcome.resolved
}

fn store_of(resolved: &Resolved) -> &Arc<RowStore> {
    match &resolved.rows {
        RowSource::Kept(store) => store,
        RowSource::Live(_) => panic!("a dump's rows are kept"),
    }
}

fn render(c: &mut Criterion) {
    let resolved = epic_with_notes(2000);
    let renderer = Renderer::new(&resolved, false, false).expect("a renderer");
    let store = store_of(&resolved);
    let epics = renderer
        .top_level(store, 0, &resolved.entities[0])
        .expect("the group's epics");
    let epic: Vec<_> = epics.into_iter().filter(|epic| epic.id == 21).collect();
    let resident = renderer.load(store, 0, &epic).expect("rows in memory");
    let rendered = renderer.render(0, &epic, &resident, true);
    let bytes = rendered.expect("an epic").content.len();
    assert!((1_500_000..4_000_000).contains(&bytes), "{bytes}");
    let mut group = c.benchmark_group("render");
    group.throughput(Throughput::BytesDecimal(bytes as u64));
    group.bench_function("an epic with 2000 notes", |b| {
        b.iter(|| {
            let rendered = renderer.render(0, black_box(&epic), &resident, true);
            assert_eq!(rendered.expect("an epic").content.len(), bytes);
        });
    });
    group.finish();
}

fn gzip(c: &mut Criterion) {
    let resolved = epic_with_notes(2000);
    let renderer = Renderer::new(&resolved, false, false).expect("a renderer");
    let store = store_of(&resolved);
    let epics = renderer
        .top_level(store, 0, &resolved.entities[0])
        .expect("the group's epics");
    let resident = renderer.load(store, 0, &epics).expect("rows in memory");
    let rendered = renderer
        .render(0, &epics, &resident, true)
        .expect("the epics");
    let piece = &rendered.content[..1 << 20];
    let mut group = c.benchmark_group("gzip");
    group
        .throughput(Throughput::BytesDecimal(piece.len() as u64))
        .sample_size(20);
    for level in [1, 6] {
        let ours = GzipLevel::new(level).expect("a level");
        let back = miniz_oxide::inflate::decompress_to_vec(&{
            // The piece ends with a flush, not with a last block; this is an empty one.
            let mut deflated = deflate(piece, ours).deflated;
            deflated.extend([3, 0]);
            deflated
        });
        assert!(back.expect("deflate data") == piece);
        group.bench_with_input(
            BenchmarkId::new("zlib-rs, a piece", level),
            &ours,
            |b, level| {
                b.iter(|| deflate(black_box(piece), *level).deflated.len());
            },
        );
        group.bench_with_input(BenchmarkId::new("libdeflate", level), &level, |b, level| {
            let level = libdeflater::CompressionLvl::new(*level as i32).expect("a level");
            let mut compressor = libdeflater::Compressor::new(level);
            let mut out = vec![0; compressor.gzip_compress_bound(piece.len())];
            b.iter(|| compressor.gzip_compress(black_box(piece), &mut out));
        });
        group.bench_with_input(
            BenchmarkId::new("miniz_oxide", level),
            &level,
            |b, level| {
                b.iter(|| {
                    miniz_oxide::deflate::compress_to_vec(black_box(piece), *level as u8).len()
                });
            },
        );
    }
    group.finish();
}

/// A manifest of one relation in so many batches.
fn manifest(batches: u32) -> Manifest {
    let at = "2026-11-22T10:00:01.204Z";
    let entries = BatchNumber::first(batches).map(|number| BatchEntry {
        status: BatchStatus::Finished,
        batch_number: number,
        objects_count: 50,
        error: None,
        updated_at: at.to_owned(),
        file: Some(FileEntry {
            file: format!("group_4351/epics/batch_{number}.ndjson.gz"),
            bytes: 41_233,
            sha256: "0123456789abcdef".repeat(4),
        }),
    });
    Manifest {
        manifest_version: 1,
        generator: "relexport".to_owned(),
        status: Status::Started,
        started_at: at.to_owned(),
        finished_at: None,
        conditional_put: None,
        job: None,
        error: None,
        snapshot: SnapshotEntry {
            kind: "plain".to_owned(),
            source: "dump.sql".to_owned(),
            server_version: None,
            gitlab_version: None,
            taken_at: None,
            lsn: None,
        },
        suspect: Vec::new(),
        redaction: None,
        encrypted_for: Vec::new(),
        resume: None,
        terms: None,
        pipeline: PipelineEntry {
            name: "group".to_owned(),
            sha256: "0123456789abcdef".repeat(4),
        },
        more_pipelines: Vec::new(),
        options: OptionsEntry {
            batched: true,
            batch_size: 50,
            batch_sizes: Default::default(),
            batch_bytes: None,
            edition: "ee".to_owned(),
        },
        warnings: Vec::new(),
        missing_tables: 0,
        tables_without_data: Vec::new(),
        left_out_relations: Vec::new(),
        tables_in_parts: Vec::new(),
        left_out: Vec::new(),
        metadata: None,
        timings: None,
        entities: vec![EntityEntry {
            id: 4351.into(),
            kind: "Group".to_owned(),
            full_path: "acme/platform".to_owned(),
            prefix: "group_4351".to_owned(),
            parent_id: None,
            missing_parent: None,
            relations: vec![RelationEntry {
                relation: "epics".to_owned(),
                status: Status::Started,
                error: None,
                updated_at: at.to_owned(),
                batched: true,
                batches_count: batches,
                total_objects_count: u64::from(batches) * 50,
                rows_read: None,
                batches: Some(entries.collect()),
                file: None,
                skipped: Vec::new(),
                skipped_count: 0,
                skipped_nested_count: 0,
                notes: Default::default(),
            }],
        }],
    }
}

fn write_manifest(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temp folder");
    let path = folder.path().join("manifest.json");
    let mut group = c.benchmark_group("manifest");
    for batches in [10, 1000, 10_000] {
        let manifest = manifest(batches);
        let bytes = serde_json::to_vec_pretty(&manifest).expect("JSON").len();
        assert!(bytes > batches as usize * 300);
        group.throughput(Throughput::BytesDecimal(bytes as u64));
        group.bench_with_input(
            BenchmarkId::new("batches", batches),
            &manifest,
            |b, manifest| {
                b.iter(|| {
                    let bytes = serde_json::to_vec_pretty(black_box(manifest)).expect("JSON");
                    atomic::replace(&path, &bytes).expect("a temp file");
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, scan, render, gzip, write_manifest);
criterion_main!(benches);
