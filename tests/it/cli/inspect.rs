//! `relexport inspect`.

use crate::support::*;

#[test]
fn a_backup_tells_its_versions_and_its_time() {
    let text = relexport(&format!("inspect -s {BACKUP}")).prints();
    let head: Vec<&str> = text.lines().take(7).collect();
    assert_eq!(
        head,
        [
            "kind            gitlab-backup",
            "source          1700000000_2023_11_14_16.5.1-ee_gitlab_backup.tar",
            head[2],
            "server version  15.18",
            "dump version    15.18",
            "GitLab version  16.5.1-ee",
            "taken at        2023-11-14 22:13:20.000000000 Z",
        ]
    );
    assert!(head[2].starts_with("size            "));
    assert!(text.contains("\nTABLE "), "{text}");
}

#[test]
fn tables_are_counted_alike_in_every_kind_of_snapshot() {
    for (snapshot, kind) in [(DUMP, "plain"), (BACKUP, "gitlab-backup"), (CSV, "csv")] {
        let json = relexport(&format!("inspect -s {snapshot} --json")).json();
        assert_eq!(json["kind"], kind);
        let rows = |name: &str| {
            let tables = json["tables"].as_array().unwrap();
            let found = tables.iter().find(|table| table["table"] == name);
            found.unwrap_or_else(|| panic!("{name}"))["rows"].clone()
        };
        // Counted in the COPY blocks of fixtures/gitlab.sql.
        for (table, count) in [
            ("award_emoji", 14),
            ("badges", 9),
            ("boards", 11),
            ("redirect_routes", 2),
        ] {
            assert_eq!(rows(table), count, "{table} of {snapshot}");
        }
    }
}

#[test]
fn without_a_stated_version_the_tables_tell_the_oldest() {
    let json = relexport(&format!("inspect -s {DUMP} --json")).json();
    assert_eq!(json["gitlab_version"], serde_json::Value::Null);
    assert_eq!(json["gitlab_version_by_tables"], "19.1.0");
}

#[test]
fn of_a_dump_that_is_cut_off_what_came_before_is_shown() {
    let dump = std::fs::read(project(DUMP)).unwrap();
    let users = memchr::memmem::find(&dump, b"COPY public.users ").unwrap();
    let ran = relexport("inspect -s - --json").input(&dump[..users]).run();
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.starts_with("error: -: "), "{}", ran.stderr);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(json["error"].is_string());
    let tables = json["tables"].as_array().unwrap();
    let rows = |name: &str| {
        let found = tables.iter().find(|table| table["table"] == name);
        found.unwrap()["rows"].clone()
    };
    assert_eq!(rows("badges"), 9);
    assert_eq!(rows("users"), serde_json::Value::Null);
}
