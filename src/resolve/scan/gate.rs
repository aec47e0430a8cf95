//! The gate: whether anything looks for a row, told as cheaply as can be.
//!
//! Most rows of a snapshot are of no tenant that is exported, so this is asked of every row, and little else. Hops onto a
//! polymorphic table (`events`, `notes`, `label_links`) differ by the value of one column, which is read once: only the hops
//! of that value are asked further.

use std::sync::Arc;

use crate::key::KeyForm;
use crate::resolve::condition::{ValueTest, may_be_another};
use crate::resolve::keys::{Fields, IndexKey, KeyRead, KeySet, KeyShape, parse_integer};

use super::{FieldTest, Judged, judge};

/// What is told of a row without looking at it as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    /// No hop looks for it, and there is nothing to say of it.
    PassedOver,
    /// No hop whose keys are known looks for it, but some may that wait for theirs; else there is nothing to say of it.
    Waits,
    /// It has to be looked at hop by hop.
    LookedAt,
}

/// Whether a hop may want a row.
#[derive(Debug)]
pub(super) struct Gate {
    switches: Vec<Switch>,
    /// Hops that are asked about every row.
    others: Vec<GateHop>,
}

/// Hops that want rows with some values of a field.
#[derive(Debug)]
struct Switch {
    field: usize,
    /// How values of the field compare, if that is known.
    own: Option<KeyForm>,
    /// By value. A field has one value, so one of them is right at the most.
    cases: Vec<(Box<[u8]>, Vec<GateHop>)>,
}

/// What the gate has to know of a hop.
#[derive(Debug, Clone)]
pub(super) struct GateHop {
    pub conditions: Vec<FieldTest>,
    pub child: Vec<usize>,
    pub shape: KeyShape,
    pub keys: GateKeys,
}

/// The keys that a hop looks for.
#[derive(Debug, Clone)]
pub(super) enum GateKeys {
    Known(Arc<KeySet>),
    /// They are not known, so that every row with a key may be wanted.
    Awaited {
        /// More than that has to be noted of a row that waits.
        noted: bool,
    },
}

impl Gate {
    pub(super) fn new(hops: impl IntoIterator<Item = GateHop>) -> Gate {
        let mut gate = Gate {
            switches: Vec::new(),
            others: Vec::new(),
        };
        for mut hop in hops {
            let at = hop.conditions.iter().position(|it| cases_of(it).is_some());
            let condition = at.map(|at| hop.conditions.remove(at));
            match condition.as_ref().and_then(cases_of) {
                Some(Cases { field, own, values }) => {
                    let switch = gate.switch(field, own);
                    for value in values {
                        switch.add(value, hop.clone());
                    }
                }
                None => gate.others.push(hop),
            }
        }
        gate
    }

    fn switch(&mut self, field: usize, own: Option<KeyForm>) -> &mut Switch {
        let known = self.switches.iter().position(|it| it.field == field);
        let at = known.unwrap_or(self.switches.len());
        if known.is_none() {
            self.switches.push(Switch {
                field,
                own,
                cases: Vec::new(),
            });
        }
        &mut self.switches[at]
    }

    #[inline]
    pub(super) fn ask(&self, row: &impl Fields) -> Answer {
        let mut answer = Answer::PassedOver;
        for switch in &self.switches {
            match switch.hops(row) {
                Some(hops) => answer = ask(hops, row, answer),
                // It is not written as any of the values, but may be one of them.
                None => return Answer::LookedAt,
            }
        }
        ask(&self.others, row, answer)
    }
}

/// The most that these hops say of a row, and what was said of it before.
#[inline]
fn ask(hops: &[GateHop], row: &impl Fields, mut answer: Answer) -> Answer {
    for hop in hops {
        if answer == Answer::LookedAt {
            break;
        }
        answer = answer.max(hop.ask(row));
    }
    answer
}

