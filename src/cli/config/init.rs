//! A configuration to begin with, from what is found on the machine.

use std::fs;
use std::path::{Path, PathBuf};

use crate::jobs::config::{FOLDER, MAIN_FILE, quoted};

/// Folders that GitLab's packages put backups into.
const BACKUPS: [&str; 2] = ["var/opt/gitlab/backups", "home/git/gitlab/tmp/backups"];

/// How the name of a backup ends.
const BACKUP: &str = "_gitlab_backup.tar";

/// Folders of the sockets of PostgreSQL: of GitLab's own server, and of Debian's and Red Hat's.
const SOCKETS: [&str; 3] = [
    "var/opt/gitlab/postgresql",
    "var/run/postgresql",
    "run/postgresql",
];

/// Folders that node_exporter's textfile collector reads, as packages set it up.
const TEXTFILES: [&str; 3] = [
    "var/lib/prometheus/node-exporter",
    "var/lib/node_exporter/textfile_collector",
    "var/lib/node_exporter",
];

/// What was found on a machine.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The folder of GitLab's backups.
    backups: Option<PathBuf>,
    /// True if there is one in it.
    has_backup: bool,
    /// The folder of the socket of a PostgreSQL server.
    socket: Option<PathBuf>,
    /// The folder of metrics files.
    textfiles: Option<PathBuf>,
}

impl Found {
    /// Looks below a root, which is `/` but for tests.
    pub(super) fn below(root: &Path) -> Found {
        let first = |folders: &[&str], is_it: &dyn Fn(&Path) -> bool| {
            let found = folders.iter().find(|folder| is_it(&root.join(folder)))?;
            Some(Path::new("/").join(found))
        };
        let backups = first(&BACKUPS, &|folder| folder.is_dir());
        let has_backup = backups.as_ref().is_some_and(|folder| {
            let inside = folder.strip_prefix("/").map(|folder| root.join(folder));
            inside.is_ok_and(|folder| holds_backup(&folder))
        });
        Found {
            has_backup,
            backups,
            socket: first(&SOCKETS, &|folder| folder.join(".s.PGSQL.5432").exists()),
            textfiles: first(&TEXTFILES, &|folder| folder.is_dir()),
        }
    }
}

/// False for a folder that may not be read, too: then the text says that there is none that can be seen.
fn holds_backup(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name())
        .any(|name| name.to_string_lossy().ends_with(BACKUP))
}

/// The file's text.
pub(super) fn text(found: &Found) -> String {
    let seen = match (&found.backups, found.has_backup) {
        (Some(_), true) => "# Found on this machine: backups of GitLab.",
        (Some(_), false) => {
            "# Found on this machine: the folder of GitLab's backups. No backup can be seen in it."
        }
        (None, _) => {
            "# No folder of backups was found on this machine; this one is GitLab's usual one."
        }
    };
    text_for(found, seen)
}

/// The file's text as packages bring it: of no machine, and with nothing in force.
pub(super) fn sample() -> String {
    let text = text_for(&Found::default(), "# GitLab's usual folder of backups.");
    let mut sample = String::new();
    for line in text.lines() {
        let is_in_force = !line.is_empty() && !line.starts_with('#');
        sample.extend([if is_in_force { "#" } else { "" }, line, "\n"]);
        if line.starts_with("#:schema") {
            sample.push_str(
                "# Nothing here is in force yet. Take the # away where no space follows it, and put your own groups in.\n#\n",
            );
        }
    }
    sample
}

