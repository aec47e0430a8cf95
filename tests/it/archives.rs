//! pg_dump's archives, written by the real program: whatever the format, an export is the same.
//!
//! Needs PostgreSQL (`fixtures/with-postgres` says which). What no pg_dump at hand writes is rewritten from
//! what it does write; libpgdump and pg_restore judge independently.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use proptest::prelude::*;
use relexport::snapshot::kind::archive::CustomStream;
use relexport::snapshot::kind::archive::toc::Toc;
use relexport::snapshot::{Access, Event, Spec, StreamSource, TableName, TableSource, open};

use crate::support::archive::{Archive, Packing};
use crate::support::*;

const MAKE: &str = r#"
set -euo pipefail
export TZ=UTC
root=$1
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --file "$root/fixtures/schema.sql" --file "$root/fixtures/seed.sql"
pg_dump -Fc -f custom
pg_dump -Fc -Z0 -f custom-Z0
pg_dump -Fc -Z9 -f custom-Z9
pg_dump -Fc | cat >custom-piped
pg_dump -Fc --inserts -f custom-inserts
pg_dump -Fc --column-inserts --rows-per-insert=3 -f custom-column-inserts
pg_dump -Fc --load-via-partition-root -f custom-via-root
pg_dump -Fc -t namespaces -t routes -t labels -t users -f custom-partial
pg_dump -Fd -f directory
pg_dump -Fd -Z0 -f directory-Z0
pg_dump -Fd -j2 -f directory-j2
pg_dump -Ft -f tar
pg_dump -Ft | cat >tar-piped
pg_dump16=$root/target/tools/pgserver/pginstall/bin/pg_dump
[ -x "$pg_dump16" ] || { echo "there is no pg_dump 16; run fixtures/install-tools" >&2; exit 1; }
"$pg_dump16" -Fc -f custom-16
"$pg_dump16" -Fc | cat >custom-16-piped
"$pg_dump16" -Fd -f directory-16
"$pg_dump16" -Ft -f tar-16
for folder in directory directory-Z0; do
  tar -cf "$folder.tar" "$folder"
  tar -cf "$folder-here.tar" -C "$folder" .
  tar -cf "$folder-first.tar" "$folder/toc.dat" $(find "$folder" -name '[0-9]*.dat*')
  tar -cf "$folder-last.tar" $(find "$folder" -name '[0-9]*.dat*') "$folder/toc.dat"
done
pg_restore -l custom >list
mkdir rows
for table in $(sed -nE 's/.* TABLE DATA public ([a-z_0-9]+) .*/\1/p' list); do
  pg_restore --data-only -n public -t "$table" -f "rows/$table" custom
done
psql --no-psqlrc --quiet --output /dev/null --command "SELECT lo_from_bytea(0, repeat('x', 100000)::bytea) FROM generate_series(1, 3)"
pg_dump -Fc -f custom-large-objects
pg_dump -Fc | cat >custom-large-objects-piped
pg_dump -Fd -f directory-large-objects
pg_dump -Ft -f tar-large-objects
"#;

/// A folder with archives of the fixture instance, made once.
static ARCHIVES: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("archives");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let made = Command::new(project("fixtures/with-postgres"))
        .args(["bash", "-c", MAKE, "make"])
        .arg(project(""))
        .current_dir(&folder)
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{complaints}");
    folder
});

pub(crate) fn archive(name: &str) -> PathBuf {
    ARCHIVES.join(name)
}

/// An export of all groups of a snapshot, given by name or on standard input.
fn export(dir: &Dir, snapshot: &Path, is_piped: bool) -> Program {
    let export = match is_piped {
        true => dir.export("-").stdin(File::open(snapshot).unwrap()),
        false => dir.export(snapshot),
    };
    export.args(["--all-groups"])
}

/// Asserts that an export of `snapshot` is byte for byte what it must be.
fn assert_exports(snapshot: &Path, is_piped: bool) {
    let name = format!("{}, piped: {is_piped}", snapshot.display());
    let dir = Dir::new();
    let run = export(&dir, snapshot, is_piped).ok();
    assert_same_files(&name, &run.contents(), &expected_files(&GROUPS));
}

#[test]
fn every_format_that_pg_dump_writes_gives_the_same_export() {
    let names = [
        "custom",
        "custom-Z0",
        "custom-Z9",
        "custom-piped",
        "custom-inserts",
        "custom-column-inserts",
        "custom-via-root",
        "custom-16",
        "custom-16-piped",
        "directory",
        "directory-Z0",
        "directory-j2",
        "directory-16",
        "tar",
        "tar-piped",
        "tar-16",
    ];
    for name in names {
        assert_exports(&archive(name), false);
    }
}

