//! Batches by bytes: rows are rendered once to know how large they are, before they are cut into files.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::cut::Files;
use super::jobs::SLICE;
use super::{BatchError, Batches};
use crate::fan_out::FanOut;
use crate::resolve::{Entry, RowStore};
use crate::timings::Phase;

impl Batches<'_> {
    /// The files of a relation's top-level rows, which are in the order of their keys.
    pub(super) fn files(
        &mut self,
        store: &Arc<RowStore>,
        relation: usize,
        entries: &[Entry],
    ) -> Result<Files, BatchError> {
        let files = self.files_by_size(relation);
        match (&files, self.options.batch_bytes) {
            (Files::Each(size), Some(bytes)) if !entries.is_empty() => {
                let rows = self.measure(store, relation, entries)?;
                Ok(Files::by_bytes(&rows, *size, bytes.get()))
            }
            _ => Ok(files),
        }
    }

    /// The files of a relation, by the number of rows alone.
    pub(super) fn files_by_size(&self, relation: usize) -> Files {
        self.batch_size(relation).map_or(Files::One, Files::Each)
    }

    /// The bytes of the records of rows. One that cannot be rendered has none: its file fails, or it is left out.
    fn measure(
        &mut self,
        store: &Arc<RowStore>,
        relation: usize,
        entries: &[Entry],
    ) -> Result<Vec<u64>, BatchError> {
        let threads = self.pool.current_num_threads();
        let mut jobs = FanOut::new(Arc::clone(&self.pool), threads + 1, Phase::Render);
        let mut sizes = Vec::with_capacity(entries.len());
        for slice in entries.chunks(SLICE) {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(BatchError::Interrupted);
            }
            let resident = self.renderer.load(store, relation, slice);
            let resident = resident.map_err(BatchError::Temp)?;
            let (renderer, slice) = (Arc::clone(&self.renderer), slice.to_vec());
            let measured = jobs.give(move || {
                let of = |entry: &Entry| {
                    let entry = std::slice::from_ref(entry);
                    let rendered = renderer.render(relation, entry, &resident, true);
                    rendered.map_or(0, |rendered| rendered.content.len() as u64)
                };
                slice.iter().map(of).collect::<Vec<u64>>()
            });
            sizes.extend(measured.into_iter().flatten());
        }
        while let Some(measured) = jobs.take() {
            sizes.extend(measured);
        }
        Ok(sizes)
    }
}
