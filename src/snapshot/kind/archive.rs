//! pg_dump's archives: custom (-Fc), directory (-Fd) and tar (-Ft), read in place.
//!
//! All three begin with the same header and [`toc`], which holds every table's definition and says where its
//! data is. In a file or a folder each table is opened on its own, by as many threads as there are; an archive
//! that comes as a stream goes by once, and data that nobody wants is stepped over without being decompressed.
//! Large objects are never read.

mod catalog;
mod custom;
mod directory;
mod rows;
#[cfg(test)]
mod sample;
mod tar;
pub mod toc;

pub use custom::{CustomArchive, CustomStream};
pub use directory::DirectoryArchive;
pub(crate) use tar::{Again, is_of_archive, is_toc_of_archive};
pub use tar::{TarArchive, TarStream};
