use std::io::BufReader;

use proptest::prelude::*;

use super::*;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::place::is_of_source;

/// Bytes of which no two near each other are alike.
fn content(size: usize) -> Vec<u8> {
    let numbers = (0_u32..).flat_map(u32::to_le_bytes);
    numbers.take(size).collect()
}

fn put(bucket: &Bucket, bytes: &[u8]) {
    bucket
        .put("key", Bytes::copy_from_slice(bytes), false)
        .unwrap();
}

fn object(bytes: &[u8]) -> (Bucket, Object) {
    let bucket = Bucket::in_memory();
    put(&bucket, bytes);
    let info = bucket.head("key").unwrap();
    let object = Object::new(&bucket, "key".to_owned(), Some(info));
    (bucket, object)
}

fn rest(reader: &mut ObjectReader) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn an_object_is_read_from_its_first_byte_to_its_last() {
    for size in [0, 1, FIRST as usize, FIRST as usize + 1, 20 << 20] {
        let bytes = content(size);
        let (_bucket, object) = object(&bytes);
        assert!(
            rest(&mut object.reader().unwrap()).unwrap() == bytes,
            "{size}"
        );
    }
}

#[test]
fn a_range_begins_where_it_is_asked_for_and_can_be_left() {
    let bytes = content(3 << 20);
    let (_bucket, object) = object(&bytes);
    let mut reader = object.range_reader(1_000..70_000).unwrap();
    assert!(rest(&mut reader).unwrap() == bytes[1_000..]);
    // Of a range that ends behind the object, as a damaged header may say.
    let mut reader = object.range_reader(3_000_000..u64::MAX).unwrap();
    assert!(rest(&mut reader).unwrap() == bytes[3_000_000..]);
    let mut reader = object.range_reader(u64::MAX..u64::MAX).unwrap();
    assert_eq!(rest(&mut reader).unwrap(), b"");
}

#[test]
fn who_hops_fetches_little_and_who_reads_on_fetches_ahead() {
    let bytes = content(30 << 20);
    let (_bucket, object) = object(&bytes);
    let mut reader = object.reader().unwrap();
    let mut buffer = [0; 512];
    for header in [0, 10 << 20, 20 << 20, 5 << 20] {
        reader.seek(SeekFrom::Start(header)).unwrap();
        reader.read_exact(&mut buffer).unwrap();
        let ranges: Vec<_> = reader.window.iter().map(|piece| &piece.range).collect();
        assert_eq!(ranges, [&(header..header + FIRST)]);
    }
    let mut reader = object.range_reader(100..20 << 20).unwrap();
    reader.read_exact(&mut buffer).unwrap();
    let sizes = reader
        .window
        .iter()
        .map(|piece| piece.range.clone().count());
    let sizes: Vec<_> = sizes.map(|size| size as u64).collect();
    assert_eq!(sizes, [STEADY, MOST, MOST]);
    // Nothing behind the range is fetched.
    let mut reader = object.range_reader(100..STEADY + 200).unwrap();
    reader.read_exact(&mut buffer).unwrap();
    assert_eq!(reader.next, STEADY + 200);
}

#[test]
fn what_is_passed_over_a_little_is_read_through() {
    let bytes = content(30 << 20);
    let (_bucket, object) = object(&bytes);
    let mut reader = object.reader().unwrap();
    let mut buffer = [0; 512];
    for member in 0..20 {
        reader.seek(SeekFrom::Start(member * 500_000)).unwrap();
        reader.read_exact(&mut buffer).unwrap();
        assert!(buffer[..] == bytes[member as usize * 500_000..][..512]);
    }
    assert!(reader.is_steady);
}

#[test]
fn an_object_that_is_replaced_is_an_error_and_never_a_mix() {
    for size in [10 << 20, 5 << 20] {
        let (bucket, object) = object(&content(10 << 20));
        let mut reader = object.reader().unwrap();
        let mut first = [0; 1];
        reader.read_exact(&mut first).unwrap();
        let mut other = content(size);
        other.reverse();
        put(&bucket, &other);
        let error = rest(&mut reader).unwrap_err();
        assert!(is_of_source(&error));
        assert!(error.to_string().contains("was replaced while it was read"));
        // Whoever opens it anew means the same version.
        let error = rest(&mut object.reader().unwrap()).unwrap_err();
        assert!(error.to_string().contains("was replaced"), "{error}");
        assert!(matches!(
            SnapshotError::of_reading("key", error),
            SnapshotError::Bucket(_)
        ));
    }
    let (bucket, object) = object(b"one");
    bucket.delete("key").unwrap();
    let error = rest(&mut object.reader().unwrap()).unwrap_err();
    assert!(error.to_string().contains("was replaced"), "{error}");
}

#[test]
fn an_object_that_nobody_has_looked_at_is_looked_at() {
    let (bucket, _) = object(b"one");
    let of = |key: &str| Object::new(&bucket, key.to_owned(), None);
    assert_eq!(rest(&mut of("key").reader().unwrap()).unwrap(), b"one");
    let error = of("other").reader().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let shown = of("other").to_string();
    assert_eq!(shown, "s3://memory/other");
}

/// What is done to a reader: a seek, and how much is read then.
fn steps() -> impl Strategy<Value = Vec<(u64, usize)>> {
    prop::collection::vec((0_u64..6 << 20, 0_usize..300_000), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_read_at_a_place_is_what_stands_there(steps in steps(), start in 0_u64..5 << 20) {
        let bytes = content(5 << 20);
        let (_bucket, object) = object(&bytes);
        let reader = object.range_reader(start..start + (1 << 20)).unwrap();
        let mut reader = BufReader::with_capacity(4096, reader);
        for (place, count) in steps {
            reader.seek(SeekFrom::Start(place)).unwrap();
            let mut read = Vec::new();
            (&mut reader).take(count as u64).read_to_end(&mut read).unwrap();
            let from = (place as usize).min(bytes.len());
            let end = (from + count).min(bytes.len());
            prop_assert!(read == bytes[from..end], "{count} bytes at {place}");
        }
    }
}
