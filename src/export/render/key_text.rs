//! Keys of objects, written out when the plan is compiled.

use crate::export::values::{self, BLOCK, Block, push_part};

/// What stands before the value of a key: `,"key":`, maybe with the value.
#[derive(Debug, Clone)]
pub(super) struct KeyText {
    text: Box<[u8]>,
    /// The same filled up, if it is not longer: most keys are copied as a block.
    block: Option<Block>,
}

impl KeyText {
    /// A key with what follows it.
    pub(super) fn new(name: &str, value: &[u8]) -> KeyText {
        let mut text = vec![b','];
        text.extend(prefix(name));
        text.extend_from_slice(value);
        let block = (text.len() <= BLOCK).then(|| {
            let mut block = [0; BLOCK];
            block[..text.len()].copy_from_slice(&text);
            block
        });
        KeyText {
            text: text.into(),
            block,
        }
    }

    /// The key without a comma.
    pub(super) fn first(&self) -> &[u8] {
        &self.text[1..]
    }

    /// Appends the key, with a comma unless it is the first one of its object.
    #[inline]
    pub(super) fn push(&self, is_first: bool, out: &mut Vec<u8>) {
        match (&self.block, is_first) {
            (Some(block), false) => push_part(block, self.text.len(), out),
            (None, false) => out.extend_from_slice(&self.text),
            (_, true) => out.extend_from_slice(self.first()),
        }
    }
}

/// `"name":`
pub(super) fn prefix(name: &str) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(name.len() + 3);
    values::write_json_str(name, &mut prefix);
    prefix.push(b':');
    prefix
}
