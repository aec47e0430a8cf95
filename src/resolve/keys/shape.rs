//! Which values make a key, and when two of them are one.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::key::KeyForm;

use super::fields::Fields;
use super::key::{IndexKey, Key};
use super::parse_integer;

/// The forms of a key's columns, one for each.
///
/// The two ends of a link have a shape each. They are made together, so that values that PostgreSQL's `=` takes for equal
/// give equal keys at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyShape {
    forms: Box<[KeyForm]>,
    kind: Kind,
}

/// How an [`IndexKey`] is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// No column: every row has the same key.
    Empty,
    Integer,
    Uuid,
    TwoIntegers,
    Hashed,
}

/// What the fields of a row came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRead<K> {
    Is(K),
    /// One of them is NULL, and NULL equals nothing.
    Null,
    /// The one at this position is no value of its column's type.
    Wrong(usize),
}

/// What the hash of a key begins with: chosen anew by every process.
static SEED: LazyLock<(u64, u64)> = LazyLock::new(|| {
    let random = RandomState::new();
    (random.hash_one(0u8), random.hash_one(1u8))
});

impl KeyShape {
    pub fn new(forms: impl IntoIterator<Item = KeyForm>) -> KeyShape {
        let forms: Box<[KeyForm]> = forms.into_iter().collect();
        let kind = match *forms {
            [] => Kind::Empty,
            [KeyForm::Integer] => Kind::Integer,
            [KeyForm::Uuid] => Kind::Uuid,
            [KeyForm::Integer, KeyForm::Integer] => Kind::TwoIntegers,
            _ => Kind::Hashed,
        };
        KeyShape { forms, kind }
    }

    /// A lone integer.
    pub fn integer() -> KeyShape {
        KeyShape::new([KeyForm::Integer])
    }

    /// The forms of its columns.
    pub fn forms(&self) -> &[KeyForm] {
        &self.forms
    }

    /// True if keys of this shape are kept as the integers that they are.
    pub fn is_integer(&self) -> bool {
        matches!(self.kind, Kind::Integer | Kind::Empty)
    }

    /// The key that stands in these fields of a row, which must be as many as the shape has columns.
    #[inline]
    pub fn read(&self, row: &impl Fields, fields: &[usize]) -> KeyRead<IndexKey> {
        match (self.kind, fields) {
            (Kind::Integer, [field]) => match parse_integer(row.plain(*field)) {
                Some(value) => KeyRead::Is(IndexKey::Integer(value)),
                None if row.is_null(*field) => KeyRead::Null,
                None => KeyRead::Wrong(0),
            },
            (Kind::Empty, _) => KeyRead::Is(IndexKey::Integer(0)),
            (Kind::Uuid, [field]) => {
                match KeyForm::uuid(row.plain(*field)).or_else(|| uuid(&row.text(*field))) {
                    Some(value) => KeyRead::Is(IndexKey::Wide(value)),
                    None if row.is_null(*field) => KeyRead::Null,
                    None => KeyRead::Wrong(0),
                }
            }
            (Kind::TwoIntegers, [first, second]) => {
                let [one, other] = [first, second].map(|field| parse_integer(row.plain(*field)));
                match (one, other) {
                    (Some(one), Some(other)) => KeyRead::Is(IndexKey::Wide(both(one, other))),
                    _ if row.is_null(*first) || row.is_null(*second) => KeyRead::Null,
                    (None, _) => KeyRead::Wrong(0),
                    (Some(_), None) => KeyRead::Wrong(1),
                }
            }
            _ => self.hashed(row, fields),
        }
    }

    fn hashed(&self, row: &impl Fields, fields: &[usize]) -> KeyRead<IndexKey> {
        if fields.iter().any(|field| row.is_null(*field)) {
            return KeyRead::Null;
        }
        let mut hash = Hash::new();
        for (position, (form, field)) in self.forms.iter().zip(fields).enumerate() {
            match form.canonical(&row.text(*field)) {
                Some(text) => hash.add(&text),
                None => return KeyRead::Wrong(position),
            }
        }
        KeyRead::Is(IndexKey::Wide(hash.finish()))
    }

