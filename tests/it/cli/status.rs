//! `relexport status`.

use crate::support::cli::Exported;
use crate::support::*;

/// Replaces the times of entries, which differ from run to run.
fn without_times(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\"updated_at\":\"") {
        let (before, behind) = rest.split_at(at + "\"updated_at\":\"".len());
        shown.push_str(before);
        shown.push('T');
        rest = &behind[behind.find('"').unwrap()..];
    }
    shown + rest
}

#[test]
fn json_is_what_the_endpoint_answers() {
    let exported = Exported::new(&format!(
        "-s {DUMP} -g 4351 --batched --batch-size 5 --relation milestones --relation badges --relation self"
    ));
    let out = exported.out();
    let milestones = r#"{"relation":"milestones","status":1,"error":null,"updated_at":"T","batched":true,"batches_count":1,"total_objects_count":5,"batches":[{"status":1,"batch_number":1,"objects_count":5,"error":null,"updated_at":"T"}]}"#;
    let badges = r#"{"relation":"badges","status":1,"error":null,"updated_at":"T","batched":true,"batches_count":2,"total_objects_count":6,"batches":[{"status":1,"batch_number":1,"objects_count":5,"error":null,"updated_at":"T"},{"status":1,"batch_number":2,"objects_count":1,"error":null,"updated_at":"T"}]}"#;
    let own = r#"{"relation":"self","status":1,"error":null,"updated_at":"T","batched":false,"batches_count":0,"total_objects_count":1}"#;
    let all = relexport(&format!("status {out} --json")).prints();
    assert_eq!(
        without_times(&all),
        format!("[{milestones},{badges},{own}]\n")
    );
    let one = relexport(&format!("status {out} --relation badges --json")).prints();
    assert_eq!(without_times(&one), format!("{badges}\n"));
}

#[test]
fn the_table_shows_relations_and_those_of_a_relation_its_batches() {
    let exported = Exported::new(&format!(
        "-s {DUMP} -g acme/platform --batched --batch-size 5 --relation badges --relation self"
    ));
    let out = exported.out();
    // Columns but for the time.
    let cells = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| {
            let words = line.split_whitespace();
            words
                .filter(|word| !word.ends_with('Z') && *word != "UPDATED")
                .collect::<Vec<_>>()
                .join(" ")
        });
        lines.collect()
    };
    assert_eq!(
        cells(&relexport(&format!("status {out}")).prints()),
        [
            "acme/platform (4351): finished",
            "",
            "RELATION STATUS OBJECTS BATCHES ERROR",
            "badges finished 6 2/2",
            "self finished 1 -",
        ]
    );
    assert_eq!(
        cells(&relexport(&format!("status {out} --relation badges")).prints()),
        [
            "RELATION STATUS OBJECTS BATCHES ERROR",
            "badges finished 6 2/2",
            "",
            "BATCH STATUS OBJECTS ERROR",
            "1 finished 5",
            "2 finished 1",
        ]
    );
}

#[test]
fn of_several_groups_one_is_chosen() {
    let exported = Exported::new(&format!("-s {DUMP} -g 4351 -g umbrella --relation badges"));
    let out = exported.out();
    assert_eq!(
        relexport(&format!("status {out} --json")).err(2),
        "error: cannot show one status: the export holds several groups\n  \
         choose one with --group: acme/platform (4351), umbrella (7001)\n"
    );
    let all = relexport(&format!("status {out}")).prints();
    for says in [
        "2 groups: finished\n",
        "\nacme/platform (4351)\n\nRELATION ",
        "\numbrella (7001)\n\nRELATION ",
    ] {
        assert!(all.contains(says), "{all}");
    }
    let manifest = exported.path("manifest.json");
    let intact = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(
        &manifest,
        intact.replacen("\"status\": 1", "\"status\": -1", 1),
    )
    .unwrap();
    let failed = relexport(&format!("status {out}")).run();
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(failed.stdout.starts_with("2 groups: failed\n"));
    std::fs::write(&manifest, intact).unwrap();
    for group in ["7001", "umbrella", "/umbrella/", "Umbrella"] {
        let json = relexport(&format!("status {out} --group {group} --json")).json();
        assert_eq!(json[0]["total_objects_count"], 1);
    }
    assert_eq!(
        relexport(&format!("status {out} --group acme")).err(2),
        "error: cannot find acme: the export does not hold it\n  it holds acme/platform (4351), umbrella (7001)\n"
    );
}

#[test]
fn a_relation_or_an_export_that_is_not_there_is_told() {
    let exported = Exported::new(&format!("-s {DUMP} -g 4351 --relation badges"));
    assert_eq!(
        relexport(&format!("status {} --relation labels", exported.out())).err(2),
        "error: cannot find relation labels: the export does not hold it\n  its relations are: badges\n"
    );
    let error = relexport("status fixtures").err(3);
    assert_eq!(
        error,
        "error: cannot read fixtures/manifest.json: No such file or directory (os error 2)\n  \
         is this the folder of an export?\n"
    );
}

