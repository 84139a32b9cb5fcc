//! From text to a set that may be asked: parsed, checked strictly against the schema, and linted.

pub(crate) mod lint;
pub(crate) mod load;
pub mod vocabulary;
