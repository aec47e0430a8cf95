//! Snapshots in buckets: each is what it is as a file, and whatever goes wrong on the way to it is told, and never taken for
//! its end.

#[path = "bucket_sources/proxy.rs"]
mod proxy;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::archives::archive;
use crate::support::server::free_port;
use crate::support::*;
use proxy::Fate;

/// A server of S3 with one bucket, whose objects are files.
pub(crate) struct Bucket {
    root: tempfile::TempDir,
    server: Child,
    port: u16,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Bucket {
    pub(crate) fn start() -> Bucket {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("bucket")).unwrap();
        let port = free_port();
        let server = Command::new(project("target/bucket-tools/bin/s3s-fs"))
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--access-key", "key", "--secret-key", "secret"])
            .arg(root.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("s3s-fs is there: `make test` installs it");
        let bucket = Bucket { root, server, port };
        wait_until("the server of S3 answers", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        bucket
    }

    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.root.path().join("bucket").join(key)
    }

    /// Puts a file or a folder there.
    fn put(&self, key: &str, from: impl AsRef<Path>) -> String {
        let to = self.path(key);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let copied = Command::new("cp")
            .arg("-r")
            .arg(from.as_ref())
            .arg(&to)
            .status();
        assert!(copied.unwrap().success());
        format!("s3://bucket/{key}")
    }

    fn put_bytes(&self, key: &str, bytes: impl AsRef<[u8]>) -> String {
        let to = self.path(key);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
        format!("s3://bucket/{key}")
    }

    /// A program that reads there.
    pub(crate) fn with(&self, program: Program) -> Program {
        through(program, self.port)
    }

    /// The variables by which it is found.
    pub(crate) fn variables(&self) -> [(String, String); 5] {
        variables(self.port)
    }
}

fn through(program: Program, port: u16) -> Program {
    let variables = variables(port).into_iter();
    variables.fold(program, |program, (name, value)| program.env(&name, value))
}

fn variables(port: u16) -> [(String, String); 5] {
    let endpoint = format!("http://127.0.0.1:{port}");
    [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Both exports hold the same files, whose manifests differ in times alone.
fn assert_as_local(what: &str, bucket: &Bucket, local: impl AsRef<Path>, url: &str, args: &[&str]) {
    let dir = Dir::new();
    let expected = dir
        .export_to(local.as_ref(), dir.join("local"))
        .args(args)
        .ok();
    let found = bucket.with(dir.export(url).args(args)).ok();
    assert_same_files(what, &found.packed(), &expected.packed());
    let of = |run: &Run| {
        let manifest = run.manifest();
        (
            manifest["snapshot"]["kind"].clone(),
            manifest["relations"].as_array().map(Vec::len),
        )
    };
    assert_eq!(of(&found), of(&expected), "{what}");
}

#[test]
fn every_fixture_in_a_bucket_is_exported_as_from_its_file() {
    let bucket = Bucket::start();
    let groups: Vec<String> = GROUPS.map(|group| group.to_string()).into();
    let args: Vec<&str> = groups.iter().flat_map(|group| ["--group", group]).collect();
    for fixture in SNAPSHOTS {
        let url = bucket.put(fixture, project(fixture));
        assert_as_local(fixture, &bucket, project(fixture), &url, &args);
    }
    let dir = Dir::new();
    for fixture in SNAPSHOTS {
        let url = format!("s3://bucket/{fixture}");
        let run = bucket
            .with(dir.export_to(&url, dir.join(fixture)).args(&args))
            .ok();
        assert_same_files(fixture, &run.contents(), &expected_files(&GROUPS));
    }
}

#[test]
fn projects_and_their_files_come_out_of_a_backup_in_a_bucket() {
    let bucket = Bucket::start();
    let args = ["--group", "acme", "--with-projects"];
    for fixture in [PROJECTS, PROJECTS_BACKUP] {
        let url = bucket.put(fixture, project(fixture));
        assert_as_local(fixture, &bucket, project(fixture), &url, &args);
    }
    // The same backup untarred, and compressed as a whole.
    let dir = Dir::new();
    let tree = dir.join("tree");
    fs::create_dir(&tree).unwrap();
    let untarred = Command::new("tar")
        .arg("-xf")
        .arg(project(PROJECTS_BACKUP))
        .arg("-C")
        .arg(&tree)
        .status();
    assert!(untarred.unwrap().success());
    let url = bucket.put("tree", &tree);
    assert_as_local("untarred", &bucket, &tree, &url, &args);
    let packed = dir.write(
        "backup.tar.gz",
        gzip(&fs::read(project(PROJECTS_BACKUP)).unwrap()),
    );
    let url = bucket.put("backup.tar.gz", &packed);
    assert_as_local("compressed", &bucket, &packed, &url, &args);
}

#[test]
fn archives_of_every_form_are_read_where_they_lie() {
    let bucket = Bucket::start();
    let names = [
        "custom",
        "custom-Z0",
        "custom-piped",
        "custom-16-piped",
        "directory",
        "directory-16",
        "directory.tar",
        "directory-last.tar",
        "tar",
        "tar-piped",
    ];
    for name in names {
        let local = archive(name);
        let url = bucket.put(&format!("dumps/{name}"), &local);
        assert_as_local(name, &bucket, &local, &url, &["--all-groups"]);
    }
    let url = "s3://bucket/dumps/directory/";
    assert_as_local(url, &bucket, archive("directory"), url, &["--all-groups"]);
}

#[test]
fn other_commands_read_from_a_bucket_as_well() {
    let bucket = Bucket::start();
    let dir = Dir::new();
    let url = bucket.put("gitlab.sql", project(DUMP));
    let local = project(DUMP);
    for arguments in ["groups --json", "inspect --json", "pipeline check"] {
        let of =
            |snapshot: &std::ffi::OsStr| dir.relexport(arguments).option("--snapshot", snapshot);
        let expected = of(local.as_os_str()).run();
        let found = bucket.with(of(url.as_ref())).run();
        assert_eq!(found.stdout, expected.stdout, "{arguments}");
        assert_eq!(found.code, expected.code, "{}", found.stderr);
    }
    let take = bucket.with(
        dir.relexport("snapshot take")
            .option("--from", &url)
            .option("--out", dir.join("taken")),
    );
    take.ok();
    let run = dir.export(dir.join("taken")).group(4351).ok();
    assert_same_files("taken", &run.contents(), &expected_files(&[4351]));
}

#[test]
fn an_export_is_gone_on_with_while_the_object_is_the_same() {
    let bucket = Bucket::start();
    let dir = Dir::new();
    // Of a row with an impossible value its relation fails, and the others are finished.
    let broken = edit_field(&dump(), "labels", "id", "801", "created_at", "yesterday");
    let url = bucket.put_bytes("dump.sql", &broken);
    let of = |args: &[&str]| bucket.with(dir.export(&url).group(4351).args(args));
    let first = of(&[]).fails(1, &["labels"]);
    let written = |run: &Run| {
        let file = fs::metadata(run.out.join("group_4351/members.ndjson.gz"));
        file.unwrap().modified().unwrap()
    };
    let before = written(&first);
    let again = of(&["--resume"]).fails(1, &["labels"]);
    assert_eq!(written(&again), before);
    bucket.put_bytes("dump.sql", dump());
    of(&["--resume"]).fails(2, &["not the one that it was begun with"]);
}

#[test]
fn an_object_that_is_replaced_while_it_is_read_ends_the_run() {
    let bucket = Bucket::start();
    let dir = Dir::new();
    // Larger than what is fetched at once; the fixture stands at its end.
    let filler = format!("-- {}\n", "x".repeat(997)).repeat(20_000);
    let dump = format!("-- PostgreSQL database dump\n{filler}{}", dump());
    let url = bucket.put_bytes("dump.sql", &dump);
    let path = bucket.path("dump.sql");
    let reads = AtomicUsize::new(0);
    let port = proxy::start(bucket.port, move |head| {
        if head.starts_with("GET ") && reads.fetch_add(1, Ordering::Relaxed) == 2 {
            // Another version of the same size.
            fs::write(&path, dump.replace("acme", "emca")).unwrap();
        }
        Fate::Forward
    });
    let run = through(dir.export(&url).group(4351), port);
    let run = run.fails(
        75,
        &[
            "s3://bucket/dump.sql was replaced while it was read",
            "run this again",
        ],
    );
    assert!(!run.stderr.contains("copy it again"), "{}", run.stderr);
}

#[test]
fn a_read_that_breaks_off_goes_on_at_the_byte_where_it_broke() {
    let bucket = Bucket::start();
    let dir = Dir::new();
    let filler = format!("-- {}\n", "x".repeat(997)).repeat(20_000);
    let url = bucket.put_bytes(
        "dump.sql",
        format!("-- PostgreSQL database dump\n{filler}{}", dump()),
    );
    let reads = Arc::new(AtomicUsize::new(0));
    let port = proxy::start(bucket.port, {
        let reads = Arc::clone(&reads);
        move |head| match head.starts_with("GET ") {
            true => match reads.fetch_add(1, Ordering::Relaxed) % 4 {
                0 => Fate::BreakAfter(50_000),
                2 => Fate::Refuse(503),
                _ => Fate::Forward,
            },
            false => Fate::Forward,
        }
    });
    let run = through(dir.export(&url).group(4351), port).ok();
    assert_same_files("broken", &run.contents(), &expected_files(&[4351]));
    assert!(reads.load(Ordering::Relaxed) > 8);
}

#[test]
fn a_server_that_answers_nothing_but_errors_ends_the_run_as_one_to_be_tried_again() {
    let bucket = Bucket::start();
    let dir = Dir::new();
    let url = bucket.put("dump.sql", project(DUMP));
    let port = proxy::start(bucket.port, |head| match head.starts_with("GET ") {
        true => Fate::Refuse(500),
        false => Fate::Forward,
    });
    through(dir.export(&url).group(4351), port)
        .env("RELEXPORT_BUCKET_TRIES", "2")
        .fails(
            75,
            &["cannot read s3://bucket/dump.sql", "500", "try again later"],
        )
        .left_nothing();
}

#[test]
fn what_is_not_there_or_may_not_be_read_is_told_with_what_to_do() {
    let bucket = Bucket::start();
    let dir = Dir::new();
    bucket.put("dump.sql", project(DUMP));
    let of = |url: &str| bucket.with(dir.export(url).group(4351));
    let cases: [(&str, &[&str]); 3] = [
        (
            "s3://bucket/other.sql",
            &["s3://bucket/other.sql", "no such object", "name a dump"],
        ),
        ("s3://other/dump.sql", &["s3://other"]),
        (
            "s3://bucket",
            &["s3://bucket is not a snapshot", "looked in the folder for"],
        ),
    ];
    for (url, says) in cases {
        of(url).fails(3, says).left_nothing();
    }
    of("s3://bucket/dump.sql")
        .env("AWS_SECRET_ACCESS_KEY", "wrong")
        .fails(3, &["s3://bucket/dump.sql", "403", "credentials"])
        .left_nothing();
    let run = of("s3://key:secret@bucket/dump.sql").fails(3, &["AWS_ACCESS_KEY_ID"]);
    assert!(!run.stderr.contains("secret@"), "{}", run.stderr);
}

#[test]
fn a_dump_that_is_cut_off_is_one_in_a_bucket_too() {
    let bucket = Bucket::start();
    let dir = Dir::new();
    let whole = gzip(dump().as_bytes());
    let cut = &whole[..whole.len() / 2];
    let local = dir.write("dump.sql.gz", cut);
    let expected = dir.export(&local).group(4351).run();
    assert_ne!(expected.code, Some(0));
    fs::remove_dir_all(dir.join("out")).unwrap_or_default();
    let url = bucket.put_bytes("dump.sql.gz", cut);
    let found = bucket.with(dir.export(&url).group(4351)).run();
    assert_eq!(found.code, expected.code);
    assert!(found.stderr.contains("cut off"), "{}", found.stderr);
}

#[test]
fn the_first_signal_is_heard_while_a_server_hangs() {
    let bucket = Bucket::start();
    let url = bucket.put("dump.sql", project(DUMP));
    // Before it is known what lies there, and while it is read.
    for passed in [0, 2] {
        let dir = Dir::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&asked);
        let port = proxy::start(bucket.port, move |_| {
            match seen.fetch_add(1, Ordering::SeqCst) < passed {
                true => Fate::Forward,
                false => Fate::Hang,
            }
        });
        let mut started = through(dir.export(&url).group(4351), port)
            .env("RELEXPORT_BUCKET_IDLE_SECONDS", "86400")
            .env("RELEXPORT_BUCKET_TOTAL_SECONDS", "86400")
            .start();
        started.wait_until("the server hangs", || asked.load(Ordering::SeqCst) > passed);
        started.signal("TERM");
        let run = started.wait();
        assert_eq!(run.code, Some(130), "{passed}: {}", run.stderr);
        assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
        run.left_nothing();
    }
}
