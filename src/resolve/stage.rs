//! Staged rows: what goes by before it can be decided whether it is wanted.
//!
//! pg_dump writes tables in name order, so `award_emoji` and `events` come before the notes that own them.
//! Such rows wait in a temp file, in blocks, until the keys are known. The first of them stay in the machine's page cache and
//! hardly ever come to a disk, so that packing them would only take time; later ones are LZ4 blocks.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::io_error::at;

/// Before a block stand its length on disk, as four bytes, and one byte that says whether it is packed.
const HEAD: usize = 5;

/// Bytes of rows, some of which may have to wait, from which on those that do are packed.
pub(crate) const UNPACKED: u64 = 256 << 20;

/// Rows that wait, as they lie in a stage.
#[derive(Debug, Default)]
pub(crate) struct StagedRows {
    bytes: Vec<u8>,
    is_packed: bool,
}

impl StagedRows {
    /// Rows, each ended by LF.
    pub(crate) fn new(rows: Vec<u8>, is_packed: bool) -> StagedRows {
        StagedRows {
            is_packed,
            bytes: match is_packed && !rows.is_empty() {
                true => lz4_flex::compress_prepend_size(&rows),
                false => rows,
            },
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that they take in a stage.
    pub(crate) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The rows.
    ///
    /// # Errors
    /// When the bytes are not what was staged: the temp file was damaged.
    pub(crate) fn into_rows(self) -> io::Result<Vec<u8>> {
        if !self.is_packed {
            return Ok(self.bytes);
        }
        lz4_flex::decompress_size_prepended(&self.bytes).map_err(|error| {
            io::Error::other(format!(
                "the temp file with staged rows is damaged: {error}"
            ))
        })
    }
}

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

    /// Appends a block.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn push(&mut self, rows: &StagedRows) -> io::Result<()> {
        let length = u32::try_from(rows.bytes.len())
            .map_err(|_| io::Error::other("a staged block of 4 GiB or more"))?;
        let mut write = |bytes: &[u8]| self.file.write_all(bytes).map_err(at(&self.folder));
        write(&length.to_le_bytes())?;
        write(&[u8::from(rows.is_packed)])?;
        write(&rows.bytes)?;
        self.size += (HEAD + rows.bytes.len()) as u64;
        Ok(())
    }

    /// Reads the blocks from the first on.
    ///
    /// # Errors
    /// When the file cannot be written or read.
    pub(crate) fn blocks(
        &mut self,
    ) -> io::Result<impl Iterator<Item = io::Result<StagedRows>> + '_> {
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
            let mut head = [0; HEAD];
            let block = reader.read_exact(&mut head).and_then(|()| {
                let [length @ .., is_packed] = head;
                let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
                reader.read_exact(&mut bytes)?;
                Ok(StagedRows {
                    bytes,
                    is_packed: is_packed != 0,
                })
            });
            left = match &block {
                Ok(block) => left.saturating_sub(HEAD as u64 + block.size()),
                Err(_) => 0,
            };
            Some(block.map_err(&named))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_packed_or_not() {
        let blocks = [("1\ta\n2\tb\n", false), ("3\tc\n", true), ("4\n", false)];
        let mut stage = Stage::new(&std::env::temp_dir()).unwrap();
        for (rows, is_packed) in blocks {
            let rows = StagedRows::new(rows.into(), is_packed);
            stage.push(&rows).unwrap();
        }
        // A tree may come back to a table, so a stage may be read several times.
        for _ in 0..2 {
            let read = stage.blocks().unwrap();
            let read: Vec<Vec<u8>> = read.map(|it| it.unwrap().into_rows().unwrap()).collect();
            assert_eq!(read, blocks.map(|(rows, _)| rows.as_bytes()));
        }
    }

    #[test]
    fn a_damaged_block_is_an_error() {
        let mut rows = StagedRows::new(b"1\ta\n".to_vec(), true);
        rows.bytes.pop();
        let error = rows.into_rows().unwrap_err().to_string();
        assert!(
            error.starts_with("the temp file with staged rows is damaged: "),
            "{error}"
        );
    }
}
