//! What a direct-transfer destination asks of projects by GraphQL, in its own words.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::api::{Server, new_token};
use crate::support::{PROJECTS, project};

const P1: &str = "query($full_path: ID!) { project(fullPath: $full_path) { id name visibility created_at: createdAt } }";

const P2: &str = "query($full_path: ID!, $cursor: String, $per_page: Int) { portable: project(fullPath: $full_path) {
  members: projectMembers(relations: [DIRECT INHERITED INVITED_GROUPS SHARED_INTO_ANCESTORS], first: $per_page, after: $cursor) {
    page_info: pageInfo { next_page: endCursor has_next_page: hasNextPage }
    nodes { created_at: createdAt updated_at: updatedAt expires_at: expiresAt access_level: accessLevel { integer_value: integerValue }
      user { user_gid: id public_email: publicEmail username: username name: name } } } } }";

const P3: &str = "query($full_path: ID!) { project(fullPath: $full_path) { snippets {
  page_info: pageInfo { next_page: endCursor has_next_page: hasNextPage } nodes { title createdAt httpUrlToRepo } } } }";

const P4: &str = "query($full_path: ID!) { project(fullPath: $full_path) { httpUrlToRepo } }";

const D: &str = "query($full_path: ID!, $cursor: String, $per_page: Int) { group(fullPath: $full_path) {
  projects(includeSubgroups: false, notAimedForDeletion: true, first: $per_page, after: $cursor) {
    page_info: pageInfo { next_page: endCursor has_next_page: hasNextPage } nodes { id name path full_path: fullPath } } } }";

