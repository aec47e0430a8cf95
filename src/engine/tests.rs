//! What each engine sets, as its documentation says it, and what follows from it.

use std::collections::BTreeMap;

use super::*;
use crate::failure::{Cause, Failure, Policy};

/// The index by variables of the form `A=1 B=2`.
fn index(kind: IndexFrom, variables: &str) -> Result<Index, EngineError> {
    let set: BTreeMap<&str, &str> = variables
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .collect();
    index_from(kind, &|name| set.get(name).map(|value| (*value).to_owned()))
}

/// The message of an error that ends the run as wrong usage.
fn refused(result: Result<Index, EngineError>) -> String {
    let error = result.expect_err("an index");
    assert_eq!(error.policy(), Policy::EndRun(Cause::Request));
    error.to_string()
}

fn range(numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers.collect()
}

#[test]
fn each_engine_says_its_number_in_its_own_way() {
    // Kind, variables, index from 0, workers, what is said of it.
    let cases: [(IndexFrom, &str, u64, Option<u64>, &str); 14] = [
        (
            IndexFrom::Kubernetes,
            "JOB_COMPLETION_INDEX=0",
            0,
            None,
            "JOB_COMPLETION_INDEX=0",
        ),
        (
            IndexFrom::Kubernetes,
            "JOB_COMPLETION_INDEX=39 HOSTNAME=x",
            39,
            None,
            "JOB_COMPLETION_INDEX=39",
        ),
        (
            IndexFrom::Slurm,
            "SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=39 SLURM_ARRAY_TASK_STEP=1 SLURM_ARRAY_TASK_COUNT=40",
            7,
            Some(40),
            "SLURM_ARRAY_TASK_ID=7",
        ),
        (
            IndexFrom::HyperQueue,
            "HQ_TASK_ID=19 HQ_INSTANCE_ID=1 HQ_JOB_ID=3",
            19,
            None,
            "HQ_TASK_ID=19",
        ),
        (
            IndexFrom::GitlabCi,
            "CI_NODE_INDEX=1 CI_NODE_TOTAL=8",
            0,
            Some(8),
            "CI_NODE_INDEX=1",
        ),
        (
            IndexFrom::GitlabCi,
            "CI_NODE_INDEX=8 CI_NODE_TOTAL=8",
            7,
            Some(8),
            "CI_NODE_INDEX=8",
        ),
        (
            IndexFrom::AwsBatch,
            "AWS_BATCH_JOB_ARRAY_INDEX=0 AWS_BATCH_JOB_ARRAY_SIZE=2",
            0,
            Some(2),
            "AWS_BATCH_JOB_ARRAY_INDEX=0",
        ),
        (
            IndexFrom::AwsBatch,
            "AWS_BATCH_JOB_ARRAY_INDEX=9999 AWS_BATCH_JOB_ARRAY_SIZE=10000",
            9999,
            Some(10000),
            "AWS_BATCH_JOB_ARRAY_INDEX=9999",
        ),
        (
            IndexFrom::GoogleBatch,
            "BATCH_TASK_INDEX=3 BATCH_TASK_COUNT=4",
            3,
            Some(4),
            "BATCH_TASK_INDEX=3",
        ),
        (
            IndexFrom::CloudRun,
            "CLOUD_RUN_TASK_INDEX=0 CLOUD_RUN_TASK_COUNT=1 CLOUD_RUN_TASK_ATTEMPT=2",
            0,
            Some(1),
            "CLOUD_RUN_TASK_INDEX=0",
        ),
        (
            IndexFrom::Nomad,
            "NOMAD_ALLOC_INDEX=4",
            4,
            None,
            "NOMAD_ALLOC_INDEX=4",
        ),
        (
            IndexFrom::Parallel,
            "PARALLEL_SEQ=1",
            0,
            None,
            "PARALLEL_SEQ=1",
        ),
        (
            IndexFrom::Parallel,
            "PARALLEL_SEQ=40 PARALLEL_PID=77",
            39,
            None,
            "PARALLEL_SEQ=40",
        ),
        (
            IndexFrom::Kubernetes,
            "JOB_COMPLETION_INDEX=007",
            7,
            None,
            "JOB_COMPLETION_INDEX=7",
        ),
    ];
    for (kind, variables, number, total, said) in cases {
        let expected = Index {
            index: number,
            total,
            said: said.to_owned(),
        };
        assert_eq!(index(kind, variables).unwrap(), expected, "{variables}");
        let alone = index(IndexFrom::Auto, variables).unwrap();
        assert_eq!(alone, expected, "{variables}, by auto");
    }
}

