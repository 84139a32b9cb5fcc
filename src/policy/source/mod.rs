//! Policies and their schema as text: read from files, parsed into policies with their places, and the problems found.

mod content;
pub(crate) mod depth;
mod files;
pub(crate) mod parse;
pub(crate) mod problem;
pub(crate) mod source_file;
pub(crate) mod spelling;

pub use files::PolicySource;
pub(in crate::policy) use files::{hash, is_listed, list, read_dir, read_file};
