//! The members of a tar, one header after another.
//!
//! Headers are parsed by the `tar` crate, but its iterator reads long names and pax headers into memory
//! whatever size they claim, which a few compressed bytes can make gigabytes. So the steps from header to
//! header are made here, with a limit.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::mem;

use tar::{EntryType, GnuExtSparseHeader, Header, PaxExtensions};

const BLOCK: u64 = 512;

/// Bytes that a long name or a member's pax header may have.
const EXTENSION_LIMIT: u64 = 1 << 20;

/// A member's header, with what long names and pax headers before it say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Without a leading `./`.
    pub(crate) name: String,
    /// Bytes of its content.
    pub(crate) size: u64,
    /// Where its content stands in the tar, in bytes.
    pub(crate) offset: u64,
    /// True for a regular file, false for folders, links, sparse files and more.
    pub(crate) is_file: bool,
}

/// Goes through a tar. After [`Members::next`] the reader stands at the first byte of the member's content.
pub(crate) struct Members<R> {
    inner: R,
    skip: fn(&mut R, u64) -> io::Result<()>,
    position: u64,
    /// Where the next header stands.
    next: u64,
}

impl Members<File> {
    /// Goes through a file from its beginning, and seeks from header to header. Seeking does not see that a
    /// member ends after the end of the file: compare [`Member::size`] where that matters.
    pub(crate) fn of_file(file: File) -> Self {
        let skip = |file: &mut File, count| {
            let count =
                i64::try_from(count).map_err(|_| malformed("a member's size makes no sense"))?;
            file.seek(SeekFrom::Current(count)).map(|_| ())
        };
        Members {
            inner: file,
            skip,
            position: 0,
            next: 0,
        }
    }
}

impl<R: Read> Members<R> {
    /// Goes through a stream, and reads what it passes over.
    pub(crate) fn of_stream(stream: R) -> Self {
        let skip = |stream: &mut R, count| match io::copy(&mut stream.take(count), &mut io::sink())?
        {
            read if read < count => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        };
        Members {
            inner: stream,
            skip,
            position: 0,
            next: 0,
        }
    }

    /// The next member, `None` at the end of the tar.
    pub(crate) fn next(&mut self) -> io::Result<Option<Member>> {
        let mut long_name = None;
        let mut pax = Vec::new();
        loop {
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let kind = header.entry_type();
            let mut size = header.entry_size()?;
            let is_extension = matches!(
                kind,
                EntryType::GNULongName
                    | EntryType::GNULongLink
                    | EntryType::XHeader
                    | EntryType::XGlobalHeader
            );
            if !is_extension && let Some(stated) = pax_value(&pax, "size") {
                size = stated
                    .parse()
                    .map_err(|_| malformed("a pax header's size is no number"))?;
            }
            if kind.is_gnu_sparse() {
                self.pass_sparse_headers(&header)?;
            }
            let offset = self.position;
            let padded = size.checked_next_multiple_of(BLOCK);
            self.next = padded
                .and_then(|padded| offset.checked_add(padded))
                .ok_or_else(|| malformed("a member's size makes no sense"))?;
            match kind {
                EntryType::GNULongName => long_name = Some(self.content(size, EXTENSION_LIMIT)?),
                EntryType::XHeader => pax = self.content(size, EXTENSION_LIMIT)?,
                _ if is_extension => {}
                _ => {
                    let name = match (pax_value(&pax, "path"), mem::take(&mut long_name)) {
                        (Some(path), _) => path,
                        (None, Some(long)) => {
                            text(long.split(|&byte| byte == 0).next().unwrap_or_default())
                        }
                        (None, None) => text(&header.path_bytes()),
                    };
                    // Sparse files of pax's kind look like regular ones.
                    let is_sparse = pax_value(&pax, "GNU.sparse.name").is_some();
                    return Ok(Some(Member {
                        name: plain_name(&name).to_owned(),
                        size,
                        offset,
                        is_file: kind.is_file() && !is_sparse,
                    }));
                }
            }
        }
    }

