//! Addresses of repositories, as GitLab has them.
//!
//! ```text
//! <full path of a group or project>.wiki.git/info/refs?service=git-upload-pack
//! <full path of a project>/snippets/<id>.git/git-upload-pack
//! ```

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    pub place: Place<'a>,
    pub service: Service,
}

/// Whose repository it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// The wiki of the group or the project of that full path.
    Wiki(&'a str),
    /// The snippet of that id, of the project of that full path.
    Snippet(&'a str, i64),
    /// A project's own.
    Project,
}

/// What is wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    InfoRefs,
    UploadPack,
    ReceivePack,
    /// A file of the repository, as the oldest protocol reads it.
    File,
}

impl<'a> Asked<'a> {
    /// Takes a path apart, without the relative root; `None` for one that is none of git's.
    pub(super) fn parse(path: &'a str) -> Option<Asked<'a>> {
        let (repository, of_it) = path.strip_prefix('/')?.split_once(".git/")?;
        let service = match of_it {
            "info/refs" => Service::InfoRefs,
            "git-upload-pack" => Service::UploadPack,
            "git-receive-pack" => Service::ReceivePack,
            _ => Service::File,
        };
        let place = match repository.strip_suffix(".wiki") {
            Some(full_path) => Place::Wiki(full_path),
            None => snippet(repository).unwrap_or(Place::Project),
        };
        Some(Asked { place, service })
    }
}

fn snippet(repository: &str) -> Option<Place<'_>> {
    let (above, id) = repository.rsplit_once('/')?;
    let project = above.strip_suffix("/snippets")?;
    let is_number = id.bytes().all(|byte| byte.is_ascii_digit());
    let id = id.parse().ok().filter(|_| is_number)?;
    Some(Place::Snippet(project, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_wikis_and_snippets() {
        let asked = |place, service| Some(Asked { place, service });
        let cases = [
            (
                "/acme.wiki.git/info/refs",
                asked(Place::Wiki("acme"), Service::InfoRefs),
            ),
            (
                "/acme/a.b/app.wiki.git/git-upload-pack",
                asked(Place::Wiki("acme/a.b/app"), Service::UploadPack),
            ),
            (
                "/acme/app/snippets/12.git/git-receive-pack",
                asked(Place::Snippet("acme/app", 12), Service::ReceivePack),
            ),
            (
                "/acme/app.git/objects/info/packs",
                asked(Place::Project, Service::File),
            ),
            (
                "/acme/snippets/+1.git/info/refs",
                asked(Place::Project, Service::InfoRefs),
            ),
            (
                "/snippets/1.git/info/refs",
                asked(Place::Project, Service::InfoRefs),
            ),
            (
                "/acme/snippets/99999999999999999999.git/HEAD",
                asked(Place::Project, Service::File),
            ),
            (
                "/../../x.wiki.git/info/refs",
                asked(Place::Wiki("../../x"), Service::InfoRefs),
            ),
            ("/acme.wiki.git", None),
            ("/acme", None),
            ("acme.wiki.git/HEAD", None),
        ];
        for (path, expected) in cases {
            assert_eq!(Asked::parse(path), expected, "{path}");
        }
    }
}
