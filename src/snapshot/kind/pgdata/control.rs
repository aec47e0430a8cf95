//! What a data folder's control file and log say, by PostgreSQL's own programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::folder::small_file;
use super::work::ServerUser;

/// Facts of a data folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Control {
    /// The last server on it was stopped in order, so that its log need not be replayed.
    pub(crate) is_shut_down: bool,
    /// Where in the log replaying begins, as `0/1528178`.
    redo: String,
    /// The file of the log that this is in, without its time line: 16 hexadecimal digits.
    redo_file: String,
    /// Settings that a server on it must not go below, by name.
    pub(crate) least: BTreeMap<&'static str, u64>,
}

impl Control {
    /// Reads the control file of a copy.
    ///
    /// # Errors
    /// The program's own words.
    pub(crate) fn read(bin: &Path, data: &Path, user: &ServerUser) -> Result<Control, String> {
        let mut command = user.command(bin.join("pg_controldata"));
        let output = output(command.arg("-D").arg(data))?;
        if !output.status.success() {
            return Err(format!("pg_controldata: {}", words(&output.stderr)));
        }
        let mut control = Control::parse(&String::from_utf8_lossy(&output.stdout));
        // A base backup is replayed from its own beginning.
        let label = small_file(&data.join("backup_label")).unwrap_or_default();
        if let Some((redo, file)) = start_of_backup(&label) {
            control.redo = redo.to_owned();
            control.redo_file = file.to_owned();
            control.is_shut_down = false;
        }
        Ok(control)
    }

    /// Reads what pg_controldata prints: `name: value` lines.
    fn parse(text: &str) -> Control {
        let value = |name: &str| {
            text.lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(found, _)| *found == name)
                .map(|(_, value)| value.trim())
        };
        let settings = [
            ("max_connections", "max_connections setting"),
            ("max_worker_processes", "max_worker_processes setting"),
            ("max_prepared_transactions", "max_prepared_xacts setting"),
            ("max_locks_per_transaction", "max_locks_per_xact setting"),
        ];
        let least = settings.iter().filter_map(|(setting, name)| {
            let number: u64 = value(name)?.parse().ok()?;
            Some((*setting, number))
        });
        Control {
            is_shut_down: value("Database cluster state") == Some("shut down"),
            redo: value("Latest checkpoint's REDO location")
                .unwrap_or_default()
                .to_owned(),
            redo_file: value("Latest checkpoint's REDO WAL file")
                .and_then(position)
                .unwrap_or_default()
                .to_owned(),
            least: least.collect(),
        }
    }

    /// Replaying `CREATE TABLESPACE` would change the folder that the original's tablespace lies in, and so the
    /// original. Looks for it in the log.
    ///
    /// # Errors
    /// It is there, or the log cannot be looked at.
    pub(crate) fn check_log(
        &self,
        bin: &Path,
        data: &Path,
        user: &ServerUser,
    ) -> Result<(), String> {
        if self.is_shut_down {
            return Ok(());
        }
        let log = data.join("pg_wal");
        for file in self.first_files(&log)? {
            let mut command = user.command(bin.join("pg_waldump"));
            command.arg("--rmgr=Tablespace");
            match position(&file) == Some(&self.redo_file) {
                // A later time line's first file begins with what the earlier one has there.
                true => command
                    .arg(format!("--timeline={}", timeline(&file)))
                    .arg(format!("--start={}", self.redo))
                    .arg("--path")
                    .arg(&log),
                false => command.arg("--").arg(log.join(&file)),
            };
            // It ends with an error where the log does, as logs always do.
            let output = output(&mut command)?;
            if String::from_utf8_lossy(&output.stdout).contains("CREATE ") {
                return Err(
                    "a tablespace was created after its last checkpoint, and replaying that would change the original \
                     tablespace; stop its server in order, or take a new base backup"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }

    /// The first file of each time line of a log that replaying can begin in.
    fn first_files(&self, log: &Path) -> Result<Vec<String>, String> {
        let mut first: BTreeMap<String, String> = BTreeMap::new();
        let unreadable = |error| format!("its log cannot be listed: {error}");
        for entry in fs::read_dir(log).map_err(unreadable)? {
            let Ok(name) = entry.map_err(unreadable)?.file_name().into_string() else {
                continue;
            };
            let Some(position) = position(&name).filter(|_| name.len() == 24) else {
                continue;
            };
            if position < self.redo_file.as_str() {
                continue;
            }
            let line = name[..8].to_owned();
            let least = first.entry(line).or_insert_with(|| name.clone());
            if name < *least {
                *least = name;
            }
        }
        Ok(first.into_values().collect())
    }
}

/// Where the log of a base backup begins, by its label: the place, and the position of the file.
fn start_of_backup(label: &str) -> Option<(&str, &str)> {
    let line = label
        .lines()
        .find_map(|line| line.strip_prefix("START WAL LOCATION: "))?;
    let (redo, file) = line.split_once(" (file ")?;
    Some((redo, position(file)?))
}

/// The time line that a log file's name begins with.
fn timeline(name: &str) -> u32 {
    name.get(..8)
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .unwrap_or(1)
}

/// The part of a log file's name behind its time line.
fn position(name: &str) -> Option<&str> {
    let name = name.get(..24)?;
    let is_one = name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| &name[8..])
}

fn output(command: &mut Command) -> Result<Output, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program} cannot be run: {error}"))
}

