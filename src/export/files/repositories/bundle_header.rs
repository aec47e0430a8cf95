//! The header of a git bundle, versions 2 and 3: what it holds, and what has to be there already.
//!
//! ```text
//! # v3 git bundle
//! @object-format=sha256           version 3 only
//! -<oid> <subject>                a prerequisite
//! <oid> refs/heads/main
//! <oid> HEAD
//!                                 an empty line, and then the pack
//! ```

use std::io::BufRead;

use super::object_id::{ObjectFormat, ObjectId};
use super::ref_lines::{EachRef, Lines, RefsFault, parse};

/// What a bundle says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleHeader {
    /// 2 or 3.
    pub version: u8,
    pub object_format: ObjectFormat,
    /// Commits that have to be there before the bundle can be used; a full bundle has none.
    pub prerequisites: u64,
    /// Refs that it names, without HEAD.
    pub refs: u64,
    /// What HEAD leads to.
    pub head: Option<ObjectId>,
    /// Bytes of the header, with the empty line at its end.
    pub length: u64,
}

const NO_BUNDLE: RefsFault =
    RefsFault::Whole("it does not begin as a git bundle of version 2 or 3");

impl BundleHeader {
    /// Reads a header and the first bytes of the pack behind it. `each` gets the id and the name of each ref, HEAD too.
    /// Memory does not grow with the number of refs.
    ///
    /// # Errors
    /// Those of the reader, and where it is no bundle, or one of a kind that is not known.
    pub(super) fn read_each(
        reader: impl BufRead,
        each: &mut EachRef<'_>,
    ) -> Result<BundleHeader, RefsFault> {
        let mut lines = Lines::new(reader);
        let version = match lines.next_commented() {
            Ok(Some(b"# v2 git bundle")) => 2,
            Ok(Some(b"# v3 git bundle")) => 3,
            Err(RefsFault::Io(error)) => return Err(error.into()),
            Ok(_) | Err(_) => return Err(NO_BUNDLE),
        };
        let mut header = BundleHeader {
            version,
            object_format: ObjectFormat::Sha1,
            prerequisites: 0,
            refs: 0,
            head: None,
            length: 0,
        };
        // Capabilities come first, so that the format is known from the first id on.
        let mut format = None;
        loop {
            let Some(line) = lines.next_commented()? else {
                return Err(RefsFault::Whole("it ends within its header"));
            };
            match line {
                [] => break,
                [b'@', capability @ ..] if version == 3 && format.is_none() => {
                    match header.take_capability(capability) {
                        Ok(()) => {}
                        Err(reason) => return Err(lines.wrong(reason)),
                    }
                }
                [b'-', comment @ ..] => {
                    let format = format.get_or_insert(header.object_format);
                    match prerequisite(comment, *format) {
                        true => header.prerequisites += 1,
                        false => return Err(lines.wrong("it is no prerequisite")),
                    }
                }
                line => {
                    format.get_or_insert(header.object_format);
                    match parse(line, &mut format) {
                        Ok((id, b"HEAD")) => {
                            header.head = Some(id);
                            each(id, b"HEAD")?;
                        }
                        Ok((id, name)) => {
                            header.refs += 1;
                            each(id, name)?;
                        }
                        Err(reason) => return Err(lines.wrong(reason)),
                    }
                }
            }
        }
        header.length = lines.length;
        let mut pack = [0; 8];
        let mut rest = lines.into_inner();
        let is_pack = rest.read_exact(&mut pack).is_ok()
            && matches!(pack, [b'P', b'A', b'C', b'K', 0, 0, 0, 2 | 3]);
        match is_pack {
            true => Ok(header),
            false => Err(RefsFault::Whole("behind its header there is no pack")),
        }
    }

