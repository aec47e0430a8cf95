//! Waiting for a place that another run holds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::error::StoreError;

/// How often a place is asked for. The kernel could wake one who waits for a lock, but not after a time, and not for the
/// second of two locks.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Takes a place, and asks again for as long as another run holds it, at the most for a time. `None` if it was
/// `interrupted`.
///
/// # Errors
/// Those of `take`; [`StoreError::InUse`] if the place is still held when the time is over.
pub(crate) fn claim_within<T>(
    wait: Duration,
    interrupted: &AtomicBool,
    mut take: impl FnMut() -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let begun = Instant::now();
    let mut is_told = false;
    loop {
        match take() {
            Err(error @ StoreError::InUse { .. }) => {
                let left = wait.saturating_sub(begun.elapsed());
                if left.is_zero() {
                    return Err(error);
                }
                if !is_told {
                    let text = error.to_string();
                    let what = text.lines().next().unwrap_or_default();
                    tracing::info!("{what}; waiting for {} s at the most", wait.as_secs());
                    is_told = true;
                }
                thread::sleep(ASK_EVERY.min(left));
            }
            result => return result.map(Some),
        }
        if interrupted.load(Ordering::Relaxed) {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_use() -> StoreError {
        StoreError::InUse {
            path: "out".to_owned(),
            holder: String::new(),
        }
    }

    #[test]
    fn a_place_is_asked_for_until_it_is_free() {
        let go_on = AtomicBool::new(false);
        let mut asked = 0;
        let taken = claim_within(Duration::from_secs(600), &go_on, || {
            asked += 1;
            match asked {
                3 => Ok("the place"),
                _ => Err(in_use()),
            }
        });
        assert_eq!((taken.unwrap(), asked), (Some("the place"), 3));
    }

    #[test]
    fn without_a_time_it_is_asked_for_once() {
        let go_on = AtomicBool::new(false);
        let mut asked = 0;
        let taken = claim_within(Duration::ZERO, &go_on, || -> Result<(), _> {
            asked += 1;
            Err(in_use())
        });
        assert!(matches!(taken, Err(StoreError::InUse { .. })));
        assert_eq!(asked, 1);
    }

    #[test]
    fn waiting_ends_when_it_is_interrupted_and_other_errors_are_not_waited_for() {
        let interrupted = AtomicBool::new(false);
        let taken = claim_within(Duration::from_secs(600), &interrupted, || {
            interrupted.store(true, Ordering::Relaxed);
            Err::<(), _>(in_use())
        });
        assert!(matches!(taken, Ok(None)));
        let wrong = claim_within(Duration::from_secs(600), &interrupted, || {
            Err::<(), _>(StoreError::IsAFile("out".to_owned()))
        });
        assert!(matches!(wrong, Err(StoreError::IsAFile(_))));
    }
}
