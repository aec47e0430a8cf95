//! Projects: who sees which, by which names, and what is answered of them by REST.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::api::{Answer, Server, new_token};
use crate::support::{PROJECTS, project};

fn serve(folder: &Path, options: &[&str]) -> Server {
    Server::of(&project(PROJECTS), &folder.join("data"), options)
}

/// Serves what these statements make.
fn serve_sql(folder: &Path, statements: &str) -> Server {
    let snapshot = folder.join("instance.sql");
    fs::write(&snapshot, statements).unwrap();
    Server::of(&snapshot, &folder.join("data"), &[])
}

/// The tables of groups and projects, with the columns that say who they are.
const TABLES: &str = "\
CREATE TABLE namespaces (id bigint PRIMARY KEY, name text, path text, type text, parent_id bigint, traversal_ids bigint[]);
CREATE TABLE routes (id bigint PRIMARY KEY, source_id bigint, source_type text, path text);
CREATE TABLE projects (id bigint PRIMARY KEY, name text, path text, namespace_id bigint, visibility_level integer,
  archived boolean, created_at timestamp, updated_at timestamp);
";

fn ids(answer: &Answer) -> Vec<i64> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let rows = answer.json();
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["id"].as_i64().unwrap()).collect()
}

#[test]
fn a_project_is_named_by_its_id_and_by_its_paths_in_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &[]);
    let named = |name: &str| {
        let answer = server.get(&format!("/api/v4/projects/{name}"));
        match answer.status {
            200 => answer.json()["id"].clone(),
            404 => {
                assert_eq!(answer.json(), json!({"message": "404 Project Not Found"}));
                Value::Null
            }
            _ => panic!("{name}: {answer:?}"),
        }
    };
    for (name, id) in [
        ("71", json!(71)),
        ("acme%2Fapp", json!(71)),
        ("ACME%2fApp", json!(71)),
        // It was called so once.
        ("acme%2FOld-App", json!(71)),
        ("acme%2Fold-app", json!(71)),
        ("acme%2Ftools%2Fwheel", json!(72)),
        ("2000077", json!(2000077)),
        ("alice%2Fapp", json!(2000077)),
        // GitLab was about to delete it.
        ("75", Value::Null),
        ("acme%2Fghost", Value::Null),
        ("-71", Value::Null),
        ("171", Value::Null),
        ("acme", Value::Null),
        ("acme%2Fapp%2F", Value::Null),
        ("..%2F..%2Fetc%2Fpasswd", Value::Null),
        ("acme%2F..%2Facme%2Fapp", Value::Null),
        ("99999999999999999999", Value::Null),
        ("%00", Value::Null),
        ("acme%5Capp", Value::Null),
        ("%F0%9F%9A%80", Value::Null),
    ] {
        assert_eq!(named(name), id, "{name}");
    }
}

#[test]
fn a_path_that_a_project_has_goes_before_one_that_another_had() {
    let folder = tempfile::tempdir().unwrap();
    let statements = format!(
        "{TABLES}
CREATE TABLE redirect_routes (id bigint PRIMARY KEY, source_id bigint, source_type text, path text);
INSERT INTO namespaces VALUES (1, 'Top', 'top', 'Group', NULL, '{{1}}');
INSERT INTO routes VALUES (1, 1, 'Namespace', 'top'), (2, 11, 'Project', 'top/new'), (3, 12, 'Project', 'top/A'),
  (4, 13, 'Project', 'top/a');
INSERT INTO projects VALUES (11, 'New', 'new', 1, 0, false, NULL, NULL), (12, 'A', 'A', 1, 0, false, NULL, NULL),
  (13, 'a', 'a', 1, 0, false, NULL, NULL);
INSERT INTO redirect_routes VALUES (1, 11, 'Project', 'top/a'), (2, 12, 'Project', 'top/was'), (3, 1, 'Namespace', 'top/gone'),
  (4, 99, 'Project', 'top/lost');
"
    );
    let server = serve_sql(folder.path(), &statements);
    for (name, id) in [
        ("top%2Fa", Some(13)),
        ("top%2FA", Some(12)),
        ("TOP%2FA", Some(12)),
        ("top%2FWAS", Some(12)),
        ("top%2Fnew", Some(11)),
        ("top%2Fgone", None),
        ("top%2Flost", None),
    ] {
        let answer = server.get(&format!("/api/v4/projects/{name}"));
        assert_eq!(answer.json()["id"].as_i64(), id, "{name}");
    }
}

