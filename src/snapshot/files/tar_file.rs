//! The files of a backup in an uncompressed tar on disk: one hop over its headers finds them all.

use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::contents::{Broken, Collector, Contents, cut_off, more_behind, stopped};
use super::index::{Entry, Sort};
use super::slice::Slice;
use super::{BackupFiles, BackupInfo, check_range, read_info, saved, unreadable};
use crate::snapshot::codec::tar_members::Members;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::place::{HeldFile, Place};

/// Bytes that are read at a header. More would be read in vain where members are large, and a header with a long name
/// before it has 1536.
const AT_A_HEADER: usize = 4096;

/// Bytes that are read at once behind the end.
const FILLED: usize = 64 << 10;

/// The members of a backup's tar. Its headers are gone through when something is asked for the first time.
pub(in crate::snapshot) struct TarFiles {
    /// What messages call it.
    source: String,
    /// Held open, so that a backup that is put in its place later is never taken for it.
    file: HeldFile,
    length: u64,
    contents: OnceLock<Contents>,
    info: OnceLock<BackupInfo>,
    saved: Option<Saved>,
}

/// Where an index is kept from one run to the next.
struct Saved {
    path: PathBuf,
    /// Of the tar when it was opened.
    fingerprint: Option<String>,
}

impl TarFiles {
    /// Opens a tar. `index` is a file that its index may be kept in.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(in crate::snapshot) fn open(
        place: &Place,
        source: &str,
        index: Option<&Path>,
    ) -> Result<Self, SnapshotError> {
        let file = place.hold().map_err(|error| place.failed(error))?;
        let length = file.size().map_err(|error| place.failed(error))?;
        Ok(TarFiles {
            source: source.to_owned(),
            saved: index.map(|index| Saved {
                path: index.to_owned(),
                fingerprint: file.fingerprint(),
            }),
            file,
            length,
            contents: OnceLock::new(),
            info: OnceLock::new(),
        })
    }

    fn contents(&self) -> &Contents {
        self.contents.get_or_init(|| {
            let loaded = self.saved.as_ref().and_then(|saved| {
                let fingerprint = saved.fingerprint.as_deref()?;
                saved::load(&saved.path, fingerprint, self.length)
            });
            let contents = loaded.unwrap_or_else(|| {
                let contents = self.hop();
                self.save(&contents);
                contents
            });
            contents.log(&self.source);
            contents
        })
    }

    /// Saves what was found, if there is a place for it. That of a damaged tar, and of one that is being written, is looked
    /// for again each time.
    fn save(&self, contents: &Contents) {
        let Some(Saved { path, fingerprint }) = &self.saved else {
            return;
        };
        let is_whole = contents.broken.is_none() && *fingerprint == self.file.fingerprint();
        if let Some(fingerprint) = fingerprint.as_ref().filter(|_| is_whole)
            && let Err(error) = saved::save(path, fingerprint, contents)
        {
            tracing::warn!(
                "the index {} cannot be written, and is made again by the next run: {error}",
                path.display()
            );
        }
    }

    /// Goes from header to header.
    fn hop(&self) -> Contents {
        let reader = self.file.reader(0..self.length);
        let mut members = Members::of_many(BufReader::with_capacity(AT_A_HEADER, reader));
        let mut collector = Collector::default();
        let broken = loop {
            match members.next() {
                Ok(Some(member)) => {
                    // Seeking goes past the end of a file without a word.
                    let is_cut = member.offset.saturating_add(member.size) > self.length;
                    if let Some((name, sort)) = collector.name(&member) {
                        let sort = match sort {
                            Sort::File if is_cut => Sort::Cut,
                            sort => sort,
                        };
                        let (offset, size) = (member.offset, member.size);
                        collector.add(&name, Entry { sort, offset, size });
                    }
                    if is_cut {
                        break Some(self.cut_off());
                    }
                }
                Ok(None) if members.has_ended() => break self.behind(members.position()),
                Ok(None) => break Some(self.cut_off()),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    break Some(self.cut_off());
                }
                Err(error) => break Some(stopped(&members, &error)),
            }
        };
        collector.finish(broken)
    }

    /// What is wrong behind the end of the tar, where there are but zeros that fill it up.
    fn behind(&self, end: u64) -> Option<Broken> {
        let mut buffer = vec![0; FILLED];
        let mut rest = self.file.reader(end..self.length);
        loop {
            match rest.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) if buffer[..count].iter().any(|byte| *byte != 0) => {
                    return Some(more_behind(end));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let says = format!("the end of the tar cannot be read: {error}");
                    return Some(Broken::by(says, &error));
                }
            }
        }
    }

    fn cut_off(&self) -> Broken {
        cut_off(self.length)
    }
}

impl BackupFiles for TarFiles {
    fn size_of(&self, name: &str) -> Result<Option<u64>, SnapshotError> {
        let found = self.contents().find(name)?;
        Ok(found.map(|entry| entry.size))
    }

    fn open(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Read + Send>, SnapshotError> {
        let Some(entry) = self.contents().find(name)? else {
            return Err(unreadable(name, "the backup holds no such file"));
        };
        check_range(name, &range, entry.size)?;
        // It ends within the tar, as was seen when its header was read.
        let range = entry.offset + range.start..entry.offset + range.end;
        let reader = self.file.reader(range.clone());
        Ok(Box::new(Slice::new(reader, range, "the tar")))
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, SnapshotError> {
        self.contents().list(prefix)
    }

    fn visit(&self, take: &mut dyn FnMut(&str, u64)) -> Result<Option<String>, SnapshotError> {
        Ok(self.contents().visit(take))
    }

    fn warnings(&self) -> Vec<String> {
        let gone_through = self.contents.get();
        gone_through.map_or_else(Vec::new, |contents| contents.says(&self.source))
    }

    fn info(&self) -> &BackupInfo {
        self.info.get_or_init(|| read_info(self))
    }
}
