//! What a ledger makes of what it is told.

use std::collections::HashSet;

use super::*;
use crate::output::manifest::{OptionsEntry, PipelineEntry, ResumeEntry, SnapshotEntry, VERSION};

const AT: &str = "2026-01-01T00:00:00.000Z";
const LATER: &str = "2026-01-01T00:00:01.000Z";

fn relation(name: &str, batched: bool) -> RelationEntry {
    RelationEntry {
        relation: name.to_owned(),
        status: Status::Started,
        error: None,
        updated_at: AT.to_owned(),
        batched,
        batches_count: 0,
        total_objects_count: 0,
        rows_read: None,
        batches: batched.then(Vec::new),
        file: None,
        skipped: Vec::new(),
        skipped_count: 0,
        skipped_nested_count: 0,
        notes: Default::default(),
    }
}

fn terms() -> ResumeEntry {
    ResumeEntry {
        fingerprint: "f".to_owned(),
        named: None,
        descendants: false,
        within: false,
        more: Vec::new(),
        relations: None,
        gzip_level: 6,
        keep_going: false,
        allow_missing: false,
        no_files: false,
        gitlab_version: None,
        source_url: None,
    }
}

fn first() -> Manifest {
    Manifest {
        manifest_version: VERSION,
        generator: "relexport".to_owned(),
        status: Status::Started,
        started_at: AT.to_owned(),
        finished_at: None,
        conditional_put: None,
        job: None,
        error: None,
        snapshot: SnapshotEntry {
            kind: "plain".to_owned(),
            source: "dump.sql".to_owned(),
            server_version: None,
            gitlab_version: None,
            taken_at: None,
            lsn: None,
        },
        pipeline: PipelineEntry {
            name: "group".to_owned(),
            sha256: String::new(),
        },
        more_pipelines: Vec::new(),
        options: OptionsEntry {
            batched: true,
            batch_size: 2,
            batch_sizes: Default::default(),
            batch_bytes: None,
            edition: "ee".to_owned(),
        },
        suspect: Vec::new(),
        redaction: None,
        encrypted_for: Vec::new(),
        resume: Some(terms()),
        terms: None,
        warnings: Vec::new(),
        missing_tables: 0,
        tables_without_data: Vec::new(),
        left_out_relations: Vec::new(),
        tables_in_parts: Vec::new(),
        left_out: Vec::new(),
        metadata: None,
        timings: None,
        entities: Vec::new(),
    }
}

fn facts() -> ReadFacts {
    ReadFacts {
        entities: vec![EntityEntry {
            id: 7.into(),
            kind: "Group".to_owned(),
            full_path: "acme".to_owned(),
            prefix: "group_7".to_owned(),
            parent_id: None,
            missing_parent: None,
            relations: vec![relation("labels", true), relation("self", false)],
        }],
        server_version: Some("16.1".to_owned()),
        gitlab_version: None,
        taken_at: None,
        lsn: None,
        warnings: Vec::new(),
        tables_without_data: Vec::new(),
        left_out_relations: Vec::new(),
        tables_in_parts: Vec::new(),
        left_out: Vec::new(),
        redacted: Default::default(),
        error: None,
    }
}

/// A ledger of one group with labels in three batches, and itself.
fn begun() -> Ledger {
    let mut ledger = Ledger::new(first());
    ledger.read(facts());
    ledger.batches(0, 0, 3, 0..3, AT);
    ledger
}

/// The file of a batch of labels, by its position.
fn labels(position: usize) -> FileId {
    FileId {
        entity: 0,
        relation: 0,
        batch: BatchNumber::at(position),
        form: FileForm::Lines,
    }
}

const OWN: FileId = FileId {
    entity: 0,
    relation: 1,
    batch: None,
    form: FileForm::Object,
};

fn finish(ledger: &mut Ledger, file: FileId, objects: u64) {
    let written = FileEntry {
        file: ledger.file_name(file),
        bytes: 10,
        sha256: format!("sha of {}", ledger.file_name(file)),
    };
    let done = Done {
        objects,
        ..Done::default()
    };
    ledger.started(file, AT);
    ledger.finished(file, done, written, LATER);
}

/// Everything of it is finished.
fn finished() -> Ledger {
    let mut ledger = begun();
    for (position, objects) in [(0, 2), (1, 2), (2, 1)] {
        finish(&mut ledger, labels(position), objects);
    }
    finish(&mut ledger, OWN, 1);
    ledger
}

fn relations(ledger: &Ledger) -> &[RelationEntry] {
    &ledger.manifest().entities[0].relations
}

