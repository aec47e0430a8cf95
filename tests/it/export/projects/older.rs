//! Snapshots of older releases: tables under former names, and tables and columns that there were not yet.

use super::*;

/// The CI tables as they were before they had partitions. What only their partition told apart goes first.
const BEFORE_PARTITIONS: &str = "
    DELETE FROM p_ci_stages stage WHERE NOT EXISTS (SELECT FROM p_ci_pipelines pipeline
        WHERE (pipeline.id, pipeline.partition_id) = (stage.pipeline_id, stage.partition_id));
    DELETE FROM p_ci_builds job WHERE NOT EXISTS (SELECT FROM p_ci_stages stage
        WHERE (stage.id, stage.partition_id) = (job.stage_id, job.partition_id));
    CREATE TABLE ci_pipelines AS TABLE p_ci_pipelines;
    CREATE TABLE ci_stages AS TABLE p_ci_stages;
    CREATE TABLE ci_builds AS TABLE p_ci_builds;
    ALTER TABLE ci_pipelines DROP COLUMN partition_id, ADD PRIMARY KEY (id);
    ALTER TABLE ci_stages DROP COLUMN partition_id, ADD PRIMARY KEY (id);
    ALTER TABLE ci_builds DROP COLUMN partition_id, ADD PRIMARY KEY (id);
    DROP TABLE p_ci_pipelines, p_ci_stages, p_ci_builds CASCADE;
";

#[test]
fn tables_under_former_names_are_read_in_place_of_those_that_are_not_there() {
    let (dir, database) = (Dir::new(), new_database());
    database.run(BEFORE_PARTITIONS);
    let plain = text(dir.write("old.sql", database.dump(&[])));
    let archive = text(dir.write("old", database.dump(&["-Fc"])));
    let csv = csv_folder(&dir, &database);
    for (name, snapshot) in [
        ("plain", plain),
        ("archive", archive),
        ("csv-files", csv),
        ("live", database.address()),
    ] {
        let run = export(&dir, &snapshot, name, &PROJECTS).ok();
        assert_same_files(name, &run.contents(), &expected_projects(&PROJECTS));
    }
}

/// Up to GitLab 18 a table says which type an issue is of, whatever the number of the type; one that it does not know has
/// none, though the number has a name elsewhere.
#[test]
fn types_of_issues_are_those_of_their_table_where_there_is_one() {
    let (dir, database) = (Dir::new(), new_database());
    database.run(
        "CREATE TABLE work_item_types (id bigint PRIMARY KEY, base_type smallint NOT NULL);
         INSERT INTO work_item_types VALUES (1, 4), (2, 99)",
    );
    let plain = text(dir.write("types.sql", database.dump(&[])));
    for (name, snapshot) in [("plain", plain), ("live", database.address())] {
        let run = export(&dir, &snapshot, name, &[71])
            .args(["--relation", "issues"])
            .ok();
        let issues = records(&run.contents()["project_71/issues.ndjson.gz"]);
        let typed = |sql: &str| {
            let numbers = database.run(sql);
            let numbers: Vec<i64> = numbers.lines().map(|row| row.parse().unwrap()).collect();
            let of = |issue: &&Value| {
                issue["iid"]
                    .as_i64()
                    .is_some_and(|iid| numbers.contains(&iid))
            };
            let types: Vec<_> = issues
                .iter()
                .filter(of)
                .map(|it| it.get("work_item_type"))
                .collect();
            assert!(!types.is_empty(), "{sql}");
            types.into_iter().map(|it| it.cloned()).collect::<Vec<_>>()
        };
        let of = "SELECT iid FROM issues WHERE project_id = 71 AND iid IS NOT NULL AND work_item_type_id";
        for found in typed(&format!("{of} = 1")) {
            assert_eq!(found, Some(json!({"name": "Task"})), "{name}");
        }
        for found in typed(&format!("{of} BETWEEN 2 AND 9")) {
            assert_eq!(found, None, "{name}");
        }
    }
}