#[test]
fn a_group_is_named_in_any_case_on_every_route() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &[]);
    for name in ["51", "acme%2Ftools", "Acme%2FTOOLS"] {
        let group = server.get(&format!("/api/v4/groups/{name}"));
        assert_eq!(group.json()["id"], 51, "{name}");
        for (rest, status) in [
            ("subgroups", 200),
            ("projects", 200),
            ("badges", 200),
            ("wikis", 200),
            ("export_relations/status", 200),
            // There is such a group, so it is the parameter that is missing.
            ("export_relations/download", 400),
        ] {
            let answer = server.get(&format!("/api/v4/groups/{name}/{rest}"));
            assert_eq!(answer.status, status, "{name} {rest}: {answer:?}");
        }
        let overview = server.get(&format!("/-/relexport/groups/{name}"));
        assert_eq!(overview.json()["group"]["id"], 51);
    }
    // What is made of digits is an id, whatever paths there are.
    assert_eq!(server.get("/api/v4/groups/0051").json()["id"], 51);
    assert_eq!(server.get("/api/v4/groups/-51").status, 404);
    let start = server.post("/api/v4/groups/ACME%2Ftools/export_relations");
    assert_eq!(start.status, 202);
    let start = server.post("/-/relexport/groups/Acme/export?subgroups=true");
    assert_eq!(start.status, 202);
}

#[test]
fn a_token_for_a_group_sees_the_projects_below_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let all = new_token(&file, &[]);
    let acme = new_token(&file, &["--groups", "acme"]);
    let tools = new_token(&file, &["--read-only", "--groups", "Acme/Tools"]);
    let both = new_token(&file, &["--groups", "51,umbrella"]);
    let server = serve(folder.path(), &["--token-file", file.to_str().unwrap()]);
    let hidden = json!({"message": "404 Project Not Found"});
    let get =
        |token: &str, path: &str| server.request("GET", path, &[("PRIVATE-TOKEN", token)], b"");
    for (token, seen) in [
        (
            all.as_str(),
            &[71, 72, 73, 74, 76, 78, 81, 82, 83, 84, 85, 86, 2_000_077][..],
        ),
        (&acme, &[71, 72, 73, 74]),
        (&tools, &[72]),
        (&both, &[72, 78]),
    ] {
        for id in [71, 72, 73, 74, 75, 76, 78, 2_000_077] {
            for rest in ["", "/badges"] {
                let answer = get(token, &format!("/api/v4/projects/{id}{rest}"));
                match seen.contains(&id) {
                    true => assert_eq!(answer.status, 200, "{id}{rest}"),
                    false => assert_eq!(
                        (answer.status, answer.json()),
                        (404, hidden.clone()),
                        "{id}"
                    ),
                }
            }
        }
        let list = get(token, "/api/v4/projects?order_by=id&sort=asc");
        assert_eq!(ids(&list), seen);
    }
    // Strangers are told nothing, and nobody is with a wrong token.
    for path in [
        "/api/v4/projects/71",
        "/api/v4/projects/acme%2Fapp",
        "/api/v4/projects/nothing",
    ] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status, answer.json()),
            (404, hidden.clone()),
            "{path}"
        );
        let answer = get("wrong", path);
        assert_eq!(
            (answer.status, answer.json()),
            (401, json!({"message": "401 Unauthorized"}))
        );
    }
    assert_eq!(server.get("/api/v4/projects").status, 401);
    let answer = get(&tools, "/api/v4/groups/50/projects");
    assert_eq!(answer.json(), json!({"message": "404 Group Not Found"}));
}

