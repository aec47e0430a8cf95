//! Conditions on rows: the tests of a `where`.

use super::model::{Condition, Test};
use super::scalar::Scalar;
use super::validate::Validator;
use super::where_file::{TestFile, WhereFile};
use super::yaml::{Located, Position};

impl Validator<'_> {
    pub(super) fn filter(&mut self, filter: Option<&WhereFile>) -> Vec<Condition> {
        let Some(filter) = filter else {
            return Vec::new();
        };
        filter
            .iter()
            .map(|(column, test)| self.condition(column, test))
            .collect()
    }

    fn condition(&mut self, column: &Located<String>, test: &Located<TestFile>) -> Condition {
        let position = test.position;
        let test = match &test.value {
            TestFile::In(values) => {
                if values.is_empty() {
                    self.mistake(
                        position,
                        "an empty list holds for no row; name at least one value",
                    );
                }
                let (values, null) = self.values_and_null(values, position);
                Test::In { values, null }
            }
            TestFile::Not(values) => {
                if values.is_empty() {
                    self.mistake(
                        position,
                        "`not` of an empty list holds for every row; name at least one value",
                    );
                }
                let (values, null) = self.values_and_null(values, position);
                Test::NotIn { values, null }
            }
            TestFile::Between { above, below } => Test::Between {
                above: self.bound(above.as_ref(), position),
                below: self.bound(below.as_ref(), position),
            },
            TestFile::Like(pattern) => Test::Prefix(self.prefix(pattern, position)),
            TestFile::Length(length) => Test::Length(*length),
        };
        Condition {
            column: self.text(column),
            test,
        }
    }

    /// The values of a list as SQL writes them, and whether NULL is one of them.
    fn values_and_null(&mut self, values: &[Scalar], position: Position) -> (Vec<String>, bool) {
        let mut texts = Vec::new();
        let mut null = false;
        for value in values {
            match value {
                Scalar::Null => null = true,
                value => texts.extend(self.sql(value, position)),
            }
        }
        (texts, null)
    }

    fn bound(&mut self, bound: Option<&Scalar>, position: Position) -> Option<String> {
        match bound? {
            Scalar::Null | Scalar::Boolean(_) => {
                let message = "a bound is a number, or a text that the column's type reads, such as a date; write one";
                self.mistake(position, message);
                None
            }
            bound => self.sql(bound, position),
        }
    }

    fn prefix(&mut self, pattern: &str, position: Position) -> String {
        match pattern.strip_suffix('%') {
            Some(prefix) if !prefix.is_empty() && !prefix.contains('%') => {
                match self.spend(prefix.len() + 32) {
                    true => prefix.to_owned(),
                    false => String::new(),
                }
            }
            _ => {
                let message = "`like` tests how a text begins: it ends with `%`, and has no other one; for instance \
                               \"GR-%\"";
                self.mistake(position, message);
                String::new()
            }
        }
    }

    /// A value in PostgreSQL's text form.
    fn sql(&mut self, value: &Scalar, position: Position) -> Option<String> {
        let text = value.to_sql(self.file_text());
        self.written(text, position)
    }

    /// A value as JSON.
    pub(super) fn json(&mut self, value: &Scalar, position: Position) -> Option<String> {
        let text = value.to_json(self.file_text());
        self.written(text, position)
    }

    fn written(&mut self, text: Option<String>, position: Position) -> Option<String> {
        match text {
            Some(text) => self.spend(text.len() + 32).then_some(text),
            None => {
                let message = "this number is not written as SQL and JSON write it; write it like 0.5 or 12.50, or as \
                               a text in quotes";
                self.mistake(position, message);
                None
            }
        }
    }
}
