//! PostgreSQL as the judge: a server is asked `=` and `<` of pairs of values of each two types that compare, and whether it
//! reads canonical texts as the values that they are of.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

/// Pairs of values for each pair of types.
const PAIRS: usize = 2000;

const SETUP: &str = "
CREATE DATABASE keys TEMPLATE template0 LC_CTYPE 'C.UTF-8';
\\c keys
SET client_min_messages = warning;
CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('a', 'b', 'c');
";

/// Pairs of types, and whether values order as their encodings do, too.
const TYPES: [(&str, &str, bool); 36] = [
    ("smallint", "bigint", true),
    ("bigint", "bigint", true),
    ("bigint", "numeric", true),
    ("numeric", "numeric", true),
    ("numeric", "double precision", true),
    ("bigint", "double precision", true),
    ("bigint", "real", true),
    ("numeric", "real", true),
    ("real", "real", true),
    ("real", "double precision", true),
    ("double precision", "double precision", true),
    ("text", "text", true),
    ("text", "varchar", true),
    ("name", "text", true),
    ("char(5)", "char(7)", true),
    ("char(5)", "varchar", true),
    ("varchar", "char(5)", true),
    ("char(5)", "text", true),
    ("name", "char(5)", true),
    ("citext", "citext", true),
    ("citext", "text", true),
    ("varchar", "citext", true),
    ("citext", "char(5)", true),
    ("uuid", "uuid", true),
    ("bytea", "bytea", true),
    ("boolean", "boolean", true),
    ("date", "date", true),
    ("date", "timestamp", true),
    ("timestamp", "timestamp", true),
    ("timestamptz", "timestamptz", true),
    ("mood", "mood", true),
    ("time", "time", true),
    ("timetz", "timetz", false),
    ("inet", "inet", false),
    ("bit(3)", "bit varying", true),
    ("oid", "oid", false),
];

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    fn some(&mut self, letters: &[&str], most: u64) -> String {
        let count = self.below(most + 1);
        (0..count).map(|_| self.one(letters)).collect()
    }

    /// A value of a type, as PostgreSQL or a user may write it. Few enough that some are equal.
    fn value(&mut self, sql_type: &str) -> String {
        match sql_type {
            "smallint" => (self.below(9) as i64 - 4).to_string(),
            "bigint" => match self.below(4) {
                0 => self
                    .one(&[
                        "9007199254740993",
                        "9007199254740992",
                        "16777217",
                        "-9223372036854775808",
                    ])
                    .to_owned(),
                _ => format!("{}{}", self.one(&["", "+", "-", "00"]), self.below(5)),
            },
            "numeric" => self.numeric(),
            "real" | "double precision" => match self.below(4) {
                0 => self
                    .one(&[
                        "NaN",
                        "Infinity",
                        "-Infinity",
                        "-0",
                        "1e-30",
                        "1.5e30",
                        "0.1",
                        "0.10000000149011612",
                    ])
                    .to_owned(),
                1 => self
                    .one(&[
                        "9007199254740992",
                        "16777216",
                        "3.4028235e+38",
                        "1e-45",
                        "123456.7",
                    ])
                    .to_owned(),
                _ => format!(
                    "{}{}.{}",
                    self.one(&["", "-"]),
                    self.below(4),
                    self.below(30)
                ),
            },
            "uuid" => self.uuid(),
            "bytea" => match self.below(2) {
                0 => format!(r"\x{}", self.some(&["00", "01", "61", "fF", "5c"], 3)),
                _ => self.some(&[r"\000", r"\001", "a", r"\377", r"\\"], 3),
            },
            "boolean" => self
                .one(&["t", "f", "true", "FALSE", "on", "no"])
                .to_owned(),
            "date" => self.date(),
            "timestamp" => self.timestamp(),
            "timestamptz" => self.timestamp_tz(),
            "mood" => self.one(&["a", "b", "c"]).to_owned(),
            "time" => self
                .one(&["00:00:00", "10:00:00", "10:00:00.5", "23:59:59.999999"])
                .to_owned(),
            "timetz" => self
                .one(&[
                    "10:00:00+00",
                    "12:00:00+02",
                    "10:00:00.5+00",
                    "10:00:00-03:30",
                ])
                .to_owned(),
            "inet" => self
                .one(&["10.0.0.1", "10.0.0.0/8", "10.0.0.1/8", "::1", "::1/64"])
                .to_owned(),
            "bit(3)" => self.some(&["0", "1"], 0) + &format!("{:03b}", self.below(8)),
            "bit varying" => self.some(&["0", "1"], 4),
            "oid" => self.below(30).to_string(),
            _ => self.some(
                &[
                    "a", "A", "b", "B", " ", "é", "É", "İ", "i", "ß", "Σ", "σ", "\t",
                ],
                4,
            ),
        }
    }

    fn numeric(&mut self) -> String {
        if self.below(8) == 0 {
            let special = [
                "NaN",
                "Infinity",
                "-Infinity",
                "-0.00",
                "1e5",
                "12E-3",
                "100000000000000000000.5",
            ];
            return self.one(&special).to_owned();
        }
        let (sign, whole) = (self.one(&["", "-", "+"]), self.some(&["0", "1", "9"], 3));
        match self.below(3) {
            0 if !whole.is_empty() => format!("{sign}{whole}"),
            _ => format!("{sign}{whole}.{}0", self.some(&["0", "1", "5"], 3)),
        }
    }

    fn uuid(&mut self) -> String {
        let digits: Vec<String> = (0..8)
            .map(|_| self.one(&["00ff", "00FF", "a0b1"]).to_owned())
            .collect();
        let digits: Vec<&str> = digits.iter().map(String::as_str).collect();
        let spelled = match self.below(3) {
            0 => digits.concat(),
            1 => digits.join("-"),
            _ => format!("{}-{}", digits[..4].concat(), digits[4..].concat()),
        };
        match self.below(2) {
            0 => format!("{{{spelled}}}"),
            _ => spelled,
        }
    }

    fn date(&mut self) -> String {
        if self.below(10) == 0 {
            let special = [
                "infinity",
                "-infinity",
                "0044-03-15 BC",
                "0001-12-31 BC",
                "10000-01-01",
                "5874897-12-31",
            ];
            return self.one(&special).to_owned();
        }
        let year = self.one(&["0001", "1969", "1970", "2000", "2024"]);
        format!("{year}-0{}-{}", 1 + self.below(3), self.one(&["01", "28"]))
    }

    fn timestamp(&mut self) -> String {
        if self.below(10) == 0 {
            let special = [
                "infinity",
                "-infinity",
                "0044-03-15 00:00:00 BC",
                "0001-12-31 23:59:59.5 BC",
                "2024-01-01",
            ];
            return self.one(&special).to_owned();
        }
        let year = self.one(&["0001", "1969", "1970", "2024", "10000"]);
        let (month, gap) = (1 + self.below(2), self.one(&[" ", "T"]));
        let time = self.one(&[
            "00:00:00",
            "00:00",
            "10:00:00.5",
            "10:00:00.500000",
            "23:59:59.999999",
            "00:00:00.000001",
        ]);
        format!("{year}-0{month}-01{gap}{time}")
    }

    fn timestamp_tz(&mut self) -> String {
        if self.below(10) == 0 {
            let special = [
                "infinity",
                "-infinity",
                "0044-03-15 00:00:00+00 BC",
                "0001-01-01 01:00:00+02",
                "0001-12-31 23:00:00+00 BC",
            ];
            return self.one(&special).to_owned();
        }
        let (day, hour) = (
            self.one(&["1969-12-31", "1970-01-01", "2024-02-29"]),
            self.one(&[0, 1, 2, 23]),
        );
        let zone = self.one(&["+00", "Z", "+02", "-02", "+05:30", "-0330", "+00:19:32"]);
        format!("{day} {hour:02}:{}0:00{zone}", self.one(&[0, 3]))
    }
}

