//! A record of a file, held against a row of the snapshot.

use std::collections::HashMap;

use super::count::{Below, Counter};
use super::report::{Kind, NestedDifference};
use super::spots::{Made, Spot};
use crate::json_text::{self as json, Object};
use crate::salt::{ABSENT, Sum};

/// Differences below one record that are described; the others are counted.
const MOST_BELOW: usize = 20;

/// What a record of a file comes to.
pub(super) struct Actual {
    pub(super) total: Sum,
    pub(super) id: Sum,
}

/// What differs below a record.
#[derive(Default)]
pub(super) struct Details {
    /// Keys of the record itself.
    pub(super) columns: Vec<String>,
    pub(super) nested: Vec<NestedDifference>,
    /// Those that are not described.
    pub(super) more: u64,
}

impl Details {
    fn nested(&mut self, path: &str, key: Option<String>, kind: Kind, columns: Vec<String>) {
        match self.nested.len() < MOST_BELOW {
            true => self.nested.push(NestedDifference {
                path: path.to_owned(),
                key,
                kind,
                columns,
            }),
            false => self.more += 1,
        }
    }
}

impl Counter<'_> {
    /// What a record's text comes to; `None` if it is no object.
    pub(super) fn actual(&self, spot: usize, text: &str) -> Option<Actual> {
        let object = Object::parse(text)?;
        let it = self.spot(spot);
        let mut known = Keys::new(&object);
        let mut actual = Actual { total: 0, id: 0 };
        for (at, field) in it.fields.iter().enumerate() {
            let text = known.take(&field.key);
            if let Made::By(_) = field.made {
                let sum = self.field(it, at, text);
                actual.total = actual.total.wrapping_add(sum);
                if it.id.contains(&at) {
                    actual.id = actual.id.wrapping_add(sum);
                }
            }
        }
        for (at, key, many, child) in below_of(it, spot) {
            let Some(text) = known.take(key) else {
                continue;
            };
            let elements = match many {
                true => {
                    let sum = self.salt.at("many", at, 0);
                    actual.total = actual.total.wrapping_add(sum);
                    json::elements(text)
                }
                false => Some(vec![text]),
            };
            let mut sums = Vec::new();
            match elements {
                Some(elements) => {
                    sums.extend(
                        elements
                            .iter()
                            .map(|text| self.nested_sum(it, at, child, text)),
                    );
                }
                None => sums.push(self.salt.text("no array")),
            }
            for sum in sums {
                let sum = self.salt.at("nested", at, sum);
                actual.total = actual.total.wrapping_add(sum);
            }
        }
        for key in known.left() {
            let sum = self.salt.at("unknown", 0, self.salt.text(key));
            actual.total = actual.total.wrapping_add(sum);
        }
        actual.total = self.salt.at("record", 0, actual.total);
        Some(actual)
    }

    fn field(&self, spot: &Spot, at: usize, text: Option<&str>) -> Sum {
        let text = text.map_or(ABSENT, |text| {
            let normal = spot.fields[at].normal(&json::canonical(text));
            self.salt.text(&normal)
        });
        self.salt.at("field", at, text)
    }

    /// The sum of what stands under a nested key, or of one element of it.
    fn nested_sum(&self, spot: &Spot, at: usize, child: Option<usize>, text: &str) -> Sum {
        let instead = spot
            .nested
            .get(at)
            .map_or(&[][..], |nested| &nested.instead);
        let canonical = || json::canonical(text);
        if !instead.is_empty() {
            let own = canonical();
            if instead.iter().any(|text| json::canonical(text) == own) {
                return self.salt.text(&own);
            }
        }
        let actual = child.and_then(|child| self.actual(child, text));
        actual.map_or_else(|| self.salt.text("no record"), |actual| actual.total)
    }

    /// Says what of a record is not as the row says.
    pub(super) fn describe(
        &mut self,
        (spot, row): (usize, u32),
        text: &str,
        details: &mut Details,
    ) {
        let columns = self.describe_below((spot, row), text, "", details);
        details.columns = columns;
    }

    /// As [`Counter::describe`], of a record below another one; returns the record's own keys that differ.
    fn describe_below(
        &mut self,
        (spot, row): (usize, u32),
        text: &str,
        path: &str,
        details: &mut Details,
    ) -> Vec<String> {
        let it = self.spot(spot);
        let Some(object) = Object::parse(text) else {
            return Vec::new();
        };
        let mut known = Keys::new(&object);
        let (_, bits) = self.own(spot, row);
        let mut columns = Vec::new();
        for (at, field) in it.fields.iter().enumerate() {
            let text = known.take(&field.key);
            let is_compared = matches!(field.made, Made::By(_));
            if is_compared && self.field(it, at, text) as u16 != bits[at] {
                columns.push(field.key.clone());
            }
        }
        let below = self.below(spot, row);
        self.above.push((spot, row));
        for ((at, key, many, child), below) in below_of(it, spot).into_iter().zip(below) {
            let text = known.take(key);
            let path = match path {
                "" => key.to_owned(),
                path => format!("{path}.{key}"),
            };
            let elements = match (text, many) {
                (None, true) => None,
                (None, false) => Some(Vec::new()),
                (Some(text), true) => json::elements(text),
                (Some(text), false) => Some(vec![text]),
            };
            let Some(elements) = elements else {
                details.nested(&path, None, Kind::Missing, Vec::new());
                continue;
            };
            let sums = elements
                .iter()
                .map(|text| (*text, self.nested_sum(it, at, child, text)));
            let mut actual: Vec<(&str, Sum)> = sums.collect();
            match (below, child) {
                (Below::Rows(rows), Some(child)) => {
                    self.describe_rows(child, rows, actual, &path, details);
                }
                (Below::Instead(sum), _) => {
                    actual.retain(|(_, other)| *other != sum);
                    if actual.len() != elements.len() - 1 || !actual.is_empty() {
                        details.nested(&path, None, Kind::Changed, Vec::new());
                    }
                }
                (Below::WithoutRow, Some(child)) => {
                    let sum = self.without_row(child);
                    if actual.iter().any(|(_, other)| *other != sum) || actual.is_empty() {
                        details.nested(&path, None, Kind::Changed, Vec::new());
                    }
                }
                (Below::Rows(_) | Below::WithoutRow, None) => {
                    for _ in actual {
                        details.nested(&path, None, Kind::Unexpected, Vec::new());
                    }
                }
            }
        }
        self.above.pop();
        columns.extend(known.left().map(str::to_owned));
        columns
    }

    /// Says what differs between rows and the records under a key.
    fn describe_rows(
        &mut self,
        spot: usize,
        rows: Vec<u32>,
        mut actual: Vec<(&str, Sum)>,
        path: &str,
        details: &mut Details,
    ) {
        // By sums, since there may be a million of them on both sides.
        let mut by: HashMap<Sum, Vec<&str>> = HashMap::new();
        for (text, sum) in actual.drain(..) {
            by.entry(sum).or_default().push(text);
        }
        let mut missing = Vec::new();
        for row in rows {
            let total = self.total(spot, row);
            let same = by.get_mut(&total).and_then(Vec::pop);
            if same.is_none() {
                missing.push(row);
            }
        }
        for (sum, texts) in by {
            actual.extend(texts.into_iter().map(|text| (text, sum)));
        }
        // What is told has the same order each time.
        actual.sort_unstable();
        let has_id = !self.spot(spot).id.is_empty();
        for row in std::mem::take(&mut missing) {
            let id = self.row(spot, row).id;
            let same = match has_id {
                true => actual.iter().position(|(text, _)| {
                    self.actual(spot, text)
                        .is_some_and(|actual| actual.id == id)
                }),
                // Without a key, what is left on both sides may be one and the same.
                false => (actual.len() == 1).then_some(0),
            };
            let key = self.row(spot, row).label.as_deref().map(str::to_owned);
            match same {
                Some(at) => {
                    let (text, _) = actual.swap_remove(at);
                    let count = details.nested.len() as u64 + details.more;
                    let columns = self.describe_below((spot, row), text, path, details);
                    let is_told = details.nested.len() as u64 + details.more > count;
                    if !columns.is_empty() || !is_told {
                        details.nested(path, key, Kind::Changed, columns);
                    }
                }
                None => details.nested(path, key, Kind::Missing, Vec::new()),
            }
        }
        for (text, _) in actual {
            let key = self.key_of(spot, text);
            details.nested(path, key, Kind::Unexpected, Vec::new());
        }
    }

    /// How many fields of a row and a record are alike.
    pub(super) fn alike(&self, (spot, row): (usize, u32), text: &str) -> usize {
        let it = self.spot(spot);
        let Some(object) = Object::parse(text) else {
            return 0;
        };
        let mut known = Keys::new(&object);
        let (_, bits) = self.own(spot, row);
        let fields = it.fields.iter().enumerate();
        let alike = fields.filter(|(at, field)| {
            let text = known.take(&field.key);
            let is_compared = matches!(field.made, Made::By(_));
            is_compared && self.field(it, *at, text) as u16 == bits[*at]
        });
        alike.count()
    }

    /// The key of a record, if it has one that may be told.
    pub(super) fn key_of(&self, spot: usize, text: &str) -> Option<String> {
        let it = self.spot(spot);
        if it.id.is_empty() {
            return None;
        }
        let object = Object::parse(text)?;
        let texts = it.id.iter().zip(&it.key).map(|(at, (_, form))| {
            use crate::key::KeyForm;
            let key = &it.fields[*at].key;
            let (_, text) = object.0.iter().find(|(other, _)| other == key)?;
            match form {
                Some(KeyForm::Integer) => text.parse::<i64>().ok().map(|id| id.to_string()),
                Some(KeyForm::Uuid) => {
                    let text: String = serde_json::from_str(text).ok()?;
                    let is_uuid = KeyForm::Uuid.canonical(text.as_bytes()).is_some();
                    is_uuid.then_some(text)
                }
                _ => None,
            }
        });
        Some(texts.collect::<Option<Vec<_>>>()?.join(", "))
    }
}

