//! Keeping a password out of sight: arguments show to everybody (`ps`), the environment to the user alone.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::environment::PASSWORD_VARIABLE;
use crate::snapshot::Spec;

/// Where an argument holds an address with a password, starts this very process anew without it; the password goes
/// into the environment. Returns where there is nothing to hide, or where that is not possible.
pub(crate) fn hide_password() {
    let mut arguments = std::env::args_os();
    let Some(program) = arguments.next() else {
        return;
    };
    let (arguments, password) = hidden(arguments.collect());
    if let (Some(password), Ok(path)) = (password, std::env::current_exe()) {
        // Returns only where it failed; then all goes on as it is, and the address works as well.
        let _ = Command::new(path)
            .arg0(program)
            .args(arguments)
            .env(PASSWORD_VARIABLE, password)
            .exec();
    }
}

/// Arguments without the password of an address, and the password. Addresses with several passwords stay.
fn hidden(arguments: Vec<OsString>) -> (Vec<OsString>, Option<String>) {
    let mut passwords: Vec<String> = Vec::new();
    let addresses = arguments.iter().filter_map(|argument| argument.to_str());
    let addresses = addresses
        .filter(|argument| Spec::is_address(argument))
        .count();
    let without = arguments
        .iter()
        .map(|argument| {
            let Some((without, password)) = argument.to_str().and_then(Spec::take_password) else {
                return argument.clone();
            };
            passwords.push(password);
            without.into()
        })
        .collect();
    // An address without one would get that of another.
    let all = passwords.len() == addresses;
    passwords.dedup();
    match passwords.len() {
        1 if all => (without, passwords.pop()),
        _ => (arguments, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_out_wherever_an_address_can_stand() {
        let cases = [
            (
                &["export", "-s", "postgres://u:secret@h/db", "--out", "x"][..],
                &["export", "-s", "postgres://u@h/db", "--out", "x"][..],
                Some("secret"),
            ),
            (
                &["--snapshot=postgresql://u:secret@h", "-q"],
                &["--snapshot=postgresql://u@h", "-q"],
                Some("secret"),
            ),
            (
                &["-spostgres://h/db?password=secret"],
                &["-spostgres://h/db"],
                Some("secret"),
            ),
            // What is hidden is that of every address.
            (
                &[
                    "-s",
                    "postgres://u:secret@h/db",
                    "--ci-snapshot",
                    "postgres://u:secret@h/ci",
                ],
                &[
                    "-s",
                    "postgres://u@h/db",
                    "--ci-snapshot",
                    "postgres://u@h/ci",
                ],
                Some("secret"),
            ),
            (
                &[
                    "-s",
                    "postgres://u:secret@h/db",
                    "--ci-snapshot",
                    "postgres://u@h/ci",
                ],
                &[
                    "-s",
                    "postgres://u:secret@h/db",
                    "--ci-snapshot",
                    "postgres://u@h/ci",
                ],
                None,
            ),
            (&["-s", "dump.sql"], &["-s", "dump.sql"], None),
            (
                &["-s", "postgres://u@h/db"],
                &["-s", "postgres://u@h/db"],
                None,
            ),
        ];
        for (arguments, without, password) in cases {
            let os = |texts: &[&str]| texts.iter().map(OsString::from).collect::<Vec<_>>();
            let expected = (os(without), password.map(str::to_owned));
            assert_eq!(hidden(os(arguments)), expected);
        }
    }
}
