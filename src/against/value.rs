//! What a column's value must be as JSON, by its type alone: a second reading of docs/pipeline.md, "How values are
//! written", made to be plainly right and not to be quick.

use crate::civil::{CivilDate, SECONDS_PER_DAY, split_bc};
use crate::hex;
use crate::pipeline::ValueForm;
use crate::snapshot::SqlType;

use crate::json_text as json;

/// Why a type's values are not compared; `None` if they are.
pub(super) fn not_compared(sql_type: &SqlType, form: ValueForm) -> Option<&'static str> {
    match sql_type {
        SqlType::Array(element) => match element.as_ref() {
            SqlType::Real | SqlType::Double => Some("arrays of floats have several texts"),
            element => not_compared(element, form),
        },
        SqlType::Other(name)
            if form == ValueForm::Exact
                && ["tstzrange", "tstzmultirange"].contains(&name.as_str()) =>
        {
            Some("its times are converted to UTC")
        }
        _ => None,
    }
}

/// The JSON text of a value; `None` if it is no value of its type.
pub(super) fn json_of(sql_type: &SqlType, form: ValueForm, value: Option<&[u8]>) -> Option<String> {
    let Some(value) = value else {
        return Some("null".to_owned());
    };
    let text = std::str::from_utf8(value).ok()?;
    let exact = form == ValueForm::Exact;
    match sql_type {
        SqlType::SmallInt | SqlType::Integer | SqlType::BigInt => text
            .trim()
            .parse::<i64>()
            .ok()
            .map(|number| number.to_string()),
        SqlType::Boolean => match text {
            "t" | "true" => Some("true".to_owned()),
            "f" | "false" => Some("false".to_owned()),
            _ => None,
        },
        SqlType::Timestamp | SqlType::TimestampTz | SqlType::Date => match (text, exact) {
            ("infinity" | "-infinity", false) => Some("null".to_owned()),
            ("infinity" | "-infinity", true) => Some(json::string(text)),
            _ => time(text, sql_type, exact).map(|text| json::string(&text)),
        },
        SqlType::Numeric => match (text, exact) {
            (_, true) => Some(json::string(text)),
            ("NaN" | "Infinity" | "-Infinity", false) => Some("null".to_owned()),
            _ => decimal(text).map(|text| json::string(&text)),
        },
        SqlType::Real | SqlType::Double => match (text, exact) {
            ("NaN" | "Infinity" | "-Infinity", true) => Some(json::string(text)),
            ("NaN" | "Infinity" | "-Infinity", false) => Some("null".to_owned()),
            _ => float(text).map(|_| text.to_owned()),
        },
        SqlType::Json | SqlType::Jsonb => Some(json::canonical(text)),
        SqlType::Bytea => {
            let digits = text.strip_prefix("\\x")?;
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let digits = digits.to_ascii_lowercase();
            is_hex.then(|| match exact {
                true => json::string(&format!("\\x{digits}")),
                false => json::string(&digits),
            })
        }
        SqlType::Array(element) => array(text, element, form),
        SqlType::Text
        | SqlType::Varchar
        | SqlType::Character
        | SqlType::Citext
        | SqlType::Other(_) => Some(json::string(text)),
    }
}

/// A float as the same number has it everywhere: the texts of one may differ in their digits.
pub(super) fn float(text: &str) -> Option<String> {
    let number: f64 = text.parse().ok()?;
    Some(hex::encode(&number.to_be_bytes()))
}

/// A decimal number without zeros at its end, but with a digit behind the point.
fn decimal(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let or_zero = |digits: &str| match digits {
        "" => "0".to_owned(),
        digits => digits.to_owned(),
    };
    let sign = match (whole, fraction) {
        ("", "") => "",
        _ => sign,
    };
    Some(format!("{sign}{}.{}", or_zero(whole), or_zero(fraction)))
}

