//! `--snapshot pgdata:DIR`: data folders and base backups, read through a private server on a copy that leaves nothing
//! behind. The servers that the folders are from, and what looks for traces, are PostgreSQL's and the system's own programs.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::live::*;
use crate::support::server::*;
use crate::support::*;

/// A cluster with the fixture, whose server can be ended as a test needs it.
struct Cluster {
    server: Server,
}

impl Cluster {
    /// Starts a server, and loads the fixture into its database `test_N`.
    fn start(settings: &str) -> (Cluster, String) {
        let server = Server::start(&format!(
            "-c autovacuum=off -c synchronous_commit=on {settings}"
        ));
        let name = fixture(&server).name;
        (Cluster { server }, name)
    }

    fn data(&self) -> PathBuf {
        self.server.folder.join("data")
    }

    fn run(&self, database: &str, sql: &str) -> String {
        self.database(database).run(sql)
    }

    fn database(&self, name: &str) -> Database<'_> {
        Database {
            server: &self.server,
            name: name.to_owned(),
        }
    }

    fn stop(&self, mode: &str) {
        let data = self.data();
        let data = data.to_str().unwrap();
        let stop = ["pg_ctl", "stop", "-D", data, "-m", mode, "-w", "-s"];
        self.server.as_server(&stop);
    }

    /// Kills the server, which leaves its lock file, and waits until none of its processes is there.
    fn kill(&self) {
        let lock = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let process = lock.lines().next().unwrap();
        ok(Command::new("kill").args(["-KILL", process]));
        wait_until("the end of the server", || {
            processes_in(&self.data()).is_empty()
        });
    }

    /// Starts the server again.
    fn start_again(&self) {
        self.forget();
        let (data, log) = (self.data(), self.server.folder.join("again.log"));
        let settings = format!(
            "-c fsync=off -c listen_addresses='' -c unix_socket_directories='{}'",
            self.server.folder.display()
        );
        self.server.as_server(&[
            "pg_ctl",
            "start",
            "-D",
            data.to_str().unwrap(),
            "-w",
            "-s",
            "-l",
            log.to_str().unwrap(),
            "-o",
            &settings,
        ]);
    }

    /// Removes the lock files of a server that was killed: somebody may have its number by now.
    fn forget(&self) {
        for lock in ["data/postmaster.pid", ".s.PGSQL.5432.lock"] {
            let _ = fs::remove_file(self.server.folder.join(lock));
        }
    }

    /// A base backup beside the data.
    fn base_backup(&self, name: &str, more: &[&str]) -> PathBuf {
        let folder = self.server.folder.join(name);
        let mut arguments = vec![
            "pg_basebackup",
            "--no-sync",
            "-D",
            folder.to_str().unwrap(),
            "-c",
            "fast",
        ];
        arguments.extend(more);
        self.server.as_server(&arguments);
        folder
    }
}

/// A folder for copies, which the servers' user can enter.
fn temp(dir: &Dir) -> PathBuf {
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let temp = dir.join("temp");
    fs::create_dir_all(&temp).unwrap();
    temp
}

/// An export of a data folder.
fn export_folder(dir: &Dir, folder: &Path) -> Program {
    dir.export(format!("pgdata:{}", folder.display()))
        .option("--temp-dir", temp(dir))
}

/// Processes that name a folder in their arguments, or are in it or below.
fn processes_in(folder: &Path) -> Vec<String> {
    let name = folder.to_str().unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let process = entry.unwrap().path();
        let is_one = process
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .parse::<u32>()
            .is_ok();
        // Processes come and go.
        let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        let is_in =
            fs::read_link(process.join("cwd")).is_ok_and(|current| current.starts_with(folder));
        let is_own = process.ends_with(std::process::id().to_string());
        if is_one && !is_own && (is_in || arguments.contains(name)) {
            found.push(arguments);
        }
    }
    found
}

/// No copy and no process is left.
fn assert_nothing_left(dir: &Dir) {
    let temp = dir.join("temp");
    assert_eq!(fs::read_dir(&temp).unwrap().count(), 0);
    assert_eq!(processes_in(&temp), [""; 0]);
}

