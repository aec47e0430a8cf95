//! Takes a real archive in custom format apart and writes it anew: as another version of the format, with
//! another compression, with positions of data or without, or as a folder.
//!
//! Written after the facts of the format and not with the program's own reader, so that each can show the
//! other wrong. Panics at whatever is not as pg_dump 15 writes it.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Lz4,
    Zstd,
}

impl Packing {
    fn number(self) -> u8 {
        self as u8
    }

    fn suffix(self) -> &'static str {
        ["", ".gz", ".lz4", ".zst"][usize::from(self.number())]
    }

    fn pack(self, bytes: &[u8], zlib: bool) -> Vec<u8> {
        match self {
            Packing::None => bytes.to_vec(),
            Packing::Gzip if zlib => {
                let level = flate2::Compression::new(6);
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packing::Gzip => {
                let level = flate2::Compression::new(6);
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packing::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packing::Zstd => zstd::encode_all(bytes, 3).unwrap(),
        }
    }
}

/// An archive in memory.
pub(crate) struct Archive {
    /// Second, minute, hour, day, month, year, summer time.
    time: [i64; 7],
    /// Database, server's version, pg_dump's version.
    names: [Option<Vec<u8>>; 3],
    pub entries: Vec<Entry>,
    /// Decompressed, by dump id.
    pub data: HashMap<i64, Vec<u8>>,
    /// The dump ids in the order of the blocks.
    order: Vec<i64>,
}

pub(crate) struct Entry {
    pub dump_id: i64,
    had_dumper: i64,
    oids: [Option<Vec<u8>>; 2],
    pub tag: Vec<u8>,
    pub description: Vec<u8>,
    section: i64,
    pub definition: Option<Vec<u8>>,
    drop: Option<Vec<u8>>,
    pub copy: Option<Vec<u8>>,
    pub namespace: Option<Vec<u8>>,
    tablespace: Option<Vec<u8>>,
    access_method: Option<Vec<u8>>,
    owner: Option<Vec<u8>>,
    with_oids: Option<Vec<u8>>,
    needs: Vec<Vec<u8>>,
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let byte = self.0[0];
        self.0 = &self.0[1..];
        byte
    }

    fn int(&mut self) -> i64 {
        let sign = self.byte();
        let value = u32::from_le_bytes(self.0[..4].try_into().unwrap());
        self.0 = &self.0[4..];
        if sign == 0 {
            i64::from(value)
        } else {
            -i64::from(value)
        }
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.int()).ok()?;
        let (string, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(string.to_vec())
    }
}

fn put_int(out: &mut Vec<u8>, value: i64) {
    out.push(u8::from(value < 0));
    out.extend_from_slice(&(value.unsigned_abs() as u32).to_le_bytes());
}

fn put_string(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => put_int(out, -1),
        Some(value) => {
            put_int(out, value.len() as i64);
            out.extend_from_slice(value);
        }
    }
}

impl Archive {
    /// Takes an archive of version 1.14 apart, uncompressed or with zlib.
    pub(crate) fn take_apart(bytes: &[u8]) -> Archive {
        let mut input = Input(bytes.strip_prefix(b"PGDMP\x01\x0e").expect("version 1.14"));
        let header = [(); 4].map(|()| input.byte());
        assert_eq!(header[1..], [4, 8, 1], "integers, positions, custom format");
        let is_packed = input.int() != 0;
        let time = [(); 7].map(|()| input.int());
        let names = [(); 3].map(|()| input.string());
        let entries = (0..input.int())
            .map(|_| {
                let mut entry = Entry {
                    dump_id: input.int(),
                    had_dumper: input.int(),
                    oids: [(); 2].map(|()| input.string()),
                    tag: input.string().unwrap(),
                    description: input.string().unwrap(),
                    section: input.int(),
                    definition: input.string(),
                    drop: input.string(),
                    copy: input.string(),
                    namespace: input.string(),
                    tablespace: input.string(),
                    access_method: input.string(),
                    owner: input.string(),
                    with_oids: input.string(),
                    needs: Vec::new(),
                };
                while let Some(need) = input.string() {
                    entry.needs.push(need);
                }
                input.0 = &input.0[9..];
                entry
            })
            .collect();
        let (mut data, mut order) = (HashMap::new(), Vec::new());
        while !input.0.is_empty() {
            assert_eq!(input.byte(), 1, "no large objects");
            let dump_id = input.int();
            let mut packed = Vec::new();
            while let Some(chunk) = input.string().filter(|chunk| !chunk.is_empty()) {
                packed.extend_from_slice(&chunk);
            }
            let mut plain = Vec::new();
            match is_packed {
                true => flate2::read::ZlibDecoder::new(&packed[..])
                    .read_to_end(&mut plain)
                    .unwrap(),
                false => (&packed[..]).read_to_end(&mut plain).unwrap(),
            };
            data.insert(dump_id, plain);
            order.push(dump_id);
        }
        Archive {
            time,
            names,
            entries,
            data,
            order,
        }
    }

