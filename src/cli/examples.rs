//! What stands at the end of the long help texts: examples, and the exit status.

use super::exit::exit_status;

/// Joins examples, a line each, with the exit status, which `--help` always ends with.
macro_rules! with_status {
    ($($line:literal)*) => {
        concat!(
            "Examples:\n",
            $("  ", $line, "\n",)*
            "\n",
            "Environment:\n",
            "  RELEXPORT_OPTION_NAME is --option-name of every command, if the command line does not give it:\n",
            "  true or false for one without a value, and commas between several values\n",
            "\n",
            exit_status!(),
        )
    };
}

pub(crate) const ALL: &str = with_status!(
    "relexport groups --snapshot backup.tar --tree"
    "relexport export --snapshot backup.tar --group acme/platform --out platform --batched"
    "relexport verify platform"
);

pub(crate) const EXPORT: &str = with_status!(
    "A group with its subgroups and their projects, from a GitLab backup:"
    "  relexport export -s 1700000000_gitlab_backup.tar -g acme --subgroups --with-projects -o acme"
    "All groups below one, and all projects of a name in them:"
    "  relexport export -s dump.sql.gz -g 'acme/**' --project 'acme/**/app' -o acme"
    "One project, in batches:"
    "  relexport export -s dump.sql.gz --project acme/app -o app --batched"
    "Two relations of a group, from a dump that comes through a pipe:"
    "  ssh db pg_dump gitlab | relexport export -s - -g 4351 -o out --relation labels --relation epics"
    "What would be written, and how much of it:"
    "  relexport export -s dump.sql.zst -g 4351 --dry-run"
    "To a bucket, with credentials from the environment (AWS_ACCESS_KEY_ID and others):"
    "  relexport export -s dump.sql.gz -g acme -o s3://backups/gitlab"
);

pub(crate) const PLAN: &str = with_status!(
    "Every group of an instance, by 200 tasks:"
    "  relexport plan -s dump.dir --all-groups --with-projects --batched --out s3://exports/all --tasks 200"
    "A dump that can only be read from its beginning, by way of snapshots that tasks read in part:"
    "  relexport plan -s dump.sql.gz -g 'acme/**' --out /srv/acme --tasks 40 --stage /srv/stage"
    "How far it is:"
    "  relexport plan status --plan s3://exports/all"
);

pub(crate) const WORK: &str = with_status!(
    "One task:"
    "  relexport work --plan /srv/acme --task 7"
    "The tasks that an engine gives this worker:"
    "  relexport work --plan s3://exports/all --index-from kubernetes"
    "Every fourth task, on four machines of no engine:"
    "  relexport work --plan /srv/acme --index 0 --of 4"
);

pub(crate) const COMMIT: &str = with_status!(
    "relexport commit --plan /srv/acme"
    "What is missing, for sbatch:"
    "  sbatch --array=$(relexport plan status --plan /srv/acme --missing --as slurm) work.sh"
);

pub(crate) const BENCH: &str = with_status!(
    "Which batch size suits a group, with a page to look at:"
    "  relexport bench -s dump.sql.zst -g acme/platform --out bench && xdg-open bench/bench.html"
    "Threads and gzip levels, two relations only:"
    "  relexport bench -s dump.sql.gz -g 4351 --batch-sizes 1000 --threads 1,2,4 --gzip-levels 1,3,6 --relations epics,labels"
    "Whole exports rather than the writing of rows that were found once:"
    "  relexport bench -s dump.sql.gz -g 4351 --from snapshot --runs 3"
);

pub(crate) const BENCH_COMPARE: &str = with_status!(
    "relexport bench compare before/bench.json after/bench.json"
    "relexport bench compare before/bench.json after/bench.json --fail-if-slower 5"
);

pub(crate) const GROUPS: &str = with_status!(
    "relexport groups -s dump.sql.gz --tree"
    "relexport groups -s backup.tar --projects"
    "relexport groups -s backup.tar --json | jq -r '.[].full_path'"
);

pub(crate) const INSPECT: &str = with_status!(
    "relexport inspect -s backup.tar"
    "relexport inspect -s postgres://reader@replica/gitlabhq_production"
    "relexport inspect -s csv-folder --json | jq '.tables[] | select(.rows > 1000000)'"
);

pub(crate) const STATUS: &str = with_status!(
    "relexport status out"
    "relexport status out --relation epics --json"
    "relexport status out --group acme/platform"
);

pub(crate) const VERIFY: &str = with_status!(
    "relexport verify out"
    "relexport verify out --json | jq -r '.problems[].file'"
    "Whether the files hold what the snapshot holds, row by row:"
    "  relexport verify out --against backup.tar"
    "  relexport verify out --against backup.tar --json | jq '.against.differences[]'"
);

pub(crate) const DIFF: &str = with_status!(
    "What changed since last night, by relation and key:"
    "  relexport diff exports/2026-11-21 exports/2026-11-22"
    "The titles of labels before and after:"
    "  relexport diff before after --relation labels --values"
    "For a program:"
    "  relexport diff s3://nightly/a s3://nightly/b --json | jq '.relations[] | select(.changed > 0)'"
);

pub(crate) const DOCTOR: &str = with_status!(
    "All jobs of the configuration:"
    "  relexport doctor"
    "A snapshot and a place for exports, before there is a configuration:"
    "  relexport doctor -s backup.tar -o /var/backups/gitlab"
    "What is wrong, for a program:"
    "  relexport doctor --json | jq -r '.findings[] | select(.level == \"problem\") | .message'"
);

