//! Policies that are asked: the compiled set, the questions in their order, and why an answer is what it is.

pub mod annotations;
pub mod clauses;
pub mod compare;
pub mod console;
pub mod constraints;
pub mod decision;
pub mod denial;
pub mod names;
pub mod not_applied;
mod not_known;
pub mod reads;
pub mod references;
pub mod set;
mod slices;
