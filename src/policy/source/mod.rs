//! Policies and their schema as text: read from files, parsed into policies with their places, and the problems found.

mod content;
pub mod depth;
mod files;
pub mod parse;
pub mod problem;
pub mod source_file;
pub mod spelling;

pub use files::PolicySource;
pub(in crate::policy) use files::{hash, is_listed, list, read_dir, read_file};