fn literals(values: &[String]) -> String {
    let quoted: Vec<String> = values
        .iter()
        .map(|value| format!("'{}'", value.replace('\'', "''")))
        .collect();
    format!("ARRAY[{}]::text[]", quoted.join(","))
}

/// What psql prints for a script, on a server that lives as long.
fn ask(script: &str) -> Vec<String> {
    let mut psql = Command::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/with-postgres"
    ))
    .args([
        "psql",
        "-X",
        "-q",
        "-A",
        "-t",
        "-v",
        "ON_ERROR_STOP=1",
        "-f",
        "-",
    ])
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut input = psql.stdin.take().unwrap();
    let printed = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(script.as_bytes()).unwrap());
        psql.wait_with_output().unwrap()
    });
    assert!(printed.status.success());
    let printed = String::from_utf8(printed.stdout).unwrap();
    printed.lines().map(str::to_owned).collect()
}

#[test]
fn values_are_equal_and_ordered_as_a_server_says() {
    let catalog = read_schema(b"CREATE TYPE public.mood AS ENUM ('a', 'b', 'c');").unwrap();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut script = SETUP.to_owned();
    let mut asked = Vec::new();
    for (child, parent, ordered) in TYPES {
        let ones: Vec<String> = (0..PAIRS).map(|_| dice.value(child)).collect();
        let others: Vec<String> = (0..PAIRS).map(|_| dice.value(parent)).collect();
        let type_of = |name: &str| SqlType::parse(name);
        let forms = comparison(&type_of(child), &type_of(parent), &catalog).unwrap();
        let form = KeyForm::of(&type_of(child), &catalog).unwrap();
        let texts: Vec<String> = ones
            .iter()
            .map(|one| canonical(form, one).unwrap_or_else(|| panic!("{child} {one:?}")))
            .collect();
        script += &format!(
            "SELECT string_agg(CASE WHEN x::{child} = y::{parent} THEN '=' WHEN x::{child} < y::{parent} THEN '<' ELSE '>' END
                || CASE WHEN x::{child} = z::{child} THEN '' ELSE '!' END, ',' ORDER BY n)
             FROM unnest({}, {}, {}) WITH ORDINALITY u(x, y, z, n);\n",
            literals(&ones),
            literals(&others),
            literals(&texts),
        );
        asked.push((child, parent, ordered, forms, ones, others));
    }
    let answers = ask(&script);
    assert_eq!(answers.len(), asked.len());
    let mut wrong = Vec::new();
    for ((child, parent, ordered, forms, ones, others), answers) in asked.into_iter().zip(answers) {
        let answers: Vec<&str> = answers.split(',').collect();
        assert_eq!(answers.len(), PAIRS, "{child} {parent}");
        let equal = answers
            .iter()
            .filter(|answer| answer.starts_with('='))
            .count();
        assert!(
            equal > 10,
            "{child} {parent}: too few pairs are equal to show anything"
        );
        for ((one, other), answer) in ones.iter().zip(&others).zip(answers) {
            let is_equal = canonical(forms.0, one).unwrap() == canonical(forms.1, other).unwrap();
            let found = match encoded(forms.0, one).cmp(&encoded(forms.1, other)) {
                std::cmp::Ordering::Equal => "=",
                std::cmp::Ordering::Less if ordered => "<",
                std::cmp::Ordering::Greater if ordered => ">",
                _ => answer.trim_matches('='),
            };
            if found != answer || is_equal != (answer == "=") {
                wrong.push(format!(
                    "{child} {one:?} {answer} {parent} {other:?}, not {found}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(40)]
    );
}
