//! Git over HTTP, with git's own client as a destination's Gitaly has it.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Barrier;

use crate::support::api::{Server, new_token};
use crate::support::backup::unpack_backup;
use crate::support::{Dir, PROJECTS_BACKUP, project, wait_until};

/// What can be fetched of the fixture: the address below the server's, and where its list of refs is in the backup. The
/// hashes are those of the ids: printf 90 | sha256sum
const REPOSITORIES: [(&str, &str); 5] = [
    (
        "depot.wiki.git",
        "@groups/69/f5/69f59c273b6e669ac32a6dd5e1b2cb63333d8b004f9696447aee2d422ce63763.wiki.git",
    ),
    (
        "acme/app.wiki.git",
        "@hashed/7f/22/7f2253d7e228b22a08bda1f09c516f6fead81df6536eb02fa991a34bb38d9be8.wiki.git",
    ),
    (
        "depot/engine.wiki.git",
        "@hashed/53/16/5316ca1c5ddca8e6ceccfce58f3b8540e540ee22f6180fb89492904051b3d531.wiki.git",
    ),
    (
        "acme/app/snippets/1101.git",
        "@snippets/36/ab/36ab771eba23f49d7ae43af88c601f3de8fccb201250906a4085444ae765f2db.git",
    ),
    (
        "depot/engine/snippets/1111.git",
        "@snippets/0f/fe/0ffe1abd1a08215353c233d6e009613e95eec4253832a761af28ff37ac5a150c.git",
    ),
];