    /// The content of the member that [`Members::next`] gave, of `size` bytes.
    ///
    /// # Errors
    /// It is larger than `limit` bytes, or the tar ends inside it.
    pub(crate) fn content(&mut self, size: u64, limit: u64) -> io::Result<Vec<u8>> {
        if size > limit {
            return Err(malformed(
                "a header or a file of few lines is larger than it can be",
            ));
        }
        let mut content = Vec::new();
        let read = (&mut self.inner).take(size).read_to_end(&mut content)?;
        self.position += read as u64;
        if (read as u64) < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(content)
    }

    /// The content of the member that [`Members::next`] gave, of `size` bytes, to be read in pieces. What is left
    /// of it when it is dropped, the next step passes over.
    pub(crate) fn body(&mut self, size: u64) -> Body<'_, R> {
        Body {
            members: self,
            left: size,
        }
    }

    /// The reader, at the first byte of the content of the member that came last.
    pub(crate) fn into_inner(self) -> R {
        self.inner
    }

    /// The header at `next`; `None` for the zero bytes that end a tar, and where the bytes end.
    fn header(&mut self) -> io::Result<Option<Header>> {
        if self.next > self.position {
            (self.skip)(&mut self.inner, self.next - self.position)?;
            self.position = self.next;
        }
        let bytes = self.content_up_to_block()?;
        if bytes.is_empty() || bytes.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let mut header = Header::new_old();
        if bytes.len() < header.as_bytes().len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        header.as_mut_bytes().copy_from_slice(&bytes);
        // The checksum counts its own eight bytes as spaces.
        let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
        let expected = sum(&bytes[..148]) + 8 * u32::from(b' ') + sum(&bytes[156..]);
        if header.cksum()? != expected {
            return Err(malformed("a header's checksum is wrong"));
        }
        Ok(Some(header))
    }

    fn content_up_to_block(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(BLOCK as usize);
        self.position += (&mut self.inner).take(BLOCK).read_to_end(&mut bytes)? as u64;
        Ok(bytes)
    }

    /// Blocks with more of a sparse file's map, which the file's size does not count.
    fn pass_sparse_headers(&mut self, header: &Header) -> io::Result<()> {
        let mut more = header.as_gnu().is_some_and(|gnu| gnu.is_extended());
        while more {
            let bytes = self.content_up_to_block()?;
            let mut extended = GnuExtSparseHeader::new();
            if bytes.len() < extended.as_bytes().len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            extended.as_mut_bytes().copy_from_slice(&bytes);
            more = extended.is_extended();
        }
        Ok(())
    }
}

/// The content of a member. Reading fails where the tar ends inside it.
pub(crate) struct Body<'a, R> {
    members: &'a mut Members<R>,
    left: u64,
}

impl<R: Read> Read for Body<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.members.inner.read(&mut buffer[..most])?;
        if count == 0 {
            let reason = format!(
                "the tar is cut off: {} bytes of this member are missing",
                self.left
            );
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
        }
        self.members.position += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// The last value of a pax header's key. Records that cannot be read are passed over.
fn pax_value(pax: &[u8], key: &str) -> Option<String> {
    let records = PaxExtensions::new(pax).flatten();
    records
        .filter(|record| record.key_bytes() == key.as_bytes())
        .map(|record| text(record.value_bytes()))
        .last()
}

