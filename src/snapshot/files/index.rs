//! An index of members by name, small enough for millions of them.
//!
//! Names of repositories are long and share most of their bytes with those beside them, so names stand in order, and
//! each tells only how it differs from the one before. Every 16th stands whole, for the search to begin at. Bytes in
//! memory and bytes in a file are the same.

mod builder;

pub(super) use builder::Builder;

use super::names::LONGEST_NAME;

/// Every so many names one stands whole.
const RESTART: u64 = 16;

/// What a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) sort: Sort,
    /// Where its bytes begin.
    pub(super) offset: u64,
    /// How many they are.
    pub(super) size: u64,
}

/// What can be done with a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A regular file that can be read.
    File,
    /// A link.
    Link,
    /// A sparse file.
    Sparse,
    /// A pipe, a device or something else that is no file.
    Other,
    /// A regular file that went by and was not kept.
    Gone,
    /// A regular file inside which the tar ends or is damaged.
    Cut,
}

impl Sort {
    const ALL: [Sort; 6] = [
        Sort::File,
        Sort::Link,
        Sort::Sparse,
        Sort::Other,
        Sort::Gone,
        Sort::Cut,
    ];

    fn byte(self) -> u8 {
        match self {
            Sort::File => 0,
            Sort::Link => 1,
            Sort::Sparse => 2,
            Sort::Other => 3,
            Sort::Gone => 4,
            Sort::Cut => 5,
        }
    }

    fn of(byte: u8) -> Option<Sort> {
        Sort::ALL.get(usize::from(byte)).copied()
    }

    /// Why a member of this sort cannot be read; `None` if it can.
    pub(super) fn trouble(self) -> Option<&'static str> {
        match self {
            Sort::File => None,
            Sort::Link => Some("it is a link, and no link in a snapshot is followed"),
            Sort::Sparse => Some("it is a sparse file, which is not read; make the tar without -S"),
            Sort::Other => Some("it is no regular file"),
            Sort::Cut => Some("its tar is cut off or damaged inside it"),
            Sort::Gone => Some(
                "it went by on standard input when it was not known to be needed; \
                 name the backup's file instead",
            ),
        }
    }
}

/// Members by name, in order of their names' bytes, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Index {
    bytes: Vec<u8>,
    /// Where the names that stand whole begin.
    restarts: Vec<usize>,
    count: u64,
}

impl Index {
    /// Its bytes, from which [`Index::read`] makes it again.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The index that has such bytes, of members of a tar of so many bytes; `None` if no index has.
    pub(super) fn read(bytes: Vec<u8>, length: u64) -> Option<Index> {
        let (mut restarts, mut count) = (Vec::new(), 0_u64);
        let mut walk = Walk::new(&bytes, 0);
        let mut last: Option<Vec<u8>> = None;
        while walk.at < bytes.len() {
            if count.is_multiple_of(RESTART) {
                restarts.push(walk.at);
                // It has to stand whole.
                walk.name.clear();
            }
            let entry = walk.next()?;
            let end = entry.offset.checked_add(entry.size)?;
            let is_name = walk.name.len() <= LONGEST_NAME && str::from_utf8(&walk.name).is_ok();
            if end > length || !is_name || last.as_ref().is_some_and(|last| *last >= walk.name) {
                return None;
            }
            last = Some(walk.name.clone());
            count += 1;
        }
        Some(Index {
            bytes,
            restarts,
            count,
        })
    }

    /// What a name leads to.
    pub(super) fn get(&self, name: &str) -> Option<Entry> {
        let mut walk = self.walk_from(name.as_bytes());
        while let Some(entry) = walk.next() {
            match walk.name.as_slice().cmp(name.as_bytes()) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Some(entry),
                std::cmp::Ordering::Greater => return None,
            }
        }
        None
    }

    /// Names that begin with `prefix`, in order.
    pub(super) fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (String, Entry)> {
        let prefix = prefix.as_bytes().to_vec();
        let mut walk = self.walk_from(&prefix);
        std::iter::from_fn(move || {
            loop {
                let entry = walk.next()?;
                if walk.name.starts_with(&prefix) {
                    return Some((walk.text(), entry));
                }
                if walk.name.as_slice() > prefix.as_slice() {
                    return None;
                }
            }
        })
    }

    /// Adds a name that comes behind all others.
    fn push(&mut self, last: &[u8], name: &[u8], entry: Entry) {
        let shared = match self.count.is_multiple_of(RESTART) {
            true => {
                self.restarts.push(self.bytes.len());
                0
            }
            false => last.iter().zip(name).take_while(|(a, b)| a == b).count(),
        };
        let rest = &name[shared..];
        put(shared as u64, &mut self.bytes);
        put(rest.len() as u64, &mut self.bytes);
        self.bytes.extend_from_slice(rest);
        self.bytes.push(entry.sort.byte());
        put(entry.offset, &mut self.bytes);
        put(entry.size, &mut self.bytes);
        self.count += 1;
    }

    fn walk(&self, at: usize) -> Walk<'_> {
        Walk::new(&self.bytes, at)
    }

    /// Begins at the last name that stands whole and is not behind `name`.
    fn walk_from(&self, name: &[u8]) -> Walk<'_> {
        let behind = self.restarts.partition_point(|&at| {
            let mut walk = self.walk(at);
            walk.next().is_some() && walk.name.as_slice() <= name
        });
        let restart = self.restarts.get(behind.saturating_sub(1)).copied();
        self.walk(restart.unwrap_or(self.bytes.len()))
    }
}

/// A way through an index, from a name that stands whole.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The name of the entry that came last.
    name: Vec<u8>,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Walk {
            bytes,
            at,
            name: Vec::new(),
        }
    }

    /// The next entry, whose name is then in `name`. `None` at the end, and where the bytes are no index's.
    fn next(&mut self) -> Option<Entry> {
        let shared = usize::try_from(self.number()?).ok()?;
        let length = usize::try_from(self.number()?).ok()?;
        if shared > self.name.len() {
            return None;
        }
        let rest = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.name.truncate(shared);
        self.name.extend_from_slice(rest);
        self.at += length;
        let sort = Sort::of(*self.bytes.get(self.at)?)?;
        self.at += 1;
        Some(Entry {
            sort,
            offset: self.number()?,
            size: self.number()?,
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            let bits = u64::from(byte & 0x7f);
            if bits.checked_shl(shift)? >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

/// Writes a number as [`Walk::number`] reads it.
fn put(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests;