/// A member of the backup below `repositories/`, as tar reads it.
fn member(name: &str) -> String {
    let output = Command::new("tar")
        .arg("-xOf")
        .arg(project(PROJECTS_BACKUP))
        .arg(format!("repositories/{name}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}");
    String::from_utf8(output.stdout).unwrap()
}

/// The refs of a repository in the backup, without HEAD.
fn refs_in_backup(path: &str) -> String {
    let name = format!("default/{path}/1790000000_2026_09_21_19.3.0-ee/001.refs");
    let refs = member(&name);
    let lines = refs.lines().filter(|line| !line.ends_with(" HEAD"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// `git` without anybody's settings.
fn git(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .args(arguments)
        .stdin(Stdio::null());
    command.output().unwrap()
}

fn git_ok(folder: &Path, arguments: &[&str]) -> String {
    let output = git(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Fetches as a destination's Gitaly does, with its settings; returns git's own output.
fn fetch(folder: &Path, url: &str, protocol: &str, more: &[&str]) -> Output {
    let protocol = format!("protocol.version={protocol}");
    let settings = [
        "http.followRedirects=false",
        "transfer.fsckObjects=true",
        "fetch.fsckObjects=true",
        "fsck.badTimezone=ignore",
        "fsck.missingSpaceBeforeDate=ignore",
        "fsck.zeroPaddedFilemode=ignore",
        "fetch.negotiationAlgorithm=skipping",
        &protocol,
    ];
    let settings = settings.iter().flat_map(|setting| ["-c", setting]);
    let arguments: Vec<&str> = settings
        .chain(["fetch", "--prune", "--tags"])
        .chain(more.iter().copied())
        .chain([url, "refs/*:refs/*"])
        .collect();
    git(folder, &arguments)
}

fn refs(folder: &Path) -> String {
    git_ok(
        folder,
        &["for-each-ref", "--format=%(objectname) %(refname)"],
    )
}

fn bare(dir: &Dir, name: &str) -> std::path::PathBuf {
    git_ok(dir.path(), &["init", "-q", "--bare", name]);
    dir.join(name)
}

/// The address with credentials in it.
fn with_token(server: &Server, token: &str, path: &str) -> String {
    format!("http://oauth2:{token}@{}/{path}", server.address)
}

fn serve(dir: &Dir, options: &[&str]) -> Server {
    Server::of(&project(PROJECTS_BACKUP), &dir.join("data"), options)
}

/// Names in the folder of unpacked repositories.
fn unpacked(dir: &Dir) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir.join("data")).unwrap() {
        let folder = entry.unwrap().path().join("repositories");
        for entry in fs::read_dir(folder).into_iter().flatten() {
            names.push(entry.unwrap().file_name().into_string().unwrap());
        }
    }
    names.sort();
    names
}

#[test]
fn wikis_and_snippets_are_fetched_as_a_destination_does() {
    let dir = Dir::new();
    let tokens = dir.join("tokens");
    let token = new_token(&tokens, &["--read-only"]);
    let server = serve(&dir, &["--token-file", tokens.to_str().unwrap()]);
    for (at, (address, path)) in REPOSITORIES.iter().enumerate() {
        let expected = refs_in_backup(path);
        assert!(expected.contains(" refs/heads/"), "{expected}");
        for protocol in ["2", "1", "0"] {
            let folder = bare(&dir, &format!("{at}-{protocol}.git"));
            let url = with_token(&server, &token, address);
            // First it only says what it would do.
            let dry = ["--dry-run", "--porcelain"];
            let would = fetch(&folder, &url, protocol, &dry);
            let said = String::from_utf8_lossy(&would.stderr);
            assert!(would.status.success(), "{address}: {said}");
            let would = String::from_utf8(would.stdout).unwrap();
            assert_eq!(would.lines().count(), expected.lines().count(), "{would}");
            assert_eq!(refs(&folder), "");
            let fetched = fetch(&folder, &url, protocol, &[]);
            let said = String::from_utf8_lossy(&fetched.stderr);
            assert!(fetched.status.success(), "{address}: {said}");
            assert_eq!(refs(&folder), expected, "{address}");
            git_ok(&folder, &["fsck", "--full", "--strict"]);
        }
    }
    let folders = [
        "group_90.wiki.git",
        "project_71.wiki.git",
        "project_81.wiki.git",
        "snippet_1101.git",
        "snippet_1111.git",
    ];
    assert_eq!(unpacked(&dir), folders);
    // Another server takes them over.
    assert_eq!(server.end(), Some(0));
    let server = serve(&dir, &[]);
    let folder = bare(&dir, "again.git");
    let url = server.url("/depot.wiki.git");
    assert!(fetch(&folder, &url, "2", &[]).status.success());
    assert_eq!(refs(&folder), refs_in_backup(REPOSITORIES[0].1));
    assert_eq!(unpacked(&dir), folders);
}

#[test]
fn the_api_names_what_can_be_fetched() {
    let dir = Dir::new();
    let server = serve(&dir, &[]);
    let pages = |path: &str| {
        let answer = server.get(&format!("/api/v4/{path}/wikis"));
        let pages = answer.json();
        (answer.status, pages.as_array().map_or(0, Vec::len))
    };
    assert_eq!(pages("groups/depot"), (200, 1));
    assert_eq!(pages("groups/acme"), (200, 0));
    assert_eq!(pages("projects/81"), (200, 1));
    assert_eq!(pages("projects/82"), (200, 0));
    // There is one, and nobody may use it.
    assert_eq!(pages("projects/71"), (403, 0));
    let urls = |path: &str| -> Vec<String> {
        let query = format!(
            r#"{{ project(fullPath: "{path}") {{ snippets {{ nodes {{ httpUrlToRepo }} }} }} }}"#
        );
        let body = serde_json::json!({ "query": query }).to_string();
        let answer = server.request("POST", "/api/graphql", &[], body.as_bytes());
        let answer = answer.json();
        let nodes = answer["data"]["project"]["snippets"]["nodes"].as_array();
        let nodes = nodes.unwrap_or_else(|| panic!("{answer}")).iter();
        nodes
            .map(|node| node["httpUrlToRepo"].as_str().unwrap_or("none").to_owned())
            .collect()
    };
    let expected = [
        server.url("/depot/engine/snippets/1111.git"),
        // 1112 has no repository.
        "none".to_owned(),
    ];
    assert_eq!(urls("depot/engine"), expected);
    let folder = bare(&dir, "f.git");
    assert!(fetch(&folder, &expected[0], "2", &[]).status.success());
    assert_eq!(refs(&folder), refs_in_backup(REPOSITORIES[4].1));
}

#[test]
fn snippets_of_which_the_backup_has_no_repository_are_told() {
    let dir = Dir::new();
    let tree = dir.join("tree");
    unpack_backup(&tree);
    for storage in ["default", "manifests/default"] {
        let folder = tree.join("repositories").join(storage).join("@snippets");
        fs::remove_dir_all(folder).unwrap();
    }
    let server = Server::of(&tree, &dir.join("data"), &[]);
    let says =
        "the backup has no repositories of 4 snippets of projects, the first is snippet 1101";
    wait_until("it is told", || server.log().contains(says));
    // The fixture has all but some, which were never made.
    drop(server);
    let server = serve(&dir, &[]);
    let says =
        "the backup has no repositories of 2 snippets of projects, the first is snippet 1102";
    wait_until("the others are told", || server.log().contains(says));
}

#[test]
fn a_clone_has_the_head_of_the_backup_and_addresses_may_be_in_any_case() {
    let dir = Dir::new();
    let options = ["--relative-url-root", "/gitlab"];
    let server = Server::unready(&project(PROJECTS_BACKUP), &dir.join("data"), &options);
    wait_until("the server is ready", || {
        server.get("/gitlab/-/readiness").status == 200
    });
    let url = server.url("/gitlab/Depot/ENGINE.wiki.git");
    git_ok(dir.path(), &["clone", "-q", "--mirror", &url, "clone.git"]);
    let folder = dir.join("clone.git");
    let manifest = member(&format!(
        "manifests/default/{}/+latest.toml",
        REPOSITORIES[2].1
    ));
    let head = git_ok(&folder, &["symbolic-ref", "HEAD"]);
    let line = format!("head_reference = '{}'", head.trim());
    assert!(manifest.contains(&line), "{manifest}");
    assert_eq!(refs(&folder), refs_in_backup(REPOSITORIES[2].1));
}

#[test]
fn tokens_open_the_repositories_that_they_are_for() {
    let dir = Dir::new();
    let tokens = dir.join("tokens");
    let acme = new_token(&tokens, &["--groups", "acme"]);
    let server = serve(&dir, &["--token-file", tokens.to_str().unwrap()]);
    let basic = |user: &str, token: &str| {
        use base64::Engine;
        let text = format!("{user}:{token}");
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        format!("Basic {encoded}")
    };
    let ask = |path: &str, authorization: Option<&str>| {
        let headers: Vec<_> = authorization
            .map(|value| ("Authorization", value))
            .into_iter()
            .collect();
        let path = format!("/{path}/info/refs?service=git-upload-pack");
        let answer = server.request("GET", &path, &headers, b"");
        let challenge = answer.header("www-authenticate").map(str::to_owned);
        (answer.status, challenge)
    };
    let challenged = (401, Some("Basic realm=\"relexport\"".to_owned()));
    // Nobody learns without a token what is there.
    for path in ["acme/app.wiki.git", "depot.wiki.git", "nowhere.wiki.git"] {
        assert_eq!(ask(path, None), challenged, "{path}");
        assert_eq!(ask(path, Some(&basic("oauth2", "wrong"))), challenged);
        assert_eq!(ask(path, Some(&basic("oauth2", ""))), challenged);
    }
    for user in ["oauth2", "anybody", ""] {
        let mine = basic(user, &acme);
        assert_eq!(ask("acme/app.wiki.git", Some(&mine)), (200, None));
        let others = [
            "depot.wiki.git",
            "depot/engine.wiki.git",
            "depot/engine/snippets/1111.git",
            // A snippet of another project than the address says.
            "acme/app/snippets/1111.git",
            "acme/app/snippets/99.git",
            "nowhere.wiki.git",
            "acme/app.git",
            // There is none.
            "acme.wiki.git",
        ];
        for path in others {
            assert_eq!(ask(path, Some(&mine)), (404, None), "{path}");
        }
    }
    let folder = bare(&dir, "f.git");
    let url = with_token(&server, &acme, "depot.wiki.git");
    let refused = fetch(&folder, &url, "2", &[]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("not found"),
        "{said}"
    );
    let log = server.log();
    assert!(!log.contains(&acme), "{log}");
}

#[test]
fn what_is_no_fetch_is_refused() {
    let dir = Dir::new();
    let server = serve(&dir, &[]);
    let folder = bare(&dir, "f.git");
    let url = server.url("/depot.wiki.git");
    assert!(fetch(&folder, &url, "2", &[]).status.success());
    let pushed = git(&folder, &["push", &url, "main:pushed"]);
    let said = String::from_utf8_lossy(&pushed.stderr);
    assert!(!pushed.status.success() && said.contains("403"), "{said}");

    let wiki = "/depot.wiki.git";
    let upload = "application/x-git-upload-pack-request";
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], u16);
    let cases: [Case<'_>; 14] = [
        ("GET", "/info/refs", &[], 403),
        ("GET", "/info/refs?service=git-receive-pack", &[], 403),
        ("GET", "/info/refs?service=x", &[], 403),
        ("POST", "/git-receive-pack", &[], 403),
        ("POST", "/info/refs?service=git-upload-pack", &[], 405),
        ("GET", "/git-upload-pack", &[], 405),
        ("GET", "/HEAD", &[], 404),
        ("GET", "/objects/info/packs", &[], 404),
        ("GET", "/../../../../etc/passwd", &[], 404),
        ("GET", "/config", &[], 404),
        ("POST", "/git-upload-pack", &[], 415),
        (
            "POST",
            "/git-upload-pack",
            &[("Content-Type", upload), ("Content-Encoding", "br")],
            415,
        ),
        (
            "POST",
            "/git-upload-pack",
            &[("Content-Type", upload), ("Content-Encoding", "gzip")],
            400,
        ),
        ("POST", "/git-upload-pack", &[("Content-Type", upload)], 500),
    ];
    for (method, path, headers, status) in cases {
        let answer = server.request(method, &format!("{wiki}{path}"), headers, b"no request");
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
    // Paths of other sorts stay what they were.
    for path in ["/depot.wiki.git", "/depot", "/api/v4/x"] {
        assert_eq!(server.get(path).json()["error"], "404 Not Found", "{path}");
    }
    assert_eq!(unpacked(&dir), ["group_90.wiki.git"]);
}

#[test]
fn bodies_may_be_packed_and_in_chunks() {
    let dir = Dir::new();
    let server = serve(&dir, &[]);
    let want = refs_in_backup(REPOSITORIES[0].1)[..40].to_owned();
    let line = |text: &str| format!("{:04x}{text}", text.len() + 4);
    let asked = line(&format!("want {want} ofs-delta\n")) + "0000" + &line("done\n");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(asked.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let half = packed.len() / 2;
    let mut chunked = Vec::new();
    for chunk in [&packed[..half], &packed[half..], b""] {
        chunked.extend(format!("{:x}\r\n", chunk.len()).bytes());
        chunked.extend(chunk);
        chunked.extend(b"\r\n");
    }
    let head = |more: &str| {
        format!(
            "POST /depot.wiki.git/git-upload-pack HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/x-git-upload-pack-request\r\n{more}\r\n",
            server.address
        )
    };
    let length = |body: &[u8]| format!("Content-Length: {}\r\n", body.len());
    let gzip = "Content-Encoding: gzip\r\n";
    let cases = [
        (head(&length(asked.as_bytes())), asked.as_bytes()),
        (head(&(length(&packed) + gzip)), &packed[..]),
        (
            head(&format!("Transfer-Encoding: chunked\r\n{gzip}")),
            &chunked[..],
        ),
    ];
    for (head, body) in cases {
        let answer = server.raw(&[head.as_bytes(), body].concat()).unwrap();
        assert_eq!(answer.status, 200, "{head}");
        let media_type = answer.header("content-type");
        assert_eq!(media_type, Some("application/x-git-upload-pack-result"));
        let has_pack = answer.body.windows(8).any(|four| four == b"PACK\0\0\0\x02");
        assert!(has_pack, "{}", String::from_utf8_lossy(&answer.body));
    }
    // Cut off in the middle, it is no request.
    let cut = &packed[..half];
    let answer = server.raw(&[head(&(length(cut) + gzip)).as_bytes(), cut].concat());
    assert_eq!(answer.unwrap().status, 400);
}

#[test]
fn many_that_ask_at_once_get_one_repository() {
    let dir = Dir::new();
    let server = serve(&dir, &[]);
    let url = server.url("/depot/engine.wiki.git");
    let folders: Vec<_> = (0..8).map(|at| bare(&dir, &format!("{at}.git"))).collect();
    let begin = Barrier::new(folders.len());
    std::thread::scope(|scope| {
        for folder in &folders {
            scope.spawn(|| {
                begin.wait();
                let fetched = fetch(folder, &url, "2", &[]);
                let said = String::from_utf8_lossy(&fetched.stderr);
                assert!(fetched.status.success(), "{said}");
            });
        }
    });
    for folder in folders {
        assert_eq!(refs(&folder), refs_in_backup(REPOSITORIES[2].1));
    }
    assert_eq!(unpacked(&dir), ["project_81.wiki.git"]);
    let times = server.log().matches("unpacked project_81").count();
    assert_eq!(times, 1);
}

/// Programs that a process has started, by the kernel's own list.
fn children(pid: u32) -> usize {
    let mut count = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let children = fs::read_to_string(task.path().join("children"));
        count += children.unwrap_or_default().split_whitespace().count();
    }
    count
}

#[test]
fn a_client_that_goes_away_takes_its_program_along() {
    let dir = Dir::new();
    let server = serve(&dir, &[]);
    let folder = bare(&dir, "f.git");
    let url = server.url("/depot.wiki.git");
    assert!(fetch(&folder, &url, "2", &[]).status.success());
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = format!(
        "POST /depot.wiki.git/git-upload-pack HTTP/1.1\r\nHost: {}\r\nContent-Length: 5000\r\n\
         Content-Type: application/x-git-upload-pack-request\r\n\r\n00",
        server.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    wait_until("git waits for the rest", || children(server.pid()) == 1);
    drop(stream);
    wait_until("git has gone", || children(server.pid()) == 0);
}

#[test]
fn without_git_no_repository_is_served_and_the_log_says_so() {
    let dir = Dir::new();
    let program = Server::program(&project(PROJECTS_BACKUP), &dir.join("data"));
    let server = Server::begun(program.env("PATH", dir.path()));
    server.wait_for_readiness();
    let warnings = server.log().matches("git is not installed").count();
    assert_eq!(warnings, 1, "{}", server.log());
    assert!(server.log().contains("install git"), "{}", server.log());
    let answer = server.get("/depot.wiki.git/info/refs?service=git-upload-pack");
    assert_eq!(answer.status, 404);
    assert_eq!(
        server.get("/api/v4/groups/90/wikis").json().to_string(),
        "[]"
    );
}
