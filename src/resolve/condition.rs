//! Conditions on rows: a pipeline's tests, made ready for the types of their columns.

use std::borrow::Cow;

use crate::key::KeyForm;
use crate::pipeline::{Condition, Test};
use crate::snapshot::{Catalog, Table};

use super::keys::{Fields, parse_integer};

/// A test of one column.
#[derive(Debug, Clone)]
pub struct ColumnTest {
    pub column: String,
    pub test: ValueTest,
}

/// What is asked of a value.
#[derive(Debug, Clone)]
pub enum ValueTest {
    /// It is one of these, or NULL if `null` says so. Turned round by `not`.
    OneOf {
        /// In their canonical form.
        values: Vec<Box<[u8]>>,
        /// How values are made canonical before they are compared; `None` if they are compared as they stand.
        form: Option<KeyForm>,
        /// That of the column, if it is known.
        own: Option<KeyForm>,
        /// One of them may be written with escapes or quotes.
        escaped: bool,
        null: bool,
        not: bool,
    },
    /// It is an integer between these two, neither of them included.
    Integer {
        above: Option<i64>,
        below: Option<i64>,
    },
    /// By the bytes that its type is ordered by, it is between these two.
    Between {
        form: KeyForm,
        above: Option<Vec<u8>>,
        below: Option<Vec<u8>>,
    },
    Prefix {
        start: Box<[u8]>,
        form: TextForm,
    },
    /// A text of so many characters.
    Length {
        characters: u32,
        form: TextForm,
    },
}

/// What comes of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Passes,
    Fails,
    /// The value is none of its column's type, so nobody knows: bytes were damaged.
    Wrong,
}

impl From<bool> for Verdict {
    #[inline]
    fn from(passes: bool) -> Verdict {
        match passes {
            true => Verdict::Passes,
            false => Verdict::Fails,
        }
    }
}

/// Which part of a text counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextForm {
    Whole,
    /// It is filled up with blanks, which PostgreSQL neither counts nor compares.
    Padded,
}

impl TextForm {
    fn of(form: Option<KeyForm>) -> Option<TextForm> {
        match form {
            Some(KeyForm::Text | KeyForm::Folded) => Some(TextForm::Whole),
            Some(KeyForm::Padded) => Some(TextForm::Padded),
            Some(_) | None => None,
        }
    }

    fn part(self, text: &[u8]) -> &[u8] {
        match self {
            TextForm::Whole => text,
            TextForm::Padded => {
                let blanks = text.iter().rev().take_while(|byte| **byte == b' ').count();
                &text[..text.len() - blanks]
            }
        }
    }
}

impl ColumnTest {
    /// Makes the conditions of a list ready for the columns of a table.
    ///
    /// # Errors
    /// The condition that has no meaning for its column, and why.
    pub fn all<'c>(
        conditions: &'c [Condition],
        table: &Table,
        catalog: &Catalog,
    ) -> Result<Vec<ColumnTest>, (&'c Condition, String)> {
        let tests = conditions.iter().map(|condition| {
            let column = table.column(&condition.column);
            let form = column.and_then(|(_, column)| KeyForm::of(&column.sql_type, catalog));
            let test = ValueTest::new(&condition.test, form);
            Ok(ColumnTest {
                column: condition.column.clone(),
                test: test.map_err(|reason| (condition, reason))?,
            })
        });
        tests.collect()
    }
}

impl ValueTest {
    /// Makes a test ready for a column whose values compare in this form.
    ///
    /// # Errors
    /// What is wrong, if the test has no meaning for such a column.
    pub fn new(test: &Test, form: Option<KeyForm>) -> Result<ValueTest, String> {
        let is_escaped = |byte: u8| byte < b' ' || matches!(byte, b'\\' | b'"');
        let one_of = |values: &[String], null: bool, not: bool| ValueTest::OneOf {
            escaped: values.iter().any(|value| value.bytes().any(is_escaped)),
            // What is no value of the type equals none.
            values: values
                .iter()
                .filter_map(|value| canonical(form, value.as_bytes()))
                .map(|value| value.into())
                .collect(),
            form: form.filter(|form| !is_as_written(*form)),
            own: form,
            null,
            not,
        };
        Ok(match test {
            Test::In { values, null } => one_of(values, *null, false),
            Test::NotIn { values, null } => one_of(values, *null, true),
            Test::Prefix(text) => ValueTest::Prefix {
                start: text.as_bytes().into(),
                form: TextForm::of(form).ok_or("`like` needs a text")?,
            },
            Test::Length(length) => ValueTest::Length {
                characters: *length,
                form: TextForm::of(form).ok_or("`length` needs a text")?,
            },
            Test::Between { above, below } => {
                let of_bounds = form.and_then(KeyForm::of_bounds);
                let of_bounds = of_bounds.ok_or("it is neither a number nor a date or time")?;
                // The inner one is `None` for a bound that is no integer.
                let integer = |bound: &Option<String>| {
                    bound.as_ref().map(|bound| parse_integer(bound.as_bytes()))
                };
                let (over, under) = (integer(above), integer(below));
                let are_integers = over != Some(None) && under != Some(None);
                match form == Some(KeyForm::Integer) && are_integers {
                    true => ValueTest::Integer {
                        above: over.flatten(),
                        below: under.flatten(),
                    },
                    false => ValueTest::Between {
                        form: of_bounds,
                        above: bound(of_bounds, above)?,
                        below: bound(of_bounds, below)?,
                    },
                }
            }
        })
    }

