//! `relexport groups`.

use crate::support::*;

const LIST: &str = r#"  ID  PARENT  FULL PATH           NAME
4350       -  acme                Acme
4351    4350  acme/platform       Plat\tform <&> "R\D"
4352    4351  acme/platform/core  Core
7001       -  umbrella            Umbrella
"#;

#[test]
fn every_kind_of_snapshot_gives_the_same_list() {
    for snapshot in SNAPSHOTS {
        assert_eq!(
            relexport(&format!("groups -s {snapshot}")).prints(),
            LIST,
            "{snapshot}"
        );
    }
}

#[test]
fn a_dump_from_standard_input_is_read() {
    let dump = std::fs::read(project(DUMP)).unwrap();
    assert_eq!(relexport("groups -s -").input(&dump).prints(), LIST);
}

#[test]
fn the_tree_shows_subgroups_below_their_parents() {
    let expected = r#"acme (4350)  Acme
└── platform (4351)  Plat\tform <&> "R\D"
    └── core (4352)  Core
umbrella (7001)  Umbrella
"#;
    assert_eq!(
        relexport(&format!("groups -s {DUMP} --tree")).prints(),
        expected
    );
}

#[test]
fn json_has_the_names_as_they_are() {
    let expected = serde_json::json!([
        {"id": 4350, "full_path": "acme", "name": "Acme", "parent_id": null},
        {"id": 4351, "full_path": "acme/platform", "name": "Plat\tform <&> \"R\\D\"", "parent_id": 4350},
        {"id": 4352, "full_path": "acme/platform/core", "name": "Core", "parent_id": 4351},
        {"id": 7001, "full_path": "umbrella", "name": "Umbrella", "parent_id": null},
    ]);
    assert_eq!(
        relexport(&format!("groups -s {DUMP} --json")).json(),
        expected
    );
    let tree = relexport(&format!("groups -s {DUMP} --json --tree")).json();
    assert_eq!(
        tree[0]["subgroups"][0]["subgroups"][0]["full_path"],
        "acme/platform/core"
    );
}

#[test]
fn a_dump_that_is_cut_off_behind_the_routes_still_lists_all() {
    let dump = std::fs::read(project(DUMP)).unwrap();
    let users = memchr::memmem::find(&dump, b"COPY public.users ").unwrap();
    assert_eq!(
        relexport("groups -s -").input(&dump[..users]).prints(),
        LIST
    );
}

#[test]
fn a_dump_that_is_cut_off_before_the_routes_lists_nothing() {
    let dump = std::fs::read(project(DUMP)).unwrap();
    let routes = memchr::memmem::find(&dump, b"COPY public.routes ").unwrap();
    let error = relexport("groups -s -").input(&dump[..routes]).err(3);
    assert!(
        error.starts_with("error: -: the snapshot ") && error.contains("cut off"),
        "{error}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    // Gone before anything is printed, as `head -0` is.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ran = relexport(&format!("groups -s {DUMP}")).stdout(writer).ok();
    assert_eq!(ran.stderr, "");
}

#[test]
fn what_is_not_there_is_told() {
    let error = relexport("groups -s nothing-here").err(3);
    assert_eq!(
        error,
        "error: cannot read nothing-here: there is no such file or folder; name a dump, a GitLab backup or a folder \
         of CSV files, or - for standard input\n"
    );
}

#[test]
fn the_sizes_of_a_backups_files_are_shown() {
    const BACKUP: &str = "fixtures/projects/1790000000_2026_09_21_19.3.0-ee_gitlab_backup.tar";
    let listed = relexport(&format!("groups -s {BACKUP} --projects --sizes --json")).json();
    let of = |id: i64| {
        let projects = listed.as_array().unwrap().iter();
        let mut projects = projects.filter(|project| project["id"] == id);
        let project = projects.next().unwrap();
        ["repository_bytes", "uploads", "lfs_objects"].map(|key| project[key].as_u64().unwrap())
    };
    // The bundles of project 71 in the backup have 1412 and, of its designs, 614 bytes (tar -tv); it has three rows of
    // uploads and two of LFS objects.
    assert_eq!(of(71), [1412 + 614, 3, 2]);
    assert_eq!(of(86)[1..], [60, 52]);
    let text = relexport(&format!("groups -s {BACKUP} --projects --sizes")).prints();
    assert!(
        text.lines()
            .next()
            .unwrap()
            .ends_with("REPOSITORY  UPLOADS  LFS OBJECTS"),
        "{text}"
    );
}
