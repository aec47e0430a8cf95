//! Which rows of the fixture belong to a project, by SQL.

use super::*;

/// What SQL says: a value a line, behind a sign, so that an empty one is a line, too.
fn judged(sql: &str) -> Vec<String> {
    let said = format!("SELECT '=' || coalesce(value::text, '') FROM ({sql}) AS judged (value)");
    let said = database().run(&said);
    said.lines().map(str::to_owned).collect()
}

/// The values of a key, or of one further in, of these records, as texts in one line; NULL is an empty one.
fn values_of(records: &[Value], pointer: &str) -> Vec<String> {
    let values = records
        .iter()
        .map(|record| record.pointer(pointer).unwrap_or(&Value::Null));
    values
        .map(|value| match value {
            Value::Null => "=".to_owned(),
            Value::String(text) => format!("={}", text.replace('\n', "|")),
            other => format!("={other}"),
        })
        .collect()
}

/// The elements of an array in each of these records.
fn nested(records: &[Value], key: &str) -> Vec<Value> {
    let arrays = records
        .iter()
        .map(|record| record[key].as_array().unwrap_or_else(|| panic!("no {key}")));
    arrays.flatten().cloned().collect()
}

#[test]
fn rows_are_those_that_sql_finds() {
    let dir = Dir::new();
    let address = database().address();
    for (name, snapshot) in [("plain", text(project(DUMP))), ("live", address)] {
        let run = export(&dir, &snapshot, name, &PROJECTS).ok();
        for id in PROJECTS {
            let relation = |relation: &str| {
                records(&run.content(&format!("project_{id}/{relation}.ndjson.gz")))
            };
            let same = |records: &[Value], pointer: &str, sql: &str| {
                let sql = sql.replace("$1", &id.to_string());
                assert_eq!(
                    values_of(records, pointer),
                    judged(&sql),
                    "{name} {id}: {sql}"
                );
            };
            let issues = relation("issues");
            same(
                &issues,
                "/iid",
                "SELECT iid FROM issues WHERE project_id = $1 ORDER BY relative_position NULLS LAST, id",
            );
            same(
                &nested(&issues, "notes"),
                "/note",
                "SELECT replace(note, E'\\n', '|') FROM notes JOIN issues ON issues.id = noteable_id AND noteable_type = 'Issue'
                 WHERE issues.project_id = $1 ORDER BY relative_position NULLS LAST, issues.id, notes.id",
            );
            let merge_requests = relation("merge_requests");
            same(
                &merge_requests,
                "/iid",
                "SELECT iid FROM merge_requests WHERE target_project_id = $1 ORDER BY created_at NULLS LAST, id",
            );
            // The regular diff of the highest id, whatever others there are.
            same(
                &merge_requests,
                "/merge_request_diff/base_commit_sha",
                "SELECT (SELECT base_commit_sha FROM merge_request_diffs WHERE merge_request_id = merge_requests.id
                   AND diff_type = 1 ORDER BY id DESC LIMIT 1)
                 FROM merge_requests WHERE target_project_id = $1 ORDER BY created_at NULLS LAST, id",
            );
            let pipelines = relation("ci_pipelines");
            let found = "(SELECT * FROM p_ci_pipelines WHERE project_id = $1
                AND (source IS NULL OR source IN (1, 2, 3, 4, 5, 6, 7, 8, 10, 11))) AS pipelines";
            same(
                &pipelines,
                "/iid",
                &format!("SELECT iid FROM {found} ORDER BY id"),
            );
            let stages = nested(&pipelines, "stages");
            let of_stages = "JOIN p_ci_stages stages
                ON (stages.pipeline_id, stages.partition_id) = (pipelines.id, pipelines.partition_id)";
            same(
                &stages,
                "/name",
                &format!(
                    "SELECT stages.name FROM {found} {of_stages}
                     ORDER BY pipelines.id, position NULLS LAST, stages.id"
                ),
            );
            for (key, kind) in [
                ("builds", "Ci::Build"),
                ("generic_commit_statuses", "GenericCommitStatus"),
                ("bridges", "Ci::Bridge"),
            ] {
                same(
                    &nested(&stages, key),
                    "/name",
                    &format!(
                        "SELECT jobs.name FROM {found} {of_stages} JOIN p_ci_builds jobs
                           ON (jobs.stage_id, jobs.partition_id) = (stages.id, stages.partition_id) AND jobs.type = '{kind}'
                         ORDER BY pipelines.id, position NULLS LAST, stages.id, jobs.id"
                    ),
                );
            }
        }
    }
}
