//! What an export to a bucket is, and how it is read there.

use std::fs;

use super::proxy::{Fate, Proxy};
use super::servers::*;
use crate::support::*;

const GROUP: i64 = 4351;

/// `relexport export` of the fixture's group below `s3://nightly/gitlab`.
fn export(dir: &Dir) -> Program {
    dir.export_to(project(DUMP), "s3://nightly/gitlab")
        .group(GROUP)
}

/// What the same export is in a folder.
fn in_folder(dir: &Dir) -> ExportFolder {
    dir.export(project(DUMP)).group(GROUP).ok();
    ExportFolder::new(dir.join("out"))
}

#[test]
fn an_export_in_a_bucket_holds_the_files_that_one_in_a_folder_holds() {
    let (dir, server) = (Dir::new(), s3s());
    with_s3(export(&dir), server.port).ok();
    let expected = in_folder(&dir);
    let found = server.export();
    assert_eq!(found.packed(), expected.packed());
    let (mut files, mut of_folder) = (found.files(), expected.files());
    files.sort();
    of_folder.sort();
    // Nothing else: no unfinished manifest, no claim, no object that asked what the server does.
    assert_eq!(files, of_folder);
    let manifest = found.manifest();
    assert_eq!(manifest["status"], 1);
    assert_eq!(manifest["conditional_put"], "enforced");
    let metadata: serde_json::Value =
        serde_json::from_slice(&found.content("metadata.json.gz")).unwrap();
    let name = found.out.file_name().unwrap().to_str().unwrap();
    assert_eq!(metadata["export_prefix"], name);
}

#[test]
fn the_manifest_and_then_the_metadata_are_put_last() {
    let (dir, server) = (Dir::new(), s3s());
    let proxy = Proxy::new(server.port, |_| Fate::Pass);
    with_s3(export(&dir), proxy.port).ok();
    let puts: Vec<String> = proxy
        .seen()
        .into_iter()
        .filter(|seen| seen.method == "PUT")
        .map(|seen| seen.path)
        .filter(|path| !path.contains(".relexport-claim"))
        .collect();
    let [.., before, last] = &puts[..] else {
        panic!("{puts:?}");
    };
    assert!(before.ends_with("/manifest.json"), "{puts:?}");
    assert!(last.ends_with("/metadata.json.gz"), "{puts:?}");
}

#[test]
fn status_and_verify_read_the_export_itself_and_the_newest_one_below_an_address() {
    let (dir, server) = (Dir::new(), s3s());
    with_s3(export(&dir), server.port).ok();
    let export = server.export();
    let name = export.out.file_name().unwrap().to_str().unwrap().to_owned();
    for (url, is_told) in [
        ("s3://nightly/gitlab".to_owned(), true),
        (format!("s3://nightly/gitlab/{name}"), false),
    ] {
        for command in ["status", "verify"] {
            let run = with_s3(dir.relexport(command).arg(&url), server.port).ok();
            let told = run.stderr.contains(&format!("s3://nightly/gitlab/{name}"));
            assert_eq!(told, is_told, "{command} {url}: {}", run.stderr);
        }
    }
    let verified = with_s3(
        dir.relexport("verify --json s3://nightly/gitlab"),
        server.port,
    );
    assert_eq!(verified.json()["ok"], true);
}

