//! How large a query is, once its fragments stand where they are named.
//!
//! The engine's own limits are looked at while it goes through every one of them, so they do not hold a query off that names
//! each of its thirty fragments twice, and so has 2^30 fields.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

/// Fields of the largest operation or fragment of a query; those of a circle of fragments, which the engine refuses, count
/// once.
pub fn fields(document: &ExecutableDocument) -> usize {
    let mut known = HashMap::new();
    let operations = document.operations.iter().map(|(_, operation)| operation);
    let operations: Vec<usize> = operations
        .map(|operation| of(&operation.node.selection_set.node, document, &mut known))
        .collect();
    let largest = operations.into_iter().max().unwrap_or(0);
    known.into_values().max().unwrap_or(0).max(largest)
}

fn of<'d>(
    set: &'d SelectionSet,
    document: &'d ExecutableDocument,
    known: &mut HashMap<&'d str, usize>,
) -> usize {
    let mut fields: usize = 0;
    for selection in &set.items {
        let more = match &selection.node {
            Selection::Field(field) => 1 + of(&field.node.selection_set.node, document, known),
            Selection::InlineFragment(inline) => {
                of(&inline.node.selection_set.node, document, known)
            }
            Selection::FragmentSpread(spread) => {
                let name = spread.node.fragment_name.node.as_str();
                match (known.get(name), document.fragments.get(name)) {
                    (Some(size), _) => *size,
                    (None, None) => 0,
                    (None, Some(fragment)) => {
                        known.insert(name, 0);
                        let size = of(&fragment.node.selection_set.node, document, known);
                        known.insert(name, size);
                        size
                    }
                }
            }
        };
        fields = fields.saturating_add(more);
    }
    fields
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn size(query: &str) -> usize {
        fields(&parse_query(query).unwrap())
    }

    #[test]
    fn fragments_count_wherever_they_are_named() {
        assert_eq!(size("{ a { b c } ... on Query { d } }"), 4);
        assert_eq!(size("{ ...f ...f } fragment f on Query { a b }"), 4);
        assert_eq!(size("{ a ...f } fragment f on Query { b ...f }"), 2);
        assert_eq!(size("{ a ...nobody }"), 1);
        let mut bomb = "{ ...f0 }".to_owned();
        for at in 0..100 {
            let next = at + 1;
            bomb.push_str(&format!(
                " fragment f{at} on Query {{ ...f{next} ...f{next} }}"
            ));
        }
        bomb.push_str(" fragment f100 on Query { a }");
        assert_eq!(size(&bomb), usize::MAX);
    }
}
