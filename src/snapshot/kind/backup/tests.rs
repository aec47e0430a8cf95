use std::fs;
use std::io::{self, Cursor, Write};
use std::sync::atomic::Ordering;
use std::sync::{LazyLock, Mutex};

use super::*;
use crate::snapshot::facts::SnapshotFacts;
use crate::snapshot::place::Folder;

const INFO: &[u8] = b":backup_created_at: 2023-10-22 10:00:00 Z\n:gitlab_version: 16.5.1-ee\n";

/// Of a database other than the main one nothing is said.
static ROUTING: LazyLock<Routing> = LazyLock::new(Routing::default);
static OPTIONS: LazyLock<BackupOptions<'static>> = LazyLock::new(|| BackupOptions {
    routing: &ROUTING,
    needed: None,
    temp_dir: Path::new("/nonexistent"),
});

/// A plain dump with one table of one row, whose text is `marker`.
fn dump(marker: &str) -> Vec<u8> {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.4\n\
         -- Dumped by pg_dump version 15.4\n\nSET statement_timeout = 0;\n\n\
         CREATE TABLE public.notes (\n    id bigint NOT NULL,\n    note text\n);\n\n\
         COPY public.notes (id, note) FROM stdin;\n1\t{marker}\n\\.\n\n\n\
         --\n-- PostgreSQL database dump complete\n--\n\n"
    )
    .into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A name and its content.
type Member<'a> = (&'a str, &'a [u8]);