/// A table of the former name beside the new one is out of date, and nothing of it is read.
#[test]
fn a_former_name_does_not_count_beside_the_new_one() {
    let (dir, database) = (Dir::new(), new_database());
    database.run(
        "CREATE TABLE ci_builds AS SELECT * FROM p_ci_builds WHERE false;
         CREATE TABLE ci_pipelines AS SELECT * FROM p_ci_pipelines;
         UPDATE ci_pipelines SET ref = 'stale'",
    );
    let plain = text(dir.write("both.sql", database.dump(&[])));
    for (name, snapshot) in [("plain", plain), ("live", database.address())] {
        let run = export(&dir, &snapshot, name, &[71]).ok();
        assert_same_files(name, &run.contents(), &expected_projects(&[71]));
    }
}

#[test]
fn what_an_old_release_does_not_have_is_absent_and_nothing_else() {
    let (dir, database) = (Dir::new(), new_database());
    database.run(
        "DROP TABLE zoom_meetings, sentry_issues, issuable_slas, work_item_custom_types CASCADE;
         DROP TABLE suggestions, merge_request_reviewers CASCADE;
         ALTER TABLE issues DROP COLUMN health_status;
         ALTER TABLE merge_request_diffs DROP COLUMN files_count, DROP COLUMN sorted;
         ALTER TABLE merge_request_diff_files DROP COLUMN external_diff_size",
    );
    let plain = text(dir.write("old.sql", database.dump(&[])));
    for (name, snapshot) in [("plain", plain), ("live", database.address())] {
        let run = export(&dir, &snapshot, name, &[71]).ok();
        let mut got = run.contents();
        let mut want = expected_projects(&[71]);
        for entry in run.relations() {
            assert_eq!(entry["status"], 1, "{name}: {entry}");
        }
        let issues = "project_71/issues.ndjson.gz";
        let mut expected = records(&want.remove(issues).unwrap());
        for issue in &mut expected {
            for key in ["sentry_issue", "issuable_sla", "health_status"] {
                without(issue, &[key]);
            }
            issue["zoom_meetings"] = json!([]);
        }
        // A custom type has its name from the table that is not there.
        let types = database.run(
            "SELECT work_item_type_id > 9 FROM issues WHERE project_id = 71 ORDER BY relative_position NULLS LAST, id",
        );
        for (issue, is_custom) in expected.iter_mut().zip(types.lines()) {
            if is_custom == "t" {
                without(issue, &["work_item_type"]);
            }
        }
        assert_eq!(records(&got.remove(issues).unwrap()), expected, "{name}");
        let merge_requests = "project_71/merge_requests.ndjson.gz";
        let mut expected = records(&want.remove(merge_requests).unwrap());
        for merge_request in &mut expected {
            merge_request["merge_request_reviewers"] = json!([]);
            let notes = merge_request["notes"].as_array_mut().unwrap();
            notes
                .iter_mut()
                .for_each(|note| note["suggestions"] = json!([]));
            for key in ["files_count", "sorted"] {
                without(merge_request, &["merge_request_diff", key]);
            }
        }
        let mut got_merge_requests = records(&got.remove(merge_requests).unwrap());
        // Without a size, no file in the store of diffs is too large; what lies in one is empty all the same.
        for merge_requests in [&mut expected, &mut got_merge_requests] {
            for merge_request in merge_requests {
                without(
                    merge_request,
                    &[
                        "merge_request_diff",
                        "merge_request_diff_files",
                        "[]",
                        "too_large",
                    ],
                );
            }
        }
        assert_eq!(got_merge_requests, expected, "{name}");
        for (name, content) in &want {
            // Users whom only these rows named may be gone.
            if !name.contains("user_contributions") {
                assert_eq!(got[name], *content, "{name}");
            }
        }
    }
}
