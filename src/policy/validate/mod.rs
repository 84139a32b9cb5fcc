//! From text to a set that may be asked: parsed, checked strictly against the schema, and linted.

pub mod lint;
pub mod load;
pub mod vocabulary;
