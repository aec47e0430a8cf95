//! Staged rows: what goes by before it can be decided whether it is wanted.
//!
//! pg_dump writes tables in name order, so `award_emoji` and `events` come before the notes that own them.
//! Such rows wait in a temp file, in LZ4 blocks, until the keys are known.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::io_error::at;

/// A block's length on disk stands before it, as four bytes.
const LENGTH: usize = 4;

/// Rows of one table that wait, in the order in which they went by.
pub(crate) struct Stage {
    file: BufWriter<File>,
    /// The folder that the file lies in, for messages.
    folder: PathBuf,
    /// Bytes on disk.
    size: u64,
}

impl Stage {
    /// An empty stage in a temp file without a name: it is gone whatever happens to the program.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn new(temp_dir: &Path) -> io::Result<Self> {
        Ok(Stage {
            file: BufWriter::new(tempfile::tempfile_in(temp_dir).map_err(at(temp_dir))?),
            folder: temp_dir.to_owned(),
            size: 0,
        })
    }

    /// Appends a block that [`pack`] made.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn push(&mut self, packed: &[u8]) -> io::Result<()> {
        let length = u32::try_from(packed.len())
            .map_err(|_| io::Error::other("a staged block of 4 GiB or more"))?;
        let mut write = |bytes: &[u8]| self.file.write_all(bytes).map_err(at(&self.folder));
        write(&length.to_le_bytes())?;
        write(packed)?;
        self.size += (LENGTH + packed.len()) as u64;
        Ok(())
    }

    /// Reads the packed blocks from the first on.
    ///
    /// # Errors
    /// When the file cannot be written or read.
    pub(crate) fn blocks(&mut self) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>> + '_> {
        let named = at(&self.folder);
        self.file.flush().map_err(&named)?;
        let mut file = self.file.get_ref();
        file.rewind().map_err(&named)?;
        let mut reader = BufReader::with_capacity(1 << 18, file);
        let mut left = self.size;
        Ok(std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let mut length = [0; LENGTH];
            let block = reader.read_exact(&mut length).and_then(|()| {
                let mut block = vec![0; u32::from_le_bytes(length) as usize];
                reader.read_exact(&mut block).map(|()| block)
            });
            left = match &block {
                Ok(block) => left.saturating_sub((LENGTH + block.len()) as u64),
                Err(_) => 0,
            };
            Some(block.map_err(&named))
        }))
    }
}

/// Packs rows for a stage.
pub(crate) fn pack(rows: &[u8]) -> Vec<u8> {
    lz4_flex::compress_prepend_size(rows)
}

/// Undoes [`pack`].
///
/// # Errors
/// When the bytes are not what `pack` made: the temp file was damaged.
pub(crate) fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    lz4_flex::decompress_size_prepended(packed).map_err(|error| {
        io::Error::other(format!(
            "the temp file with staged rows is damaged: {error}"
        ))
    })
}
