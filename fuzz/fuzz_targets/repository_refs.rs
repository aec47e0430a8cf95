//! Any bytes as the refs of a repository: what is read of them is found again, and its ids are of one format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::export::Refs;

fuzz_target!(|bytes: &[u8]| {
    let Ok(refs) = Refs::read(bytes) else {
        return;
    };
    let mut formats: Vec<_> = refs.head().map(|id| id.format()).into_iter().collect();
    for (name, id) in refs.branches() {
        assert!(!name.is_empty());
        assert!(refs.branch(name).is_some());
        formats.push(id.format());
    }
    assert!(formats.windows(2).all(|two| two[0] == two[1]));
    if let Some(guessed) = refs.guessed_branch() {
        assert!(refs.branch(guessed).is_some());
    }
});