/// Asks as a destination does: it sends the variables of pages with each query, and no name of an operation.
fn ask(
    server: &Server,
    token: &str,
    query: &str,
    path: &str,
    cursor: Option<&str>,
    per_page: i64,
) -> Value {
    let variables = json!({"full_path": path, "cursor": cursor, "per_page": per_page});
    let body = json!({"query": query, "operationName": null, "variables": variables});
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("Content-Type", "application/json")];
    if !token.is_empty() {
        headers.push(("Authorization", bearer.as_str()));
    }
    let answer = server.request(
        "POST",
        "/api/graphql",
        &headers,
        body.to_string().as_bytes(),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn serve(folder: &Path, options: &[&str]) -> Server {
    Server::of(&project(PROJECTS), &folder.join("data"), options)
}

#[test]
fn a_destination_learns_of_a_project_what_it_asks() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &[]);
    let ask = |query, path| ask(&server, "", query, path, None, 500);
    assert_eq!(
        ask(P1, "acme/app"),
        json!({"data": {"project": {
            "id": "gid://gitlab/Project/71",
            "name": "App <&>",
            "visibility": "public",
            "created_at": "2024-01-03T00:00:00Z",
        }}})
    );
    // It must have a name.
    assert_eq!(
        ask(P1, "Acme/tools/WHEEL"),
        json!({"data": {"project": {
            "id": "gid://gitlab/Project/72",
            "name": "wheel",
            "visibility": "private",
            "created_at": null,
        }}})
    );
    assert_eq!(
        ask(P4, "acme/app"),
        json!({"data": {"project": {"httpUrlToRepo": null}}})
    );
    // Not by ids, nor by what it was called once, nor what is being deleted.
    for path in [
        "71",
        "acme/Old-App",
        "acme/ghost",
        "acme",
        "",
        "/acme/app",
        "gid://gitlab/Project/71",
    ] {
        assert_eq!(ask(P1, path), json!({"data": {"project": null}}), "{path}");
        assert_eq!(ask(P2, path), json!({"data": {"portable": null}}), "{path}");
    }
    let more = "query($full_path: ID!) { project(fullPath: $full_path) { path fullPath description archived } }";
    assert_eq!(
        ask(more, "acme/attic"),
        json!({"data": {"project": {
            "path": "attic", "fullPath": "acme/attic", "description": null, "archived": true,
        }}})
    );

    // Its own members, and the group's: an invitation and a lost user have no user.
    let member = |level: i64, name: Value| json!([level, name]);
    let answer = ask(P2, "acme/app");
    let members = answer["data"]["portable"]["members"].clone();
    let nodes = members["nodes"].as_array().unwrap();
    let found: Vec<Value> = nodes
        .iter()
        .map(|node| {
            member(
                node["access_level"]["integer_value"].as_i64().unwrap(),
                node["user"]["username"].clone(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            member(50, json!("alice")),
            member(40, json!("emil")),
            member(30, Value::Null),
            member(30, Value::Null),
        ]
    );
    assert_eq!(
        nodes[1],
        json!({
            "created_at": "2024-01-04T00:00:00Z",
            "updated_at": "2024-01-04T00:00:00Z",
            "expires_at": "2030-01-01",
            "access_level": {"integer_value": 40},
            "user": {
                "user_gid": "gid://gitlab/User/32",
                "public_email": "emil@acme.example",
                "username": "emil",
                "name": "Emil",
            },
        })
    );
    assert_eq!(members["page_info"]["has_next_page"], false);

    // Snippets by the second, for a destination looks for them by title and time.
    assert_eq!(
        ask(P3, "depot/engine"),
        json!({"data": {"project": {"snippets": {
            "page_info": {"next_page": "1112", "has_next_page": false},
            "nodes": [
                {"title": "Gear list", "createdAt": "2024-05-06T07:08:09Z", "httpUrlToRepo": null},
                {"title": "Without a repository", "createdAt": "2024-05-06T07:08:10Z", "httpUrlToRepo": null},
            ],
        }}}})
    );
    assert_eq!(
        ask(P3, "acme/app")["data"]["project"]["snippets"]["nodes"],
        json!([
            {"title": "A <snippet>", "createdAt": "2024-02-13T00:00:00Z", "httpUrlToRepo": null},
            {"title": null, "createdAt": null, "httpUrlToRepo": null},
        ])
    );
    assert_eq!(
        ask(P3, "acme/attic"),
        json!({"data": {"project": {"snippets": {
            "page_info": {"next_page": null, "has_next_page": false}, "nodes": [],
        }}}})
    );
}

#[test]
fn a_group_lists_its_projects_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &[]);
    let listed = |query: &str, path: &str, per_page: i64| {
        let (mut found, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let answer = ask(&server, "", query, path, cursor.as_deref(), per_page);
            let projects = &answer["data"]["group"]["projects"];
            let nodes = projects["nodes"]
                .as_array()
                .unwrap_or_else(|| panic!("{answer}"));
            found.extend(
                nodes
                    .iter()
                    .map(|node| node["id"].as_str().unwrap().to_owned()),
            );
            pages += 1;
            if projects["page_info"]["has_next_page"] == false {
                return (found, pages);
            }
            cursor = projects["page_info"]["next_page"]
                .as_str()
                .map(str::to_owned);
        }
    };
    let gids = |ids: &[i64]| -> Vec<String> {
        ids.iter()
            .map(|id| format!("gid://gitlab/Project/{id}"))
            .collect()
    };
    // Archived ones are listed, what is marked for deletion is not.
    assert_eq!(listed(D, "acme", 500), (gids(&[73, 71]), 1));
    assert_eq!(listed(D, "ACME", 1), (gids(&[73, 71]), 2));
    let of = |arguments: &str| {
        D.replace(
            "includeSubgroups: false, notAimedForDeletion: true",
            arguments,
        )
    };
    for (arguments, expected) in [
        ("includeSubgroups: true", &[74, 73, 72, 71][..]),
        (
            "includeSubgroups: true, notAimedForDeletion: true",
            &[73, 72, 71],
        ),
        ("notAimedForDeletion: false", &[74, 73, 71]),
        ("search: \"ATT\"", &[73]),
        ("search: \"acme/tools/\", includeSubgroups: true", &[72]),
        ("search: \"\", sort: PATH_ASC", &[71, 73, 74]),
        ("sort: PATH_DESC", &[74, 73, 71]),
        ("sort: ACTIVITY_DESC", &[71, 74, 73]),
        ("sort: SIMILARITY, search: \"a\"", &[73, 71]),
    ] {
        assert_eq!(
            listed(&of(arguments), "acme", 500).0,
            gids(expected),
            "{arguments}"
        );
        assert_eq!(
            listed(&of(arguments), "acme", 1),
            (gids(expected), expected.len()),
            "{arguments}"
        );
    }
    let answer = ask(&server, "", D, "acme/tools", None, 500);
    assert_eq!(
        answer["data"]["group"]["projects"],
        json!({
            "page_info": {"next_page": "1", "has_next_page": false},
            "nodes": [{
                "id": "gid://gitlab/Project/72", "name": "wheel", "path": "wheel", "full_path": "acme/tools/wheel",
            }],
        })
    );
    let answer = ask(&server, "", &of("sort: STARS"), "acme", None, 500);
    assert!(answer["errors"][0]["message"].is_string(), "{answer}");
    let count = "query($full_path: ID!) { group(fullPath: $full_path) { projects(first: 0) { count nodes { id } } } }";
    let answer = ask(&server, "", count, "acme", None, 500);
    assert_eq!(
        answer["data"]["group"]["projects"],
        json!({"count": 3, "nodes": []})
    );
}

