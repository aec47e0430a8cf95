//! GraphQL's `Time`.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// A time or a day in ISO 8601.
#[derive(Debug, Clone)]
pub(crate) struct Time(String);

#[Scalar]
impl ScalarType for Time {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Time(text)),
            value => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

impl Time {
    /// A time of a record, without fractions of a second, or a day as it is: what Ruby's `iso8601` makes of both.
    pub(crate) fn of(text: &str) -> Option<Time> {
        let day = text.get(..10)?;
        match text.get(10..19) {
            Some(time) => Some(Time(format!("{day}{time}Z"))),
            None => Some(Time(day.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_days() {
        let text = |text| Time::of(text).map(|time| time.0);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            text("2021-06-01T10:00:00.129Z"),
            some("2021-06-01T10:00:00Z")
        );
        assert_eq!(text("2030-12-31"), some("2030-12-31"));
        assert_eq!(text("infinity"), None);
    }
}