/// A project of which next to nothing is set.
const WHEEL: &str = r#"{
  "id": 72,
  "description": null,
  "name": "wheel",
  "name_with_namespace": "Acme / Tools / wheel",
  "path": "wheel",
  "path_with_namespace": "acme/tools/wheel",
  "created_at": null,
  "web_url": "https://git.example/acme/tools/wheel",
  "avatar_url": null,
  "star_count": 0,
  "last_activity_at": null,
  "visibility": "private",
  "namespace": {
    "id": 51,
    "name": "Tools",
    "path": "tools",
    "kind": "group",
    "full_path": "acme/tools",
    "parent_id": 50,
    "avatar_url": null,
    "web_url": "https://git.example/groups/acme/tools"
  },
  "archived": false,
  "resolve_outdated_diff_discussions": null,
  "issues_enabled": true,
  "merge_requests_enabled": true,
  "wiki_enabled": true,
  "jobs_enabled": true,
  "snippets_enabled": true,
  "container_registry_enabled": false,
  "service_desk_enabled": null,
  "issues_access_level": "enabled",
  "repository_access_level": "enabled",
  "merge_requests_access_level": "enabled",
  "forking_access_level": "enabled",
  "wiki_access_level": "enabled",
  "builds_access_level": "enabled",
  "snippets_access_level": "enabled",
  "pages_access_level": null,
  "analytics_access_level": null,
  "container_registry_access_level": null,
  "security_and_compliance_access_level": null,
  "releases_access_level": null,
  "environments_access_level": null,
  "feature_flags_access_level": null,
  "infrastructure_access_level": null,
  "monitor_access_level": null,
  "model_experiments_access_level": null,
  "model_registry_access_level": null,
  "package_registry_access_level": null,
  "requirements_access_level": null,
  "emails_disabled": false,
  "emails_enabled": true,
  "shared_runners_enabled": true,
  "lfs_enabled": true,
  "creator_id": null,
  "public_jobs": true,
  "ci_config_path": null,
  "only_allow_merge_if_pipeline_succeeds": false,
  "request_access_enabled": true,
  "only_allow_merge_if_all_discussions_are_resolved": null,
  "remove_source_branch_after_merge": null,
  "printing_merge_request_link_enabled": true,
  "merge_method": "merge",
  "suggestion_commit_message": null,
  "autoclose_referenced_issues": true,
  "repository_storage": "default",
  "updated_at": null,
  "marked_for_deletion_at": null,
  "marked_for_deletion_on": null
}"#;

#[test]
fn a_project_has_gitlabs_keys_and_what_the_snapshot_tells() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &["--external-url", "https://git.example"]);
    let wheel = server.get("/api/v4/projects/72").json();
    let expected: Value = serde_json::from_str(WHEEL).unwrap();
    assert_eq!(wheel, expected);
    let app = server.get("/api/v4/projects/71").json();
    for (key, value) in [
        ("name", json!("App <&>")),
        ("name_with_namespace", json!("Acme / App <&>")),
        ("description", json!("The app:\nit \"works\" \u{2028} & 🚀")),
        ("created_at", json!("2024-01-03T00:00:00.123Z")),
        ("visibility", json!("public")),
        ("archived", json!(false)),
        ("merge_requests_access_level", json!("private")),
        ("wiki_access_level", json!("disabled")),
        ("wiki_enabled", json!(false)),
        ("pages_access_level", json!("public")),
        ("forking_access_level", json!("disabled")),
        ("merge_method", json!("ff")),
        ("creator_id", json!(33)),
        (
            "suggestion_commit_message",
            json!("Apply %{suggestions_count}"),
        ),
        ("autoclose_referenced_issues", json!(false)),
        ("last_activity_at", json!("2024-06-01T00:00:00.000Z")),
    ] {
        assert_eq!(app[key], value, "{key}");
    }
    let secrets = app.to_string();
    assert!(!secrets.contains("secret-token"), "{secrets}");
    let doomed = server.get("/api/v4/projects/74").json();
    assert_eq!(doomed["marked_for_deletion_on"], "2026-09-01");
    // What a person owns lies in no group.
    let notes = server.get("/api/v4/projects/76").json();
    assert_eq!(notes["namespace"]["full_path"], "alice");
    assert_eq!(notes["namespace"]["id"], 60);
    assert_eq!(notes["namespace"]["kind"], Value::Null);
}

