//! Reading one version of an object, in ranges that are fetched while others are read.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use object_store::GetOptions;
use tokio::task::AbortHandle;

use super::error::BucketError;
use super::ops::{Call, info, plain};
use super::{Bucket, Inner, ObjectInfo};
use crate::interruption::{LOOK_EVERY, is_asked_for};

/// A range that is on its way. Dropped before it is there, it is given up.
#[derive(Debug)]
pub(crate) struct Fetch {
    come: Receiver<Result<Bytes, BucketError>>,
    task: AbortHandle,
}

impl Fetch {
    /// Waits for the bytes: all of the range.
    ///
    /// # Errors
    /// If they cannot be had, after as many tries as the limits allow, each of which goes on behind the bytes that have
    /// come; and [`BucketError::Replaced`] if the object is not the one any more that was meant.
    pub(crate) fn wait(self) -> Result<Bytes, BucketError> {
        loop {
            match self.come.recv_timeout(LOOK_EVERY) {
                Ok(fetched) => return fetched,
                Err(RecvTimeoutError::Timeout) if is_asked_for() => {
                    return Err(BucketError::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let ended = io::Error::other("the thread that speaks to the bucket has ended");
                    return Err(BucketError::Thread(ended));
                }
            }
        }
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Bucket {
    /// Begins to fetch a range of an object, as `of` knows it.
    ///
    /// # Errors
    /// If nothing can be fetched any more.
    pub(crate) fn fetch(
        &self,
        key: &str,
        range: Range<u64>,
        of: &ObjectInfo,
    ) -> Result<Fetch, BucketError> {
        let (send, come) = bounded(1);
        let (inner, key, of) = (Arc::clone(&self.inner), key.to_owned(), of.clone());
        let task = self.runtime()?.spawn(async move {
            let fetched = inner.read_version(&key, range, &of).await;
            // If nobody waits any more, nobody wants it.
            let _ = send.send(fetched);
        });
        Ok(Fetch {
            come,
            task: task.abort_handle(),
        })
    }
}

impl Inner {
    /// The bytes of a range of an object that is still the one that `of` is about.
    async fn read_version(
        &self,
        key: &str,
        range: Range<u64>,
        of: &ObjectInfo,
    ) -> Result<Bytes, BucketError> {
        let path = self.path(key)?;
        let call = Call { what: "read", key };
        let replaced = || BucketError::Replaced {
            shown: self.shown(key),
        };
        let options = || GetOptions {
            range: Some(range.clone().into()),
            if_match: of.etag.as_deref().and_then(condition),
            ..GetOptions::default()
        };
        let read = self
            .repeat(call, || async {
                let got = self.store.get_opts(&path, options()).await?;
                // Some servers do not know the condition.
                match is_same(&info(&got.meta), of) {
                    true => got.bytes().await.map(Some),
                    false => Ok(None),
                }
            })
            .await;
        match read {
            Ok(Some(bytes)) if bytes.len() as u64 == range.end - range.start => Ok(bytes),
            Ok(Some(_) | None) => Err(replaced()),
            // Said of a condition that does not hold, and of an object that has been taken away since.
            Err(BucketError::Exists { .. } | BucketError::NotFound { .. }) => Err(replaced()),
            Err(error) => Err(error),
        }
    }
}

/// The condition that an object still has this ETag. Listings may name it without its quotes, and of a weak one no server
/// says that it matches.
fn condition(etag: &str) -> Option<String> {
    let is_weak = etag.starts_with("W/");
    (!is_weak).then(|| format!("\"{}\"", plain(Some(etag)).unwrap_or_default()))
}

/// True if two looks at an object were at the same content. By the ETag, if both have one; times are whole seconds in some
/// answers of a server, and more exact in others.
fn is_same(one: &ObjectInfo, other: &ObjectInfo) -> bool {
    let of = |info: &ObjectInfo| plain(info.etag.as_deref()).map(str::to_owned);
    one.size == other.size
        && match (of(one), of(other)) {
            (Some(one), Some(other)) => one == other,
            (None, _) | (_, None) => second(one.modified) == second(other.modified),
        }
}

fn second(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.as_ref().map_or(0, Duration::as_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_the_same_by_its_size_and_etag() {
        let info = |size, etag: Option<&str>, millis| ObjectInfo {
            size,
            modified: UNIX_EPOCH + Duration::from_millis(millis),
            etag: etag.map(str::to_owned),
        };
        let one = info(3, Some("\"abc\""), 1_000);
        for (other, expected) in [
            (info(3, Some("abc"), 9_000), true),
            (info(3, Some("\"abd\""), 1_000), false),
            (info(4, Some("\"abc\""), 1_000), false),
            (info(3, None, 1_999), true),
            (info(3, None, 2_000), false),
        ] {
            assert_eq!(is_same(&one, &other), expected, "{other:?}");
        }
    }

    #[test]
    fn a_condition_is_an_etag_in_quotes() {
        assert_eq!(condition("abc"), Some("\"abc\"".to_owned()));
        assert_eq!(condition("\"abc-2\""), Some("\"abc-2\"".to_owned()));
        assert_eq!(condition("W/\"abc\""), None);
    }
}
