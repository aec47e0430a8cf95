//! The end of the log, for whoever is told how a run went and cannot see it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are kept.
const KEPT: usize = 32 << 10;

/// Keeps the end of a log. Cheap to clone: all of them are one.
#[derive(Clone, Default)]
pub(crate) struct LogTail {
    /// `None` while nobody wants it.
    bytes: Arc<Mutex<Option<VecDeque<u8>>>>,
}

impl LogTail {
    /// Begins anew.
    pub(crate) fn begin(&self) {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) = Some(VecDeque::new());
    }

    /// More of the log.
    pub(super) fn note(&self, more: &[u8]) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bytes) = bytes.as_mut() else {
            return;
        };
        bytes.extend(more);
        if bytes.len() > KEPT {
            bytes.drain(..bytes.len() - KEPT);
        }
    }

    /// What was kept. The first line may lack its beginning.
    pub(crate) fn text(&self) -> String {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = bytes.as_mut().map(|bytes| &*bytes.make_contiguous());
        String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_what_was_logged_since_the_beginning_is_kept() {
        let tail = LogTail::default();
        tail.note(b"nobody wants it\n");
        assert_eq!(tail.text(), "");
        tail.begin();
        tail.clone().note(b"one\n");
        tail.note(b"two\n");
        assert_eq!(tail.text(), "one\ntwo\n");
        tail.note(&[b'x'; KEPT]);
        assert_eq!(tail.text(), "x".repeat(KEPT));
        tail.begin();
        assert_eq!(tail.text(), "");
    }
}