#[test]
fn a_token_asks_only_of_the_projects_below_its_groups() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let tools = new_token(&file, &["--groups", "acme/tools"]);
    let server = serve(folder.path(), &["--token-file", file.to_str().unwrap()]);
    let id = |token: &str, path: &str| {
        ask(&server, token, P1, path, None, 500)["data"]["project"]["id"].clone()
    };
    assert_eq!(id(&tools, "acme/tools/wheel"), "gid://gitlab/Project/72");
    for path in ["acme/app", "alice/notes", "umbrella/app"] {
        assert_eq!(id(&tools, path), Value::Null, "{path}");
    }
    assert_eq!(id("", "acme/tools/wheel"), Value::Null);
}

/// A project with members of every sort.
const MEMBERS: &str = "\
CREATE TABLE namespaces (id bigint PRIMARY KEY, name text, path text, type text, parent_id bigint, traversal_ids bigint[],
  share_with_group_lock boolean);
CREATE TABLE routes (id bigint PRIMARY KEY, source_id bigint, source_type text, path text);
CREATE TABLE projects (id bigint PRIMARY KEY, name text, path text, namespace_id bigint, visibility_level integer,
  archived boolean, created_at timestamp, updated_at timestamp);
CREATE TABLE project_features (id bigint PRIMARY KEY, project_id bigint, snippets_access_level integer);
CREATE TABLE snippets (id bigint PRIMARY KEY, title text, created_at timestamp, project_id bigint, type text);
CREATE TABLE members (id bigint PRIMARY KEY, access_level integer, source_id bigint, source_type text, user_id bigint, type text,
  created_at timestamp, updated_at timestamp, requested_at timestamp, expires_at date);
CREATE TABLE users (id bigint PRIMARY KEY, username text, name text, public_email text);
CREATE TABLE group_group_links (id bigint PRIMARY KEY, shared_group_id bigint, shared_with_group_id bigint,
  group_access integer, created_at timestamp, updated_at timestamp, expires_at date);
CREATE TABLE project_group_links (id bigint PRIMARY KEY, project_id bigint, group_id bigint, group_access integer);
INSERT INTO namespaces VALUES (1, 'Top', 'top', 'Group', NULL, '{1}', false), (2, 'Sub', 'sub', 'Group', 1, '{1,2}', NULL),
  (3, 'Guests', 'guests', 'Group', NULL, '{3}', false), (4, 'Deep', 'deep', 'Group', 3, '{3,4}', false),
  (5, 'Lent', 'lent', 'Group', NULL, '{5}', false), (6, 'Locked', 'locked', 'Group', NULL, '{6}', true);
