//! What is worth knowing, though nothing is wrong: that a query has no index to use, that something is left out as it
//! should be. It is logged as a warning, and not at all under `--quiet`, so that a run of every night that does all that it
//! was asked for prints nothing.

/// The target of such lines in the log, by which they are told from warnings of what may be wrong.
pub(crate) const ADVICE: &str = "relexport::advice";

/// Says something once, in one line.
pub(crate) fn advise(text: &str) {
    tracing::warn!(target: ADVICE, "{text}");
}
