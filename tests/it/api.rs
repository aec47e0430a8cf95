//! `relexport serve`: the HTTP interface and the page.

mod access;
mod archives;
mod clients;
mod export;
mod families;
mod git;
mod lifecycle;
mod lists;
mod load;
mod lost_files;
mod migration;
mod page;
mod project_exports;
mod project_graphql;
mod projects;
