//! The calls of a bucket: each is tried within the limits, and ends with what was wanted or an error of ours.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_core::Stream;
use object_store::client::HttpError;
use object_store::path::Path;
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, PutResult,
};
use tokio::task::JoinSet;

use super::error::{Answer, BucketError};
use super::http::{SEEN, Seen, transport};
use super::url::Cloud;
use super::{Inner, Level, Object, ObjectInfo};
use crate::hex;

/// How often an object is put again that did not arrive as it was sent.
pub(super) const PUTS: u32 = 3;

/// How many objects are deleted at the same time.
const DELETES: usize = 32;

/// What a call is about, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) what: &'static str,
    pub(super) key: &'a str,
}

/// What became of a call: its result, and how often the server was asked for it.
pub(super) struct Done<T> {
    pub(super) result: Result<T, BucketError>,
    pub(super) requests: u32,
}

impl Inner {
    pub(super) fn shown(&self, key: &str) -> String {
        self.url.join(key).to_string()
    }

    pub(super) fn path(&self, key: &str) -> Result<Path, BucketError> {
        Path::parse(key).map_err(|_| BucketError::Refused {
            what: "use",
            shown: self.url.to_string(),
            answer: Answer::Client("a key has an empty part, '.', '..' or a control character"),
        })
    }

