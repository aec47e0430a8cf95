//! `relexport export` from every kind of snapshot, in every wrapping: always the expected bytes.

use std::fs;
use std::io::Write;

use crate::support::*;

const BACKUP: &str = "fixtures/1700000000_2023_11_14_16.5.1-ee_gitlab_backup.tar";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Two streams one after the other, cut in the middle of a line of data.
fn two(encode: fn(&[u8]) -> Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    let (first, second) = bytes.split_at(bytes.len() * 2 / 3 + 7);
    [encode(first), encode(second)].concat()
}

#[test]
fn every_group_is_as_expected_from_every_kind() {
    let dir = Dir::new();
    let tree = dir.join("backup");
    tar::Archive::new(fs::File::open(project(BACKUP)).unwrap())
        .unpack(&tree)
        .unwrap();
    let kinds = [
        ("plain", project("fixtures/gitlab.sql"), "plain"),
        ("backup", project(BACKUP), "gitlab-backup"),
        ("tree", tree, "gitlab-backup"),
        ("csv", project("fixtures/csv"), "csv"),
    ];
    for (name, snapshot, kind) in kinds {
        let run = dir
            .export_to(&snapshot, dir.join(&format!("all-{name}")))
            .args(["--all-groups"])
            .ok();
        assert_same_files(name, &run.contents(), &expected_files(&GROUPS));
        assert_eq!(run.manifest()["snapshot"]["kind"], kind);
        assert_eq!(
            run.manifest()["snapshot"]["source"],
            snapshot.file_name().unwrap().to_str().unwrap()
        );
        for group in GROUPS {
            let run = dir
                .export_to(&snapshot, dir.join(&format!("{group}-{name}")))
                .group(group)
                .ok();
            assert_same_files(name, &run.contents(), &expected_files(&[group]));
        }
    }
}

#[test]
fn compression_is_told_by_content_and_never_by_name() {
    let dir = Dir::new();
    let dump = dump().into_bytes();
    let wrapped = [
        ("gzip.zst", gzip(&dump)),
        ("gzip two members.lz4", two(gzip, &dump)),
        ("zstd.gz", zstd(&dump)),
        ("zstd two frames.csv", two(zstd, &dump)),
        ("lz4.tar", lz4(&dump)),
        ("lz4 two frames.sql", two(lz4, &dump)),
        ("xz.bz2", xz(&dump)),
        ("bzip2.xz", bzip2(&dump)),
        ("gzip in gzip.gz", gzip(&gzip(&dump))),
        ("zstd in xz in gzip.gz", gzip(&xz(&zstd(&dump)))),
        ("raw_gitlab_backup.tar", dump.clone()),
        ("raw.sql.gz", dump),
    ];
    for (name, bytes) in wrapped {
        let snapshot = dir.write(name, &bytes);
        let run = dir
            .export_to(&snapshot, dir.join(&format!("out {name}")))
            .group(4351)
            .ok();
        assert_same_files(name, &run.contents(), &expected_files(&[4351]));
        // Whose groups are only known by path: rows go by before it is clear whose they are.
        let run = dir
            .export_to("-", dir.join(&format!("piped {name}")))
            .input(bytes)
            .group("acme/platform")
            .ok();
        assert_same_files(name, &run.contents(), &expected_files(&[4351]));
        assert_eq!(run.manifest()["snapshot"]["source"], "-");
    }
}

#[test]
fn a_backup_may_come_through_a_pipe() {
    let dir = Dir::new();
    let run = dir
        .export("-")
        .input(fs::read(project(BACKUP)).unwrap())
        .group(4351)
        .ok();
    assert_same_files("piped tar", &run.contents(), &expected_files(&[4351]));
    assert_eq!(run.manifest()["snapshot"]["gitlab_version"], "16.5.1-ee");
}

#[test]
fn only_the_main_database_of_a_decomposed_backup_is_read() {
    let dir = Dir::new();
    let run = dir.export(project(BACKUP)).group(4351).ok();
    let labels = String::from_utf8(run.content("group_4351/labels.ndjson.gz")).unwrap();
    assert!(!labels.contains("stale"));
}

#[test]
fn a_dump_without_restrict_lines_is_read() {
    let dir = Dir::new();
    let dump = edit(&dump(), "\n\\restrict fixture\n", "\n");
    let dump = edit(&dump, "\n\\unrestrict fixture\n", "\n");
    let run = dir.export_text(&dump).ok();
    assert_same_files("no restrict", &run.contents(), &expected_files(&[4351]));
}

