//! What the name of a snapshot means. A name is looked at once, here; whoever needs to know something of it asks.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::bucket::BucketUrl;
use crate::snapshot::fingerprint;
use crate::snapshot::kind::pgdata;
use crate::snapshot::kind::postgres;

/// A snapshot, as the user names it.
#[derive(Clone, PartialEq, Eq)]
pub enum Spec {
    /// `-`: it comes once, and from whoever writes to us.
    StandardInput,
    /// A file, a folder or a named pipe.
    Path(PathBuf),
    /// An object of a bucket, or what the keys of several begin with.
    Bucket(BucketUrl),
    /// The address of a PostgreSQL server, as it was given: it may hold a password.
    Server(String),
    /// `pgdata:` and a server's data folder, which is read through a private server on a copy of it.
    DataFolder(PathBuf),
    /// Text that looks like an address, but like none that is read: of another scheme, or in libpq's words. It may hold a
    /// password. A file may have such a name after all.
    OtherAddress(String),
}

impl Spec {
    /// What is shown of it in messages: of an address its hosts and database, without user, password and parameters.
    ///
    /// ```
    /// use relexport::snapshot::Spec;
    ///
    /// let shown = |text: &str| Spec::from(text).shown();
    /// assert_eq!(shown("postgres://me:secret@db.example:5433/gitlab?sslmode=require"), "postgres://db.example:5433/gitlab");
    /// assert_eq!(shown("dump.sql.gz"), "dump.sql.gz");
    /// ```
    pub fn shown(&self) -> String {
        match self {
            // Nobody knows which part of it is meant to be secret.
            Spec::OtherAddress(text) if BucketUrl::is_meant(text) => {
                let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
                format!("{scheme}://…")
            }
            Spec::Server(text) | Spec::OtherAddress(text) => postgres::shown(text),
            Spec::StandardInput | Spec::Path(_) | Spec::Bucket(_) | Spec::DataFolder(_) => {
                self.argument()
            }
        }
    }

    /// As the user gave it, with the password that an address may hold: for a process of our own, and never for a message.
    pub(crate) fn argument(&self) -> String {
        match self {
            Spec::StandardInput => "-".to_owned(),
            Spec::Path(path) => path.display().to_string(),
            Spec::Bucket(url) => url.to_string(),
            Spec::Server(text) | Spec::OtherAddress(text) => text.clone(),
            Spec::DataFolder(path) => format!("{}{}", pgdata::SCHEME, path.display()),
        }
    }

    /// What a message may call it by; `None` for an address, of which nobody knows which part is the password.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Spec::Server(_) | Spec::OtherAddress(_) => None,
            Spec::StandardInput | Spec::Path(_) | Spec::Bucket(_) | Spec::DataFolder(_) => {
                Some(self.argument())
            }
        }
    }

    /// The file, folder or pipe; `None` for what is read from elsewhere, or through a server.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Spec::Path(path) => Some(path),
            Spec::StandardInput
            | Spec::Bucket(_)
            | Spec::Server(_)
            | Spec::DataFolder(_)
            | Spec::OtherAddress(_) => None,
        }
    }

    /// The last part of its path or key, for whoever need not know where it lies.
    pub(crate) fn file_name(&self) -> Option<String> {
        match self {
            Spec::Bucket(url) => Some(url.name().to_owned()),
            Spec::Path(path) => Some(path.file_name()?.to_string_lossy().into_owned()),
            Spec::StandardInput | Spec::Server(_) | Spec::DataFolder(_) | Spec::OtherAddress(_) => {
                None
            }
        }
    }

    /// When the file, the folder or the object was written last, if that can be told.
    pub(crate) fn modified(&self) -> Option<SystemTime> {
        match self {
            Spec::Path(path) => std::fs::metadata(path)
                .and_then(|found| found.modified())
                .ok(),
            Spec::Bucket(url) => fingerprint::modified_in_bucket(url),
            Spec::StandardInput | Spec::Server(_) | Spec::DataFolder(_) | Spec::OtherAddress(_) => {
                None
            }
        }
    }

    /// True for a file or folder that is there, and for what lies in a bucket: it can be opened again and again. Pipes come once, and a server is
    /// never again what it was.
    pub(crate) fn can_be_read_again(&self) -> bool {
        let path = match self {
            Spec::Path(path) => path.as_path(),
            Spec::OtherAddress(text) => Path::new(text),
            // Whether there is such an object is told when it is opened.
            Spec::Bucket(_) => return true,
            Spec::StandardInput | Spec::Server(_) | Spec::DataFolder(_) => return false,
        };
        std::fs::metadata(path).is_ok_and(|found| found.is_file() || found.is_dir())
    }

    /// A value that changes when the file, or a file of the folder, that a snapshot lies in is written again: lower-case
    /// hex, of names, sizes and times of change, and of the ETags of objects. `None` for what cannot be read a second time, and for a server, which
    /// holds an instant only as long as somebody asks for it.
    ///
    /// # Errors
    /// Those of the file system, or of the bucket's server.
    pub fn fingerprint(&self) -> io::Result<Option<String>> {
        match self {
            Spec::Path(path) => fingerprint::fingerprint(path),
            Spec::Bucket(url) => fingerprint::of_bucket(url),
            Spec::StandardInput | Spec::Server(_) | Spec::DataFolder(_) | Spec::OtherAddress(_) => {
                Ok(None)
            }
        }
    }

    /// True for an argument that is an address, or ends with one.
    pub(crate) fn is_address(argument: &str) -> bool {
        postgres::address_start(argument).is_some()
    }

    /// Takes the password out of an argument that is an address, or ends with one: the argument without it, and the
    /// password. `None` if there is none, or if nobody can tell which part of the text it is.
    pub fn take_password(argument: &str) -> Option<(String, String)> {
        // `--snapshot ADDRESS`, `--snapshot=ADDRESS`, `-sADDRESS`.
        let (before, address) = argument.split_at(postgres::address_start(argument)?);
        let (address, password) = postgres::split_password(address)?;
        Some((format!("{before}{address}"), password))
    }
}

