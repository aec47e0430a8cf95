//! The tars of archives: GNU's form, without times and owners, so that equal files make equal bytes.

use tar::{EntryType, Header};

/// What a name may be long in a header of its own; the zero byte behind it need not be there.
const NAME: usize = 100;

/// Bytes that headers and contents are filled up to.
const BLOCK: usize = 512;

/// A member of an archive: its name, and the bytes of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::export) struct TarMember {
    pub name: String,
    pub size: u64,
}

/// The folder that every archive of GitLab's begins with.
pub(in crate::export) fn write_root(out: &mut Vec<u8>) {
    header(b"./", EntryType::Directory, 0, 0o755, out);
}

/// Writes what stands before a member's content.
pub(in crate::export) fn write_header(member: &TarMember, out: &mut Vec<u8>) {
    let name = member.name.as_bytes();
    if name.len() > NAME {
        // The name is the content of a member before it, which ends with a zero byte.
        let length = name.len() as u64 + 1;
        header(b"././@LongLink", EntryType::GNULongName, length, 0o644, out);
        out.extend_from_slice(name);
        out.push(0);
        write_padding(length, out);
    }
    header(name, EntryType::Regular, member.size, 0o644, out);
}

/// Writes what stands behind content of so many bytes.
pub(in crate::export) fn write_padding(size: u64, out: &mut Vec<u8>) {
    let over = (size % BLOCK as u64) as usize;
    if over > 0 {
        out.resize(out.len() + BLOCK - over, 0);
    }
}

/// Writes the end of the archive.
pub(in crate::export) fn write_end(out: &mut Vec<u8>) {
    out.resize(out.len() + 2 * BLOCK, 0);
}

fn header(name: &[u8], kind: EntryType, size: u64, mode: u32, out: &mut Vec<u8>) {
    let mut header = Header::new_gnu();
    let kept = name.len().min(NAME);
    if let Some(gnu) = header.as_gnu_mut() {
        gnu.name[..kept].copy_from_slice(&name[..kept]);
    }
    header.set_entry_type(kind);
    // Beyond 8 GiB in GNU's binary form.
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn an_archive_is_what_a_reader_of_tars_finds() {
        let long = format!("./{}/{}", "a".repeat(32), "b".repeat(200));
        let exact = format!("./{}", "c".repeat(98));
        let files: [(&str, &[u8]); 4] = [
            ("./lfs_objects.json", b"{}"),
            (&long, b""),
            (&exact, &[7; 512]),
            ("./\u{e4}/x", &[8; 513]),
        ];
        let mut tar = Vec::new();
        write_root(&mut tar);
        for (name, content) in files {
            let member = TarMember {
                name: name.to_owned(),
                size: content.len() as u64,
            };
            write_header(&member, &mut tar);
            tar.extend_from_slice(content);
            write_padding(member.size, &mut tar);
        }
        write_end(&mut tar);
        assert_eq!(tar.len() % BLOCK, 0);
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap()), (0, 0));
            found.push((name, content));
        }
        let mut expected = vec![("./".to_owned(), Vec::new())];
        expected.extend(files.map(|(name, content)| (name.to_owned(), content.to_vec())));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_size_beyond_eight_gib_is_kept() {
        let mut tar = Vec::new();
        let size = (8 << 30) + 1;
        let name = "./repository.bundle".to_owned();
        write_header(&TarMember { name, size }, &mut tar);
        let header = Header::from_byte_slice(&tar);
        assert_eq!(header.entry_size().unwrap(), size);
    }
}
