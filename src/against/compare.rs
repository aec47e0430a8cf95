//! Relations of an export, held against the rows of the snapshot.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::key::rank_among_equal;
use crate::output::encryption::Identities;
use crate::output::{Contents, FileEntry, RelationEntry, Status, each_line};
use crate::pipeline::Form;

use super::count::{Counter, LeftOut};
use super::record::Details;
use super::report::{Difference, Kind, RelationReport, Report};
use super::rows::{Entity, Laid};
use super::spots::{MadeOf, Relation};
use crate::json_text::{self as json, Object};
use crate::salt::{Salt, Sum};

/// Differences that are described; the others are counted.
const DESCRIBED: usize = 100;

/// Lines and rows without a key that are held against each other, to say which columns differ.
const PAIRED: usize = 20;

/// The files of an export.
pub(super) struct Files<'f> {
    pub(super) store: &'f dyn Contents,
    pub(super) identities: Option<&'f Identities>,
    pub(super) read: &'f AtomicU64,
}

impl Files<'_> {
    /// Hands out the lines of a file, each with its number.
    fn lines(&self, file: &FileEntry, take: &mut dyn FnMut(u64, &str)) -> io::Result<()> {
        each_line(self.store, &file.file, self.identities, take)?;
        self.read.fetch_add(file.bytes, Ordering::Relaxed);
        Ok(())
    }
}

/// Compares one relation of an entity after the other.
pub(super) struct Comparer<'c> {
    pub(super) laid: &'c Laid<'c>,
    pub(super) salt: Salt,
    pub(super) files: &'c Files<'c>,
    pub(super) report: &'c mut Report,
}

/// A record that there has to be.
struct Expected {
    row: u32,
    total: Sum,
    seen: bool,
}

