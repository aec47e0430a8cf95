//! Keys: what links rows, of one column or of several, and the sets of them that decide whether a row is kept.
//!
//! A key has two shapes. A [`Key`] is the texts of its values, as a server is asked for it. An [`IndexKey`] is what rows
//! are kept and found by: of a lone integer the integer itself, of anything else 128 bits. Which columns make a key, and
//! when two of their values are equal, a [`KeyShape`] says.

mod entity;
mod fields;
mod key;
mod order;
mod set;
mod shape;

pub use entity::entity_index;
pub(super) use fields::{COPY_NULL, decoded};
pub use fields::{CopyFields, Fields, WholeRow};
pub use key::{IndexKey, Key};
pub use order::{RowOrder, SortColumn};
pub use set::{KeySet, OpenKeys};
pub use shape::{KeyRead, KeyShape};

/// An integer in PostgreSQL's text form.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    // 19 digits fit into 64 bits without a sign.
    let mut value: u64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    match negative {
        true => 0i64.checked_sub_unsigned(value),
        false => i64::try_from(value).ok(),
    }
}
