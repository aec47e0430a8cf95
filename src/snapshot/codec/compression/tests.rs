use std::io::Write;

use super::*;
use crate::snapshot::codec::faulty::{After, ERRORS, Faulty};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(3));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new()
        .block_size(lz4_flex::frame::BlockSize::Max64KB)
        .content_checksum(true);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lz4_without_checksum(bytes: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

type Encode = fn(&[u8]) -> Vec<u8>;
const CODECS: [(&str, Compression, Encode); 6] = [
    ("gzip", Compression::Gzip, gzip),
    ("zstd", Compression::Zstd, zstd),
    ("lz4", Compression::Lz4, lz4),
    (
        "lz4 without checksum",
        Compression::Lz4,
        lz4_without_checksum,
    ),
    ("bzip2", Compression::Bzip2, bzip2),
    ("xz", Compression::Xz, xz),
];

/// 150 KB that do not compress to nothing.
fn sample() -> Vec<u8> {
    let mut state = 1u32;
    (0..150_000)
        .map(|index| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if index % 3 == 0 {
                (state >> 24) as u8
            } else {
                b'a' + (index % 7) as u8
            }
        })
        .collect()
}

fn decode(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut decoded = Vec::new();
    let source = Cursor::new(bytes.to_vec());
    decoder(Box::new(source), Arc::default())?.read_to_end(&mut decoded)?;
    Ok(decoded)
}

/// Some bytes for tests that decode very often.
fn small_sample() -> Vec<u8> {
    sample()[..600].to_vec()
}

/// All ways to decode: those that are told by the first bytes, and the two that are not.
fn decoders() -> Vec<(&'static str, Vec<u8>, Option<Compression>)> {
    let content = small_sample();
    let mut all: Vec<_> = CODECS
        .iter()
        .map(|(name, _, encode)| (*name, encode(&content), None))
        .collect();
    let two = [gzip(&content[..200]), gzip(&content[200..])].concat();
    all.push(("gzip of two members", two, None));
    all.push(("gzip in zstd", zstd(&gzip(&content)), None));
    all.push(("not compressed", content.clone(), None));
    all.push((
        "known as not compressed",
        content.clone(),
        Some(Compression::None),
    ));
    all.push(("zlib", zlib(&content), Some(Compression::Zlib)));
    all
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(3));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Reads to what looks like the end, and asks once more after every error, as careless readers do.
fn read_carelessly(source: Faulty, known: Option<Compression>) -> (Vec<u8>, Vec<io::Error>) {
    let reader = match known {
        None => decoder(Box::new(source), Arc::default()),
        Some(compression) => decoder_of(compression, BufReader::with_capacity(64, source)),
    };
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), vec![error]),
    };
    let (mut bytes, mut errors) = (Vec::new(), Vec::new());
    let mut buffer = [0; 700];
    while errors.len() < 3 {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) => errors.push(error),
        }
    }
    (bytes, errors)
}

#[test]
fn an_interrupted_read_is_tried_again() {
    for (name, encoded, known) in decoders() {
        for step in [1, 7, 500] {
            let (bytes, errors) = read_carelessly(Faulty::interrupted(&encoded, step), known);
            assert!(errors.is_empty(), "{name}, {step} bytes a call: {errors:?}");
            assert!(bytes == small_sample(), "{name}, {step} bytes a call");
        }
    }
}

#[test]
fn a_read_that_fails_is_never_the_end() {
    const STEP: usize = 29;
    let ways = ERRORS
        .map(|error| (error, After::GoesOn))
        .into_iter()
        .chain([(ERRORS[0], After::Ends)]);
    let ways: Vec<_> = ways.collect();
    for (name, encoded, known) in decoders() {
        let sound = Faulty::sound(&encoded, STEP);
        let calls = sound.calls();
        assert!(read_carelessly(sound, known).0 == small_sample(), "{name}");
        for call in 0..calls.load(Ordering::Relaxed) {
            for (error, after) in &ways {
                let source = Faulty::failing(&encoded, STEP, call, *error, *after);
                let (bytes, met) = read_carelessly(source, known);
                let what = format!("{name}, call {call}, {:?}, {after:?}", error());
                let kinds: Vec<_> = met.iter().map(io::Error::kind).collect();
                // Where the decoder could not even be made, there is nothing to be asked again.
                assert!(
                    kinds.len() == 3 || kinds.len() == 1 && bytes.is_empty(),
                    "{what}"
                );
                assert!(
                    kinds.iter().all(|kind| *kind == error().kind()),
                    "{what}: {kinds:?}"
                );
                assert_eq!(met[0].raw_os_error(), error().raw_os_error(), "{what}");
                assert!(small_sample().starts_with(&bytes), "{what}");
            }
        }
    }
}

