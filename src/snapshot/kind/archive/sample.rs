//! Archives for tests, put together byte by byte.

use std::ops::ControlFlow;

use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::Event;
use crate::snapshot::source::TableSource;
use crate::snapshot::table_name::TableName;

/// An entry of a TOC. What is not given is NULL.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sample<'a> {
    pub(crate) id: i64,
    pub(crate) description: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) tag: &'a str,
    pub(crate) definition: &'a str,
    pub(crate) copy: &'a str,
    /// What the format writes at the end of the entry.
    pub(crate) extra: &'a [u8],
}

pub(crate) fn table<'a>(namespace: &'a str, tag: &'a str, definition: &'a str) -> Sample<'a> {
    Sample {
        description: "TABLE",
        namespace,
        tag,
        definition,
        ..Sample::default()
    }
}

pub(crate) fn attach(definition: &str) -> Sample<'_> {
    Sample {
        description: "TABLE ATTACH",
        namespace: "public",
        definition,
        ..Sample::default()
    }
}

pub(crate) fn rows<'a>(id: i64, namespace: &'a str, tag: &'a str, copy: &'a str) -> Sample<'a> {
    Sample {
        id,
        description: "TABLE DATA",
        namespace,
        tag,
        copy,
        ..Sample::default()
    }
}

pub(crate) fn int(value: i64) -> Vec<u8> {
    let mut bytes = vec![u8::from(value < 0)];
    bytes.extend_from_slice(&(value.unsigned_abs() as u32).to_le_bytes());
    bytes
}

pub(crate) fn string(text: &str) -> Vec<u8> {
    [&int(text.len() as i64)[..], text.as_bytes()].concat()
}

/// The end of an entry in custom format.
pub(crate) fn offset(flag: u8, position: u64) -> Vec<u8> {
    [&[flag][..], &position.to_le_bytes()].concat()
}

/// A header of version 1.`minor` that claims `count` entries. `compression` is as the version writes it.
pub(crate) fn header(minor: u8, format: u8, compression: &[u8], count: i64) -> Vec<u8> {
    let time = [56, 34, 12, 31, 11, 123, 0].map(int).concat();
    [
        b"PGDMP\x01",
        &[minor, 0, 4, 8, format][..],
        compression,
        &time,
        &string("gitlab"),
        &string("15.18 (Debian 15.18-0+deb12u1)"),
        &string("16.2"),
        &int(count),
    ]
    .concat()
}

pub(crate) fn entry(minor: u8, sample: &Sample<'_>) -> Vec<u8> {
    let null = int(-1);
    let mut out = [
        int(sample.id),
        int(1),
        string("1259"),
        string("16384"),
        string(sample.tag),
        string(sample.description),
        int(3),
        string(sample.definition),
        null.clone(),
        string(sample.copy),
        string(sample.namespace),
        null.clone(),
    ]
    .concat();
    if minor >= 14 {
        out.extend_from_slice(&string("heap"));
    }
    if minor >= 16 {
        out.extend_from_slice(&int(114));
    }
    for text in [&string("postgres"), &string("false"), &string("7"), &null] {
        out.extend_from_slice(text);
    }
    out.extend_from_slice(sample.extra);
    out
}

/// A `toc.dat`: entries with data name the file `<id>.dat`.
pub(crate) fn files_toc(samples: &[Sample<'_>]) -> Vec<u8> {
    let mut toc = header(14, 3, &int(0), samples.len() as i64);
    for sample in samples {
        let name = match (sample.extra, sample.description) {
            ([], "TABLE DATA") => string(&format!("{}.dat", sample.id)),
            ([], _) => string(""),
            (given, _) => given.to_vec(),
        };
        let extra = &name[..];
        toc.extend_from_slice(&entry(14, &Sample { extra, ..*sample }));
    }
    toc
}

/// A block of data: its chunks are written as they are given.
pub(crate) fn block(id: i64, chunks: &[&[u8]]) -> Vec<u8> {
    let mut out = [&[1][..], &int(id)].concat();
    for chunk in chunks {
        out.extend_from_slice(&int(chunk.len() as i64));
        out.extend_from_slice(chunk);
    }
    out.extend_from_slice(&int(0));
    out
}

/// An uncompressed archive in custom format of version 1.14, with positions or without.
pub(crate) fn custom(
    samples: &[Sample<'_>],
    blocks: &[(i64, Vec<u8>)],
    positions: bool,
) -> Vec<u8> {
    let toc = |extra: &dyn Fn(i64) -> Vec<u8>| {
        let mut toc = header(14, 1, &int(0), samples.len() as i64);
        for sample in samples {
            let extra = &extra(sample.id)[..];
            toc.extend_from_slice(&entry(14, &Sample { extra, ..*sample }));
        }
        toc
    };
    let length = toc(&|_| offset(1, 0)).len();
    let toc = toc(&|id| {
        let mut at = length as u64;
        for (other, block) in blocks {
            if *other == id {
                return match positions {
                    true => offset(2, at),
                    false => offset(1, 0),
                };
            }
            at += block.len() as u64;
        }
        offset(3, 0)
    });
    let blocks: Vec<u8> = blocks.iter().flat_map(|(_, block)| block.clone()).collect();
    [toc, blocks].concat()
}

/// What a reader tells, in lines that are easy to compare.
#[derive(Default)]
pub(crate) struct Told(pub(super) String);

impl Told {
    pub(crate) fn take(&mut self, event: Event) -> ControlFlow<()> {
        let line = match event {
            Event::Catalog(..) | Event::DatabaseEnd(_) | Event::Holdings(_) => String::new(),
            Event::Damage(damage) => format!("damage {damage}\n"),
            Event::Begin(head) => format!("begin {} ({})\n", head.table, head.columns.join(", ")),
            Event::Rows(block) => String::from_utf8_lossy(block.bytes()).into_owned(),
            Event::Keys(_) => panic!("an archive states all keys before its rows"),
            Event::End(end) => format!("end {}: {} rows\n", end.table, end.rows),
        };
        self.0.push_str(&line);
        ControlFlow::Continue(())
    }
}

/// All that is told of a table, part by part.
pub(crate) fn read(source: &dyn TableSource, table: &str) -> Result<String, SnapshotError> {
    let mut told = Told::default();
    for part in source.parts(&TableName::public(table)) {
        source.read(&part, &mut |event| told.take(event))?;
    }
    Ok(told.0)
}
