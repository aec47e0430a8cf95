//! A repository of a backup as a bare one on disk: its bundles one after the other, by `git`.
//!
//! The packs of the bundles are given to `git index-pack` as they come out of the backup. Refs are not fetched, since
//! steps may put a branch in the place of others (`a`, then `a/b`): they are written as the step's own list says, which is
//! what git's own file of packed refs looks like.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use super::Repository;
use super::bundle_header::BundleHeader;
use super::error::RepositoryError;
use super::git::Git;
use super::layout::{Member, Step};
use super::object_id::ObjectId;
use super::ref_lines::{RefsFault, each_ref};

/// Bytes of the names of refs in the bundle of an increment at the most.
const NAMES: usize = 512 << 20;

/// Packs get times that are far apart: git looks for an object in the newest first, and the bytes of a new bundle follow
/// from what it finds. The first one is in September 2001.
const FIRST_TIME: Duration = Duration::from_secs(1_000_000_000);

/// What refs a repository has, whatever their order.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct RefsSum {
    count: u64,
    sum: u64,
}

impl RefsSum {
    /// Takes one more ref; HEAD is none.
    pub(super) fn add(&mut self, id: ObjectId, name: &[u8]) {
        use std::hash::{Hash, Hasher};
        if name == b"HEAD" {
            return;
        }
        let mut hasher = siphasher::sip::SipHasher13::new();
        (id, name).hash(&mut hasher);
        self.count += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

/// Makes a bare repository of what the backup has of one. `folder` is ours, and nothing is in it yet.
pub(super) fn unpack(
    repository: &Repository,
    folder: &Path,
    home: &Path,
    interrupted: &AtomicBool,
) -> Result<RefsSum, RepositoryError> {
    let unpacking = Unpacking {
        repository,
        folder,
        git: Git {
            home,
            member: &repository.named_by,
            interrupted,
        },
    };
    unpacking.all()
}

struct Unpacking<'a> {
    repository: &'a Repository,
    folder: &'a Path,
    git: Git<'a>,
}

impl Unpacking<'_> {
    fn all(&self) -> Result<RefsSum, RepositoryError> {
        let mut format = None;
        let mut sum = RefsSum::default();
        let mut head = None;
        for (at, step) in self.repository.steps.iter().enumerate() {
            let refs = match &step.bundle {
                Some(bundle) => {
                    let (header, names) = self.header(bundle, format.is_some())?;
                    match format {
                        None => self.git.init(self.folder, header.object_format.name())?,
                        Some(format) if format == header.object_format => {}
                        Some(_) => {
                            return Err(RepositoryError::damaged(
                                &bundle.name,
                                "its object format is not that of the bundle before it",
                            ));
                        }
                    }
                    let is_first = format.replace(header.object_format).is_none();
                    self.index(bundle, header.length, at)?;
                    match (is_first, names) {
                        (false, Some(names)) => self.refs_of_step(step, &names)?,
                        _ => self.refs_of_bundle(bundle)?,
                    }
                }
                // What comes before the first bundle was an empty repository.
                None if format.is_none() => continue,
                None => self.refs_of_step(step, &HashMap::new())?,
            };
            (sum, head) = refs;
        }
        let Some(_) = format else {
            let named_by = &self.repository.named_by;
            return Err(RepositoryError::damaged(named_by, "it has no bundle"));
        };
        self.write_head(head)?;
        Ok(sum)
    }

    /// The header of a bundle, and the refs that it names if it is an increment.
    #[expect(clippy::type_complexity, reason = "it is used once, right here")]
    fn header(
        &self,
        bundle: &Member,
        is_increment: bool,
    ) -> Result<(BundleHeader, Option<HashMap<Vec<u8>, ObjectId>>), RepositoryError> {
        if !is_increment {
            return Ok((
                self.repository.full_header(bundle, &mut |_, _| Ok(()))?,
                None,
            ));
        }
        let (mut names, mut bytes) = (HashMap::new(), 0);
        let header = self.repository.header(bundle, &mut |id, name| {
            bytes += name.len();
            if bytes > NAMES {
                return Err(RefsFault::Whole("it names too many refs"));
            }
            names.insert(name.to_owned(), id);
            Ok(())
        })?;
        Ok((header, Some(names)))
    }

    /// Gives the pack of a bundle to git.
    fn index(&self, bundle: &Member, header: u64, at: usize) -> Result<(), RepositoryError> {
        let files = &self.repository.files;
        let mut pack = files.open(&bundle.name, header..bundle.size)?;
        let index = ["index-pack", "--stdin", "--fix-thin"];
        let command = self.git.on(self.folder, &index);
        let git = Git {
            member: &bundle.name,
            ..self.git
        };
        git.run(command, "index-pack", Some(&mut pack))?;
        self.set_times(at).map_err(RepositoryError::Folder)
    }

    /// Gives the new packs the time of their step.
    fn set_times(&self, at: usize) -> io::Result<()> {
        let first = SystemTime::UNIX_EPOCH + FIRST_TIME;
        let time = first + Duration::from_secs(at as u64);
        let last = first + Duration::from_secs(self.repository.steps.len() as u64);
        for entry in fs::read_dir(self.folder.join("objects/pack"))? {
            let path = entry?.path();
            let is_pack = path
                .extension()
                .is_some_and(|extension| extension == "pack");
            if is_pack && fs::metadata(&path)?.modified()? > last {
                // Git makes packs read-only; times are the owner's to set all the same.
                File::open(&path)?.set_modified(time)?;
            }
        }
        Ok(())
    }