fn batch_statuses(ledger: &Ledger) -> Vec<BatchStatus> {
    let batches = relations(ledger)[0].batches.as_deref().unwrap();
    batches.iter().map(|batch| batch.status).collect()
}

fn names(files: &[FileEntry]) -> Vec<&str> {
    files.iter().map(|file| file.file.as_str()).collect()
}

#[test]
fn files_are_named_by_entity_relation_and_batch() {
    let ledger = begun();
    assert_eq!(
        ledger.file_name(labels(1)),
        "group_7/labels/batch_2.ndjson.gz"
    );
    assert_eq!(ledger.file_name(OWN), "group_7/self.json.gz");
}

#[test]
fn a_relation_ends_with_its_last_batch() {
    use BatchStatus::{Created, Finished, Started};
    let mut ledger = begun();
    assert_eq!(batch_statuses(&ledger), [Created; 3]);
    ledger.started(labels(0), LATER);
    assert_eq!(batch_statuses(&ledger), [Started, Created, Created]);
    for position in 0..3 {
        assert_eq!(relations(&ledger)[0].status, Status::Started);
        finish(&mut ledger, labels(position), 2);
    }
    let labels = &relations(&ledger)[0];
    assert_eq!(batch_statuses(&ledger), [Finished; 3]);
    assert_eq!(labels.status, Status::Finished);
    assert_eq!((labels.batches_count, labels.total_objects_count), (3, 6));
    assert_eq!(labels.updated_at, LATER);
}

#[test]
fn a_batch_that_fails_fails_its_relation_when_the_others_have_ended() {
    let mut ledger = begun();
    ledger.failed(labels(1), "bad row".to_owned(), LATER);
    assert_eq!(relations(&ledger)[0].status, Status::Started);
    finish(&mut ledger, labels(0), 2);
    finish(&mut ledger, labels(2), 1);
    let entry = &relations(&ledger)[0];
    assert_eq!(entry.status, Status::Failed);
    assert_eq!(entry.error.as_deref(), Some("bad row"));
    assert_eq!(entry.total_objects_count, 3);
    assert_eq!(entry.files().count(), 2);
}

#[test]
fn everything_finished_is_a_finished_export_that_needs_no_terms_to_go_on() {
    let mut ledger = finished();
    ledger.all_said();
    ledger.close(None, LATER);
    let manifest = ledger.manifest();
    assert_eq!(manifest.status, Status::Finished);
    assert_eq!(manifest.finished_at.as_deref(), Some(LATER));
    assert_eq!(manifest.resume, None);
}

#[test]
fn what_has_not_ended_has_failed_when_the_run_is_over() {
    let mut ledger = begun();
    finish(&mut ledger, labels(0), 2);
    ledger.started(labels(1), AT);
    ledger.close(None, LATER);
    let manifest = ledger.manifest();
    assert_eq!(
        (manifest.status, &manifest.finished_at),
        (Status::Failed, &None)
    );
    assert_eq!(manifest.resume, Some(terms()));
    let entries = relations(&ledger);
    assert_eq!(
        batch_statuses(&ledger),
        [
            BatchStatus::Finished,
            BatchStatus::Failed,
            BatchStatus::Failed
        ]
    );
    let early = Some("the export ended before this relation");
    for entry in entries {
        assert_eq!(
            (entry.status, entry.error.as_deref()),
            (Status::Failed, early)
        );
    }
    // Said to the end, but a relation is missing: it ended, with a failure.
    ledger.all_said();
    ledger.close(None, LATER);
    let manifest = ledger.manifest();
    assert_eq!(manifest.status, Status::Failed);
    assert_eq!(manifest.finished_at.as_deref(), Some(LATER));
}

#[test]
fn an_export_that_is_doubtful_as_a_whole_or_of_nothing_is_not_finished() {
    type Change = fn(&mut Ledger);
    let cases: [(&str, Change); 3] = [
        ("an error", |ledger| ledger.condemn("cut off".to_owned())),
        ("files that have changed", Ledger::doubt),
        ("no entity", |ledger| {
            ledger.read(ReadFacts {
                entities: Vec::new(),
                ..facts()
            });
        }),
    ];
    for (name, change) in cases {
        let mut ledger = finished();
        ledger.all_said();
        change(&mut ledger);
        ledger.close(None, LATER);
        assert_eq!(ledger.manifest().status, Status::Failed, "{name}");
        assert_eq!(ledger.manifest().resume, Some(terms()), "{name}");
    }
}

#[test]
fn a_last_manifest_that_may_not_last_is_taken_back_with_the_terms_to_go_on() {
    let mut ledger = finished();
    ledger.all_said();
    ledger.close(None, LATER);
    ledger.take_back();
    let manifest = ledger.manifest();
    assert_eq!(
        (manifest.status, &manifest.finished_at),
        (Status::Failed, &None)
    );
    assert_eq!(manifest.resume, Some(terms()));
}