impl Comparer<'_> {
    /// Compares all relations of an entity.
    pub(super) fn entity(&mut self, entity: &Entity<'_>) {
        for relation in &entity.entry.relations {
            let mut all = self.laid.spots.relations.iter();
            let laid = all.find(|laid| laid.name == relation.relation);
            let mut report = RelationReport {
                kind: entity.entry.kind.clone(),
                entity: entity.entry.full_path.clone(),
                relation: relation.relation.clone(),
                records: 0,
                expected: 0,
                rows: 0,
                different: 0,
                not_compared: None,
            };
            match laid {
                Some(laid) if relation.status == Status::Finished => {
                    self.relation(entity, relation, laid, &mut report);
                }
                Some(_) => {
                    report.not_compared =
                        Some("the manifest says that it is not finished".to_owned());
                    self.problem(&report, "it is not finished, so it was not compared");
                }
                None => self.problem(&report, "the pipeline does not know it"),
            }
            self.report.records += report.records;
            self.report.rows += report.rows;
            self.report.different += report.different;
            self.report.relations.push(report);
        }
    }

    fn problem(&mut self, of: &RelationReport, reason: &str) {
        let problem = format!("{} {}: {reason}", of.entity, of.relation);
        self.report.problems.push(problem);
    }

    fn relation(
        &mut self,
        entity: &Entity<'_>,
        entry: &RelationEntry,
        laid: &Relation,
        report: &mut RelationReport,
    ) {
        let named = entry.skipped.iter().filter_map(|skipped| {
            let key = skipped.key.as_ref()?;
            Some((skipped.table.as_str(), key.to_string()))
        });
        let left_out: LeftOut<'_> = named.collect();
        match &laid.made_of {
            MadeOf::NotCompared(reason) => report.not_compared = Some(reason.clone()),
            MadeOf::Impossible(reason) => {
                report.not_compared = Some(reason.clone());
                self.problem(
                    report,
                    &format!("the snapshot cannot say its rows: {reason}"),
                );
            }
            MadeOf::Rows(chain) => {
                let mut counter = Counter::new(self.laid, self.salt, &left_out);
                let rows = counter.of_entity(chain, entity);
                let rows = match (laid.form, laid.pick, chain.last()) {
                    (Form::Single | Form::Object, Some(pick), Some(spot)) => {
                        counter.picked(*spot, rows, pick).into_iter().collect()
                    }
                    _ => rows,
                };
                if let Some(spot) = chain.last() {
                    self.rows(counter, (*spot, rows), entry, laid, report);
                }
            }
            MadeOf::Collected(chain) => {
                let mut counter = Counter::new(self.laid, self.salt, &left_out);
                match self.collected(&mut counter, entity, laid) {
                    Err(reason) => report.not_compared = Some(reason),
                    Ok(keys) => {
                        let rows = counter.of_keys(chain, &keys);
                        if let Some(spot) = chain.last() {
                            self.rows(counter, (*spot, rows), entry, laid, report);
                        }
                    }
                }
            }
            MadeOf::Maxima(chains) => {
                let counter = Counter::new(self.laid, self.salt, &left_out);
                self.maxima(&counter, chains, entity, entry, report);
            }
        }
    }

    /// The keys that the records of an entity's other relations refer to.
    fn collected(
        &self,
        counter: &mut Counter<'_>,
        entity: &Entity<'_>,
        collected: &Relation,
    ) -> Result<HashSet<u128>, String> {
        let mut keys = HashSet::new();
        let relations = &self.laid.spots.relations;
        let position = relations.iter().position(|it| std::ptr::eq(it, collected));
        for entry in &entity.entry.relations {
            if entry.status != Status::Finished {
                return Err("another relation is not finished".to_owned());
            }
            if entry.skipped_count > 0 {
                return Err("rows that may refer to it were left out".to_owned());
            }
            let made_of = relations.iter().find(|it| it.name == entry.relation);
            match made_of.map(|it| &it.made_of) {
                Some(MadeOf::Rows(chain)) => {
                    let rows = counter.of_entity(chain, entity);
                    for row in rows {
                        if let (Some(spot), Some(position)) = (chain.last(), position) {
                            counter.collect(*spot, row, position, &mut keys);
                        }
                    }
                }
                Some(MadeOf::Impossible(_)) => {
                    return Err("another relation cannot be counted".to_owned());
                }
                Some(MadeOf::Collected(_) | MadeOf::Maxima(_) | MadeOf::NotCompared(_)) | None => {}
            }
        }
        Ok(keys)
    }

    /// Holds the lines of a relation's files against rows.
    fn rows(
        &mut self,
        mut counter: Counter<'_>,
        (spot, rows): (usize, Vec<u32>),
        entry: &RelationEntry,
        laid: &Relation,
        report: &mut RelationReport,
    ) {
        let has_id = !counter.spot(spot).id.is_empty();
        let is_one = matches!(laid.form, Form::Single | Form::Object);
        let mut expected: Vec<Expected> = Vec::with_capacity(rows.len());
        let mut by: HashMap<Sum, Vec<usize>> = HashMap::new();
        for row in rows {
            let total = counter.total(spot, row);
            let key = match has_id {
                true => counter.row(spot, row).id,
                false => total,
            };
            by.entry(key).or_default().push(expected.len());
            expected.push(Expected {
                row,
                total,
                seen: false,
            });
        }
        report.expected = expected.len() as u64;
        report.rows = counter.rows;
        let mut unknown: Vec<(String, String, u64)> = Vec::new();
        for file in entry.files() {
            let lines = self.files.lines(file, &mut |number, text| {
                let is_no_row = laid.without_row.as_ref().is_some_and(|without| {
                    number == 1 && json::canonical(without) == json::canonical(text)
                });
                if is_no_row && report.expected == 0 {
                    return;
                }
                report.records += 1;
                let Some(actual) = counter.actual(spot, text) else {
                    let kind = Kind::Unexpected;
                    self.report
                        .differ(report, difference(report, None, kind, Some((file, number))));
                    return;
                };
                let key = if has_id { actual.id } else { actual.total };
                let found = by.get(&key).map_or(&[][..], Vec::as_slice);
                let unseen = || found.iter().filter(|at| !expected[**at].seen);
                let same = unseen().find(|at| expected[**at].total == actual.total);
                let at = same.or_else(|| unseen().next()).copied();
                // A relation of one object has no other that it could be.
                let only = (is_one && expected.len() == 1 && !expected[0].seen).then_some(0);
                let at = at.or(only);
                match at {
                    Some(at) if expected[at].total == actual.total => expected[at].seen = true,
                    Some(at) => {
                        expected[at].seen = true;
                        let row = (spot, expected[at].row);
                        self.changed(&mut counter, row, text, (file, number), report);
                    }
                    None if !found.is_empty() => {
                        let label = counter.row(spot, expected[found[0]].row).label.clone();
                        let place = Some((file, number));
                        let told = difference(report, label.as_deref(), Kind::Doubled, place);
                        self.report.differ(report, told);
                    }
                    None if !has_id && unknown.len() < PAIRED => {
                        unknown.push((text.to_owned(), file.file.clone(), number));
                    }
                    None => {
                        let key = counter.key_of(spot, text);
                        let place = Some((file, number));
                        let told = difference(report, key.as_deref(), Kind::Unexpected, place);
                        self.report.differ(report, told);
                    }
                }
            });
            if let Err(error) = lines {
                let problem = format!("it cannot be compared: {}: {error}", file.file);
                self.problem(report, &problem);
            }
        }
        let missing: Vec<u32> = expected
            .iter()
            .filter(|it| !it.seen)
            .map(|it| it.row)
            .collect();
        self.without_pair(&mut counter, spot, missing, unknown, report);
        let told = entry.skipped.len() as u64;
        if entry.skipped_count > told {
            let reason = format!(
                "{} rows were left out that the manifest does not name, and what is missing may be one of them",
                entry.skipped_count - told
            );
            self.problem(report, &reason);
        }
        if counter.unclear > 0 {
            let reason = format!(
                "of {} rows it cannot be told which ones count, or they stand too deep in one another",
                counter.unclear
            );
            self.problem(report, &reason);
        }
    }

    fn changed(
        &mut self,
        counter: &mut Counter<'_>,
        (spot, row): (usize, u32),
        text: &str,
        place: (&FileEntry, u64),
        report: &mut RelationReport,
    ) {
        let label = counter.row(spot, row).label.clone();
        let mut told = difference(report, label.as_deref(), Kind::Changed, Some(place));
        if self.report.differences.len() < DESCRIBED {
            let mut details = Details::default();
            counter.describe((spot, row), text, &mut details);
            told.columns = details.columns;
            told.nested = details.nested;
            told.more_nested = details.more;
        }
        self.report.differ(report, told);
    }

    /// Tells of rows without a record and records without a row. Where there are few, and records have no key, those that
    /// have most in common are taken for one that was changed.
    fn without_pair(
        &mut self,
        counter: &mut Counter<'_>,
        spot: usize,
        mut missing: Vec<u32>,
        unknown: Vec<(String, String, u64)>,
        report: &mut RelationReport,
    ) {
        for (text, file, number) in unknown {
            let place = FileEntry {
                file,
                bytes: 0,
                sha256: String::new(),
            };
            let likest = match missing.len() <= PAIRED {
                true => counter.likest(spot, &missing, &text),
                false => None,
            };
            match likest {
                Some(at) => {
                    let row = missing.swap_remove(at);
                    self.changed(counter, (spot, row), &text, (&place, number), report);
                }
                None => {
                    let told = difference(report, None, Kind::Unexpected, Some((&place, number)));
                    self.report.differ(report, told);
                }
            }
        }
        for row in missing {
            let label = counter.row(spot, row).label.clone();
            let told = difference(report, label.as_deref(), Kind::Missing, None);
            self.report.differ(report, told);
        }
    }

    /// Holds the one object of greatest values against the rows that have them.
    fn maxima(
        &mut self,
        counter: &Counter<'_>,
        chains: &[(String, Vec<usize>)],
        entity: &Entity<'_>,
        entry: &RelationEntry,
        report: &mut RelationReport,
    ) {
        let mut expected: BTreeMap<&str, Sum> = BTreeMap::new();
        for (name, chain) in chains {
            let Some(spot) = chain.last() else {
                continue;
            };
            let rows = counter.of_entity(chain, entity);
            report.rows += rows.len() as u64;
            let rows = rows.iter().map(|row| counter.row(*spot, *row));
            let greatest = rows
                .filter_map(|row| Some((row.more.as_ref()?.maximum.as_ref()?, row.own)))
                .max_by_key(|((value, text), _)| (value, rank_among_equal(text)));
            if let Some((_, own)) = greatest {
                expected.insert(name, own);
            }
        }
        report.expected = 1;
        for file in entry.files() {
            let lines = self.files.lines(file, &mut |number, text| {
                report.records += 1;
                let object = Object::parse(text).unwrap_or_default();
                let mut columns = Vec::new();
                let mut left = expected.clone();
                for (key, text) in &object.0 {
                    let chain = chains.iter().find(|(name, _)| name == key);
                    let spot = chain.and_then(|(_, chain)| chain.last());
                    let own = spot.map(|spot| {
                        let field = &counter.spot(*spot).fields[0];
                        counter.salt.text(&field.normal(&json::canonical(text)))
                    });
                    if own.is_none() || left.remove(key.as_str()) != own {
                        columns.push(key.clone());
                    }
                }
                columns.extend(left.into_keys().map(str::to_owned));
                if !columns.is_empty() || number > 1 {
                    let kind = if number > 1 {
                        Kind::Doubled
                    } else {
                        Kind::Changed
                    };
                    let mut told = difference(report, None, kind, Some((file, number)));
                    told.columns = columns;
                    self.report.differ(report, told);
                }
            });
            if let Err(error) = lines {
                self.problem(
                    report,
                    &format!("it cannot be compared: {}: {error}", file.file),
                );
            }
        }
        if report.records == 0 {
            let told = difference(report, None, Kind::Missing, None);
            self.report.differ(report, told);
        }
    }
}

impl Counter<'_> {
    /// The row that has most fields in common with a record, if that is more than half of them.
    fn likest(&self, spot: usize, rows: &[u32], text: &str) -> Option<usize> {
        let rows = rows.iter().enumerate();
        let alike = rows.map(|(at, row)| (self.alike((spot, *row), text), at));
        let (alike, at) = alike.max()?;
        (2 * alike > self.spot(spot).fields.len()).then_some(at)
    }
}

impl Report {
    fn differ(&mut self, of: &mut RelationReport, difference: Difference) {
        of.different += 1;
        if self.differences.len() < DESCRIBED {
            self.differences.push(difference);
        }
    }
}

fn difference(
    of: &RelationReport,
    key: Option<&str>,
    kind: Kind,
    place: Option<(&FileEntry, u64)>,
) -> Difference {
    Difference {
        entity_type: of.kind.clone(),
        entity: of.entity.clone(),
        relation: of.relation.clone(),
        key: key.map(str::to_owned),
        kind,
        columns: Vec::new(),
        nested: Vec::new(),
        more_nested: 0,
        file: place.map(|(file, _)| file.file.clone()),
        line: place.map(|(_, line)| line),
    }
}
