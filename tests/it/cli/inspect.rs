//! `relexport inspect`.

use serde_json::{Value, json};

use crate::support::*;

#[test]
fn a_backup_tells_its_versions_and_its_time() {
    let text = relexport(&format!("inspect -s {BACKUP}")).prints();
    let head: Vec<&str> = text.lines().take(9).collect();
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
            "groups          4",
            "projects        1",
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
    assert_eq!(json["gitlab_version"], Value::Null);
    assert_eq!(json["gitlab_version_by_tables"], "19.1.0");
}

#[test]
fn of_a_dump_that_is_cut_off_what_came_before_is_shown() {
    let dump = std::fs::read(project(DUMP)).unwrap();
    let users = memchr::memmem::find(&dump, b"COPY public.users ").unwrap();
    let ran = relexport("inspect -s - --json").input(&dump[..users]).run();
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.starts_with("error: -: "), "{}", ran.stderr);
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(json["error"].is_string());
    let tables = json["tables"].as_array().unwrap();
    let rows = |name: &str| {
        let found = tables.iter().find(|table| table["table"] == name);
        found.unwrap()["rows"].clone()
    };
    assert_eq!(rows("badges"), 9);
    assert_eq!(rows("users"), Value::Null);
}

#[test]
fn groups_and_projects_are_counted_in_every_kind_of_snapshot() {
    // People and projects are namespaces, too. Projects that are about to be deleted count, as `groups --projects` lists them.
    let with_projects = json!({"group": 5, "project": 14});
    let without = json!({"group": 4, "project": 1});
    for (snapshot, expected) in [
        (DUMP, &without),
        (BACKUP, &without),
        (CSV, &without),
        (PROJECTS, &with_projects),
        (PROJECTS_BACKUP, &with_projects),
    ] {
        let json = relexport(&format!("inspect -s {snapshot} --json")).json();
        assert_eq!(json["entities"], *expected, "{snapshot}");
        for (projects, kind) in [("", "group"), (" --projects", "project")] {
            let listed = relexport(&format!("groups -s {snapshot} --json{projects}")).json();
            let listed = listed.as_array().unwrap().len();
            assert_eq!(json["entities"][kind], listed, "{kind} of {snapshot}");
        }
    }
    let only = format!("inspect -s {PROJECTS} --pipeline pipelines/group.yml --json");
    assert_eq!(relexport(&only).json()["entities"], json!({"group": 5}));
}

#[test]
fn of_a_snapshot_without_a_table_of_entities_nothing_is_said() {
    let dir = Dir::new();
    dir.write(
        "dump.sql",
        "CREATE TABLE public.projects (id bigint, namespace_id bigint);\n\
         COPY public.projects (id, namespace_id) FROM stdin;\n1\t1\n\\.\n",
    );
    let ran = dir.relexport("inspect -s dump.sql").ok();
    assert!(!ran.stdout.contains("groups"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("projects        "), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
    let json = dir.relexport("inspect -s dump.sql --json").json();
    assert_eq!(json["entities"], json!({}));
}

#[test]
fn entities_that_are_schemas_are_counted() {
    let dir = Dir::new();
    dir.write(
        "crm.yml",
        "pipeline: crm\nentity: { kind: Tenant, schema: 'tenant_*', table: users, prefix: '{key}' }\n\
         relations: { users: { table: users } }\n",
    );
    dir.write(
        "dump.sql",
        "CREATE TABLE tenant_a.users (id bigint);\nCREATE TABLE tenant_b.users (id bigint);\n\
         CREATE TABLE tenant_c.logs (id bigint);\nCREATE TABLE staff.users (id bigint);\n",
    );
    let text = dir.relexport("inspect -s dump.sql --pipeline crm.yml");
    assert!(text.prints().contains("\ntenants         2\n"));
}

/// A dump of one group, one project namespace and three projects, the second of which has one field too few if it is `bad`.
fn small_dump(bad: bool) -> String {
    let second = if bad { "2" } else { "2\t1" };
    format!(
        "CREATE TABLE public.namespaces (id bigint, type text, name text, path text, parent_id bigint, traversal_ids bigint[]);\n\
         CREATE TABLE public.projects (id bigint, namespace_id bigint);\n\
         COPY public.namespaces (id, type) FROM stdin;\n1\tGroup\n2\tProject\n3\t\\N\n\\.\n\
         COPY public.projects (id, namespace_id) FROM stdin;\n1\t1\n{second}\n3\t2\n\\.\n"
    )
}

#[test]
fn a_table_with_a_damaged_row_or_without_its_end_gives_no_number() {
    let inspect = |dump: &str| {
        let ran = relexport("inspect -s - --json").input(dump).run();
        let json: Value = serde_json::from_str(&ran.stdout).unwrap();
        (ran, json["entities"].clone())
    };
    let (ran, entities) = inspect(&small_dump(false));
    assert_eq!(entities, json!({"group": 1, "project": 3}));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));

    let (ran, entities) = inspect(&small_dump(true));
    assert_eq!(entities, json!({"group": 1, "project": null}));
    assert_eq!(ran.code, Some(0));
    let told = "projects cannot be counted: table projects: row 2 (byte ";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    let fields = ": 1 fields, but the table's data has 2 columns";
    assert!(ran.stderr.contains(fields), "{}", ran.stderr);

    let whole = small_dump(false);
    let (ran, entities) = inspect(&whole[..whole.len() - 5]);
    assert_eq!(entities, json!({"group": 1, "project": null}));
    assert_eq!(ran.code, Some(3));
    let told = "projects cannot be counted: table projects: not all of its rows are there";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    let text = relexport("inspect -s -").input(&whole[..whole.len() - 5]);
    let text = text.run().stdout;
    assert!(text.contains("\nprojects        not known\n"), "{text}");
}

