//! Files of a backup in an export: which of them its rows name, and the archives that they are packed into.
//!
//! Rows come as the records that the pipeline makes of them (`rows`), so that it says which columns count. `wanted` is
//! what is asked of the backup before anything is written, `at_hand` what came of it. `tar` writes GitLab's archives,
//! `uploads` and `lfs` say what stands in them.

mod at_hand;
mod lfs;
pub(crate) mod repositories;
mod rows;
mod tar;
mod uploads;
mod wanted;

pub(super) use at_hand::{AtHand, BundleOf, Place, RedactedPaths};
pub(super) use lfs::{lfs_archive, lfs_path};
pub(super) use repositories::RepositoryError;
pub(super) use rows::{LfsRow, NamedRow, ProjectRow, UploadRow, records};
pub(super) use tar::{TarMember, write_end, write_header, write_padding, write_root};
pub(super) use uploads::upload_member;
pub(super) use wanted::WantedFiles;