pub(crate) const FORGET: &str = with_status!(
    "What a week of nights, a month of weeks and a year of months would leave:"
    "  relexport forget --dry-run exports --keep-daily 7 --keep-weekly 4 --keep-monthly 12"
    "The same whatever nights are missing, and all of the last two days:"
    "  relexport forget --dry-run exports --keep-within 2d --keep-within-daily 7d"
    "Below a prefix of a bucket:"
    "  relexport forget --dry-run s3://nightly/gitlab/acme --keep-last 7"
);

pub(crate) const SERVE: &str = with_status!(
    "relexport serve -s backup.tar --data exports"
    "curl --request POST 'http://127.0.0.1:8080/api/v4/groups/acme%2Fplatform/export_relations'"
    "Everything of a group, before anyone asks:"
    "  relexport serve -s backup.tar --data exports --prepare acme"
    "For a direct transfer from another machine:"
    "  relexport token new --token-file tokens --name migration > token"
    "  relexport serve -s backup.tar --data exports --listen 0.0.0.0:8443 --token-file tokens --tls-cert c.pem --tls-key k.pem"
);

pub(crate) const TOKEN_NEW: &str = with_status!(
    "relexport token new --token-file tokens --name migration --expires 2027-01-31"
    "relexport token new --token-file tokens --name auditors --groups acme/platform,7001 --read-only"
);

pub(crate) const SNAPSHOT_TAKE: &str = with_status!(
    "What exports need of a replica, and then exports without it:"
    "  relexport snapshot take --from postgres://reader@replica/gitlabhq_production --out monday"
    "  relexport export -s monday -g acme/platform -o platform"
    "The rows of one group and its subgroups:"
    "  relexport snapshot take --from postgres://reader@replica/gitlabhq_production -g acme --subgroups -o acme"
);

pub(crate) const SNAPSHOT_HOLD: &str = with_status!(
    "An instant for several exports, held in the background:"
    "  relexport snapshot hold --from postgres://reader@replica/gitlabhq_production --id-file instant &"
    "  until [ -s instant ]; do sleep 1; done"
    "  relexport export -s postgres://reader@replica/gitlabhq_production --pg-snapshot \"$(cat instant)\" -g acme -o acme"
    "  kill %1"
);

pub(crate) const SNAPSHOT_VERIFY: &str = with_status!(
    "relexport snapshot verify monday"
    "relexport snapshot verify monday --json | jq -r '.problems[].file'"
);

pub(crate) const PIPELINE_INIT: &str = with_status!(
    "relexport pipeline init -s dump.sql.gz --entity customers --out customers.yml"
    "relexport pipeline init -s postgres://reader@replica/shop --entity app.customers --kind Customer"
);

pub(crate) const PIPELINE_SHOW: &str = with_status!(
    "relexport pipeline show > group.yml"
    "relexport pipeline show project > project.yml"
);

pub(crate) const PIPELINE_CHECK: &str = with_status!(
    "relexport pipeline show > mine.yml"
    "relexport pipeline check mine.yml --snapshot dump.sql.gz"
    "What of the built-in pipelines a snapshot does not have:"
    "  relexport pipeline check --snapshot dump.sql.gz"
);

pub(crate) const CONFIG_INIT: &str = with_status!(
    "relexport config init"
    "relexport config init /etc/relexport/relexport.toml"
);

pub(crate) const CONFIG_CHECK: &str = with_status!(
    "relexport config check"
    "relexport config check --config nightly.toml --json | jq -r '.mistakes[].message'"
);

pub(crate) const CONFIG_SHOW: &str = with_status!(
    "relexport config show nightly"
    "relexport config show nightly --config nightly.toml --group acme"
);

pub(crate) const CONFIG_SCHEMA: &str =
    with_status!("relexport config schema > /etc/relexport/relexport.schema.json");

pub(crate) const RUN: &str = with_status!(
    "All jobs, as a timer does it every night:"
    "  relexport run"
    "One job, with another configuration, and what would be done:"
    "  relexport run acme --config nightly.toml --dry-run"
    "There are fewer rows than last night, for a good reason:"
    "  relexport run acme --no-guard"
    "For programs:"
    "  relexport run --json | jq 'select(.message_type == \"job_summary\")'"
);

pub(crate) const JOBS: &str = with_status!(
    "relexport jobs"
    "relexport jobs acme --last 30"
    "As a check, once a week:"
    "  relexport jobs --stale-after 168h || echo missing"
);

pub(crate) const REDACT_INIT: &str = with_status!(
    "relexport redact init -s b.tar --out r.yml"
    "openssl rand -hex 32 > key && chmod 600 key"
    "relexport export -s b.tar -g acme --with-projects -o out --redact r.yml --redact-key-file key"
);

pub(crate) const COMPLETIONS: &str = with_status!(
    "relexport completions bash > ~/.local/share/bash-completion/completions/relexport"
    "relexport completions zsh > ~/.zfunc/_relexport"
    "relexport completions fish > ~/.config/fish/completions/relexport.fish"
);

pub(crate) const MAN: &str = with_status!(
    "relexport man | man -l -"
    "relexport man ~/.local/share/man/man1"
);
