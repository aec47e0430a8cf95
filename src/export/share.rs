//! Which part of an export a run makes: all of it, or a share that other runs complete.
//!
//! A share is of the entities and relations that its request names. Of relations in batches it may be a range of the
//! batches; relations that are collected from the records of others may be made by somebody who knows the records of all
//! shares.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::hex;
use crate::output::DanglingReference;
use crate::resolve::{CollectedRelations, GivenKeys, Key};

/// What of the export that a request names a run makes.
#[derive(Debug, Clone, Default)]
pub struct Share {
    /// The run makes it for a plan, which knows what is to be said of the export as a whole.
    pub of_plan: bool,
    /// Why the source has no files, if what is read was taken of another source.
    pub without_files: Option<String>,
    /// Of relations in batches, which batches; `None` for all of them.
    pub part: Option<Part>,
    pub collected: CollectedShare,
    /// Of a server: the instant that all shares have to be of.
    pub instant: Option<String>,
}

impl Share {
    /// What the resolver has to know of it.
    pub(super) fn collected_relations(&self) -> CollectedRelations {
        match &self.collected {
            CollectedShare::Made => CollectedRelations::Made,
            CollectedShare::Told => CollectedRelations::Elsewhere,
            CollectedShare::Given(references) => {
                let mut keys = GivenKeys::new();
                for it in references {
                    let place = (it.pipeline.clone(), it.relation.clone());
                    keys.entry(place).or_default().extend(it.keys());
                }
                keys.values_mut().for_each(|keys| {
                    keys.sort_unstable();
                    keys.dedup();
                });
                CollectedRelations::Given(Arc::new(keys))
            }
        }
    }
}

/// What becomes of relations that are collected from the records of others.
#[derive(Debug, Clone, Default)]
pub enum CollectedShare {
    /// The run writes all records that they are collected from, and makes them.
    #[default]
    Made,
    /// Somebody else makes them, of what this run tells.
    Told,
    /// The run makes them, of what others have told.
    Given(Vec<References>),
}

/// One of several ranges into which the batches of a relation are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Counted from 0.
    pub index: u32,
    /// How many parts there are.
    pub of: u32,
}

impl Part {
    /// The positions of its batches, of so many. `turn` says whose they are: of many that have fewer batches than there are
    /// parts, each part gets those of some.
    pub fn batches(self, count: u32, turn: usize) -> Range<u32> {
        let (index, of) = (u64::from(self.index), u64::from(self.of.max(1)));
        let before = turn as u64 % of;
        // At most `count`, because what is added is less than the number of parts.
        let end = |index: u64| ((u64::from(count) * index.min(of) + before) / of) as u32;
        end(index)..end(index + 1)
    }
}

/// What records of an entity refer to, of a relation that is collected from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct References {
    /// The folder of the entity.
    pub prefix: String,
    pub pipeline: String,
    pub relation: String,
    pub columns: Vec<ReferringColumn>,
}

impl References {
    fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.columns
            .iter()
            .flat_map(|column| column.keys.keys().cloned())
    }
}

/// A column and the keys that its values are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferringColumn {
    pub table: String,
    pub column: String,
    /// The table that it refers to.
    pub to: String,
    /// Each with how often it comes.
    #[serde(with = "written_keys")]
    pub keys: BTreeMap<Key, u64>,
}

impl ReferringColumn {
    /// How many of its references are by keys that `leads_nowhere` is true of; `None` if none is.
    pub(super) fn dangling(
        &self,
        leads_nowhere: impl Fn(&Key) -> bool,
    ) -> Option<DanglingReference> {
        let keys = self.keys.iter().filter(|(key, _)| leads_nowhere(key));
        let count: u64 = keys.map(|(_, count)| count).sum();
        (count > 0).then(|| DanglingReference {
            table: self.table.clone(),
            column: self.column.clone(),
            to: self.to.clone(),
            count,
        })
    }
}

/// Puts together what several shares have told, by entity, relation and column.
pub fn unite(told: impl IntoIterator<Item = References>) -> Vec<References> {
    let mut united: BTreeMap<(String, String, String), Vec<ReferringColumn>> = BTreeMap::new();
    for it in told {
        let columns = united
            .entry((it.prefix, it.pipeline, it.relation))
            .or_default();
        for column in it.columns {
            let same = |known: &&mut ReferringColumn| {
                (&known.table, &known.column, &known.to)
                    == (&column.table, &column.column, &column.to)
            };
            match columns.iter_mut().find(same) {
                Some(known) => {
                    for (key, count) in column.keys {
                        *known.keys.entry(key).or_default() += count;
                    }
                }
                None => columns.push(column),
            }
        }
    }
    let united = united.into_iter();
    united
        .map(|((prefix, pipeline, relation), columns)| References {
            prefix,
            pipeline,
            relation,
            columns,
        })
        .collect()
}

