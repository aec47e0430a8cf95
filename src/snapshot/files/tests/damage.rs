//! Backups that are cut off or damaged.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::snapshot::place::Place;

#[test]
fn a_file_that_may_be_behind_the_cut_is_not_just_missing() {
    let inner = gzip(&tar(&[("./a", b"a"), ("./b", &[7; 1500])]));
    let files: &[File] = &[
        ("backup_information.yml", b"x"),
        ("repositories/a.bundle", &[1; 700]),
        ("uploads.tar.gz", &inner),
        ("repositories/b.bundle", &[2; 512]),
    ];
    let whole = tar(files);
    let end = whole.len() - 1024;
    for cut in (512..whole.len()).step_by(128) {
        for (form, put) in [
            ("tar", as_file(&whole[..cut])),
            ("pipe", as_pipe(&whole[..cut])),
        ] {
            let gathered = put.gather();
            let found = gathered.files().unwrap();
            // One block of zeros is enough.
            let is_cut = cut < end + 512;
            for (name, bytes) in files.iter().skip(1) {
                let open = || found.open(name, 0..bytes.len() as u64);
                match found.size_of(name) {
                    Ok(Some(size)) => {
                        assert_eq!(size, bytes.len() as u64, "{form} {cut} {name}");
                        match open() {
                            Ok(reader) => assert_eq!(read(reader), *bytes, "{form} {cut} {name}"),
                            Err(error) => assert!(error.to_string().contains("cut off at byte")),
                        }
                    }
                    Ok(None) => panic!("{form} {cut}: {name} is not just missing"),
                    Err(error) if *name == "uploads.tar.gz" && form == "pipe" => {
                        // It is read by what is in it.
                        let error = error.to_string();
                        assert!(error.contains("went by") || is_cut, "{cut}: {error}");
                    }
                    Err(error) => {
                        let place = format!("the tar is cut off at byte {cut}");
                        assert!(error.to_string().contains(&place), "{form} {cut}: {error}");
                        assert!(is_cut);
                    }
                }
            }
            assert_eq!(found.list("repositories/").is_err(), is_cut, "{form} {cut}");
            let trouble = gathered.trouble(InnerArchive::Uploads);
            assert_ne!(trouble, Some(&ArchiveTrouble::Absent), "{form} {cut}");
            if trouble.is_none() {
                assert_eq!(gathered.inner_size(InnerArchive::Uploads, "b"), Some(1500));
            }
        }
    }
}

#[test]
fn damage_between_members_is_told_of_what_is_not_found() {
    let bytes = tar(&[("backup_information.yml", b"x"), ("a", b"a"), ("b", b"b")]);
    for byte in (1024..1536).chain(2048..2560) {
        let mut flipped = bytes.clone();
        flipped[byte] ^= 0x40;
        for (form, put) in [("tar", as_file(&flipped)), ("pipe", as_pipe(&flipped))] {
            let gathered = put.gather();
            let place = byte / 512 * 512;
            let expected = format!(
                "cannot read b of the backup: the tar cannot be read on from byte {place} \
                 (a header's checksum is wrong), and may have held it behind that place"
            );
            let said = said(&gathered, "b");
            // The checksum itself may have become no number.
            let is_checksum = (148..156).contains(&(byte % 512));
            assert!(
                said == expected || is_checksum && said.contains(&format!("byte {place}")),
                "{form} {byte}: {said}"
            );
        }
    }
}

#[test]
fn no_damage_to_an_inner_archive_goes_unnoticed() {
    let inner = tar(&[("./a", b"the first"), ("./b", b"the second")]);
    for packed in [gzip(&inner), zstd::encode_all(&inner[..], 1).unwrap()] {
        let has_checksum = packed[0] == 0x1f;
        for byte in 0..packed.len() {
            let mut flipped = packed.clone();
            flipped[byte] ^= 0x10;
            let put = as_pipe(&tar(&[
                ("backup_information.yml", b"x"),
                ("lfs.tar.gz", &flipped),
            ]));
            let gathered = put.gather();
            let trouble = gathered.trouble(InnerArchive::Lfs);
            let get = |path| {
                let size = gathered.inner_size(InnerArchive::Lfs, path)?;
                gathered
                    .open_inner(InnerArchive::Lfs, path, 0..size)
                    .unwrap()
                    .map(read)
            };
            let whole = get("a").as_deref() == Some(b"the first")
                && get("b").as_deref() == Some(b"the second");
            assert!(whole || trouble.is_some() || !has_checksum, "byte {byte}");
            if let Some(trouble) = trouble {
                assert!(trouble.to_string().starts_with("lfs.tar.gz is damaged: "));
                for path in ["a", "b"] {
                    let found = gathered.inner_size(InnerArchive::Lfs, path).is_some();
                    assert!(found || gathered.open_inner(InnerArchive::Lfs, path, 0..0).is_err());
                }
            }
        }
        // Cut anywhere, it is damaged.
        for cut in 0..packed.len() {
            let put = as_pipe(&tar(&[
                ("backup_information.yml", b"x"),
                ("lfs.tar.gz", &packed[..cut]),
            ]));
            assert!(put.gather().trouble(InnerArchive::Lfs).is_some(), "{cut}");
        }
    }
}