#[test]
fn of_a_snapshot_of_some_entities_only_these_are_counted() {
    let dir = Dir::new();
    let from = project(PROJECTS);
    let take = dir.relexport("snapshot take --project 71 --out taken");
    take.option("--from", &from).ok();
    let json = dir.relexport("inspect -s taken --json").json();
    assert_eq!(json["entities"]["project"], 1);
    let listed = dir.relexport("groups -s taken --json").json();
    let listed = listed.as_array().unwrap().len();
    assert_eq!(json["entities"]["group"], listed);
}

/// Each part with its files, bundles and bytes.
fn parts(json: &Value) -> Vec<(String, u64, u64, u64)> {
    let parts = json["files"]["parts"].as_array().unwrap().iter();
    let number = |part: &Value, key: &str| part[key].as_u64().unwrap();
    parts
        .map(|part| {
            let name = part["part"].as_str().unwrap().to_owned();
            let [files, bundles, bytes] =
                ["files", "bundles", "bytes"].map(|key| number(part, key));
            (name, files, bundles, bytes)
        })
        .collect()
}

/// The number and bytes of a tar's regular files whose names have such a beginning and end.
fn counted(tar: &[u8], start: &str, end: &str) -> (u64, u64) {
    let mut archive = tar::Archive::new(tar);
    let (mut count, mut bytes) = (0, 0);
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        if entry.header().entry_type().is_file() && name.starts_with(start) && name.ends_with(end) {
            count += 1;
            bytes += entry.size();
        }
    }
    (count, bytes)
}

#[test]
fn the_parts_of_a_backup_are_counted_in_both_of_its_forms() {
    let tar = std::fs::read(project(PROJECTS_BACKUP)).unwrap();
    let dir = Dir::new();
    tar::Archive::new(&tar[..])
        .unpack(dir.path().join("unpacked"))
        .unwrap();
    let (databases, bytes_of_databases) = counted(&tar, "db/", "");
    let (repositories, bytes_of_repositories) = counted(&tar, "repositories/", "");
    let (bundles, _) = counted(&tar, "repositories/", ".bundle");
    let archive = |name: &str| {
        let (files, bytes) = counted(&tar, &format!("{name}.tar.gz"), "");
        (name.to_owned(), files, 0, bytes)
    };
    let expected = [
        ("databases".to_owned(), databases, 0, bytes_of_databases),
        (
            "repositories".to_owned(),
            repositories,
            bundles,
            bytes_of_repositories,
        ),
        archive("uploads"),
        archive("lfs"),
        archive("external_diffs"),
    ];
    assert!(bundles > 9);
    dir.write("backup.tar", &tar);
    for form in ["backup.tar", "unpacked"] {
        let json = dir.relexport(&format!("inspect -s {form} --json")).json();
        assert_eq!(parts(&json), expected, "{form}");
        assert_eq!(
            json["files"]["backup_id"],
            "1790000000_2026_09_21_19.3.0-ee"
        );
        assert_eq!(json["files"]["skipped"][0], "builds");
        assert_eq!(json["files"].get("reason"), None);
    }
    let text = dir.relexport("inspect -s backup.tar").prints();
    let lines: Vec<&str> = text.lines().collect();
    let head = lines
        .iter()
        .position(|line| *line == "PART OF THE BACKUP  FILES  BUNDLES      BYTES");
    let first = lines[head.unwrap() + 1];
    assert!(
        first.starts_with("databases               2           "),
        "{first}"
    );
    assert!(
        text.contains("\nleft out of the backup on purpose: builds, artifacts, "),
        "{text}"
    );

    // Unknown parts are told, and a name moves no cursor.
    std::fs::create_dir(dir.path().join("unpacked/new\u{1b}[2J")).unwrap();
    dir.write("unpacked/new\u{1b}[2J/file", "12345");
    let json = dir.relexport("inspect -s unpacked --json").json();
    let new = json["files"]["parts"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    let part = "new\u{1b}[2J";
    let expected = json!({"part": part, "known": false, "files": 1, "bundles": 0, "bytes": 5});
    assert_eq!(new, expected);
    let text = dir.relexport("inspect -s unpacked").prints();
    assert!(text.contains("new\\u{1b}[2J (unknown)"), "{text}");
}

#[test]
fn parts_that_are_not_seen_are_not_taken_for_missing() {
    let tar = std::fs::read(project(PROJECTS_BACKUP)).unwrap();
    let dir = Dir::new();
    let cut = tar.len() / 2;
    dir.write("cut.tar", &tar[..cut]);
    let ran = dir.relexport("inspect -s cut.tar --json").ok();
    assert!(ran.stderr.contains("cut off at byte"), "{}", ran.stderr);
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    let reason = format!("the tar is cut off at byte {cut}");
    assert_eq!(json["files"]["reason"], reason);
    let text = dir.relexport("inspect -s cut.tar").ok().stdout;
    assert!(
        text.contains(&format!("there may be more: {reason}")),
        "{text}"
    );

    let json = relexport("inspect -s - --json").input(&tar).json();
    assert_eq!(json["files"]["parts"], Value::Null);
    assert!(
        json["files"]["reason"]
            .as_str()
            .unwrap()
            .contains("only be read in order")
    );
    let json = relexport(&format!("inspect -s {DUMP} --json")).json();
    assert_eq!(json.get("files"), None);
}
