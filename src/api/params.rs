//! Parameters of a request, from its query and its body, by the rules of GitLab's framework: the body goes before the
//! query, the last of several values counts, and types are checked only for parameters that a route knows.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode;
use serde_json::Value;

use super::errors::ApiError;

/// Named values, as yet without types.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Params(BTreeMap<String, Value>);

impl Params {
    /// Those of a query string. Names in `many` may be given as `name[]`, several times.
    ///
    /// # Errors
    /// 400 where a name or a value is not UTF-8 or holds a NUL.
    pub(crate) fn of_query(query: Option<&str>) -> Result<Params, ApiError> {
        let mut params = Params::default();
        params.add_form(query.unwrap_or_default().as_bytes())?;
        Ok(params)
    }

    /// Those of a query and a body.
    ///
    /// # Errors
    /// As [`Params::of_query`]; 400 for JSON or parts that are none, 415 for a body of another type.
    pub(crate) async fn of_request(
        query: Option<&str>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Params, ApiError> {
        let mut params = Params::of_query(query)?;
        if body.is_empty() {
            return Ok(params);
        }
        let kind = headers
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        match kind.to_ascii_lowercase().as_str() {
            "application/x-www-form-urlencoded" | "" => params.add_form(body)?,
            "application/json" => match serde_json::from_slice(body) {
                Ok(Value::Object(object)) => params.0.extend(object),
                Ok(_) => {}
                Err(_) => {
                    return Err(ApiError::bad_parameter(
                        "Problems parsing JSON: the body is no JSON",
                    ));
                }
            },
            "multipart/form-data" => params.add_parts(headers, body).await?,
            _ => {
                return Err(ApiError::error(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "The provided content-type is not supported.",
                ));
            }
        }
        Ok(params)
    }

    fn add_form(&mut self, form: &[u8]) -> Result<(), ApiError> {
        for pair in form.split(|byte| *byte == b'&') {
            if pair.is_empty() {
                continue;
            }
            let at = pair.iter().position(|byte| *byte == b'=');
            let (name, value) = match at {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            self.add_field(decode(name)?, decode(value)?);
        }
        Ok(())
    }

    /// `curl --form`: each part is a field. The body is at hand, so its size is bounded already.
    async fn add_parts(&mut self, headers: &HeaderMap, body: &Bytes) -> Result<(), ApiError> {
        let broken = |_| ApiError::error(StatusCode::BAD_REQUEST, "400 Bad Request");
        let kind = headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(kind)
            .ok()
            .filter(|boundary| !boundary.is_empty())
            .ok_or_else(|| ApiError::error(StatusCode::BAD_REQUEST, "400 Bad Request"))?;
        let body = Body::from(body.clone()).into_data_stream();
        let mut parts = multer::Multipart::new(body, boundary);
        while let Some(part) = parts.next_field().await.map_err(broken)? {
            // Without a name it is nobody's parameter.
            let Some(name) = part.name().map(str::to_owned) else {
                continue;
            };
            let is_file = part.file_name().is_some();
            let value = checked(part.bytes().await.map_err(broken)?.to_vec())?;
            let name = checked(name.into_bytes())?;
            match is_file {
                // GitLab's framework makes a map of a file, which no parameter here is.
                true => drop(self.0.insert(name, Value::Array(Vec::new()))),
                false => self.add_field(name, value),
            }
        }
        Ok(())
    }

    fn add_field(&mut self, name: String, value: String) {
        // `relation[]=…` and `relation[key]=…` are lists and maps, which no parameter here is.
        match name.split_once('[') {
            Some((name, _)) => self.0.insert(name.to_owned(), Value::Array(Vec::new())),
            None => self.0.insert(name, Value::String(value)),
        };
    }

    /// True for a parameter that is there, even without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A text.
    ///
    /// # Errors
    /// 400 for a list or a map.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Bool(value)) => Ok(Some(value.to_string())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Array(_) | Value::Object(_)) => Err(invalid(name)),
        }
    }

    /// A yes or no. Without a value it counts as absent.
    ///
    /// # Errors
    /// 400 for anything else.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        const TRUE: [&str; 13] = [
            "1", "on", "On", "ON", "t", "true", "True", "TRUE", "T", "y", "yes", "Yes", "YES",
        ];
        const FALSE: [&str; 13] = [
            "0", "off", "Off", "OFF", "f", "false", "False", "FALSE", "F", "n", "no", "No", "NO",
        ];
        match self.text(name)?.as_deref() {
            None | Some("") => Ok(None),
            Some(text) if TRUE.contains(&text) => Ok(Some(true)),
            Some(text) if FALSE.contains(&text) => Ok(Some(false)),
            Some(_) => Err(invalid(name)),
        }
    }

    /// An integer. Without a value it counts as absent; beyond 64 bits it is the largest or smallest there is.
    ///
    /// # Errors
    /// 400 for anything else.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name)?.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let digits = text.strip_prefix(['-', '+']).unwrap_or(&text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid(name));
        }
        Ok(Some(text.parse().unwrap_or(match text.starts_with('-') {
            true => i64::MIN,
            false => i64::MAX,
        })))
    }

    /// One of these words.
    ///
    /// # Errors
    /// 400 for any other.
    pub(crate) fn choice(
        &self,
        name: &str,
        words: &[&'static str],
    ) -> Result<&'static str, ApiError> {
        let text = self.text(name)?;
        let text = text.as_deref().filter(|text| !text.is_empty());
        match text {
            None => Ok(words[0]),
            Some(text) => words
                .iter()
                .find(|word| **word == text)
                .copied()
                .ok_or_else(|| {
                    ApiError::bad_parameter(format!("{name} does not have a valid value"))
                }),
        }
    }

    /// The query string of these parameters with others in their place; for links.
    pub(crate) fn query_with(&self, others: &[(&str, String)]) -> String {
        let mut all: BTreeMap<&str, String> = BTreeMap::new();
        for (name, value) in &self.0 {
            if let (Value::String(value), false) = (value, name == "private_token") {
                all.insert(name, value.clone());
            }
        }
        for (name, value) in others {
            all.insert(name, value.clone());
        }
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let pairs = all.iter().map(|(name, value)| {
            // Names of this API have no letters that need it but `_`.
            format!("{}={}", encode(name).replace("%5F", "_"), encode(value))
        });
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn invalid(name: &str) -> ApiError {
    ApiError::bad_parameter(format!("{name} is invalid"))
}

/// Decodes a form's text: `+` is a space, `%41` a byte.
fn decode(text: &[u8]) -> Result<String, ApiError> {
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    checked(percent_decode(&spaced).collect())
}

/// Text without a NUL.
fn checked(text: Vec<u8>) -> Result<String, ApiError> {
    match String::from_utf8(text) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(ApiError::error(StatusCode::BAD_REQUEST, "400 Bad Request")),
    }
}
