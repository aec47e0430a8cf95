//! Tables of text: columns as wide as they need to be, two spaces between them.

use crate::visible::visible;
use std::fmt::Write;

/// How a column's cells stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Places that a column is widened to at the most: one long cell is not to make every other line as long.
const WIDEST: usize = 300;

/// Rows of cells under a head.
pub(crate) struct Table {
    columns: Vec<(String, Align)>,
    /// The cells of all rows, one behind the other: there may be a million rows.
    cells: String,
    /// Where each cell ends.
    ends: Vec<usize>,
}

impl Table {
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        Table {
            columns: columns
                .iter()
                .map(|(name, align)| ((*name).to_owned(), *align))
                .collect(),
            cells: String::new(),
            ends: Vec::new(),
        }
    }

    /// Adds a row with as many cells as there are columns.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        for cell in cells {
            self.cells.push_str(&visible(&cell));
            self.ends.push(self.cells.len());
        }
    }

    /// The cells, row by row.
    fn rows(&self) -> impl Iterator<Item = Vec<&str>> {
        let mut start = 0;
        let rows = self.ends.chunks(self.columns.len().max(1));
        rows.map(move |ends| {
            let cells = ends.iter().map(|end| {
                let cell = self.cells.get(start..*end).unwrap_or_default();
                start = *end;
                cell
            });
            cells.collect()
        })
    }

    /// The text, each line ended.
    pub(crate) fn text(&self) -> String {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        self.text_of(&all, &self.widths())
    }

    /// The text in lines of at most `width` places: as many tables below each other as that takes, each with the first
    /// `keys` columns. A column that is wider than that has a table of its own.
    pub(crate) fn text_within(&self, width: usize, keys: usize) -> String {
        let widths = self.widths();
        let keys: Vec<usize> = (0..keys.min(self.columns.len())).collect();
        let places =
            |columns: &[usize]| -> usize { columns.iter().map(|column| widths[*column] + 2).sum() };
        let mut tables = vec![keys.clone()];
        for (column, takes) in widths.iter().enumerate().skip(keys.len()) {
            // There is always one.
            let Some(table) = tables.last_mut() else {
                break;
            };
            if table.len() > keys.len() && places(table) + takes > width {
                tables.push(keys.iter().copied().chain([column]).collect());
            } else {
                table.push(column);
            }
        }
        let tables: Vec<String> = tables
            .iter()
            .map(|columns| self.text_of(columns, &widths))
            .collect();
        tables.join("\n")
    }

    /// The width of each column.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| width(name)).collect();
        for row in self.rows() {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell).min(WIDEST));
            }
        }
        widths
    }

    /// Some of the columns, by their positions.
    fn text_of(&self, columns: &[usize], widths: &[usize]) -> String {
        let head: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        let mut text = String::new();
        for row in std::iter::once(head).chain(self.rows()) {
            let mut line = String::new();
            for column in columns {
                let (Some(cell), (_, align)) = (row.get(*column), &self.columns[*column]) else {
                    continue;
                };
                let room = " ".repeat(widths[*column].saturating_sub(width(cell)));
                // Writing to a string cannot fail.
                let _ = match align {
                    Align::Left => write!(line, "{cell}{room}  "),
                    Align::Right => write!(line, "{room}{cell}  "),
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Places on a terminal, as far as counting characters tells.
fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[("NAME", Align::Left), ("ROWS", Align::Right)]);
        table.row(["a".to_owned(), "12345".to_owned()]);
        table.row(["größer".to_owned(), "1".to_owned()]);
        assert_eq!(
            table.text(),
            "NAME     ROWS\na       12345\ngrößer      1\n"
        );
    }

    #[test]
    fn a_very_long_cell_makes_its_own_line_long_and_no_other() {
        let mut table = Table::new(&[("NAME", Align::Left), ("ROWS", Align::Right)]);
        table.row(["a".to_owned(), "1".to_owned()]);
        table.row(["b".repeat(5000), "2".to_owned()]);
        let text = table.text();
        let lengths: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(lengths, [306, 306, 5006]);
    }

    #[test]
    fn a_table_that_is_too_wide_becomes_several_with_the_same_keys() {
        let mut table = Table::new(&[
            ("KEY", Align::Left),
            ("ONE", Align::Right),
            ("TWO", Align::Right),
            ("THREE", Align::Left),
        ]);
        table.row(["a", "1", "22222", "3"].map(str::to_owned));
        let narrow = "KEY  ONE    TWO\na      1  22222\n\nKEY  THREE\na    3\n";
        assert_eq!(table.text_within(15, 1), narrow);
        assert_eq!(table.text_within(80, 1), table.text());
        assert_eq!(
            table.text_within(3, 1),
            "KEY  ONE\na      1\n\nKEY    TWO\na    22222\n\nKEY  THREE\na    3\n"
        );
    }
}
