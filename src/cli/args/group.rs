//! Names of groups and projects as users give them: ids, full paths, and addresses of a GitLab's pages.

use percent_encoding::percent_decode_str;

use crate::resolve::NamePattern;

/// The part of a page's path behind which nothing belongs to the group's own path.
const PAGES: &str = "-";

/// The id or full path that a user means: of an address such as
/// `https://gitlab.example.com/groups/acme/platform/-/epics?state=all` it is `acme/platform`. Other text stays as it is.
///
/// # Errors
/// Where the name is empty, or an address is not that of a group. What is wrong, and what to write.
pub(crate) fn group_name(text: &str) -> Result<String, String> {
    name(text, "group", "groups", "acme/platform")
}

/// The same of a project: of an address such as `https://gitlab.example.com/acme/app/-/issues/5` it is `acme/app`.
///
/// # Errors
/// As [`group_name`].
pub(crate) fn project_name(text: &str) -> Result<String, String> {
    name(text, "project", "projects", "acme/app")
}

/// As [`group_name`], or a pattern of full paths such as `acme/**`.
///
/// # Errors
/// As [`group_name`], and where a pattern cannot be understood.
pub(crate) fn group_names(text: &str) -> Result<String, String> {
    group_name(text).and_then(checked_pattern)
}

/// As [`project_name`], or a pattern of full paths such as `acme/**`.
///
/// # Errors
/// As [`group_names`].
pub(crate) fn project_names(text: &str) -> Result<String, String> {
    project_name(text).and_then(checked_pattern)
}

/// A name, unless it has the characters of a pattern and is none.
fn checked_pattern(name: String) -> Result<String, String> {
    NamePattern::read(&name).map(|_| name)
}

/// The name of a `kind` of which addresses speak as `kinds`.
fn name(text: &str, kind: &str, kinds: &str, example: &str) -> Result<String, String> {
    let text = text.trim();
    if text.trim_matches('/').is_empty() {
        return Err(format!(
            "the name of a {kind} is empty; write its id, or its full path such as {example}"
        ));
    }
    let Some(path) = path_of_address(text) else {
        return Ok(text.to_owned());
    };
    let wrong = || {
        format!(
            "the address {text} names no {kind}; write its id, or its full path such as {example}"
        )
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .take_while(|part| *part != PAGES)
        .collect();
    let named = match parts.as_slice() {
        // Of the API: the id, or the path as one part.
        ["api", "v4", of, named, ..] if *of == kinds => std::slice::from_ref(named),
        ["api", ..] => return Err(wrong()),
        [of, named @ ..] if *of == kinds => named,
        named => named,
    };
    let decoded: Result<Vec<_>, _> = named
        .iter()
        .map(|part| percent_decode_str(part).decode_utf8())
        .collect();
    match decoded.map(|parts| parts.join("/")) {
        Ok(path) if !path.is_empty() => Ok(path),
        Ok(_) | Err(_) => Err(wrong()),
    }
}

/// What stands behind the host of an address on the web.
fn path_of_address(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let is_web = ["http", "https"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web));
    is_web.then(|| rest.find(['/', '?', '#']).map_or("", |host| &rest[host..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_group_is_its_path() {
        let cases = [
            ("acme/platform", "acme/platform"),
            ("4351", "4351"),
            ("https://gitlab.example.com/acme/platform", "acme/platform"),
            (
                "https://gitlab.example.com/groups/acme/platform",
                "acme/platform",
            ),
            (
                "https://gitlab.example.com/groups/acme/platform/",
                "acme/platform",
            ),
            ("HTTP://localhost:3000/acme", "acme"),
            (
                "https://gitlab.example.com/groups/acme/platform/-/epics/5#note_7",
                "acme/platform",
            ),
            (
                "https://gitlab.example.com/acme/platform/-/boards",
                "acme/platform",
            ),
            (
                "https://gitlab.example.com/acme/platform?sort=name_asc",
                "acme/platform",
            ),
            (
                "https://gitlab.example.com/acme/platform#top",
                "acme/platform",
            ),
            (
                "https://gitlab.example.com/acme%2Fplatform",
                "acme/platform",
            ),
            ("https://gitlab.example.com/caf%C3%A9", "café"),
            (
                "https://gitlab.example.com/api/v4/groups/acme%2Fplatform/export_relations",
                "acme/platform",
            ),
            ("https://gitlab.example.com/api/v4/groups/4351", "4351"),
            (" https://gitlab.example.com/acme \n", "acme"),
            // A group may have a name like any of these.
            ("http", "http"),
            ("groups/acme", "groups/acme"),
        ];
        for (text, name) in cases {
            assert_eq!(group_name(text).as_deref(), Ok(name), "{text}");
        }
    }

    #[test]
    fn the_address_of_a_project_is_its_path() {
        for (text, name) in [
            ("acme/app", "acme/app"),
            ("71", "71"),
            ("https://gitlab.example.com/acme/app/-/issues/5", "acme/app"),
            ("https://gitlab.example.com/projects/71", "71"),
            (
                "https://gitlab.example.com/api/v4/projects/acme%2Fapp/issues",
                "acme/app",
            ),
        ] {
            assert_eq!(project_name(text).as_deref(), Ok(name), "{text}");
        }
        let wrong = project_name("https://gitlab.example.com/api/v4/groups/5");
        assert!(wrong.is_err_and(|wrong| wrong.contains("names no project")));
    }

    #[test]
    fn an_address_of_something_else_is_refused() {
        for text in [
            "https://gitlab.example.com",
            "https://gitlab.example.com/",
            "https://gitlab.example.com/-/user_settings",
            "https://gitlab.example.com/groups",
            "https://gitlab.example.com/?q=acme",
            "https://gitlab.example.com/api/v4/projects/5",
            "https://gitlab.example.com/%ff",
        ] {
            let wrong = format!(
                "the address {text} names no group; write its id, or its full path such as acme/platform"
            );
            assert_eq!(group_name(text), Err(wrong));
        }
        assert!(
            group_name(" ").is_err_and(|wrong| wrong.starts_with("the name of a group is empty;"))
        );
        assert!(group_name("/").is_err());
        assert_eq!(
            group_name(" acme/platform\n").as_deref(),
            Ok("acme/platform")
        );
    }
}