/// Everything about a folder's files, their content and times among it.
fn picture(folder: &Path) -> String {
    let script = "cd \"$1\" && find . -printf '%p %y %m %U %G %s %T@ %l\\n' | sort \
                  && find . -type f -print0 | sort -z | xargs -0 sha256sum";
    let output = ok(Command::new("sh").args(["-c", script, "sh"]).arg(folder));
    String::from_utf8(output.stdout).unwrap()
}

/// Exports all groups; they must be as expected, the original as it was, and nothing left.
fn assert_expected(what: &str, folder: &Path, more: &[&str]) -> Run {
    let dir = Dir::new();
    let before = picture(folder);
    let run = export_folder(&dir, folder)
        .args(["--all-groups"])
        .args(more)
        .ok();
    assert_eq!(run.stderr, "", "{what}");
    assert_same_files(what, &run.contents(), &expected_files(&GROUPS));
    assert!(
        picture(folder) == before,
        "{what}: the original was changed"
    );
    assert_nothing_left(&dir);
    let snapshot = &run.manifest()["snapshot"];
    assert_eq!(snapshot["kind"], "pgdata");
    assert_eq!(
        snapshot["source"],
        folder.file_name().unwrap().to_str().unwrap()
    );
    // When a server was started on it is not when it is from.
    assert!(
        snapshot
            .get("taken_at")
            .is_none_or(serde_json::Value::is_null)
    );
    assert!(snapshot.get("lsn").is_none_or(serde_json::Value::is_null));
    run
}

#[test]
fn stopped_and_crashed_clusters_and_their_backups_are_read() {
    let (cluster, name) = Cluster::start("-c wal_level=logical -c max_prepared_transactions=2");
    // What a server on the original would do, and one on a copy must not.
    for setting in [
        "listen_addresses = '*'",
        "shared_preload_libraries = 'no_such_library'",
        "ssl = on",
        "archive_mode = always",
        "archive_command = 'touch /tmp/relexport-test-archived'",
        "logging_collector = on",
        "primary_conninfo = 'host=nowhere.invalid'",
        "restore_command = 'touch /tmp/relexport-test-restored; false'",
    ] {
        cluster.run(&name, &format!("ALTER SYSTEM SET {setting}"));
    }
    cluster.run(
        &name,
        &format!("ALTER DATABASE {name} SET session_preload_libraries = 'no_such_library'"),
    );
    let database = cluster.database("postgres");
    database.run("SELECT pg_create_logical_replication_slot('slot', 'test_decoding')");
    let backup = cluster.base_backup("base", &[]);
    let without_log = cluster.base_backup("without_log", &["-X", "none"]);
    let tar = cluster.base_backup("tar", &["-Ft"]);
    // What comes later is in the crashed folder alone: it was not written to its file yet.
    let options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &name, "-c"];
    let mut psql = cluster.server.program("psql");
    psql.env("PGOPTIONS", "-c session_preload_libraries=");
    ok(psql.args(options).arg("UPDATE labels SET title = title || '!' WHERE id = (SELECT min(id) FROM labels WHERE group_id = 4351)"));
    cluster.kill();
    let dir = Dir::new();
    // No backup of its own: while its server runs a folder cannot be taken, once it was killed it can.
    let crashed = export_folder(&dir, &cluster.data()).group(4351).ok();
    assert_nothing_left(&dir);
    let labels = String::from_utf8(crashed.content("group_4351/labels.ndjson.gz")).unwrap();
    let expected = String::from_utf8(expected(4351, "labels")).unwrap();
    assert_eq!(
        labels.matches("!\"").count(),
        expected.matches("!\"").count() + 1
    );

    cluster.forget();

    assert_expected("base backup", &backup, &[]);
    // A link to the log, as where it is on another disk.
    let log = cluster.server.folder.join("log_elsewhere");
    fs::rename(backup.join("pg_wal"), &log).unwrap();
    symlink(&log, backup.join("pg_wal")).unwrap();
    assert_expected(
        "base backup with its log elsewhere",
        &backup,
        &["--pg-database", &name],
    );
    assert!(!Path::new("/tmp/relexport-test-archived").exists());
    assert!(!Path::new("/tmp/relexport-test-restored").exists());

    let dir = Dir::new();
    export_folder(&dir, &without_log)
        .group(4351)
        .fails(
            3,
            &[
                "the private server did not start; its log ends with",
                "FATAL",
                "checkpoint record",
            ],
        )
        .left_nothing();
    export_folder(&dir, &tar)
        .group(4351)
        .fails(3, &["base backup as tar files", "unpack"])
        .left_nothing();
    // A log that ends before the backup did.
    fs::remove_file(backup.join("pg_wal")).unwrap();
    fs::create_dir(backup.join("pg_wal")).unwrap();
    let first = fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let first = first.filter(|path| path.is_file()).min().unwrap();
    let mut bytes = fs::read(&first).unwrap();
    let label = fs::read_to_string(backup.join("backup_label")).unwrap();
    let redo = label.split("CHECKPOINT LOCATION: 0/").nth(1).unwrap();
    let redo = usize::from_str_radix(&redo[..redo.find('\n').unwrap()], 16).unwrap() % bytes.len();
    // The checkpoint's own record is there, and nothing behind it.
    bytes[redo + 120..].fill(0);
    fs::write(
        backup.join("pg_wal").join(first.file_name().unwrap()),
        bytes,
    )
    .unwrap();
    export_folder(&dir, &backup)
        .group(4351)
        .fails(3, &["WAL ends before end of online backup"])
        .left_nothing();
    assert_nothing_left(&dir);
}

