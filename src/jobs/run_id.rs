//! What tells one run from all others: a UUID of version 4.

use std::fmt;

/// The id of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunId(String);

impl RunId {
    /// A new one. Without random numbers, which every system has, it would be nobody's: then it is made of zeros.
    pub(crate) fn new() -> RunId {
        let mut bytes = [0; 16];
        if let Err(error) = getrandom::fill(&mut bytes) {
            tracing::warn!(
                "the system gives no random numbers, so this run's id tells nothing: {error}"
            );
        }
        // RFC 9562, section 5.4: the version, and the variant.
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = crate::hex::encode(&bytes);
        let parts = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        RunId(parts.join("-"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_uuid_of_version_4_and_no_two_are_equal() {
        let (one, other) = (RunId::new(), RunId::new());
        assert_ne!(one, other);
        let lengths: Vec<usize> = one.as_str().split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&one.as_str()[14..15], "4");
        assert!("89ab".contains(&one.as_str()[19..20]), "{one}");
    }
}
