//! How a bucket, and a key in it, is named on the command line.

use std::fmt;
use std::str::FromStr;

use object_store::path::Path;

/// Whose interface a bucket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Cloud {
    S3,
    Google,
    Azure,
}

impl Cloud {
    const ALL: [Cloud; 3] = [Cloud::S3, Cloud::Google, Cloud::Azure];

    fn scheme(self) -> &'static str {
        match self {
            Cloud::S3 => "s3",
            Cloud::Google => "gs",
            Cloud::Azure => "az",
        }
    }
}

/// A bucket and a key in it, or what several keys begin with: `s3://bucket/prefix`, `gs://…`, `az://container/prefix`.
///
/// It holds no secret: an address with a password or a signature in it is refused, and not repeated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketUrl {
    cloud: Cloud,
    bucket: String,
    /// Without `/` at its ends; empty for the bucket itself.
    key: String,
}

/// Why an address names no bucket. It never holds the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BucketUrlError {
    #[error("the address of a bucket begins with s3://, gs:// or az://")]
    Scheme,
    #[error(
        "an address of a bucket holds no name, password, port or signature (text with @, : or ?)\n  \
         give credentials and the endpoint by the environment, such as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
         AWS_ENDPOINT_URL; docs/buckets.md lists them"
    )]
    Secret,
    #[error(
        "behind s3://, gs:// or az:// comes the name of a bucket: letters, digits, '.', '-' and '_'"
    )]
    Bucket,
    #[error(
        "the key behind the bucket's name cannot be used: no part of it may be empty, '.' or '..', or hold a control character"
    )]
    Key,
}

impl BucketUrl {
    /// True for text that is meant as the address of a bucket, right or wrong.
    pub(crate) fn is_meant(text: &str) -> bool {
        Cloud::ALL.iter().any(|cloud| {
            text.strip_prefix(cloud.scheme())
                .is_some_and(|rest| rest.starts_with("://"))
        })
    }

    /// Reads an address.
    ///
    /// # Errors
    /// If it names no bucket.
    pub(crate) fn parse(text: &str) -> Result<BucketUrl, BucketUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(BucketUrlError::Scheme)?;
        let cloud = Cloud::ALL
            .into_iter()
            .find(|cloud| cloud.scheme() == scheme)
            .ok_or(BucketUrlError::Scheme)?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.contains(['@', ':', '?', '#']) || key.contains('?') {
            return Err(BucketUrlError::Secret);
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if bucket.is_empty() || !bucket.chars().all(is_plain) || !bucket.contains(|c| c != '.') {
            return Err(BucketUrlError::Bucket);
        }
        let key = key.strip_suffix('/').unwrap_or(key);
        // The crate's own rule for keys that it sends as they are.
        let is_key = key.is_empty() || !key.starts_with('/') && Path::parse(key).is_ok();
        match is_key {
            true => Ok(BucketUrl {
                cloud,
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            }),
            false => Err(BucketUrlError::Key),
        }
    }

    pub(super) fn cloud(&self) -> Cloud {
        self.cloud
    }

    /// The bucket's name.
    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key in the bucket, without `/` at its ends; empty for the bucket itself.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The last part of the key, or the bucket's name.
    pub(crate) fn name(&self) -> &str {
        match self.key.rsplit('/').next() {
            None | Some("") => &self.bucket,
            Some(name) => name,
        }
    }

    /// The bucket without a key.
    pub(crate) fn bucket_itself(&self) -> BucketUrl {
        BucketUrl {
            key: String::new(),
            ..self.clone()
        }
    }

    /// What lies below, by its name.
    pub(crate) fn join(&self, name: &str) -> BucketUrl {
        let key = match (self.key.as_str(), name) {
            (key, "") => key.to_owned(),
            ("", name) => name.to_owned(),
            (key, name) => format!("{key}/{name}"),
        };
        BucketUrl {
            key,
            ..self.clone()
        }
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.cloud.scheme(), self.bucket)?;
        match self.key.as_str() {
            "" => Ok(()),
            key => write!(f, "/{key}"),
        }
    }
}

impl FromStr for BucketUrl {
    type Err = BucketUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        BucketUrl::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_bucket_and_a_key() {
        for (text, bucket, key, shown) in [
            ("s3://b", "b", "", "s3://b"),
            ("s3://b/", "b", "", "s3://b"),
            (
                "gs://my.bucket-1_x/a/b/",
                "my.bucket-1_x",
                "a/b",
                "gs://my.bucket-1_x/a/b",
            ),
            (
                "az://c/Täglich 1/x",
                "c",
                "Täglich 1/x",
                "az://c/Täglich 1/x",
            ),
            ("s3://b/a%2Fb#c", "b", "a%2Fb#c", "s3://b/a%2Fb#c"),
        ] {
            let url = BucketUrl::parse(text).unwrap();
            assert_eq!((url.bucket(), url.key()), (bucket, key), "{text}");
            assert_eq!(url.to_string(), shown);
            assert_eq!(BucketUrl::parse(&url.to_string()), Ok(url));
        }
    }

    #[test]
    fn what_lies_below_is_joined_by_a_slash() {
        let bucket = BucketUrl::parse("s3://b").unwrap();
        assert_eq!(bucket.join("x").to_string(), "s3://b/x");
        assert_eq!(bucket.join("x").join("y/z").to_string(), "s3://b/x/y/z");
        assert_eq!(bucket.join("x").join("y/z").name(), "z");
        assert_eq!(bucket.name(), "b");
    }

    #[test]
    fn an_address_with_a_secret_is_refused_and_not_repeated() {
        for text in [
            "s3://AKIA:s3cr3t@b/x",
            "az://c/x?sv=2026&sig=s3cr3t",
            "s3://b?X-Amz-Signature=s3cr3t",
            "s3://host:9000/b",
        ] {
            let error = BucketUrl::parse(text).unwrap_err();
            assert_eq!(error, BucketUrlError::Secret, "{text}");
            assert!(!error.to_string().contains("s3cr3t"));
        }
    }

    #[test]
    fn what_names_no_bucket_or_no_key_is_refused() {
        for (text, error) in [
            ("folder", BucketUrlError::Scheme),
            ("ftp://b/x", BucketUrlError::Scheme),
            ("S3://b", BucketUrlError::Scheme),
            ("s3://", BucketUrlError::Bucket),
            ("s3:///x", BucketUrlError::Bucket),
            ("s3://..", BucketUrlError::Bucket),
            ("s3://b c/x", BucketUrlError::Bucket),
            ("s3://b//x", BucketUrlError::Key),
            ("s3://b/x//y", BucketUrlError::Key),
            ("s3://b/../x", BucketUrlError::Key),
            ("s3://b/x/./y", BucketUrlError::Key),
            ("s3://b/a\nb", BucketUrlError::Key),
        ] {
            assert_eq!(BucketUrl::parse(text), Err(error), "{text}");
        }
    }
}