#[test]
fn lists_of_projects_go_by_gitlabs_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &[]);
    let list = |query: &str| ids(&server.get(&format!("/api/v4/{query}")));
    for (query, expected) in [
        ("groups/50/projects", &[74, 73, 71][..]),
        (
            "groups/50/projects?include_subgroups=true",
            &[74, 73, 72, 71],
        ),
        ("groups/50/projects?archived=true", &[74, 73]),
        ("groups/50/projects?archived=false", &[71]),
        ("groups/50/projects?archived=", &[74, 73, 71]),
        ("groups/50/projects?visibility=public", &[71]),
        ("groups/50/projects?visibility=internal", &[]),
        ("groups/50/projects?min_access_level=50", &[74, 73, 71]),
        ("groups/50/projects?search=AP", &[71]),
        (
            "groups/50/projects?search=a&order_by=name&sort=asc",
            &[71, 73],
        ),
        ("groups/50/projects?search=acme%2Ftools", &[]),
        (
            "groups/50/projects?search=acme%2FTools&include_subgroups=1",
            &[72],
        ),
        ("groups/50/projects?order_by=name&sort=asc", &[71, 73, 74]),
        ("groups/50/projects?order_by=path", &[74, 73, 71]),
        ("groups/50/projects?order_by=id&sort=asc", &[71, 73, 74]),
        (
            "groups/50/projects?order_by=last_activity_at",
            &[71, 74, 73],
        ),
        (
            "groups/50/projects?order_by=updated_at&sort=asc",
            &[73, 74, 71],
        ),
        ("groups/50/projects?order_by=star_count", &[74, 73, 71]),
        ("groups/51/projects", &[72]),
        ("groups/80/projects?include_subgroups=true", &[78]),
        (
            "projects",
            &[2_000_077, 86, 85, 84, 83, 82, 81, 78, 76, 74, 73, 72, 71],
        ),
        (
            "projects?membership=true&owned=yes&visibility=internal",
            &[81, 76],
        ),
        ("projects?search=app", &[2_000_077, 78, 71]),
        ("projects?search=umbrella", &[]),
        ("projects?search=umbrella&search_namespaces=true", &[78]),
        ("projects?id_after=72&id_before=78&sort=asc", &[73, 74, 76]),
        ("projects?per_page=2&page=2", &[85, 84]),
        ("projects?page=99", &[]),
    ] {
        assert_eq!(list(query), expected, "{query}");
    }
    for (query, error) in [
        ("order_by=stars", "order_by does not have a valid value"),
        ("sort=up", "sort does not have a valid value"),
        (
            "visibility=secret",
            "visibility does not have a valid value",
        ),
        ("archived=maybe", "archived is invalid"),
        ("simple=2", "simple is invalid"),
        ("min_access_level=owner", "min_access_level is invalid"),
        ("page=0", "page does not have a valid value"),
        ("search[]=x", "search is invalid"),
    ] {
        for path in ["groups/50/projects", "projects"] {
            let answer = server.get(&format!("/api/v4/{path}?{query}"));
            assert_eq!(
                (answer.status, answer.json()),
                (400, json!({ "error": error })),
                "{path}?{query}"
            );
        }
    }
    // Unknown groups win over wrong parameters.
    let answer = server.get("/api/v4/groups/nobody/projects?page=0");
    assert_eq!(answer.json(), json!({"message": "404 Group Not Found"}));

    let answer = server.get("/api/v4/groups/50/projects?per_page=2&order_by=id&sort=asc");
    let header = |name: &str| answer.header(name).unwrap().to_owned();
    assert_eq!(header("x-total"), "3");
    assert_eq!(header("x-next-page"), "2");
    assert_eq!(header("x-total-pages"), "2");
    let next = format!(
        "<http://{}/api/v4/groups/50/projects?order_by=id&page=2&per_page=2&sort=asc>; rel=\"next\"",
        server.address
    );
    assert!(header("link").contains(&next), "{}", header("link"));

    let simple = server.get("/api/v4/groups/51/projects?simple=true").json();
    let keys: Vec<&String> = simple[0].as_object().unwrap().keys().collect();
    let full = server.get("/api/v4/groups/51/projects").json();
    assert!(
        keys.len() == 13 && full[0].as_object().unwrap().len() > 40,
        "{keys:?}"
    );
    for key in keys {
        assert_eq!(simple[0][key], full[0][key], "{key}");
    }
}

