//! Files of a backup in each of its forms.

use super::*;

#[test]
fn files_are_found_listed_and_read_by_ranges() {
    let long = format!("repositories/default/{}/001.bundle", "x".repeat(150));
    let files: &[File] = &[
        ("./backup_information.yml", b":backup_id: 17_x\n"),
        DATABASE,
        ("repositories/b.bundle", b"0123456789"),
        ("repositories/a.bundle", b""),
        (&long, b"long"),
        ("uploads.tar.gz", &gzip(&tar(&[]))),
    ];
    for (form, put) in forms(files) {
        let gathered = put.gather();
        let files = gathered.files().unwrap();
        assert_eq!(files.info().backup_id.as_deref(), Some("17_x"), "{form}");
        assert_eq!(content(&**files, "repositories/b.bundle"), b"0123456789");
        assert_eq!(content(&**files, "repositories/a.bundle"), b"");
        assert_eq!(content(&**files, &long), b"long");
        let range = files.open("repositories/b.bundle", 3..7).unwrap();
        assert_eq!(read(range), b"3456", "{form}");
        for (start, end) in [(0, 11), (11, 11), (7, 3)] {
            let range = start..end;
            assert!(
                files.open("repositories/b.bundle", range).is_err(),
                "{form}"
            );
        }
        for name in ["repositories", "repositories/c", "", "/", "../x", "a\0b"] {
            assert_eq!(files.size_of(name).unwrap(), None, "{form}: {name:?}");
            assert!(files.open(name, 0..0).is_err(), "{form}: {name:?}");
        }
        let expected = [
            ("repositories/a.bundle".to_owned(), 0),
            ("repositories/b.bundle".to_owned(), 10),
            (long.clone(), 4),
        ];
        assert_eq!(files.list("repositories/").unwrap(), expected, "{form}");
        assert_eq!(files.list("repositories/b").unwrap(), expected[1..2]);
        assert_eq!(files.list("repositories").unwrap(), expected, "{form}");
        assert_eq!(files.list("none/").unwrap(), [], "{form}");
        assert_eq!(files.list("").unwrap().len(), 6, "{form}");
    }
}

#[test]
fn inner_archives_are_read_whatever_they_are_compressed_by() {
    let inner = tar(&[
        ("./@hashed/aa/bb/x/secret/a.png", b"first"),
        ("./@hashed/aa/bb/x/secret/b.png", b"second"),
        ("./empty", b""),
        ("./@hashed/aa/bb/x/secret/a.png", b"the last counts"),
    ]);
    let ways: [(&str, Vec<u8>); 3] = [
        ("gzip", gzip(&inner)),
        ("zstd", zstd::encode_all(&inner[..], 1).unwrap()),
        ("plain", inner),
    ];
    for (way, bytes) in ways {
        let files: &[File] = &[DATABASE, ("uploads.tar.gz", &bytes)];
        for (form, put) in forms(files) {
            let gathered = put.gather();
            let get = |path: &str| {
                let size = gathered.inner_size(InnerArchive::Uploads, path)?;
                let opened = gathered.open_inner(InnerArchive::Uploads, path, 0..size);
                opened.unwrap().map(read)
            };
            let a = get("@hashed/aa/bb/x/secret/a.png");
            assert_eq!(a.as_deref(), Some(&b"the last counts"[..]), "{form} {way}");
            let b = get("@hashed/aa/bb/x/secret/b.png");
            assert_eq!(b.as_deref(), Some(&b"second"[..]), "{form} {way}");
            assert_eq!(get("empty").as_deref(), Some(&b""[..]), "{form} {way}");
            assert_eq!(get("other"), None);
            assert_eq!(
                gathered.trouble(InnerArchive::Uploads),
                None,
                "{form} {way}"
            );
            let lfs = gathered.trouble(InnerArchive::Lfs);
            assert_eq!(lfs, Some(&ArchiveTrouble::Absent), "{form} {way}");
        }
    }
}

#[test]
fn what_is_no_file_inside_the_backup_is_refused() {
    use tar::EntryType::*;
    let bytes = [
        member("backup_information.yml", b""),
        header(Directory, "./repositories/", 0),
        member("../outside", b"x"),
        member("repositories/../../outside", b"x"),
        member("/etc/passwd", b"x"),
        member("twice", b"first"),
        header(Symlink, "link", 0),
        // Its size counts the file that it stands for, whose bytes do not come.
        header(Link, "hard", 700),
        header(GNUSparse, "sparse", 512),
        padded(&[1; 512]),
        header(Fifo, "pipe", 0),
        header(Regular, "old-folder/", 0),
        member("twice", b"second"),
        member("a//b/./c", b"c"),
        vec![0; 1024],
    ];
    for (form, put) in tars(&bytes.concat()) {
        let gathered = put.gather();
        let names = gathered.files().unwrap().list("").unwrap();
        let names: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        let expected = ["a/b/c", "backup_information.yml", "twice"];
        assert_eq!(names, expected, "{form}");
        assert_eq!(content(&**gathered.files().unwrap(), "twice"), b"second");
        for name in [
            "../outside",
            "outside",
            "etc/passwd",
            "/etc/passwd",
            "repositories",
            "old-folder",
        ] {
            assert_eq!(said(&gathered, name), "None", "{form} {name}");
        }
        for name in ["link", "hard"] {
            let link = format!("cannot read {name} of the backup: it is a link");
            assert!(said(&gathered, name).starts_with(&link), "{form} {name}");
        }
        assert!(said(&gathered, "sparse").contains("sparse file"), "{form}");
        assert!(
            said(&gathered, "pipe").contains("no regular file"),
            "{form}"
        );
    }
}

#[cfg(unix)]
#[test]
fn no_link_in_a_folder_is_followed() {
    use std::os::unix::fs::symlink;
    let put = as_folder(&[
        ("backup_information.yml", b""),
        ("elsewhere/inner/file", b"x"),
        ("real/file", b"x"),
    ]);
    let at = put.folder.path();
    symlink("/etc", at.join("repositories")).unwrap();
    symlink("elsewhere", at.join("inside")).unwrap();
    symlink("../elsewhere/inner", at.join("real/inner")).unwrap();
    symlink("file", at.join("real/link")).unwrap();
    symlink("nowhere", at.join("uploads.tar.gz")).unwrap();
    let gathered = put.gather();
    for name in [
        "repositories/passwd",
        "inside/inner/file",
        "real/inner/file",
        "real/link",
        "uploads.tar.gz",
    ] {
        assert!(said(&gathered, name).contains("it is a link"), "{name}");
    }
    assert_eq!(said(&gathered, "real/file/more"), "None");
    let files = gathered.files().unwrap();
    assert_eq!(files.list("real/").unwrap(), [("real/file".to_owned(), 1)]);
    assert!(files.list("repositories/").is_err());
    assert!(files.list("inside/inner/").is_err());
    let trouble = gathered.trouble(InnerArchive::Uploads).unwrap();
    assert!(trouble.to_string().contains("it is a link"), "{trouble}");
}
