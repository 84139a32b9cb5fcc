//! Evaluates policies: the compiled set, the questions in order, and the explanation of each answer.

pub(crate) mod annotations;
pub mod clauses;
pub(crate) mod compare;
pub(crate) mod console;
pub(crate) mod constraints;
pub(crate) mod decision;
pub(crate) mod denial;
mod details;
pub(crate) mod names;
pub(crate) mod not_applied;
pub(crate) mod not_collected;
mod not_known;
pub(crate) mod reads;
pub(crate) mod references;
pub(crate) mod set;
mod shipped;
mod slices;
pub(crate) mod tools;