/// Keys in JSON: integers as they are, the bytes of others as hexadecimal digits.
mod written_keys {
    use serde::de::Error;
    use serde::{Deserializer, Serializer};

    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Written {
        Integer(i64),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(
        keys: &BTreeMap<Key, u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(keys.iter().map(|(key, count)| {
            let key = match key {
                Key::Integer(value) => Written::Integer(*value),
                Key::Text(bytes) => Written::Text(hex::encode(bytes)),
            };
            (key, count)
        }))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(
        deserializer: D,
    ) -> Result<BTreeMap<Key, u64>, D::Error> {
        let written: Vec<(Written, u64)> = Vec::deserialize(deserializer)?;
        let keys = written.into_iter().map(|(key, count)| {
            let key = match key {
                Written::Integer(value) => Key::Integer(value),
                Written::Text(digits) => {
                    let bytes = hex::decode(&digits)
                        .ok_or_else(|| D::Error::custom("a key is no hexadecimal digits"))?;
                    Key::Text(bytes.into())
                }
            };
            Ok((key, count))
        });
        keys.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_relation_are_all_of_its_batches_in_order() {
        for (count, of) in [
            (0, 3),
            (1, 3),
            (2, 3),
            (3, 3),
            (10, 3),
            (7, 1),
            (u32::MAX, 7),
        ] {
            for turn in [0, 1, 2, 3, 100] {
                let mut next = 0;
                for index in 0..of {
                    let batches = Part { index, of }.batches(count, turn);
                    assert_eq!(batches.start, next, "{index} of {of}, {count} batches");
                    let fair = count / of;
                    assert!([fair, fair + 1].contains(&(batches.end - batches.start)));
                    next = batches.end;
                }
                assert_eq!(next, count);
            }
        }
    }

    #[test]
    fn relations_of_one_batch_are_spread_over_the_parts() {
        let own = |index| {
            let of = |turn: &usize| !Part { index, of: 3 }.batches(1, *turn).is_empty();
            (0..6).filter(of).collect::<Vec<_>>()
        };
        assert_eq!([own(0), own(1), own(2)], [[2, 5], [1, 4], [0, 3]]);
    }

    fn references(column: &str, keys: &[(Key, u64)]) -> References {
        References {
            prefix: "group_7".to_owned(),
            pipeline: "group".to_owned(),
            relation: "user_contributions".to_owned(),
            columns: vec![ReferringColumn {
                table: "public.notes".to_owned(),
                column: column.to_owned(),
                to: "public.users".to_owned(),
                keys: keys.iter().cloned().collect(),
            }],
        }
    }

    #[test]
    fn what_shares_tell_is_added_up_by_column_and_survives_json() {
        let text = Key::Text(Box::from(&b"a\x00\xff"[..]));
        let told = [
            references("author_id", &[(Key::Integer(1), 2), (Key::Integer(-5), 1)]),
            references("author_id", &[(Key::Integer(1), 3)]),
            references("updated_by_id", &[(text.clone(), 1)]),
        ];
        let json = serde_json::to_string(&told).unwrap();
        assert!(json.contains(r#""keys":[[-5,1],[1,2]]"#), "{json}");
        assert!(json.contains(r#""keys":[["6100ff",1]]"#), "{json}");
        let told: Vec<References> = serde_json::from_str(&json).unwrap();
        let united = unite(told);
        let [one] = united.as_slice() else {
            panic!("{united:?}");
        };
        assert_eq!(one.columns.len(), 2);
        assert_eq!(one.columns[0].keys[&Key::Integer(1)], 5);
        assert_eq!(one.columns[0].keys[&Key::Integer(-5)], 1);
        assert_eq!(one.columns[1].keys[&text], 1);
        let dangling = one.columns[0].dangling(|key| *key == Key::Integer(1));
        assert_eq!(dangling.unwrap().count, 5);
        assert_eq!(one.columns[0].dangling(|_| false), None);
        assert!(
            serde_json::from_str::<References>(&json[1..json.len() - 1].replace("6100ff", "6100f"))
                .is_err()
        );
    }
}
