//! What comes from somebody who writes to us: standard input, a pipe, a named pipe, a terminal.
//!
//! The system would let a read of it wait for ever. So it is read only when something is there to be read; until then it is
//! looked again and again whether the run is to end, and whether nothing has come for too long. A regular file behind standard
//! input is read as any other.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::interruption::{self, LOOK_EVERY};
use crate::time_span::shown;

/// The silence of a pipe with settings: somebody may have to type a password before it speaks.
const SETTINGS_SILENCE: Duration = Duration::from_secs(5 * 60);

/// How long whoever reads a pipe waits for its next byte, and what ends the wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patience {
    /// `None` is for ever.
    pub(crate) silence: Option<Duration>,
    /// Set from outside to end it.
    pub(crate) interrupted: Arc<AtomicBool>,
}

impl Patience {
    /// Sleeps for so long. False if the run is to end before.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let begun = Instant::now();
        loop {
            if self.interrupted.load(Ordering::Relaxed) {
                return false;
            }
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }
}

/// Why nobody waits for a pipe any more. It goes through decoders as the error that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitError {
    /// Nothing has come for so long.
    Stalled(Duration),
    Interrupted,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitError::Stalled(silence) => write!(f, "no byte has come for {}", shown(*silence)),
            WaitError::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for WaitError {}

impl WaitError {
    /// The wait that a read failed with, if it is one.
    pub(crate) fn within(error: &io::Error) -> Option<WaitError> {
        error.get_ref()?.downcast_ref().copied()
    }

    /// As an error of reading. Its kind is none that readers take for an end, or try again after.
    pub(crate) fn of_reading(self) -> io::Error {
        io::Error::other(self)
    }
}

/// Something that is read in its order while others may still write it.
#[derive(Debug)]
pub(crate) struct Pipe {
    file: File,
    /// Its bytes may be long in coming.
    waits: bool,
    patience: Patience,
}

impl Pipe {
    /// Standard input. Nothing else in the program reads it.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn of_standard_input(patience: Patience) -> io::Result<Pipe> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        Pipe::of(File::from(input), patience)
    }

    /// Opens what has this path, without waiting for somebody to write to it.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn open(path: &Path, patience: Patience) -> io::Result<Pipe> {
        Pipe::of(open_at_once(path)?, patience)
    }

    /// Opens a file of settings. It may be a pipe that a shell has made, as of `--pipeline <(…)`.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn of_settings(path: &Path) -> io::Result<Pipe> {
        let patience = Patience {
            silence: Some(SETTINGS_SILENCE),
            interrupted: interruption::flag(),
        };
        Pipe::open(path, patience)
    }

    /// What the system knows of it.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    fn of(file: File, patience: Patience) -> io::Result<Pipe> {
        let kind = file.metadata()?.file_type();
        Ok(Pipe {
            waits: !(kind.is_file() || kind.is_dir() || kind.is_block_device()),
            file,
            patience,
        })
    }

    /// Waits until a read will not wait.
    fn wait(&self) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            let mut files = [PollFd::new(&self.file, PollFlags::IN)];
            match poll(&mut files, Some(&pause(LOOK_EVERY))) {
                // Its end, and what is wrong with it, are told by reading it.
                Ok(1..) => return Ok(()),
                Ok(0) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if self.patience.interrupted.load(Ordering::Relaxed) {
                return Err(WaitError::Interrupted.of_reading());
            }
            if let Some(silence) = self.patience.silence
                && begun.elapsed() >= silence
            {
                return Err(WaitError::Stalled(silence).of_reading());
            }
        }
    }
}

/// As the system takes it.
fn pause(time: Duration) -> Timespec {
    Timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.waits {
                self.wait()?;
            }
            match self.file.read(buffer) {
                // Somebody else has read it meanwhile.
                Err(error) if self.waits && error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

/// Opens a file. A named pipe that nobody writes to yet is open at once, too.
fn open_at_once(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
}

/// Opens a file that has its bytes. A pipe in its place, which might never have them, is refused.
///
/// # Errors
/// Those of the file system.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    let file = open_at_once(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_fifo() || kind.is_socket() || kind.is_char_device() {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "it is a pipe or a device, which cannot be read in the place of a file; save it to a file",
        ));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn named_pipe(folder: &tempfile::TempDir) -> std::path::PathBuf {
        let path = folder.path().join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        path
    }

    fn patience(silence: Option<u64>) -> Patience {
        Patience {
            silence: silence.map(Duration::from_millis),
            interrupted: Arc::default(),
        }
    }

    #[test]
    fn a_named_pipe_that_nobody_writes_to_has_stalled() {
        let folder = tempfile::tempdir().unwrap();
        let mut pipe = Pipe::open(&named_pipe(&folder), patience(Some(1))).unwrap();
        let error = pipe.read(&mut [0; 8]).unwrap_err();
        let stalled = WaitError::Stalled(Duration::from_millis(1));
        assert_eq!(WaitError::within(&error), Some(stalled));
        assert_eq!(error.to_string(), "no byte has come for 1 ms");
    }

    #[test]
    fn an_interrupted_wait_ends_though_nothing_comes() {
        let folder = tempfile::tempdir().unwrap();
        let patience = patience(None);
        patience.interrupted.store(true, Ordering::Relaxed);
        let mut pipe = Pipe::open(&named_pipe(&folder), patience).unwrap();
        let error = pipe.read(&mut [0; 8]).unwrap_err();
        assert_eq!(WaitError::within(&error), Some(WaitError::Interrupted));
    }

    #[test]
    fn a_named_pipe_is_read_from_its_first_writer_to_the_end_of_its_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = named_pipe(&folder);
        let mut pipe = Pipe::open(&path, patience(None)).unwrap();
        let writer = std::thread::spawn(move || {
            let mut file = OpenOptions::new().write(true).open(path).unwrap();
            file.write_all(b"two ").unwrap();
            file.write_all(b"pieces").unwrap();
        });
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        assert_eq!(text, "two pieces");
        writer.join().unwrap();
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let error = open_file(&named_pipe(&folder)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn a_file_is_read_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "text").unwrap();
        let mut pipe = Pipe::open(&path, patience(Some(0))).unwrap();
        assert!(!pipe.waits);
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
    }
}