    /// True if a row passes. A value that is none of its type passes nothing; whoever writes it says so.
    pub fn passes(&self, row: &impl Fields, field: Option<usize>) -> bool {
        self.judge(row, field) == Verdict::Passes
    }

    /// Whether a row passes. `None` stands for a column that the row's data does not have: it is NULL there.
    #[inline]
    pub fn judge(&self, row: &impl Fields, field: Option<usize>) -> Verdict {
        // The commonest test by far is made of the bytes as they stand.
        if let (
            ValueTest::OneOf {
                values,
                form: None,
                own,
                escaped: _,
                null,
                not,
            },
            Some(field),
        ) = (self, field)
        {
            let plain = row.plain(field);
            // NULL is written as no text that is in the list, apart from the empty one.
            let is_one = match values.iter().any(|value| **value == *plain) {
                true => !plain.is_empty() || !row.is_null(field) || *null,
                false if may_be_another(plain, *own) && !row.is_null(field) => {
                    return is_one_of(values, *own, row, field, *not);
                }
                false => *null && row.is_null(field),
            };
            return (is_one != *not).into();
        }
        self.judge_value(row, field.filter(|field| !row.is_null(*field)))
    }

    /// As [`ValueTest::judge`]; `None` stands for NULL.
    fn judge_value(&self, row: &impl Fields, field: Option<usize>) -> Verdict {
        let Some(field) = field else {
            return match self {
                ValueTest::OneOf { null, not, .. } => (null != not).into(),
                _ => Verdict::Fails,
            };
        };
        match self {
            ValueTest::OneOf {
                values, own, not, ..
            } => is_one_of(values, *own, row, field, *not),
            ValueTest::Integer { above, below } => {
                let value = parse_integer(row.plain(field)).or_else(|| {
                    let text = row.value(field)?;
                    parse_integer(&KeyForm::Integer.canonical(&text)?)
                });
                let Some(value) = value else {
                    return Verdict::Wrong;
                };
                let is_between = above.is_none_or(|above| value > above)
                    && below.is_none_or(|below| value < below);
                is_between.into()
            }
            ValueTest::Between { form, above, below } => {
                let mut value = Vec::new();
                let text = row.value(field);
                if !text.is_some_and(|text| form.encode(&text, &mut value)) {
                    return Verdict::Wrong;
                }
                let is_between = above.as_ref().is_none_or(|above| value > *above)
                    && below.as_ref().is_none_or(|below| value < *below);
                is_between.into()
            }
            ValueTest::Length { characters, form } => {
                let Some(text) = row.value(field) else {
                    return Verdict::Wrong;
                };
                let found = String::from_utf8_lossy(form.part(&text)).chars().count();
                let is_so_long = u32::try_from(found).is_ok_and(|found| found == *characters);
                is_so_long.into()
            }
            ValueTest::Prefix { start, form } => match row.value(field) {
                Some(text) => form.part(&text).starts_with(start).into(),
                None => Verdict::Wrong,
            },
        }
    }
}

/// True if bytes as they stand that are none of the wanted values may be another spelling of one, or of none at all.
#[inline]
pub(super) fn may_be_another(plain: &[u8], own: Option<KeyForm>) -> bool {
    match own {
        Some(KeyForm::Integer) => parse_integer(plain).is_none(),
        Some(KeyForm::Uuid) => true,
        Some(_) | None => {
            let is_odd = |byte: u8| !(b' '..=b'~').contains(&byte) || matches!(byte, b'\\' | b'"');
            // Without a branch for each byte.
            plain.iter().fold(false, |odd, byte| odd | is_odd(*byte))
        }
    }
}

/// True if a value's canonical form is the one in which PostgreSQL writes it.
fn is_as_written(form: KeyForm) -> bool {
    matches!(
        form,
        KeyForm::Integer | KeyForm::Text | KeyForm::Uuid | KeyForm::Verbatim
    )
}