    /// As [`KeyShape::read`], the canonical texts.
    pub fn read_key(&self, row: &impl Fields, fields: &[usize]) -> KeyRead<Key> {
        if let (Kind::Integer, [field]) = (self.kind, fields)
            && let Some(value) = parse_integer(row.plain(*field))
        {
            return KeyRead::Is(Key::Integer(value));
        }
        if fields.iter().any(|field| row.is_null(*field)) {
            return KeyRead::Null;
        }
        let mut texts: Vec<Cow<'_, [u8]>> = Vec::with_capacity(fields.len());
        for (position, (form, field)) in self.forms.iter().zip(fields).enumerate() {
            let text = row.text(*field);
            let Some(canonical) = form.canonical(&text) else {
                return KeyRead::Wrong(position);
            };
            texts.push(Cow::Owned(canonical.into_owned()));
        }
        match self.key(&texts) {
            Some(key) => KeyRead::Is(key),
            None => KeyRead::Wrong(0),
        }
    }

    /// The key of these values; `None` if one of them is none of its type, or they are not as many as the columns.
    pub fn key<T: AsRef<[u8]>>(&self, values: &[T]) -> Option<Key> {
        if values.len() != self.forms.len() {
            return None;
        }
        let texts: Option<Vec<Cow<'_, [u8]>>> = (self.forms.iter().zip(values))
            .map(|(form, value)| form.canonical(value.as_ref()))
            .collect();
        let texts = texts?;
        match (self.kind, texts.as_slice()) {
            (Kind::Integer, [text]) => parse_integer(text).map(Key::Integer),
            _ => Some(Key::of(&texts)),
        }
    }

    /// A key as it is looked up, whichever end of the link its texts are from: canonical, they are the same at both. `None` if
    /// it is not of this shape.
    pub fn index(&self, key: &Key) -> Option<IndexKey> {
        match (self.kind, key) {
            (Kind::Empty, _) => Some(IndexKey::Integer(0)),
            (Kind::Integer, Key::Integer(value)) => Some(IndexKey::Integer(*value)),
            (_, key) => {
                let texts = key.texts(self.forms.len());
                if texts.len() != self.forms.len() {
                    return None;
                }
                match self.kind {
                    Kind::Integer => parse_integer(&texts[0]).map(IndexKey::Integer),
                    Kind::Uuid => uuid(&texts[0]).map(IndexKey::Wide),
                    Kind::TwoIntegers => {
                        let one = parse_integer(&texts[0])?;
                        let other = parse_integer(&texts[1])?;
                        Some(IndexKey::Wide(both(one, other)))
                    }
                    Kind::Hashed | Kind::Empty => {
                        let mut hash = Hash::new();
                        // Read as values of one end, texts of the other might become others: 0.1 is no `real`.
                        for text in &texts {
                            hash.add(text);
                        }
                        Some(IndexKey::Wide(hash.finish()))
                    }
                }
            }
        }
    }
}

/// A uuid in whatever spelling PostgreSQL reads: files that others wrote may have any.
fn uuid(text: &[u8]) -> Option<u128> {
    KeyForm::uuid(&KeyForm::Uuid.canonical(text)?)
}

fn both(one: i64, other: i64) -> u128 {
    u128::from(one as u64) << 64 | u128::from(other as u64)
}

/// The hash of a key's texts, each with its length, so that no two lists of texts are one.
struct Hash(SipHasher24);

impl Hash {
    fn new() -> Hash {
        let (one, other) = *SEED;
        Hash(SipHasher24::new_with_keys(one, other))
    }

    fn add(&mut self, text: &[u8]) {
        use std::hash::Hasher;
        self.0.write(&(text.len() as u64).to_le_bytes());
        self.0.write(text);
    }