#[test]
fn a_manifest_that_is_none_is_told_with_what_to_do() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().display().to_string();
    let form = "\n  if it was changed or cut off, export again into another folder\n";
    let version = "\n  use the program that wrote it\n";
    let cases = [
        (
            "{\"manifest_version\": 1, ",
            "it is no manifest of an export (",
            form,
        ),
        ("[]", "it is no manifest of an export (", form),
        (
            "{\"manifest_version\": 99, \"else\": []}",
            "it has manifest version 99, but this program reads version ",
            version,
        ),
    ];
    for (json, why, what_to_do) in cases {
        std::fs::write(temp.path().join("manifest.json"), json).unwrap();
        for command in ["status", "verify"] {
            let error = relexport(&format!("{command} {out}")).err(3);
            let begins = format!("error: cannot read {out}/manifest.json: {why}");
            assert!(error.starts_with(&begins), "{command}: {error}");
            assert!(error.ends_with(what_to_do), "{command}: {error}");
        }
    }
}

/// The fixture's dump with a label whose time cannot be read, and an export of it.
fn with_a_bad_label(more: &str, status: i32) -> (tempfile::TempDir, String) {
    let temp = tempfile::tempdir().unwrap();
    let dump = std::fs::read_to_string(project(DUMP)).unwrap();
    let row = dump
        .lines()
        .find(|line| line.starts_with("801\t"))
        .expect("label 801");
    let time = row
        .split('\t')
        .find(|field| field.starts_with("20"))
        .unwrap();
    let path = temp.path().join("dump.sql");
    std::fs::write(
        &path,
        dump.replace(row, &row.replacen(time, "yesterday", 1)),
    )
    .unwrap();
    let out = temp.path().join("out").display().to_string();
    relexport(&format!(
        "export -q -s {} -g 4351 --relation labels --relation badges --out {out} {more}",
        path.display()
    ))
    .err(status);
    (temp, out)
}

#[test]
fn a_failed_export_or_relation_ends_with_1() {
    let (_temp, out) = with_a_bad_label("", 1);
    for (arguments, status) in [
        ("", 1),
        ("--json", 1),
        ("--relation labels", 1),
        ("--relation labels --json", 1),
        ("--relation badges", 0),
    ] {
        let ran = relexport(&format!("status {out} {arguments}")).run();
        assert_eq!(ran.code, Some(status), "{arguments}: {}", ran.stderr);
        assert!(!ran.stdout.is_empty(), "{arguments}");
    }
}

#[test]
fn an_export_that_failed_before_its_groups_were_found_is_not_being_read() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out").display().to_string();
    relexport(&format!("export -s nothing-here -g 1 -o {out} --force")).err(3);
    let status = relexport(&format!("status {out}.failed")).run();
    assert_eq!(status.code, Some(1));
    let says = "failed before its groups were found\nnot to be relied on: cannot read nothing-here";
    assert!(status.stdout.starts_with(says), "{}", status.stdout);
    let json = relexport(&format!("status {out}.failed --json")).run();
    assert_eq!((json.code, &json.stdout[..]), (Some(1), "[]\n"));
    let says = "failed before its groups were found: cannot read nothing-here";
    assert!(json.stderr.contains(says), "{}", json.stderr);
    let error = relexport(&format!("status {out}.failed --group 1")).err(2);
    assert!(!error.contains("ask again"), "{error}");
    let resumed = relexport(&format!(
        "export -s {DUMP} -g 4351 -o {out}.failed --resume"
    ))
    .err(2);
    let says = "it failed before anything was written, so nothing of it is kept";
    assert!(resumed.contains(says), "{resumed}");
}

#[test]
fn rows_that_were_left_out_are_told() {
    let (_temp, out) = with_a_bad_label("--keep-going", 1);
    let text = relexport(&format!("status {out}")).prints();
    let says = "labels: 1 row was left out (--keep-going)";
    assert!(text.contains(says), "{text}");
    for arguments in ["--json", "--relation labels --json", "--relation labels"] {
        let ran = relexport(&format!("status {out} {arguments}")).ok();
        assert!(
            ran.stderr.contains("1 row was left out (--keep-going)"),
            "{}",
            ran.stderr
        );
        // What is printed stays GitLab's answer.
        assert!(!ran.stdout.contains("left out"), "{arguments}");
    }
    let badges = relexport(&format!("status {out} --relation badges")).run();
    assert_eq!(badges.stderr, "");
    let verified = relexport(&format!("verify {out}")).prints();
    assert!(
        verified.contains("1 row was left out (--keep-going)"),
        "{verified}"
    );
    let json = relexport(&format!("verify {out} --json")).json();
    assert_eq!(json["skipped_rows"], 1);
}