#[test]
fn files_are_given_up_from_the_last_one_on() {
    let mut ledger = finished();
    ledger.begin_to_give_up();
    assert_eq!(names(&ledger.give_up(1)), ["group_7/self.json.gz"]);
    assert_eq!(
        names(&ledger.give_up(2)),
        [
            "group_7/labels/batch_3.ndjson.gz",
            "group_7/labels/batch_2.ndjson.gz"
        ]
    );
    assert_eq!(relations(&ledger)[0].total_objects_count, 2);
    assert_eq!(relations(&ledger)[1].total_objects_count, 0);
    ledger.close(None, LATER);
    assert_eq!(relations(&ledger)[0].status, Status::Failed);
    assert_eq!(
        names(&ledger.give_up(4)),
        ["group_7/labels/batch_1.ndjson.gz"]
    );
    assert_eq!(ledger.finished_files().count(), 0);
    assert_eq!(ledger.manifest().resume, Some(terms()));
}

/// The ledger of a run that goes on with `earlier`, where these files are whole.
fn gone_on(earlier: &Ledger, is_whole: impl Fn(&str) -> bool) -> Ledger {
    let mut ledger = Ledger::go_on(first(), earlier.manifest().clone());
    let claimed = ledger.claimed_files().cloned();
    let whole: HashSet<FileEntry> = claimed.filter(|file| is_whole(&file.file)).collect();
    ledger.keep(&whole);
    ledger
}

#[test]
fn what_is_there_as_it_was_is_kept_and_the_rest_is_taken_back() {
    let earlier = finished();
    let ledger = gone_on(&earlier, |_| true);
    assert_eq!(ledger.manifest().entities, earlier.manifest().entities);
    let mut ledger = gone_on(&earlier, |name| name.contains("batch_1."));
    let entries = relations(&ledger);
    assert_eq!(
        (entries[0].status, entries[0].total_objects_count),
        (Status::Started, 2)
    );
    assert_eq!(
        (entries[1].status, &entries[1].file),
        (Status::Started, &None)
    );
    // Cut again, the batch that is kept stays in its place.
    ledger.batches(0, 0, 3, 0..3, LATER);
    assert_eq!(
        batch_statuses(&ledger),
        [
            BatchStatus::Finished,
            BatchStatus::Created,
            BatchStatus::Created
        ]
    );
}

#[test]
fn batches_of_a_relation_that_lacks_rows_are_all_made_again() {
    let mut earlier = begun();
    finish(&mut earlier, labels(0), 2);
    let skipped = Done {
        objects: 1,
        skipped_count: 1,
        ..Done::default()
    };
    let written = FileEntry {
        file: earlier.file_name(labels(1)),
        bytes: 1,
        sha256: String::new(),
    };
    earlier.finished(labels(1), skipped, written, AT);
    let ledger = gone_on(&earlier, |_| true);
    let entry = &relations(&ledger)[0];
    assert_eq!(entry.batches, Some(Vec::new()));
    assert_eq!((entry.total_objects_count, entry.skipped_count), (0, 0));
}

#[test]
fn names_that_lead_elsewhere_are_not_looked_at() {
    let mut manifest = finished().into_manifest();
    let own = &mut manifest.entities[0].relations[1];
    own.file.as_mut().unwrap().file = "../self.json.gz".to_owned();
    let mut elsewhere = manifest.entities[0].clone();
    elsewhere.prefix = "../group_7".to_owned();
    manifest.entities.push(elsewhere);
    let ledger = gone_on(&Ledger::new(manifest), |_| true);
    assert_eq!(ledger.folders(), ["group_7"]);
    assert_eq!(relations(&ledger)[1].status, Status::Started);
}

#[test]
fn what_is_kept_is_found_in_the_entries_of_the_next_run() {
    let earlier = gone_on(&finished(), |name| !name.contains("batch_2."));
    let earlier = earlier.into_manifest().entities;
    let mut entities = facts().entities;
    let kept = unite(&mut entities, earlier.clone(), |_, _| false);
    let expected = [
        (0, 0, BatchNumber::at(0)),
        (0, 0, BatchNumber::at(2)),
        (0, 1, None),
    ];
    assert_eq!(kept, HashSet::from(expected));
    assert_eq!(entities, earlier);
    let mut entities = facts().entities;
    let kept = unite(&mut entities, earlier, |_, relation| relation == 0);
    assert_eq!(kept, HashSet::from([(0, 1, None)]));
    assert_eq!(entities[0].relations[0], relation("labels", true));
}
