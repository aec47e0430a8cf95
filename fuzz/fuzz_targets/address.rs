//! Any text as a server's address: what is shown of it is no secret, and an address without its password has none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::Spec;

fuzz_target!(|text: &str| {
    let shown = |text: &str| Spec::from(text).shown();
    if let Spec::StandardInput | Spec::Path(_) | Spec::DataFolder(_) = Spec::from(text) {
        assert_eq!(shown(text), text);
    }
    let Some((without, password)) = Spec::take_password(text) else {
        return;
    };
    assert!(!password.is_empty());
    assert_eq!(Spec::take_password(&without), None);
    if let Spec::Server(_) = Spec::from(text) {
        assert_eq!(shown(&without), shown(text));
        // Only what is shown of any address may look like it.
        assert!(shown(text).len() <= without.len());
    }
});
