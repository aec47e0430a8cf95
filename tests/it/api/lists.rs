//! Lists of groups: in pages, and of snapshots that were taken with the rows of some.

use std::fs;

use crate::support::api::Server;
use crate::support::{BACKUP, copy_block, dump, edit_rows, expected, relexport, wait_until};
use serde_json::json;

#[test]
fn a_snapshot_of_a_subgroup_is_listed_and_served() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    relexport(&format!("snapshot take --from {BACKUP} --group 4352"))
        .option("--out", &taken)
        .ok();
    let listed = relexport("groups --json").option("--snapshot", &taken).ok();
    let groups = listed.json();
    assert_eq!(
        groups,
        json!([{"id": 4352, "full_path": "acme/platform/core", "name": "Core", "parent_id": 4351}])
    );
    let told = listed.stderr;
    assert!(told.contains("2 more above these are not listed"), "{told}");

    let server = Server::of(&taken, &folder.path().join("data"), &[]);
    let core = server.get("/api/v4/groups/acme%2Fplatform%2Fcore").json();
    assert_eq!(core["full_name"], "Acme / Plat\tform <&> \"R\\D\" / Core");
    // What holds for it by the groups above: they have no mail.
    assert_eq!(core["emails_disabled"], true);
    let exportable = |group: i64| {
        let overview = server.get(&format!("/-/relexport/groups/{group}")).json();
        overview["group"]["exportable"].clone()
    };
    assert_eq!(
        (exportable(4350), exportable(4352)),
        (json!(false), json!(true))
    );
    for (path, id) in [
        ("/api/v4/groups/4351/export_relations", 4351),
        ("/-/relexport/groups/acme/export", 4350),
        ("/-/relexport/groups/acme/export?subgroups=true", 4350),
    ] {
        let said = format!("404 Not Found: the snapshot was taken without the rows of group {id}");
        let answer = server.post(path);
        assert_eq!(
            (answer.status, answer.json()),
            (404, json!({ "message": said })),
            "{path}"
        );
    }
    assert!(
        server.log().contains("members that these inherit"),
        "{}",
        server.log()
    );
    server.export(4352, "");
    for relation in ["labels", "epics", "self", "user_contributions"] {
        let query = format!("relation={relation}");
        assert_eq!(
            server.download(4352, &query),
            expected(4352, relation),
            "{relation}"
        );
    }
}

#[test]
fn a_taken_group_with_iterations_is_listed_though_their_states_are_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    relexport(&format!("snapshot take --from {BACKUP} --group 4351"))
        .option("--out", &taken)
        .ok();

    let server = Server::of(&taken, &folder.path().join("data"), &[]);
    let listed = server.get("/api/v4/groups");
    assert_eq!(listed.status, 200, "{}", server.log());
    let listed = listed.json();
    assert!(
        listed.as_array().unwrap().iter().any(|it| it["id"] == 4351),
        "{listed}"
    );
    let query = "{group(fullPath: \"acme/platform\") {iterations {nodes {id iid title state}}}}";
    let body = json!({ "query": query }).to_string();
    let answer = server.request("POST", "/api/graphql", &[], body.as_bytes());
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    let nodes = answer["data"]["group"]["iterations"]["nodes"]
        .as_array()
        .unwrap();
    assert!(!nodes.is_empty(), "{answer}");
    assert!(
        nodes.iter().all(|node| node["iid"].is_string()
            && node["title"].is_null()
            && node["state"].is_null())
    );
}

/// The fixture with so many children more below umbrella (7001).
fn with_children(count: usize) -> String {
    let dump = dump();
    let head = copy_block(&dump, "namespaces").lines().next().unwrap();
    let columns: Vec<&str> = head.split(['(', ')']).nth(1).unwrap().split(", ").collect();
    edit_rows(&dump, "namespaces", |rows| {
        let mut rows = rows.to_owned();
        for number in 0..count {
            let fields: Vec<String> = columns
                .iter()
                .map(|column| match column.trim_matches('"') {
                    "id" => (10_000 + number).to_string(),
                    "name" => format!("Child {number:04}"),
                    "path" => format!("child-{number}"),
                    "type" => "Group".to_owned(),
                    "parent_id" => "7001".to_owned(),
                    "traversal_ids" => format!("{{7001,{}}}", 10_000 + number),
                    "created_at" | "updated_at" => "2021-01-01 00:00:00".to_owned(),
                    "visibility_level" => "0".to_owned(),
                    "organization_id" => "1".to_owned(),
                    _ => "\\N".to_owned(),
                })
                .collect();
            rows.push_str(&fields.join("\t"));
            rows.push('\n');
        }
        rows
    })
}

#[test]
fn lists_come_in_pages_with_gitlabs_headers() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("many.sql");
    fs::write(&snapshot, with_children(250)).unwrap();
    let options = [
        "--external-url",
        "https://git.example/gitlab",
        "--relative-url-root",
        "gitlab",
    ];
    let server = Server::unready(&snapshot, &folder.path().join("data"), &options);
    wait_until("the server is ready", || {
        server.get("/gitlab/-/readiness").status == 200
    });
    let subgroups = "/gitlab/api/v4/groups/umbrella/subgroups";
    let mut paths = Vec::new();
    // As a destination pages: an empty page first, then what the header says.
    let mut page = String::new();
    loop {
        let answer = server.get(&format!(
            "{subgroups}?page={page}&per_page=100&private_token=x"
        ));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("x-total"), Some("250"));
        assert_eq!(answer.header("x-total-pages"), Some("3"));
        assert_eq!(answer.header("x-per-page"), Some("100"));
        for row in answer.json().as_array().unwrap() {
            paths.push(row["full_path"].as_str().unwrap().to_owned());
        }
        page = answer.header("x-next-page").unwrap().to_owned();
        if page.is_empty() {
            assert_eq!(answer.header("x-prev-page"), Some("2"));
            let link = answer.header("link").unwrap();
            assert!(link.contains("<https://git.example/gitlab/api/v4/groups/umbrella/subgroups?page=2&per_page=100>; rel=\"prev\""), "{link}");
            assert!(
                link.contains("rel=\"last\"") && !link.contains("private_token"),
                "{link}"
            );
            break;
        }
    }
    // A group without a route has its ancestors' paths.
    let expected: Vec<String> = (0..250)
        .map(|number| format!("umbrella/child-{number}"))
        .collect();
    assert_eq!(paths, expected);
    let found = server.get("/gitlab/api/v4/groups/umbrella%2Fchild-7");
    assert_eq!(found.json()["id"], 10_007);
    assert_eq!(
        found.json()["web_url"],
        "https://git.example/gitlab/groups/umbrella/child-7"
    );
    let usual = server.get(subgroups);
    assert_eq!(usual.json().as_array().unwrap().len(), 20);
    assert_eq!(usual.header("x-page"), Some("1"));
    let beyond = server.get(&format!("{subgroups}?page=99"));
    assert_eq!(beyond.json(), json!([]));
    let last = server.get(&format!("{subgroups}?order_by=id&sort=desc&per_page=1"));
    assert_eq!(last.json()[0]["id"], 10_249);
    let search = server.get("/gitlab/api/v4/groups?search=CHILD%20024&order_by=path");
    assert_eq!(search.json().as_array().unwrap().len(), 10);
    let tree = server
        .get("/gitlab/-/relexport/groups?parent_id=7001&per_page=2")
        .json();
    assert_eq!(tree[1]["full_path"], "umbrella/child-1");
    assert_eq!(server.get("/api/v4/groups").status, 404);
}
