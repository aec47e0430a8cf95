//! Reading from a store.

use std::fmt::Debug;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::SystemTime;

use crate::output::layout;
use crate::output::manifest::{self, Manifest, ManifestError};

/// The files at a place, to be read by their names.
///
/// A name is the path from the place, with `/`, as the manifest writes it: `group_1/labels/batch_1.ndjson.gz`. A name
/// that leads elsewhere (`../x`, `/etc/passwd`) is refused, wherever it is from.
///
/// Errors do not say which file they are of: whoever calls knows it, and [`Contents::shown`] names it for people.
pub trait Contents: Debug + Send + Sync {
    /// What messages call a file; with an empty name the place itself.
    fn shown(&self, name: &str) -> String;

    /// Opens a file. What is open can be read to its end, also if it is removed or replaced meanwhile.
    ///
    /// # Errors
    /// `NotFound` if there is no such file; [`is_no_file`] tells what is something else, such as a folder or a link.
    fn read(&self, name: &str) -> io::Result<Arc<dyn StoredFile>>;

    /// How many bytes a file has.
    ///
    /// # Errors
    /// As [`Contents::read`].
    fn length(&self, name: &str) -> io::Result<u64>;

    /// What lies directly below a folder, in no order; with an empty name below the place itself. Nothing, if there is
    /// no such folder. What the store keeps for itself is left out.
    ///
    /// # Errors
    /// If it cannot be listed.
    fn list(&self, folder: &str) -> io::Result<Vec<Listed>>;

    /// Opens the plan that lies here, of an export that several processes write.
    ///
    /// # Errors
    /// As [`Contents::read`].
    fn plan(&self) -> io::Result<Arc<dyn StoredFile>> {
        self.read(layout::PLAN)
    }

    /// The manifest that lies here.
    ///
    /// # Errors
    /// If there is none, which may be because a plan is not committed yet, or it is none that this program reads.
    fn manifest(&self) -> Result<Manifest, ManifestError> {
        let shown = self.shown(manifest::FILE_NAME);
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            FileReader::new(self.read(manifest::FILE_NAME)?).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => Manifest::parse(&bytes, shown),
            Err(source) => {
                let is_missing = source.kind() == io::ErrorKind::NotFound;
                match is_missing.then(|| self.plan()) {
                    Some(Ok(plan)) => Err(ManifestError::Planned {
                        path: self.shown(""),
                        plan: plan_in_words(plan),
                    }),
                    Some(Err(_)) | None => Err(ManifestError::Io {
                        path: shown,
                        source,
                    }),
                }
            }
        }
    }
}

/// What a plan is called, with its tasks if they can be counted: whoever works by it tells what is wrong with it.
fn plan_in_words(file: Arc<dyn StoredFile>) -> String {
    #[derive(serde::Deserialize)]
    struct Tasks {
        tasks: Vec<serde::de::IgnoredAny>,
    }
    let mut bytes = Vec::new();
    let read = FileReader::new(file).read_to_end(&mut bytes).ok();
    let found = read.and_then(|_| serde_json::from_slice::<Tasks>(&bytes).ok());
    match found.map(|found| found.tasks.len()) {
        Some(1) => "a plan of 1 task".to_owned(),
        Some(tasks) => format!("a plan of {tasks} tasks"),
        None => "a plan".to_owned(),
    }
}

/// A file that is open for reading, by several at the same time.
pub trait StoredFile: Send + Sync {
    /// Its size in bytes.
    fn length(&self) -> u64;

    /// When it was written last.
    ///
    /// # Errors
    /// If the store does not know.
    fn modified(&self) -> io::Result<SystemTime>;

    /// Reads bytes from a position on into the buffer, and says how many; 0 only at the file's end. Blocks.
    ///
    /// # Errors
    /// If the bytes cannot be had.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// Fills the whole buffer.
    ///
    /// # Errors
    /// As [`StoredFile::read_at`], and `UnexpectedEof` if the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(&mut buffer[filled..], position + filled as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Reads an open file from its beginning to its end.
pub struct FileReader {
    file: Arc<dyn StoredFile>,
    position: u64,
}

impl FileReader {
    /// Begins at the file's first byte.
    pub fn new(file: Arc<dyn StoredFile>) -> Self {
        FileReader { file, position: 0 }
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

/// Something that lies in a folder of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its own name, without those of the folders above it. For people: it need not lead back to what was listed.
    pub name: String,
    pub is_folder: bool,
}

/// Something has the name, but is no file that could be read: a folder, a link, a device.
#[derive(Debug, thiserror::Error)]
#[error("it is no regular file")]
pub(super) struct NoFile;

impl From<NoFile> for io::Error {
    fn from(error: NoFile) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, error)
    }
}

/// True for the error of reading something that is no file.
pub fn is_no_file(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<NoFile>())
}
