//! What was found.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Level {
    Ok,
    /// A run can go well, and somebody should look at it.
    Warning,
    /// A run would fail.
    Problem,
}

impl Level {
    pub(super) fn name(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Problem => "problem",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The job that it is about; none for what concerns all of them.
    pub(super) job: Option<String>,
    /// What was looked at: `source`, `destination`, `space` …
    pub(super) check: &'static str,
    pub(super) level: Level,
    pub(super) message: String,
    /// What to do.
    pub(super) advice: Option<String>,
}

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    job: Option<String>,
    all: Vec<Finding>,
}

impl Findings {
    /// What follows is about this job.
    pub(super) fn job(&mut self, name: &str) {
        self.job = Some(name.to_owned());
    }

    pub(super) fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Level::Ok, message.into(), None);
    }

    pub(super) fn warning(&mut self, check: &'static str, message: &str, advice: &str) {
        self.add(check, Level::Warning, message.to_owned(), Some(advice));
    }

    pub(super) fn problem(&mut self, check: &'static str, message: &str, advice: &str) {
        self.add(check, Level::Problem, message.to_owned(), Some(advice));
    }

    /// An error of the program, whose lines behind the first say what to do.
    pub(super) fn error(&mut self, check: &'static str, error: &dyn std::fmt::Display) {
        let text = error.to_string();
        let (message, advice) = text.split_once('\n').unwrap_or((&text, ""));
        let advice = match advice.trim() {
            "" => "see that it is there, and that the user of the jobs may use it",
            advice => advice,
        };
        self.problem(check, message, advice);
    }

    fn add(&mut self, check: &'static str, level: Level, message: String, advice: Option<&str>) {
        self.all.push(Finding {
            job: self.job.clone(),
            check,
            level,
            message,
            advice: advice
                .filter(|advice| !advice.is_empty())
                .map(str::to_owned),
        });
    }

    pub(super) fn all(self) -> Vec<Finding> {
        self.all
    }
}