/// The file's text, with what is said of the folder of backups.
fn text_for(found: &Found, seen: &str) -> String {
    let backups = found
        .backups
        .as_deref()
        .unwrap_or(Path::new("/var/opt/gitlab/backups"));
    let snapshot = quoted(&format!("{}/*{BACKUP}", backups.display()));
    let server = match &found.socket {
        Some(socket) => format!(
            "# A PostgreSQL server was found on this machine. To read it rather than backups:\n\
             # snapshot = \"postgres:///gitlabhq_production?host={}\"",
            socket.display()
        ),
        None => "# A server rather than backups; its password comes from [job.nightly.environment], below:\n\
                 # snapshot = \"postgres://reader@replica.example.com/gitlabhq_production\""
            .to_owned(),
    };
    let metrics = match &found.textfiles {
        Some(folder) => format!(
            "# Found on this machine: the folder that node_exporter reads. Each job gets a file in it.\n\
             metrics-dir = {}",
            quoted(&folder.display().to_string())
        ),
        None => "# The folder that node_exporter's textfile collector reads. Each job gets a file in it.\n\
                 # metrics-dir = \"/var/lib/prometheus/node-exporter\""
            .to_owned(),
    };
    format!(
        r##"#:schema ./relexport.schema.json
# Jobs of `relexport run`. Belongs at {MAIN_FILE}; files in {FOLDER} are read after it.
#
#   relexport config check           says what is wrong, with line and column
#   relexport config show nightly    says what a job comes to
#   relexport config schema          prints the schema that the first line names, for editors
#
# What a job says can be said differently for one run: on the command line of `relexport run`, or by a variable
# (RELEXPORT_GZIP_LEVEL for gzip-level). The command line is stronger than variables, and they than this file.

{metrics}

# Where the history and the locks of jobs lie.
# state-dir = "/var/lib/relexport"
# lock-dir = "/run/relexport"

# What stands for all jobs, unless they say otherwise. Every option of `relexport export` is a key, under its long name.
[defaults]
batched = true
# gzip-level = 6
# threads = 2
# memory-limit = "512MiB"

[job.nightly]
{seen}
snapshot = {snapshot}
pick = "newest"
{server}

# Whom to export: ids, or full paths. Put your own in.
group = ["my-group"]
subgroups = true
with-projects = true
# project = ["my-group/my-project"]
# all-groups = true

# Where exports go: a folder or bucket for each run. Times are UTC.
destination = "/var/backups/relexport/{{job}}/{{date}}_{{time}}"

# Which of them stay, after a run that succeeded; without any rule, all do.
keep-daily = 7
keep-weekly = 4

# Make no export of a snapshot that was exported already.
# skip-unchanged = true

# Wait for another run of this job, rather than end at once.
# lock-wait = "30min"

# Who is told when a run begins and ends: https://healthchecks.io, or anything like it.
# The address is as good as a password: keep it in a file that others cannot read, or in a credential of the service.
# ping-url-file = "/etc/relexport/ping-url"
# ping-url-credential = "ping"

# An export with fewer rows, or that lost more of them since the last success, is suspect: nothing is removed for it.
# [job.nightly.guard]
# min-rows = [1000, "issues=100"]
# max-shrink = "50%"

# Programs around a run, each a list of arguments. No shell is started unless it is one of them.
# [job.nightly.hooks]
# before = ["mountpoint", "-q", "/var/backups"]
# failure = ["sh", "-c", "echo \"$RELEXPORT_ERROR\" | mail -s \"export $RELEXPORT_JOB failed\" root"]

# Variables of this job alone: the keys of a bucket, the password of a server.
# [job.nightly.environment]
# AWS_ACCESS_KEY_ID = "…"
# AWS_SECRET_ACCESS_KEY-file = "/etc/relexport/aws-secret"
# PGPASSWORD-credential = "pgpassword"
"##
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options::ClapOptions;
    use crate::jobs::SnapshotChoice;
    use crate::jobs::config::{ConfigFile, Credentials, read, schema};

    fn file(text: String) -> ConfigFile {
        ConfigFile {
            path: "relexport.toml".into(),
            text,
            is_public: true,
        }
    }

    /// The text with every comment that is a key or a table taken for one.
    fn all_uncommented(text: &str) -> String {
        let is_code = |line: &str| {
            line.starts_with('[')
                || line
                    .split_once(" = ")
                    .is_some_and(|(key, _)| !key.contains(' '))
        };
        let lines = text.lines().map(|line| match line.strip_prefix("# ") {
            Some(code) if is_code(code) => code,
            _ => line,
        });
        lines.flat_map(|line| [line, "\n"]).collect()
    }

    #[test]
    fn what_is_found_comes_into_the_text() {
        let root = tempfile::tempdir().unwrap();
        let nothing = Found::below(root.path());
        assert_eq!(nothing, Found::default());
        assert!(text(&nothing).contains("\n# metrics-dir = "));
        let make = |folder: &str| fs::create_dir_all(root.path().join(folder)).unwrap();
        make("var/opt/gitlab/backups");
        make("var/opt/gitlab/postgresql");
        make("var/lib/prometheus/node-exporter");
        fs::write(
            root.path().join("var/opt/gitlab/postgresql/.s.PGSQL.5432"),
            "",
        )
        .unwrap();
        let empty = text(&Found::below(root.path()));
        assert!(empty.contains("No backup can be seen in it."), "{empty}");
        fs::write(
            root.path()
                .join("var/opt/gitlab/backups/1_gitlab_backup.tar"),
            "",
        )
        .unwrap();
        let full = text(&Found::below(root.path()));
        for part in [
            "# Found on this machine: backups of GitLab.\nsnapshot = \"/var/opt/gitlab/backups/*_gitlab_backup.tar\"\n",
            "\nmetrics-dir = \"/var/lib/prometheus/node-exporter\"\n",
            "# snapshot = \"postgres:///gitlabhq_production?host=/var/opt/gitlab/postgresql\"\n",
        ] {
            assert!(full.contains(part), "{part}: {full}");
        }
    }

    #[test]
    fn the_text_is_a_right_configuration() {
        for found in [
            Found::default(),
            Found {
                backups: Some("/a \"quoted\" folder".into()),
                has_backup: true,
                socket: Some("/run/postgresql".into()),
                textfiles: Some("/var/lib/node_exporter".into()),
            },
        ] {
            let text = text(&found);
            let config = read(
                &[file(text)],
                &ClapOptions::of_export(),
                &Credentials::Unread,
            )
            .unwrap();
            assert_eq!(config.mistakes(), []);
            assert_eq!(config.warnings, []);
            assert_eq!(config.jobs.len(), 1);
            assert!(matches!(config.jobs[0].snapshot, SnapshotChoice::Newest(_)));
        }
    }

    #[test]
    fn nothing_of_a_sample_is_in_force_until_the_signs_before_it_are_taken_away() {
        let options = ClapOptions::of_export();
        let sample = sample();
        let config = read(&[file(sample.clone())], &options, &Credentials::Unread).unwrap();
        assert!(config.jobs.is_empty() && config.broken.is_empty());
        assert!(!sample.contains("this machine"), "{sample}");
        let lines = sample.lines().map(|line| match line.strip_prefix('#') {
            Some(code)
                if code.starts_with(|first: char| first == '[' || first.is_ascii_lowercase()) =>
            {
                code
            }
            _ => line,
        });
        let text: String = lines.flat_map(|line| [line, "\n"]).collect();
        let config = read(&[file(text)], &options, &Credentials::Unread).unwrap();
        assert_eq!(config.mistakes(), []);
        assert_eq!(config.jobs.len(), 1);
        assert!(config.jobs[0].keep.is_some());
    }

    #[test]
    fn every_comment_of_the_text_is_right_if_it_is_taken_for_a_key() {
        let text = all_uncommented(&text(&Found::default()));
        // Of these there can be one only.
        let text = text.replace("snapshot = \"postgres://", "# snapshot = \"postgres://");
        let text = text
            .replace("all-groups = true", "")
            .replace("ping-url-credential = \"ping\"", "");
        let config = read(
            &[file(text.clone())],
            &ClapOptions::of_export(),
            &Credentials::Unread,
        );
        let config = config.unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(config.mistakes(), []);
        let job = &config.jobs[0];
        assert_eq!(job.environment.len(), 3);
        assert_eq!(job.hooks.before, [["mountpoint", "-q", "/var/backups"]]);
        assert_eq!(job.guard.min_rows["issues"], 100);
        assert!(job.ping.is_some() && job.keep.is_some() && job.skip_unchanged);
    }

    #[test]
    fn an_editor_that_knows_the_schema_finds_the_text_right() {
        let schema = schema(&ClapOptions::of_export());
        let validator = jsonschema::validator_for(&schema).unwrap();
        for text in [
            text(&Found::default()),
            all_uncommented(&text(&Found::default())).replace("\nsnapshot = \"postgres://", "\n# "),
        ] {
            let value: serde_json::Value = toml::from_str(&text).unwrap();
            let wrong: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| error.to_string())
                .collect();
            assert!(wrong.is_empty(), "{wrong:?}");
        }
    }
}