/// What a form of a tar gives of each name: its content, or nothing.
fn given(put: &Put) -> BTreeMap<String, Option<Vec<u8>>> {
    let gathered = put.gather();
    let files = gathered.files().unwrap();
    let mut given = BTreeMap::new();
    let visited = files.visit(&mut |name, size| {
        let read = || {
            let mut bytes = Vec::new();
            files
                .open(name, 0..size)
                .ok()?
                .read_to_end(&mut bytes)
                .ok()?;
            Some(bytes)
        };
        given.insert(name.to_owned(), read());
    });
    given.insert("(all)".to_owned(), visited.unwrap().map(String::into_bytes));
    given
}

/// Makes checksums of headers right again.
fn sum_again(tar: &mut [u8]) {
    for block in tar.as_chunks_mut::<512>().0 {
        if &block[257..262] == b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

proptest! {
    #[test]
    fn a_file_and_a_pipe_give_the_same_of_a_damaged_tar(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        // Where the type, the size and the beginning of a name stand in a header.
        in_headers in prop::collection::vec((0..8_usize, prop::sample::select(
            vec![0, 1, 2, 99, 124, 133, 134, 135, 156, 482]), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let long = "x".repeat(120);
        let mut bytes = tar(&[
            ("a", &[1; 600]),
            ("repositories/b", b"b"),
            (&long, b"long"),
            ("a", b"again"),
            ("c", &[2; 512]),
        ]);
        for (block, at, byte) in in_headers {
            bytes[block * 512 + at] = byte;
        }
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        sum_again(&mut bytes);
        if is_cut {
            bytes.truncate(512 + cut.index(bytes.len() - 512));
        }
        // A file that is no tar at all is no backup.
        prop_assume!(&bytes[257..262] == b"ustar");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup.tar");
        fs::write(&path, &bytes).unwrap();
        let source = Box::new(move || {
            let files = TarFiles::open(&Place::from(&path), "backup.tar", None).unwrap();
            FileSource::Here(Arc::new(files))
        });
        prop_assert_eq!(given(&Put { folder, source }), given(&as_pipe(&bytes)));
    }
}

#[test]
fn zeros_in_the_middle_of_a_tar_are_no_end() {
    let inner = tar(&[("./a", b"a"), ("./b", b"b")]);
    let files: &[File] = &[
        ("backup_information.yml", b"x"),
        ("repositories/a.bundle", b"1"),
        ("uploads.tar.gz", &gzip(&inner)),
    ];
    let whole = tar(files);
    // The header of the second member, of the outer tar.
    let mut zeroed = whole.clone();
    zeroed[1024..1024 + 512].fill(0);
    for (form, put) in [("tar", as_file(&zeroed)), ("pipe", as_pipe(&zeroed))] {
        let gathered = put.gather();
        let error = gathered
            .files()
            .unwrap()
            .size_of("repositories/a.bundle")
            .unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("more stands behind the end of the tar"),
            "{form}: {error}"
        );
    }
    // And of the inner one.
    let mut zeroed = inner.clone();
    zeroed[1024..1024 + 512].fill(0);
    let whole = tar(&[
        ("backup_information.yml", b"x"),
        ("uploads.tar.gz", &gzip(&zeroed)),
    ]);
    for (form, put) in [("tar", as_file(&whole)), ("pipe", as_pipe(&whole))] {
        let gathered = put.gather();
        let trouble = gathered.trouble(InnerArchive::Uploads);
        assert!(
            matches!(trouble, Some(ArchiveTrouble::Damaged(_))),
            "{form}: {trouble:?}"
        );
    }
}