fn canonical(form: Option<KeyForm>, value: &[u8]) -> Option<Cow<'_, [u8]>> {
    match form {
        Some(form) => form.canonical(value),
        None => Some(Cow::Borrowed(value)),
    }
}

/// Whether a value that is not NULL is one of the list, however it is written.
#[cold]
fn is_one_of(
    values: &[Box<[u8]>],
    own: Option<KeyForm>,
    row: &impl Fields,
    field: usize,
    not: bool,
) -> Verdict {
    let Some(text) = row.value(field) else {
        return Verdict::Wrong;
    };
    match canonical(own, &text) {
        Some(text) => (values.iter().any(|value| **value == *text) != not).into(),
        None => Verdict::Wrong,
    }
}

/// The bytes of a bound.
fn bound(form: KeyForm, bound: &Option<String>) -> Result<Option<Vec<u8>>, String> {
    let Some(bound) = bound else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    match form.encode(bound.as_bytes(), &mut bytes) {
        true => Ok(Some(bytes)),
        false => Err(format!("\"{bound}\" is no value of its type")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::keys::WholeRow;

    fn passes(test: &Test, form: KeyForm, value: &str) -> bool {
        let test = ValueTest::new(test, Some(form)).unwrap();
        test.passes(&WholeRow(value.as_bytes()), Some(0))
    }

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn values_equal_as_their_type_says() {
        let one_of = |values: &[&str], null: bool| Test::In {
            values: texts(values),
            null,
        };
        let none_of = |values: &[&str], null: bool| Test::NotIn {
            values: texts(values),
            null,
        };
        let cases = [
            (one_of(&["5"], false), KeyForm::Integer, "5", true),
            (one_of(&["5"], false), KeyForm::Integer, "6", false),
            (one_of(&["5"], false), KeyForm::Integer, "\\N", false),
            (one_of(&["5"], true), KeyForm::Integer, "\\N", true),
            (one_of(&["1.0"], false), KeyForm::Numeric, "1.00", true),
            (one_of(&["a\tb"], false), KeyForm::Text, "a\\tb", true),
            (one_of(&["a\\b"], false), KeyForm::Text, "a\\\\b", true),
            (one_of(&["t"], false), KeyForm::Boolean, "t", true),
            (one_of(&["t"], false), KeyForm::Boolean, "true", true),
            (none_of(&["paid"], false), KeyForm::Text, "paid", false),
            (none_of(&["paid"], false), KeyForm::Text, "open", true),
            (none_of(&["paid"], false), KeyForm::Text, "\\N", true),
            (none_of(&["paid"], true), KeyForm::Text, "\\N", false),
            (none_of(&[], true), KeyForm::Text, "open", true),
        ];
        for (test, form, value, expected) in cases {
            assert_eq!(passes(&test, form, value), expected, "{test:?} {value}");
        }
    }

    #[test]
    fn bounds_are_read_as_the_column_is() {
        let between = |above: Option<&str>, below: Option<&str>| Test::Between {
            above: above.map(str::to_owned),
            below: below.map(str::to_owned),
        };
        let cases = [
            (between(Some("5"), None), KeyForm::Integer, "6", true),
            (between(Some("5"), None), KeyForm::Integer, "5", false),
            (between(Some("5"), Some("7")), KeyForm::Integer, "7", false),
            (between(Some("5"), None), KeyForm::Integer, "\\N", false),
            (between(Some("4.5"), None), KeyForm::Integer, "5", true),
            (between(Some("9"), None), KeyForm::Numeric, "10.5", true),
            (
                between(None, Some("2024-01-01")),
                KeyForm::Date,
                "2023-12-31",
                true,
            ),
            (
                between(None, Some("2024-01-01")),
                KeyForm::Date,
                "2024-01-01",
                false,
            ),
        ];
        for (test, form, value, expected) in cases {
            assert_eq!(passes(&test, form, value), expected, "{test:?} {value}");
        }
        let prefix = |start: &str| Test::Prefix(start.to_owned());
        // As `length()` and the text of a `character(n)` have it.
        for (test, form, value, expected) in [
            (Test::Length(2), KeyForm::Padded, "ab   ", true),
            (Test::Length(5), KeyForm::Padded, "ab   ", false),
            (Test::Length(5), KeyForm::Text, "ab   ", true),
            (Test::Length(3), KeyForm::Padded, "a b  ", true),
            (Test::Length(0), KeyForm::Padded, "     ", true),
            (prefix("ab "), KeyForm::Padded, "ab   ", false),
            (prefix("ab "), KeyForm::Text, "ab   ", true),
            (prefix("a "), KeyForm::Padded, "a b  ", true),
        ] {
            assert_eq!(passes(&test, form, value), expected, "{test:?} {value}");
        }
        let error = ValueTest::new(&between(Some("soon"), None), Some(KeyForm::Date));
        assert!(error.is_err());
        let like = Test::Prefix("1".to_owned());
        assert!(ValueTest::new(&like, Some(KeyForm::Text)).is_ok());
        assert!(ValueTest::new(&like, Some(KeyForm::Integer)).is_err());
    }

    #[test]
    fn a_value_counts_however_it_is_written_and_one_of_no_type_is_wrong() {
        let one_of = |value: &str| Test::In {
            values: texts(&[value]),
            null: false,
        };
        let none_of = |value: &str| Test::NotIn {
            values: texts(&[value]),
            null: false,
        };
        let above = |bound: &str| Test::Between {
            above: Some(bound.to_owned()),
            below: None,
        };
        let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        use Verdict::{Fails, Passes, Wrong};
        for (test, form, value, expected) in [
            (one_of("Note"), KeyForm::Text, &b"No\\te"[..], Fails),
            (one_of("Nose"), KeyForm::Text, b"No\\se", Passes),
            (one_of("Note"), KeyForm::Text, b"\\x4eote", Passes),
            (one_of("Note"), KeyForm::Text, b"\\116ote", Passes),
            (none_of("Note"), KeyForm::Text, b"\\x4eote", Fails),
            (one_of("Note"), KeyForm::Text, b"Note\\", Wrong),
            (one_of("Note"), KeyForm::Text, b"Note\\x00", Wrong),
            (one_of("Note"), KeyForm::Text, b"Note\xff", Wrong),
            (one_of("Note"), KeyForm::Text, b"No\rte", Wrong),
            (none_of("Note"), KeyForm::Text, b"Note\xff", Wrong),
            (one_of("Note"), KeyForm::Text, b"No\\rte", Fails),
            (one_of("Note"), KeyForm::Text, "Nöte".as_bytes(), Fails),
            (one_of("Nöte"), KeyForm::Text, "Nöte".as_bytes(), Passes),
            (one_of("Note"), KeyForm::Text, b"\\N", Fails),
            (one_of("50"), KeyForm::Integer, b" +50", Passes),
            (one_of("50"), KeyForm::Integer, b"5x", Wrong),
            (one_of("50"), KeyForm::Integer, b"", Wrong),
            (one_of("5"), KeyForm::Integer, b"50", Fails),
            (above("5"), KeyForm::Integer, b"+50", Passes),
            (above("5"), KeyForm::Integer, b" 50 ", Passes),
            (above("5"), KeyForm::Integer, b"5x", Wrong),
            (above("5"), KeyForm::Integer, b"\\N", Fails),
            (above("5.5"), KeyForm::Numeric, b"six", Wrong),
            (
                one_of(uuid),
                KeyForm::Uuid,
                b"{0F8FAD5BD9CB469FA16570867728950E}",
                Passes,
            ),
            (one_of(uuid), KeyForm::Uuid, b"0f8f", Wrong),
            (Test::Length(4), KeyForm::Text, b"Note\\", Wrong),
            (
                Test::Prefix("No".to_owned()),
                KeyForm::Text,
                b"No\xff",
                Wrong,
            ),
            (
                Test::Prefix("No".to_owned()),
                KeyForm::Text,
                b"\\x4eote",
                Passes,
            ),
        ] {
            let ready = ValueTest::new(&test, Some(form)).unwrap();
            let judged = ready.judge(&WholeRow(value), Some(0));
            let shown = String::from_utf8_lossy(value);
            assert_eq!(judged, expected, "{test:?} {shown}");
        }
    }

    /// A field of CSV without a byte: NULL, or an empty text in quotes.
    struct Nothing {
        is_null: bool,
    }

    impl Fields for Nothing {
        fn is_null(&self, _field: usize) -> bool {
            self.is_null
        }

        fn plain(&self, _field: usize) -> &[u8] {
            b""
        }

        fn text(&self, _field: usize) -> Cow<'_, [u8]> {
            Cow::Borrowed(b"")
        }

        fn value(&self, field: usize) -> Option<Cow<'_, [u8]>> {
            Some(self.text(field))
        }
    }

    #[test]
    fn an_empty_text_is_not_null_though_both_are_written_without_a_byte() {
        let cases = [
            (false, false, true),
            (true, false, false),
            (true, true, true),
        ];
        for (is_null, null, expected) in cases {
            let test = Test::In {
                values: texts(&[""]),
                null,
            };
            let test = ValueTest::new(&test, Some(KeyForm::Text)).unwrap();
            let passes = test.passes(&Nothing { is_null }, Some(0));
            assert_eq!(passes, expected, "NULL: {is_null}, NULL passes: {null}");
        }
    }
}
