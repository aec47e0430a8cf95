//! Looking at exports in buckets that cannot be read, or not now.

use super::proxy::{Fate, Proxy, Seen};
use super::servers::*;
use crate::encryption::identity;
use crate::support::*;

/// `relexport` with an export in a bucket as its arguments, through a proxy, with limits that a test can wait for.
fn look(port: u16, command: &str) -> Run {
    with_s3(relexport(command), port)
        .env("RELEXPORT_BUCKET_TRIES", "2")
        .env("RELEXPORT_BUCKET_TOTAL_SECONDS", "20")
        .env("RELEXPORT_BUCKET_IDLE_SECONDS", "2")
        .run()
}

fn is_list(seen: &Seen) -> bool {
    seen.path.contains("list-type=")
}

fn is_get(seen: &Seen) -> bool {
    !is_list(seen)
}

fn is_labels(seen: &Seen) -> bool {
    seen.path.contains("labels")
}

#[test]
fn what_cannot_be_read_is_3_and_what_is_not_ready_is_75() {
    let (dir, server) = (Dir::new(), s3s());
    let export = dir.export_to(project(DUMP), "s3://nightly/gitlab");
    with_s3(export.group(4351), server.port).ok();
    let name = server.export().out.file_name().unwrap().to_owned();
    let export = format!("s3://nightly/gitlab/{}", name.to_str().unwrap());
    let commands = [
        format!("verify {export}"),
        format!("status {export}"),
        format!("diff {export} {export}"),
    ];
    let busy = Fate::Answer(500, "InternalError");
    let denied = Fate::Answer(403, "AccessDenied");
    type Meant = fn(&Seen) -> bool;
    let any: Meant = |_| true;
    // A file that cannot be read is a finding of `verify`; `status` reads none, and no more than `diff` lists them.
    let cases: [(&str, Fate, Meant, [i32; 3]); 7] = [
        ("no permission", denied, any, [3, 3, 3]),
        (
            "nothing there",
            Fate::Answer(404, "NoSuchKey"),
            any,
            [3, 3, 3],
        ),
        (
            "no bucket",
            Fate::Answer(404, "NoSuchBucket"),
            any,
            [3, 3, 3],
        ),
        ("nothing is ready", busy, any, [75, 75, 75]),
        ("no object is ready", busy, is_get, [75, 75, 75]),
        ("no listing", busy, is_list, [75, 0, 0]),
        ("a file is not ready", busy, is_labels, [1, 0, 75]),
    ];
    for (case, fate, is_meant, codes) in cases {
        let rule = move |seen: &Seen| match is_meant(seen) {
            true => fate,
            false => Fate::Pass,
        };
        let proxy = Proxy::new(server.port, rule);
        for (command, code) in commands.iter().zip(codes) {
            let run = look(proxy.port, command);
            assert_eq!(run.code, Some(code), "{case}: {command}: {}", run.stderr);
            if code == 75 {
                assert!(run.stderr.contains("try again"), "{}", run.stderr);
                assert!(!run.stderr.contains("permissions"), "{}", run.stderr);
            }
        }
    }
    // Of an encrypted file the first bytes are read by another way.
    let (key, recipient) = identity(&dir, "key");
    let sealed = dir.export_to(project(DUMP), "s3://nightly/sealed");
    let sealed = sealed.group(4351).option("--encrypt-to", recipient);
    with_s3(sealed, server.port).ok();
    let proxy = Proxy::new(server.port, move |seen| match is_labels(seen) {
        true => busy,
        false => Fate::Pass,
    });
    let key = key.display();
    let diff = format!("diff --identity {key} s3://nightly/sealed s3://nightly/sealed");
    let run = look(proxy.port, &diff);
    assert_eq!(run.code, Some(75), "{}", run.stderr);
    // By way of the address above it.
    let proxy = Proxy::new(server.port, move |_| denied);
    for command in ["verify s3://nightly/gitlab", "status s3://nightly/gitlab"] {
        let run = look(proxy.port, command);
        assert_eq!(run.code, Some(3), "{command}: {}", run.stderr);
    }
}
