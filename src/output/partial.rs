//! What of an export is partial, as sentences: one account, made of the manifest alone.
//!
//! Whoever tells people of it tells these sentences and none of their own: `status`, `verify`, the end of a run, the
//! server's log and its page. So no two of them can differ.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::manifest::{Manifest, RelationEntry};
use super::noted::Notes;
use crate::visible::visible;

/// Names that a sentence has; the others are only counted.
const NAMED: usize = 10;

/// All of it, the gravest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Partial {
    pub findings: Vec<Finding>,
}

/// One thing that an export, or the snapshot that it is from, does not have whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub what: What,
    pub count: u64,
    /// Where that is: by relation, by column or by table.
    pub by: BTreeMap<String, u64>,
    /// The sentence, fit for a terminal.
    pub says: String,
}

/// What it is that is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A job's guard does not trust the export.
    Suspect,
    /// Rows are in no file, because they cannot be read (`--keep-going`).
    Skipped,
    UnreadableValues,
    MissingFiles,
    DamagedFiles,
    DanglingReferences,
    /// Entities lie within rows that the snapshot does not have.
    MissingParents,
    LargeRecords,
    /// Rows stand in partitions or child tables. Nothing is missing for it.
    TablesInParts,
    /// What the snapshot could not give: tables, columns, data, files, entities that nobody named.
    Warning,
}

impl What {
    /// False for what a snapshot may well be like, though it is worth knowing: a run of every night is not to print it each time.
    pub fn is_lack(self) -> bool {
        !matches!(self, What::TablesInParts | What::DanglingReferences)
    }
}

impl Partial {
    /// What is partial of a whole export.
    pub fn of(manifest: &Manifest) -> Partial {
        let entities = manifest.entities.iter();
        let relations: Vec<&RelationEntry> =
            entities.flat_map(|entity| &entity.relations).collect();
        let suspect = manifest.suspect.iter().map(|reason| Finding {
            what: What::Suspect,
            count: 1,
            by: BTreeMap::new(),
            says: format!("the export is suspect: {}", visible(reason)),
        });
        let mut findings: Vec<Finding> = suspect.collect();
        findings.extend(Partial::of_relations(relations).findings);
        findings.extend(missing_parents(manifest));
        findings.extend(tables_in_parts(manifest));
        findings.extend(manifest.warnings.iter().map(|warning| Finding {
            what: What::Warning,
            count: 1,
            by: BTreeMap::new(),
            says: visible(warning),
        }));
        Partial { findings }
    }

    /// What is partial of some relations.
    pub fn of_relations<'r>(relations: impl IntoIterator<Item = &'r RelationEntry>) -> Partial {
        let relations: Vec<&RelationEntry> = relations.into_iter().collect();
        let mut findings = skipped(&relations);
        let noted = |what, says, count: fn(&Notes) -> u64| noted(&relations, what, says, count);
        findings.extend(noted(
            What::UnreadableValues,
            "values cannot be read, and are written as null or left out; the manifest lists them as unreadable_values",
            |notes| notes.unreadable_values.count,
        ));
        findings.extend(noted(
            What::MissingFiles,
            "files that rows name are not in the snapshot: they are left out, and values that lie in them are empty texts; \
             the manifest lists them as missing_files",
            |notes| notes.missing_files.count,
        ));
        findings.extend(noted(
            What::DamagedFiles,
            "files are not what their rows say; the manifest lists them as damaged_files",
            |notes| notes.damaged_files.count,
        ));
        findings.extend(dangling(&relations));
        findings.extend(noted(
            What::LargeRecords,
            "records are larger than GitLab reads (50 MB); the manifest lists them as large_records",
            |notes| notes.large_records.count,
        ));
        Partial { findings }
    }

    /// The sentences.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.findings.iter().map(|finding| finding.says.as_str())
    }

    /// What a run has not told while it went on: all but the warnings.
    pub fn untold(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.what != What::Warning)
    }
}

/// Rows that were left out, of each relation that lacks some.
fn skipped(relations: &[&RelationEntry]) -> Vec<Finding> {
    #[derive(Default)]
    struct Rows {
        skipped: u64,
        written: u64,
        /// `None` where that is not known of some.
        read: Option<u64>,
    }
    let mut names: Vec<&str> = Vec::new();
    let mut rows: BTreeMap<&str, Rows> = BTreeMap::new();
    for relation in relations {
        let of_name = rows.entry(&relation.relation).or_insert_with(|| {
            names.push(&relation.relation);
            Rows {
                read: Some(0),
                ..Rows::default()
            }
        });
        of_name.skipped = of_name.skipped.saturating_add(relation.skipped_count);
        of_name.written = of_name.written.saturating_add(relation.total_objects_count);
        // How many files were written, no number says.
        let rows_read = relation.rows_read.filter(|_| !relation.is_of_files());
        of_name.read = of_name
            .read
            .zip(rows_read)
            .map(|(sum, read)| sum.saturating_add(read));
    }
    let lacking = names.into_iter().filter_map(|name| {
        let rows = rows.get(name).filter(|rows| rows.skipped > 0)?;
        let mut says = format!("{}: ", visible(name));
        let were = match rows.skipped {
            1 => "row was",
            _ => "rows were",
        };
        // Writing to a string cannot fail.
        let _ = write!(says, "{} {were} left out (--keep-going)", rows.skipped);
        if let Some(read) = rows.read {
            let _ = write!(says, "; {read} read, {} written", rows.written);
        }
        says.push_str("; the manifest lists them as skipped");
        Some(Finding {
            what: What::Skipped,
            count: rows.skipped,
            by: BTreeMap::from([(name.to_owned(), rows.skipped)]),
            says,
        })
    });
    lacking.collect()
}