    fn finish(&self) -> u128 {
        self.0.finish128().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::keys::WholeRow;

    fn read(forms: &[KeyForm], row: &str) -> KeyRead<IndexKey> {
        let fields: Vec<usize> = (0..forms.len()).collect();
        KeyShape::new(forms.iter().copied()).read(&WholeRow(row.as_bytes()), &fields)
    }

    #[test]
    fn equal_values_are_one_key_and_others_are_not() {
        use KeyForm::{Integer, Numeric, Text, Uuid};
        let same = [
            (vec![Numeric], "1.0", "1.00"),
            (
                vec![Uuid],
                "7F0E0000-0000-4000-8000-000000000001",
                "7f0e0000-0000-4000-8000-000000000001",
            ),
            (
                vec![Uuid],
                "{7F0E0000-00004000-8000000000000001}",
                "7f0e0000-0000-4000-8000-000000000001",
            ),
            (vec![Integer, Numeric], "5\t1.50", "5\t1.5"),
        ];
        for (forms, one, other) in same {
            assert_eq!(read(&forms, one), read(&forms, other), "{one} {other}");
            assert!(matches!(read(&forms, one), KeyRead::Is(_)), "{one}");
        }
        let differ = [
            (vec![Text, Text], "a\tbc", "ab\tc"),
            (vec![Integer, Integer], "1\t2", "2\t1"),
            (vec![Integer, Integer], "-1\t0", "0\t-1"),
            (vec![Text], "a\\tb", "a\\nb"),
        ];
        for (forms, one, other) in differ {
            assert_ne!(read(&forms, one), read(&forms, other), "{one} {other}");
        }
    }

    #[test]
    fn null_links_nothing_and_other_text_is_told() {
        use KeyForm::{Integer, Text, Uuid};
        assert_eq!(read(&[Integer], "\\N"), KeyRead::Null);
        assert_eq!(read(&[Integer], "x"), KeyRead::Wrong(0));
        assert_eq!(read(&[Uuid], "\\N"), KeyRead::Null);
        assert_eq!(read(&[Uuid], "x"), KeyRead::Wrong(0));
        assert_eq!(read(&[Integer, Integer], "5\t\\N"), KeyRead::Null);
        assert_eq!(read(&[Integer, Integer], "5\tx"), KeyRead::Wrong(1));
        assert_eq!(read(&[Text, Integer], "\\N\tx"), KeyRead::Null);
        assert_eq!(read(&[Text, Integer], "a\tx"), KeyRead::Wrong(1));
    }

    #[test]
    fn texts_that_are_not_utf_8_are_keys_like_any_other() {
        let shape = KeyShape::new([KeyForm::Text, KeyForm::Text]);
        let rows: [&[u8]; 2] = [b"a\xff\tb", b"a\xfe\tb"];
        let [one, other] = rows.map(|row| shape.read(&WholeRow(row), &[0, 1]));
        assert_ne!(one, other);
        let KeyRead::Is(key) = shape.read_key(&WholeRow(rows[0]), &[0, 1]) else {
            panic!("{rows:?}");
        };
        assert_eq!(shape.index(&key).map(KeyRead::Is), Some(one));
    }

    #[test]
    fn a_key_as_text_is_found_where_its_row_is() {
        use KeyForm::{Integer, Numeric, Text, Uuid};
        let rows = [
            (vec![Integer], "-7"),
            (vec![Uuid], "7f0e0000-0000-4000-8000-000000000001"),
            (vec![Integer, Integer], "1\t2"),
            (vec![Text, Numeric, Integer], "a\\\\b\t1.50\t9"),
        ];
        for (forms, row) in rows {
            let shape = KeyShape::new(forms.iter().copied());
            let fields: Vec<usize> = (0..forms.len()).collect();
            let row = WholeRow(row.as_bytes());
            let KeyRead::Is(key) = shape.read_key(&row, &fields) else {
                panic!("{row:?}");
            };
            let KeyRead::Is(index) = shape.read(&row, &fields) else {
                panic!("{row:?}");
            };
            assert_eq!(shape.index(&key), Some(index), "{key:?}");
        }
    }
}
