//! LFS objects: where a backup has the object of a row, and the map that stands beside the objects in an archive.

use std::fmt::Write as _;

use super::rows::LfsRow;

/// The name of the map in an archive.
const MAP: &str = "./lfs_objects.json";

/// What an archive of LFS objects holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::export) struct LfsArchive {
    /// The objects, by position of their rows: their names in the archive, and their paths in `lfs.tar.gz`. `None` for a row
    /// whose object id is none.
    pub objects: Vec<Option<(String, String)>>,
    /// The name of the map, and its text: the types of repository of each object.
    pub map: (String, String),
}

/// Where `lfs.tar.gz` has the object of this id; `None` for what is none.
pub(in crate::export) fn lfs_path(oid: &str) -> Option<String> {
    let is_oid = oid.len() == 64 && oid.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_oid.then(|| format!("{}/{}/{}", &oid[..2], &oid[2..4], &oid[4..]))
}

/// What the archive of these rows holds, of a project of this id.
pub(in crate::export) fn lfs_archive(rows: &[LfsRow], project: i64) -> LfsArchive {
    let mut archive = LfsArchive::default();
    let mut map = String::from("{");
    for row in rows {
        let oid = &row.oid;
        let path = lfs_path(oid);
        let is_object = path.is_some();
        let object = path.map(|path| (format!("./{oid}"), path));
        archive.objects.push(object);
        if !is_object {
            continue;
        }
        let mut types: Vec<Option<i64>> = Vec::new();
        let own = row.projects.iter();
        for own in own.filter(|it| it.project_id == Some(project)) {
            if !types.contains(&own.repository_type) {
                types.push(own.repository_type);
            }
        }
        let types = types.iter().map(|kind| match kind {
            Some(kind) => kind.to_string(),
            None => "null".to_owned(),
        });
        let types: Vec<String> = types.collect();
        let comma = if map.len() > 1 { "," } else { "" };
        // Writing into a text cannot fail.
        let _ = write!(map, "{comma}\"{oid}\":[{}]", types.join(","));
    }
    map.push('}');
    archive.map = (MAP.to_owned(), map);
    archive
}

#[cfg(test)]
mod tests {
    use super::super::rows::LfsProjectRow;
    use super::*;

    fn row(oid: &str, projects: &[(i64, Option<i64>)]) -> LfsRow {
        LfsRow {
            id: 9,
            oid: oid.to_owned(),
            size: None,
            projects: projects
                .iter()
                .map(|(project_id, repository_type)| LfsProjectRow {
                    project_id: Some(*project_id),
                    repository_type: *repository_type,
                })
                .collect(),
        }
    }

    #[test]
    fn the_map_has_the_types_of_the_project_alone() {
        let (one, two) = ("a".repeat(64), "b".repeat(64));
        let rows = [
            row(
                &one,
                &[(7, Some(0)), (8, Some(1)), (7, Some(2)), (7, Some(0))],
            ),
            row(&two, &[(7, None)]),
        ];
        let archive = lfs_archive(&rows, 7);
        let expected = format!("{{\"{one}\":[0,2],\"{two}\":[null]}}");
        assert_eq!(archive.map, ("./lfs_objects.json".to_owned(), expected));
        let (name, path) = archive.objects[1].as_ref().unwrap();
        assert_eq!(*name, format!("./{two}"));
        assert_eq!(*path, format!("bb/bb/{}", "b".repeat(60)));
        assert_eq!(lfs_archive(&[], 7).map.1, "{}");
    }

    #[test]
    fn what_is_no_object_id_is_no_object_and_leaves_the_others() {
        let good = "a".repeat(64);
        for oid in ["", "../../etc", &"A/".repeat(32), &"é".repeat(32)] {
            let rows = [row(oid, &[]), row(&good, &[(7, None)])];
            let archive = lfs_archive(&rows, 7);
            assert_eq!(archive.objects[0], None, "{oid}");
            assert!(archive.objects[1].is_some(), "{oid}");
            assert_eq!(archive.map.1, format!("{{\"{good}\":[null]}}"), "{oid}");
        }
    }
}
