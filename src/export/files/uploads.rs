//! Uploads: where a backup has the file of a row, and where GitLab's archive has it.

use super::repositories::RepositoryPath;
use super::rows::UploadRow;

/// The column's value for a file in object storage.
const IN_BUCKET: i64 = 2;

/// What a project's uploads are marked by, in `model_type`.
const PROJECT: &str = "Project";

/// A file of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::export) struct UploadMember {
    /// Its name in the archive.
    pub name: String,
    /// Where it may lie in `uploads.tar.gz`, the likeliest place first.
    pub paths: Vec<String>,
}

/// What a row says of its file. `full_path` is that of the project or group.
///
/// # Errors
/// Why there can be no such file.
pub(in crate::export) fn upload_member(
    row: &UploadRow,
    full_path: &str,
) -> Result<UploadMember, &'static str> {
    let path = row.path.as_deref().unwrap_or_default();
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    if !is_name(file) {
        return Err("its path has no file's name");
    }
    let name = match avatar_of(folder) {
        Some(()) if row.avatar.as_deref() == Some(file) => format!("./avatar/{file}"),
        // Of an avatar that is not the current one.
        Some(()) => format!("./{file}"),
        None => {
            let in_path = folder.rsplit('/').next().unwrap_or_default();
            let secret = row.secret.as_deref().filter(|secret| !secret.is_empty());
            let secret = secret.unwrap_or(in_path);
            if !is_name(secret) {
                return Err("neither its secret nor its path says which folder it belongs into");
            }
            format!("./{secret}/{file}")
        }
    };
    Ok(UploadMember {
        name,
        paths: paths(row, path, full_path),
    })
}

/// True for the folder of avatars: on a server's disk, or in a bucket.
fn avatar_of(folder: &str) -> Option<()> {
    let kinds = ["project/avatar/", "group/avatar/", "namespace/avatar/"];
    let rest = folder.trim_start_matches('/');
    let rest = rest.strip_prefix("uploads/").unwrap_or(rest);
    let rest = rest.strip_prefix("-/system/").unwrap_or(rest);
    let id = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
    id.bytes().all(|byte| byte.is_ascii_digit()).then_some(())
}

/// Where a file may lie in the archive of uploads: as on a server's disk, or as in a bucket.
fn paths(row: &UploadRow, path: &str, full_path: &str) -> Vec<String> {
    let mut on_disk = Vec::new();
    let is_of_project = row.model_type.as_deref() == Some(PROJECT);
    match (path.strip_prefix("uploads/"), path.strip_prefix('/')) {
        (Some(below), _) => on_disk.push(below.to_owned()),
        // Very old rows have the path on the server's disk.
        (None, Some(absolute)) => {
            on_disk.extend(
                absolute
                    .split_once("/uploads/")
                    .map(|(_, below)| below.to_owned()),
            );
        }
        (None, None) if is_of_project => {
            let hashed = row.model_id.map(RepositoryPath::project);
            on_disk.extend(hashed.map(|hashed| format!("{}/{path}", hashed.as_str())));
            on_disk.push(format!("{full_path}/{path}"));
        }
        (None, None) => {
            let id = row.model_id.unwrap_or_default();
            on_disk.push(format!("-/system/namespace/{id}/{path}"));
        }
    }
    let in_bucket = path.trim_start_matches('/').to_owned();
    match row.store {
        Some(IN_BUCKET) => on_disk.insert(0, in_bucket),
        Some(_) | None => on_disk.push(in_bucket),
    }
    on_disk
}

/// True for what can be the name of a file in an archive.
fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(path: &str, model_type: &str) -> UploadRow {
        UploadRow {
            id: 1,
            path: Some(path.to_owned()),
            store: Some(1),
            model_type: Some(model_type.to_owned()),
            model_id: Some(71),
            avatar: Some("logo.png".to_owned()),
            ..UploadRow::default()
        }
    }

    #[test]
    fn a_file_has_the_name_that_gitlab_gives_it() {
        let secret = "0123456789abcdef0123456789abcdef";
        let cases = [
            (
                format!("{secret}/a b.txt"),
                "Project",
                format!("./{secret}/a b.txt"),
            ),
            (
                "uploads/-/system/project/avatar/71/logo.png".to_owned(),
                "Project",
                "./avatar/logo.png".to_owned(),
            ),
            (
                "uploads/-/system/project/avatar/71/old.png".to_owned(),
                "Project",
                "./old.png".to_owned(),
            ),
            (
                "group/avatar/71/logo.png".to_owned(),
                "Namespace",
                "./avatar/logo.png".to_owned(),
            ),
            (
                format!("/srv/gitlab/public/uploads/acme/shop/{secret}/x"),
                "Project",
                format!("./{secret}/x"),
            ),
        ];
        for (path, model_type, expected) in cases {
            let found = upload_member(&row(&path, model_type), "acme/shop");
            assert_eq!(found.unwrap().name, expected, "{path}");
        }
        for hostile in ["", "/", "a/..", "a/", "x", "../x", "a\0b/x\0y"] {
            assert!(
                upload_member(&row(hostile, "Project"), "p").is_err(),
                "{hostile:?}"
            );
        }
    }

    #[test]
    fn a_file_is_looked_for_on_disk_and_in_a_bucket() {
        let in_bucket = UploadRow {
            store: Some(2),
            ..row("@hashed/aa/bb/cc/s/x", "Project")
        };
        let found = upload_member(&in_bucket, "acme/shop").unwrap();
        assert_eq!(found.paths[0], "@hashed/aa/bb/cc/s/x");
        let of_group = upload_member(&row("s/x", "Namespace"), "acme").unwrap();
        assert_eq!(of_group.paths, ["-/system/namespace/71/s/x", "s/x"]);
        let of_project = upload_member(&row("s/x", "Project"), "acme/shop").unwrap();
        assert!(
            of_project.paths[0].starts_with("@hashed/"),
            "{:?}",
            of_project.paths
        );
        assert!(of_project.paths[0].ends_with("/s/x"));
        assert_eq!(of_project.paths[1..], ["acme/shop/s/x", "s/x"]);
        let old = "/srv/uploads/acme/shop/s/x";
        let old = upload_member(&row(old, "Project"), "acme/shop").unwrap();
        assert_eq!(old.paths[0], "acme/shop/s/x");
    }
}
