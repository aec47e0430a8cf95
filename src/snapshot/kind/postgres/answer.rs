//! Asking until there is an answer: what to do about each failure, and when it is enough.

use std::time::Duration;

use super::delivery::Delivery;
use super::failure::Failure;
use super::held_server::HeldServer;
use super::keeper::Keeper;
use super::worker::Trouble;
use super::workers::Workers;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::keyed::Query;
use crate::snapshot::place::Patience;
use crate::snapshot::table_name::TableName;
use crate::timings;

/// How often something is tried before it is given up.
const TRIES: u32 = 5;

/// The wait before the second try; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Tries something until it works, fails for good, or was tried often enough.
pub(super) fn retrying<T>(
    patience: &Patience,
    mut work: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut tries = Tries::new();
    loop {
        match work() {
            // A server that is starting or full may soon be ready; one that is not there will not come.
            Err(failure @ Failure::Server { .. }) if failure.passes() && tries.are_left(TRIES) => {
                tracing::info!("connecting again: {failure}");
            }
            result => return result,
        }
        tries.wait(patience)?;
    }
}

/// The tries of one thing.
struct Tries {
    done: u32,
    wait: Duration,
}

impl Tries {
    /// The first one is under way.
    fn new() -> Self {
        Tries {
            done: 1,
            wait: FIRST_WAIT,
        }
    }

    fn are_left(&self, most: u32) -> bool {
        self.done < most
    }

    /// Waits before the next one.
    fn wait(&mut self, patience: &Patience) -> Result<(), Failure> {
        if !timings::waiting(|| patience.pause(self.wait)) {
            return Err(Failure::Interrupted);
        }
        self.done += 1;
        self.wait *= 2;
        Ok(())
    }
}

/// Answers a query, asking again if that can help.
pub(super) fn answer(
    held: &HeldServer,
    workers: &Workers,
    keeper: &Keeper,
    query: &Query<'_>,
    delivery: &mut Delivery<'_>,
) -> Result<(), SnapshotError> {
    let table = query.table;
    let mut attempts = Attempts {
        tries: Tries::new(),
        stale: workers.most(),
    };
    loop {
        let mut borrowed = workers.borrow();
        let worker = borrowed.worker();
        let was_open = worker.is_open();
        let failure = match worker.answer(held, query, delivery) {
            Ok(()) => return Ok(()),
            Err(Trouble::Lost(reason)) => return Err(SnapshotError::Lost(reason)),
            Err(Trouble::Changed(reason)) => {
                return Err(SnapshotError::Changed {
                    table: table.to_string(),
                    reason,
                });
            }
            Err(Trouble::Failed(failure)) => failure,
        };
        if let Some(error) = failure.end_of_wait(&held.server.host.shown()) {
            return Err(error);
        }
        // too_many_connections: the others will have to do.
        if failure.sqlstate() == Some("53300") && borrowed.retire() {
            tracing::info!("reading on one connection less: {failure}");
            continue;
        }
        drop(borrowed);
        match attempts.remedy(&failure, was_open) {
            Remedy::OtherConnection => {
                tracing::info!("a connection is gone: {failure}");
                attempts.stale -= 1;
            }
            Remedy::AskAgain => {
                tracing::info!("table {table} is asked for again: {failure}");
                if attempts.tries.wait(&held.target.patience).is_err() {
                    return Err(SnapshotError::Interrupted);
                }
            }
            Remedy::InstantIsLost => return Err(lost(keeper, &failure)),
            Remedy::GiveUp => return Err(given_up(keeper, table, failure)),
        }
    }
}

/// What is done about a query that was not answered.
#[derive(Debug, PartialEq, Eq)]
enum Remedy {
    /// Another connection is asked at once.
    OtherConnection,
    /// It is asked again after a wait.
    AskAgain,
    /// Nobody can read that instant any more.
    InstantIsLost,
    GiveUp,
}

/// What was tried for one query.
struct Attempts {
    tries: Tries,
    /// How many connections may still turn out to have been dead before the query was asked. Finding that out is no try at it.
    stale: usize,
}

impl Attempts {
    /// `was_open`: the connection was made for an earlier query.
    fn remedy(&self, failure: &Failure, was_open: bool) -> Remedy {
        let most = match failure.sqlstate() {
            // Asked for too long is asked for too much: once more, with what the server has in its memory now.
            Some("57014") => 2,
            // The user has said how long to wait for it.
            Some("55P03") => 1,
            _ => TRIES,
        };
        if failure.loses_instant() {
            Remedy::InstantIsLost
        } else if !failure.passes() {
            Remedy::GiveUp
        } else if was_open && self.stale > 0 && failure.ends_connection() {
            Remedy::OtherConnection
        } else if self.tries.are_left(most) {
            Remedy::AskAgain
        } else {
            Remedy::GiveUp
        }
    }
}

fn lost(keeper: &Keeper, failure: &Failure) -> SnapshotError {
    SnapshotError::Lost(match keeper.failure() {
        Some(first) if first != failure.to_string() => format!("{first}; {failure}"),
        _ => failure.to_string(),
    })
}

/// The error of a query that was asked often enough.
fn given_up(keeper: &Keeper, table: &TableName, failure: Failure) -> SnapshotError {
    let may_pass = failure.may_pass_later();
    match failure {
        Failure::Server {
            message, sqlstate, ..
        } if sqlstate != "40001" && !sqlstate.starts_with("57P") => SnapshotError::Refused {
            table: table.to_string(),
            message,
            sqlstate,
            may_pass,
        },
        // Nobody can be asked any more, or conflicts with recovery never end.
        failure => lost(keeper, &failure),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn each_failure_has_its_remedy() {
        use Remedy::{AskAgain, GiveUp, InstantIsLost, OtherConnection};

        let of_server = |sqlstate: &str, fatal| Failure::Server {
            message: String::new(),
            sqlstate: sqlstate.to_owned(),
            fatal,
        };
        let broken = || Failure::Broken(io::Error::from(io::ErrorKind::UnexpectedEof));
        // The failure; whether the connection was open before; tries, this one too; what is done.
        let cases = [
            (of_server("42501", false), true, 1, GiveUp),
            (of_server("40001", false), true, 1, AskAgain),
            (of_server("40001", false), true, TRIES, GiveUp),
            (of_server("57014", false), true, 1, AskAgain),
            (of_server("57014", false), true, 2, GiveUp),
            (of_server("55P03", false), true, 1, GiveUp),
            (of_server("57P01", true), true, 1, OtherConnection),
            (of_server("57P01", true), false, 1, AskAgain),
            (of_server("57P04", true), true, 1, InstantIsLost),
            (of_server("72000", false), false, 1, InstantIsLost),
            (broken(), true, TRIES, OtherConnection),
            (broken(), false, 1, AskAgain),
            (broken(), false, TRIES, GiveUp),
            (Failure::Setup(String::new()), true, 1, GiveUp),
            (Failure::Protocol(""), true, 1, GiveUp),
        ];
        for (failure, was_open, done, expected) in cases {
            let mut attempts = Attempts {
                tries: Tries {
                    done,
                    ..Tries::new()
                },
                stale: 1,
            };
            let shown = format!("{failure:?} {was_open} {done}");
            assert_eq!(attempts.remedy(&failure, was_open), expected, "{shown}");
            // As soon as every connection has had its chance, a dead one is a try like any other.
            attempts.stale = 0;
            if expected == OtherConnection {
                let then = [AskAgain, GiveUp][usize::from(done == TRIES)..].first();
                assert_eq!(Some(&attempts.remedy(&failure, was_open)), then, "{shown}");
            }
        }
    }
}
