use super::*;
use crate::jobs::job::Percent;
use crate::jobs::volume::RelationVolume;

fn volume(relations: &[(&str, u64)]) -> Volume {
    let relations = relations.iter().map(|(name, rows)| {
        let relation = RelationVolume {
            rows: *rows,
            ..RelationVolume::default()
        };
        ((*name).to_owned(), relation)
    });
    Volume {
        relations: relations.collect(),
    }
}

fn guard(min_rows: &[(&str, u64)], max_shrink: &[(&str, &str)]) -> Guard {
    let shares = max_shrink.iter();
    Guard {
        min_rows: min_rows
            .iter()
            .map(|(name, rows)| ((*name).to_owned(), *rows))
            .collect(),
        max_shrink: shares
            .map(|(name, share)| ((*name).to_owned(), Percent::parse(share).unwrap()))
            .collect(),
    }
}

#[test]
fn a_relation_and_the_whole_export_must_have_their_rows() {
    let export = volume(&[
        ("group.labels", 5),
        ("project.labels", 4),
        ("project.issues", 1),
    ]);
    let least = |name: &str, rows| judge(&guard(&[(name, rows)], &[]), &export, None);
    for (name, rows) in [
        ("", 10),
        ("labels", 9),
        ("project.labels", 4),
        ("issues", 1),
        ("issues", 0),
    ] {
        assert_eq!(least(name, rows), [""; 0], "{name}");
    }
    assert_eq!(least("", 11), ["the export has 10 rows, fewer than 11"]);
    assert_eq!(least("labels", 10), ["labels has 9 rows, fewer than 10"]);
    assert_eq!(
        least("project.labels", 5),
        ["project.labels has 4 rows, fewer than 5"]
    );
    // One that is not there at all has none.
    assert_eq!(least("epics", 1), ["epics has 0 rows, fewer than 1"]);
}

#[test]
fn as_much_less_as_is_allowed_is_allowed_and_no_row_more() {
    let half = guard(&[], &[("", "50%")]);
    let shrinks = |before, now| {
        let (before, now) = (
            volume(&[("group.labels", before)]),
            volume(&[("group.labels", now)]),
        );
        !judge(&half, &now, Some(&before)).is_empty()
    };
    for (before, now, is_suspect) in [
        (10, 10, false),
        (10, 20, false),
        (10, 5, false),
        (10, 4, true),
        (11, 5, true),
        (0, 0, false),
        (1, 0, true),
    ] {
        assert_eq!(shrinks(before, now), is_suspect, "{before} {now}");
    }
}

#[test]
fn the_first_export_cannot_shrink() {
    let all = guard(&[], &[("", "0%"), ("labels", "0%")]);
    assert_eq!(judge(&all, &volume(&[]), None), [""; 0]);
}

#[test]
fn the_share_of_the_export_is_that_of_each_relation_with_a_hundred_rows_and_none_of_its_own() {
    let last = volume(&[
        ("group.boards", 99),
        ("group.epics", 100),
        ("group.labels", 100),
        ("project.issues", 10_000),
    ]);
    let now = volume(&[("project.issues", 10_000)]);
    let guard = guard(&[], &[("", "50%"), ("labels", "100%")]);
    assert_eq!(
        judge(&guard, &now, Some(&last)),
        ["group.epics has 0 rows, and had 100 in the last success: more than 50% fewer"]
    );
}

#[test]
fn a_relation_of_its_own_share_is_held_to_that() {
    let last = volume(&[("group.labels", 10), ("project.issues", 10)]);
    let now = volume(&[("group.labels", 9), ("project.issues", 1)]);
    let strict = guard(&[], &[("labels", "5%")]);
    assert_eq!(
        judge(&strict, &now, Some(&last)),
        ["labels has 9 rows, and had 10 in the last success: more than 5% fewer"]
    );
}

#[test]
fn names_that_nothing_has_are_told() {
    let export = volume(&[("group.labels", 1)]);
    let last = volume(&[("group.epics", 1)]);
    let guard = guard(
        &[("", 1), ("label", 0)],
        &[("labels", "1%"), ("epics", "1%"), ("project.labels", "1%")],
    );
    let names: Vec<&str> = unknown(&guard, &export, Some(&last)).into_iter().collect();
    assert_eq!(names, ["label", "project.labels"]);
}
