//! Waiting for a bucket's server, until the process is asked to end.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use super::error::BucketError;
use crate::interruption::{LOOK_EVERY, is_asked_for};

/// How long a call may still take when the process was asked to end. A server that is well has answered by then, so that what
/// is finished is told of; one that hangs is not waited for.
const GRACE: Duration = Duration::from_millis(700);

/// What comes of a call, unless it hangs when the process is to end.
pub(super) async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, BucketError>>,
) -> Result<T, BucketError> {
    let mut work = pin!(work);
    let mut heard = None;
    loop {
        if let Ok(result) = tokio::time::timeout(LOOK_EVERY, work.as_mut()).await {
            return result;
        }
        if is_asked_for() && heard.get_or_insert_with(Instant::now).elapsed() >= GRACE {
            return Err(BucketError::Interrupted);
        }
    }
}
