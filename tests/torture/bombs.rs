//! Small files that become large, and large ones without an end: memory stays within its limit, and what is too much is
//! refused by name.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use crate::process::{Ended, watch};
use crate::scenario::Packed;
use crate::stand::{Stand, Tried};
use crate::support::*;
use crate::table::Verdict;

/// What a run may have beyond `--memory-limit`.
const ALLOWANCE_MIB: u64 = 200;

const LIMIT_MIB: u64 = 64;

const MIB: usize = 1 << 20;

/// How large things are: the short form's size, the long one's.
#[derive(Clone, Copy)]
struct Scale {
    is_long: bool,
}

impl Scale {
    fn of(self, short: usize, long: usize) -> usize {
        if self.is_long { long } else { short }
    }
}

struct Bomb {
    name: &'static str,
    make: fn(&Dir, Scale) -> PathBuf,
    /// What a run that does everything must have written; what is too much may also be refused.
    holds: fn(&ExportFolder, Scale) -> bool,
}

const BOMBS: [Bomb; 15] = [
    bomb("10 GB of zeros, gzip", |dir, scale| {
        zeros(dir, scale, Packed::Gzip)
    }),
    bomb("10 GB of zeros, zstd", |dir, scale| {
        zeros(dir, scale, Packed::Zstd)
    }),
    bomb("10 GB of zeros, xz", |dir, scale| {
        zeros(dir, scale, Packed::Xz)
    }),
    bomb("10 GB of zeros, bzip2", |dir, scale| {
        zeros(dir, scale, Packed::Bzip2)
    }),
    bomb("10 GB of zeros, LZ4", |dir, scale| {
        zeros(dir, scale, Packed::Lz4)
    }),
    bomb("a zstd window of 2 GiB", wide_window),
    bomb("a line without end", |dir, scale| {
        endless(dir, scale, "notes", "3001\t")
    }),
    bomb(
        "a line without end in a table that nobody needs",
        |dir, scale| endless(dir, scale, "schema_migrations", ""),
    ),
    bomb("a statement without end", |dir, scale| {
        let path = dir.write(
            "dump.sql",
            "-- PostgreSQL database dump\n\nCREATE TABLE public.t (\n",
        );
        lengthen(path, scale.of(256 * MIB, 10_000 * MIB))
    }),
    bomb("a quote in CSV that is never closed", |dir, scale| {
        let folder = dir.join("csv");
        crate::scenario::copy_folder(&project(CSV), &folder);
        let path = folder.join("boards.csv");
        let mut text = fs::read(&path).unwrap();
        text.extend_from_slice(b"70,\"");
        fs::write(&path, text).unwrap();
        lengthen(path, scale.of(256 * MIB, 10_000 * MIB));
        folder
    }),
    bomb("5,000 columns", |dir, _| {
        let columns: Vec<String> = (0..5000)
            .map(|number| format!("c{number} bigint"))
            .collect();
        let table = format!(
            "\nCREATE TABLE public.wide (\n    {}\n);\n",
            columns.join(",\n    ")
        );
        before_data(dir, &table)
    }),
    Bomb {
        name: "200,000 tables",
        make: |dir, scale| {
            let tables: String = (0..scale.of(20_000, 200_000))
                .map(|number| {
                    format!("CREATE TABLE public.t{number} (\n    id bigint,\n    t text\n);\n")
                })
                .collect();
            before_data(dir, &format!("\n{tables}"))
        },
        holds: |folder, _| folder.contents() == expected_files(&[4351]),
    },
    Bomb {
        name: "a million groups",
        make: |dir, scale| {
            let count = scale.of(20_000, 1_000_000);
            let dump = dump();
            let block = copy_block(&dump, "namespaces");
            let row = block
                .lines()
                .find(|line| line.starts_with("4352\t"))
                .unwrap();
            let (_, rest) = row.split_once('\t').unwrap();
            let rest = rest.replace("4352", "ID");
            let more: String = (0..count)
                .map(|number| {
                    let id = (10_000_000 + number).to_string();
                    format!("{id}\t{}\n", rest.replace("ID", &id))
                })
                .collect();
            dir.write(
                "dump.sql",
                edit_rows(&dump, "namespaces", |rows| rows.to_owned() + &more),
            )
        },
        holds: |folder, _| folder.contents() == expected_files(&[4351]),
    },
    Bomb {
        name: "an epic with a million notes",
        make: |dir, scale| {
            let dump = with_many_notes(scale.of(10_000, 1_000_000));
            let dump = dump.replace(&"abcdefghij".repeat(100), "abcdefghij");
            dir.write("dump.sql", dump)
        },
        holds: |folder, scale| {
            let epics = folder.content("group_4351/epics.ndjson.gz");
            let found = memchr::memmem::find_iter(&epics, b" abcdefghij\"").count();
            found == scale.of(10_000, 1_000_000)
        },
    },
    Bomb {
        name: "a cell of 100 MB",
        make: |dir, scale| {
            let large = "x".repeat(scale.of(20_000_000, 100_000_000));
            let dump = with_many_notes(1);
            dir.write("dump.sql", dump.replace(&"abcdefghij".repeat(100), &large))
        },
        holds: |folder, scale| {
            let epics = folder.content("group_4351/epics.ndjson.gz");
            let found = memchr::memchr_iter(b'x', &epics).count();
            found >= scale.of(20_000_000, 100_000_000)
        },
    },
];

