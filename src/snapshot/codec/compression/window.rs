//! How far a decoder may look back. It keeps as much of the stream in memory, and the stream says how much that is: 230 KB
//! can ask for 2 GiB.

use std::fmt;
use std::io;

use crate::bounds;

/// What a decoder of xz needs besides its dictionary: under 64 KiB. `xz -9` has a dictionary of 64 MiB.
const BESIDE_DICTIONARY: u64 = 1 << 20;

/// The exponents of windows that zstd can be given: `ZSTD_WINDOWLOG_MIN` and `ZSTD_WINDOWLOG_MAX` of 64 bits.
const ZSTD_WINDOW_LOG: std::ops::RangeInclusive<u32> = 10..=31;

/// What zstd answers where a window is too large: `ZSTD_error_frameParameter_windowTooLarge`, as a result.
const ZSTD_TOO_LARGE: usize = 0usize.wrapping_sub(16);

/// A stream asks for a larger window than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WindowTooLarge {
    what: &'static str,
    allowed: u64,
}

impl WindowTooLarge {
    /// What an error of reading says of a window, however many decoders it has come through.
    pub(crate) fn within(error: &io::Error) -> Option<WindowTooLarge> {
        error.get_ref()?.downcast_ref().copied()
    }

    pub(super) fn error(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }
}

impl fmt::Display for WindowTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "its {} is larger than {}, and all of it would be kept in memory\n  allow more with --max-window, such as \
             --max-window {}",
            self.what,
            bounds::shown(self.allowed),
            bounds::shown((self.allowed * 2).max(2 << 30)),
        )
    }
}

impl std::error::Error for WindowTooLarge {}

/// The largest window of zstd that takes no more than `bytes`, as an exponent.
pub(super) fn zstd_log(bytes: u64) -> u32 {
    let log = bytes.checked_ilog2().unwrap_or(0);
    log.clamp(*ZSTD_WINDOW_LOG.start(), *ZSTD_WINDOW_LOG.end())
}

/// What a decoder of xz may take with a dictionary of `bytes`.
pub(super) fn xz_memory(bytes: u64) -> u64 {
    bytes.saturating_add(BESIDE_DICTIONARY)
}

/// Tells by a decoder's error that a stream of zstd or xz asks for a window of more than `allowed` bytes.
pub(super) fn told(error: io::Error, allowed: u64) -> io::Error {
    let what = match error.get_ref() {
        Some(inner) if is_of_xz(inner) => "xz dictionary",
        Some(inner) if inner.to_string() == zstd::zstd_safe::get_error_name(ZSTD_TOO_LARGE) => {
            "zstd window"
        }
        _ => return error,
    };
    WindowTooLarge { what, allowed }.error()
}

fn is_of_xz(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(liblzma::stream::Error::MemLimit))
}

/// A decoder that says of its window what is wrong with it.
pub(super) struct Windowed<R> {
    pub(super) decoder: R,
    pub(super) allowed: u64,
}

impl<R: io::Read> io::Read for Windowed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder
            .read(buffer)
            .map_err(|error| told(error, self.allowed))
    }
}
