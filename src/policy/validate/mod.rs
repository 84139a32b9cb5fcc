//! Turns text into a usable set: parsed, checked strictly against the schema, and linted.

pub(crate) mod lint;
pub(crate) mod load;
pub mod vocabulary;
