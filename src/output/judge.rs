//! Somebody above who looks at an export when all of it is written, before anybody can take it for a good one.

use std::fmt;
use std::sync::Arc;

use super::manifest::Manifest;

/// Looks at a manifest, and says what is suspect about its export.
type Look = dyn Fn(&Manifest) -> Vec<String> + Send + Sync;

/// Says what is suspect about an export.
#[derive(Clone)]
pub struct Judge(Arc<Look>);

impl Judge {
    pub fn new(judge: impl Fn(&Manifest) -> Vec<String> + Send + Sync + 'static) -> Judge {
        Judge(Arc::new(judge))
    }

    /// Why an export is not to be trusted; nothing, if it is.
    pub(super) fn judge(&self, manifest: &Manifest) -> Vec<String> {
        (self.0)(manifest)
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Judge")
    }
}
