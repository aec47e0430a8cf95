//! Lines `<oid> <name>`, as `git show-ref --head` writes them, and the header of a bundle has them.

use std::io::{self, BufRead, Read};

use super::object_id::{ObjectFormat, ObjectId};

/// Bytes of a line at the most; file systems end names of refs much earlier.
const LINE: u64 = 64 << 10;

/// What is wrong with a text of refs.
#[derive(Debug, thiserror::Error)]
pub(super) enum RefsFault {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("line {line}: {reason}")]
    Line { line: u64, reason: &'static str },
    #[error("{0}")]
    Whole(&'static str),
}

/// What is done with each ref, by its id and its name.
pub(super) type EachRef<'a> = dyn FnMut(ObjectId, &[u8]) -> Result<(), RefsFault> + 'a;

/// Lines of a text, one by one, with what is needed to say which one is wrong.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The number of the line that was read last.
    pub number: u64,
    /// Bytes that were read, with the ends of lines.
    pub length: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Lines {
            reader,
            buffer: Vec::new(),
            number: 0,
            length: 0,
        }
    }

    /// The next line without its end; `None` at the end of the text.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, RefsFault> {
        match self.next_beginning()? {
            Some((_, false)) => Err(self.wrong("the line is too long")),
            Some((line, true)) => Ok(Some(&self.buffer[..line])),
            None => Ok(None),
        }
    }

    /// The next line, of one that is too long the beginning: how many bytes of it there are, and whether they are all. The
    /// rest of a long one is skipped.
    fn next_beginning(&mut self) -> Result<Option<(usize, bool)>, RefsFault> {
        self.buffer.clear();
        let mut bounded = self.reader.by_ref().take(LINE);
        let read = bounded.read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.length += read as u64;
        match self.buffer.last() {
            Some(b'\n') => Ok(Some((read - 1, true))),
            _ if (read as u64) < LINE => Err(self.wrong("the text ends within the line")),
            _ => {
                let skipped = self.reader.skip_until(b'\n')?;
                self.length += skipped as u64;
                Ok(Some((read, false)))
            }
        }
    }

    /// As [`Lines::next`], for lines that may have a comment of any length.
    pub(super) fn next_commented(&mut self) -> Result<Option<&[u8]>, RefsFault> {
        match self.next_beginning()? {
            Some((_, false)) if self.buffer.first() != Some(&b'-') => {
                Err(self.wrong("the line is too long"))
            }
            Some((line, _)) => Ok(Some(&self.buffer[..line])),
            None => Ok(None),
        }
    }

    /// What comes behind the lines.
    pub(super) fn into_inner(self) -> R {
        self.reader
    }

    pub(super) fn wrong(&self, reason: &'static str) -> RefsFault {
        RefsFault::Line {
            line: self.number,
            reason,
        }
    }
}

/// Reads a text of refs line by line; `each` gets the id and the name of each. All ids have to be of one format, and
/// names be such that git would take them.
///
/// # Errors
/// Those of the reader, and what is no such text.
pub(super) fn each_ref(
    reader: impl BufRead,
    each: &mut EachRef<'_>,
) -> Result<Option<ObjectFormat>, RefsFault> {
    let mut lines = Lines::new(reader);
    let mut format = None;
    loop {
        let Some(line) = lines.next()? else {
            return Ok(format);
        };
        match parse(line, &mut format) {
            Ok((id, name)) => each(id, name)?,
            Err(reason) => return Err(lines.wrong(reason)),
        }
    }
}

/// The id and the name of a line; `format` is that of the lines before it.
pub(super) fn parse<'a>(
    line: &'a [u8],
    format: &mut Option<ObjectFormat>,
) -> Result<(ObjectId, &'a [u8]), &'static str> {
    let space = line.iter().position(|byte| *byte == b' ');
    let space = space.ok_or("there is no space between an object id and a name")?;
    let id = ObjectId::parse(&line[..space]).ok_or("it does not begin with an object id")?;
    if *format.get_or_insert(id.format()) != id.format() {
        return Err("the object id is of another format than those before it");
    }
    let name = &line[space + 1..];
    match is_ref_name(name) {
        true => Ok((id, name)),
        false => Err("its name is no name of a ref"),
    }
}

/// True for `HEAD` and for names below `refs/` that git would take (git-check-ref-format).
pub(super) fn is_ref_name(name: &[u8]) -> bool {
    if name == b"HEAD" {
        return true;
    }
    let is_bad = |byte: &u8| *byte <= b' ' || b"\x7f~^:?*[\\".contains(byte);
    name.starts_with(b"refs/")
        && !name.iter().any(is_bad)
        && !name.ends_with(b".")
        && !name.windows(2).any(|two| two == b".." || two == b"@{")
        && name
            .split(|byte| *byte == b'/')
            .all(|part| !part.is_empty() && !part.starts_with(b".") && !part.ends_with(b".lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn read(text: &[u8]) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        each_ref(text, &mut |id, name| {
            found.push(format!("{id} {}", String::from_utf8_lossy(name)));
            Ok(())
        })
        .map(|_| found)
        .map_err(|error| error.to_string())
    }

    #[test]
    fn lines_are_ids_and_names() {
        let text = format!("{ID} HEAD\n{ID} refs/heads/a/b\n{ID} refs/keep-around/{ID}\n");
        let found = read(text.as_bytes()).unwrap();
        assert_eq!(found.join("\n") + "\n", text);
        assert_eq!(read(b""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_ref_is_refused_with_its_line() {
        let other = "0".repeat(64);
        let cases = [
            (format!("{ID}\n"), "no space"),
            (format!("{ID} refs/heads/a"), "ends within"),
            (format!("{} refs/heads/a\n", &ID[1..]), "object id"),
            (format!("{other} refs/heads/a\n"), "another format"),
            (
                format!("{ID} refs/heads/{}\n", "a".repeat(70_000)),
                "too long",
            ),
            (format!("{ID} ../../etc/passwd\n"), "no name"),
            (format!("{ID} refs/heads/../../x\n"), "no name"),
            (format!("{ID} refs/heads/a b\n"), "no name"),
            (format!("{ID} refs/heads/a\0b\n"), "no name"),
            (format!("{ID} refs/heads/a^{{}}\n"), "no name"),
            (format!("{ID} refs/heads/.a\n"), "no name"),
            (format!("{ID} refs/heads/a.lock/b\n"), "no name"),
            (format!("{ID} refs/heads/a@{{1}}\n"), "no name"),
            (format!("{ID} refs/heads/\n"), "no name"),
            (format!("{ID} --upload-pack=x\n"), "no name"),
        ];
        for (line, says) in cases {
            let text = format!("{ID} HEAD\n{line}");
            let error = read(text.as_bytes()).unwrap_err();
            assert!(
                error.starts_with("line 2: ") && error.contains(says),
                "{error}"
            );
        }
    }
}
