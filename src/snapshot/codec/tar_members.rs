//! The members of a tar, one header after another.
//!
//! Headers are parsed by the `tar` crate, but its iterator reads long names and pax headers into memory
//! whatever size they claim, which a few compressed bytes can make gigabytes. So the steps from header to
//! header are made here, with a limit.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use tar::{EntryType, GnuExtSparseHeader, Header};

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
    pub(crate) kind: MemberKind,
    /// False for a name that is not UTF-8: `name` has marks in place of what is not.
    pub(crate) is_exact: bool,
}

impl Member {
    /// True for a folder, also as the first tars wrote one.
    pub(crate) fn is_folder(&self) -> bool {
        match self.kind {
            MemberKind::Folder => true,
            MemberKind::File => self.name.ends_with('/'),
            MemberKind::Link | MemberKind::Sparse | MemberKind::Other => false,
        }
    }

    /// True for a regular file, false for folders, links, sparse files and more.
    pub(crate) fn is_file(&self) -> bool {
        self.kind == MemberKind::File
    }
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberKind {
    /// A regular file, whose content stands in the tar as one piece.
    File,
    Folder,
    /// A symbolic or hard link.
    Link,
    /// A file of which only the parts between its holes stand in the tar.
    Sparse,
    /// A pipe, a device, a label.
    Other,
}

impl MemberKind {
    fn of(kind: EntryType, pax: &[u8]) -> Self {
        // Sparse files of pax's kind look like regular ones.
        let is_sparse = || pax_records(pax).any(|(key, _)| key.starts_with(b"GNU.sparse."));
        match kind {
            EntryType::Regular | EntryType::Continuous if is_sparse() => MemberKind::Sparse,
            EntryType::Regular | EntryType::Continuous => MemberKind::File,
            EntryType::GNUSparse => MemberKind::Sparse,
            EntryType::Directory => MemberKind::Folder,
            EntryType::Link | EntryType::Symlink => MemberKind::Link,
            _ => MemberKind::Other,
        }
    }
}

/// Goes through a tar. After [`Members::next`] the reader stands at the first byte of the member's content.
pub(crate) struct Members<R> {
    inner: R,
    /// Passes over bytes; gives how many, which are fewer where the source ends.
    skip: fn(&mut R, u64) -> io::Result<u64>,
    position: u64,
    /// Where the next header stands.
    next: u64,
    /// The zero bytes that end a tar have come.
    has_ended: bool,
}

impl<R: Read + Seek> Members<R> {
    /// Goes through a file from its beginning, and seeks from header to header. Seeking does not see that a
    /// member ends after the end of the file: compare [`Member::size`] where that matters.
    pub(crate) fn of_file(file: R) -> Self {
        let skip = |file: &mut R, count| {
            let count =
                i64::try_from(count).map_err(|_| malformed("a member's size makes no sense"))?;
            file.seek(SeekFrom::Current(count))?;
            Ok(count.unsigned_abs())
        };
        Members {
            inner: file,
            skip,
            position: 0,
            next: 0,
            has_ended: false,
        }
    }
}

impl<R: Read + Seek> Members<BufReader<R>> {
    /// Goes through a file as [`Members::of_file`] does, with a few bytes at hand: for tars of very many members.
    pub(crate) fn of_many(file: BufReader<R>) -> Self {
        let skip = |file: &mut BufReader<R>, count| {
            let count =
                i64::try_from(count).map_err(|_| malformed("a member's size makes no sense"))?;
            file.seek_relative(count)?;
            Ok(count.unsigned_abs())
        };
        Members {
            inner: file,
            skip,
            position: 0,
            next: 0,
            has_ended: false,
        }
    }
}

impl<R: Read> Members<R> {
    /// Goes through a stream, and reads what it passes over.
    pub(crate) fn of_stream(stream: R) -> Self {
        let skip = |stream: &mut R, count| io::copy(&mut stream.take(count), &mut io::sink());
        Members {
            inner: stream,
            skip,
            position: 0,
            next: 0,
            has_ended: false,
        }
    }

    /// How far the tar has been read, in bytes.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Where the header stands that comes next, or could not be read.
    pub(crate) fn next_header(&self) -> u64 {
        self.next
    }