#[test]
fn a_stopped_cluster_is_read_and_its_database_chosen() {
    let (cluster, name) = Cluster::start("");
    let data = cluster.data();
    let dir = Dir::new();
    let running = "a server is running on it";
    export_folder(&dir, &data)
        .group(4351)
        .fails(3, &[running])
        .left_nothing();
    let several = cluster.server.database().name;
    cluster.stop("immediate");
    assert_expected("stopped in haste", &data, &["--connections", "1"]);
    cluster.start_again();
    cluster.stop("fast");
    assert_expected("stopped", &data, &[]);

    let names = [several.as_str(), &name, "postgres"];
    export_folder(&dir, &data)
        .args(["--group", "4351", "--pg-database", "nowhere"])
        .fails(3, &["there is no database nowhere; its databases are: "])
        .left_nothing();
    let none = project("docs/shop.yml");
    let run = export_folder(&dir, &data)
        .args(["--all-groups"])
        .option("--pipeline", &none)
        .fails(3, &["none of its databases holds a table", "--pg-database"]);
    for name in names {
        assert!(run.stderr.contains(name), "{}", run.stderr);
    }
    cluster.start_again();
    cluster.run(&several, "CREATE TABLE namespaces (id integer)");
    cluster.stop("fast");
    export_folder(&dir, &data)
        .group(4351)
        .fails(
            3,
            &[
                "several of its databases hold a table namespaces",
                &several,
                &name,
            ],
        )
        .left_nothing();
    assert_nothing_left(&dir);

    // Other commands read it, too.
    let look = |command: &str| {
        relexport(command)
            .option("--snapshot", format!("pgdata:{}", data.display()))
            .option("--pg-database", &name)
            .option("--temp-dir", dir.join("temp"))
    };
    let groups = look("groups").prints();
    assert!(groups.contains("acme/platform"), "{groups}");
    look("pipeline check pipelines/group.yml").ok();
    let inspection = look("inspect --json").json();
    assert_eq!(inspection["kind"], "pgdata");
    assert_eq!(inspection["source"], "data");
    assert_nothing_left(&dir);

    // A file-by-file copy of a server that was running cannot be told from a file system's snapshot.
    let copy = cluster.server.folder.join("copy");
    ok(Command::new("cp").arg("-a").arg(&data).arg(&copy));
    let lock = format!(
        "4194305\n{}\n1700000000\n5432\n\n\n\nready   \n",
        data.display()
    );
    fs::write(copy.join("postmaster.pid"), &lock).unwrap();
    let refusal = ["postmaster.pid", "file system's snapshot", "--pg-atomic"];
    let named = ["--group", "4351", "--pg-database", &name];
    export_folder(&dir, &copy)
        .args(named)
        .fails(3, &refusal)
        .left_nothing();
    assert_expected(
        "an atomic copy",
        &copy,
        &["--pg-atomic", "--pg-database", &name],
    );

    by_hand(&cluster.server, &data, &name);
    damaged(&dir, &copy, &name);
    wrong_programs(&dir, &data, &name);
    not_readable(&data);
}