#[test]
fn verify_finds_a_changed_and_a_missing_and_a_foreign_object() {
    let (dir, server) = (Dir::new(), s3s());
    with_s3(export(&dir), server.port).ok();
    let out = server.export().out;
    let group = out.join(format!("group_{GROUP}"));
    let mut bytes = fs::read(group.join("labels.ndjson.gz")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(group.join("labels.ndjson.gz"), bytes).unwrap();
    fs::remove_file(group.join("milestones.ndjson.gz")).unwrap();
    fs::write(group.join("thesis.txt"), "years of work").unwrap();
    let run = with_s3(dir.relexport("verify s3://nightly/gitlab"), server.port).run();
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    for part in [
        "labels.ndjson.gz",
        "milestones.ndjson.gz: it is not there",
        "thesis.txt",
    ] {
        assert!(run.stdout.contains(part), "no {part} in {}", run.stdout);
    }
}

#[test]
fn exports_lie_beside_one_another_and_force_is_refused() {
    let (dir, server) = (Dir::new(), s3s());
    with_s3(export(&dir), server.port).ok();
    with_s3(export(&dir), server.port).ok();
    assert_eq!(server.exports().len(), 2);
    with_s3(export(&dir).arg("--force"), server.port).fails(2, &["nothing to replace", "--force"]);
    assert_eq!(server.exports().len(), 2);
}

#[test]
fn what_is_wrong_with_a_bucket_is_told_before_anything_is_read_and_without_a_secret() {
    let (dir, server) = (Dir::new(), s3s());
    let snapshot = dir.join("not-there.sql");
    let to = |url: &str| with_s3(dir.export_to(&snapshot, url).group(1), server.port);
    let secret = "s3cr3t-that-is-wrong";
    let run = to("s3://nightly/x")
        .env("AWS_SECRET_ACCESS_KEY", secret)
        .fails(4, &["s3://nightly/x", "403", "credentials"]);
    assert!(!run.stderr.contains(secret) && !run.stderr.contains("AKIA"));
    to("s3://nightly/x")
        .env("AWS_ALLOW_HTTP", "")
        .fails(2, &["AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP"]);
    to("s3://user:s3cr3t@nightly/x").fails(2, &["no name, password"]);
    to("s3://nightly/x").fails(3, &["there is no such file"]);
    let left = ExportFolder::new(server.root.join("nightly"));
    assert_eq!(left.files(), [""; 0]);
}

#[test]
fn nothing_below_an_address_is_told_so() {
    let (dir, server) = (Dir::new(), s3s());
    with_s3(dir.relexport("status s3://nightly/gitlab"), server.port)
        .fails(3, &["no export is there"]);
}

/// A table whose rows do not shrink, in one file of several parts.
fn large_dump(dir: &Dir) -> (std::path::PathBuf, std::path::PathBuf) {
    let pipeline = dir.write(
        "shop.yml",
        "pipeline: shop\nentity: { kind: Customer, table: customers, key: id, prefix: \"group_{key}\", name: company }\n\
         relations:\n  blobs: { table: blobs, link: { customer_id: key } }\n",
    );
    let mut dump = String::from(
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 16.1\n-- Dumped by pg_dump version 16.1\n\n\
         CREATE TABLE public.blobs (id integer NOT NULL, customer_id integer, content text);\n\
         CREATE TABLE public.customers (id integer NOT NULL, company text NOT NULL);\n\n\
         COPY public.blobs (id, customer_id, content) FROM stdin;\n",
    );
    // xorshift64: numbers that gzip finds no pattern in.
    let mut state: u64 = 88_172_645_463_325_252;
    for id in 1..=1_500 {
        dump.push_str(&format!("{id}\t5\t"));
        for _ in 0..1_500 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            dump.push_str(&format!("{state:016x}"));
        }
        dump.push('\n');
    }
    dump.push_str(
        "\\.\n\nCOPY public.customers (id, company) FROM stdin;\n5\tLamps\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n",
    );
    (dir.write("large.sql", dump), pipeline)
}

#[test]
fn a_large_file_goes_in_parts_and_what_an_interruption_leaves_is_taken_back() {
    let (dir, server) = (Dir::new(), s3s());
    let (dump, pipeline) = large_dump(&dir);
    let export = |port| {
        let program = dir
            .export_to(&dump, "s3://nightly/gitlab")
            .option("--pipeline", &pipeline)
            .group(5);
        with_s3(program, port)
    };
    let proxy = Proxy::new(server.port, |seen| {
        // The second part is never answered, so that the run is in the middle of the file.
        match seen.path.contains("partNumber=2") {
            true => Fate::Stall,
            false => Fate::Pass,
        }
    });
    let mut started = export(proxy.port)
        .env("RELEXPORT_BUCKET_IDLE_SECONDS", "2")
        .env("RELEXPORT_BUCKET_TRIES", "1")
        .start();
    started.wait_until("the second part is sent", || proxy.hits() > 0);
    started.signal("INT");
    let run = started.wait();
    assert!(
        matches!(run.code, Some(75 | 130)),
        "{:?}{}",
        run.code,
        run.stderr
    );
    let deleted = proxy
        .seen()
        .into_iter()
        .any(|seen| seen.method == "DELETE" && seen.path.contains("uploadId="));
    assert!(deleted, "the upload is not taken back: {:?}", proxy.seen());
    let left = ExportFolder::new(server.root.join("nightly"));
    assert_eq!(left.files(), [""; 0]);

    export(server.port).ok();
    // s3s-fs leaves the folder of the first run, empty.
    let exports = server.exports();
    let newest = ExportFolder::new(exports.last().unwrap());
    let file = newest.raw("group_5/blobs.ndjson.gz");
    assert!(
        file.len() > 16 << 20,
        "{} bytes are not three parts",
        file.len()
    );
    with_s3(
        dir.relexport("verify s3://nightly/gitlab")
            .option("--pipeline", &pipeline),
        server.port,
    )
    .ok();
}

