//! Which keys of two records of one row differ.

use std::collections::BTreeMap;

use crate::json_text::{Object, canonical, elements, string};

use super::changes::{ChangeKind, ChangedColumn};
use super::identity::may_be_told;

/// Columns of a record that are described; the others are counted.
const MOST: usize = 50;

/// How deep records are looked into; what is below is one value.
const DEEPEST: usize = 32;

/// Letters of a value that are shown.
const SHOWN: usize = 200;

/// What of two records differs.
pub(super) struct Columns {
    pub(super) changed: Vec<ChangedColumn>,
    pub(super) more: u64,
    with_values: bool,
}

impl Columns {
    /// Compares the texts of two records.
    pub(super) fn of(old: &str, new: &str, with_values: bool) -> Columns {
        let mut columns = Columns {
            changed: Vec::new(),
            more: 0,
            with_values,
        };
        columns.value("", old, new, 0);
        columns
    }

    fn tell(&mut self, path: &str, kind: ChangeKind, old: Option<&str>, new: Option<&str>) {
        if self.changed.len() >= MOST {
            self.more += 1;
            return;
        }
        let shown = |text: Option<&str>| {
            let text = text.filter(|_| self.with_values)?;
            let mut shown: String = text.chars().take(SHOWN).collect();
            if shown.len() < text.len() {
                shown.push('…');
            }
            Some(shown)
        };
        let (old, new) = (shown(old), shown(new));
        self.changed.push(ChangedColumn {
            path: path.to_owned(),
            kind,
            old,
            new,
        });
    }

    fn value(&mut self, path: &str, old: &str, new: &str, depth: usize) {
        if normal(old, depth) == normal(new, depth) {
            return;
        }
        let objects = Object::parse(old).zip(Object::parse(new));
        let arrays = elements(old).zip(elements(new));
        match (objects, arrays) {
            _ if depth >= DEEPEST => self.tell(path, ChangeKind::Changed, Some(old), Some(new)),
            (Some((old, new)), _) => {
                let keyed = |object: Object<'_>| -> Vec<(String, String)> {
                    let entries = object.0.into_iter();
                    entries.map(|(key, text)| (key, text.to_owned())).collect()
                };
                let path_of = |key: &str| match path {
                    "" => key.to_owned(),
                    path => format!("{path}.{key}"),
                };
                self.parts(keyed(old), keyed(new), path_of, depth);
            }
            (None, Some((old, new))) => {
                let is_of_records =
                    |elements: &[&str]| elements.iter().all(|text| text.starts_with('{'));
                if !is_of_records(&old) || !is_of_records(&new) {
                    let (old, new) = (old.join(","), new.join(","));
                    self.tell(path, ChangeKind::Changed, Some(&old), Some(&new));
                    return;
                }
                self.parts(
                    named(&old),
                    named(&new),
                    |name| format!("{path}[{name}]"),
                    depth,
                );
            }
            (None, None) => self.tell(path, ChangeKind::Changed, Some(old), Some(new)),
        }
    }

    /// Compares what stands under the same names on both sides.
    fn parts(
        &mut self,
        old: Vec<(String, String)>,
        new: Vec<(String, String)>,
        path: impl Fn(&str) -> String,
        depth: usize,
    ) {
        let told = self.changed.len() as u64 + self.more;
        let mut before: BTreeMap<String, String> = old.iter().cloned().collect();
        for (name, text) in &new {
            match before.remove(name) {
                Some(old) => self.value(&path(name), &old, text, depth + 1),
                None => self.tell(&path(name), ChangeKind::Added, None, Some(text)),
            }
        }
        for (name, text) in &old {
            if before.contains_key(name) {
                self.tell(&path(name), ChangeKind::Removed, Some(text), None);
            }
        }
        if self.changed.len() as u64 + self.more == told {
            // The same parts in another order, or a key that stands there twice.
            let path = path("…");
            self.tell(&path, ChangeKind::Changed, None, None);
        }
    }
}