/// What relations note of their records and files, `None` if there is nothing of the sort.
fn noted(
    relations: &[&RelationEntry],
    what: What,
    says: &str,
    count: fn(&Notes) -> u64,
) -> Option<Finding> {
    let counts = relations
        .iter()
        .map(|relation| (relation.relation.clone(), count(&relation.notes)));
    let by = summed(counts);
    finding(what, by, |count| format!("{count} {says}"))
}

/// References that lead nowhere, by column.
fn dangling(relations: &[&RelationEntry]) -> Option<Finding> {
    let references = relations
        .iter()
        .flat_map(|relation| &relation.notes.dangling_references);
    let by = summed(references.map(|it| {
        let column = format!("{}.{} to {}", it.table, it.column, it.to);
        (column, it.count)
    }));
    finding(What::DanglingReferences, by, |count| {
        let references = match count {
            1 => "1 reference leads".to_owned(),
            _ => format!("{count} references lead"),
        };
        format!(
            "{references} nowhere: the snapshot does not have the rows; the manifest lists the columns as dangling_references"
        )
    })
}

/// Entities whose row above is not there.
fn missing_parents(manifest: &Manifest) -> Option<Finding> {
    let entities = manifest.entities.iter();
    let by = summed(entities.filter_map(|entity| {
        let parent = entity.missing_parent.as_ref()?;
        Some((format!("{} in {parent}", entity.full_path), 1))
    }));
    finding(What::MissingParents, by, |count| {
        let lie = match count {
            1 => "1 lies",
            _ => &format!("{count} lie"),
        };
        format!("of the exported {lie} within what the snapshot does not have")
    })
}

/// Tables whose rows were taken from others.
fn tables_in_parts(manifest: &Manifest) -> Option<Finding> {
    let tables = manifest.tables_in_parts.iter();
    let by: BTreeMap<String, u64> = tables.map(|it| (it.table.clone(), it.parts)).collect();
    let count = by.len() as u64;
    let says = "rows of these tables stand in tables below them, too (partitions, or tables that inherit), and are taken from \
                there";
    finding(What::TablesInParts, by, |_| says.to_owned())
        .map(|finding| Finding { count, ..finding })
}

fn summed(counts: impl Iterator<Item = (String, u64)>) -> BTreeMap<String, u64> {
    let mut by: BTreeMap<String, u64> = BTreeMap::new();
    for (name, count) in counts.filter(|(_, count)| *count > 0) {
        *by.entry(name).or_default() += count;
    }
    by
}

/// A finding whose sentence ends with where that is; `None` if it is nowhere.
fn finding(
    what: What,
    by: BTreeMap<String, u64>,
    says: impl FnOnce(u64) -> String,
) -> Option<Finding> {
    if by.is_empty() {
        return None;
    }
    let count = by.values().copied().fold(0, u64::saturating_add);
    let named = by.iter().take(NAMED);
    let mut names: Vec<String> = named
        .map(|(name, count)| format!("{} {count}", visible(name)))
        .collect();
    if by.len() > NAMED {
        names.push(format!("and {} more", by.len() - NAMED));
    }
    let says = format!("{} ({})", says(count), names.join(", "));
    Some(Finding {
        what,
        count,
        by,
        says,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_ten_places_and_counts_the_others() {
        let by = (10..22).map(|number| (format!("r{number}"), number));
        let found = finding(What::MissingFiles, by.collect(), |count| {
            format!("{count} files")
        });
        let says = "186 files (r10 10, r11 11, r12 12, r13 13, r14 14, r15 15, r16 16, r17 17, r18 18, r19 19, and 2 more)";
        assert_eq!(found.map(|found| found.says).as_deref(), Some(says));
        let none = finding(What::MissingFiles, BTreeMap::new(), |_| String::new());
        assert_eq!(none, None);
    }

    #[test]
    fn names_are_fit_for_a_terminal() {
        let by = BTreeMap::from([("a\u{1b}[2J\nb".to_owned(), 1)]);
        let found = finding(What::MissingFiles, by, |count| format!("{count} file"));
        let says = found.map(|found| found.says);
        assert_eq!(says.as_deref(), Some("1 file (a\\u{1b}[2J\\nb 1)"));
    }
}