    /// Sets refs to exactly those that a bundle names.
    fn refs_of_bundle(
        &self,
        bundle: &Member,
    ) -> Result<(RefsSum, Option<ObjectId>), RepositoryError> {
        let mut packed = PackedRefs::create(self.folder)?;
        self.repository
            .header(bundle, &mut |id, name| packed.add(id, name))?;
        packed.finish()
    }

    /// Sets refs to exactly those of a step's list. What the bundle says of one is newer than the list: somebody pushed
    /// between the two.
    fn refs_of_step(
        &self,
        step: &Step,
        newer: &HashMap<Vec<u8>, ObjectId>,
    ) -> Result<(RefsSum, Option<ObjectId>), RepositoryError> {
        let Some(refs) = &step.refs else {
            return Err(RepositoryError::damaged(
                &step.bundle_name,
                "the list of refs that belongs to it is missing, so nobody knows which branches were deleted",
            ));
        };
        let mut packed = PackedRefs::create(self.folder)?;
        let reader = self.repository.open(refs)?;
        each_ref(reader, &mut |id, name| {
            packed.add(newer.get(name).copied().unwrap_or(id), name)
        })
        .map_err(|fault| RepositoryError::damaged(&refs.name, fault.to_string()))?;
        packed.finish()
    }

    /// Writes HEAD: the branch that the backup names, else the one that is guessed, else the commit.
    fn write_head(&self, head: Option<ObjectId>) -> Result<(), RepositoryError> {
        let text = match (self.repository.head()?, head) {
            (Some(branch), _) => format!("ref: {branch}\n"),
            (None, Some(id)) => format!("{id}\n"),
            // It led nowhere, and does so again.
            (None, None) => "ref: refs/heads/master\n".to_owned(),
        };
        fs::write(self.folder.join("HEAD"), text).map_err(RepositoryError::Folder)
    }
}

/// The file of packed refs, which is written anew.
struct PackedRefs {
    file: BufWriter<File>,
    sum: RefsSum,
    head: Option<ObjectId>,
}

impl PackedRefs {
    fn create(folder: &Path) -> Result<Self, RepositoryError> {
        let file = File::create(folder.join("packed-refs")).map_err(RepositoryError::Folder)?;
        Ok(PackedRefs {
            file: BufWriter::new(file),
            sum: RefsSum::default(),
            head: None,
        })
    }

    fn add(&mut self, id: ObjectId, name: &[u8]) -> Result<(), RefsFault> {
        if name == b"HEAD" {
            self.head = Some(id);
            return Ok(());
        }
        self.sum.add(id, name);
        write!(self.file, "{id} ")?;
        self.file.write_all(name)?;
        Ok(self.file.write_all(b"\n")?)
    }

    fn finish(mut self) -> Result<(RefsSum, Option<ObjectId>), RepositoryError> {
        self.file.flush().map_err(RepositoryError::Folder)?;
        Ok((self.sum, self.head))
    }
}

/// Makes sure that every object is there which refs of a bare repository lead to. A link that is missing between the steps
/// of a chain would only be found by whoever gets it.
pub(super) fn check_connected(
    repository: &Repository,
    folder: &Path,
    home: &Path,
    interrupted: &AtomicBool,
) -> Result<(), RepositoryError> {
    let git = Git {
        home,
        member: &repository.named_by,
        interrupted,
    };
    let walk = git.on(folder, &["rev-list", "--objects", "--all", "--quiet"]);
    git.run(walk, "rev-list", None)
}

/// Bundles all of a bare repository, with exactly these refs.
pub(super) fn bundle(
    repository: &Repository,
    folder: &Path,
    home: &Path,
    refs: RefsSum,
    interrupted: &AtomicBool,
) -> Result<(File, BundleHeader), RepositoryError> {
    let git = Git {
        home,
        member: &repository.named_by,
        interrupted,
    };
    let mut file = tempfile::tempfile_in(home).map_err(RepositoryError::Folder)?;
    let mut create = git.on(folder, &["bundle", "create", "--quiet", "-", "--all"]);
    create.stdout(file.try_clone().map_err(RepositoryError::Folder)?);
    git.run(create, "bundle create", None)?;
    super::git::rewind(&mut file).map_err(RepositoryError::Folder)?;
    let mut sum = RefsSum::default();
    let header =
        BundleHeader::read_each(BufReader::new(Read::by_ref(&mut file)), &mut |id, name| {
            sum.add(id, name);
            Ok(())
        });
    match header {
        Ok(header) if sum == refs => Ok((file, header)),
        // Git leaves out a ref whose object is not there, and is content.
        Ok(_) => Err(RepositoryError::damaged(
            &repository.named_by,
            "some of its refs lead to objects that no bundle holds",
        )),
        Err(fault) => Err(RepositoryError::damaged(
            &repository.named_by,
            fault.to_string(),
        )),
    }
}
