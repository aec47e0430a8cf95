//! `relexport serve`: the HTTP interface and the page.

mod access;
mod clients;
mod export;
mod lifecycle;
mod load;
mod page;