#[test]
fn several_blocks_of_one_table_are_one() {
    let dir = Dir::new();
    let dump = dump();
    // Adjacent: every table that has rows, cut after its first row.
    let mut cut = dump.clone();
    for table in ["labels", "notes", "users", "namespaces", "epics", "events"] {
        let head = copy_block(&dump, table).lines().next().unwrap();
        cut = edit_rows(&cut, table, |rows| {
            let (first, rest) = rows.split_once('\n').unwrap();
            format!("{first}\n\\.\n\n\n{head}\n{rest}")
        });
    }
    let run = dir.export_text(&cut).ok();
    assert_same_files("adjacent", &run.contents(), &expected_files(&[4351]));
}

/// The fixture with the last rows of `table` in a block of their own at the end of the data.
fn interleaved(table: &str) -> String {
    let dump = dump();
    let head = copy_block(&dump, table).lines().next().unwrap().to_owned();
    let mut moved = String::new();
    let dump = edit_rows(&dump, table, |rows| {
        let lines: Vec<&str> = rows.split_inclusive('\n').collect();
        let (first, last) = lines.split_at(lines.len() / 2);
        moved = last.concat();
        first.concat()
    });
    let last = copy_block(&dump, "work_item_parent_links");
    edit(&dump, last, &format!("{last}\n\n{head}\n{moved}\\.\n"))
}

#[test]
fn a_table_in_two_places_is_read_whole() {
    for table in [
        "boards",
        "epics",
        "members",
        "notes",
        "namespaces",
        "routes",
    ] {
        let dir = Dir::new();
        let run = dir.export_text(&interleaved(table)).ok();
        assert_same_files(table, &run.contents(), &expected_files(&[4351]));
    }
}