    /// Does a call that can be repeated, and repeats it if its answer breaks off, which the crate does not.
    pub(super) async fn repeat<T, F>(
        &self,
        call: Call<'_>,
        work: impl Fn() -> F,
    ) -> Result<T, BucketError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let started = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let done = self.once(call, started, work()).await;
            let broke_off = matches!(
                &done.result,
                Err(BucketError::Unavailable {
                    answer: Answer::Transport { .. },
                    ..
                })
            );
            if !broke_off || tries >= self.limits.tries || started.elapsed() >= self.limits.total {
                return done.result;
            }
        }
    }

    /// Does a call, in which the crate asks the server as often as the limits allow.
    pub(super) async fn once<T>(
        &self,
        call: Call<'_>,
        started: Instant,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Done<T> {
        let seen = Arc::new(Seen::default());
        let result = SEEN.scope(Arc::clone(&seen), work).await;
        let requests = seen.last().requests;
        Done {
            result: result.map_err(|error| self.error(call, &error, &seen, started)),
            requests,
        }
    }

    /// What an error of the crate means.
    fn error(&self, call: Call<'_>, error: &Error, seen: &Seen, started: Instant) -> BucketError {
        let last = seen.last();
        let what = call.what;
        let shown = self.shown(call.key);
        // What broke off after the answer had begun is in the error alone.
        let answer = match (http_error(error), last.answer) {
            (Some(error), _) => transport(error),
            (None, Some(answer)) => answer,
            (None, None) => Answer::Client("it could not be asked for"),
        };
        let is_of_bucket = last.host.is_empty() || self.is_own_host(&last.host);
        if !is_of_bucket {
            return BucketError::NoCredentials {
                what,
                shown,
                host: format!(" from {}", last.host),
                answer,
            };
        }
        let (status, code) = match &answer {
            Answer::Status { status, code } => (*status, code.as_deref()),
            Answer::Transport { .. } => {
                return BucketError::Unavailable {
                    what,
                    shown,
                    answer,
                    tries: times(last.requests),
                    seconds: started.elapsed().as_secs(),
                };
            }
            Answer::Client(_) => (0, None),
        };
        match (error, status, code) {
            (_, _, Some("NoSuchBucket" | "ContainerNotFound")) => BucketError::NoBucket {
                shown: self.url.to_string(),
            },
            (Error::AlreadyExists { .. } | Error::Precondition { .. }, ..) => {
                BucketError::Exists { shown }
            }
            (Error::NotFound { .. }, ..) => BucketError::NotFound { shown },
            (_, 401 | 403, _) => BucketError::Denied {
                what,
                shown,
                answer,
            },
            (_, 300..=399, _)
            | (_, 400, Some("AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")) => {
                BucketError::Elsewhere {
                    what,
                    shown,
                    answer,
                }
            }
            // A request that took longer than the server's clock allows is another one the next time.
            (_, 500..=599 | 429 | 408, _)
            | (_, 400, Some("RequestTimeout" | "RequestTimeTooSkewed"))
            // An answer with an error in it after all, which the crate has taken apart.
            | (Error::Generic { .. }, 200..=299, _) => BucketError::Unavailable {
                what,
                shown,
                answer,
                tries: times(last.requests),
                seconds: started.elapsed().as_secs(),
            },
            (_, 0, _) => BucketError::NoCredentials {
                what,
                shown,
                host: String::new(),
                answer,
            },
            _ => BucketError::Refused {
                what,
                shown,
                answer,
            },
        }
    }

    /// False for the servers that give out credentials.
    fn is_own_host(&self, host: &str) -> bool {
        let of_credentials: &[&str] = match self.url.cloud() {
            Cloud::S3 => &["169.254.169.254", "169.254.170.2", "sts."],
            Cloud::Google => &[
                "metadata.google.internal",
                "169.254.169.254",
                "oauth2.",
                "sts.",
            ],
            Cloud::Azure => &["169.254.169.254", "login."],
        };
        !of_credentials.iter().any(|begin| host.starts_with(begin))
    }

    pub(super) async fn head(&self, key: &str) -> Result<ObjectInfo, BucketError> {
        let path = self.path(key)?;
        let call = Call {
            what: "look at",
            key,
        };
        Ok(info(&self.repeat(call, || self.store.head(&path)).await?))
    }

    pub(super) async fn read_range(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<Bytes, BucketError> {
        let path = self.path(key)?;
        let call = Call { what: "read", key };
        self.repeat(call, || self.store.get_range(&path, range.clone()))
            .await
    }

    pub(super) async fn list(&self, below: &str) -> Result<Vec<Object>, BucketError> {
        let path = self.path(below)?;
        let call = Call {
            what: "list",
            key: below,
        };
        self.repeat(call, || async {
            let mut found = Vec::new();
            let mut stream = self.store.list(Some(&path));
            while let Some(meta) = next(&mut stream).await {
                found.push(object(&meta?));
            }
            Ok(found)
        })
        .await
    }

    pub(super) async fn list_level(&self, below: &str) -> Result<Level, BucketError> {
        let path = self.path(below)?;
        let call = Call {
            what: "list",
            key: below,
        };
        let listed = self
            .repeat(call, || self.store.list_with_delimiter(Some(&path)))
            .await?;
        Ok(Level {
            objects: listed.objects.iter().map(object).collect(),
            folders: listed
                .common_prefixes
                .into_iter()
                .map(|path| path.as_ref().to_owned())
                .collect(),
        })
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), BucketError> {
        let path = self.path(key)?;
        let call = Call {
            what: "delete",
            key,
        };
        match self.repeat(call, || self.store.delete(&path)).await {
            Err(BucketError::NotFound { .. }) => Ok(()),
            result => result,
        }
    }

    pub(super) async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        only_if_absent: bool,
    ) -> Result<(), BucketError> {
        let mut wrong = String::new();
        for put in 0..PUTS {
            // What did not arrive as it was sent is there: it is ours, and is replaced.
            let result = match only_if_absent && put == 0 {
                true => self.create(key, bytes.clone()).await?,
                false => self.put_once(key, bytes.clone()).await?,
            };
            match self.difference(key, &bytes, result).await? {
                None => return Ok(()),
                Some(difference) => wrong = difference,
            }
        }
        Err(BucketError::Damaged {
            shown: self.shown(key),
            reason: wrong,
            tries: PUTS,
        })
    }

    async fn put_once(&self, key: &str, bytes: Bytes) -> Result<PutResult, BucketError> {
        let path = self.path(key)?;
        let call = Call { what: "write", key };
        let payload = PutPayload::from(bytes);
        self.repeat(call, || self.store.put(&path, payload.clone()))
            .await
    }

    /// Puts an object that must not be there. If an answer was lost and the question repeated, the object that is there
    /// is looked at: it may be this one.
    pub(super) async fn create(&self, key: &str, bytes: Bytes) -> Result<PutResult, BucketError> {
        let path = self.path(key)?;
        let call = Call { what: "write", key };
        let started = Instant::now();
        let mut requests = 0;
        let mut tries = 0;
        loop {
            tries += 1;
            let options = PutOptions::from(PutMode::Create);
            let payload = PutPayload::from(bytes.clone());
            let done = self
                .once(call, started, self.store.put_opts(&path, payload, options))
                .await;
            requests += done.requests;
            match done.result {
                Err(BucketError::Exists { shown }) if requests > 1 => {
                    let info = self.head(key).await?;
                    let is_ours = info.size == bytes.len() as u64
                        && (info.size == 0 || self.read_range(key, 0..info.size).await? == bytes);
                    return match is_ours {
                        true => Ok(PutResult {
                            e_tag: info.etag,
                            version: None,
                            extensions: object_store::Extensions::new(),
                        }),
                        false => Err(BucketError::Exists { shown }),
                    };
                }
                Err(BucketError::Unavailable {
                    answer: Answer::Transport { .. },
                    ..
                }) if tries < self.limits.tries && started.elapsed() < self.limits.total => {}
                result => return result,
            }
        }
    }

    /// What differs between an object and what was sent, if something does: by its MD5, where the server's names for
    /// content are that, else by its size.
    async fn difference(
        &self,
        key: &str,
        bytes: &[u8],
        result: PutResult,
    ) -> Result<Option<String>, BucketError> {
        let is_md5 = self.probe.get().is_some_and(|probe| probe.etag_is_md5);
        if is_md5 {
            let wanted = md5_hex(bytes);
            return Ok(match plain(result.e_tag.as_deref()) {
                Some(etag) if etag == wanted => None,
                Some(_) | None => Some("the server has another MD5 of it".to_owned()),
            });
        }
        let size = self.head(key).await?.size;
        Ok((size != bytes.len() as u64).then(|| format!("it has {size} bytes")))
    }
}