/// The how-to's script gives the same.
fn by_hand(server: &Server, data: &Path, name: &str) {
    let dir = Dir::new();
    let find = ["-c", "dirname \"$(command -v pg_ctl)\""];
    let bin = String::from_utf8(ok(server.program("sh").args(find)).stdout).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let script = |folder: &Path, out: &Path| {
        let mut command = Command::new(project("docs/physical-backup"));
        command.arg(folder).arg(PROGRAM);
        command.args(["export", "--quiet", "--all-groups", "--snapshot"]);
        command
            .arg(format!("postgresql:///{name}"))
            .arg("--out")
            .arg(out);
        command.env("TMPDIR", dir.path());
        command.env("PGBIN", bin.trim());
        command
    };
    let before = picture(data);
    let out = dir.join("out");
    ok(&mut script(data, &out));
    let export = ExportFolder::new(out);
    assert_same_files("by hand", &export.contents(), &expected_files(&GROUPS));
    assert!(picture(data) == before);
    let failed = script(dir.path(), &dir.join("none")).output().unwrap();
    assert_eq!(failed.status.code(), Some(69));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Folders that are no whole data folders.
fn damaged(dir: &Dir, copy: &Path, name: &str) {
    fs::remove_file(copy.join("postmaster.pid")).unwrap();
    let export = |what: &str, says: &[&str]| {
        let run = export_folder(dir, copy)
            .args(["--group", "4351", "--pg-database", name])
            .fails(3, says);
        assert!(!run.out.exists(), "{what}");
        assert_nothing_left(dir);
    };
    let version = copy.join("PG_VERSION");
    let right = fs::read_to_string(&version).unwrap();
    let number = right.trim();
    fs::write(&version, "9.6\n").unwrap();
    export("too old", &["PostgreSQL 9", "10 or newer is needed"]);
    fs::write(&version, "many\n").unwrap();
    export("no version", &["is no version of PostgreSQL"]);
    fs::write(&version, "99\n").unwrap();
    let found = format!("has version {number}");
    export(
        "too new",
        &[
            "needs the programs of PostgreSQL 99",
            &found,
            "postgresql-99",
            "--pg-bindir",
        ],
    );
    fs::write(&version, &right).unwrap();

    symlink("/nonexistent", copy.join("pg_tblspc/16999")).unwrap();
    export(
        "no tablespace",
        &["pg_tblspc/16999", "tablespace's folder", "is not there"],
    );
    fs::remove_file(copy.join("pg_tblspc/16999")).unwrap();
    fs::write(copy.join("tablespace_map"), "16999 /nonexistent\n").unwrap();
    export(
        "a tablespace that is named only",
        &["tablespace 16999", "tablespace_map"],
    );
    fs::remove_file(copy.join("tablespace_map")).unwrap();
    symlink("/etc", copy.join("base/link")).unwrap();
    export(
        "a link",
        &["base/link", "only pg_wal and tablespaces can be links"],
    );
    fs::remove_file(copy.join("base/link")).unwrap();

    let control = copy.join("global/pg_control");
    let bytes = fs::read(&control).unwrap();
    fs::write(&control, &bytes[..100]).unwrap();
    export("half a control file", &["pg_controldata"]);
    fs::remove_file(&control).unwrap();
    export(
        "no control file",
        &["no whole PostgreSQL data folder", "global/pg_control"],
    );
    fs::remove_file(&version).unwrap();
    export(
        "no version file",
        &["is no PostgreSQL data folder", "PG_VERSION"],
    );
    let missing = Dir::new();
    export_folder(&missing, Path::new("/nonexistent/data"))
        .group(4351)
        .fails(3, &["/nonexistent/data", "No such file"]);
    let file = missing.write("file", "");
    export_folder(&missing, &file)
        .group(4351)
        .fails(3, &["it is no folder"]);
}

/// Programs that are not there, or not the right ones.
fn wrong_programs(dir: &Dir, data: &Path, name: &str) {
    let export = |bin: &Path, says: &[&str]| {
        export_folder(dir, data)
            .args(["--group", "4351", "--pg-database", name])
            .option("--pg-bindir", bin)
            .fails(3, says)
            .left_nothing();
        assert_nothing_left(dir);
    };
    export(
        Path::new("/nonexistent"),
        &[
            "/nonexistent does not hold them",
            "no program postgres was found",
        ],
    );
    let script = |name: &str, text: &str| {
        let path = dir.write(name, format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.parent().unwrap().to_owned()
    };
    let old = script("old/postgres", "echo 'postgres (PostgreSQL) 9.6.24'");
    export(&old, &["has version 9"]);
    let dumb = script("dumb/postgres", "exit 1");
    export(&dumb, &["does not say its version"]);
    let version = fs::read_to_string(data.join("PG_VERSION")).unwrap();
    let version = format!("echo 'postgres (PostgreSQL) {}.1'", version.trim());
    let half = script("half/postgres", &version);
    export(&half, &["lacks pg_controldata"]);
    // A server that never gets ready, and one that says why it does not start.
    let answers = "case \"$1\" in --version)";
    let slow = script(
        "slow/postgres",
        &format!("{answers} {version};; *) echo word >&2; exec sleep 1000;; esac"),
    );
    script(
        "slow/pg_controldata",
        "echo 'Database cluster state: shut down'",
    );
    script("slow/pg_waldump", "exit 1");
    export_folder(dir, data)
        .args(["--group", "4351", "--pg-start-timeout", "300ms"])
        .option("--pg-bindir", &slow)
        .fails(3, &["not ready in time", "--pg-start-timeout", "  word"]);
    assert_nothing_left(dir);
    script(
        "slow/postgres",
        &format!("{answers} {version};; *) echo 'FATAL:  no' >&2; exit 1;; esac"),
    );
    export(&slow, &["did not start", "FATAL:  no"]);
    script(
        "slow/postgres",
        &format!("{answers} {version};; *) ;; esac"),
    );
    export(&slow, &["did not start"]);
}

/// A folder that belongs to somebody else, and a temp folder that the server's user cannot enter.
fn not_readable(data: &Path) {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        return;
    }
    let dir = Dir::new();
    let locked = dir.join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
    let snapshot = format!("pgdata:{}", data.display());
    dir.export(&snapshot)
        .group(4351)
        .option("--temp-dir", &locked)
        .fails(3, &["ermission denied", "--temp-dir"]);
    assert_eq!(fs::read_dir(&locked).unwrap().count(), 0);
    // As somebody who may not look into the data folder.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.join("relexport");
    // By a program of its own: a process that another test starts while this one copies would inherit the open copy, and
    // what is open for writing cannot be run.
    let copied = Command::new("cp").arg(PROGRAM).arg(&program).status();
    assert!(copied.unwrap().success());
    let other = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let groups = ["groups", "--snapshot", &snapshot];
    let output = Command::new("setpriv")
        .args(other)
        .arg(&program)
        .args(groups)
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("run as the user that the data folder belongs to"),
        "{said}"
    );
}