impl Switch {
    fn add(&mut self, value: &[u8], hop: GateHop) {
        match self.cases.iter_mut().find(|(known, _)| **known == *value) {
            Some((_, hops)) => hops.push(hop),
            None => self.cases.push((value.into(), vec![hop])),
        }
    }

    /// The hops that want rows with the value that this one has; `None` if that cannot be told by its bytes as they stand.
    #[inline]
    fn hops(&self, row: &impl Fields) -> Option<&[GateHop]> {
        let plain = row.plain(self.field);
        let mut cases = self.cases.iter();
        match cases.find(|(value, _)| **value == *plain) {
            Some((_, hops)) => Some(hops),
            None if may_be_another(plain, self.own) && !row.is_null(self.field) => None,
            None => Some(&[]),
        }
    }
}

impl GateHop {
    #[inline]
    fn ask(&self, row: &impl Fields) -> Answer {
        match judge(&self.conditions, row) {
            Judged::Pass => {}
            Judged::Fail => return Answer::PassedOver,
            // There is something to say of it.
            Judged::Wrong(_) => return Answer::LookedAt,
        }
        // The commonest key by far.
        let integer = match self.child.as_slice() {
            [field] if self.shape.is_integer() => parse_integer(row.plain(*field)),
            _ => None,
        };
        let read = match integer {
            Some(key) => KeyRead::Is(IndexKey::Integer(key)),
            None => self.shape.read(row, &self.child),
        };
        match (read, &self.keys) {
            (KeyRead::Is(key), GateKeys::Known(keys)) => match keys.contains(key) {
                true => Answer::LookedAt,
                false => Answer::PassedOver,
            },
            (KeyRead::Is(_), GateKeys::Awaited { noted: false }) => Answer::Waits,
            (KeyRead::Is(_), GateKeys::Awaited { noted: true }) => Answer::LookedAt,
            (KeyRead::Null, _) => Answer::PassedOver,
            // There is something to say of it.
            (KeyRead::Wrong(_), _) => Answer::LookedAt,
        }
    }
}

/// A condition that asks for one of some values of a field.
struct Cases<'c> {
    field: usize,
    /// How values of the field compare, if that is known.
    own: Option<KeyForm>,
    values: &'c [Box<[u8]>],
}