#[test]
fn only_a_slurm_array_that_begins_with_0_and_has_no_gaps_says_how_many_workers_there_are() {
    // The array as the user writes it, an element of it, its least, its greatest and how many; workers, tasks of 40.
    type Case = (&'static str, [u64; 4], Option<u64>, Vec<u64>);
    let cases: [Case; 10] = [
        ("0-39", [39, 0, 39, 40], Some(40), vec![39]),
        ("0-39%4", [0, 0, 39, 40], Some(40), vec![0]),
        ("0-9", [3, 0, 9, 10], Some(10), vec![3, 13, 23, 33]),
        ("0", [0, 0, 0, 1], Some(1), range(0..40)),
        ("3,7,19-22", [19, 3, 22, 6], None, vec![19]),
        ("7", [7, 7, 7, 1], None, vec![7]),
        ("0,7,19-22", [7, 0, 22, 6], None, vec![7]),
        ("0-38:2", [38, 0, 38, 20], None, vec![38]),
        ("1-40", [40, 1, 40, 40], None, vec![]),
        ("0-99", [40, 0, 99, 100], Some(100), vec![]),
    ];
    for (array, [id, first, last, count], total, tasks) in cases {
        let variables = format!(
            "SLURM_ARRAY_TASK_ID={id} SLURM_ARRAY_TASK_MIN={first} SLURM_ARRAY_TASK_MAX={last} SLURM_ARRAY_TASK_COUNT={count}"
        );
        let found = index(IndexFrom::Slurm, &variables).unwrap();
        assert_eq!((found.index, found.total), (id, total), "--array={array}");
        assert_eq!(tasks_of(&found, 40), tasks, "--array={array}");
    }
    // Whatever else is not there: the number is the task's.
    for variables in [
        "SLURM_ARRAY_TASK_ID=2",
        "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=3",
        "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=2",
        "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_MAX=2 SLURM_ARRAY_TASK_COUNT=3",
    ] {
        let found = index(IndexFrom::Slurm, variables).unwrap();
        assert_eq!(found.total, None, "{variables}");
        assert_eq!(tasks_of(&found, 40), [2], "{variables}");
    }
}

#[test]
fn every_task_is_done_by_exactly_one_worker() {
    for (workers, tasks) in [
        (1, 1),
        (1, 5),
        (2, 5),
        (3, 40),
        (40, 40),
        (41, 40),
        (7, 0),
        (5, 4),
    ] {
        let mut done: Vec<u64> = (0..workers)
            .flat_map(|number| {
                let worker = Index::given(number, Some(workers), 0).unwrap();
                let mine = tasks_of(&worker, tasks);
                assert!(mine.is_sorted(), "{workers} workers, {tasks} tasks");
                mine
            })
            .collect();
        done.sort_unstable();
        assert_eq!(done, range(0..tasks), "{workers} workers, {tasks} tasks");
    }
}

#[test]
fn a_share_is_counted_in_steps_of_the_number_of_workers() {
    let cases: [(u64, Option<u64>, u64, Vec<u64>); 9] = [
        (0, Some(3), 8, vec![0, 3, 6]),
        (1, Some(3), 8, vec![1, 4, 7]),
        (2, Some(3), 8, vec![2, 5]),
        (2, Some(8), 8, vec![2]),
        (8, Some(9), 8, vec![]),
        (7, None, 8, vec![7]),
        (8, None, 8, vec![]),
        (0, None, 0, vec![]),
        (
            u64::MAX - 2,
            Some(u64::MAX - 1),
            u64::MAX,
            vec![u64::MAX - 2],
        ),
    ];
    for (number, total, tasks, expected) in cases {
        let worker = Index::given(number, total, 0).unwrap();
        assert_eq!(
            tasks_of(&worker, tasks),
            expected,
            "{worker:?} of {tasks} tasks"
        );
    }
}

#[test]
fn wrong_values_are_refused_by_the_name_of_their_variable() {
    // Kind, variables, what the message says.
    let cases: [(IndexFrom, &str, &str); 22] = [
        (
            IndexFrom::Kubernetes,
            "JOB_COMPLETION_INDEX=",
            "JOB_COMPLETION_INDEX holds no whole number",
        ),
        (
            IndexFrom::Kubernetes,
            "JOB_COMPLETION_INDEX=-1",
            "JOB_COMPLETION_INDEX holds no whole number",
        ),
        (
            IndexFrom::Kubernetes,
            "JOB_COMPLETION_INDEX=+1",
            "JOB_COMPLETION_INDEX holds no whole number",
        ),
        (
            IndexFrom::Kubernetes,
            "JOB_COMPLETION_INDEX=1.0",
            "JOB_COMPLETION_INDEX holds no whole number",
        ),
        (
            IndexFrom::HyperQueue,
            "HQ_TASK_ID=seven",
            "HQ_TASK_ID holds no whole number",
        ),
        (
            IndexFrom::Nomad,
            "NOMAD_ALLOC_INDEX=18446744073709551616",
            "NOMAD_ALLOC_INDEX holds no whole number",
        ),
        (
            IndexFrom::GitlabCi,
            "CI_NODE_INDEX=0 CI_NODE_TOTAL=8",
            "CI_NODE_INDEX=0 is below the first number, which is 1",
        ),
        (
            IndexFrom::GitlabCi,
            "CI_NODE_INDEX=9 CI_NODE_TOTAL=8",
            "CI_NODE_INDEX=9 lies beyond the number of workers",
        ),
        (
            IndexFrom::GitlabCi,
            "CI_NODE_INDEX=1 CI_NODE_TOTAL=0",
            "CI_NODE_INDEX=1 is one of no workers",
        ),
        (
            IndexFrom::GitlabCi,
            "CI_NODE_INDEX=1 CI_NODE_TOTAL=all",
            "CI_NODE_TOTAL holds no whole number",
        ),
        (
            IndexFrom::GitlabCi,
            "CI_NODE_INDEX=1",
            "CI_NODE_TOTAL is not set",
        ),
        (
            IndexFrom::GitlabCi,
            "CI_NODE_TOTAL=1",
            "CI_NODE_INDEX is not set",
        ),
        (
            IndexFrom::AwsBatch,
            "AWS_BATCH_JOB_ARRAY_SIZE=3 AWS_BATCH_JOB_ID=x",
            "AWS_BATCH_JOB_ARRAY_INDEX is not set",
        ),
        (
            IndexFrom::AwsBatch,
            "AWS_BATCH_JOB_ARRAY_INDEX=3 AWS_BATCH_JOB_ARRAY_SIZE=3",
            "AWS_BATCH_JOB_ARRAY_INDEX=3 lies beyond",
        ),
        (
            IndexFrom::GoogleBatch,
            "BATCH_TASK_INDEX=4 BATCH_TASK_COUNT=4",
            "BATCH_TASK_INDEX=4 lies beyond",
        ),
        (
            IndexFrom::CloudRun,
            "CLOUD_RUN_TASK_INDEX=2 CLOUD_RUN_TASK_COUNT=1",
            "CLOUD_RUN_TASK_INDEX=2 lies beyond",
        ),
        (
            IndexFrom::Parallel,
            "PARALLEL_SEQ=0",
            "PARALLEL_SEQ=0 is below the first number, which is 1",
        ),
        (
            IndexFrom::Parallel,
            "PARALLEL_JOBSLOT=1",
            "PARALLEL_SEQ is not set",
        ),
        (
            IndexFrom::Slurm,
            "SLURM_ARRAY_TASK_ID=4294967294 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=39 SLURM_ARRAY_TASK_COUNT=40",
            "SLURM_ARRAY_TASK_ID=4294967294 lies outside of SLURM_ARRAY_TASK_MIN and SLURM_ARRAY_TASK_MAX",
        ),
        (
            IndexFrom::Slurm,
            "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_MAX=39 SLURM_ARRAY_TASK_COUNT=37",
            "SLURM_ARRAY_TASK_ID=2 lies outside",
        ),
        (
            IndexFrom::Slurm,
            "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=many",
            "SLURM_ARRAY_TASK_COUNT holds no whole number",
        ),
        (
            IndexFrom::Slurm,
            "SLURM_JOB_ID=99",
            "SLURM_ARRAY_TASK_ID is not set, in which slurm says so\n  start it as an array (sbatch --array=0-39), or name the task by --task N",
        ),
    ];
    for (kind, variables, expected) in cases {
        let message = refused(index(kind, variables));
        assert!(message.contains(expected), "{variables}: {message}");
        assert!(
            message.starts_with("cannot tell which task this worker is to do: "),
            "{message}"
        );
    }
}

#[test]
fn a_value_that_is_no_number_is_not_repeated() {
    let message = refused(index(
        IndexFrom::HyperQueue,
        "HQ_TASK_ID=s3cr3t HQ_ACCESS_KEY=k3y",
    ));
    assert!(
        !message.contains("s3cr3t") && !message.contains("k3y"),
        "{message}"
    );
}

#[test]
fn any_engine_is_the_one_that_alone_says_something() {
    let none = refused(index(IndexFrom::Auto, "HOME=/root CI_NODE_TOTAL=1"));
    for name in [
        "JOB_COMPLETION_INDEX",
        "SLURM_ARRAY_TASK_ID",
        "HQ_TASK_ID",
        "CI_NODE_INDEX",
        "AWS_BATCH_JOB_ARRAY_INDEX",
        "BATCH_TASK_INDEX",
        "CLOUD_RUN_TASK_INDEX",
        "NOMAD_ALLOC_INDEX",
        "PARALLEL_SEQ",
    ] {
        assert!(none.contains(name), "{none}");
    }

    // HyperQueue's workers run inside of Slurm jobs.
    let both = refused(index(
        IndexFrom::Auto,
        "HQ_TASK_ID=3 SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=3 SLURM_ARRAY_TASK_COUNT=4",
    ));
    assert_eq!(
        both,
        "cannot tell which task this worker is to do: SLURM_ARRAY_TASK_ID and HQ_TASK_ID are set, by more than one engine\n  \
         say which one counts: --index-from slurm or --index-from hyperqueue"
    );

    // One whose value is wrong is set all the same.
    let wrong = refused(index(
        IndexFrom::Auto,
        "PARALLEL_SEQ=1 JOB_COMPLETION_INDEX=",
    ));
    assert!(
        wrong.contains("JOB_COMPLETION_INDEX and PARALLEL_SEQ are set"),
        "{wrong}"
    );
}

#[test]
fn an_index_that_is_given_counts_from_its_base() {
    let cases: [(u64, Option<u64>, u64, u64, &str); 4] = [
        (0, Some(4), 0, 0, "--index 0 --of 4"),
        (4, Some(4), 1, 3, "--index 4 --of 4"),
        (12, None, 0, 12, "--index 12"),
        (12, None, 1, 11, "--index 12"),
    ];
    for (number, total, base, expected, said) in cases {
        let given = Index::given(number, total, base).unwrap();
        assert_eq!(
            (given.index, given.total, &*given.said),
            (expected, total, said)
        );
    }
    for (number, total, base, why) in [
        (
            0,
            Some(4),
            1,
            "--index 0 is below the first number, which is 1",
        ),
        (4, Some(4), 0, "--index 4 lies beyond the number of workers"),
        (5, Some(4), 1, "--index 5 lies beyond the number of workers"),
        (0, Some(0), 0, "--index 0 is one of no workers"),
    ] {
        let message = refused(Index::given(number, total, base));
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn missing_tasks_are_listed_as_an_engine_takes_them() {
    let cases: [(&[u64], &str, &str); 8] = [
        (&[], "", ""),
        (&[5], "5", "5"),
        (&[3, 7, 19, 20, 21, 22], "3,7,19-22", "3\n7\n19\n20\n21\n22"),
        (&[0, 1], "0-1", "0\n1"),
        (
            &[22, 3, 21, 7, 20, 19, 3],
            "3,7,19-22",
            "3\n7\n19\n20\n21\n22",
        ),
        (&[0, 1, 2, 4, 5, 9], "0-2,4-5,9", "0\n1\n2\n4\n5\n9"),
        (&[9, 10, 99, 100], "9-10,99-100", "9\n10\n99\n100"),
        (
            &[u64::MAX, 0, u64::MAX - 1],
            "0,18446744073709551614-18446744073709551615",
            "0\n18446744073709551614\n18446744073709551615",
        ),
    ];
    for (missing, ranges, lines) in cases {
        for form in ListAs::ALL {
            let expected = if form == ListAs::Parallel {
                lines
            } else {
                ranges
            };
            assert_eq!(listed(missing, form), expected, "{missing:?} as {form:?}");
        }
    }
}

#[test]
fn names_are_those_of_the_command_line() {
    let names = IndexFrom::ALL.map(IndexFrom::name);
    assert_eq!(
        names.join(" "),
        "kubernetes slurm hyperqueue gitlab-ci aws-batch google-batch cloud-run nomad parallel auto"
    );
    for (name, kind) in names.into_iter().zip(IndexFrom::ALL) {
        assert_eq!(name.parse::<IndexFrom>().unwrap(), kind);
    }
    let forms = ListAs::ALL.map(ListAs::name);
    assert_eq!(
        forms.join(" "),
        "list slurm hyperqueue parallel kubernetes gitlab-ci"
    );
    for (name, form) in forms.into_iter().zip(ListAs::ALL) {
        assert_eq!(name.parse::<ListAs>().unwrap(), form);
    }
    let unknown = "lsf".parse::<IndexFrom>().unwrap_err().to_string();
    assert!(unknown.contains("slurm, hyperqueue"), "{unknown}");
    let unknown = "lsf".parse::<ListAs>().unwrap_err().to_string();
    assert!(unknown.contains("list, slurm"), "{unknown}");
}
