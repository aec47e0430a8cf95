//! How a row is cut down to its table's layout: what of it is kept, or waits.

use std::ops::Range;

use crate::resolve::keys::COPY_NULL;

use super::row::Row;

/// What the columns of a layout are copied from.
#[derive(Debug)]
pub(super) struct Layout {
    /// All of them, in their order. What follows one another in the data, too, is copied as one.
    runs: Vec<Run>,
    /// Positions of columns that the data does not have.
    absent: Vec<usize>,
}

/// Columns that follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Run {
    /// They are these fields.
    Fields(Range<usize>),
    /// It is a column that the data does not have.
    Absent,
}

impl Layout {
    /// Columns by the fields that they are; `None` is one that the data does not have.
    pub(super) fn new(columns: &[Option<usize>]) -> Layout {
        let mut runs = Vec::new();
        for column in columns {
            match (column, runs.last_mut()) {
                (Some(field), Some(Run::Fields(fields))) if fields.end == *field => fields.end += 1,
                (Some(field), _) => runs.push(Run::Fields(*field..field + 1)),
                (None, _) => runs.push(Run::Absent),
            }
        }
        let absent = (0..columns.len()).filter(|column| columns[*column].is_none());
        Layout {
            runs,
            absent: absent.collect(),
        }
    }

    /// Positions of columns that the data does not have.
    pub(super) fn absent(&self) -> impl Iterator<Item = usize> + '_ {
        self.absent.iter().copied()
    }

    /// Appends the columns of a row as COPY text, without a line end. One that the data does not have is NULL.
    pub(super) fn copy(&self, row: &impl Row, out: &mut Vec<u8>) {
        for (position, run) in self.runs.iter().enumerate() {
            if position > 0 {
                out.push(b'\t');
            }
            match run {
                Run::Fields(fields) => row.copy(fields.clone(), out),
                Run::Absent => out.extend_from_slice(COPY_NULL),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::{CopyRow, CsvRow};
    use super::*;
    use crate::snapshot::codec::{copy_walk, csv_walk};

    #[test]
    fn plain_rows_of_csv_are_copied_as_others_are() {
        let every: Vec<Option<usize>> = (0..4).map(Some).collect();
        let layouts = [
            Layout::new(&every),
            Layout::new(&every[1..]),
            Layout::new(&every[..2]),
        ];
        let cases = [
            ("1,22,c,444\n", ["1\t22\tc\t444", "22\tc\t444", "1\t22"]),
            ("1,22,c,444\r\n", ["1\t22\tc\t444", "22\tc\t444", "1\t22"]),
            ("1,,c,444\n", ["1\t\\N\tc\t444", "\\N\tc\t444", "1\t\\N"]),
            ("1,2,c,\r\n", ["1\t2\tc\t\\N", "2\tc\t\\N", "1\t2"]),
            (",2,c,4\n", ["\\N\t2\tc\t4", "2\tc\t4", "\\N\t2"]),
            ("1,\"a,b\",c,4\n", ["1\ta,b\tc\t4", "a,b\tc\t4", "1\ta,b"]),
            ("1,a\\,c,4\n", ["1\ta\\\\\tc\t4", "a\\\\\tc\t4", "1\ta\\\\"]),
        ];
        // The same where another row stands before it.
        for before in ["", "x,,\"y\ny\",z\n"] {
            for (row, expected) in &cases {
                let text = format!("{before}{row}");
                let mut copied = Vec::new();
                csv_walk::walk_rows(text.as_bytes(), |row| {
                    copied = layouts
                        .each_ref()
                        .map(|layout| {
                            let mut out = b"before".to_vec();
                            layout.copy(&CsvRow::to_be_copied(row), &mut out);
                            String::from_utf8(out).unwrap()
                        })
                        .to_vec();
                });
                let expected = expected.map(|expected| format!("before{expected}"));
                assert_eq!(copied, expected, "{text:?}");
            }
        }
    }

    #[test]
    fn columns_are_copied_in_the_layout_s_order_whatever_the_data_s_is() {
        type Case = (&'static [Option<usize>], &'static [usize], &'static str);
        let cases: [Case; 6] = [
            (
                &[Some(0), Some(1), Some(2), Some(3)],
                &[],
                "a\t\\N\tc\td\\\\",
            ),
            (&[Some(1), Some(2)], &[], "\\N\tc"),
            (&[Some(0), Some(2), Some(3)], &[], "a\tc\td\\\\"),
            (&[Some(3), Some(2), Some(0)], &[], "d\\\\\tc\ta"),
            (
                &[None, Some(2), Some(3), None],
                &[0, 3],
                "\\N\tc\td\\\\\t\\N",
            ),
            (&[None, None], &[0, 1], "\\N\t\\N"),
        ];
        for (columns, absent, expected) in cases {
            let layout = Layout::new(columns);
            assert!(layout.absent().eq(absent.iter().copied()), "{columns:?}");
            let (mut text, mut csv) = (Vec::new(), Vec::new());
            copy_walk::walk_rows(b"a\t\\N\tc\td\\\\\n", |row| {
                layout.copy(&CopyRow(row), &mut text);
            });
            csv_walk::walk_rows(b"a,,\"c\",d\\\n", |row| {
                layout.copy(&CsvRow::to_be_copied(row), &mut csv);
            });
            assert_eq!(String::from_utf8_lossy(&text), expected, "{columns:?}");
            assert_eq!(String::from_utf8_lossy(&csv), expected, "{columns:?}");
        }
    }
}