#[test]
fn badges_of_the_groups_above_are_listed_with_a_projects_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &[]);
    let badges = server.get("/api/v4/projects/acme%2Fapp/badges?page=&per_page=100");
    assert_eq!(badges.header("x-next-page"), Some(""));
    assert_eq!(
        badges.json(),
        json!([
            {
                "name": "One <1>",
                "link_url": "https://x.example/1",
                "image_url": "https://x.example/1.svg",
                "rendered_link_url": "https://x.example/1",
                "rendered_image_url": "https://x.example/1.svg",
                "id": 1551,
                "kind": "project",
            },
            {
                "name": null,
                "link_url": "https://x.example/%{project_path}",
                "image_url": "https://x.example/b.svg?a&b",
                "rendered_link_url": "https://x.example/acme/app",
                "rendered_image_url": "https://x.example/b.svg?a&b",
                "id": 1552,
                "kind": "project",
            },
            {
                "name": null,
                "link_url": "decoy",
                "image_url": "decoy",
                "rendered_link_url": "decoy",
                "rendered_image_url": "decoy",
                "id": 1553,
                "kind": "group",
            },
        ])
    );
    let list = |query: &str| ids(&server.get(&format!("/api/v4/projects/{query}")));
    assert_eq!(list("72/badges"), [1553]);
    assert_eq!(list("78/badges"), [0; 0]);
    assert_eq!(list("71/badges?per_page=2&page=2"), [1553]);
    assert_eq!(list("71/badges?name=One%20%3C1%3E"), [1551]);
}

#[test]
fn a_wiki_that_nobody_may_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &[]);
    let answer = server.get("/api/v4/projects/71/wikis");
    assert_eq!(
        (answer.status, answer.json()),
        (403, json!({"message": "403 Forbidden"}))
    );
    // A dump holds no repository, so there is no wiki.
    for path in ["projects/72/wikis", "projects/73/wikis", "groups/50/wikis"] {
        let answer = server.get(&format!("/api/v4/{path}"));
        assert_eq!((answer.status, answer.json()), (200, json!([])), "{path}");
    }
    let statements = format!(
        "{TABLES}
CREATE TABLE group_features (group_id bigint PRIMARY KEY, wiki_access_level smallint);
INSERT INTO namespaces VALUES (1, 'Top', 'top', 'Group', NULL, '{{1}}'), (2, 'Open', 'open', 'Group', NULL, '{{2}}');
INSERT INTO group_features VALUES (1, 0), (2, 10);
"
    );
    let other = tempfile::tempdir().unwrap();
    let server = serve_sql(other.path(), &statements);
    assert_eq!(server.get("/api/v4/groups/1/wikis").status, 403);
    assert_eq!(server.get("/api/v4/groups/open/wikis").json(), json!([]));
}

