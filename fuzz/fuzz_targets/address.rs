//! Any text as a server's address: what is shown of it is no secret, and an address without its password has none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::{address_start, shown, split_password};

fuzz_target!(|text: &str| {
    let is_address = address_start(text) == Some(0);
    if !is_address {
        assert_eq!(shown(text), text);
    }
    let Some((address, password)) = split_password(text) else {
        return;
    };
    assert!(is_address && !password.is_empty());
    assert_eq!(split_password(&address), None);
    assert_eq!(shown(&address), shown(text));
    // Only what is shown of any address may look like it.
    assert!(shown(text).len() <= address.len());
});
