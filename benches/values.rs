//! Speed of the value codecs: MB/s of COPY text that comes in.
//!
//! The claims: text without much to escape goes at the speed of a copy, text full of markup still
//! faster than gzip takes it, and a row of mixed columns costs no more per byte than its text.

#![expect(clippy::expect_used, reason = "a bench stops at the first surprise")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use relexport::export::values::{Codec, write};
use relexport::snapshot::SqlType;

/// Bytes of input for each text case.
const SIZE: usize = 1 << 20;

fn text(c: &mut Criterion) {
    let cases = [
        (
            "prose",
            r"Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor.\n\nUt enim ad minim veniam. ",
        ),
        (
            "html",
            r#"<p data-sourcepos="1:1-1:12" dir="auto">See <a href="/a/b?c=1&amp;d=2">the issue</a> first.</p>\n"#,
        ),
        (
            "japanese",
            r"吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n",
        ),
        ("typographic", r"He’s “quoted” – and gone… "),
        ("short", r"a label "),
    ];
    let mut group = c.benchmark_group("text");
    let codec = Codec::of(&SqlType::Text);
    for (name, piece) in cases {
        let field = piece.repeat(if name == "short" {
            1
        } else {
            SIZE / piece.len()
        });
        let mut out = Vec::with_capacity(3 * field.len());
        group.throughput(Throughput::BytesDecimal(field.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                write(&codec, black_box(field.as_bytes()), &mut out).expect("valid text");
                black_box(out.len())
            });
        });
    }
    group.finish();
}

fn row(c: &mut Criterion) {
    let columns: &[(SqlType, &str)] = &[
        (SqlType::BigInt, "184467"),
        (
            SqlType::Text,
            r"Looks good to me.\n\n* see `lib/gitlab/color.rb`\n* <b>and</b> this",
        ),
        (SqlType::Text, "Epic"),
        (SqlType::BigInt, "42"),
        (SqlType::Timestamp, "2023-05-04 11:25:20.423999"),
        (SqlType::TimestampTz, "2023-05-04 11:25:20.423999+00"),
        (SqlType::TimestampTz, "2023-05-04 13:25:20.423999+02"),
        (SqlType::Boolean, "f"),
        (SqlType::Date, "2023-05-04"),
        (SqlType::Integer, r"\N"),
        (SqlType::Numeric, "12.500"),
        (SqlType::Double, "0.25"),
        (SqlType::Array(Box::new(SqlType::BigInt)), "{9970,4351}"),
        (SqlType::Jsonb, r#"{"a": 1, "list": [true, null, "text"]}"#),
    ];
    let codecs: Vec<Codec> = columns
        .iter()
        .map(|(sql_type, _)| Codec::of(sql_type))
        .collect();
    let bytes: usize = columns.iter().map(|(_, field)| field.len() + 1).sum();
    let mut out = Vec::with_capacity(4 * bytes);

    let mut group = c.benchmark_group("row");
    group.throughput(Throughput::BytesDecimal(bytes as u64));
    group.bench_function("mixed", |b| {
        b.iter(|| {
            out.clear();
            for (codec, (_, field)) in codecs.iter().zip(columns) {
                write(codec, black_box(field.as_bytes()), &mut out).expect("valid fields");
            }
            black_box(out.len())
        });
    });
    group.finish();

    let mut group = c.benchmark_group("field");
    for (number, (sql_type, field)) in columns.iter().enumerate() {
        let codec = Codec::of(sql_type);
        let mut out = Vec::with_capacity(4 * field.len());
        group.throughput(Throughput::BytesDecimal(field.len() as u64));
        group.bench_function(format!("{number} {sql_type:?}"), |b| {
            b.iter(|| {
                out.clear();
                write(&codec, black_box(field.as_bytes()), &mut out).expect("a valid field");
                black_box(out.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, text, row);
criterion_main!(benches);
