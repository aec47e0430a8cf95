//! The clock of the manifest.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time now, as the manifest writes times: UTC, three fractional digits.
pub fn now() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    crate::civil::utc_millis_to_iso(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