#[test]
fn what_a_decoder_refuses_it_refuses_ever_after() {
    for (name, encoded, known) in decoders() {
        if name.contains("not compressed") || name == "lz4 without checksum" {
            continue;
        }
        for place in (0..encoded.len()).step_by(41) {
            let mut damaged = encoded.clone();
            damaged[place] ^= 0x55;
            let (bytes, errors) = read_carelessly(Faulty::sound(&damaged, 4096), known);
            // A flip of what is not content (the time in a gzip header) may do nothing, and one of the
            // magic bytes makes it something that is not compressed.
            let passed = errors.is_empty() && (bytes == small_sample() || bytes == damaged);
            assert!(
                passed || errors.len() == 3 || errors.len() == 1 && bytes.is_empty(),
                "{name} flipped at {place}: {} bytes, {errors:?}",
                bytes.len()
            );
        }
    }
}

#[test]
fn what_was_compressed_several_times_is_decompressed_as_often() {
    for (outer_name, _, outer) in CODECS {
        for (inner_name, _, inner) in CODECS {
            let encoded = outer(&inner(&sample()));
            assert!(
                decode(&encoded).unwrap() == sample(),
                "{inner_name} in {outer_name}"
            );
        }
    }
    let times = |count| (0..count).fold(b"content".to_vec(), |bytes, _| gzip(&bytes));
    assert_eq!(decode(&times(LAYERS)).unwrap(), b"content");
    let error = decode(&times(LAYERS + 1)).unwrap_err().to_string();
    assert!(error.contains("more than 4 times"), "{error}");
}

#[test]
fn an_inner_stream_that_is_cut_is_an_error() {
    let inner = gzip(&sample());
    for cut in [3, 1000, inner.len() - 1] {
        let error = decode(&zstd(&inner[..cut])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
    }
}

#[test]
fn every_codec_is_recognised_and_read() {
    for (name, compression, encode) in CODECS {
        for content in [Vec::new(), b"x".to_vec(), sample()] {
            let encoded = encode(&content);
            assert_eq!(Compression::detect(&encoded), compression, "{name}");
            assert!(
                decode(&encoded).unwrap() == content,
                "{name}, {} bytes",
                content.len()
            );
        }
    }
}

#[test]
fn concatenated_streams_are_one() {
    for (name, _, encode) in CODECS {
        let joined = [
            encode(b"one "),
            encode(b""),
            encode(&sample()),
            encode(b" four"),
        ]
        .concat();
        assert!(
            decode(&joined).unwrap() == [b"one ", &sample()[..], b" four"].concat(),
            "{name}"
        );
    }
}

#[test]
fn a_cut_stream_is_an_error() {
    for (name, _, encode) in CODECS {
        let first = encode(&sample());
        let two = [&first[..], &encode(b"two")[..]].concat();
        let cuts = (6..first.len())
            .step_by(9973)
            .chain(first.len() - 12..first.len());
        // Before the second stream has begun, the first is whole.
        for cut in cuts.chain(first.len() + 1..two.len()) {
            let error = decode(&two[..cut]).expect_err(name);
            assert_eq!(
                error.kind(),
                io::ErrorKind::UnexpectedEof,
                "{name} cut at {cut} of {}, {}: {error}",
                first.len(),
                two.len()
            );
        }
    }
}

#[test]
fn lz4_frames_of_other_block_sizes_follow_one_another() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    let frame = |size, mode| {
        let info = FrameInfo::new().block_size(size).block_mode(mode);
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(&sample()).unwrap();
        encoder.finish().unwrap()
    };
    let forms = [
        (BlockSize::Max1MB, BlockMode::Linked),
        (BlockSize::Max64KB, BlockMode::Linked),
        (BlockSize::Max4MB, BlockMode::Independent),
        (BlockSize::Max64KB, BlockMode::Linked),
    ];
    let frames = forms.map(|(size, mode)| frame(size, mode)).concat();
    assert_eq!(decode(&frames).unwrap(), sample().repeat(forms.len()));
}