#[test]
fn large_objects_are_stepped_over() {
    for format in ["custom", "directory", "tar"] {
        assert_exports(&archive(&format!("{format}-large-objects")), false);
    }
    let piped = archive("custom-large-objects-piped");
    assert_exports(&piped, false);
    assert_exports(&piped, true);
    assert_exports(&archive("tar-large-objects"), true);
}

#[test]
fn archives_are_read_from_standard_input() {
    let names = [
        "custom",
        "custom-Z0",
        "custom-piped",
        "custom-inserts",
        "tar",
    ];
    for name in names {
        assert_exports(&archive(name), true);
    }
}

#[test]
fn the_tar_of_a_folder_is_read_as_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["directory", "directory-Z0"] {
        for order in ["", "-here", "-first", "-last"] {
            let tar = archive(&format!("{name}{order}.tar"));
            assert_exports(&tar, false);
            let bytes = fs::read(&tar).unwrap();
            let (gzip, zstd) = (folder.path().join("tgz"), folder.path().join("tar.zst"));
            let mut encoder = flate2::write::GzEncoder::new(
                File::create(&gzip).unwrap(),
                flate2::Compression::fast(),
            );
            std::io::Write::write_all(&mut encoder, &bytes).unwrap();
            encoder.finish().unwrap();
            fs::write(&zstd, zstd::encode_all(&bytes[..], 1).unwrap()).unwrap();
            for packed in [&gzip, &zstd] {
                assert_exports(packed, false);
            }
            // A stream shows the table of contents only once.
            match order {
                "-first" => {
                    assert_exports(&tar, true);
                    assert_exports(&gzip, true);
                }
                "-last" => {
                    export(&Dir::new(), &gzip, true)
                        .fails(3, &["save the tar to a file"])
                        .left_nothing();
                }
                _ => {}
            }
        }
    }
}

#[test]
fn every_version_and_compression_gives_the_same_export() {
    let original = Archive::take_apart(&fs::read(archive("custom")).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (12, Packing::Gzip),
        (13, Packing::None),
        (14, Packing::Gzip),
        (15, Packing::Gzip),
        (15, Packing::Lz4),
        (16, Packing::Zstd),
        (16, Packing::None),
    ];
    for (minor, packing) in cases {
        let path = folder.path().join(format!("{minor}-{packing:?}.dump"));
        fs::write(&path, original.custom(minor, packing, true)).unwrap();
        assert_second_reader_agrees(&original, &path, minor, packing);
        assert_exports(&path, false);
        fs::write(&path, original.custom(minor, packing, false)).unwrap();
        assert_exports(&path, false);
        assert_exports(&path, true);
        let path = folder.path().join(format!("{minor}-{packing:?}"));
        original.folder(minor, packing, &path);
        assert_exports(&path, false);
    }
}