#[test]
fn a_standby_is_read_as_far_as_it_came() {
    let (primary, name) = Cluster::start("-c wal_level=replica -c max_wal_senders=4");
    primary.run(&name, "UPDATE labels SET title = title || '?'");
    let standby = primary.base_backup("standby", &["-R", "-X", "stream"]);
    primary.run(&name, "UPDATE labels SET title = left(title, -1)");
    let end = primary.run(&name, "SELECT pg_current_wal_lsn()");
    let port = free_port().to_string();
    let folder = primary.server.folder.clone();
    let log = folder.join("standby.log");
    let settings = format!(
        "-c fsync=off -c port={port} -c listen_addresses='' -c unix_socket_directories='{}'",
        folder.display()
    );
    let place = standby.to_str().unwrap();
    let start = [
        "pg_ctl",
        "start",
        "-D",
        place,
        "-w",
        "-s",
        "-l",
        log.to_str().unwrap(),
        "-o",
        &settings,
    ];
    primary.server.as_server(&start);
    wait_until("the standby", || {
        let mut psql = primary.server.program("psql");
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{end}'");
        let psql = psql.args(["-X", "-A", "-t", "-p", &port, "-d", &name, "-c", &sql]);
        ok(psql).stdout == b"t\n"
    });
    for mode in ["immediate", "fast"] {
        primary
            .server
            .as_server(&["pg_ctl", "stop", "-D", place, "-m", mode, "-w", "-s"]);
        assert_expected(&format!("a standby, stopped: {mode}"), &standby, &[]);
        if mode == "immediate" {
            primary.server.as_server(&start);
        }
    }
}

