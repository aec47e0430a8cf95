//! The file of a tar's index: whatever is in it, it is an index or none, and every name in it is found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::TarIndex;

/// Bytes of the tar.
const LENGTH: u64 = 1 << 40;

fuzz_target!(|bytes: &[u8]| {
    // Sums are no help against whoever looks for faults.
    let mut rest = b"{\"fingerprint\":\"f\",\"warnings\":[]}\n".to_vec();
    rest.extend_from_slice(bytes);
    let mut file = format!("relexport tar index 1\n{:08x}\n", crc32(&rest)).into_bytes();
    file.extend(rest);
    let Some(index) = TarIndex::read(file, "f", LENGTH) else {
        return;
    };
    let mut last: Option<String> = None;
    for (name, range) in index.files("") {
        assert!(last.as_ref().is_none_or(|last| *last < name));
        assert!(range.start <= range.end && range.end <= LENGTH);
        assert_eq!(index.find(&name), Some(range));
        last = Some(name);
    }
});

/// CRC-32 as gzip has it, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(!0, step)
}
