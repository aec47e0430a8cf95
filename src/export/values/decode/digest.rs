//! Digests of texts.

use sha1::{Digest, Sha1};

use crate::hex;

/// The SHA-1 of a text's bytes as 40 lower-case hex digits.
pub fn sha1_hex(text: &[u8]) -> String {
    hex::encode(&Sha1::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_forty_hex_digits() {
        // FIPS 180-4's own examples.
        assert_eq!(sha1_hex(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(sha1_hex(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    }
}
