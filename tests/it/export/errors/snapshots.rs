//! What is no snapshot, and snapshots that are damaged or cut off.

use super::*;

#[test]
fn what_is_no_snapshot_is_refused() {
    let dir = Dir::new();
    for (name, bytes, says) in [
        (
            "letter.txt",
            &b"Dear Sir or Madam"[..],
            "begins with \"Dear Sir or Mada\"",
        ),
        ("empty.sql", b"", "it is empty"),
        (
            "empty.sql.gz",
            b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0",
            "it is empty",
        ),
        ("archive.zip", b"PK\x03\x04\x14\0\0\0\x08\0", "looked for"),
        ("zeros.sql", &[0; 5000], "looked for"),
        ("program", b"\x7fELF\x02\x01\x01\0", "looked for"),
        ("words.sql", b"SET x = 1;\nSELECT 2;\n", "no table"),
    ] {
        let path = dir.write(name, bytes);
        dir.export(path)
            .group(4351)
            .fails(3, &[name, "is not a snapshot", says])
            .left_nothing();
        dir.export("-")
            .input(bytes)
            .group(4351)
            .fails(3, &["-", "is not a snapshot", says])
            .left_nothing();
    }
}

#[test]
fn text_that_another_program_changed_is_refused() {
    let dir = Dir::new();
    let utf16: Vec<u8> = dump()[..4000]
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    dir.export(dir.write("utf16.sql", [&b"\xff\xfe"[..], &utf16].concat()))
        .group(4351)
        .fails(3, &["utf16.sql", "is not a snapshot"])
        .left_nothing();
}

#[test]
fn line_ends_that_another_program_changed_change_nothing() {
    let dir = Dir::new();
    let run = dir.export_text(&dump().replace('\n', "\r\n")).ok();
    assert_same_files("CR LF", &run.contents(), &expected_files(&[4351]));
}

#[test]
fn folders_and_names_without_a_snapshot_are_refused() {
    let dir = Dir::new();
    let empty = dir.join("empty");
    fs::create_dir(&empty).unwrap();
    dir.export(&empty)
        .group(4351)
        .fails(3, &["empty is not a snapshot", "schema.sql", "backup"])
        .left_nothing();
    dir.write("csv/labels.csv", "id\n");
    dir.export(dir.join("csv"))
        .group(4351)
        .fails(3, &["no schema.sql", "pg_dump --schema-only"])
        .left_nothing();
    dir.export(dir.join("missing.sql"))
        .group(4351)
        .fails(3, &["missing.sql", "no such file", "name a dump"])
        .left_nothing();
    dir.write("data/PG_VERSION", "15\n");
    dir.write("data/global/pg_control", "");
    dir.export(dir.join("data"))
        .group(4351)
        .fails(3, &["PostgreSQL data folder", "pgdata:"])
        .left_nothing();
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    let dir = Dir::new();
    // Nothing listens there, in whatever way addresses are handled.
    let run = dir
        .export("postgres://relexport:hunter2@127.0.0.1:1/gitlab")
        .group(4351)
        .run();
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    run.left_nothing();
}