#[test]
fn an_lz4_frame_cut_between_its_blocks_is_an_error() {
    let encoded = lz4_without_checksum(&sample());
    // Without checksums a frame ends with the end mark's four zero bytes.
    assert!(decode(&encoded[..encoded.len() - 4]).is_err());
    let mut place = 7;
    while place < encoded.len() - 4 {
        assert!(decode(&encoded[..place]).is_err(), "cut at {place}");
        let word: [u8; 4] = encoded[place..place + 4].try_into().unwrap();
        place += 4 + (u32::from_le_bytes(word) & 0x7fff_ffff) as usize;
    }
}

#[test]
fn an_lz4_frame_has_an_end_whatever_its_optional_parts() {
    use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
    for parts in 0..8 {
        let has = |bit: u8| parts & (1 << bit) != 0;
        let info = FrameInfo::new()
            .block_size(BlockSize::Max64KB)
            .block_checksums(has(0))
            .content_checksum(has(1))
            .content_size(has(2).then_some(sample().len() as u64));
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(&sample()).unwrap();
        let frame = encoder.finish().unwrap();
        assert_eq!(decode(&frame).unwrap(), sample(), "parts {parts}");
        let two = [&frame[..], &frame].concat();
        assert_eq!(decode(&two).unwrap().len(), 2 * sample().len());
        for cut in 1..=12 {
            let frame = &frame[..frame.len() - cut];
            assert!(decode(frame).is_err(), "parts {parts} cut by {cut}");
        }
    }
}

#[test]
fn a_flipped_byte_is_an_error() {
    for (name, _, encode) in CODECS {
        if name == "lz4 without checksum" {
            continue;
        }
        let encoded = encode(&sample());
        for place in (20..encoded.len() - 20)
            .step_by(20_011)
            .chain([encoded.len() - 2])
        {
            let mut damaged = encoded.clone();
            damaged[place] ^= 0x10;
            let decoded = decode(&damaged);
            assert!(
                decoded.is_err(),
                "{name} flipped at {place} of {}",
                encoded.len()
            );
            assert_eq!(decoded.unwrap_err().raw_os_error(), None, "{name}");
        }
    }
}

#[test]
fn what_follows_a_stream_is_an_error() {
    for (name, _, encode) in CODECS {
        let encoded = [&encode(b"content")[..], b"and more"].concat();
        assert!(decode(&encoded).is_err(), "{name}");
    }
}

#[test]
fn a_zlib_stream_is_read_to_its_checksum() {
    let content = sample();
    let encoded = zlib(&content);
    let decode = |bytes: &[u8]| {
        let mut decoded = Vec::new();
        decoder_of(Compression::Zlib, bytes)?.read_to_end(&mut decoded)?;
        io::Result::Ok(decoded)
    };
    assert!(decode(&encoded).unwrap() == content);
    for cut in [0, 1, 2, 1000, encoded.len() - 4, encoded.len() - 1] {
        let error = decode(&encoded[..cut]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
    }
    let mut damaged = encoded.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let kind = |bytes: &[u8]| decode(bytes).unwrap_err().kind();
    assert_eq!(kind(&damaged), io::ErrorKind::InvalidData);
    assert_eq!(
        kind(&[&encoded[..], b"x"].concat()),
        io::ErrorKind::InvalidData
    );
}

#[test]
fn zero_bytes_after_gzip_are_padding() {
    let padded = [gzip(b"content"), vec![0; 700_000]].concat();
    assert_eq!(decode(&padded).unwrap(), b"content");
    let garbage = [padded, b"x".to_vec()].concat();
    assert!(decode(&garbage).is_err());
}

#[test]
fn skippable_frames_are_skipped() {
    let skippable = b"\x5a\x2a\x4d\x18\x03\0\0\0abc";
    let zstd_stream = [
        &skippable[..],
        &zstd(b"one"),
        skippable,
        &zstd(b"two"),
        skippable,
    ]
    .concat();
    assert_eq!(decode(&zstd_stream).unwrap(), b"onetwo");
    let lz4_stream = [&lz4(b"one")[..], skippable, &lz4(b"two"), skippable].concat();
    assert_eq!(decode(&lz4_stream).unwrap(), b"onetwo");
    assert!(decode(&lz4_stream[..lz4_stream.len() - 1]).is_err());
}

#[test]
fn other_bytes_pass_through() {
    for content in [
        "",
        "-",
        "BZh9 is a word",
        "-- PostgreSQL database dump\n",
        "\x1f",
        "PK",
    ] {
        assert_eq!(decode(content.as_bytes()).unwrap(), content.as_bytes());
    }
}

#[test]
fn taken_bytes_are_counted() {
    let encoded = gzip(&sample());
    let taken = Arc::new(AtomicU64::new(0));
    let mut reader = decoder(Box::new(Cursor::new(encoded.clone())), taken.clone()).unwrap();
    io::copy(&mut reader, &mut io::sink()).unwrap();
    assert_eq!(taken.load(Ordering::Relaxed), encoded.len() as u64);
}

/// A stream of zstd whose header asks for a window of two to the power of `log`.
fn zstd_with_window(log: u8) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(b"content").unwrap();
    // The size is not known before the first byte is written, as where a pipe is compressed.
    encoder.flush().unwrap();
    let mut encoded = encoder.finish().unwrap();
    assert_eq!(encoded[4] & 0b0010_0000, 0, "the header has a window");
    // RFC 8878: the exponent without 10, before three bits of mantissa.
    encoded[5] = (log - 10) << 3;
    encoded
}