/// Groups whose parents go in a circle, and projects whose groups are not there, or are no groups.
#[test]
fn projects_have_their_paths_whatever_lies_above_them() {
    let folder = tempfile::tempdir().unwrap();
    let statements = format!(
        "{TABLES}
INSERT INTO namespaces VALUES (6, 'Six', 'six', 'Group', 7, '{{7,6}}'), (7, 'Seven', 'seven', 'Group', 6, '{{6,7}}'),
  (8, 'Eight', 'eight', 'Group', 8, '{{8}}'), (9, 'Zed', 'zed', 'User', NULL, '{{9}}');
INSERT INTO routes VALUES (1, 6, 'Namespace', 'six'), (2, 7, 'Namespace', 'six/seven'), (3, 8, 'Namespace', 'eight'),
  (4, 11, 'Project', 'six/one'), (5, 12, 'Project', '../../etc/passwd'), (6, 13, 'Project', 'zed/<b>\u{202e}%2f'),
  (7, 14, 'Project', 'eight/four'), (8, 15, 'Project', '71');
INSERT INTO projects VALUES (11, 'One', 'one', 6, 0, false, NULL, NULL), (12, 'Two', 'two', 99, 0, false, NULL, NULL),
  (13, 'Three', 'three', 9, 77, NULL, '2024-01-01 00:00:00', NULL), (14, 'Four', 'four', 8, NULL, false, NULL, NULL),
  (15, 'Five', 'five', -1, 0, false, NULL, NULL);
"
    );
    let snapshot = folder.path().join("instance.sql");
    fs::write(&snapshot, statements).unwrap();
    let file = folder.path().join("tokens");
    let all = new_token(&file, &[]);
    let six = new_token(&file, &["--groups", "six"]);
    let options = ["--token-file", file.to_str().unwrap()];
    let server = Server::of(&snapshot, &folder.path().join("data"), &options);
    let get = |token: &str, path: &str| {
        let path = format!("/api/v4/{path}");
        server.request("GET", &path, &[("PRIVATE-TOKEN", token)], b"")
    };
    let list = |token: &str, path: &str| ids(&get(token, path));
    assert_eq!(list(&all, "projects?sort=asc"), [11, 12, 13, 14, 15]);
    // Each of two groups in a circle lies below the other.
    assert_eq!(list(&six, "projects"), [11]);
    for group in ["six", "7"] {
        let query = format!("groups/{group}/projects?include_subgroups=true");
        assert_eq!(list(&six, &query), [11], "{group}");
    }
    assert_eq!(list(&all, "groups/8/projects?include_subgroups=true"), [14]);
    for id in [12, 13, 15] {
        assert_eq!(get(&six, &format!("projects/{id}")).status, 404, "{id}");
    }
    let named = |path: &str| get(&all, &format!("projects/{path}")).json()["id"].clone();
    assert_eq!(named("..%2F..%2Fetc%2Fpasswd"), 12);
    assert_eq!(named("zed%2F%3Cb%3E%E2%80%AE%252f"), 13);
    // What is made of digits is an id.
    assert_eq!(named("71"), Value::Null);
    let odd = get(&all, "projects/13").json();
    assert_eq!(odd["visibility"], Value::Null);
    assert_eq!(odd["archived"], false);
    assert_eq!(get(&all, "projects/11/badges").json(), json!([]));
}

