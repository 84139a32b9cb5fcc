//! Tools for policy authors: check, format, test cases, the effect of a change, proofs.

pub mod cases;
pub mod check;
pub mod diff;
pub(crate) mod edits;
pub mod example;
pub mod format;
#[cfg(feature = "prove")]
pub mod prove;
