//! Any bytes as the description of a taken snapshot: it is read or refused, and no file outside of the folder is opened.
#![no_main]

use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::{Described, Spec, open};

thread_local! {
    static FOLDER: OnceCell<PathBuf> = const { OnceCell::new() };
}

/// A folder with one table, which all inputs describe.
fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("relexport-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("labels.csv"), "id,title\n1,one\n").unwrap();
    fs::write(
        folder.join("schema.sql"),
        "CREATE TABLE public.labels (\n    id bigint,\n    title text\n);\n",
    )
    .unwrap();
    folder
}

fuzz_target!(|bytes: &[u8]| {
    FOLDER.with(|kept| {
        let folder = kept.get_or_init(folder);
        fs::write(folder.join(Described::FILE_NAME), bytes).unwrap();
        let opened = open(&Spec::Path(folder.clone()));
        let described: Result<Described, _> = serde_json::from_slice(bytes);
        match (opened, described) {
            (Ok(_), Ok(described)) => {
                assert!(
                    described
                        .tables
                        .iter()
                        .all(|it| folder.join(&it.file).exists())
                );
                assert!(described.tables.iter().all(|it| !it.file.contains('/')));
            }
            (Ok(_), Err(error)) => panic!("opened in spite of {error}"),
            (Err(_), _) => {}
        }
    });
});
