//! An object of any size, sent in parts while it is made. What has been sent is nowhere to be seen until it is finished.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use object_store::multipart::PartId;
use object_store::{MultipartId, PutPayload, PutResult};
use tokio::task::JoinHandle;

use super::error::BucketError;
use super::ops::{Call, PUTS, md5_hex, plain};
use super::{Bucket, ObjectInfo};
use crate::hex;

/// Bytes of a part. Parts of one object have to be of one size for some servers, and of 5 MiB at least for all.
const PART: usize = 8 << 20;

/// Parts on their way at most, beside the one that is being filled.
const IN_FLIGHT: usize = 3;

/// Parts of one object at most, which is the limit of every provider.
const PARTS: usize = 10_000;

/// How long an upload is taken back that came to nothing: the program may be on its way out.
const ABORT: Duration = Duration::from_secs(10);

/// An object that is being sent. If it is dropped before [`Upload::finish`], what was sent is taken back.
#[derive(Debug)]
pub(crate) struct Upload {
    bucket: Bucket,
    key: String,
    /// The part that is being filled.
    buffer: Vec<u8>,
    /// `None` as long as all of it fits into one part.
    begun: Option<Begun>,
    bytes: u64,
}

/// An object in parts.
#[derive(Debug)]
struct Begun {
    id: MultipartId,
    on_their_way: VecDeque<JoinHandle<Result<Sent, BucketError>>>,
    sent: Vec<Sent>,
}

/// A part that arrived.
#[derive(Debug)]
struct Sent {
    id: PartId,
    md5: String,
}

impl Upload {
    pub(super) fn new(bucket: Bucket, key: &str) -> Upload {
        Upload {
            bucket,
            key: key.to_owned(),
            buffer: Vec::new(),
            begun: None,
            bytes: 0,
        }
    }

