//! What a tar holds, as far as it could be gone through.

use std::fmt;
use std::io::{self, Read};

use super::index::{Builder, Entry, Index, Sort};
use super::names::{LeftOut, plain};
use super::{not_read, unreadable};
use crate::snapshot::codec::tar_members::{Member, MemberKind, Members};
use crate::snapshot::error::SnapshotError;
use crate::snapshot::place::is_of_source;

/// Why a tar goes no further.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    says: String,
    /// The system did not give the bytes: another time it may.
    may_pass: bool,
}

impl Broken {
    /// It is what lies there.
    pub(super) fn damaged(says: String) -> Self {
        Broken {
            says,
            may_pass: false,
        }
    }

    /// It could not be read on.
    pub(super) fn by(says: String, error: &io::Error) -> Self {
        Broken {
            says,
            may_pass: is_of_source(error),
        }
    }

    /// That a member may stand behind the place, or over it.
    fn error(&self, name: &str, what: &str) -> SnapshotError {
        let reason = format!("{self}{what}");
        match self.may_pass {
            true => not_read(name, reason),
            false => unreadable(name, reason),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}

/// The members of a tar by name, and where it goes no further.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) index: Index,
    /// What of it is left out, for the user.
    pub(super) warnings: Vec<String>,
    /// Why there may be more members than those that were found; `None` for a tar that was gone through to its end.
    pub(super) broken: Option<Broken>,
}

impl Contents {
    /// What is left out, and what may be missing.
    pub(super) fn says(&self, of: &str) -> Vec<String> {
        let left_out = self.warnings.iter();
        let left_out = left_out.map(|warning| format!("{of}: {warning}"));
        let broken = self.broken.iter();
        let broken = broken.map(|it| format!("{of}: {it}: files behind that are not found"));
        left_out.chain(broken).collect()
    }

    /// Tells the log of it.
    pub(super) fn log(&self, of: &str) {
        for warning in self.says(of) {
            tracing::warn!("{warning}");
        }
    }

    /// The regular file of that name.
    ///
    /// # Errors
    /// It is no regular file, or may stand where the tar cannot be read.
    pub(super) fn find(&self, name: &str) -> Result<Option<Entry>, SnapshotError> {
        match (self.index.get(name), &self.broken) {
            (Some(entry), broken) => match (entry.sort.trouble(), broken) {
                (None, _) => Ok(Some(entry)),
                (Some(_), Some(broken)) if entry.sort == Sort::Cut => {
                    Err(broken.error(name, ", inside it"))
                }
                (Some(trouble), _) => Err(unreadable(name, trouble)),
            },
            (None, None) => Ok(None),
            (None, Some(broken)) => {
                Err(broken.error(name, ", and may have held it behind that place"))
            }
        }
    }

    /// The sizes of the regular files whose names begin with `prefix`.
    ///
    /// # Errors
    /// Some may stand where the tar cannot be read.
    pub(super) fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, SnapshotError> {
        if let Some(broken) = &self.broken {
            let what = ", and may have held more of that name behind that place";
            return Err(broken.error(prefix, what));
        }
        Ok(self.files(prefix).collect())
    }

    /// Goes through the regular files. Gives why there may be more.
    pub(super) fn visit(&self, take: &mut dyn FnMut(&str, u64)) -> Option<String> {
        for (name, size) in self.files("") {
            take(&name, size);
        }
        self.broken.as_ref().map(Broken::to_string)
    }

    fn files(&self, prefix: &str) -> impl Iterator<Item = (String, u64)> {
        let files = self.index.with_prefix(prefix);
        let files = files.filter(|(_, entry)| matches!(entry.sort, Sort::File | Sort::Gone));
        files.map(|(name, entry)| (name, entry.size))
    }
}

/// That a tar ends too early, at that byte.
pub(super) fn cut_off(at: u64) -> Broken {
    Broken::damaged(format!("the tar is cut off at byte {at}"))
}

/// That more stands behind the end of a tar than the zeros that fill it up.
pub(super) fn more_behind(end: u64) -> Broken {
    Broken::damaged(format!(
        "more stands behind the end of the tar at byte {end}"
    ))
}

/// Why a tar goes no further than the member that came last.
pub(super) fn stopped<R: Read>(members: &Members<R>, error: &io::Error) -> Broken {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => cut_off(members.position()),
        _ => stopped_at(members.next_header(), error),
    }
}

/// That a tar cannot be read on from a place.
pub(super) fn stopped_at(byte: u64, error: &io::Error) -> Broken {
    let says = format!("the tar cannot be read on from byte {byte} ({error})");
    Broken::by(says, error)
}

/// Takes the members of a tar one after the other.
#[derive(Default)]
pub(super) struct Collector {
    builder: Builder,
    left_out: LeftOut,
}

impl Collector {
    /// The name that a member is looked for by, and what it is; `None` for a folder, and for a name that nothing has.
    pub(super) fn name(&mut self, member: &Member) -> Option<(String, Sort)> {
        let sort = match member.kind {
            MemberKind::Folder => return None,
            // As the first tars wrote folders.
            MemberKind::File if member.name.ends_with('/') => return None,
            MemberKind::File => Sort::File,
            MemberKind::Link => Sort::Link,
            MemberKind::Sparse => Sort::Sparse,
            MemberKind::Other => Sort::Other,
        };
        match plain(member) {
            Ok(name) => {
                if sort != Sort::File {
                    self.left_out.not_a_file(&name);
                }
                Some((name, sort))
            }
            Err(refused) => {
                self.left_out.refused(refused, &member.name);
                None
            }
        }
    }

    /// Adds a member. If its name has come before, this one counts.
    pub(super) fn add(&mut self, name: &str, entry: Entry) {
        self.builder.push(name, entry);
    }

    /// True if a file whose name is wanted was added.
    pub(super) fn has(&self, is_wanted: &dyn Fn(&str) -> bool) -> bool {
        self.builder.names().any(|name| is_wanted(&name))
    }

    /// All that was added. `broken` says why it is not all there is.
    pub(super) fn finish(mut self, broken: Option<Broken>) -> Contents {
        let (index, replaced) = self.builder.finish();
        self.left_out.replaced.add_all(replaced);
        Contents {
            index,
            warnings: self.left_out.warnings(),
            broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_did_not_give_may_be_found_another_time() {
        let of_the_system = io::Error::from_raw_os_error(5);
        let of_content = io::Error::new(io::ErrorKind::InvalidData, "no header");
        for (broken, expected) in [
            (stopped_at(512, &of_the_system), true),
            (stopped_at(512, &of_content), false),
            (cut_off(512), false),
            (more_behind(512), false),
        ] {
            let contents = Collector::default().finish(Some(broken));
            for error in [
                contents.find("repositories/a.refs").err(),
                contents.list("repositories/").err(),
            ] {
                let told = error.as_ref().map(SnapshotError::to_string);
                assert!(
                    matches!(error, Some(SnapshotError::File { may_pass, .. }) if may_pass == expected),
                    "{told:?}"
                );
            }
        }
    }
}
