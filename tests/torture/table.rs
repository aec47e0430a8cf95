//! The table: what came of each fault, for people and for programs.

use std::fmt::Write;

use serde::Serialize;

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Survived,
    /// The fault did not come to pass: the run was over before it, say.
    Missed,
    /// What cannot be had any more, and nothing says so.
    Lost(String),
    /// What is called complete and true, and is not.
    Lied(String),
    Panicked(String),
    Hung(String),
    /// It took more memory than it may.
    Greedy(String),
}

impl Verdict {
    /// The same, with the place at which it came about.
    pub(crate) fn of(self, place: &str) -> Verdict {
        let told = |what: String| format!("{place}: {what}");
        match self {
            Verdict::Survived | Verdict::Missed => self,
            Verdict::Lost(what) => Verdict::Lost(told(what)),
            Verdict::Lied(what) => Verdict::Lied(told(what)),
            Verdict::Panicked(what) => Verdict::Panicked(told(what)),
            Verdict::Hung(what) => Verdict::Hung(told(what)),
            Verdict::Greedy(what) => Verdict::Greedy(told(what)),
        }
    }
}

/// What became of a fault.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Row {
    pub fault: String,
    pub tried: usize,
    pub survived: usize,
    pub lost: usize,
    pub lied: usize,
    pub panics: usize,
    pub hangs: usize,
    pub over_memory: usize,
    /// The most memory that a run had, in MiB; 0 if nobody looked.
    pub peak_mib: u64,
    pub seconds: u64,
    /// Why it was not tried on this machine.
    pub skipped: Option<String>,
    /// What went wrong, with the number of the try.
    pub wrong: Vec<String>,
}

impl Row {
    pub(crate) fn is_clean(&self) -> bool {
        self.tried == self.survived
    }

    pub(crate) fn count(&mut self, number: usize, verdict: Verdict) {
        self.tried += usize::from(verdict != Verdict::Missed);
        let (counter, what) = match verdict {
            Verdict::Missed => return,
            Verdict::Survived => {
                self.survived += 1;
                return;
            }
            Verdict::Lost(what) => (&mut self.lost, what),
            Verdict::Lied(what) => (&mut self.lied, what),
            Verdict::Panicked(what) => (&mut self.panics, what),
            Verdict::Hung(what) => (&mut self.hangs, what),
            Verdict::Greedy(what) => (&mut self.over_memory, what),
        };
        *counter += 1;
        self.wrong.push(format!("try {number}: {what}"));
    }
}

/// A whole run of the bench.
#[derive(Serialize)]
pub(crate) struct Report {
    pub form: &'static str,
    pub seed: u64,
    pub commit: String,
    pub seconds: u64,
    pub rows: Vec<Row>,
}

const HEADS: [&str; 9] = [
    "fault",
    "tried",
    "survived",
    "lost",
    "lied",
    "panics",
    "hangs",
    "over memory",
    "peak memory",
];

fn cells(row: &Row) -> [String; 9] {
    let fault = match &row.skipped {
        Some(why) => format!("{} (skipped: {why})", row.fault),
        None => row.fault.clone(),
    };
    let peak = match row.peak_mib {
        0 => String::new(),
        peak => format!("{peak} MiB"),
    };
    let counts = [
        row.tried,
        row.survived,
        row.lost,
        row.lied,
        row.panics,
        row.hangs,
        row.over_memory,
    ];
    let [tried, survived, lost, lied, panics, hangs, over] = counts.map(|count| count.to_string());
    [
        fault, tried, survived, lost, lied, panics, hangs, over, peak,
    ]
}

impl Report {
    /// The sums of all rows.
    pub(crate) fn total(&self) -> Row {
        let sum = |count: fn(&Row) -> usize| self.rows.iter().map(count).sum();
        Row {
            fault: "together".to_owned(),
            tried: sum(|row| row.tried),
            survived: sum(|row| row.survived),
            lost: sum(|row| row.lost),
            lied: sum(|row| row.lied),
            panics: sum(|row| row.panics),
            hangs: sum(|row| row.hangs),
            over_memory: sum(|row| row.over_memory),
            peak_mib: self.rows.iter().map(|row| row.peak_mib).max().unwrap_or(0),
            ..Row::default()
        }
    }

    /// The table as Markdown, which is also what is printed.
    pub(crate) fn markdown(&self) -> String {
        let mut lines = vec![HEADS.map(str::to_owned)];
        lines.extend(self.rows.iter().map(cells));
        lines.push(cells(&self.total()));
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
        let widths: [usize; 9] = std::array::from_fn(|column| width(column).unwrap_or(0));
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
                let padding = " ".repeat(width - cell.chars().count());
                let (before, after) = match column {
                    0 => ("", padding.as_str()),
                    _ => (padding.as_str(), ""),
                };
                write!(text, "| {before}{cell}{after} ").unwrap();
            }
            text.push_str("|\n");
            if number == 0 {
                for (column, width) in widths.into_iter().enumerate() {
                    let colon = if column == 0 { "-" } else { ":" };
                    write!(text, "|-{}{colon}", "-".repeat(width)).unwrap();
                }
                text.push_str("|\n");
            }
        }
        text
    }
}