/// Deletes objects, so many at the same time as servers take from one client. They are deleted one by one, because not
/// every server knows how to delete several by one request.
pub(super) async fn delete_all(inner: &Arc<Inner>, keys: Vec<String>) -> Result<(), BucketError> {
    let mut keys = keys.into_iter();
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() < DELETES
            && let Some(key) = keys.next()
        {
            let inner = Arc::clone(inner);
            under_way.spawn(async move { inner.delete(&key).await });
        }
        match under_way.join_next().await {
            // What is under way else is given up when the set is dropped.
            Some(deleted) => deleted.map_err(|error| BucketError::Thread(error.into()))??,
            None => return Ok(()),
        }
    }
}

/// What failed below HTTP, if that is what an error is about.
fn http_error(error: &Error) -> Option<&HttpError> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        source = error.source();
    }
    None
}

fn times(requests: u32) -> String {
    match requests {
        0 | 1 => "once".to_owned(),
        requests => format!("{requests} times"),
    }
}

pub(super) fn info(meta: &ObjectMeta) -> ObjectInfo {
    ObjectInfo {
        size: meta.size,
        modified: meta.last_modified.into(),
        etag: meta.e_tag.clone(),
    }
}

fn object(meta: &ObjectMeta) -> Object {
    Object {
        key: meta.location.as_ref().to_owned(),
        info: info(meta),
    }
}

/// The next item of a stream.
async fn next<T>(stream: &mut (dyn Stream<Item = T> + Send + Unpin)) -> Option<T> {
    std::future::poll_fn(|context| std::pin::Pin::new(&mut *stream).poll_next(context)).await
}

pub(super) fn md5_hex(bytes: &[u8]) -> String {
    use md5::{Digest, Md5};
    hex::encode(&Md5::digest(bytes))
}

/// An ETag without its quotes.
pub(super) fn plain(etag: Option<&str>) -> Option<&str> {
    etag.map(|etag| etag.trim_matches('"'))
}
