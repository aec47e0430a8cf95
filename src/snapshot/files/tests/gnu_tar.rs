//! Tars by GNU tar, which is what writes backups, as the judge of what a tar means.

use std::path::Path;
use std::process::Command;

use super::*;

/// Runs a script of the shell in a folder; false if there is no GNU tar.
fn shell(folder: &Path, script: &str) -> bool {
    let has_tar = Command::new("tar").arg("--version").output();
    if !has_tar.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("GNU tar")) {
        return false;
    }
    let mut command = Command::new("sh");
    let ran = command.args(["-ec", script]).current_dir(folder).output();
    let ran = ran.unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    true
}

#[test]
fn names_of_every_length_and_form_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let made = shell(
        folder.path(),
        r#"mkdir tree && cd tree && echo ':backup_id: 1' > backup_information.yml
        long=$(printf 'x%.0s' $(seq 120))
        mkdir -p "repositories/$long/$long"
        for length in 99 100 101 155 255; do
            printf %s $length > "repositories/$(printf 'y%.0s' $(seq $((length - 13))))"
        done 2>/dev/null || true
        printf long > "repositories/$long/$long/001.bundle"
        printf umlaut > 'repositories/ü'
        printf newline > 'repositories/a
b'
        ln -s /etc/passwd repositories/link
        ln repositories/ü repositories/ü-again
        for format in gnu posix ustar oldgnu; do
            tar --create --format=$format --file=../$format.tar . 2>/dev/null || rm -f ../$format.tar
            cp ../$format.tar ../plain-$format.tar 2>/dev/null || true
        done
        mkdir ../out && tar --extract --file=../gnu.tar --directory=../out"#,
    );
    if !made {
        return;
    }
    let mut forms = 0;
    for format in ["gnu", "posix", "oldgnu"] {
        let bytes = fs::read(folder.path().join(format!("{format}.tar"))).unwrap();
        for (form, put) in tars(&bytes) {
            let gathered = put.gather();
            let files = gathered.files().unwrap();
            let x = "x".repeat(120);
            let long = format!("repositories/{x}/{x}/001.bundle");
            assert_eq!(content(&**files, &long), b"long", "{format} {form}");
            assert_eq!(
                content(&**files, "repositories/a\nb"),
                b"newline",
                "{format} {form}"
            );
            for length in [99, 100, 101, 155, 255] {
                let name = format!("repositories/{}", "y".repeat(length - 13));
                let expected = length.to_string();
                assert_eq!(
                    content(&**files, &name),
                    expected.as_bytes(),
                    "{format} {form}"
                );
            }
            // Of two names of one file the tar has the one that it met first.
            let names = ["repositories/ü", "repositories/ü-again"];
            let found = names.map(|name| said(&gathered, name));
            assert_eq!(
                found.iter().filter(|said| *said == "Some(6)").count(),
                1,
                "{found:?}"
            );
            assert!(
                found.iter().any(|said| said.contains("it is a link")),
                "{found:?}"
            );
            assert!(said(&gathered, "repositories/link").contains("it is a link"));
            forms += 1;
        }
    }
    assert_eq!(forms, 9);
}

#[test]
fn sparse_files_are_told_and_what_follows_them_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let made = shell(
        folder.path(),
        r#"mkdir tree && cd tree && echo > backup_information.yml
        truncate -s 40M a-sparse
        for at in 1 5 9 13 17 21 25 29 33 37; do printf data | dd of=a-sparse bs=1M seek=$at conv=notrunc 2>/dev/null; done
        printf behind > b
        tar -cSf ../gnu.tar --format=gnu backup_information.yml a-sparse b
        for version in 0.0 0.1 1.0; do
            tar -cSf ../$version.tar --format=posix --sparse-version=$version backup_information.yml a-sparse b
        done"#,
    );
    if !made {
        return;
    }
    for version in ["gnu", "0.0", "0.1", "1.0"] {
        let bytes = fs::read(folder.path().join(format!("{version}.tar"))).unwrap();
        assert!(bytes.len() < 1 << 20, "{version} is not sparse");
        for (form, put) in tars(&bytes) {
            let gathered = put.gather();
            let files = gathered.files().unwrap();
            assert_eq!(content(&**files, "b"), b"behind", "{version} {form}");
            let names = files.list("").unwrap();
            assert_eq!(names.len(), 2, "{version} {form}: {names:?}");
            // It is told under its own name, so that it is not taken for one that is not there.
            assert!(
                said(&gathered, "a-sparse").contains("it is a sparse file"),
                "{version} {form}"
            );
        }
    }
}

#[test]
fn members_of_more_than_eight_gibibytes_are_read_by_ranges() {
    const SIZE: u64 = 9 << 30;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.tar");
    let mut file = fs::File::create(&path).unwrap();
    let mut start = member("backup_information.yml", b"x");
    start.extend(header(
        tar::EntryType::Regular,
        "repositories/large.bundle",
        SIZE,
    ));
    let at = start.len() as u64 + SIZE;
    file.write_all(&start).unwrap();
    // A hole, and the last bytes.
    let mut end = b"the last bytes".to_vec();
    std::os::unix::fs::FileExt::write_all_at(&file, &end, at - end.len() as u64).unwrap();
    end = member("behind", b"x");
    end.extend([0; 1024]);
    std::os::unix::fs::FileExt::write_all_at(&file, &end, at).unwrap();
    let put = Put::new(folder, path);
    let gathered = put.gather();
    let files = gathered.files().unwrap();
    assert_eq!(
        files.size_of("repositories/large.bundle").unwrap(),
        Some(SIZE)
    );
    let last = files
        .open("repositories/large.bundle", SIZE - 14..SIZE)
        .unwrap();
    assert_eq!(read(last), b"the last bytes");
    let hole = files.open("repositories/large.bundle", 5 << 30..(5 << 30) + 3);
    assert_eq!(read(hole.unwrap()), [0, 0, 0]);
    assert_eq!(content(&**files, "behind"), b"x");
}