#[test]
fn tablespaces_are_copied_and_never_touched() {
    let (cluster, name) = Cluster::start("");
    let space = cluster.server.folder.join("space");
    cluster
        .server
        .as_server(&["mkdir", space.to_str().unwrap()]);
    cluster.run(
        &name,
        &format!("CREATE TABLESPACE elsewhere LOCATION '{}'", space.display()),
    );
    cluster.run(&name, "ALTER TABLE labels SET TABLESPACE elsewhere");
    cluster.kill();
    let dir = Dir::new();
    let before = picture(&space);
    export_folder(&dir, &cluster.data())
        .group(4351)
        .fails(3, &["a tablespace was created after its last checkpoint"])
        .left_nothing();
    assert_nothing_left(&dir);
    assert!(picture(&space) == before);
    cluster.start_again();
    cluster.run(&name, "UPDATE labels SET title = title");
    cluster.kill();
    let before = picture(&space);
    assert_expected("with a tablespace", &cluster.data(), &[]);
    assert!(picture(&space) == before);
    cluster.forget();
}

/// A data folder in which a prepared transaction holds a table, so that every export of it waits.
fn held() -> Cluster {
    let (cluster, name) = Cluster::start("-c max_prepared_transactions=2");
    cluster.run(
        &name,
        "BEGIN; LOCK TABLE epics; PREPARE TRANSACTION 'holds the table'",
    );
    cluster.stop("fast");
    cluster
}

/// Starts an export of such a folder, and waits until it waits for the table.
fn waiting(dir: &Dir, cluster: &Cluster) -> Started {
    let mut export = export_folder(dir, &cluster.data())
        .group(4351)
        .args(["--lock-timeout", "0"])
        .start();
    let temp = dir.join("temp");
    export.wait_until("it waits for the table", || {
        let copy = fs::read_dir(&temp).unwrap().next();
        let Some(copy) = copy.map(|entry| entry.unwrap().path()) else {
            return false;
        };
        let mut psql = cluster.server.program("psql");
        let sql = format!("SELECT count(*) > 0 FROM pg_stat_activity WHERE {BLOCKED}");
        let psql = psql.args(["-X", "-A", "-t", "-d", "postgres", "-c", &sql]);
        psql.env("PGHOST", copy).output().unwrap().stdout == b"t\n"
    });
    export
}

/// True under `nohup`, from which the program would inherit it.
fn is_hup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let ignored = lines.find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 == 1
}

