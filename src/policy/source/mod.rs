//! Policies and their schema as text: read from files, parsed into policies with their places, and the problems found.

mod content;
pub(crate) mod depth;
mod files;
pub(crate) mod parse;
mod place;
pub(crate) mod problem;
pub(crate) mod source_file;
pub(crate) mod spelling;

pub use files::PolicySource;
pub(in crate::policy) use files::{hash, is_listed, list, read_dir, read_file, read_place};
pub use place::PolicyPlace;
pub(in crate::policy) use place::{built_in_files, built_in_text};