/// The field and the values of a condition that asks for one of some values which are compared as they stand. The empty one is
/// none of them, which in CSV is written as NULL is.
fn cases_of(condition: &FieldTest) -> Option<Cases<'_>> {
    match (&condition.test, condition.field) {
        (
            ValueTest::OneOf {
                values,
                form: None,
                own,
                escaped: false,
                null: false,
                not: false,
            },
            Some(field),
        ) if values.iter().all(|value| !value.is_empty()) => Some(Cases {
            field,
            own: *own,
            values,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Answer::{LookedAt, PassedOver, Waits};
    use super::*;
    use crate::resolve::keys::{CopyFields, OpenKeys};

    const TYPES: [&str; 4] = ["Note", "Epic", "\\N", ""];

    fn one_of(field: usize, values: &[&str], null: bool, not: bool) -> FieldTest {
        FieldTest {
            field: Some(field),
            test: ValueTest::OneOf {
                values: values.iter().map(|value| value.as_bytes().into()).collect(),
                form: None,
                own: None,
                escaped: false,
                null,
                not,
            },
        }
    }

    fn hop(conditions: Vec<FieldTest>, keys: Option<&[i64]>) -> GateHop {
        let keys = match keys {
            Some(keys) => {
                let keys: OpenKeys = keys.iter().copied().map(IndexKey::Integer).collect();
                GateKeys::Known(Arc::new(KeySet::of(keys, true)))
            }
            None => GateKeys::Awaited { noted: false },
        };
        GateHop {
            conditions,
            child: vec![0],
            shape: KeyShape::integer(),
            keys,
        }
    }

    /// A row of an id, a type and a state.
    fn with_row<T>(fields: [&str; 3], look: impl FnOnce(&CopyFields<'_>) -> T) -> T {
        let text = fields.join("\t");
        let mut begin = 0;
        let ranges = fields.map(|field| {
            let range = begin..begin + field.len();
            begin = range.end + 1;
            range
        });
        look(&CopyFields {
            bytes: text.as_bytes(),
            fields: &ranges,
        })
    }

    #[test]
    fn a_row_is_let_in_by_the_hops_of_its_type_alone() {
        let note = |more: Vec<FieldTest>| {
            let mut conditions = vec![one_of(1, &["Note"], false, false)];
            conditions.extend(more);
            conditions
        };
        let gate = Gate::new([
            hop(note(vec![]), Some(&[1, 2])),
            hop(note(vec![one_of(2, &["open"], false, false)]), None),
            hop(vec![one_of(1, &["Epic"], false, false)], Some(&[3])),
            hop(vec![one_of(1, &["Milestone"], true, false)], Some(&[9])),
        ]);
        let cases = [
            (["1", "Note", "shut"], LookedAt),
            (["1", "Note", "open"], LookedAt),
            (["3", "Note", "shut"], PassedOver),
            (["3", "Note", "open"], Waits),
            (["3", "Epic", "open"], LookedAt),
            (["1", "Epic", "open"], PassedOver),
            (["9", "\\N", "open"], LookedAt),
            (["9", "Epics", "open"], PassedOver),
            (["\\N", "Note", "open"], PassedOver),
            (["\\N", "Epic", "open"], PassedOver),
            // Of what is no key there is something to say, if a hop's conditions hold.
            (["x", "Note", "shut"], LookedAt),
            (["x", "Issue", "shut"], PassedOver),
        ];
        for (row, expected) in cases {
            assert_eq!(with_row(row, |row| gate.ask(row)), expected, "{row:?}");
        }
    }

    #[test]
    fn a_row_of_which_more_is_noted_is_looked_at() {
        let mut hop = hop(vec![], None);
        hop.keys = GateKeys::Awaited { noted: true };
        let gate = Gate::new([hop]);
        let row = ["1", "Note", "open"];
        assert_eq!(with_row(row, |row| gate.ask(row)), LookedAt);
    }

    proptest! {
        /// Held against the definition: the most that a hop says whose conditions hold.
        #[test]
        fn it_is_as_if_every_hop_had_been_asked(
            hops in proptest::collection::vec(
                (
                    proptest::collection::vec((1..3usize, 0..4usize, 0..4usize, any::<bool>(), any::<bool>()), 0..3),
                    proptest::option::of(proptest::collection::vec(0..6i64, 1..4)),
                ),
                0..5,
            ),
            rows in proptest::collection::vec((0..8usize, 0..4usize, 0..4usize), 1..20),
        ) {
            let made = || hops.iter().map(|(conditions, keys)| {
                let conditions = conditions.iter().map(|(field, one, other, null, not)| {
                    one_of(*field, &[TYPES[*one], TYPES[*other]], *null, *not)
                });
                hop(conditions.collect(), keys.as_deref())
            });
            let gate = Gate::new(made());
            for (id, kind, state) in rows {
                let id = ["0", "1", "2", "3", "4", "5", "x", "\\N"][id];
                let row = [id, TYPES[kind], TYPES[state]];
                with_row(row, |fields| {
                    let answers = made().map(|hop| {
                        if !matches!(judge(&hop.conditions, fields), Judged::Pass) {
                            return PassedOver;
                        }
                        match (hop.shape.read(fields, &hop.child), &hop.keys) {
                            (KeyRead::Is(key), GateKeys::Known(keys)) if keys.contains(key) => LookedAt,
                            (KeyRead::Is(_), GateKeys::Known(_)) | (KeyRead::Null, _) => PassedOver,
                            (KeyRead::Is(_), GateKeys::Awaited { .. }) => Waits,
                            (KeyRead::Wrong(_), _) => LookedAt,
                        }
                    });
                    let expected = answers.max().unwrap_or(PassedOver);
                    assert_eq!(gate.ask(fields), expected, "{row:?}");
                });
            }
        }
    }
}