/// A stream of xz whose header asks for a dictionary of `2 << exponent` bytes, or half as much again.
fn xz_with_dictionary(exponent: u8, and_half: bool) -> Vec<u8> {
    let mut encoded = xz(b"content");
    // The block's header, behind that of the stream: its size, its flags, then the filter LZMA2 (0x21) with one byte of
    // properties; its checksum stands at its end.
    let header = 12..12 + (usize::from(encoded[12]) + 1) * 4;
    assert_eq!(encoded[14..16], [0x21, 1]);
    encoded[16] = (exponent - 11) * 2 + u8::from(and_half);
    let sum = crc32fast::hash(&encoded[header.start..header.end - 4]);
    encoded[header.end - 4..header.end].copy_from_slice(&sum.to_le_bytes());
    encoded
}

fn decode_within(allowed: u64, compression: Compression, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut decoded = Vec::new();
    decoder_within(allowed, compression, bytes)?.read_to_end(&mut decoded)?;
    Ok(decoded)
}

#[test]
fn a_window_larger_than_allowed_is_refused_by_the_option_s_name() {
    const ALLOWED: u64 = 128 << 20;
    for (compression, bytes, is_allowed) in [
        (Compression::Zstd, zstd_with_window(27), true),
        (Compression::Zstd, zstd_with_window(28), false),
        (Compression::Zstd, zstd_with_window(31), false),
        (Compression::Xz, xz_with_dictionary(25, false), true),
        (Compression::Xz, xz_with_dictionary(26, false), true),
        (Compression::Xz, xz_with_dictionary(26, true), false),
        (Compression::Xz, xz_with_dictionary(29, true), false),
    ] {
        let decoded = decode_within(ALLOWED, compression, &bytes);
        if is_allowed {
            assert_eq!(decoded.unwrap(), b"content");
            continue;
        }
        let error = decoded.unwrap_err();
        assert!(WindowTooLarge::within(&error).is_some(), "{error}");
        let text = error.to_string();
        assert!(text.contains("larger than 128MiB"), "{text}");
        assert!(text.contains("--max-window 2GiB"), "{text}");
    }
    let large = zstd_with_window(28);
    let decoded = decode_within(256 << 20, Compression::Zstd, &large);
    assert_eq!(decoded.unwrap(), b"content");
}

#[test]
fn a_window_in_another_stream_is_told_as_what_it_is() {
    for (name, _, outer) in CODECS {
        let error = decode(&outer(&zstd_with_window(31))).unwrap_err();
        assert!(WindowTooLarge::within(&error).is_some(), "{name}: {error}");
    }
    // Also where it is asked again, as a frame's reader may do.
    let encoded = zstd_with_window(31);
    let mut reader = decoder_of(Compression::Zstd, &encoded[..]).unwrap();
    for _ in 0..3 {
        let error = reader.read(&mut [0; 10]).unwrap_err();
        assert!(WindowTooLarge::within(&error).is_some(), "{error}");
    }
}