INSERT INTO routes VALUES (1, 1, 'Namespace', 'top'), (2, 2, 'Namespace', 'top/sub'), (3, 3, 'Namespace', 'guests'),
  (4, 4, 'Namespace', 'guests/deep'), (5, 5, 'Namespace', 'lent'), (6, 6, 'Namespace', 'locked'),
  (7, 11, 'Project', 'top/sub/app'), (8, 12, 'Project', 'locked/app'), (9, 13, 'Project', 'lost/app');
INSERT INTO projects VALUES (11, 'App', 'app', 2, 0, false, NULL, NULL), (12, 'App', 'app', 6, 0, false, NULL, NULL),
  (13, 'App', 'app', 99, 0, false, NULL, NULL);
INSERT INTO project_features VALUES (1, 12, 0);
INSERT INTO snippets VALUES (1, 'hidden', '2024-01-01 00:00:00', 12, 'ProjectSnippet');
INSERT INTO group_group_links VALUES (1, 1, 5, 20, NULL, NULL, NULL);
INSERT INTO project_group_links VALUES (1, 11, 4, 30), (2, 12, 4, 30), (3, 11, 98, 50), (4, 13, 4, 50);
INSERT INTO users VALUES (1, 'ann', 'Ann', NULL), (2, 'ben', 'Ben', ''), (3, 'cid', 'Cid', NULL), (4, 'dan', 'Dan', NULL),
  (5, 'eve', 'Eve', NULL), (6, 'fay', 'Fay', NULL), (7, 'gil', 'Gil', NULL), (8, 'hal', 'Hal', NULL);
INSERT INTO members VALUES
  (21, 20, 11, 'Project', 1, 'ProjectMember', NULL, NULL, NULL, NULL),
  (22, 30, 11, 'Project', NULL, 'ProjectMember', NULL, NULL, NULL, NULL),
  (23, 30, 11, 'Project', 8, 'ProjectMember', NULL, NULL, NULL, '2030-12-31'),
  (24, 40, 11, 'Project', 6, 'ProjectMember', NULL, NULL, '2024-01-01 00:00:00', NULL),
  (25, 50, 1, 'Namespace', 1, 'GroupMember', NULL, NULL, NULL, NULL),
  (26, 40, 1, 'Namespace', 2, 'GroupMember', NULL, NULL, NULL, NULL),
  (27, 30, 2, 'Namespace', 2, 'GroupMember', NULL, NULL, NULL, NULL),
  (28, 5, 1, 'Namespace', 7, 'GroupMember', NULL, NULL, NULL, NULL),
  (29, 50, 1, 'Namespace', NULL, 'GroupMember', NULL, NULL, NULL, NULL),
  (30, 50, 5, 'Namespace', 3, 'GroupMember', NULL, NULL, NULL, NULL),
  (31, 40, 3, 'Namespace', 4, 'GroupMember', NULL, NULL, NULL, NULL),
  (32, 10, 4, 'Namespace', 5, 'GroupMember', NULL, NULL, NULL, NULL),
  (33, 20, 4, 'Namespace', NULL, 'GroupMember', NULL, NULL, NULL, NULL);
";