/// The fixture's dump with two labels and a badge that cannot be read, of two groups, and an export of both.
fn of_two_groups(more: &str, status: i32) -> (Dir, String) {
    let dir = Dir::new();
    let mut dump = edit_field(&dump(), "labels", "id", "801", "created_at", "yesterday");
    dump = edit_field(&dump, "labels", "id", "802", "created_at", "yesterday");
    let path = dir.write("dump.sql", dump);
    let out = dir.join("out").display().to_string();
    relexport("export -q -g 4351 -g umbrella --relation labels --relation badges --out")
        .arg(&out)
        .option("-s", path)
        .args(more.split_whitespace())
        .fails(status, &[]);
    (dir, out)
}

#[test]
fn each_form_has_the_exit_status_of_what_it_is_asked_for() {
    let (_dir, out) = of_two_groups("", 1);
    let cut_off = Dir::new();
    let whole = dump();
    let half = &whole[..whole.find("\nCOPY public.users").unwrap()];
    let cut = cut_off.write("dump.sql", half);
    let ended = cut_off
        .export(&cut)
        .group(4351)
        .args(["--relation", "badges", "--relation", "labels"])
        .fails(1, &["ends too early"]);
    let cut = ended.out.display().to_string();
    for (out, arguments, code) in [
        // The export failed.
        (&out, "", 1),
        (&out, "--group 4351", 1),
        (&out, "--group 4351 --json", 1),
        (&out, "--group umbrella", 1),
        (&out, "--group umbrella --json", 1),
        // The relation did, or not.
        (&out, "--group 4351 --relation labels", 1),
        (&out, "--group 4351 --relation labels --json", 1),
        (&out, "--group 4351 --relation badges", 0),
        (&out, "--group 4351 --relation badges --json", 0),
        (&out, "--group umbrella --relation labels", 0),
        // Nothing of an export is to be relied on whose snapshot was cut off.
        (&cut, "", 1),
        (&cut, "--json", 1),
        (&cut, "--group 4351", 1),
        (&cut, "--relation badges", 1),
        (&cut, "--relation badges --json", 1),
    ] {
        let ran = relexport(&format!("status {out} {arguments}")).run();
        assert_eq!(
            ran.code,
            Some(code),
            "{arguments}: {}{}",
            ran.stdout,
            ran.stderr
        );
        let told = ran.stdout + &ran.stderr;
        let is_cut = *out == cut;
        assert_eq!(
            told.contains("not to be relied on"),
            is_cut,
            "{arguments}: {told}"
        );
    }
}

#[test]
fn rows_left_out_are_told_in_each_form() {
    let (_dir, out) = of_two_groups("--keep-going", 1);
    let says = "labels: 2 rows were left out (--keep-going)";
    for (arguments, is_told) in [
        ("", true),
        ("--group 4351", true),
        ("--group 4351 --json", true),
        ("--group 4351 --relation labels", true),
        ("--group 4351 --relation labels --json", true),
        ("--quiet --group 4351 --json", true),
        ("--group 4351 --relation badges", false),
        ("--group umbrella", false),
        ("--group umbrella --json", false),
    ] {
        let ran = relexport(&format!("status {out} {arguments}")).ok();
        let is_json = arguments.contains("--json");
        // What is printed as JSON stays GitLab's answer.
        assert!(!(is_json && ran.stdout.contains("left out")), "{arguments}");
        let told = ran.stdout + &ran.stderr;
        assert_eq!(told.contains(says), is_told, "{arguments}: {told}");
    }
}

#[test]
fn whoever_was_not_taken_and_what_is_missing_is_told() {
    let dir = Dir::new();
    let out = dir.join("out").display().to_string();
    relexport("export -q --group acme/tools --group acme --with-projects --out")
        .arg(&out)
        .option("-s", project(PROJECTS_BACKUP))
        .run();
    let all = relexport(&format!("status {out}")).run();
    let one = relexport(&format!("status {out} --group acme")).run();
    let json = relexport(&format!("status {out} --group acme --json")).run();
    for told in [&all.stdout, &one.stdout, &json.stderr] {
        assert!(told.contains("1 Project is marked by"), "{told}");
    }
    // Files that the backup lacks are noted at their relations.
    let project = relexport(&format!("status {out} --project acme/app")).run();
    let manifest = std::fs::read_to_string(dir.join("out/manifest.json")).unwrap();
    let lacks = manifest.contains("\"missing_files\"");
    assert_eq!(
        all.stdout
            .contains("files that rows name are not in the snapshot"),
        lacks
    );
    assert!(
        project.stdout.starts_with("acme/app (71): "),
        "{}",
        project.stdout
    );
}
