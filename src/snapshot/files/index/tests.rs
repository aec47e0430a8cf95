//! An index is what a map of names would be.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const LENGTH: u64 = 1 << 62;

fn built(members: &[(String, Entry)]) -> (Index, u64) {
    let mut builder = Builder::default();
    for (name, entry) in members {
        builder.push(name, *entry);
    }
    let (index, _) = builder.finish();
    let count = index.count;
    (index, count)
}

fn entry(offset: u64) -> Entry {
    Entry {
        sort: Sort::File,
        offset,
        size: 1,
    }
}

/// Names that share beginnings.
fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("a"),
        Just("b"),
        Just("repositories"),
        Just("ü"),
        Just("")
    ];
    prop::collection::vec(part, 1..6).prop_map(|parts| parts.join("/"))
}

fn member() -> impl Strategy<Value = (String, Entry)> {
    let sort = prop::sample::select(Sort::ALL.to_vec());
    (name(), sort, 0..LENGTH / 2, 0..LENGTH / 2)
        .prop_map(|(name, sort, offset, size)| (name, Entry { sort, offset, size }))
}

proptest! {
    #[test]
    fn it_holds_what_a_map_would_hold(
        members in prop::collection::vec(member(), 0..120),
        others in prop::collection::vec(name(), 0..20),
    ) {
        let map: BTreeMap<String, Entry> = members.iter().cloned().collect();
        let (index, count) = built(&members);
        prop_assert_eq!(count, map.len() as u64);
        for name in map.keys().chain(&others) {
            prop_assert_eq!(index.get(name), map.get(name).copied());
            let with_prefix: Vec<_> = index.with_prefix(name).collect();
            let expected = map.iter().filter(|(other, _)| other.starts_with(name.as_str()));
            let expected: Vec<_> = expected.map(|(name, entry)| (name.clone(), *entry)).collect();
            prop_assert_eq!(with_prefix, expected);
        }
        prop_assert_eq!(index.with_prefix("").count(), map.len());
        prop_assert_eq!(Index::read(index.bytes().to_vec(), LENGTH), Some(index));
    }

    #[test]
    fn damaged_bytes_are_an_index_or_none(
        members in prop::collection::vec(member(), 0..60),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = built(&members).0.bytes().to_vec();
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(index) = Index::read(bytes, LENGTH) {
            let names: Vec<_> = index.with_prefix("").collect();
            prop_assert_eq!(names.len() as u64, index.count);
            for (name, entry) in names {
                prop_assert_eq!(index.get(&name), Some(entry));
            }
        }
    }
}

#[test]
fn names_are_sorted_in_pieces_and_the_last_one_of_a_name_counts() {
    // Several pieces, in no order, half of the names twice.
    let names: Vec<String> = (0..60_000_u64)
        .map(|number| format!("{:050}/{:0460}", number * 7919 % 30_000, 1))
        .collect();
    let mut builder = Builder::default();
    for (offset, name) in names.iter().enumerate() {
        builder.push(name, entry(offset as u64));
    }
    let (index, replaced) = builder.finish();
    assert_eq!(index.count, 30_000);
    assert!(
        replaced.to_string().starts_with("30000, the first is "),
        "{replaced}"
    );
    for (offset, name) in names.iter().enumerate().skip(30_000) {
        assert_eq!(index.get(name), Some(entry(offset as u64)));
    }
    assert!(index.with_prefix("").is_sorted_by_key(|(name, _)| name));
}

#[test]
fn a_million_members_fit_into_tens_of_megabytes() {
    // As Gitaly names them: a repository has five.
    let mut builder = Builder::default();
    let mut hash = 0_u128;
    for number in 0..20_000_u64 {
        hash = hash.wrapping_mul(0x2d99_787f_3d5c_1e2b_4f6a_7b8c_9d0e_1f21) + 0x9e37_79b9_7f4a_7c15;
        let repository = format!(
            "@hashed/{:02x}/{:02x}/{hash:032x}{hash:032x}.git",
            hash >> 120,
            (hash >> 112) as u8
        );
        let id = "1700000000_2023_11_14_16.5.1-ee";
        for name in [
            format!("repositories/default/{repository}/{id}/001.bundle"),
            format!("repositories/default/{repository}/{id}/001.refs"),
            format!("repositories/default/{repository}/{id}/001.custom_hooks.tar"),
            format!("repositories/manifests/default/{repository}/{id}.toml"),
            format!("repositories/manifests/default/{repository}/+latest.toml"),
        ] {
            builder.push(&name, entry(number << 20));
        }
    }
    let (index, _) = builder.finish();
    assert_eq!(index.count, 100_000);
    assert!(index.bytes().len() < 8_000_000, "{}", index.bytes().len());
}
