//! Service files: named sets of connection parameters (`~/.pg_service.conf`).

use std::io::Read;
use std::path::{Path, PathBuf};

use super::environment::{Environment, home};
use crate::snapshot::place::Pipe;

/// The parameters of a service.
///
/// # Errors
/// No file names the service, or the one that does cannot be read.
pub(super) fn read(
    service: &str,
    environment: &dyn Environment,
) -> Result<Vec<(String, String)>, String> {
    let own = match environment.variable("PGSERVICEFILE") {
        Some(path) => {
            if !Path::new(&path).exists() {
                return Err(format!("the service file {path} does not exist"));
            }
            Some(PathBuf::from(path))
        }
        None => home(environment).map(|home| home.join(".pg_service.conf")),
    };
    let system = environment
        .variable("PGSYSCONFDIR")
        .unwrap_or_else(|| "/etc/postgresql-common".to_owned());
    let system = Path::new(&system).join("pg_service.conf");
    for path in own.into_iter().chain([system]) {
        let mut text = String::new();
        let read = Pipe::of_settings(&path).and_then(|mut file| file.read_to_string(&mut text));
        if read.is_err() {
            continue;
        }
        if let Some(found) = section(&text, service).map_err(|line| {
            format!(
                "line {line} of the service file {} is no assignment",
                path.display()
            )
        })? {
            return Ok(found);
        }
    }
    Err(format!(
        "there is no definition of service {service}; write one into ~/.pg_service.conf, or name its file in PGSERVICEFILE"
    ))
}

/// The assignments below `[service]`, or the number of a line that is none.
fn section(text: &str, service: &str) -> Result<Option<Vec<(String, String)>>, usize> {
    let mut found: Option<Vec<(String, String)>> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if name.trim_end_matches(']') == service {
                found = Some(Vec::new());
            }
            continue;
        }
        if let Some(assignments) = &mut found {
            let (name, value) = line.split_once('=').ok_or(index + 1)?;
            assignments.push((name.trim().to_owned(), value.to_owned()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_its_section() {
        let text = "# mine\n[a]\nhost=one\n\n[b]\n host=two\nport=5433\n# x=y\n[c]\nwrong\n";
        let found = section(text, "b").unwrap().unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(found, [pair("host", "two"), pair("port", "5433")]);
        assert_eq!(section(text, "d"), Ok(None));
        assert_eq!(section(text, "c"), Err(10));
    }
}