impl From<&str> for Spec {
    /// Tells what a text means; whether there is such a thing is told when it is opened.
    fn from(text: &str) -> Spec {
        if text == "-" {
            Spec::StandardInput
        } else if postgres::is_address(text) {
            Spec::Server(text.to_owned())
        } else if let Some(folder) = text.strip_prefix(pgdata::SCHEME) {
            Spec::DataFolder(folder.into())
        } else if let Ok(url) = BucketUrl::parse(text) {
            Spec::Bucket(url)
        } else if text.contains("://") || text.contains("password=") {
            Spec::OtherAddress(text.to_owned())
        } else {
            Spec::Path(text.into())
        }
    }
}

impl fmt::Debug for Spec {
    /// Without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spec({})", self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_meaning() {
        let address = |text: &str| text.to_owned();
        let cases = [
            ("-", Spec::StandardInput),
            ("dump.sql", Spec::Path("dump.sql".into())),
            ("./-", Spec::Path("./-".into())),
            ("pgdata:/var/lib", Spec::DataFolder("/var/lib".into())),
            ("postgres://h/db", Spec::Server(address("postgres://h/db"))),
            ("postgresql://h", Spec::Server(address("postgresql://h"))),
            (
                "s3://b/a.sql.gz",
                Spec::Bucket(BucketUrl::parse("s3://b/a.sql.gz").unwrap()),
            ),
            ("s3://u:p@b/k", Spec::OtherAddress(address("s3://u:p@b/k"))),
            ("mysql://h/db", Spec::OtherAddress(address("mysql://h/db"))),
            (
                "host=h password=secret",
                Spec::OtherAddress(address("host=h password=secret")),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(Spec::from(text), expected);
            assert_eq!(Spec::from(text).argument(), text);
        }
    }

    #[test]
    fn no_password_is_shown() {
        for text in [
            "postgres://u:secret@h/db",
            "POSTGRES://u:secret@h/db",
            "host=h password=secret",
            "s3://key:secret@bucket/dump.sql",
        ] {
            let spec = Spec::from(text);
            assert!(!spec.shown().contains("secret"), "{}", spec.shown());
            assert!(!format!("{spec:?}").contains("secret"));
            assert_eq!(spec.name(), None);
        }
    }

    #[test]
    fn only_files_and_folders_are_there_a_second_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dump.sql");
        std::fs::write(&file, "").unwrap();
        for path in [folder.path(), &file] {
            let spec = Spec::from(path.to_str().unwrap());
            assert!(spec.can_be_read_again());
            assert!(spec.fingerprint().unwrap().is_some());
        }
        for text in ["-", "/dev/null", "postgres://host/db", "pgdata:/"] {
            let spec = Spec::from(text);
            assert!(!spec.can_be_read_again(), "{text}");
            assert_eq!(spec.fingerprint().unwrap(), None, "{text}");
        }
        assert!(Spec::from("/no/such/file").fingerprint().is_err());
    }
}