#[test]
fn a_project_has_its_members_and_those_of_groups_each_once_with_the_highest_level() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("instance.sql");
    fs::write(&snapshot, MEMBERS).unwrap();
    let server = Server::of(&snapshot, &folder.path().join("data"), &[]);
    let members = |arguments: &str, path: &str| -> Vec<(String, i64, String)> {
        let query = format!(
            "query($full_path: ID!) {{ project(fullPath: $full_path) {{ projectMembers{arguments} {{
               nodes {{ id accessLevel {{ integerValue }} user {{ username }} }} }} }} }}"
        );
        let answer = ask(&server, "", &query, path, None, 500);
        let nodes = answer["data"]["project"]["projectMembers"]["nodes"].as_array();
        let nodes = nodes.unwrap_or_else(|| panic!("{answer}")).iter();
        nodes
            .map(|node| {
                let id = node["id"].as_str().unwrap().replace("gid://gitlab/", "");
                let level = node["accessLevel"]["integerValue"].as_i64().unwrap();
                let name = node["user"]["username"].as_str().unwrap_or("-");
                (id, level, name.to_owned())
            })
            .collect()
    };
    let expected = |rows: &[(&str, i64, &str)]| -> Vec<(String, i64, String)> {
        let rows = rows.iter();
        rows.map(|(id, level, name)| ((*id).to_owned(), *level, (*name).to_owned()))
            .collect()
    };
    let all = "(relations: [DIRECT INHERITED INVITED_GROUPS SHARED_INTO_ANCESTORS])";
    assert_eq!(
        members(all, "top/sub/app"),
        expected(&[
            // The project's own row, with what its user is in the group above.
            ("ProjectMember/21", 50, "ann"),
            ("ProjectMember/22", 30, "-"),
            ("ProjectMember/23", 30, "hal"),
            ("GroupMember/26", 40, "ben"),
            // Of groups that are invited, no more than their invitation says.
            ("GroupMember/30", 20, "cid"),
            ("GroupMember/31", 30, "dan"),
            ("GroupMember/32", 10, "eve"),
        ])
    );
    for (relation, rows) in [
        (
            "(relations: [DIRECT])",
            &[
                ("ProjectMember/21", 20, "ann"),
                ("ProjectMember/22", 30, "-"),
                ("ProjectMember/23", 30, "hal"),
            ][..],
        ),
        (
            "(relations: [INHERITED])",
            &[("GroupMember/25", 50, "ann"), ("GroupMember/26", 40, "ben")],
        ),
        (
            "(relations: [SHARED_INTO_ANCESTORS])",
            &[("GroupMember/30", 20, "cid")],
        ),
        (
            "(relations: [INVITED_GROUPS])",
            &[("GroupMember/31", 30, "dan"), ("GroupMember/32", 10, "eve")],
        ),
        ("(relations: [])", &[]),
        (
            "",
            &[
                ("ProjectMember/21", 50, "ann"),
                ("ProjectMember/22", 30, "-"),
                ("ProjectMember/23", 30, "hal"),
                ("GroupMember/26", 40, "ben"),
            ],
        ),
        (
            "(first: 1, relations: [INVITED_GROUPS])",
            &[("GroupMember/31", 30, "dan")],
        ),
    ] {
        assert_eq!(
            members(relation, "top/sub/app"),
            expected(rows),
            "{relation}"
        );
    }
    // Its group does not let projects invite others.
    assert_eq!(members(all, "locked/app"), expected(&[]));
    // It lies in no group that is known.
    let invited = [("GroupMember/31", 40, "dan"), ("GroupMember/32", 10, "eve")];
    assert_eq!(members(all, "lost/app"), expected(&invited));
    // Nobody may use its snippets.
    let answer = ask(&server, "", P3, "locked/app", None, 500);
    assert_eq!(answer["data"]["project"]["snippets"], Value::Null);
}

#[test]
fn a_query_that_reads_too_much_of_projects_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &[]);
    let members = "projectMembers { nodes { id } }";
    let listed = |times: usize| {
        let aliases: String = (0..times).map(|at| format!("m{at}: {members} ")).collect();
        format!(
            "query($full_path: ID!) {{ group(fullPath: $full_path) {{ projects {{ nodes {{ {aliases} }} }} }} }}"
        )
    };
    let answer = ask(&server, "", &listed(1), "acme", None, 500);
    assert!(
        answer["data"]["group"]["projects"]["nodes"][0]["m0"].is_object(),
        "{answer}"
    );
    let answer = ask(&server, "", &listed(10), "acme", None, 500);
    assert_eq!(
        answer["errors"][0]["message"], "Query is too complex.",
        "{answer}"
    );
}
