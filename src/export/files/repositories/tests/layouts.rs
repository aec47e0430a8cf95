//! Where a repository is found, and when it is said to be empty, missing or damaged.

use super::source::{BACKUP_ID, manifest};
use super::*;

/// A repository with two branches at one commit, HEAD at `main`.
fn two_branches() -> Source {
    let source = Source::new("sha1");
    let first = source.commit(&[]);
    source.set("refs/heads/main", &source.commit(&[&first]));
    source.set("refs/heads/old", &first);
    source.set("refs/keep-around/1", &first);
    source
}

#[test]
fn a_full_bundle_is_handed_on_as_it_is_in_every_layout() {
    let source = two_branches();
    let (bundle, refs) = (source.full(), source.refs());
    let folder = format!("default/{PATH}.git/{BACKUP_ID}");
    let manifest = manifest("object_format = 'sha1'", &[&folder]);
    let by_manifest = |name: &str| {
        Files::default()
            .with(&format!("manifests/default/{PATH}.git/{name}"), &manifest)
            .with(&format!("{folder}/001.bundle"), &bundle)
            .with(&format!("{folder}/001.refs"), &refs)
    };
    let by_pointer = Files::default()
        .with(&format!("{PATH}/LATEST"), BACKUP_ID)
        .with(&format!("{PATH}/{BACKUP_ID}/LATEST"), "001\n")
        .with(&format!("{PATH}/{BACKUP_ID}/001.bundle"), &bundle)
        .with(&format!("{PATH}/{BACKUP_ID}/001.refs"), &refs);
    let legacy = Files::default()
        .with(&format!("{PATH}.bundle"), &bundle)
        .with(&format!("{PATH}.refs"), &refs);
    let oldest = Files::default().with(&format!("{PATH}.bundle"), &bundle);
    let layouts = [
        (
            "manifest of the backup",
            by_manifest(&format!("{BACKUP_ID}.toml")),
        ),
        ("newest manifest", by_manifest("1780000000_x.toml")),
        ("+latest", by_manifest("+latest.toml")),
        ("pointer", by_pointer),
        ("legacy", legacy),
        ("legacy without refs", oldest),
    ];
    for (name, files) in layouts {
        for storage in [None, Some("default"), Some("other"), Some("../x")] {
            let Found::Repository(repository) = find(files.clone(), storage).unwrap() else {
                panic!("{name}, {storage:?}");
            };
            assert_eq!(bundled(&repository), bundle, "{name}");
            assert_eq!(repository.bundle_size(), bundle.len() as u64);
            assert!(!repository.is_chain());
            let head = repository.head().unwrap();
            assert_eq!(head.as_deref(), Some("refs/heads/main"), "{name}");
            let found = repository.refs().unwrap();
            for (branch, id) in found.branches() {
                let branch = std::str::from_utf8(branch).unwrap();
                let name = format!("refs/heads/{branch}");
                assert_eq!(source.git(&["rev-parse", &name]), id.to_string());
            }
            assert_eq!((found.branches().count(), found.count()), (2, 3), "{name}");
        }
    }
    assert_eq!(cloned(&bundle), refs);
}

#[test]
fn the_newest_manifest_wins_over_others_and_they_over_pointers() {
    let source = two_branches();
    let old = source.full();
    source.set("refs/heads/new", &source.commit(&[]));
    let new = source.full();
    let at = |folder: &str| manifest("", &[folder]);
    let manifests = format!("manifests/default/{PATH}.git");
    let files = Files::default()
        .with(&format!("{PATH}.bundle"), b"legacy")
        .with(&format!("{PATH}/LATEST"), "1")
        .with(&format!("{manifests}/+latest.toml"), at("old"))
        .with(&format!("{manifests}/1700000000.toml"), at("old"))
        .with(&format!("{manifests}/1700000000/more.toml"), at("old"))
        .with("old/001.bundle", &old)
        .with("new/001.bundle", &new);
    let newer = files
        .clone()
        .with(&format!("{manifests}/1800000000.toml"), at("new"));
    assert_eq!(bundled(&found(files)), old);
    assert_eq!(bundled(&found(newer.clone())), new);
    // The one of the backup itself is right whatever is newer.
    let own = newer
        .clone()
        .with(&format!("{manifests}/{BACKUP_ID}.toml"), at("old"));
    assert_eq!(bundled(&found(own.clone())), old);
    // Where there is none, that is told.
    let first = format!("the first is repositories/{manifests}/1800000000.toml");
    for (files, told) in [(newer, vec![first]), (own, Vec::new())] {
        let repositories = Repositories::new(files.into_backup());
        for _ in 0..2 {
            let found = repositories.find(&RepositoryPath::project(71), None);
            assert!(matches!(found, Ok(Found::Repository(_))));
        }
        let warnings = repositories.warnings();
        assert_eq!(warnings.len(), told.len(), "{warnings:?}");
        for (warning, told) in warnings.iter().zip(told) {
            assert!(warning.contains(&format!("(1, {told})")), "{warning}");
        }
    }
}