    /// Appends bytes. Blocks while as many parts are on their way as may be.
    ///
    /// # Errors
    /// If a part cannot be sent, which may be one that was handed over before.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.buffer.len() == PART {
                self.send()?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(PART - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            self.bytes += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// The object is whole: it is there, and what the server says of it is what was sent.
    ///
    /// # Errors
    /// If it is not. An object of that name that was there before may be there still, or not.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if self.begun.is_none() {
            let bytes = Bytes::from(std::mem::take(&mut self.buffer));
            return self.bucket.put(&self.key, bytes, false);
        }
        if !self.buffer.is_empty() {
            self.send()?;
        }
        while self.is_one_on_its_way() {
            self.wait_for_one()?;
        }
        self.complete()
    }

    /// Sends the part that is filled.
    fn send(&mut self) -> Result<(), BucketError> {
        let mut begun = match self.begun.take() {
            Some(begun) => begun,
            None => Begun {
                id: self.begin()?,
                on_their_way: VecDeque::new(),
                sent: Vec::new(),
            },
        };
        let index = begun.sent.len() + begun.on_their_way.len();
        let bytes = Bytes::from(std::mem::take(&mut self.buffer));
        let task = send_part(
            self.bucket.clone(),
            self.key.clone(),
            begun.id.clone(),
            index,
            bytes,
        );
        begun
            .on_their_way
            .push_back(self.bucket.runtime()?.spawn(task));
        let are_enough = begun.on_their_way.len() >= IN_FLIGHT;
        self.begun = Some(begun);
        if index == PARTS - 1 {
            return Err(BucketError::TooLarge {
                shown: self.bucket.shown(&self.key),
                gib: (PARTS * PART) as u64 >> 30,
            });
        }
        match are_enough {
            true => self.wait_for_one(),
            false => Ok(()),
        }
    }

    fn begin(&self) -> Result<MultipartId, BucketError> {
        let inner = &self.bucket.inner;
        let path = inner.path(&self.key)?;
        let created = inner.once(
            self.call(),
            Instant::now(),
            inner.store.create_multipart(&path),
        );
        self.bucket.wait(async { created.await.result })
    }

    fn is_one_on_its_way(&self) -> bool {
        self.begun
            .as_ref()
            .is_some_and(|begun| !begun.on_their_way.is_empty())
    }

    /// Waits for the part that has been on its way longest.
    fn wait_for_one(&mut self) -> Result<(), BucketError> {
        let Some(begun) = &mut self.begun else {
            return Ok(());
        };
        let Some(task) = begun.on_their_way.pop_front() else {
            return Ok(());
        };
        let sent = self.bucket.wait(async {
            task.await
                .map_err(|error| BucketError::Thread(io::Error::other(error.to_string())))?
        });
        begun.sent.push(sent?);
        Ok(())
    }

    fn complete(&mut self) -> io::Result<()> {
        let Some(begun) = &self.begun else {
            return Ok(());
        };
        let inner = &self.bucket.inner;
        let path = inner.path(&self.key)?;
        let parts = begun.sent.iter().map(|sent| sent.id.clone()).collect();
        let digests: Vec<String> = begun.sent.iter().map(|sent| sent.md5.clone()).collect();
        let complete = inner.once(
            self.call(),
            Instant::now(),
            inner.store.complete_multipart(&path, &begun.id, parts),
        );
        let done = self.bucket.wait(async { Ok(complete.await) })?;
        let is_composite = inner
            .probe
            .get()
            .is_some_and(|probe| probe.etag_is_composite);
        let wanted = composite(&digests).filter(|_| is_composite);
        let etag = match done.result {
            Ok(PutResult { e_tag, .. }) => e_tag,
            // An answer was lost, and the upload is over: the object itself says whether it is this one.
            Err(error) if done.requests > 1 => {
                let Ok(info) = self.bucket.head(&self.key) else {
                    return Err(error.into());
                };
                let is_ours = info.size == self.bytes
                    && wanted.is_some()
                    && plain(info.etag.as_deref()) == wanted.as_deref();
                if !is_ours {
                    return Err(error.into());
                }
                info.etag
            }
            Err(error) => return Err(error.into()),
        };
        self.begun = None;
        let info = self.bucket.head(&self.key)?;
        match self.difference(&info, etag.as_deref(), wanted.as_deref()) {
            None => Ok(()),
            Some(reason) => Err(BucketError::Damaged {
                shown: self.bucket.shown(&self.key),
                reason,
                tries: 1,
            }
            .into()),
        }
    }

    fn difference(
        &self,
        info: &ObjectInfo,
        etag: Option<&str>,
        wanted: Option<&str>,
    ) -> Option<String> {
        if info.size != self.bytes {
            return Some(format!("it has {} bytes", info.size));
        }
        let differs = wanted.is_some_and(|wanted| plain(etag) != Some(wanted));
        differs.then(|| "the server has another MD5 of it".to_owned())
    }

    fn call(&self) -> Call<'_> {
        Call {
            what: "write",
            key: &self.key,
        }
    }

    fn take_back(&mut self) -> Result<(), BucketError> {
        self.buffer = Vec::new();
        let Some(begun) = self.begun.take() else {
            return Ok(());
        };
        for task in &begun.on_their_way {
            task.abort();
        }
        let inner = &self.bucket.inner;
        let path = inner.path(&self.key)?;
        let call = Call {
            what: "take back the upload of",
            key: &self.key,
        };
        let abort = async {
            // A part that arrives after the abort would stay.
            for task in begun.on_their_way {
                let _ended = task.await;
            }
            let abort = inner.store.abort_multipart(&path, &begun.id);
            let aborted =
                tokio::time::timeout(ABORT, inner.once(call, Instant::now(), abort)).await;
            match aborted {
                Ok(done) => match done.result {
                    // The server has forgotten it by itself.
                    Err(BucketError::NotFound { .. }) => Ok(()),
                    result => result,
                },
                Err(_) => Err(BucketError::Unavailable {
                    what: call.what,
                    shown: inner.shown(&self.key),
                    answer: super::error::Answer::Transport {
                        timed_out: true,
                        reason: String::new(),
                    },
                    tries: "once".to_owned(),
                    seconds: ABORT.as_secs(),
                }),
            }
        };
        self.bucket.wait(abort)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Err(error) = self.take_back() {
            tracing::warn!(
                "{error}\n  parts of it are kept, and paid for, until a lifecycle rule of the bucket removes them"
            );
        }
    }
}

/// Sends one part, again if it does not arrive as it was sent.
async fn send_part(
    bucket: Bucket,
    key: String,
    id: MultipartId,
    index: usize,
    bytes: Bytes,
) -> Result<Sent, BucketError> {
    let inner = &bucket.inner;
    let path = inner.path(&key)?;
    let md5 = md5_hex(&bytes);
    let is_composite = inner
        .probe
        .get()
        .is_some_and(|probe| probe.etag_is_composite);
    let call = Call {
        what: "write",
        key: &key,
    };
    for _ in 0..PUTS {
        let payload = PutPayload::from(bytes.clone());
        let part = inner.store.put_part(&path, &id, index, payload);
        let id = inner.once(call, Instant::now(), part).await.result?;
        if !is_composite || plain(Some(&id.content_id)) == Some(md5.as_str()) {
            return Ok(Sent { id, md5 });
        }
    }
    Err(BucketError::Damaged {
        shown: inner.shown(&key),
        reason: format!("the server has another MD5 of part {}", index + 1),
        tries: PUTS,
    })
}

/// What S3 calls an object of these parts: the MD5 of their MD5s, and their number.
pub(super) fn composite(parts: &[String]) -> Option<String> {
    let digests: Option<Vec<Vec<u8>>> = parts.iter().map(|part| hex::decode(part)).collect();
    Some(format!("{}-{}", md5_hex(&digests?.concat()), parts.len()))
}