#[test]
fn an_interrupted_export_is_gone_on_with_below_its_own_prefix() {
    let (dir, server) = (Dir::new(), s3s());
    let proxy = Proxy::new(server.port, |seen| {
        match seen.is_put_of_file() && seen.path.contains("boards.ndjson") {
            true => Fate::Answer(500, "InternalError"),
            false => Fate::Pass,
        }
    });
    let run = with_s3(export(&dir), proxy.port)
        .env("RELEXPORT_BUCKET_TRIES", "2")
        .fails(75, &["500 InternalError", "try again", "--resume"]);
    assert!(
        run.stderr.contains("s3://nightly/gitlab/"),
        "{}",
        run.stderr
    );
    let left = server.export();
    assert!(!left.files().contains(&"manifest.json".to_owned()));
    with_s3(dir.relexport("status s3://nightly/gitlab"), server.port).fails(1, &[]);
    with_s3(export(&dir).arg("--resume"), server.port).ok();
    let (done, expected) = (server.export(), in_folder(&dir));
    assert_eq!(done.out, left.out);
    assert_eq!(done.packed(), expected.packed());
    assert!(
        !done
            .files()
            .contains(&"manifest.unfinished.json".to_owned())
    );
    with_s3(dir.relexport("verify s3://nightly/gitlab"), server.port).ok();
}

#[test]
fn a_run_that_lives_keeps_others_from_its_export() {
    let (dir, server) = (Dir::new(), s3s());
    let proxy = Proxy::new(server.port, |seen| match seen.is_put_of("manifest.json") {
        true => Fate::Stall,
        false => Fate::Pass,
    });
    let mut started = with_s3(export(&dir), proxy.port).start();
    started.wait_until("the export is nearly there", || proxy.hits() > 0);
    with_s3(export(&dir).arg("--resume"), server.port)
        .fails(11, &["is being written by another run: pid"]);
    started.kill();
}

#[test]
fn moto_takes_an_export_and_gives_it_back() {
    let server = of_python("moto_server", |port, _| {
        vec![
            "-H".to_owned(),
            "127.0.0.1".to_owned(),
            "-p".to_owned(),
            port.to_string(),
        ]
    });
    let dir = Dir::new();
    with_s3(export(&dir), server.port).fails(4, &["there is no bucket s3://nightly"]);
    make_s3_bucket(server.port);
    with_s3(export(&dir), server.port).ok();
    with_s3(dir.relexport("verify s3://nightly/gitlab"), server.port).ok();
}

#[test]
fn a_server_that_ignores_conditions_is_found_out_and_the_manifest_says_so() {
    let (dir, server) = (Dir::new(), nanio());
    make_s3_bucket(server.port);
    let manifest = with_s3(export(&dir).arg("--json"), server.port).json();
    assert_eq!(manifest["conditional_put"], "ignored");
    with_s3(dir.relexport("verify s3://nightly/gitlab"), server.port).ok();
}

#[test]
fn azurite_takes_an_export_and_gives_it_back() {
    let (dir, server) = (Dir::new(), azurite());
    make_container(server.port);
    let export = dir
        .export_to(project(DUMP), "az://nightly/gitlab")
        .group(GROUP);
    with_azure(export, server.port).ok();
    let verify = dir.relexport("verify az://nightly/gitlab");
    with_azure(verify, server.port).ok();
}

/// Limits under which nothing but a signal ends the wait for a server that hangs.
const ENDLESS: [(&str, &str); 2] = [
    ("RELEXPORT_BUCKET_IDLE_SECONDS", "86400"),
    ("RELEXPORT_BUCKET_TOTAL_SECONDS", "86400"),
];

#[test]
fn the_first_signal_is_heard_while_a_server_hangs() {
    let server = s3s();
    // From the first request on, and while files are put.
    for passed in [0, 6] {
        let dir = Dir::new();
        let proxy = Proxy::new(server.port, move |seen| match seen.number < passed {
            true => Fate::Pass,
            false => Fate::Stall,
        });
        let program = dir
            .export_to(project(DUMP), format!("s3://nightly/hung-{passed}"))
            .group(4351);
        let mut started = ENDLESS
            .into_iter()
            .fold(with_s3(program, proxy.port), |program, (name, value)| {
                program.env(name, value)
            })
            .start();
        started.wait_until("the server hangs", || proxy.hits() > 0);
        started.signal("TERM");
        let run = started.wait();
        assert_eq!(run.code, Some(130), "{passed}: {}", run.stderr);
        assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
    }
}