#[test]
fn a_damaged_archive_is_no_panic() {
    let dir = Dir::new();
    for bytes in [
        &b"PGDMP"[..],
        b"PGDMP\x01\x0e\x00\x04\x08\x01",
        b"PGDMP\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        dir.export(dir.write("dump.pgdump", bytes))
            .group(4351)
            .fails(3, &["dump.pgdump"])
            .left_nothing();
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn checked_zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_cut_stream_is_never_a_whole_one() {
    let dir = Dir::new();
    let dump = dump().into_bytes();
    for (name, bytes) in [
        ("gz", gzip(&dump)),
        ("zst", checked_zstd(&dump)),
        ("sql", dump.clone()),
    ] {
        let cuts = (1..12)
            .map(|part| bytes.len() * part / 12)
            .chain([30, bytes.len() - 20, bytes.len() - 5, bytes.len() - 1])
            // What pg_dump writes last is a comment that says that nothing is missing.
            .filter(|cut| name != "sql" || *cut < bytes.len() - 70);
        for cut in cuts {
            let what = format!("{name} {cut}");
            let path = dir.write(&format!("cut.{name}"), &bytes[..cut]);
            let run = dir.export_to(path, dir.join(&what)).group(4351).run();
            nothing_false(&run);
        }
    }
}

#[test]
fn what_went_by_before_the_cut_is_exported() {
    let dir = Dir::new();
    let dump = dump();
    // In the middle of users, which stand last: everything but the contributors and what names people is there.
    let users = dump.find("\nCOPY public.users (").unwrap();
    let cut = users + dump[users..].find("\n3\t").unwrap() + 9;
    let run = dir.export_text(&dump[..cut]).run();
    only_failed(
        &run,
        &["members", "user_contributions", "epics"],
        &["cut off", "users"],
    );
    let error = run.manifest()["error"].clone();
    let error = error.as_str().unwrap();
    for part in [
        "ends too early",
        "copy or dump it again",
        "users",
        "row 2",
        "byte",
    ] {
        assert!(error.contains(part), "no {part:?}: {error}");
    }
}

#[test]
fn nothing_is_exported_where_the_group_is_not_known_for_sure() {
    let dir = Dir::new();
    let dump = dump();
    // Core's parents are needed for its root: behind a cut inside of namespaces they may be missing.
    let block = dump.find("\nCOPY public.namespaces (").unwrap();
    let first = block + dump[block..].find("\n4352\t").unwrap() + 1;
    let cut = first + dump[first..].find('\n').unwrap() + 1;
    dir.export(dir.write("dump.sql", &dump[..cut]))
        .group(4352)
        .fails(3, &["ends too early", "namespaces", "dump it again"])
        .left_nothing();
}

#[test]
fn a_flipped_byte_leaves_nothing() {
    let dir = Dir::new();
    let dump = dump().into_bytes();
    for (name, bytes) in [("gz", gzip(&dump)), ("zst", checked_zstd(&dump))] {
        for part in 1..20 {
            let place = bytes.len() * part / 20;
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x04;
            let path = dir.write(&format!("flipped.{name}"), damaged);
            let out = dir.join(&format!("{name} {place}"));
            let run = dir.export_to(path, out).group(4351).run();
            assert_eq!(run.code, Some(3), "{name} {place}: {}", run.stderr);
            assert!(run.stderr.contains("copy it again"), "{}", run.stderr);
            run.left_nothing();
        }
        // The checksum at the end alone.
        let mut damaged = bytes.clone();
        let place = if name == "gz" {
            bytes.len() - 8
        } else {
            bytes.len() - 1
        };
        damaged[place] ^= 0x80;
        dir.export(dir.write("checksum", damaged))
            .group(4351)
            .fails(3, &["damaged"])
            .left_nothing();
    }
}

#[test]
fn bytes_behind_the_compressed_stream_are_damage() {
    let dir = Dir::new();
    let bytes = [&gzip(dump().as_bytes())[..], b"and more, but no gzip"].concat();
    dir.export(dir.write("dump.gz", bytes))
        .group(4351)
        .fails(3, &["damaged"])
        .left_nothing();
}

#[test]
fn damage_behind_the_tables_that_are_needed_counts() {
    let dir = Dir::new();
    let dump = edit(&dump(), "\n2\tdecoy\tdecoy\tdecoy\n", "\n2\tdecoy\tdecoy\n");
    dir.export_text(&dump)
        .fails(
            3,
            &[
                "sandbox.users",
                "row 1",
                "too few or too many columns",
                "byte",
            ],
        )
        .left_nothing();
}

#[test]
fn a_csv_file_that_ends_inside_quotes_is_damage() {
    let dir = Dir::new();
    let folder = dir.join("csv");
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(project("fixtures/csv")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let badges = fs::read_to_string(folder.join("badges.csv")).unwrap();
    fs::write(folder.join("badges.csv"), format!("{badges}9999,\"open")).unwrap();
    let run = dir.export(&folder).group(4351).run();
    nothing_false(&run);
    assert!(run.stderr.contains("badges"), "{}", run.stderr);
}

/// A copy of the fixture's CSV files.
fn csv_folder(dir: &Dir) -> std::path::PathBuf {
    let folder = dir.join("csv");
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(project("fixtures/csv")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    folder
}

#[test]
fn a_csv_file_cut_inside_its_last_field_fails_what_needs_it() {
    let dir = Dir::new();
    let folder = csv_folder(&dir);
    let milestones = fs::read(folder.join("milestones.csv")).unwrap();
    // Only the line end is missing: the last field may have been longer.
    fs::write(
        folder.join("milestones.csv"),
        &milestones[..milestones.len() - 1],
    )
    .unwrap();
    let run = dir.export(&folder).group(4351).run();
    nothing_false(&run);
    assert_eq!(run.code, Some(1));
    let error = run.relation("milestones")["error"].to_string();
    for part in ["milestones.csv, row", "has no line end", "copy it again"] {
        assert!(error.contains(part), "no {part:?}: {error}");
    }
}

#[test]
fn files_of_a_csv_folder_that_belong_to_no_table_are_named() {
    let dir = Dir::new();
    let folder = csv_folder(&dir);
    fs::rename(folder.join("badges.csv"), folder.join("public.badges.csv")).unwrap();
    fs::write(folder.join("Badges.CSV"), "id\n").unwrap();
    let run = dir.export(&folder).group(4351).ok();
    assert_same_files("renamed", &run.contents(), &expected_files(&[4351]));
    let says = "the file \"Badges.CSV\" (is it badges.csv?) is not read";
    let warnings = run.manifest()["warnings"].clone();
    let warnings = warnings.as_array().unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].as_str().unwrap().contains(says), "{warnings:?}");
    assert!(
        warnings[1]
            .as_str()
            .unwrap()
            .starts_with("no files in uploads: ")
    );
    assert_eq!(
        run.stderr.matches("Badges.CSV").count(),
        1,
        "{}",
        run.stderr
    );
}

#[test]
fn a_csv_table_that_is_there_twice_fails_what_needs_it() {
    let dir = Dir::new();
    let folder = csv_folder(&dir);
    fs::copy(folder.join("badges.csv"), folder.join("badges.csv.gz")).unwrap();
    let run = dir.export(&folder).group(4351).run();
    only_failed(
        &run,
        &["badges"],
        &["\"badges.csv\" and \"badges.csv.gz\" hold the same table"],
    );
}

#[test]
fn a_dump_of_a_whole_server_is_said_to_be_one_whichever_database_comes_first() {
    let dir = Dir::new();
    let database = |name: &str, table: &str| {
        format!(
            "\\connect {name}\nCREATE TABLE public.{table} (id integer PRIMARY KEY);\nCOPY public.{table} (id) FROM stdin;\n1\n\\.\n\
             -- PostgreSQL database dump complete\n"
        )
    };
    let pipeline = "pipeline: small\nentity: { kind: Tenant, table: tenants, prefix: \"t_{key}\" }\n\
                    relations: { self: { table: tenants, link: { id: key } } }\n";
    let pipeline = dir.write("small.yml", pipeline);
    let (own, other) = (database("bbb", "tenants"), database("aaa", "other"));
    let cluster = "-- PostgreSQL database cluster dump\n";
    let end = "-- PostgreSQL database cluster dump complete\n";
    let export = |name: &str, text: String| {
        dir.export(dir.write(name, text))
            .option("--pipeline", &pipeline)
            .group(1)
    };
    for (name, text) in [
        ("headed.sql", format!("{cluster}{other}{own}{end}")),
        ("bare.sql", format!("\\connect template1\n{other}{own}")),
    ] {
        let says = [
            "a dump of a whole server (pg_dumpall)",
            "the first of its databases that has rows has no table tenants",
            "dump it alone with pg_dump",
        ];
        export(name, text).fails(3, &says).left_nothing();
    }
    let says = ["a dump of several databases (bbb, aaa)"];
    let both = format!("{cluster}{own}{other}{end}");
    export("other-way.sql", both).fails(3, &says).left_nothing();
    // Nobody else has rows in it.
    export(
        "one.sql",
        format!("{cluster}\\connect template1\n{own}{end}"),
    )
    .ok();
}