fn plain_name(mut name: &str) -> &str {
    while let Some(rest) = name.strip_prefix("./") {
        name = rest.trim_start_matches('/');
    }
    name
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn malformed(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn header(kind: EntryType, name: &str, size: u64) -> Vec<u8> {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    }

    fn padded(content: &[u8]) -> Vec<u8> {
        let mut padded = content.to_vec();
        padded.resize(content.len().next_multiple_of(512), 0);
        padded
    }

    fn names(tar: &[u8]) -> io::Result<Vec<(String, u64, bool)>> {
        let mut members = Members::of_stream(Cursor::new(tar));
        let mut names = Vec::new();
        while let Some(member) = members.next()? {
            names.push((member.name, member.size, member.is_file));
        }
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("tar"), tar)?;
        let mut members = Members::of_file(File::open(folder.path().join("tar"))?);
        for name in &names {
            let member = members.next()?.expect("a file has the members of a stream");
            assert_eq!(*name, (member.name, member.size, member.is_file));
        }
        assert_eq!(members.next()?, None);
        Ok(names)
    }

    #[test]
    fn names_and_sizes_come_from_what_stands_before_a_header() {
        let long = "x".repeat(200);
        let mut sparse = header(EntryType::GNUSparse, "sparse", 3);
        sparse[482] = 1;
        let mut checked = Header::new_gnu();
        checked.as_mut_bytes().copy_from_slice(&sparse);
        checked.set_cksum();
        let tar = [
            header(EntryType::Directory, "./db/", 0),
            header(EntryType::GNULongName, "././@LongLink", 201),
            padded(format!("{long}\0").as_bytes()),
            header(EntryType::Regular, "short", 1),
            padded(b"x"),
            header(EntryType::XHeader, "pax", 25),
            padded(b"16 path=./other\n9 size=3\n"),
            header(EntryType::Regular, "short", 0),
            padded(b"abc"),
            checked.as_bytes().to_vec(),
            vec![0; 512],
            padded(b"abc"),
            header(EntryType::XGlobalHeader, "global", 10),
            padded(b"10 path=a\n"),
            header(EntryType::Symlink, "link", 0),
            vec![0; 1024],
        ];
        let expected = [
            ("db/", 0, false),
            (&long, 1, true),
            ("other", 3, true),
            ("sparse", 3, false),
            ("link", 0, false),
        ];
        let expected: Vec<_> = expected
            .map(|(name, size, is_file)| (name.to_owned(), size, is_file))
            .into();
        assert_eq!(names(&tar.concat()).unwrap(), expected);
    }

    #[test]
    fn the_end_may_lack_its_zero_blocks() {
        assert_eq!(names(b"").unwrap(), []);
        assert_eq!(names(&header(EntryType::Regular, "a", 0)).unwrap().len(), 1);
    }

    #[test]
    fn malformed_tars_are_errors() {
        let pax = |text: &str| {
            [
                header(EntryType::XHeader, "p", text.len() as u64),
                padded(text.as_bytes()),
            ]
            .concat()
        };
        let file = || header(EntryType::Regular, "a", 0);
        let mut flipped = file();
        flipped[0] ^= 1;
        let cases: [(&str, Vec<u8>, io::ErrorKind); 7] = [
            (
                "half a header",
                file()[..300].to_vec(),
                io::ErrorKind::UnexpectedEof,
            ),
            ("a wrong checksum", flipped, io::ErrorKind::InvalidData),
            (
                "a cut long name",
                header(EntryType::GNULongName, "l", 20),
                io::ErrorKind::UnexpectedEof,
            ),
            (
                "a huge long name",
                header(EntryType::GNULongName, "l", 1 << 40),
                io::ErrorKind::InvalidData,
            ),
            (
                "a huge pax header",
                header(EntryType::XHeader, "l", 1 << 40),
                io::ErrorKind::InvalidData,
            ),
            (
                "a size that is no number",
                [pax("10 size=x\n"), file()].concat(),
                io::ErrorKind::InvalidData,
            ),
            (
                "a size beyond all bounds",
                [pax("29 size=18446744073709551615\n"), file()].concat(),
                io::ErrorKind::InvalidData,
            ),
        ];
        for (name, tar, kind) in cases {
            assert_eq!(names(&tar).expect_err(name).kind(), kind, "{name}");
        }
    }
}
