//! Handing out the rows of one query, once, even where the query has to be asked again.
//!
//! A query whose connection breaks is repeated on another one. Of its rows those that were handed out already are read
//! again and compared with a checksum, not handed out again: the rest follows only if they were the same bytes.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::snapshot::{Block, BlockHead, Event, Sink, TableEnd};

/// Bytes of a block.
const BLOCK: usize = 1 << 20;

/// What was handed out of a query so far.
pub(super) struct Delivery<'a> {
    head: Arc<BlockHead>,
    sink: Sink<'a>,
    progress: &'a AtomicU64,
    begun: bool,
    rows: u64,
    bytes: u64,
    checksum: crc32fast::Hasher,
}

/// One try to answer the query.
pub(super) struct Attempt<'d, 'a> {
    delivery: &'d mut Delivery<'a>,
    /// Bytes that still have to be compared with what was handed out.
    known: u64,
    compared: crc32fast::Hasher,
    /// The rows came in another order than before.
    differs: bool,
}

impl<'a> Delivery<'a> {
    pub(super) fn new(head: BlockHead, sink: Sink<'a>, progress: &'a AtomicU64) -> Self {
        Delivery {
            head: Arc::new(head),
            sink,
            progress,
            begun: false,
            rows: 0,
            bytes: 0,
            checksum: crc32fast::Hasher::new(),
        }
    }

    pub(super) fn attempt(&mut self) -> Attempt<'_, 'a> {
        Attempt {
            known: self.bytes,
            compared: crc32fast::Hasher::new(),
            differs: false,
            delivery: self,
        }
    }

    /// Tells that rows begin, where that was not told yet.
    fn begin(&mut self) -> ControlFlow<()> {
        if self.begun {
            return ControlFlow::Continue(());
        }
        self.begun = true;
        (self.sink)(Event::Begin(Arc::clone(&self.head)))
    }

    fn hand_out(&mut self, rows: Vec<u8>) -> ControlFlow<()> {
        self.begin()?;
        let count = memchr::memchr_iter(b'\n', &rows).count() as u64;
        let block = Block {
            head: Arc::clone(&self.head),
            range: 0..rows.len(),
            offset: self.bytes,
            first_row: self.rows,
            buffer: Arc::new(rows),
        };
        self.checksum.update(block.bytes());
        self.rows += count;
        self.bytes += block.bytes().len() as u64;
        (self.sink)(Event::Rows(block))
    }
}

impl Attempt<'_, '_> {
    /// Takes rows that have come. Hands them out once they are enough for a block.
    pub(super) fn take(&mut self, rows: &mut Vec<u8>) -> ControlFlow<()> {
        let progress = self.delivery.progress;
        if self.known > 0 {
            let known = rows
                .len()
                .min(usize::try_from(self.known).unwrap_or(usize::MAX));
            self.compared.update(&rows[..known]);
            rows.drain(..known);
            self.known -= known as u64;
            if self.known == 0
                && self.compared.clone().finalize() != self.delivery.checksum.clone().finalize()
            {
                self.differs = true;
                return ControlFlow::Break(());
            }
        }
        if rows.len() < BLOCK {
            return ControlFlow::Continue(());
        }
        // A server sends whole rows, but nothing says that it has to.
        let Some(end) = memchr::memrchr(b'\n', rows) else {
            return ControlFlow::Continue(());
        };
        let rest = rows.split_off(end + 1);
        let mut block = std::mem::replace(rows, Vec::with_capacity(BLOCK + BLOCK / 4));
        rows.extend_from_slice(&rest);
        progress.fetch_add(block.len() as u64, Ordering::Relaxed);
        block.shrink_to(BLOCK + BLOCK / 2);
        self.delivery.hand_out(block)
    }

    /// Takes the last rows. `counted` is how many there are in all by the server's word.
    pub(super) fn finish(self, rest: Vec<u8>, counted: u64) -> Result<(), &'static str> {
        if self.known > 0 {
            return Err(DIFFERS);
        }
        let delivery = self.delivery;
        if !rest.is_empty() {
            if !rest.ends_with(b"\n") {
                return Err("the last row lacks its end");
            }
            delivery
                .progress
                .fetch_add(rest.len() as u64, Ordering::Relaxed);
            if delivery.hand_out(rest).is_break() {
                return Ok(());
            }
        }
        if delivery.rows != counted {
            return Err("there are not as many rows as the server counted");
        }
        if delivery.begin().is_continue() {
            let end = TableEnd {
                table: delivery.head.table.clone(),
                rows: delivery.rows,
                bytes: delivery.bytes,
            };
            // Nothing follows that could be stopped.
            let _ = (delivery.sink)(Event::End(end));
        }
        Ok(())
    }

    /// Why the rows were not taken to their end, if that was not the sink's wish.
    pub(super) fn trouble(&self) -> Option<&'static str> {
        self.differs.then_some(DIFFERS)
    }
}

const DIFFERS: &str =
    "the connection broke, and when the rows were asked for again they came in another order";