/// A GNU tar of members in this order.
fn tar(members: &[Member]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        // By hand, because the crate's setters drop a leading `./`.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A row's text and the facts, read to the end.
fn read(backup: Backup) -> Result<(String, SnapshotFacts), SnapshotError> {
    let (mut text, mut facts) = (Vec::new(), SnapshotFacts::default());
    Box::new(backup).read(&|_| true, &mut |event| {
        match event {
            Event::Catalog(_, stated) => facts = stated,
            Event::Rows(block) => text.extend_from_slice(block.bytes()),
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    Ok((String::from_utf8(text).unwrap(), facts))
}

fn from_file(tar: &[u8]) -> Result<Backup, SnapshotError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1_gitlab_backup.tar");
    fs::write(&path, tar).unwrap();
    Backup::from_tar_file(
        &Place::from(&path),
        "1_gitlab_backup.tar",
        Arc::default(),
        &OPTIONS,
    )
}

fn from_stream(tar: &[u8]) -> Result<Backup, SnapshotError> {
    Backup::from_tar_stream(Box::new(Cursor::new(tar.to_vec())), "-", &OPTIONS)
}

type FromTar = fn(&[u8]) -> Result<Backup, SnapshotError>;
const WAYS: [(&str, FromTar); 2] = [("file", from_file), ("stream", from_stream)];

fn failure(result: Result<Backup, SnapshotError>) -> String {
    match result.and_then(read) {
        Ok(_) => panic!("this must fail"),
        Err(error) => error.to_string(),
    }
}

fn assert_holds(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

#[test]
fn the_main_database_is_read_from_a_tar() {
    let (main, ci) = (gzip(&dump("main")), gzip(&dump("ci")));
    let zstd = zstd::encode_all(&dump("main")[..], 1).unwrap();
    let cases: [(&str, &[Member]); 4] = [
        (
            "as gitlab-backup writes it",
            &[
                ("backup_information.yml", INFO),
                ("db/", b""),
                ("db/database.sql.gz", &main),
                ("db/ci_database.sql.gz", &ci),
                ("repositories/a", b"x"),
            ],
        ),
        (
            "another database first, leading ./",
            &[
                ("./backup_information.yml", INFO),
                ("./db/ci_database.sql.gz", &ci),
                ("./db/database.sql.gz", &main),
            ],
        ),
        (
            "zstd under the name of gzip",
            &[
                ("backup_information.yml", INFO),
                ("db/database.sql.gz", &zstd),
            ],
        ),
        (
            "not compressed",
            &[
                ("backup_information.yml", INFO),
                ("db/database.sql", &dump("main")),
            ],
        ),
    ];
    for (name, members) in cases {
        for (way, open) in WAYS {
            let (text, facts) = read(open(&tar(members)).unwrap()).unwrap();
            assert_eq!(text, "1\tmain\n", "{name}, {way}");
            assert_eq!(
                facts.gitlab_version.as_deref(),
                Some("16.5.1-ee"),
                "{name}, {way}"
            );
            assert_eq!(
                facts.taken_at.as_deref(),
                Some("2023-10-22 10:00:00 Z"),
                "{name}, {way}"
            );
        }
    }
}

#[test]
fn information_behind_the_database_is_found_in_a_file() {
    let members = tar(&[
        ("repositories/a", b"x"),
        ("db/database.sql.gz", &gzip(&dump("main"))),
        (
            "backup_information.json",
            b"{\"gitlab_version\": \"17.8.0\"}",
        ),
    ]);
    let (_, facts) = read(from_file(&members).unwrap()).unwrap();
    assert_eq!(facts.gitlab_version.as_deref(), Some("17.8.0"));
    let (_, facts) = read(from_stream(&members).unwrap()).unwrap();
    assert_eq!(facts.gitlab_version, None);
}

/// A tar whose CI database stands behind many files, and where that one's header begins.
fn far_tar() -> (Vec<u8>, usize) {
    let (main, ci) = (gzip(&dump("main")), gzip(&dump("ci")));
    let names: Vec<String> = (0..1100).map(|at| format!("repositories/{at}")).collect();
    let mut members: Vec<Member> = vec![("backup_information.yml", INFO)];
    members.push(("db/database.sql.gz", &main));
    members.extend(names.iter().map(|name| (name.as_str(), &b""[..])));
    // The two zero blocks at its end are no members.
    let before = tar(&members).len() - 1024;
    members.push(("db/ci_database.sql.gz", &ci));
    (tar(&members), before)
}

#[test]
fn a_database_of_which_tables_are_needed_is_looked_for_in_the_whole_tar() {
    let (whole, before) = far_tar();
    let mut routing = Routing::default();
    routing.add(TableName::public("notes"), "ci").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup.tar");
    let read = |tar: &[u8], needed: Option<&str>| {
        fs::write(&path, tar).unwrap();
        let needed = needed.map(|table| BTreeSet::from([TableName::public(table)]));
        let options = BackupOptions {
            routing: &routing,
            needed: needed.as_ref(),
            ..*OPTIONS
        };
        let backup =
            Backup::from_tar_file(&Place::from(&path), "backup.tar", Arc::default(), &options);
        read(backup.unwrap()).unwrap()
    };
    for needed in [None, Some("notes")] {
        let (text, facts) = read(&whole, needed);
        assert_eq!((&text[..], facts.warnings), ("1\tci\n", Vec::new()));
        // A database that stands behind files is the exception, so a tar that is cut off there is read all the same.
        let (text, facts) = read(&whole[..before], needed);
        assert_eq!(text, "1\tmain\n");
        let warnings = facts.warnings.join("\n");
        assert_holds(
            &warnings,
            &["db/ci_database.sql.gz may have been in the part", "cut off"],
        );
    }
    // Nothing of it is needed, so nothing is said of it.
    assert_eq!(read(&whole[..before], Some("users")).1.warnings.len(), 0);
}

#[test]
fn each_file_beside_the_databases_that_is_not_read_is_told() {
    let (main, other) = (gzip(&dump("main")), gzip(&dump("other")));
    let members: [Member; 5] = [
        ("backup_information.yml", INFO),
        ("db/database.sql.gz", &main),
        ("db/ci_database.sql.zst", &other),
        ("db/geo_database.sql.gz", &other),
        ("repositories/a", b"x"),
    ];
    let told = |backup: Backup| {
        let warnings = read(backup).unwrap().1.warnings;
        let names = warnings.iter().map(|it| it.split(' ').next().unwrap());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = ["db/ci_database.sql.zst", "db/geo_database.sql.gz"];
    let tar = tar(&members);
    assert_eq!(told(from_file(&tar).unwrap()), expected);
    let tree = tree(&members[..4]);
    assert_eq!(told(from_tree(&tree).unwrap()), expected);
}

#[test]
fn a_second_dump_of_a_database_is_told() {
    let (first, second) = (gzip(&dump("first")), gzip(&dump("second")));
    for again in ["db/database.sql.gz", "db/database.sql"] {
        let tar = tar(&[
            ("db/database.sql.gz", &first),
            ("repositories/a", b"x"),
            (again, &second),
        ]);
        let (text, facts) = read(from_file(&tar).unwrap()).unwrap();
        assert_eq!(text, "1\tfirst\n", "{again}");
        let warnings = facts.warnings.join("\n");
        assert_holds(
            &warnings,
            &[&format!("{again} comes behind another dump"), "not read"],
        );
    }
}

#[test]
fn long_names_and_pax_headers_are_passed() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    builder
        .append_data(
            &mut header,
            "repositories/".to_owned() + &"x".repeat(300),
            &b"x"[..],
        )
        .unwrap();
    builder
        .append_pax_extensions([("mtime", &b"1.5"[..])])
        .unwrap();
    let main = gzip(&dump("main"));
    let mut header = tar::Header::new_ustar();
    header.set_size(main.len() as u64);
    builder
        .append_data(&mut header, "db/database.sql.gz", &main[..])
        .unwrap();
    let tar = builder.into_inner().unwrap();
    for (way, open) in WAYS {
        assert_eq!(read(open(&tar).unwrap()).unwrap().0, "1\tmain\n", "{way}");
    }
}

/// Gives the bytes of a tar and notes how far it was read.
struct Watched(Cursor<Vec<u8>>, Arc<Mutex<u64>>);

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        *self.1.lock().unwrap() = self.0.position();
        Ok(count)
    }
}

#[test]
fn a_stream_is_read_no_further_than_the_database() {
    let main = gzip(&dump("main"));
    let repositories = vec![0; 1 << 20];
    let bytes = tar(&[
        ("db/database.sql.gz", &main),
        ("repositories/a", &repositories),
    ]);
    let position = Arc::default();
    let stream = Watched(Cursor::new(bytes), Arc::clone(&position));
    read(Backup::from_tar_stream(Box::new(stream), "-", &OPTIONS).unwrap()).unwrap();
    assert_eq!(*position.lock().unwrap(), 512 + main.len() as u64);
}

#[test]
fn the_bytes_of_a_file_are_counted() {
    let main = gzip(&dump("main"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup.tar");
    fs::write(&path, tar(&[("db/database.sql.gz", &main), ("x", b"y")])).unwrap();
    let taken = Arc::default();
    let backup = Backup::from_tar_file(
        &Place::from(&path),
        "backup.tar",
        Arc::clone(&taken),
        &OPTIONS,
    )
    .unwrap();
    assert_eq!(backup.size(), main.len() as u64);
    read(backup).unwrap();
    assert_eq!(taken.load(Ordering::Relaxed), main.len() as u64);
}

#[test]
fn the_bytes_of_all_databases_that_are_needed_are_counted() {
    let (main, ci) = (gzip(&dump("main")), gzip(&dump("the other")));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup.tar");
    let members: [Member; 2] = [
        ("db/ci_database.sql.gz", &ci),
        ("db/database.sql.gz", &main),
    ];
    fs::write(&path, tar(&members)).unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("db")).unwrap();
    for (name, content) in members {
        fs::write(tree.join(name), content).unwrap();
    }
    let mut routing = Routing::default();
    routing.add(TableName::public("builds"), "ci").unwrap();
    for (needed, also) in [("builds", ci.len()), ("notes", 0)] {
        let needed = BTreeSet::from([TableName::public(needed)]);
        let options = BackupOptions {
            routing: &routing,
            needed: Some(&needed),
            ..*OPTIONS
        };
        let size = (main.len() + also) as u64;
        let opened = [
            Backup::from_tar_file(&Place::from(&path), "backup.tar", Arc::default(), &options),
            Backup::from_folder(
                &Folder::from(tree.as_path()),
                "tree",
                Arc::default(),
                &options,
            ),
        ];
        for backup in opened {
            let backup = backup.unwrap();
            assert_eq!(backup.size(), size);
            // No table of this one is its own.
            assert_eq!(read(backup).unwrap().0, "1\tmain\n");
        }
    }
    let taken = Arc::default();
    let options = BackupOptions {
        routing: &routing,
        ..*OPTIONS
    };
    let backup = Backup::from_tar_file(
        &Place::from(&path),
        "backup.tar",
        Arc::clone(&taken),
        &options,
    )
    .unwrap();
    let size = backup.size();
    assert_eq!(size, (main.len() + ci.len()) as u64);
    read(backup).unwrap();
    assert_eq!(taken.load(Ordering::Relaxed), size);
}

#[test]
fn a_dump_out_of_a_pipe_that_cannot_be_kept_is_told_with_what_to_do() {
    let (main, ci) = (gzip(&dump("main")), gzip(&dump("ci")));
    let tar = tar(&[
        ("db/database.sql.gz", &main),
        ("db/ci_database.sql.gz", &ci),
    ]);
    let mut routing = Routing::default();
    routing.add(TableName::public("builds"), "ci").unwrap();
    let options = BackupOptions {
        routing: &routing,
        ..*OPTIONS
    };
    let backup = Backup::from_tar_stream(Box::new(Cursor::new(tar)), "-", &options);
    assert_holds(
        &failure(backup),
        &["cannot use the temp folder: /nonexistent", "--temp-dir"],
    );
}

#[test]
fn damage_inside_the_database_is_told() {
    let main = gzip(&dump("main"));
    let whole = tar(&[
        ("backup_information.yml", INFO),
        ("db/database.sql.gz", &main),
        ("repositories/a", b"x"),
    ]);
    let start = 3 * 512;
    for (way, open) in WAYS {
        let message = failure(open(&whole[..start + main.len() - 20]));
        assert_holds(
            &format!("{way}: {message}"),
            &[
                "ends too early",
                "db/database.sql.gz",
                "the tar is cut off",
                "20 of",
            ],
        );
        // The checksum at the end of the gzip stream.
        let mut flipped = whole.clone();
        flipped[start + main.len() - 8] ^= 1;
        assert_holds(
            &format!("{way}: {}", failure(open(&flipped))),
            &["damaged", "db/database.sql.gz"],
        );
        // What is behind the database does not matter.
        assert!(
            open(&whole[..start + main.len() + 5])
                .and_then(read)
                .is_ok(),
            "{way}"
        );
    }
}

#[test]
fn damage_before_the_database_is_told() {
    let whole = tar(&[
        ("backup_information.yml", INFO),
        ("repositories/a", &[1; 2000]),
        ("db/database.sql.gz", &gzip(&dump("main"))),
    ]);
    for (way, open) in WAYS {
        for (name, at) in [
            ("inside a member", 2000),
            ("inside a header", 1100),
            ("inside the information", 530),
        ] {
            let message = failure(open(&whole[..at]));
            assert_holds(
                &format!("{way}, {name}: {message}"),
                &["damaged", "cut off"],
            );
        }
        let mut flipped = whole.clone();
        flipped[1030] ^= 1;
        assert_holds(
            &format!("{way}: {}", failure(open(&flipped))),
            &["damaged", "backup_information.yml", "checksum"],
        );
    }
}

#[test]
fn a_backup_without_a_database_is_told() {
    let skipped = tar(&[("backup_information.yml", INFO), ("repositories/a", b"x")]);
    let other = tar(&[("db/ci_database.sql.gz", &gzip(&dump("ci")))]);
    let foreign = tar(&[("photo.jpg", b"x")]);
    for (way, open) in WAYS {
        assert_holds(
            &format!("{way}: {}", failure(open(&skipped))),
            &["GitLab backup", "db/database.sql.gz", "SKIP=db"],
        );
        assert_holds(
            &format!("{way}: {}", failure(open(&other))),
            &["GitLab backup", "db/database.sql.gz"],
        );
        assert_holds(
            &format!("{way}: {}", failure(open(&foreign))),
            &["not a snapshot", "neither db/database.sql.gz"],
        );
    }
}

#[test]
fn a_link_for_a_database_is_refused() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder
        .append_link(&mut header, "db/database.sql.gz", "/etc/passwd")
        .unwrap();
    let tar = builder.into_inner().unwrap();
    for (way, open) in WAYS {
        assert_holds(
            &format!("{way}: {}", failure(open(&tar))),
            &["db/database.sql.gz", "link"],
        );
    }
}

fn tree(files: &[Member]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("db")).unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn from_tree(folder: &tempfile::TempDir) -> Result<Backup, SnapshotError> {
    Backup::from_folder(&folder.path().into(), "backups", Arc::default(), &OPTIONS)
}

#[test]
fn an_untarred_backup_is_read() {
    let main = gzip(&dump("main"));
    for (name, content) in [
        ("db/database.sql.gz", &main),
        ("db/database.sql", &dump("main")),
    ] {
        let folder = tree(&[
            ("backup_information.yml", INFO),
            (name, content),
            ("db/ci_database.sql.gz", b"x"),
        ]);
        let (text, facts) = read(from_tree(&folder).unwrap()).unwrap();
        assert_eq!(
            (&text[..], facts.gitlab_version.as_deref()),
            ("1\tmain\n", Some("16.5.1-ee")),
            "{name}"
        );
    }
}

#[test]
fn untarred_backups_that_cannot_be_read_are_told() {
    let main = gzip(&dump("main"));
    let both = tree(&[("db/database.sql.gz", &main), ("db/database.sql", b"")]);
    assert_holds(
        &failure(from_tree(&both)),
        &["both db/database.sql.gz and db/database.sql"],
    );
    let none = tree(&[("backup_information.yml", INFO)]);
    assert_holds(
        &failure(from_tree(&none)),
        &["GitLab backup backups", "SKIP=db"],
    );
    let cut = tree(&[("db/database.sql.gz", &main[..main.len() - 3])]);
    assert_holds(
        &failure(from_tree(&cut)),
        &["ends too early", "db/database.sql.gz"],
    );
}

#[cfg(unix)]
#[test]
fn links_in_a_folder_are_not_followed() {
    let real = tree(&[("db/database.sql", &dump("main"))]);
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(real.path().join("db"), folder.path().join("db")).unwrap();
    assert_holds(&failure(from_tree(&folder)), &["symbolic link"]);
}