    /// As [`BundleHeader::read_each`], without the refs.
    ///
    /// # Errors
    /// A text that says why it is no bundle.
    pub fn read(reader: impl BufRead) -> Result<BundleHeader, String> {
        Self::read_each(reader, &mut |_, _| Ok(())).map_err(|fault| fault.to_string())
    }

    fn take_capability(&mut self, capability: &[u8]) -> Result<(), &'static str> {
        let (name, value) = match capability.iter().position(|byte| *byte == b'=') {
            Some(at) => (&capability[..at], &capability[at + 1..]),
            None => (capability, &[][..]),
        };
        match name {
            b"object-format" => {
                let format = ObjectFormat::of_name(value);
                self.object_format = format.ok_or("its object format is not known")?;
                Ok(())
            }
            b"filter" => Err("it was made with a filter, so objects are missing"),
            _ => Err("it has a capability that is not known"),
        }
    }
}

/// True for `<oid>` and `<oid> <subject>`.
fn prerequisite(line: &[u8], format: ObjectFormat) -> bool {
    let digits = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    ObjectId::parse(digits).is_some_and(|id| id.format() == format)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";
    const PACK: &[u8] = b"PACK\0\0\0\x02\0\0\0\0";

    fn read(header: &str) -> Result<BundleHeader, String> {
        BundleHeader::read(&[header.as_bytes(), PACK].concat()[..])
    }

    #[test]
    fn both_versions_are_read() {
        let text = format!("# v2 git bundle\n{ID} refs/heads/a\n{ID} refs/tags/b\n{ID} HEAD\n\n");
        let expected = BundleHeader {
            version: 2,
            object_format: ObjectFormat::Sha1,
            prerequisites: 0,
            refs: 2,
            head: ObjectId::parse(ID.as_bytes()),
            length: text.len() as u64,
        };
        assert_eq!(read(&text), Ok(expected));
        let long = "ab".repeat(32);
        let comment = "x".repeat(100_000);
        let text = format!(
            "# v3 git bundle\n@object-format=sha256\n-{long} {comment}\n-{long}\n{long} refs/heads/a\n\n"
        );
        let expected = BundleHeader {
            version: 3,
            object_format: ObjectFormat::Sha256,
            prerequisites: 2,
            refs: 1,
            head: None,
            length: text.len() as u64,
        };
        assert_eq!(read(&text), Ok(expected));
    }

    #[test]
    fn what_is_no_bundle_is_refused() {
        let line = format!("{ID} refs/heads/a\n");
        let cases = [
            (String::new(), "does not begin"),
            ("# v4 git bundle\n\n".to_owned(), "does not begin"),
            (format!("# v2 git bundle\n{line}"), "ends within"),
            ("# v2 git bundle\n\nx".to_owned(), "no pack"),
            (
                "# v2 git bundle\n@object-format=sha1\n\n".to_owned(),
                "no space",
            ),
            (
                "# v3 git bundle\n@object-format=md5\n\n".to_owned(),
                "format",
            ),
            (
                "# v3 git bundle\n@filter=blob:none\n\n".to_owned(),
                "filter",
            ),
            ("# v3 git bundle\n@new\n\n".to_owned(), "capability"),
            (
                format!("# v3 git bundle\n@object-format=sha256\n{line}\n"),
                "another format",
            ),
            (
                format!("# v3 git bundle\n{line}@object-format=sha1\n\n"),
                "no space",
            ),
            (
                "# v2 git bundle\n-12 subject\n\n".to_owned(),
                "prerequisite",
            ),
            (
                format!(
                    "# v2 git bundle\n{ID} refs/heads/{}\n\n",
                    "a".repeat(70_000)
                ),
                "too long",
            ),
        ];
        for (text, says) in cases {
            let error = read(&text).unwrap_err();
            assert!(error.contains(says), "{text:.80}: {error}");
        }
        let cut = BundleHeader::read(format!("# v2 git bundle\n{line}").as_bytes());
        assert!(cut.unwrap_err().contains("ends within"));
    }
}