/// What a program said, on one line.
fn words(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pg_controldata_prints_is_understood() {
        let text = "pg_control version number:            1300\n\
                    Database cluster state:               shut down\n\
                    Latest checkpoint's REDO location:    0/A3000028\n\
                    Latest checkpoint's REDO WAL file:    0000000100000000000000A3\n\
                    max_connections setting:              250\n\
                    max_locks_per_xact setting:           64\n\
                    Mock authentication nonce:            00\n";
        let control = Control::parse(text);
        assert!(control.is_shut_down);
        assert_eq!(control.redo, "0/A3000028");
        assert_eq!(control.redo_file, "00000000000000A3");
        let least: Vec<_> = control.least.into_iter().collect();
        assert_eq!(
            least,
            [("max_connections", 250), ("max_locks_per_transaction", 64)]
        );
        for state in ["in production", "shut down in recovery", "shutting down"] {
            let control = Control::parse(&format!("Database cluster state:   {state}\n"));
            assert!(!control.is_shut_down, "{state}");
        }
    }

    #[test]
    fn a_base_backup_is_replayed_from_its_label() {
        let label = "START WAL LOCATION: 0/2000028 (file 00000003000000000000001F)\n\
                     CHECKPOINT LOCATION: 0/2000060\nSTART TIMELINE: 3\n";
        assert_eq!(
            start_of_backup(label),
            Some(("0/2000028", "000000000000001F"))
        );
        assert_eq!(start_of_backup("START TIMELINE: 1\n"), None);
        assert_eq!(timeline("0000000A000000000000001F"), 10);
    }

    #[test]
    fn replaying_begins_in_the_first_file_of_each_time_line_behind_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("pg_wal");
        fs::create_dir(&log).unwrap();
        let names = [
            "000000010000000000000001",
            "000000010000000000000003",
            "000000010000000000000002",
            "000000020000000000000004",
            "000000020000000000000003",
            "00000002.history",
            "000000010000000000000002.00000028.backup",
            "archive_status",
        ];
        for name in names {
            fs::write(log.join(name), "").unwrap();
        }
        let control = Control {
            redo_file: "0000000000000002".to_owned(),
            ..Control::default()
        };
        assert_eq!(
            control.first_files(&log).unwrap(),
            ["000000010000000000000002", "000000020000000000000003"]
        );
    }
}
