//! `relexport config show`.

use crate::support::*;

const CONFIG: &str = r#"
metrics-dir = "/metrics"

[defaults]
batched = true
keep-daily = 7

[job.one]
snapshot = "postgres://u:hunter2@db/gitlab"
all-groups = true
gzip-level = 9
destination = "/out/{job}/{date}"
ping-url = "https://hc.example/hunter3"

[job.one.environment]
PGPASSWORD = "hunter4"
"#;

fn show(dir: &Dir, arguments: &str) -> Program {
    dir.relexport(&format!("config show one --config jobs.toml {arguments}"))
}

/// The command line of the export, from what is shown.
fn command(shown: &str) -> String {
    let line = shown
        .lines()
        .find(|line| line.starts_with("# relexport export "));
    line.unwrap_or_else(|| panic!("{shown}")).to_owned()
}

#[test]
fn a_job_is_shown_with_its_defaults_and_its_export_and_no_secret() {
    let dir = Dir::new();
    dir.write("jobs.toml", CONFIG);
    let run = show(&dir, "").ok();
    assert_eq!(run.stderr, "");
    for part in [
        "# jobs.toml line 8; state in /var/lib/relexport, locks in /run/relexport\n",
        "# metrics in /metrics\n",
        "[job.one]\nbatched = true\nkeep-daily = 7\nsnapshot = \"postgres://u@db/gitlab\"\n",
        "ping-url = \"***\"\n",
        "[job.one.environment]\nPGPASSWORD = \"***\"\n",
    ] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    assert!(!run.stdout.contains("hunter"), "{}", run.stdout);
    assert_eq!(
        command(&run.stdout),
        "# relexport export --batched --all-groups --gzip-level=9 --snapshot=postgres://u@db/gitlab '--out=/out/{job}/{date}'"
    );
}

#[test]
fn the_command_line_is_stronger_than_variables_and_they_than_the_file() {
    let dir = Dir::new();
    dir.write("jobs.toml", CONFIG);
    let shown = show(&dir, "")
        .env("RELEXPORT_GZIP_LEVEL", "5")
        .env("RELEXPORT_BATCHED", "false")
        .prints();
    assert_eq!(
        command(&shown),
        "# relexport export --all-groups --gzip-level=5 --snapshot=postgres://u@db/gitlab '--out=/out/{job}/{date}'"
    );
    let shown = show(&dir, "--gzip-level 1 -s dump.sql")
        .env("RELEXPORT_GZIP_LEVEL", "5")
        .prints();
    assert_eq!(
        command(&shown),
        "# relexport export --batched --all-groups --gzip-level=1 --snapshot=dump.sql '--out=/out/{job}/{date}'"
    );
    let run = show(&dir, "--group acme --group beta").ok();
    assert_eq!(
        command(&run.stdout),
        "# relexport export --batched --gzip-level=9 --group=acme --group=beta --snapshot=postgres://u@db/gitlab '--out=/out/{job}/{date}'"
    );
    assert!(
        run.stderr
            .contains("`all-groups` of job one has no effect beside --group"),
        "{}",
        run.stderr
    );
    show(&dir, "--batch-bytes 1MiB --project a/b --all-projects")
        .fails(2, &["cannot run job one: ", "cannot be used with"]);
}

#[test]
fn a_job_that_is_not_there_or_not_right_is_told() {
    let dir = Dir::new();
    dir.write("jobs.toml", format!("{CONFIG}[job.broken]\nsnapshot = 1\n"));
    show(&dir, "").ok();
    dir.relexport("config show onne --config jobs.toml").fails(
        2,
        &["there is no job \"onne\" in jobs.toml", "did you mean one?"],
    );
    dir.relexport("config show broken --config jobs.toml")
        .fails(
            2,
            &["jobs.toml:18:12: `snapshot` is a text in quotes, not a number"],
        );
}

#[test]
fn what_is_shown_can_be_read_as_the_same_job() {
    let dir = Dir::new();
    let text = CONFIG.replace("hunter2@", "").replace("u:", "").replace(
        "ping-url = \"https://hc.example/hunter3\"",
        "ping-url-file = \"/ping\"",
    );
    let text = text.replace("PGPASSWORD = ", "PGPASSWORD-file = ");
    dir.write("jobs.toml", &text);
    let shown = show(&dir, "").prints();
    dir.write("jobs.toml", &shown);
    let keys = |shown: &str| shown[shown.find("[job.one]").unwrap()..].to_owned();
    assert_eq!(keys(&show(&dir, "").prints()), keys(&shown));
    assert_eq!(command(&show(&dir, "").prints()), command(&shown));
}

#[test]
fn the_snapshot_that_a_job_would_read_is_shown_or_why_there_is_none() {
    let dir = Dir::new();
    let text = CONFIG.replace(
        "postgres://u:hunter2@db/gitlab\"",
        "*_backup.tar\"\npick = \"newest\"",
    );
    dir.write("jobs.toml", &text);
    let shown = show(&dir, "").prints();
    assert!(
        shown.contains(
            "# cannot find a snapshot: nothing matches *_backup.tar; . holds 1 other entry\n"
        ),
        "{shown}"
    );
    dir.write("1_backup.tar", "");
    let shown = show(&dir, "").prints();
    assert!(
        command(&shown).contains("--snapshot=1_backup.tar "),
        "{shown}"
    );
}
