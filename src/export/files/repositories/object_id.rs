//! Object ids, of both of git's formats.

use std::fmt;

use crate::hex;

/// How a repository names its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectFormat {
    Sha1,
    Sha256,
}

impl ObjectFormat {
    /// The format of git's name for it, which is also Gitaly's.
    pub(super) fn of_name(name: &[u8]) -> Option<Self> {
        match name {
            b"sha1" => Some(ObjectFormat::Sha1),
            b"sha256" => Some(ObjectFormat::Sha256),
            _ => None,
        }
    }

    /// Git's name for it.
    pub fn name(self) -> &'static str {
        match self {
            ObjectFormat::Sha1 => "sha1",
            ObjectFormat::Sha256 => "sha256",
        }
    }

    /// Bytes of an id, and of the checksum at the end of a pack.
    pub(super) fn bytes(self) -> usize {
        match self {
            ObjectFormat::Sha1 => 20,
            ObjectFormat::Sha256 => 32,
        }
    }
}

/// The id of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    length: u8,
    /// Zeros behind the id's own bytes.
    bytes: [u8; 32],
}

impl ObjectId {
    /// Reads 40 or 64 hexadecimal digits; `None` for anything else.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        if !matches!(digits.len(), 40 | 64) {
            return None;
        }
        let decoded = hex::decode(std::str::from_utf8(digits).ok()?)?;
        let mut bytes = [0; 32];
        bytes[..decoded.len()].copy_from_slice(&decoded);
        let length = u8::try_from(decoded.len()).ok()?;
        Some(ObjectId { length, bytes })
    }

    /// The format that it is of, which its length tells.
    pub fn format(&self) -> ObjectFormat {
        match self.length {
            20 => ObjectFormat::Sha1,
            _ => ObjectFormat::Sha256,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.format().bytes()]
    }
}

/// Lower-case hexadecimal digits, as git writes them.
impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_40_or_64_digits() {
        for digits in ["0aF9".repeat(10), "0aF9".repeat(16)] {
            let id = ObjectId::parse(digits.as_bytes()).unwrap();
            assert_eq!(id.to_string(), digits.to_lowercase());
            assert_eq!(id.format().bytes() * 2, digits.len());
        }
        for wrong in ["", "0a", &"0".repeat(41), &"g".repeat(40), &"é".repeat(20)] {
            assert_eq!(ObjectId::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