    /// True once the zero bytes have come that end a tar; one that is cut off between two members lacks them.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Reads on behind the end of the tar: false where more stands there than the zeros that fill it up.
    ///
    /// # Errors
    /// The bytes cannot be had; of a compressed tar this is where its checksum is looked at.
    pub(crate) fn is_all(&mut self) -> io::Result<bool> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match self.inner.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(count) if buffer[..count].iter().any(|byte| *byte != 0) => return Ok(false),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
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
            if kind == EntryType::Link {
                // Some writers give a hard link the size of its file, whose content never follows.
                size = 0;
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
                    let path = header.path_bytes();
                    // Of a sparse file GNU tar makes a path up, and puts the file's own beside it.
                    let of_pax = pax_bytes(&pax, "GNU.sparse.name");
                    let of_pax = of_pax.or_else(|| pax_bytes(&pax, "path"));
                    let name = match (of_pax, &long_name) {
                        (Some(path), _) => path,
                        (None, Some(long)) => {
                            long.split(|&byte| byte == 0).next().unwrap_or_default()
                        }
                        (None, None) => &path,
                    };
                    return Ok(Some(Member {
                        is_exact: str::from_utf8(name).is_ok(),
                        name: plain_name(&text(name)).to_owned(),
                        size,
                        offset,
                        kind: MemberKind::of(kind, &pax),
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

    /// Reads on in the content of the member that came last. Whoever reads minds where it ends.
    pub(crate) fn read_on(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }

    /// The reader, at the first byte of the content of the member that came last.
    pub(crate) fn into_inner(self) -> R {
        self.inner
    }

    /// The header at `next`; `None` for the zero bytes that end a tar, and where the bytes end.
    fn header(&mut self) -> io::Result<Option<Header>> {
        if self.next > self.position {
            self.position += (self.skip)(&mut self.inner, self.next - self.position)?;
            if self.position < self.next {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let bytes = self.content_up_to_block()?;
        if bytes.iter().all(|&byte| byte == 0) {
            self.has_ended = bytes.len() as u64 == BLOCK;
            return Ok(None);
        }
        let mut header = Header::new_old();
        if bytes.len() < header.as_bytes().len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        header.as_mut_bytes().copy_from_slice(&bytes);
        if header.cksum()? != checksum(header.as_bytes()) {
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
        let count = self.members.read_on(&mut buffer[..most])?;
        if count == 0 {
            let reason = format!(
                "the tar is cut off: {} bytes of this member are missing",
                self.left
            );
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// The last value of a pax header's key, as text.
fn pax_value(pax: &[u8], key: &str) -> Option<String> {
    pax_bytes(pax, key).map(text)
}

/// The last value of a pax header's key.
fn pax_bytes<'a>(pax: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let of_key = pax_records(pax).filter(|(name, _)| *name == key.as_bytes());
    of_key.map(|(_, value)| value).last()
}

/// The records of a pax header: `LENGTH KEY=VALUE` and a line's end, which a value may hold too. It ends where one is
/// malformed.
fn pax_records(mut pax: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let space = pax.iter().position(|&byte| byte == b' ')?;
        let length: usize = str::from_utf8(&pax[..space]).ok()?.parse().ok()?;
        let record = pax.get(space + 1..length)?.strip_suffix(b"\n")?;
        pax = &pax[length..];
        let equals = record.iter().position(|&byte| byte == b'=')?;
        Some((&record[..equals], &record[equals + 1..]))
    })
}

/// The sum of a header's bytes, which counts its own eight bytes as spaces.
fn checksum(header: &[u8; 512]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    sum(&header[..148]) + 8 * u32::from(b' ') + sum(&header[156..])
}

/// True for bytes that begin with a header as tar had them before POSIX (`tar --format=v7`). No magic marks one; its checksum
/// does.
pub(crate) fn is_old_header(start: &[u8]) -> bool {
    let Some((bytes, _)) = start.split_first_chunk::<512>() else {
        return false;
    };
    let mut header = Header::new_old();
    header.as_mut_bytes().copy_from_slice(bytes);
    // Nothing stands where later forms have their magic and its version.
    let is_old = bytes[0] != 0 && bytes[257..265].iter().all(|&byte| byte == 0);
    is_old && header.cksum().is_ok_and(|sum| sum == checksum(bytes))
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
    use std::fs::File;
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
            names.push((member.name.clone(), member.size, member.is_file()));
        }
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("tar"), tar)?;
        let mut members = Members::of_file(File::open(folder.path().join("tar"))?);
        for name in &names {
            let member = members.next()?.expect("a file has the members of a stream");
            let is_file = member.is_file();
            assert_eq!(*name, (member.name, member.size, is_file));
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
            header(EntryType::XHeader, "pax", 62),
            padded(b"30 path=./GNUSparseFile.7/own\n32 GNU.sparse.name=./sparse-too\n"),
            header(EntryType::Regular, "own", 3),
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
            ("sparse-too", 3, false),
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
