//! What GitLab's importer of offline transfers asks of an export beside its being whole.
//!
//! As of GitLab 19.3, whose offline transfer is behind feature flags (`lib/import/offline/`).

use std::collections::HashMap;

use super::Problem;
use super::content::Seal;
use super::metadata::Metadata;
use crate::output::layout;
use crate::output::manifest::{self, Manifest, Status};
use crate::output::store::Contents;

/// Bytes of metadata that GitLab reads.
const METADATA_LIMIT: u64 = 20 << 20;
/// Bytes of the map of entities, as JSON.
const MAPPING_LIMIT: usize = 64 << 10;
/// Bytes of a file, by GitLab's default of `bulk_import_max_download_file_size`.
const FILE_LIMIT: u64 = 5120 << 20;
/// The first major version that the importer takes for a source.
const OLDEST: u64 = 19;
/// Letters of the address of the source.
const ADDRESS_LIMIT: usize = 255;
/// Hosts that are no GitLab's.
const OTHER_HOSTS: [&str; 3] = ["github.com", "bitbucket.org", "gitea.com"];

/// Says what an importer would refuse, or pass over.
pub fn offline(store: &dyn Contents, manifest: &Manifest) -> Vec<Problem> {
    let mut problems = Vec::new();
    if manifest.is_sealed() {
        return vec![Problem {
            file: manifest.metadata_name().to_owned(),
            message: "GitLab reads no encrypted files: decrypt all of them, and take `.age` off their names".to_owned(),
        }];
    }
    match Metadata::read(store, layout::METADATA, Seal::None, METADATA_LIMIT) {
        Ok(metadata) => of_metadata(&metadata, &mut problems),
        Err(error) => problems.push(Problem {
            file: layout::METADATA.to_owned(),
            message: format!("it cannot be read: {error}"),
        }),
    }
    of_manifest(manifest, &mut problems);
    problems.sort();
    problems
}

fn of_metadata(metadata: &Metadata, problems: &mut Vec<Problem>) {
    let mut wrong = |message: String| {
        problems.push(Problem {
            file: layout::METADATA.to_owned(),
            message,
        });
    };
    let version = &metadata.instance_version;
    let major = version
        .split('.')
        .next()
        .and_then(|it| it.parse::<u64>().ok());
    if major.is_none_or(|major| major < OLDEST) {
        wrong(format!(
            "instance_version is {version:?}, but GitLab's importer takes {OLDEST}.0 and newer: export again with \
             --gitlab-version"
        ));
    }
    if let Some(reason) = wrong_address(&metadata.source_hostname) {
        wrong(format!(
            "source_hostname {reason}: export again with --source-url https://…"
        ));
    }
    let mapping = &metadata.entities_mapping;
    let length = serde_json::to_string(mapping).map_or(usize::MAX, |json| json.len());
    if length > MAPPING_LIMIT {
        wrong(format!(
            "entities_mapping has {length} bytes, but GitLab's importer takes {MAPPING_LIMIT}: export fewer groups and \
             projects at a time"
        ));
    }
    for (path, prefix) in mapping {
        let is_path = path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/_-.".contains(&byte));
        if path.is_empty() || !is_path {
            wrong(format!("GitLab's importer refuses the path {path:?}"));
        }
        if !prefix.as_str().is_some_and(is_prefix) {
            wrong(format!(
                "{path} is to lie in {prefix}, where group_<id> or project_<id> belongs"
            ));
        }
    }
}

/// True for `group_1` and `project_1`.
fn is_prefix(prefix: &str) -> bool {
    let number = prefix.strip_prefix("group_");
    let number = number.or_else(|| prefix.strip_prefix("project_"));
    number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Why an address is not that of a source: it has a scheme and a host, and nothing else.
fn wrong_address(address: &str) -> Option<&'static str> {
    let schemes = ["https://", "http://"];
    let Some(host) = schemes
        .iter()
        .find_map(|scheme| address.strip_prefix(scheme))
    else {
        return Some("is no address with http or https");
    };
    if host.is_empty() || host.contains(['/', '?', '#', '@']) {
        return Some("has more than a scheme and a host");
    }
    if address.len() > ADDRESS_LIMIT {
        return Some("is longer than 255 letters");
    }
    let name = host.split(':').next().unwrap_or_default();
    OTHER_HOSTS
        .contains(&name)
        .then_some("is the address of another product")
}