#[test]
fn what_is_not_there_or_has_nothing_in_it_is_no_error() {
    let manifest_at = format!("manifests/default/{PATH}.git/{BACKUP_ID}.toml");
    let with = |above: &str| Files::default().with(&manifest_at, manifest(above, &["f"]));
    let missing = [
        Files::default(),
        // Of a project whose path begins with the same letters.
        Files::default().with(&format!("{PATH}.wiki.bundle"), b"x"),
        Files::default().with(&format!("{PATH}x/LATEST"), b"x"),
    ];
    for files in missing {
        let found = find(files, Some("default")).unwrap();
        assert!(matches!(found, Found::Missing), "{found:?}");
    }
    let absent = find(with("non_existent = true"), Some("default")).unwrap();
    assert!(matches!(absent, Found::Absent), "{absent:?}");
    let pointer = Files::default()
        .with(&format!("{PATH}/LATEST"), BACKUP_ID)
        .with(&format!("{PATH}/{BACKUP_ID}/LATEST"), "001");
    let empty = [
        (
            with("empty = true\nhead_reference = 'refs/heads/dev'"),
            Some("refs/heads/dev"),
            false,
        ),
        (with("object_format = 'sha1'"), None, true),
        (with("").with("f/001.refs", b""), None, false),
        // Older backups have no list of refs of an empty repository.
        (pointer, None, false),
        (
            Files::default().with(&format!("{PATH}.refs"), b""),
            None,
            false,
        ),
        (
            Files::default().with(&manifest_at, "empty = true"),
            None,
            false,
        ),
    ];
    for (files, expected, lost) in empty {
        match find(files, Some("default")).unwrap() {
            Found::Empty { head, is_doubtful } => {
                assert_eq!((head.as_deref(), is_doubtful), (expected, lost));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What was written once, and is not there, is no repository without content.
#[test]
fn what_is_left_of_a_repository_with_content_is_doubtful_or_damaged() {
    let source = two_branches();
    let bundle = source.full();
    let chain = |newest: &str| {
        let at = |name: &str| format!("{PATH}/{BACKUP_ID}/{name}");
        Files::default()
            .with(&format!("{PATH}/LATEST"), BACKUP_ID)
            .with(&at("LATEST"), newest)
    };
    let cut = chain("002")
        .with(&format!("{PATH}/{BACKUP_ID}/001.bundle"), &bundle)
        .with(&format!("{PATH}/{BACKUP_ID}/001.refs"), source.refs())
        .with(&format!("{PATH}/{BACKUP_ID}/002.refs"), b"");
    for files in [cut, chain("003")] {
        match find(files, None).unwrap() {
            Found::Empty { is_doubtful, .. } => assert!(is_doubtful),
            other => panic!("{other:?}"),
        }
    }
    let nothing = Files::default().with(&format!("{PATH}.bundle"), b"");
    let error = find(nothing, None).unwrap_err();
    assert!(error.to_string().contains("it is empty"), "{error}");
}

#[test]
fn heads_are_the_manifests_or_guessed() {
    let source = two_branches();
    let tip = source.git(&["rev-parse", "main"]);
    source.set("refs/heads/zz", &tip);
    let with = |above: &str| steps_in(above, &[(Some(source.full()), source.refs())]);
    let head = |files: Files| found(files).head().unwrap();
    let named = head(with("head_reference = 'refs/heads/old'"));
    assert_eq!(named.as_deref(), Some("refs/heads/old"));
    // Git's own clone of the bundle takes the same one.
    assert_eq!(head(with("")).as_deref(), Some("refs/heads/zz"));
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("b");
    fs::write(&file, source.full()).unwrap();
    let clone = Source::clone(&file, &temp.path().join("c.git"));
    assert_eq!(clone.git(&["symbolic-ref", "HEAD"]), "refs/heads/zz");
    // HEAD at a commit that no branch has.
    source.git(&["update-ref", "--no-deref", "HEAD", &source.commit(&[])]);
    assert_eq!(head(with("")), None);
}

#[test]
fn a_bundle_that_is_not_there_is_an_error_if_it_should_be() {
    let source = two_branches();
    let refs = source.refs();
    let manifest_at = format!("manifests/default/{PATH}.git/{BACKUP_ID}.toml");
    let legacy = Files::default().with(&format!("{PATH}.refs"), &refs);
    let first_is_missing = steps_in("", &[(None, refs.clone()), (Some(source.full()), refs)]);
    let no_pointer = Files::default().with(&format!("{PATH}/1/001.bundle"), source.full());
    let cases = [
        (legacy, "it is not in the backup"),
        (
            first_is_missing,
            "001.bundle of the backup: it is not in the backup",
        ),
        (no_pointer, "no file LATEST"),
        (
            Files::default().with(&format!("{PATH}/LATEST"), "../../x"),
            "points nowhere",
        ),
        (
            Files::default()
                .with(&format!("{PATH}/LATEST"), "1")
                .with(&format!("{PATH}/1/LATEST"), "99999999999"),
            "number of a step",
        ),
        (
            Files::default().with(&format!("{PATH}/LATEST"), "1"),
            "it is not there",
        ),
        (
            Files::default().with(&format!("{PATH}/LATEST"), [b'a'; 2000]),
            "2000 bytes",
        ),
        (
            Files::default().with(&manifest_at, manifest("", &["../../../etc"])),
            "bundle_path of step 1",
        ),
        (
            Files::default().with(&manifest_at, manifest("", &["/etc"])),
            "bundle_path of step 1",
        ),
        (Files::default().with(&manifest_at, "a = "), "line 1"),
        (
            Files::default().with(&manifest_at, vec![b' '; 5 << 20]),
            "too much",
        ),
    ];
    for (files, says) in cases {
        let error = error(files);
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn full_bundles_are_checked() {
    let temp = tempfile::tempdir().unwrap();
    let refused = |above: &str, bundle: Vec<u8>, refs: String| {
        let repository = found(steps_in(above, &[(Some(bundle), refs)]));
        let bundle = repository.bundle(temp.path(), &GOES_ON);
        bundle.err().unwrap().to_string()
    };
    let source = two_branches();
    let before = source.refs();
    source.set("refs/heads/main", &source.commit(&["main"]));
    let increment = source.increment(&before);
    let cases = [
        refused("", increment, source.refs()),
        refused("object_format = 'sha256'", source.full(), source.refs()),
        refused("", b"PACK".to_vec(), source.refs()),
    ];
    let says = [
        "it is an increment, and the full backup",
        "its object format is sha1, and",
        "it does not begin as a git bundle",
    ];
    for (error, says) in cases.iter().zip(says) {
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_damaged_pack_fails_whoever_reads_it_to_its_end() {
    let source = two_branches();
    let whole = source.full();
    let (flipped, mut cut) = (whole.len() - 30, whole.clone());
    cut.truncate(whole.len() - 1);
    let mut broken = whole.clone();
    broken[flipped] ^= 1;
    let temp = tempfile::tempdir().unwrap();
    for bytes in [broken, cut] {
        let repository = found(steps_in("", &[(Some(bytes), source.refs())]));
        let bundle = repository.bundle(temp.path(), &GOES_ON).unwrap();
        let error = bundle
            .open()
            .unwrap()
            .read_to_end(&mut Vec::new())
            .unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
    }
}

#[test]
fn a_repository_that_a_manifest_calls_not_empty_is_not_lost_in_silence() {
    let folder = format!("default/{PATH}.git/{BACKUP_ID}");
    let latest = format!("manifests/default/{PATH}.git/+latest.toml");
    let nothing_there = Files::default().with(&latest, manifest("empty = false", &[&folder]));
    let without_steps = Files::default().with(&latest, "empty = false\n");
    for (name, files) in [
        ("nothing there", nothing_there),
        ("no steps", without_steps),
    ] {
        let said = error(files);
        assert!(
            said.contains("says that the repository is not empty"),
            "{name}: {said}"
        );
    }
    // What is left of a manifest that was not written to its end, and one whose steps are under another key.
    for left in ["", "object_format = 'sha1'\n", "[[stepz]]\n"] {
        let said = error(Files::default().with(&latest, left));
        assert!(
            said.contains("does not say what the repository consists of"),
            "{left}: {said}"
        );
    }
    let source = two_branches();
    let no_manifest = Files::default()
        .with(&format!("{folder}/001.bundle"), source.full())
        .with(&format!("{folder}/001.refs"), source.refs());
    let said = error(no_manifest);
    assert!(said.contains("there is no manifest"), "{said}");
}