/// libpgdump finds the same entries and data in what was rewritten.
fn assert_second_reader_agrees(original: &Archive, path: &Path, minor: u8, packing: Packing) {
    let name = path.display();
    let second = libpgdump::load(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let version = second.version();
    assert_eq!((version.major, version.minor), (1, minor), "{name}");
    let compression = match packing {
        Packing::None => libpgdump::CompressionAlgorithm::None,
        Packing::Gzip => libpgdump::CompressionAlgorithm::Gzip,
        Packing::Lz4 => libpgdump::CompressionAlgorithm::Lz4,
        Packing::Zstd => libpgdump::CompressionAlgorithm::Zstd,
    };
    assert_eq!(second.compression(), compression, "{name}");
    let dropped = usize::from(minor == 12);
    assert_eq!(
        second.entries().len() + dropped,
        original.entries.len(),
        "{name}"
    );
    for (dump_id, data) in &original.data {
        let found = second.entry_data(*dump_id as i32);
        assert!(found == Some(data), "{name}: data of {dump_id}");
    }
}

/// The rows of a table, part by part in the order of the TOC.
fn rows(source: &dyn TableSource, table: &TableName) -> Vec<u8> {
    let mut rows = Vec::new();
    for part in source.parts(table) {
        let mut ended = false;
        source
            .read(&part, &mut |event| {
                match event {
                    Event::Rows(block) => rows.extend_from_slice(block.bytes()),
                    Event::End(_) => ended = true,
                    _ => {}
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(ended, "{table}");
    }
    rows
}

fn tables(path: &Path) -> Box<dyn TableSource> {
    match open(&Spec::Path(path.to_owned())).unwrap().access {
        Access::Tables(tables) => tables,
        Access::Stream(_) | Access::Keyed(_) => panic!("{} has no tables to open", path.display()),
    }
}

#[test]
fn tables_hold_the_rows_that_pg_restore_finds() {
    // Rows by the table that they belong to; a partition's belong to its root.
    let source = tables(&archive("custom"));
    let catalog = source.catalog();
    let list = fs::read_to_string(archive("list")).unwrap();
    let mut expected: BTreeMap<TableName, Vec<u8>> = BTreeMap::new();
    let mut parts = 0;
    for line in list.lines().filter(|line| line.contains(" TABLE DATA ")) {
        parts += 1;
        let words: Vec<&str> = line.split(' ').collect();
        let [_, _, _, "TABLE", "DATA", "public", table, _] = words[..] else {
            continue;
        };
        let Ok(sql) = fs::read_to_string(archive("rows").join(table)) else {
            continue;
        };
        let begin = sql.find(" FROM stdin;\n").unwrap() + " FROM stdin;\n".len();
        let rest = &sql[begin..];
        let end = if rest.starts_with("\\.\n") {
            0
        } else {
            rest.find("\n\\.\n").unwrap() + 1
        };
        let name = TableName::public(table);
        let root = catalog.holders(&name).pop().unwrap();
        expected
            .entry(root)
            .or_default()
            .extend_from_slice(&rest.as_bytes()[..end]);
    }
    assert!(expected.len() > 30, "{} tables", expected.len());
    let names = ["custom", "custom-Z0", "custom-piped", "directory", "tar"];
    for archive_name in names {
        let source = tables(&archive(archive_name));
        for (table, expected) in &expected {
            assert!(
                rows(source.as_ref(), table) == *expected,
                "{archive_name}: {table}"
            );
        }
        let catalog = source.catalog();
        let roots = catalog
            .tables()
            .filter(|table| !catalog.is_partition(&table.name));
        let found: usize = roots.map(|table| source.parts(&table.name).len()).sum();
        assert_eq!(found, parts, "{archive_name}");
    }
}

#[test]
fn an_archive_says_what_it_is() {
    let cases = [
        ("custom", "gzip"),
        ("custom-Z0", "none"),
        ("directory", "gzip"),
        ("directory-Z0", "none"),
        ("tar", "none"),
    ];
    for (name, compression) in cases {
        let facts = tables(&archive(name)).facts();
        assert_eq!(facts.compression.as_deref(), Some(compression), "{name}");
        assert!(
            facts
                .archive_version
                .is_some_and(|version| version.starts_with("1."))
        );
        assert_eq!(facts.server_version, facts.dump_version);
        assert!(facts.server_version.is_some() && facts.taken_at.is_some());
    }
}

#[test]
fn tables_that_a_partial_archive_lacks_are_named() {
    let dir = Dir::new();
    let run = export(&dir, &archive("custom-partial"), false).ok();
    for table in ["milestones", "badges", "epics"] {
        assert!(
            run.stderr.contains(&format!("no table {table}")),
            "{}",
            run.stderr
        );
    }
    assert!(run.out.join("group_4351/labels.ndjson.gz").exists());
    assert!(!run.out.join("group_4351/milestones.ndjson.gz").exists());
}

#[test]
fn an_archive_that_is_cut_off_is_never_finished() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["custom", "custom-Z0", "custom-piped", "tar"] {
        let bytes = fs::read(archive(name)).unwrap();
        // In the TOC and in the data. The last third of the tar is restore.sql, which nobody reads.
        for part in [1, 20, 50] {
            let path = folder.path().join(format!("{name}-{part}"));
            fs::write(&path, &bytes[..bytes.len() * part / 100]).unwrap();
            for piped in [false, true] {
                let run = export(&Dir::new(), &path, piped).run();
                let code = run.code.unwrap();
                assert!(
                    ![0, 101].contains(&code),
                    "{name} {part} {piped}: {code}, {}",
                    run.stderr
                );
            }
        }
    }
}

/// Reads a whole archive, all of its tables.
fn read_all(bytes: Vec<u8>) -> bool {
    let stream = CustomStream::new(Box::new(Cursor::new(bytes)), "archive");
    Box::new(stream)
        .read(&|_| true, &mut |_| ControlFlow::Continue(()))
        .is_ok()
}

static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| fs::read(archive("custom-partial")).unwrap());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_cut_archive_is_an_error(cut in any::<prop::sample::Index>()) {
        let cut = cut.index(WHOLE.len());
        prop_assert!(!read_all(WHOLE[..cut].to_vec()));
    }

    #[test]
    fn a_changed_archive_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = WHOLE.clone();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        // Neither may panic, or take long.
        let _ = Toc::read(&mut &bytes[..], None);
        read_all(bytes);
    }
}
