//! How fast the files of a backup are found and read. Goals: 1 GB/s from a member's place, as plain reads of the file do;
//! 200,000 headers in a second.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a bench stops at the first surprise"
)]

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use relexport::snapshot::{BackupFiles, FileSource, Spec, open_files};
use tar::{EntryType, Header};

/// Bytes of the large member.
const LARGE: u64 = 1 << 30;

/// Members of the tar of many.
const MANY: u64 = 100_000;

fn header(name: &str, size: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// Makes a tar of these members, whose contents are holes.
fn make(path: &Path, members: impl Iterator<Item = (String, u64)>) -> io::Result<()> {
    let mut tar = io::BufWriter::new(File::create(path)?);
    tar.write_all(&header("backup_information.yml", 0))?;
    for (name, size) in members {
        tar.write_all(&header(&name, size))?;
        if size > 0 {
            tar.seek(SeekFrom::Current(size.next_multiple_of(512) as i64))?;
        }
    }
    tar.write_all(&[0; 1024])?;
    tar.flush()
}

fn open(path: &Path) -> Arc<dyn BackupFiles> {
    match open_files(&Spec::Path(path.to_owned()), None) {
        Ok(FileSource::Here(files)) => files,
        _ => panic!("a tar on disk has files"),
    }
}

fn reading(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temp folder");
    let path = folder.path().join("large.tar");
    let name = "repositories/large.bundle";
    make(&path, [(name.to_owned(), LARGE)].into_iter()).expect("a tar");
    let files = open(&path);
    let mut buffer = vec![0; 256 << 10];
    let mut group = criterion.benchmark_group("a member of 1 GiB");
    group.throughput(Throughput::Bytes(LARGE)).sample_size(10);
    group.bench_function("by its name", |bencher| {
        bencher.iter(|| {
            let mut reader = files.open(name, 0..LARGE).expect("it is there");
            while reader.read(&mut buffer).expect("it is whole") > 0 {
                black_box(&buffer);
            }
        });
    });
    group.bench_function("the file, without looking", |bencher| {
        bencher.iter(|| {
            let mut file = File::open(&path).expect("it is there");
            while file.read(&mut buffer).expect("it can be read") > 0 {
                black_box(&buffer);
            }
        });
    });
    group.finish();
}

fn indexing(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temp folder");
    let path = folder.path().join("many.tar");
    let names = (0..MANY).map(|number| (format!("repositories/default/{number:064x}.git/refs"), 0));
    make(&path, names).expect("a tar");
    let mut group = criterion.benchmark_group("headers");
    group.throughput(Throughput::Elements(MANY)).sample_size(10);
    group.bench_function("hopped over", |bencher| {
        bencher.iter(|| {
            open(&path)
                .size_of("repositories/none")
                .expect("it is whole")
        });
    });
    let index = folder.path().join("index");
    let saved = || {
        let opened = open_files(&Spec::Path(path.clone()), Some(&index));
        let Ok(FileSource::Here(files)) = opened else {
            panic!("a tar on disk has files");
        };
        files.size_of("repositories/none").expect("it is whole")
    };
    saved();
    group.bench_function("from their saved index", |bencher| bencher.iter(saved));
    group.finish();
}

criterion_group!(benches, reading, indexing);
criterion_main!(benches);