#[test]
fn a_table_in_two_places_of_a_pipe_is_an_error_and_never_a_gap() {
    let dir = Dir::new();
    for table in [
        "boards",
        "epics",
        "members",
        "notes",
        "namespaces",
        "routes",
    ] {
        let out = dir.join(table);
        let run = dir
            .export_to("-", &out)
            .input(interleaved(table))
            .group(4351)
            .run();
        match run.code {
            Some(0) => assert_same_files(table, &run.contents(), &expected_files(&[4351])),
            code => {
                assert_eq!(code, Some(3), "{}", run.stderr);
                assert!(run.stderr.contains("two places"), "{}", run.stderr);
                assert!(run.stderr.contains(table), "{}", run.stderr);
                assert!(run.stderr.contains("file"), "what to do: {}", run.stderr);
                run.left_nothing();
            }
        }
    }
    // Epics are needed to decide about epics' notes, which come later.
    dir.export("-")
        .input(interleaved("epics"))
        .group(4351)
        .fails(3, &["epics", "two places"]);
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_not_read_twice() {
    let dir = Dir::new();
    let pipe = dir.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let feeder = std::thread::spawn({
        let pipe = pipe.clone();
        // The program may end before it has read everything.
        move || drop(fs::write(pipe, interleaved("epics")))
    });
    dir.export(&pipe)
        .group(4351)
        .fails(3, &["epics", "two places", "save the snapshot to a file"]);
    feeder.join().unwrap();
}

/// A row's fields and a header's columns in reverse order: names decide, not places.
#[test]
fn columns_may_stand_in_any_order_in_the_data() {
    let dir = Dir::new();
    let mut dump = dump();
    for table in ["labels", "notes", "members", "routes", "users", "lists"] {
        let block = copy_block(&dump, table).to_owned();
        let (head, rest) = block.split_once('\n').unwrap();
        let (open, close) = (head.find('(').unwrap(), head.rfind(')').unwrap());
        let reversed = |text: &str, by: &str| text.rsplit(by).collect::<Vec<_>>().join(by);
        let columns = reversed(&head[open + 1..close], ", ");
        let rows: String = rest
            .strip_suffix("\\.\n")
            .unwrap()
            .lines()
            .map(|row| reversed(row, "\t") + "\n")
            .collect();
        let turned = format!("{}({columns}{}\n{rows}\\.\n", &head[..open], &head[close..]);
        dump = edit(&dump, &block, &turned);
    }
    let run = dir.export_text(&dump).ok();
    // The order of the keys is that of the table's definition.
    assert_same_files("reversed", &run.contents(), &expected_files(&[4351]));
}

#[test]
fn rows_of_partitions_are_rows_of_their_table() {
    let dir = Dir::new();
    let dump = dump();
    // labels becomes a table with two partitions in another schema, as pg_dump writes them: rows stand in the leaves.
    let definition = {
        let from = dump.find("\nCREATE TABLE public.labels (").unwrap() + 1;
        let end = dump[from..].find("\n);\n").unwrap() + 4;
        &dump[from..from + end]
    };
    let leaf = |number: u32| {
        definition.replace(
            "CREATE TABLE public.labels (",
            &format!("CREATE TABLE parts.labels_{number} ("),
        )
    };
    let root = definition
        .strip_suffix(";\n")
        .map(|text| format!("{text}\nPARTITION BY RANGE (id);\n"))
        .unwrap();
    let dump_with = edit(
        &dump,
        definition,
        &format!(
            "{root}\n{}\n{}\n\
             ALTER TABLE ONLY public.labels ATTACH PARTITION parts.labels_1 FOR VALUES FROM ('0') TO ('802');\n\
             ALTER TABLE ONLY public.labels ATTACH PARTITION parts.labels_2 FOR VALUES FROM ('802') TO ('9999999');\n",
            leaf(1),
            leaf(2)
        ),
    );
    let block = copy_block(&dump, "labels");
    let (head, rest) = block.split_once('\n').unwrap();
    let (low, high): (Vec<&str>, Vec<&str>) = rest
        .strip_suffix("\\.\n")
        .unwrap()
        .lines()
        .partition(|row| row.split('\t').next().unwrap().parse::<i64>().unwrap() < 802);
    let part = |number: u32, rows: &[&str]| {
        let head = head.replace("public.labels", &format!("parts.labels_{number}"));
        let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
        format!("{head}\n{rows}\\.\n")
    };
    // pg_dump writes leaves by schema and name: parts.… comes before public.…, and so would any schema after it.
    let first = copy_block(&dump, "abuse_report_uploads").to_owned();
    for (name, dump) in [
        (
            "leaves together",
            edit(
                &dump_with,
                block,
                &format!("{}\n{}", part(2, &high), part(1, &low)),
            ),
        ),
        (
            "leaves apart",
            edit(
                &edit(&dump_with, block, &part(2, &high)),
                &first,
                &format!("{}\n{first}", part(1, &low)),
            ),
        ),
    ] {
        let run = dir
            .export_to(dir.write("dump.sql", dump), dir.join(name))
            .group(4351)
            .ok();
        assert_same_files(name, &run.contents(), &expected_files(&[4351]));
    }
}

#[test]
fn same_named_tables_of_other_schemas_are_no_concern() {
    let dir = Dir::new();
    // Decoys of the fixture (schemas sandbox, other, gitlab_partitions_static) behind everything, too.
    let dump = dump();
    let decoy = "COPY sandbox.users (id, name, username, public_email) FROM stdin;\n2\tdecoy\tdecoy\tdecoy\n\\.\n";
    let dump = edit(&dump, decoy, &format!("{decoy}\n\n{decoy}"));
    let run = dir.export_text(&dump).ok();
    assert_same_files("decoys", &run.contents(), &expected_files(&[4351]));
    for (name, content) in run.contents() {
        let text = String::from_utf8(content).unwrap();
        assert!(!text.contains("\"decoy"), "{name}");
    }
}

#[test]
fn csv_files_may_be_wrapped_in_any_mix() {
    let dir = Dir::new();
    let folder = dir.join("csv");
    fs::create_dir(&folder).unwrap();
    for (number, entry) in fs::read_dir(project("fixtures/csv")).unwrap().enumerate() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&path).unwrap();
        let Some((table, _)) = name.split_once(".csv") else {
            fs::write(folder.join(&name), bytes).unwrap();
            continue;
        };
        let plain = if name.ends_with(".gz") {
            gunzip(&bytes)
        } else if name.ends_with(".zst") {
            zstd::decode_all(&bytes[..]).unwrap()
        } else {
            bytes
        };
        let (suffix, bytes) = match number % 3 {
            0 => ("", plain),
            1 => (".gz", two(gzip, &plain)),
            _ => (".zst", two(zstd, &plain)),
        };
        fs::write(folder.join(format!("{table}.csv{suffix}")), bytes).unwrap();
    }
    let run = dir.export(&folder).args(["--all-groups"]).ok();
    assert_same_files("mixed", &run.contents(), &expected_files(&GROUPS));
}
