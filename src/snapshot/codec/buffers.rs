//! Buffers that go to other threads with what was read into them, and come back when nobody holds them any more.
//!
//! A new buffer costs the kernel a page fault for each page; one that is used again costs nothing, and its bytes may still be
//! near the processor.

use std::sync::Arc;

/// Buffers that are remembered to be used again: those that wait, and those that workers hold.
const POOLED: usize = 48;

/// Gives out buffers of one size.
#[derive(Debug)]
pub(crate) struct Buffers {
    size: usize,
    lent: Vec<Arc<Vec<u8>>>,
}

impl Buffers {
    /// Buffers of `size` bytes.
    pub(crate) fn new(size: usize) -> Buffers {
        Buffers {
            size,
            lent: Vec::new(),
        }
    }

    /// A buffer of `size` bytes or more: one that nobody holds any more, as it was left, or a new one.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let free = self
            .lent
            .iter_mut()
            .position(|buffer| Arc::get_mut(buffer).is_some());
        free.and_then(|index| Arc::try_unwrap(self.lent.swap_remove(index)).ok())
            .unwrap_or_else(|| vec![0; self.size])
    }

    /// Makes a buffer ready to be shared.
    pub(crate) fn lend(&mut self, buffer: Vec<u8>) -> Arc<Vec<u8>> {
        let buffer = Arc::new(buffer);
        // One that grew for a long line goes when it is done with.
        let is_usual = (self.size..=2 * self.size).contains(&buffer.len());
        if is_usual && self.lent.len() < POOLED {
            self.lent.push(Arc::clone(&buffer));
        }
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_nobody_holds_it() {
        let mut buffers = Buffers::new(4);
        let mut first = buffers.take();
        first[0] = 1;
        let held = buffers.lend(first);
        assert_eq!(buffers.take(), [0; 4]);
        drop(held);
        assert_eq!(buffers.take(), [1, 0, 0, 0]);
    }

    #[test]
    fn a_buffer_that_grew_is_not_kept() {
        let mut buffers = Buffers::new(4);
        drop(buffers.lend(vec![1; 9]));
        assert_eq!(buffers.take(), [0; 4]);
    }
}
