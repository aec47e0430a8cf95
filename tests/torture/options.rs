//! What the bench is told: how long, which faults, which seed.

use std::time::{SystemTime, UNIX_EPOCH};

/// The draws of the short form, which are always the same: no change is to be blamed for what another draw would have found.
const SHORT_SEED: u64 = 32;

/// Arguments, and what stands in for those that are not given.
pub(crate) struct Options {
    /// The form of an evening rather than that of a change.
    pub is_long: bool,
    pub seed: u64,
    /// Texts of which a fault's name must hold one; all faults if there are none.
    pub only: Vec<String>,
    /// Tries of each fault, in place of its own number.
    pub tries: Option<usize>,
    pub is_list: bool,
}

impl Options {
    pub(crate) fn of_process() -> Result<Options, String> {
        let mut options = Options {
            is_long: false,
            seed: SHORT_SEED,
            only: Vec::new(),
            tries: None,
            is_list: false,
        };
        let mut seed = None;
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let value = arguments.next().and_then(|value| value.parse().ok());
                value.ok_or_else(|| format!("{argument} needs a number"))
            };
            match argument.as_str() {
                "--long" => options.is_long = true,
                "--seed" => seed = Some(number()?),
                "--tries" => options.tries = Some(number()? as usize),
                "--only" => options.only.push(
                    arguments
                        .next()
                        .ok_or_else(|| "--only needs a part of a fault's name".to_owned())?,
                ),
                "--list" => options.is_list = true,
                // What cargo gives to every test binary of a run means nothing here.
                "--nocapture" | "--quiet" | "-q" | "--exact" | "--show-output" => {}
                name if !name.starts_with('-') => options.only.push(name.to_owned()),
                other => {
                    return Err(format!(
                        "{other} is not known; there are --long, --seed N, --only FAULT and --tries N"
                    ));
                }
            }
        }
        if options.is_long {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
            options.seed = since_epoch.map_or(SHORT_SEED, |time| time.as_secs());
        }
        options.seed = seed.unwrap_or(options.seed);
        Ok(options)
    }

    pub(crate) fn is_wanted(&self, fault: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| fault.contains(part.as_str()))
    }
}
