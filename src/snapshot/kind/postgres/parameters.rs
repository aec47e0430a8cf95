//! Connection parameters by the names of libpq, from an address, a service file and the environment.

use std::collections::BTreeMap;

use super::address;
use super::environment::Environment;
use super::parameter_names::{KNOWN, REFUSED};
use super::service;
use crate::environment::PASSWORD_VARIABLE;

/// Values of parameters. Passwords are among them, so this is not printed.
#[derive(Default)]
pub(super) struct Parameters {
    values: BTreeMap<String, String>,
}

impl Parameters {
    /// The parameters of an address, then of its service, then of the environment.
    ///
    /// # Errors
    /// What is wrong with them, in words that hold no value of a parameter that could be secret.
    pub(super) fn gather(
        address: &str,
        environment: &dyn Environment,
    ) -> Result<Parameters, String> {
        let mut parameters = Parameters::default();
        for (name, value) in address::parse(address)? {
            // JDBC's spelling, which libpq takes, too.
            let (name, value) = match (name.as_str(), value.as_str()) {
                ("ssl", "true") => ("sslmode".to_owned(), "require".to_owned()),
                _ => (name, value),
            };
            check_name(&name, "the address")?;
            parameters.values.insert(name, value);
        }
        if let Some(password) = environment.variable(PASSWORD_VARIABLE) {
            parameters
                .values
                .entry("password".to_owned())
                .or_insert(password);
        }
        let service = parameters
            .get("service")
            .map(str::to_owned)
            .or_else(|| environment.variable("PGSERVICE"))
            .filter(|service| !service.is_empty());
        if let Some(service) = service {
            for (name, value) in service::read(&service, environment)? {
                check_name(&name, &format!("service {service}"))?;
                parameters.values.entry(name).or_insert(value);
            }
        }
        for (name, variable) in KNOWN.iter().chain(&REFUSED) {
            if let Some(value) = variable.and_then(|variable| environment.variable(variable))
                && !parameters.values.contains_key(*name)
                && !value.is_empty()
            {
                check_name(name, "the environment")?;
                parameters.values.insert((*name).to_owned(), value);
            }
        }
        Ok(parameters)
    }

    /// The value of a parameter; an empty one counts as none, as in libpq.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The value of a parameter that is a number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, String> {
        self.get(name)
            .map(|value| {
                value
                    .trim()
                    .parse()
                    .map_err(|_| format!("the value of {name} is no number"))
            })
            .transpose()
    }
}

fn check_name(name: &str, place: &str) -> Result<(), String> {
    if KNOWN.iter().any(|(known, _)| *known == name) {
        return Ok(());
    }
    if REFUSED.iter().any(|(refused, _)| *refused == name) {
        return Err(format!(
            "{place} sets {name}, which is not supported; leave it out"
        ));
    }
    // Some name may be a part of a password that was not written right.
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if name.len() < 30 && name.bytes().all(letters) && place != "the address" {
        return Err(format!(
            "{place} sets {name}, which is no parameter of libpq"
        ));
    }
    Err(format!(
        "{place} sets something that is no parameter of libpq"
    ))
}
