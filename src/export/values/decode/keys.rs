//! Objects whose keys a rule says.

use super::Unreadable;
use super::tree::{Entry, Value, Writer};
use crate::pipeline::FixedKeys;

/// Writes the keys of a rule in its order; what is not there is null.
///
/// # Errors
/// [`Unreadable::TooLarge`]; a part is then written.
pub(super) fn write_keys(
    rule: &FixedKeys,
    entries: &[Entry],
    writer: &mut Writer,
) -> Result<(), Unreadable> {
    writer.open();
    let chosen = rule.by.as_ref().map(|by| {
        let value = match value_of(entries, &by.key) {
            Some(Value::Text(text)) if by.more.contains_key(text) => text,
            // A value of another type is no value that the rule knows, and neither is a missing one.
            _ => &by.default,
        };
        (by, value)
    });
    let more = chosen.and_then(|(by, value)| by.more.get(value));
    for key in rule.keys.iter().chain(more.into_iter().flatten()) {
        writer.key(key);
        match chosen {
            Some((by, value)) if by.key == *key => writer.text(value),
            _ => match entries.iter().find(|(name, _)| **name == **key) {
                Some((_, node)) => writer.write(node)?,
                None => writer.null(),
            },
        }
    }
    writer.close();
    Ok(())
}

fn value_of<'a>(entries: &'a [Entry], key: &str) -> Option<&'a Value> {
    let entry = entries.iter().find(|(name, _)| **name == *key);
    entry.map(|(_, node)| &node.value)
}