/// A text that is the same for all values that are: the order of an object's keys does not count, that of an array does.
pub(super) fn normal(text: &str, depth: usize) -> String {
    if depth >= DEEPEST {
        return canonical(text);
    }
    if let Some(Object(mut entries)) = Object::parse(text) {
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        let entries = entries.into_iter();
        let parts =
            entries.map(|(key, text)| format!("{}:{}", string(&key), normal(text, depth + 1)));
        return format!("{{{}}}", parts.collect::<Vec<_>>().join(","));
    }
    match elements(text) {
        Some(elements) => {
            let parts = elements.into_iter().map(|text| normal(text, depth + 1));
            format!("[{}]", parts.collect::<Vec<_>>().join(","))
        }
        None => canonical(text),
    }
}

/// The elements of an array by their ids, if all have one that may be told and no two the same; else by their numbers.
fn named(elements: &[&str]) -> Vec<(String, String)> {
    let id = |text: &&str| {
        let object = Object::parse(text)?;
        let (_, id) = object.0.iter().find(|(key, _)| key == "id")?;
        may_be_told(id)
    };
    let ids: Option<Vec<String>> = elements.iter().map(id).collect();
    let ids = ids.filter(|ids| {
        let mut sorted = ids.clone();
        sorted.sort();
        sorted.dedup();
        sorted.len() == ids.len()
    });
    let numbers = || {
        (0..elements.len())
            .map(|at| format!("#{}", at + 1))
            .collect()
    };
    let names: Vec<String> = ids.unwrap_or_else(numbers);
    names
        .into_iter()
        .zip(elements.iter().map(|text| (*text).to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(old: &str, new: &str) -> Vec<String> {
        let columns = Columns::of(old, new, false);
        let changed = columns.changed.into_iter();
        changed
            .map(|it| format!("{}{}", it.kind.sign(), it.path))
            .collect()
    }

    #[test]
    fn a_column_is_named_by_the_way_to_it() {
        let cases: [(&str, &str, &[&str]); 10] = [
            (r#"{"a":1,"b":"x"}"#, r#"{ "a": 1, "b": "\u0078" }"#, &[]),
            (
                r#"{"a":{"x":1,"y":2},"b":2}"#,
                r#"{"b":2,"a":{"y":2,"x":1}}"#,
                &[],
            ),
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":3}"#, &["~b"]),
            (r#"{"a":1}"#, r#"{"b":1}"#, &["+b", "-a"]),
            (
                r#"{"n":[{"id":1,"t":"x"},{"id":2}]}"#,
                r#"{"n":[{"id":2},{"id":1,"t":"y"},{"id":3}]}"#,
                &["~n[1].t", "+n[3]"],
            ),
            (r#"{"n":[{"t":1}]}"#, r#"{"n":[{"t":2}]}"#, &["~n[#1].t"]),
            (
                r#"{"u":{"name":"a"}}"#,
                r#"{"u":{"name":"b"}}"#,
                &["~u.name"],
            ),
            (r#"{"l":[1,2]}"#, r#"{"l":[2,1]}"#, &["~l"]),
            (
                r#"{"n":[{"id":1},{"id":2}]}"#,
                r#"{"n":[{"id":2},{"id":1}]}"#,
                &["~n[…]"],
            ),
            (r#"{"u":null}"#, r#"{"u":{}}"#, &["~u"]),
        ];
        for (old, new, expected) in cases {
            assert_eq!(told(old, new), expected, "{old} {new}");
        }
    }

    #[test]
    fn values_are_shown_only_if_that_is_asked_for() {
        let columns =
            |with_values| Columns::of(r#"{"a":"secret"}"#, r#"{"a":"x"}"#, with_values).changed;
        assert_eq!(columns(false)[0].old, None);
        assert_eq!(columns(true)[0].old.as_deref(), Some("\"secret\""));
        assert_eq!(columns(true)[0].new.as_deref(), Some("\"x\""));
    }
}