    /// Header and TOC. `extra` gives what the format writes at the end of each entry.
    fn toc(
        &self,
        minor: u8,
        packing: Packing,
        format: u8,
        extra: impl Fn(i64) -> Vec<u8>,
    ) -> Vec<u8> {
        let mut out = [b"PGDMP\x01", &[minor, 0, 4, 8, format][..]].concat();
        match (minor, packing) {
            (15.., packing) => out.push(packing.number()),
            (_, Packing::None) => put_int(&mut out, 0),
            (_, Packing::Gzip) => put_int(&mut out, -1),
            (_, other) => panic!("{other:?} came with version 1.15"),
        }
        self.time.iter().for_each(|part| put_int(&mut out, *part));
        for name in &self.names {
            put_string(&mut out, name.as_deref());
        }
        let is_there = |entry: &&Entry| minor > 12 || entry.description != b"SEARCHPATH";
        put_int(
            &mut out,
            self.entries.iter().filter(is_there).count() as i64,
        );
        for entry in self.entries.iter().filter(is_there) {
            entry.put(&mut out, minor);
            out.extend_from_slice(&extra(entry.dump_id));
        }
        out
    }

    /// An archive in custom format. Without positions it is as if it was written to a pipe.
    pub(crate) fn custom(&self, minor: u8, packing: Packing, positions: bool) -> Vec<u8> {
        let offset = |flag: u8, position: u64| [&[flag][..], &position.to_le_bytes()].concat();
        let length = self.toc(minor, packing, 1, |_| offset(0, 0)).len();
        let (mut blocks, mut at) = (Vec::new(), HashMap::new());
        for dump_id in &self.order {
            at.insert(*dump_id, (length + blocks.len()) as u64);
            blocks.push(1);
            put_int(&mut blocks, *dump_id);
            for chunk in packing.pack(&self.data[dump_id], true).chunks(1000) {
                put_string(&mut blocks, Some(chunk));
            }
            put_int(&mut blocks, 0);
        }
        let extra = |dump_id| match at.get(&dump_id) {
            Some(position) if positions => offset(2, *position),
            Some(_) => offset(1, 0),
            None => offset(3, 0),
        };
        [self.toc(minor, packing, 1, extra), blocks].concat()
    }

    /// An archive in directory format.
    pub(crate) fn folder(&self, minor: u8, packing: Packing, path: &Path) {
        std::fs::create_dir_all(path).unwrap();
        let extra = |dump_id| {
            let mut out = Vec::new();
            let name = match self.data.contains_key(&dump_id) {
                true => format!("{dump_id}.dat"),
                false => String::new(),
            };
            put_string(&mut out, Some(name.as_bytes()));
            out
        };
        std::fs::write(path.join("toc.dat"), self.toc(minor, packing, 3, extra)).unwrap();
        for (dump_id, data) in &self.data {
            let name = format!("{dump_id}.dat{}", packing.suffix());
            std::fs::write(path.join(name), packing.pack(data, false)).unwrap();
        }
    }
}

impl Entry {
    fn put(&self, out: &mut Vec<u8>, minor: u8) {
        put_int(out, self.dump_id);
        put_int(out, self.had_dumper);
        self.oids
            .iter()
            .for_each(|oid| put_string(out, oid.as_deref()));
        put_string(out, Some(&self.tag));
        put_string(out, Some(&self.description));
        put_int(out, self.section);
        put_string(
            out,
            self.definition
                .as_ref()
                .map(|text| self.named(text, minor))
                .as_deref(),
        );
        put_string(out, self.drop.as_deref());
        put_string(
            out,
            self.copy
                .as_ref()
                .map(|text| self.named(text, minor))
                .as_deref(),
        );
        put_string(out, self.namespace.as_deref());
        put_string(out, self.tablespace.as_deref());
        if minor >= 14 {
            put_string(out, self.access_method.as_deref());
        }
        if minor >= 16 {
            // An ordinary table's letter.
            put_int(out, i64::from(b'r'));
        }
        put_string(out, self.owner.as_deref());
        put_string(out, self.with_oids.as_deref());
        self.needs
            .iter()
            .for_each(|need| put_string(out, Some(need)));
        put_string(out, None);
    }

    /// Version 1.12 names tables of the entry's own schema without it.
    fn named(&self, text: &[u8], minor: u8) -> Vec<u8> {
        let is_table = [&b"TABLE"[..], b"TABLE DATA"].contains(&&self.description[..]);
        let text = text.to_vec();
        let Some(namespace) = self.namespace.as_ref().filter(|_| is_table && minor == 12) else {
            return text;
        };
        let (text, namespace) = (
            String::from_utf8(text).unwrap(),
            String::from_utf8_lossy(namespace),
        );
        let mut text = text;
        for words in ["CREATE TABLE ", "COPY "] {
            if let Some(rest) = text.strip_prefix(&format!("{words}{namespace}.")) {
                text = format!("{words}{rest}");
            }
        }
        text.into_bytes()
    }
}
