//! Policies that are asked: the compiled set, the questions in their order, and why an answer is what it is.

pub(crate) mod annotations;
pub mod clauses;
pub(crate) mod compare;
pub(crate) mod console;
pub(crate) mod constraints;
pub(crate) mod decision;
pub(crate) mod denial;
pub(crate) mod names;
pub(crate) mod not_applied;
mod not_known;
pub(crate) mod reads;
pub(crate) mod references;
pub(crate) mod set;
mod slices;
