//! Handing out the rows of one query, once, even where the query has to be asked again.
//!
//! A query whose connection breaks is repeated on another one. Of its rows those that were handed out already are read
//! again and compared with a checksum, not handed out again: the rest follows only if they were the same bytes.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::snapshot::block::{Block, BlockHead};
use crate::snapshot::event::{Event, Sink, TableEnd};

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
}

/// Why rows were not taken to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BreakOff {
    /// The sink wants no more.
    SinkIsDone,
    /// They came in another order than before.
    OtherOrder,
}

/// Why rows that came to their end cannot be all rows of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DeliveryError {
    #[error(
        "the connection broke, and when the rows were asked for again they came in another order"
    )]
    OtherOrder,
    #[error("the last row lacks its end")]
    CutRow,
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
            converted: None,
        };
        self.checksum.update(block.bytes());
        self.rows += count;
        self.bytes += block.bytes().len() as u64;
        (self.sink)(Event::Rows(block))
    }
}

impl Attempt<'_, '_> {
    /// Takes rows that have come. Hands them out once they are enough for a block.
    pub(super) fn take(&mut self, rows: &mut Vec<u8>) -> ControlFlow<BreakOff> {
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
                return ControlFlow::Break(BreakOff::OtherOrder);
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
        match self.delivery.hand_out(block) {
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
            ControlFlow::Break(()) => ControlFlow::Break(BreakOff::SinkIsDone),
        }
    }

    /// Takes the last rows.
    pub(super) fn finish(self, rest: Vec<u8>) -> Result<(), DeliveryError> {
        if self.known > 0 {
            return Err(DeliveryError::OtherOrder);
        }
        let delivery = self.delivery;
        if !rest.is_empty() {
            if !rest.ends_with(b"\n") {
                return Err(DeliveryError::CutRow);
            }
            delivery
                .progress
                .fetch_add(rest.len() as u64, Ordering::Relaxed);
            if delivery.hand_out(rest).is_break() {
                return Ok(());
            }
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::codec::row_form::RowForm;
    use crate::snapshot::table_name::TableName;

    /// Feeds pieces to one attempt after another; all but the last break off. Returns what was handed out, how many
    /// rows `End` told, and how the last attempt ended.
    fn deliver(attempts: &[Vec<&str>]) -> (String, Option<u64>, Result<(), DeliveryError>) {
        let (mut handed, mut ended) = (String::new(), None);
        let progress = AtomicU64::new(0);
        let mut result = Ok(());
        {
            let head = BlockHead {
                table: TableName::public("t"),
                columns: vec!["a".to_owned()],
                form: RowForm::CopyText,
            };
            let mut sink = |event: Event| {
                match event {
                    Event::Rows(block) => {
                        assert_eq!(block.offset, handed.len() as u64);
                        assert_eq!(block.first_row, handed.lines().count() as u64);
                        handed.push_str(std::str::from_utf8(block.bytes()).unwrap());
                    }
                    Event::End(end) => ended = Some(end.rows),
                    _ => {}
                }
                ControlFlow::Continue(())
            };
            let mut delivery = Delivery::new(head, &mut sink, &progress);
            for (index, pieces) in attempts.iter().enumerate() {
                let mut attempt = delivery.attempt();
                let mut rows = Vec::new();
                let broke = pieces.iter().find_map(|piece| {
                    rows.extend_from_slice(piece.as_bytes());
                    attempt.take(&mut rows).break_value()
                });
                if let Some(reason) = broke {
                    assert_eq!(reason, BreakOff::OtherOrder);
                    result = Err(DeliveryError::OtherOrder);
                } else if index + 1 == attempts.len() {
                    result = attempt.finish(rows);
                }
            }
        }
        (handed, ended, result)
    }

    fn row(letter: &str) -> String {
        letter.repeat(BLOCK / 2) + "\n"
    }

    #[test]
    fn rows_that_were_handed_out_are_not_handed_out_again() {
        let [a, b, c, d] = ["a", "b", "c", "d"].map(row);
        let all = [a.as_str(), &b, &c, &d].concat();
        let attempts = [
            vec![a.as_str(), &b, &c],
            // The rows that are known come in other pieces.
            vec![&all[..10], &all[10..BLOCK + 2], &c, &d],
            vec![&all],
        ];
        for count in 1..=3 {
            let last = attempts[attempts.len() - count..].to_vec();
            let (handed, ended, result) = deliver(&last);
            assert_eq!((ended, result), (Some(4), Ok(())));
            assert!(handed == all);
        }
    }

    #[test]
    fn rows_that_come_in_another_order_are_an_error() {
        let [a, b, c] = ["a", "b", "c"].map(row);
        let first = vec![a.as_str(), &b, &c];
        for again in [vec![b.as_str(), &a, &c], vec![&c, &b, &a], vec![&a], vec![]] {
            let (handed, ended, result) = deliver(&[first.clone(), again]);
            assert_eq!(result, Err(DeliveryError::OtherOrder));
            assert_eq!(ended, None);
            assert!(handed == [a.as_str(), &b].concat());
        }
    }

    #[test]
    fn a_row_without_its_end_is_an_error() {
        let (handed, ended, result) = deliver(&[vec!["a\nb"]]);
        assert_eq!(
            (handed.as_str(), ended, result),
            ("", None, Err(DeliveryError::CutRow))
        );
        assert_eq!(deliver(&[vec!["a\nb\n"]]).1, Some(2));
        assert_eq!(deliver(&[vec![""]]), (String::new(), Some(0), Ok(())));
    }
}