/// One that cannot be exported whole: it is refused.
const fn bomb(name: &'static str, make: fn(&Dir, Scale) -> PathBuf) -> Bomb {
    Bomb {
        name,
        make,
        holds: |_, _| false,
    }
}

pub(crate) fn run(stand: &mut Stand) {
    let scale = Scale {
        is_long: stand.is_long(),
    };
    for bomb in &BOMBS {
        let name = match scale.is_long {
            true => bomb.name.to_owned(),
            false => format!("in small: {}", bomb.name),
        };
        stand.row_on(1, &name, 1, |_, _| exploded(bomb, scale));
    }
}

fn exploded(bomb: &Bomb, scale: Scale) -> Tried {
    let dir = Dir::new();
    let path = (bomb.make)(&dir, scale);
    let temp = dir.join("temp");
    fs::create_dir(&temp).unwrap();
    let export = dir
        .export(path)
        .group(4351)
        .args(["--threads", "2", "--memory-limit"])
        .arg(format!("{LIMIT_MIB}MiB"))
        .args(["--max-row", "32MiB", "--max-window", "64MiB"])
        .option("--temp-dir", temp);
    let ended = watch(export);
    Tried {
        verdict: verdict(bomb, scale, &ended),
        peak_kib: ended.peak_kib,
    }
}

fn verdict(bomb: &Bomb, scale: Scale, ended: &Ended) -> Verdict {
    if let Some(fault) = ended.fault() {
        return fault;
    }
    let peak = ended.peak_kib / 1024;
    if peak > LIMIT_MIB + ALLOWANCE_MIB {
        return Verdict::Greedy(format!("{peak} MiB with --memory-limit {LIMIT_MIB}MiB"));
    }
    match ended.run.code {
        Some(0) if !(bomb.holds)(&ended.run, scale) => {
            Verdict::Lost("it ended with 0, and rows are missing".to_owned())
        }
        _ => Verdict::Survived,
    }
}

/// The dump up to the rows of notes, then zeros, packed as members one after the other.
fn zeros(dir: &Dir, scale: Scale, packed: Packed) -> PathBuf {
    const MEMBER: usize = 16 * MIB;
    let path = dir.join("dump");
    let mut file = File::create(&path).unwrap();
    file.write_all(&packed.pack(up_to_rows_of("notes").as_bytes()))
        .unwrap();
    let member = packed.pack(&vec![0; MEMBER]);
    for _ in 0..scale.of(256 * MIB, 10_000 * MIB) / MEMBER {
        file.write_all(&member).unwrap();
    }
    path
}

/// A frame of zstd that says it looks back as far as the format allows.
fn wide_window(dir: &Dir, scale: Scale) -> PathBuf {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder
        .write_all(up_to_rows_of("notes").as_bytes())
        .unwrap();
    let piece = vec![0; MIB];
    for _ in 0..scale.of(300, 3000) {
        encoder.write_all(&piece).unwrap();
    }
    let mut frame = encoder.finish().unwrap();
    // The window's descriptor follows magic number and header: its exponent above 10, in the upper five bits.
    frame[5] = (31 - 10) << 3;
    dir.write("dump.sql.zst", frame)
}

fn endless(dir: &Dir, scale: Scale, table: &str, row: &str) -> PathBuf {
    let path = dir.write("dump.sql", up_to_rows_of(table) + row);
    lengthen(path, scale.of(512 * MIB, 10_000 * MIB))
}

/// Makes a file as long as that, by zeros that take no room.
fn lengthen(path: PathBuf, length: usize) -> PathBuf {
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(length as u64).unwrap();
    path
}

/// The dump up to a table's first row.
fn up_to_rows_of(table: &str) -> String {
    let dump = dump();
    let block = copy_block(&dump, table);
    let at = block.as_ptr() as usize - dump.as_ptr() as usize;
    let head = block.find('\n').unwrap() + 1;
    dump[..at + head].to_owned()
}

/// The dump with more definitions before its first rows.
fn before_data(dir: &Dir, definitions: &str) -> PathBuf {
    let dump = dump();
    let at = dump.find("\n--\n-- Data for Name: ").unwrap();
    dir.write(
        "dump.sql",
        format!("{}{definitions}{}", &dump[..at], &dump[at..]),
    )
}
