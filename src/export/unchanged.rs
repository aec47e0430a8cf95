//! Whether an export would be the same as the newest one on a shelf, so that it need not be made.

use crate::civil::UtcTime;
use crate::output::shelf::{Shelf, ShelvedExport, newest};
use crate::output::{Manifest, ResumeEntry};

use super::entries::terms;
use super::request::ExportRequest;
use super::resume::difference;

/// Whether an export has to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unchanged {
    /// The newest export is of the same snapshot, pipelines and options, made by the same version of this program, left
    /// nothing out, and `latest` leads to it. This is its name.
    Same(String),
    /// It has to be made, for this reason.
    Changed(String),
}

/// Compares a request with the newest export of a job that counts. Of the snapshot only names, sizes and times of files are
/// looked at; a server or a pipe has none, so what comes from there is never the same.
///
/// # Errors
/// If the shelf cannot be listed.
pub fn unchanged(
    request: &ExportRequest,
    shelf: &dyn Shelf,
    now: UtcTime,
) -> std::io::Result<Unchanged> {
    let exports = shelf.exports()?;
    let Some(newest) = newest(&exports, request.job.as_deref(), now) else {
        return Ok(Unchanged::Changed(
            "there is no finished export yet".to_owned(),
        ));
    };
    if !is_led_to(&exports, newest, shelf.latest()?.as_deref()) {
        return Ok(Unchanged::Changed(format!(
            "{}: `latest` does not lead to it",
            newest.name
        )));
    }
    let manifest = shelf
        .store(&newest.name)
        .map_err(std::io::Error::other)?
        .manifest()
        .map_err(std::io::Error::other)?;
    Ok(compared(request, newest, manifest))
}

/// True unless the run that made the newest export of a job could not move `latest` to it: whoever goes by `latest` would
/// not get what a run that is skipped takes for done. Where several jobs have one shelf it leads to the export of any.
fn is_led_to(exports: &[ShelvedExport], newest: &ShelvedExport, latest: Option<&str>) -> bool {
    let mut exports = exports.iter();
    match exports.find(|export| Some(export.name.as_str()) == latest) {
        Some(led) => led.name == newest.name || led.job != newest.job,
        None => false,
    }
}

fn compared(request: &ExportRequest, newest: &ShelvedExport, manifest: Manifest) -> Unchanged {
    let about = |reason: String| Unchanged::Changed(format!("{}: {reason}", newest.name));
    if manifest.terms.is_none() {
        return about("its manifest does not say of which state of a snapshot it is".to_owned());
    }
    if !manifest.skipped_rows().is_empty() {
        return about("it lacks rows that were left out".to_owned());
    }
    let begun = Manifest {
        resume: manifest.terms.clone(),
        ..manifest
    };
    if let Some(difference) = difference(&begun, request) {
        return about(difference);
    }
    // What is gone on with gets its metadata at the end, so `difference` does not ask for it.
    let named = |terms: Option<&ResumeEntry>| {
        terms.map(|terms| (terms.gitlab_version.clone(), terms.source_url.clone()))
    };
    match named(begun.resume.as_ref()) == named(terms(request).as_ref()) {
        true => Unchanged::Same(newest.name.clone()),
        false => about("it was made with another --gitlab-version or --source-url".to_owned()),
    }
}