/// What may stand below a record: position, key, whether it is an array, and the spot of its rows.
fn below_of(it: &Spot, spot: usize) -> Vec<(usize, &str, bool, Option<usize>)> {
    let nested = it.nested.iter().enumerate();
    let nested = nested.map(|(at, nested)| {
        let child = nested.chain.last().copied();
        (at, nested.key.as_str(), nested.many, child)
    });
    let tree = it.tree.iter();
    let tree = tree.map(|key| (it.nested.len(), key.as_str(), true, Some(spot)));
    nested.chain(tree).collect()
}

/// The keys of an object, each of which is taken once.
struct Keys<'o, 't> {
    first: HashMap<&'o str, &'t str>,
    /// Those that stand again.
    again: Vec<&'o str>,
}

impl<'o, 't> Keys<'o, 't> {
    fn new(object: &'o Object<'t>) -> Self {
        let mut keys = Keys {
            first: HashMap::new(),
            again: Vec::new(),
        };
        for (key, text) in &object.0 {
            if keys.first.insert(key, text).is_some() {
                keys.again.push(key);
            }
        }
        keys
    }

    fn take(&mut self, key: &str) -> Option<&'t str> {
        self.first.remove(key)
    }

    /// Keys that nothing says of the record, in order.
    fn left(self) -> impl Iterator<Item = &'o str> {
        let mut left: Vec<&str> = self.first.into_keys().chain(self.again).collect();
        left.sort_unstable();
        left.into_iter()
    }
}