#[test]
fn nothing_is_left_however_the_program_ends() {
    let cluster = held();
    let before = picture(&cluster.data());
    for (signal, code) in [
        ("INT", Some(130)),
        ("TERM", Some(130)),
        ("KILL", None),
        ("HUP", None),
    ] {
        if signal == "HUP" && is_hup_ignored() {
            continue;
        }
        let dir = Dir::new();
        let export = waiting(&dir, &cluster);
        export.signal(signal);
        let run = export.wait();
        assert_eq!(run.code, code, "{signal}: {}", run.stderr);
        if code.is_some() {
            // Whoever can, waits for the end of the server.
            assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
            assert!(!dir.join("out").exists());
        } else {
            let temp = dir.join("temp");
            wait_until("the end of all", || {
                processes_in(&temp).is_empty() && fs::read_dir(&temp).unwrap().count() == 0
            });
        }
        assert_nothing_left(&dir);
    }
    // A lock that is not waited for is an error like any other.
    let dir = Dir::new();
    let run = export_folder(&dir, &cluster.data())
        .args(["--group", "4351", "--lock-timeout", "100ms"])
        .run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert_eq!(run.relation("epics")["status"], -1);
    assert_nothing_left(&dir);
    assert!(picture(&cluster.data()) == before);
}

