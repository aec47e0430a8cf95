//! One snapshot of several databases, which all define all tables: each table is taken from one of them alone, and rows of
//! the others that are out of date are never used.

mod backup;
mod given;

use std::collections::BTreeMap;

use crate::support::server::{Database, Server};
use crate::support::*;

/// What every database defines. A leaf's columns stand in another order than its parent's, and leaves lie in two schemas.
const TABLES: &str = "
    CREATE SCHEMA parts;
    CREATE TABLE projects (id bigint PRIMARY KEY, name text);
    CREATE TABLE merge_requests (id bigint PRIMARY KEY, project_id bigint NOT NULL, title text);
    CREATE TABLE p_builds (
        id bigint NOT NULL, partition_id bigint NOT NULL, project_id bigint NOT NULL, mr_id bigint, name text,
        PRIMARY KEY (id, partition_id)
    ) PARTITION BY LIST (partition_id);
    CREATE TABLE builds (
        name text, id bigint NOT NULL, mr_id bigint, partition_id bigint NOT NULL, project_id bigint NOT NULL
    );
    ALTER TABLE p_builds ATTACH PARTITION builds FOR VALUES IN (100);
    CREATE TABLE parts.builds_101 PARTITION OF p_builds FOR VALUES IN (101);
    CREATE TABLE findings (id bigint PRIMARY KEY, project_id bigint NOT NULL, build_id bigint, severity integer);
";

/// The main database: rows of builds and findings are out of date.
const MAIN_ROWS: &str = "
    INSERT INTO projects VALUES (1, 'one'), (2, 'two');
    INSERT INTO merge_requests VALUES (10, 1, 'first'), (11, 1, 'second'), (12, 2, 'other');
    INSERT INTO p_builds VALUES
        (70, 100, 1, 10, 'stale'), (71, 101, 1, 11, 'stale'), (79, 101, 1, 11, 'stale');
    ALTER TABLE p_builds DETACH PARTITION parts.builds_101;
    INSERT INTO findings VALUES (5, 1, 70, 0);
";

/// The CI database: it has a leaf more. Rows of projects, merge requests and findings are out of date.
const CI_ROWS: &str = "
    CREATE TABLE parts.builds_102 (
        partition_id bigint NOT NULL, project_id bigint NOT NULL, id bigint NOT NULL, name text, mr_id bigint
    );
    ALTER TABLE ONLY p_builds ATTACH PARTITION parts.builds_102 FOR VALUES IN (102);
    INSERT INTO p_builds VALUES
        (70, 100, 1, 10, 'lint'), (71, 101, 1, 10, 'test'), (72, 102, 1, NULL, 'deploy'), (73, 102, 2, 12, 'other');
    INSERT INTO projects VALUES (1, 'stale');
    INSERT INTO merge_requests VALUES (10, 1, 'stale'), (19, 1, 'stale');
    INSERT INTO findings VALUES (6, 1, 70, 0);
";

/// The sec database.
const SEC_ROWS: &str = "
    INSERT INTO findings VALUES (5, 1, 72, 7), (8, 2, 73, 4);
    INSERT INTO projects VALUES (2, 'stale');
    INSERT INTO p_builds VALUES (72, 100, 1, 10, 'stale');
";

const PIPELINE: &str = r#"
pipeline: decomposed
entity: { kind: Project, table: projects, key: id, prefix: "project_{key}" }
databases:
  ci: [p_builds]
  sec: [findings]
tables:
  p_builds: { key: [id, partition_id] }
relations:
  project: { table: projects, form: object, link: { id: key } }
  builds:
    table: p_builds
    link: { project_id: key }
    nested:
      merge_request: { one: merge_requests, link: { id: mr_id } }
  merge_requests:
    table: merge_requests
    link: { project_id: key }
    nested:
      builds: { many: p_builds, link: { mr_id: id } }
  findings:
    table: findings
    link: { project_id: key }
    nested:
      build: { one: p_builds, link: { id: build_id } }
"#;

/// The files of an export of project 1.
fn expected() -> BTreeMap<String, Vec<u8>> {
    files(&[
        ("project.json.gz", r#"{"id":1,"name":"one"}"#),
        (
            "builds.ndjson.gz",
            r#"{"id":70,"partition_id":100,"project_id":1,"mr_id":10,"name":"lint","merge_request":{"id":10,"project_id":1,"title":"first"}}
{"id":71,"partition_id":101,"project_id":1,"mr_id":10,"name":"test","merge_request":{"id":10,"project_id":1,"title":"first"}}
{"id":72,"partition_id":102,"project_id":1,"mr_id":null,"name":"deploy"}
"#,
        ),
        (
            "merge_requests.ndjson.gz",
            r#"{"id":10,"project_id":1,"title":"first","builds":[{"id":70,"partition_id":100,"project_id":1,"mr_id":10,"name":"lint"},{"id":71,"partition_id":101,"project_id":1,"mr_id":10,"name":"test"}]}
{"id":11,"project_id":1,"title":"second","builds":[]}
"#,
        ),
        (
            "findings.ndjson.gz",
            r#"{"id":5,"project_id":1,"build_id":72,"severity":7,"build":{"id":72,"partition_id":102,"project_id":1,"mr_id":null,"name":"deploy"}}
"#,
        ),
    ])
}

fn files(contents: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    let files = contents.iter().map(|(name, content)| {
        let name = format!("project_1/{name}");
        (name, content.as_bytes().to_vec())
    });
    files.collect()
}

/// The three databases of one application.
struct Decomposed<'a> {
    main: Database<'a>,
    ci: Database<'a>,
    sec: Database<'a>,
}

impl Decomposed<'_> {
    fn new(server: &Server) -> Decomposed<'_> {
        let database = |rows: &str| {
            let database = server.database();
            database.run(TABLES);
            database.run(rows);
            database
        };
        Decomposed {
            main: database(MAIN_ROWS),
            ci: database(CI_ROWS),
            sec: database(SEC_ROWS),
        }
    }

    /// All of them, with the names of their dumps in a backup.
    fn with_names(&self) -> [(&'static str, &Database<'_>); 3] {
        [
            ("db/database.sql.gz", &self.main),
            ("db/ci_database.sql.gz", &self.ci),
            ("db/sec_database.sql.gz", &self.sec),
        ]
    }
}

/// An export of project 1 by the pipeline above.
fn export(dir: &Dir, snapshot: impl AsRef<std::ffi::OsStr>, out: &str) -> Program {
    let pipeline = dir.write("pipeline.yml", PIPELINE);
    dir.export_to(snapshot, dir.join(out))
        .option("--pipeline", pipeline)
        .option("--group", "1")
}

/// Runs an export that must hold everything.
fn assert_whole(what: &str, program: Program) -> Run {
    let run = program.ok();
    assert_same_files(what, &run.contents(), &expected());
    run
}
