//! Names of members: which of them are taken, and how what is left out is counted.

use std::fmt;

use crate::snapshot::codec::tar_members::Member;
use crate::visible::visible;

/// Why a member has no place among the files of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its name is absolute, or has `..` in it.
    Outside,
    /// Its name is not UTF-8, is empty, holds a zero byte or is longer than any file system's.
    Unnameable,
}

/// Bytes of the longest name that is taken: no path of Linux is longer.
pub(super) const LONGEST_NAME: usize = 4096;

/// The name of a member in the one form that it is looked for by: parts separated by single `/`, none of them `.`.
///
/// # Errors
/// It is a name that nothing in a backup has.
pub(super) fn plain(member: &Member) -> Result<String, Refused> {
    if !member.is_exact || member.name.contains('\0') || member.name.len() > LONGEST_NAME {
        return Err(Refused::Unnameable);
    }
    if member.name.starts_with('/') || member.name.split('/').any(|part| part == "..") {
        return Err(Refused::Outside);
    }
    let parts = member.name.split('/');
    let parts: Vec<&str> = parts.filter(|part| !matches!(*part, "" | ".")).collect();
    match parts.is_empty() {
        true => Err(Refused::Unnameable),
        false => Ok(parts.join("/")),
    }
}

/// Members of one sort: how many, and which came first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counted {
    count: u64,
    first: Option<String>,
}

impl Counted {
    pub(super) fn add(&mut self, name: &str) {
        self.count += 1;
        self.first.get_or_insert_with(|| visible(name));
    }

    pub(super) fn add_all(&mut self, others: Counted) {
        self.count += others.count;
        self.first = self.first.take().or(others.first);
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.count)?;
        match &self.first {
            Some(first) => write!(f, ", the first is {first}"),
            None => Ok(()),
        }
    }
}

/// What of a tar is no file of the backup, or was one and is so no more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    outside: Counted,
    unnameable: Counted,
    /// Links, sparse files, pipes and devices.
    not_files: Counted,
    /// Earlier members of a name that came again.
    pub(super) replaced: Counted,
}

impl LeftOut {
    pub(super) fn refused(&mut self, why: Refused, name: &str) {
        match why {
            Refused::Outside => self.outside.add(name),
            Refused::Unnameable => self.unnameable.add(name),
        }
    }

    pub(super) fn not_a_file(&mut self, name: &str) {
        self.not_files.add(name);
    }

    /// A line on each sort of which there are some.
    pub(super) fn warnings(&self) -> Vec<String> {
        let sorts = [
            (
                &self.outside,
                "members with absolute names or with .. in their names are left out",
            ),
            (
                &self.unnameable,
                "members whose names are empty, too long or not UTF-8 are left out",
            ),
            (
                &self.not_files,
                "links, sparse files and other members that are no regular files cannot be read",
            ),
            (
                &self.replaced,
                "members are replaced by later ones of the same name, as tar would do (of databases the first is read)",
            ),
        ];
        let some = sorts.into_iter().filter(|(counted, _)| counted.count > 0);
        some.map(|(counted, what)| format!("{what} ({counted})"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::codec::tar_members::MemberKind;

    #[test]
    fn a_name_has_one_form_or_none() {
        let cases = [
            ("uploads.tar.gz", Ok("uploads.tar.gz")),
            ("a//b/./c", Ok("a/b/c")),
            ("a..b/..c", Ok("a..b/..c")),
            ("a/../b", Err(Refused::Outside)),
            ("..", Err(Refused::Outside)),
            ("/etc/passwd", Err(Refused::Outside)),
            ("", Err(Refused::Unnameable)),
            (".", Err(Refused::Unnameable)),
            ("a\0b", Err(Refused::Unnameable)),
        ];
        for (name, expected) in cases {
            let mut member = Member {
                name: name.to_owned(),
                size: 0,
                offset: 0,
                kind: MemberKind::File,
                is_exact: true,
            };
            assert_eq!(plain(&member), expected.map(str::to_owned), "{name:?}");
            member.is_exact = false;
            assert_eq!(plain(&member), Err(Refused::Unnameable), "{name:?}");
        }
    }

    #[test]
    fn what_is_left_out_is_counted_and_shown_without_control_characters() {
        let mut left_out = LeftOut::default();
        assert_eq!(left_out.warnings(), Vec::<String>::new());
        left_out.refused(Refused::Outside, "../\u{1b}[2J");
        left_out.refused(Refused::Outside, "/etc");
        left_out.not_a_file("link");
        assert_eq!(
            left_out.warnings(),
            [
                "members with absolute names or with .. in their names are left out \
                 (2, the first is ../\\u{1b}[2J)",
                "links, sparse files and other members that are no regular files cannot be read \
                 (1, the first is link)",
            ]
        );
    }
}