#[test]
fn an_export_that_is_ended_before_its_server_is_ready_leaves_nothing() {
    let (dir, cluster) = (Dir::new(), Cluster::start("").0);
    cluster.stop("fast");
    let version = fs::read_to_string(cluster.data().join("PG_VERSION")).unwrap();
    // Programs that take for ever, whatever signals they get.
    let slow = "trap '' QUIT INT TERM; echo; while :; do sleep 0.1; done";
    for (name, text) in [
        (
            "bin/postgres",
            format!(
                "[ \"$1\" = --version ] && exec echo 'postgres (PostgreSQL) {}.1'; {slow}",
                version.trim()
            ),
        ),
        (
            "bin/pg_controldata",
            "echo 'Database cluster state: shut down'".to_owned(),
        ),
        ("bin/pg_waldump", String::new()),
    ] {
        let path = dir.write(name, format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for signal in ["INT", "KILL"] {
        let mut export = export_folder(&dir, &cluster.data())
            .group(4351)
            .option("--pg-bindir", dir.join("bin"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .start();
        let temp = dir.join("temp");
        export.wait_until("the server starts", || {
            processes_in(&temp)
                .iter()
                .any(|arguments| arguments.contains("--single"))
        });
        export.signal(signal);
        let run = export.wait();
        assert_eq!(run.code, (signal == "INT").then_some(130));
        wait_until("the end of all", || {
            processes_in(&temp).is_empty() && fs::read_dir(&temp).unwrap().count() == 0
        });
        assert!(!dir.join("out").exists() || signal == "KILL");
    }
}

#[test]
fn unlogged_tables_that_replaying_the_log_emptied_fail_what_needs_them() {
    let (dir, cluster) = (
        Dir::new(),
        Server::start("-c wal_level=replica -c max_wal_senders=4 -c autovacuum=off"),
    );
    let cluster = Cluster { server: cluster };
    let name = "postgres";
    cluster.run(
        name,
        "CREATE TABLE tenants (id int PRIMARY KEY);
         CREATE UNLOGGED TABLE sessions (id int PRIMARY KEY, tenant_id int);
         CREATE TABLE notes (id int, tenant_id int) PARTITION BY LIST (id);
         CREATE TABLE notes_1 PARTITION OF notes FOR VALUES IN (1);
         CREATE UNLOGGED TABLE notes_2 PARTITION OF notes FOR VALUES IN (2);
         CREATE UNLOGGED TABLE idle (id int);
         INSERT INTO tenants VALUES (1); INSERT INTO sessions VALUES (1, 1), (2, 1); INSERT INTO notes VALUES (1, 1), (2, 1);",
    );
    let pipeline = dir.write(
        "unlogged.yml",
        "pipeline: unlogged
entity: { kind: Tenant, table: tenants, key: id, prefix: \"t_{key}\" }
relations:
  self: { table: tenants, link: { id: key } }
  sessions: { table: sessions, link: { tenant_id: key } }
  notes: { table: notes, link: { tenant_id: key } }
  nested: { table: tenants, link: { id: key }, nested: { sessions: { many: sessions, link: { tenant_id: id } } } }
",
    );
    let export = |folder: &Path, out: &str| {
        let snapshot = format!("pgdata:{}", folder.display());
        dir.export_to(snapshot, dir.join(out))
            .option("--temp-dir", temp(&dir))
            .option("--pipeline", &pipeline)
            .args(["--pg-database", name])
            .group(1)
    };
    let backup = cluster.base_backup("backup", &["-X", "stream"]);
    let run = export(&backup, "of-backup").fails(
        1,
        &[
            "table sessions is UNLOGGED",
            "table sessions is defined, but the snapshot does not hold the data: ",
            "the data of its partition notes_2",
        ],
    );
    // Nobody needs that one.
    assert!(!run.stderr.contains("idle"), "{}", run.stderr);
    for (relation, status) in [("self", 1), ("sessions", -1), ("notes", -1), ("nested", -1)] {
        assert_eq!(run.relation(relation)["status"], status, "{relation}");
    }
    let run = export(&backup, "allowed").args(["--allow-missing"]).ok();
    assert_eq!(run.manifest()["missing_tables"], 2);
    assert_eq!(
        run.manifest()["tables_without_data"],
        serde_json::json!([{ "table": "sessions" }, { "table": "notes", "parts": ["notes_2"] }])
    );
    assert_eq!(run.content("t_1/sessions.ndjson.gz"), b"");
    // A snapshot of the folder lacks the table, too, and none is made of rows that look like all of them.
    let take = |pipeline: &Path, out: &str, more: &[&str]| {
        dir.relexport("snapshot take --quiet")
            .option("--from", format!("pgdata:{}", backup.display()))
            .option("--temp-dir", temp(&dir))
            .option("--pipeline", pipeline)
            .option("--out", dir.join(out))
            .args(["--pg-database", name])
            .args(more)
    };
    let all = fs::read_to_string(&pipeline).unwrap();
    let without_notes = all.lines().filter(|line| !line.contains("notes"));
    let without_notes = dir.write(
        "few.yml",
        without_notes.collect::<Vec<_>>().join("\n") + "\n",
    );
    for (out, more) in [("whole", &[][..]), ("groups", &["--group", "1"][..])] {
        take(&pipeline, &format!("{out}-all"), more).fails(3, &["partition notes_2"]);
        take(&without_notes, out, more).ok();
        let run = dir
            .export_to(dir.join(out), dir.join(&format!("of-{out}")))
            .option("--pipeline", &without_notes)
            .group(1)
            .fails(1, &["table sessions is defined, but"]);
        assert_eq!(run.relation("self")["status"], 1, "{out}");
    }
    // Entities that are not there are none.
    let sessions = "pipeline: sessions\nentity: { kind: Session, table: sessions, key: id, prefix: \"s_{key}\" }\n\
                    relations: { self: { table: sessions, link: { id: key } } }\n";
    let sessions = dir.write("sessions.yml", sessions);
    dir.export_to(format!("pgdata:{}", backup.display()), dir.join("sessions"))
        .option("--temp-dir", temp(&dir))
        .option("--pipeline", sessions)
        .args(["--pg-database", name, "--all-groups"])
        .fails(3, &["table sessions is defined, but"]);
    // A server that was stopped in order has the rows; one that was killed loses them when it is started again.
    cluster.stop("fast");
    let run = export(&cluster.data(), "stopped").ok();
    assert_eq!(run.relation("sessions")["total_objects_count"], 2);
    assert_eq!(run.relation("notes")["total_objects_count"], 2);
    cluster.start_again();
    cluster.kill();
    export(&cluster.data(), "killed").fails(1, &["table sessions is defined, but"]);
    cluster.forget();
    assert_nothing_left(&dir);
}
