//! What a server does that servers differ in, found out by an object of a random name.

use std::time::{Instant, SystemTime};

use bytes::Bytes;
use object_store::PutPayload;
use object_store::PutResult;
use serde::{Deserialize, Serialize};

use super::Inner;
use super::error::BucketError;
use super::ops::{Call, md5_hex, plain};
use super::upload::composite;
use super::url::Cloud;
use crate::hex;

/// Whether the server heeds the condition "only if it is not there".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConditionalPut {
    Enforced,
    /// It writes all the same: of two who write the same name, the later one wins.
    Ignored,
}

/// What a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) conditional_put: ConditionalPut,
    /// An ETag is the MD5 of the content. It is not with keys of a customer's or of a key service, nor with Azure.
    pub(crate) etag_is_md5: bool,
    /// The ETag of a part is the MD5 of the part, and that of the whole the MD5 of those, with their number.
    pub(crate) etag_is_composite: bool,
    /// The server's clock, and when it was looked at.
    clock: (SystemTime, Instant),
}

impl Probe {
    /// What time it is by the server's clock.
    pub(crate) fn server_now(&self) -> SystemTime {
        let (time, at) = self.clock;
        time + at.elapsed()
    }
}

/// What the object begins with; the random part follows.
const PREFIX: &str = ".relexport-probe-";

/// True for the name of an object that a server is asked by; one may be left of a process that was killed meanwhile.
pub(crate) fn is_probe(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Asks the server.
pub(super) async fn ask(inner: &Inner, below: &str) -> Result<Probe, BucketError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| BucketError::Client(format!("there are no random numbers: {error}")))?;
    let name = format!("{PREFIX}{}", hex::encode(&random));
    let key = match below {
        "" => name,
        below => format!("{below}/{name}"),
    };
    let asked = ask_with(inner, &key).await;
    // Also if something failed: the object may be there.
    let deleted = inner.delete(&key).await;
    let probe = asked?;
    deleted?;
    Ok(probe)
}

async fn ask_with(inner: &Inner, key: &str) -> Result<Probe, BucketError> {
    let first = Bytes::from_static(b"relexport asks whether this is replaced");
    let etag_is_md5 = is_md5(&first, &inner.create(key, first.clone()).await?);
    let clock = (inner.head(key).await?.modified, Instant::now());
    // Other content, so that one who asks again after a lost answer sees whose object it is.
    let second = Bytes::from_static(b"relexport has replaced it");
    let conditional_put = match inner.create(key, second).await {
        Ok(_) => ConditionalPut::Ignored,
        Err(BucketError::Exists { .. }) => ConditionalPut::Enforced,
        Err(error) => return Err(error),
    };
    let etag_is_composite = match inner.url.cloud() {
        Cloud::S3 if etag_is_md5 => asks_for_composite(inner, key).await?,
        Cloud::S3 | Cloud::Google | Cloud::Azure => false,
    };
    Ok(Probe {
        conditional_put,
        etag_is_md5,
        etag_is_composite,
        clock,
    })
}

fn is_md5(bytes: &[u8], result: &PutResult) -> bool {
    plain(result.e_tag.as_deref()).is_some_and(|etag| etag == md5_hex(bytes))
}

/// Sends an object of one part.
async fn asks_for_composite(inner: &Inner, key: &str) -> Result<bool, BucketError> {
    let call = Call { what: "write", key };
    let started = Instant::now();
    let path = inner.path(key)?;
    let part = Bytes::from_static(b"relexport asks what parts are called");
    let created = inner
        .once(call, started, inner.store.create_multipart(&path))
        .await;
    let id = created.result?;
    let sent = async {
        let payload = PutPayload::from(part.clone());
        let id_of_part = inner.store.put_part(&path, &id, 0, payload).await?;
        let etag = id_of_part.content_id.clone();
        let whole = inner
            .store
            .complete_multipart(&path, &id, vec![id_of_part])
            .await?;
        Ok((etag, whole))
    };
    let sent = inner.once(call, started, sent).await;
    match sent.result {
        Ok((etag, whole)) => {
            let digest = md5_hex(&part);
            let is_part = plain(Some(&etag)) == Some(digest.as_str());
            let is_whole = plain(whole.e_tag.as_deref()) == composite(&[digest]).as_deref();
            Ok(is_part && is_whole)
        }
        // What lies there is deleted in the end; but an upload that is not complete would stay.
        Err(error) => {
            let abort = inner.store.abort_multipart(&path, &id);
            let aborted = inner.once(call, started, abort).await;
            if let Err(error) = aborted.result {
                tracing::debug!("an upload may be left over: {error}");
            }
            tracing::debug!("parts are not compared by their MD5s: {error}");
            match error {
                // Whatever else it was, after an answer that was lost it may be anything: only a comparison is lost.
                error @ BucketError::Unavailable { .. } => Err(error),
                _ => Ok(false),
            }
        }
    }
}
