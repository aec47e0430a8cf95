//! A backup's tar with archives in it, as it comes from a pipe: names are plain, and what is found is as large as it says.
#![no_main]

use std::io::{Cursor, Read};
use std::sync::atomic::AtomicBool;

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::{Behind, FileSource, InnerArchive, Wanted};

const BLOCK: usize = 512;

struct All;

impl Wanted for All {
    fn member(&self, name: &str) -> bool {
        check(name);
        true
    }

    fn inner(&self, _: InnerArchive, path: &str) -> bool {
        check(path);
        true
    }

    fn archives(&self) -> Vec<InnerArchive> {
        InnerArchive::ALL.to_vec()
    }
}

fn check(name: &str) {
    assert!(name.split('/').all(|part| !matches!(part, "" | "." | "..")));
}

fuzz_target!(|bytes: &[u8]| {
    let mut tar = bytes.to_vec();
    // Checksums are no help against whoever looks for faults. An archive that is not compressed has headers at the same
    // places.
    for block in tar.as_chunks_mut::<BLOCK>().0 {
        if &block[257..262] == b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    let never = AtomicBool::new(false);
    let source = FileSource::Behind(Behind::unread(Box::new(Cursor::new(tar))));
    let Ok(gathered) = source.gather(&All, &std::env::temp_dir(), &never) else {
        return;
    };
    let Some(files) = gathered.files() else {
        return;
    };
    let _ = files.visit(&mut |name, size| {
        check(name);
        if let Ok(mut reader) = files.open(name, 0..size) {
            let mut content = Vec::new();
            let read = reader.read_to_end(&mut content);
            assert_eq!(read.ok(), Some(content.len()));
            assert_eq!(content.len() as u64, size);
        }
    });
});