fn of_manifest(manifest: &Manifest, problems: &mut Vec<Problem>) {
    let mut paths = HashMap::new();
    for entity in &manifest.entities {
        if let Some(other) = paths.insert(&entity.full_path, &entity.prefix) {
            problems.push(Problem {
                file: manifest::FILE_NAME.to_owned(),
                message: format!(
                    "{other} and {} have one path, {}: GitLab's importer finds the last of them only",
                    entity.prefix, entity.full_path
                ),
            });
        }
        let mut relations = entity.relations.iter();
        let own = relations.find(|relation| relation.relation == "self");
        let is_there = own.is_some_and(|own| own.status == Status::Finished && own.file.is_some());
        if !is_there {
            problems.push(Problem {
                file: manifest::FILE_NAME.to_owned(),
                message: format!(
                    "{} {} has no self.json.gz, without which GitLab does not make it",
                    entity.kind, entity.full_path
                ),
            });
        }
        let files = entity
            .relations
            .iter()
            .flat_map(|relation| relation.files());
        for file in files.filter(|file| file.bytes > FILE_LIMIT) {
            problems.push(Problem {
                file: file.file.clone(),
                message: format!(
                    "it has {} bytes, beyond the 5120 MB that GitLab takes unless its administrator raises \
                     bulk_import_max_download_file_size",
                    file.bytes
                ),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str) -> Vec<String> {
        let mut problems = Vec::new();
        of_metadata(&serde_json::from_str(json).unwrap(), &mut problems);
        problems.into_iter().map(|it| it.message).collect()
    }

    #[test]
    fn good_metadata_is_taken() {
        let good = r#"{"instance_version":"19.3.0-ee","source_hostname":"https://gitlab.example:8443",
            "entities_mapping":{"acme":"group_51","acme/my-app_2.x":"project_71"}}"#;
        assert_eq!(found(good), [""; 0]);
    }

    #[test]
    fn what_an_importer_refuses_is_told() {
        let long: Vec<String> = (0..3000)
            .map(|id| format!("\"acme/project-{id:05}\":\"project_{id}\""))
            .collect();
        let cases = [
            (
                r#""instance_version":"18.11.2-ee""#.to_owned(),
                "instance_version",
            ),
            (
                r#""source_hostname":"""#.to_owned(),
                "source_hostname is no address",
            ),
            (
                r#""source_hostname":"https://g.example/gitlab""#.to_owned(),
                "source_hostname has more",
            ),
            (
                r#""source_hostname":"https://github.com""#.to_owned(),
                "source_hostname is the address",
            ),
            (
                r#""entities_mapping":{"a b":"group_1"}"#.to_owned(),
                "GitLab's importer refuses",
            ),
            (
                r#""entities_mapping":{"a":"tenant_1"}"#.to_owned(),
                "a is to lie in",
            ),
            (
                format!("\"entities_mapping\":{{{}}}", long.join(",")),
                "entities_mapping has",
            ),
        ];
        for (part, expected) in cases {
            let good = r#""instance_version":"19.0.0","source_hostname":"https://g.example""#;
            let key = part.split(':').next().unwrap_or_default().to_owned();
            let rest: Vec<&str> = good.split(',').filter(|it| !it.starts_with(&key)).collect();
            let json = format!("{{{},{part}}}", rest.join(","));
            let found = found(&json);
            assert_eq!(found.len(), 1, "{part:.60}: {found:?}");
            assert!(found[0].starts_with(expected), "{found:?}");
        }
    }
}
