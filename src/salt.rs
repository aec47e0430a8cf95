//! Hashes of keys and values, for comparing without keeping them. Each process draws its own, so that nobody can make two
//! values look the same.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

/// What rows are found by: the canonical texts of a key's columns, hashed.
pub(crate) type Key = u128;

/// A hash of a record's part. Those of several parts are added, so that their order does not count.
pub(crate) type Sum = u128;

/// What stands for a key that a record does not have.
pub(crate) const ABSENT: Sum = 0;

/// The secret of the hashes.
#[derive(Clone, Copy)]
pub(crate) struct Salt(u64, u64);

impl Salt {
    /// # Errors
    /// If the system has no random bytes.
    pub(crate) fn new() -> std::io::Result<Salt> {
        let draw = || getrandom::u64().map_err(std::io::Error::from);
        Ok(Salt(draw()?, draw()?))
    }

    fn hash<'a>(self, parts: impl IntoIterator<Item = &'a [u8]>) -> u128 {
        let mut hasher = SipHasher24::new_with_keys(self.0, self.1);
        for part in parts {
            // The length in front keeps `a` and `bc` from being `ab` and `c`.
            hasher.write_u64(part.len() as u64);
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }

    pub(crate) fn key(self, columns: &[Vec<u8>]) -> Key {
        self.hash(columns.iter().map(Vec::as_slice))
    }

    pub(crate) fn text(self, text: &str) -> Sum {
        self.hash([text.as_bytes()])
    }

    /// A text or a record at its place: a position among fields or nested keys.
    pub(crate) fn at(self, what: &str, position: usize, value: Sum) -> Sum {
        self.hash([
            what.as_bytes(),
            &position.to_le_bytes()[..],
            &value.to_le_bytes()[..],
        ])
    }
}