/// A date or a time as JSON has it, from PostgreSQL's ISO form.
fn time(text: &str, sql_type: &SqlType, exact: bool) -> Option<String> {
    let (bytes, is_bc) = split_bc(text.as_bytes());
    let (date, rest) = CivilDate::read(bytes, is_bc)?;
    if *sql_type == SqlType::Date {
        return rest.is_empty().then(|| date.to_string());
    }
    let rest = std::str::from_utf8(rest).ok()?;
    let rest = rest.strip_prefix([' ', 'T'])?;
    let (clock, offset) = match rest.find(['+', '-', 'Z']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let seconds = clock_seconds(clock)?;
    let offset = match (sql_type, offset) {
        (SqlType::Timestamp, "") | (SqlType::TimestampTz, "Z") => 0,
        (SqlType::TimestampTz, offset) => match offset.split_at_checked(1)? {
            ("+", offset) => clock_seconds(offset)?,
            ("-", offset) => -clock_seconds(offset)?,
            _ => return None,
        },
        _ => return None,
    };
    let all = date.to_days() * SECONDS_PER_DAY + seconds - offset;
    let date = CivilDate::from_days(all.div_euclid(SECONDS_PER_DAY));
    let second = all.rem_euclid(SECONDS_PER_DAY);
    let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
    let digits = if exact { 6 } else { 3 };
    let fraction: String = fraction
        .chars()
        .chain(std::iter::repeat('0'))
        .take(digits)
        .collect();
    let zone = match (exact, sql_type) {
        (true, SqlType::Timestamp) => "",
        _ => "Z",
    };
    Some(format!(
        "{date}T{hours:02}:{minutes:02}:{seconds:02}.{fraction}{zone}"
    ))
}

/// The seconds of `hh`, `hh:mm` or `hh:mm:ss`.
fn clock_seconds(text: &str) -> Option<i64> {
    let mut seconds = 0;
    let mut unit = 3600;
    for part in text.split(':') {
        seconds += part.parse::<u32>().ok().map(i64::from)? * unit;
        unit /= 60;
    }
    Some(seconds)
}

/// An array's elements, each by its type.
fn array(text: &str, element: &SqlType, form: ValueForm) -> Option<String> {
    let mut element = element;
    while let SqlType::Array(inner) = element {
        element = inner;
    }
    let body = match text.split_once('=') {
        Some((bounds, body)) if bounds.starts_with('[') => {
            if form == ValueForm::Exact {
                return Some(json::string(text));
            }
            body
        }
        Some(_) | None => text,
    };
    let delimiter = match element {
        SqlType::Other(name) if name == "box" => ';',
        _ => ',',
    };
    let mut out = String::new();
    let mut letters = body.chars().peekable();
    // The text between two delimiters, and whether it was quoted.
    let mut word: Option<(String, bool)> = None;
    let mut depth = 0u32;
    while let Some(letter) = letters.next() {
        match letter {
            '{' => {
                depth += 1;
                out.push('[');
            }
            '}' | ',' | ';' if letter == '}' || letter == delimiter => {
                if let Some((text, quoted)) = word.take() {
                    let value = (quoted || text != "NULL").then_some(text.as_bytes());
                    out.push_str(&json_of(element, form, value)?);
                }
                if letter == '}' {
                    depth = depth.checked_sub(1)?;
                    out.push(']');
                } else {
                    out.push(',');
                }
            }
            '"' => {
                let (text, quoted) = word.get_or_insert_default();
                *quoted = true;
                loop {
                    match letters.next()? {
                        '"' => break,
                        '\\' => text.push(letters.next()?),
                        letter => text.push(letter),
                    }
                }
            }
            '\\' => word.get_or_insert_default().0.push(letters.next()?),
            letter => word.get_or_insert_default().0.push(letter),
        }
    }
    (depth == 0 && word.is_none()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_that_the_contract_has() {
        let cases = [
            ("bigint", "-9223372036854775808", "-9223372036854775808"),
            ("boolean", "t", "true"),
            (
                "timestamp",
                "2021-05-04 11:25:20.423999",
                "\"2021-05-04T11:25:20.423Z\"",
            ),
            (
                "timestamp",
                "2021-05-04 11:25:20",
                "\"2021-05-04T11:25:20.000Z\"",
            ),
            (
                "timestamptz",
                "2021-05-04 00:25:20.4+02",
                "\"2021-05-03T22:25:20.400Z\"",
            ),
            (
                "timestamptz",
                "2021-12-31 23:30:00-00:30:15",
                "\"2022-01-01T00:00:15.000Z\"",
            ),
            ("timestamp", "infinity", "null"),
            ("date", "0002-03-01 BC", "\"-0001-03-01\""),
            ("numeric", "12.500", "\"12.5\""),
            ("numeric", "100", "\"100.0\""),
            ("numeric", "-0.00", "\"0.0\""),
            ("numeric", "NaN", "null"),
            ("jsonb", "{\"a\": \"<\"}", "{\"a\":\"<\"}"),
            ("bytea", "\\xDEadbeef", "\"deadbeef\""),
            ("text", "a\"b", "\"a\\\"b\""),
            ("integer[]", "[0:1]={1,NULL}", "[1,null]"),
            (
                "text[]",
                "{{a,\"b,\\\"c\"},{\"NULL\",NULL}}",
                "[[\"a\",\"b,\\\"c\"],[\"NULL\",null]]",
            ),
            ("text[]", "{}", "[]"),
            (
                "uuid",
                "7f0e2a00-0000-0000-0000-000000000000",
                "\"7f0e2a00-0000-0000-0000-000000000000\"",
            ),
        ];
        for (sql_type, text, expected) in cases {
            let value = json_of(
                &SqlType::parse(sql_type),
                ValueForm::Gitlab,
                Some(text.as_bytes()),
            );
            assert_eq!(value.as_deref(), Some(expected), "{sql_type} {text}");
        }
    }

    #[test]
    fn exact_values_have_all_that_the_database_knows() {
        let cases = [
            (
                "timestamp",
                "2021-05-04 11:25:20.423999",
                "\"2021-05-04T11:25:20.423999\"",
            ),
            (
                "timestamptz",
                "2021-05-04 11:25:20+00",
                "\"2021-05-04T11:25:20.000000Z\"",
            ),
            ("date", "infinity", "\"infinity\""),
            ("numeric", "12.500", "\"12.500\""),
            ("bytea", "\\xdeadbeef", "\"\\\\xdeadbeef\""),
            ("integer[]", "[0:1]={1,2}", "\"[0:1]={1,2}\""),
            ("double precision", "NaN", "\"NaN\""),
        ];
        for (sql_type, text, expected) in cases {
            let value = json_of(
                &SqlType::parse(sql_type),
                ValueForm::Exact,
                Some(text.as_bytes()),
            );
            assert_eq!(value.as_deref(), Some(expected), "{sql_type} {text}");
        }
    }

    #[test]
    fn what_is_no_value_of_its_type_is_none() {
        for (sql_type, text) in [
            ("integer", "x"),
            ("boolean", "maybe"),
            ("timestamp", "2021-13-01 00:00:00"),
            ("timestamptz", "2021-05-04 11:25:20"),
            ("numeric", "1e5"),
            ("bytea", "abc"),
            ("text[]", "{a"),
        ] {
            let value = json_of(
                &SqlType::parse(sql_type),
                ValueForm::Gitlab,
                Some(text.as_bytes()),
            );
            assert_eq!(value, None, "{sql_type} {text}");
        }
    }
}