#[test]
fn fifty_thousand_projects_are_listed_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let mut statements = format!(
        "{TABLES}INSERT INTO namespaces VALUES (1, 'Top', 'top', 'Group', NULL, '{{1}}'), (2, 'Sub', 'sub', 'Group', 1, '{{1,2}}');
INSERT INTO routes VALUES (1, 1, 'Namespace', 'top'), (2, 2, 'Namespace', 'top/sub');
COPY projects (id, name, path, namespace_id, visibility_level, archived, created_at, updated_at) FROM stdin;
"
    );
    for id in 1..=50_000 {
        let group = 1 + id % 2;
        statements.push_str(&format!(
            "{id}\tName {id}\tp{id}\t{group}\t0\tf\t2024-01-01 00:00:00\t\\N\n"
        ));
    }
    statements.push_str("\\.\n");
    let server = serve_sql(folder.path(), &statements);
    let answer =
        server.get("/api/v4/groups/top/projects?include_subgroups=true&per_page=100&page=500");
    let page = ids(&answer);
    assert_eq!((page.len(), page[0], page[99]), (100, 100, 1));
    // Of so many GitLab does not say how many they are.
    assert_eq!(answer.header("x-total"), None);
    assert_eq!(answer.header("x-next-page"), Some(""));
    let one = server.get("/api/v4/projects/top%2Fsub%2Fp4999").json();
    assert_eq!(one["id"], 4999);
    let found = server.get("/api/v4/projects?search=NAME%2050000");
    assert_eq!(ids(&found), [50_000]);
    let named = server.get("/api/v4/projects?order_by=name&sort=asc&per_page=3");
    assert_eq!(ids(&named), [1, 10, 100]);
}

#[test]
fn groups_are_served_of_a_snapshot_that_does_not_say_which_projects_there_are() {
    let damaged = format!(
        "{TABLES}INSERT INTO namespaces VALUES (1, 'Top', 'top', 'Group', NULL, '{{1}}');
INSERT INTO routes VALUES (1, 1, 'Namespace', 'top');
COPY projects (id, name, path, namespace_id) FROM stdin;
1\tOne\tone\t1
x\tTwo\ttwo\t1
\\.
"
    );
    let none = "CREATE TABLE namespaces (id bigint PRIMARY KEY, name text, path text, type text, parent_id bigint);
INSERT INTO namespaces VALUES (1, 'Top', 'top', 'Group', NULL);
";
    let keys = "CREATE TABLE namespaces (id bigint PRIMARY KEY, name text, path text, type text, parent_id bigint);
CREATE TABLE projects (id uuid PRIMARY KEY, name text, path text, namespace_id bigint);
INSERT INTO namespaces VALUES (1, 'Top', 'top', 'Group', NULL);
";
    for (statements, said) in [
        (damaged.as_str(), "no project is served: table projects"),
        (
            none,
            "the snapshot has no table projects, so no project is served",
        ),
        (
            keys,
            "no project is served: cannot serve the Projects of table projects",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = serve_sql(folder.path(), statements);
        assert_eq!(ids(&server.get("/api/v4/groups")), [1]);
        assert_eq!(ids(&server.get("/api/v4/projects")), [0; 0]);
        assert_eq!(ids(&server.get("/api/v4/groups/1/projects")), [0; 0]);
        assert_eq!(server.get("/api/v4/projects/1").status, 404);
        let log = server.log();
        assert!(log.contains(said), "{said}: {log}");
    }
}

/// The directory's file in a data folder.
fn directory_file(data: &Path) -> PathBuf {
    let folders = fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = folders.map(|folder| folder.join("directory.ndjson"));
    let mut there = files.filter(|file| file.exists());
    there.next().unwrap()
}

#[test]
fn the_file_of_an_earlier_release_and_a_damaged_one_are_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let options = ["--external-url", "https://git.example"];
    let server = serve(folder.path(), &options);
    let expected = server.get("/api/v4/projects").json();
    server.end();
    let file = directory_file(&data);
    let whole = fs::read_to_string(&file).unwrap();
    let groups_only = r#"{"directory_version":3,"groups":0,"instance":{"kind":"plain","source":"x","taken_at":null,"only":null,"version":null,"enterprise":true,"left_out":[],"warnings":[]}}"#;
    let cut = whole.lines().take(5).collect::<Vec<_>>().join("\n");
    for content in [
        format!("{groups_only}\n"),
        cut,
        format!("{whole}{{}}\n"),
        String::new(),
    ] {
        fs::write(&file, content).unwrap();
        let server = serve(folder.path(), &options);
        assert_eq!(server.get("/api/v4/projects").json(), expected);
        server.end();
        assert_eq!(fs::read_to_string(&file).unwrap(), whole);
    }
}
