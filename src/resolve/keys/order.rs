//! The order of a table's rows: by their key, or by other columns.

use crate::key::KeyForm;

use super::fields::Fields;

/// What stands before a value's bytes, so that NULL is where it is to be.
const NULL_FIRST: u8 = 0;
const VALUE: u8 = 1;
/// A text that is no value of its type. It fails when it is rendered; here it only needs some place.
const WRONG: u8 = 2;
const NULL_LAST: u8 = 3;

/// A column by which rows are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortColumn {
    /// Position in the row.
    pub column: usize,
    /// How its values compare; `None` for a type without an order of its own, whose texts are compared.
    pub form: Option<KeyForm>,
    pub descending: bool,
    pub nulls_last: bool,
}

/// An order by several columns, the first one above all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowOrder {
    columns: Vec<SortColumn>,
}

impl RowOrder {
    pub fn new(columns: Vec<SortColumn>) -> RowOrder {
        RowOrder { columns }
    }

    /// The order of a key: ascending by its columns.
    pub fn of_key(columns: &[usize], forms: &[Option<KeyForm>]) -> RowOrder {
        let columns = columns.iter().zip(forms);
        RowOrder::new(
            columns
                .map(|(column, form)| SortColumn {
                    column: *column,
                    form: *form,
                    descending: false,
                    nulls_last: true,
                })
                .collect(),
        )
    }

    /// The same order of rows that have its columns at other positions.
    pub fn at(&self, columns: &[usize]) -> RowOrder {
        let moved = self.columns.iter().zip(columns);
        RowOrder::new(
            moved
                .map(|(by, column)| SortColumn {
                    column: *column,
                    ..*by
                })
                .collect(),
        )
    }

    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Bytes that compare as the rows do.
    pub fn bytes(&self, row: &impl Fields) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 * self.columns.len());
        self.append(row, &mut bytes);
        bytes
    }

    /// Appends the bytes of a row.
    pub fn append(&self, row: &impl Fields, bytes: &mut Vec<u8>) {
        for by in &self.columns {
            if row.is_null(by.column) {
                bytes.push(match by.nulls_last {
                    true => NULL_LAST,
                    false => NULL_FIRST,
                });
                continue;
            }
            let start = bytes.len();
            bytes.push(VALUE);
            let text = row.text(by.column);
            if !by.form.unwrap_or(KeyForm::Text).encode(&text, bytes) {
                bytes[start] = WRONG;
                let _ = KeyForm::Text.encode(&text, bytes);
            }
            if by.descending {
                // Not the first byte, which says where NULL is.
                for byte in &mut bytes[start + 1..] {
                    *byte = !*byte;
                }
            }
        }
    }

    /// The first bytes of a row's, as a number that orders as they do: rows with different numbers are in the order of
    /// these; of rows with the same number nothing is said. `None` if a value is none of its type.
    pub fn prefix(&self, row: &impl Fields) -> Option<i64> {
        // The usual key, without a detour.
        if let [by] = self.columns.as_slice()
            && (by.form, by.descending) == (Some(KeyForm::Uuid), false)
            && let Some(uuid) = KeyForm::uuid(row.plain(by.column))
        {
            return Some(signed((uuid >> 64) as u64));
        }
        let bytes = self.bytes(row);
        if bytes.first() == Some(&WRONG) {
            return None;
        }
        let mut first = [0; 8];
        // The first byte is the same for all values.
        for (to, from) in first.iter_mut().zip(bytes.iter().skip(1)) {
            *to = *from;
        }
        let number = u64::from_be_bytes(first);
        let number = match bytes.first() {
            Some(&NULL_LAST) => u64::MAX,
            Some(&NULL_FIRST) => 0,
            _ => number,
        };
        Some(signed(number))
    }
}

/// A signed number with the same order.
fn signed(number: u64) -> i64 {
    (number ^ 1 << 63) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::keys::WholeRow;

    fn sorted(order: &RowOrder, mut rows: Vec<&'static str>) -> Vec<&'static str> {
        rows.sort_by_key(|row| order.bytes(&WholeRow(row.as_bytes())));
        rows
    }

    fn by(column: usize, form: KeyForm, descending: bool, nulls_last: bool) -> SortColumn {
        SortColumn {
            column,
            form: Some(form),
            descending,
            nulls_last,
        }
    }

    #[test]
    fn rows_are_ordered_by_value_with_null_where_it_is_to_be() {
        let rows = vec!["9\tb", "10\ta", "\\N\tc", "-1\td", "9\ta"];
        let order = RowOrder::new(vec![
            by(0, KeyForm::Integer, false, true),
            by(1, KeyForm::Text, false, true),
        ]);
        assert_eq!(
            sorted(&order, rows.clone()),
            ["-1\td", "9\ta", "9\tb", "10\ta", "\\N\tc"]
        );
        let order = RowOrder::new(vec![
            by(0, KeyForm::Integer, true, false),
            by(1, KeyForm::Text, true, true),
        ]);
        assert_eq!(
            sorted(&order, rows),
            ["\\N\tc", "10\ta", "9\tb", "9\ta", "-1\td"]
        );
    }

    #[test]
    fn a_prefix_orders_as_the_rows_do() {
        let order = RowOrder::of_key(&[0], &[Some(KeyForm::Text)]);
        let rows = ["", "a", "aaaaaaaaaaa", "aaaaaaaaaab", "b", "\u{ff}", "\\N"];
        let prefixes: Vec<i64> = rows
            .iter()
            .filter_map(|row| order.prefix(&WholeRow(row.as_bytes())))
            .collect();
        assert_eq!(prefixes.len(), rows.len());
        assert!(prefixes.is_sorted(), "{prefixes:?}");
        assert_eq!(prefixes[2], prefixes[3]);
        let order = RowOrder::of_key(&[0], &[Some(KeyForm::Integer)]);
        assert_eq!(order.prefix(&WholeRow(b"x")), None);
        // A uuid in its usual spelling and in another one.
        let order = RowOrder::of_key(&[0], &[Some(KeyForm::Uuid)]);
        let usual = order.prefix(&WholeRow(b"f0000000-0000-4000-8000-000000000001"));
        assert_eq!(
            usual,
            order.prefix(&WholeRow(b"F00000000000-4000-8000-000000000001"))
        );
        assert_eq!(usual, Some(0x7000_0000_0000_4000));
    }
}
