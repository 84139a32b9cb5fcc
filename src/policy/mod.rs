//! Cedar policies: loaded, validated strictly, sliced, and asked.

mod action;
mod annotations;
mod cache;
pub mod cases;
pub mod check;
pub mod clauses;
pub mod compare;
mod constraints;
mod content;
pub mod decision;
mod denial;
mod depth;
pub mod diff;
pub mod edits;
mod engine;
pub mod example;
pub mod facts;
pub mod format;
mod lint;
mod load;
mod names;
mod not_applied;
mod not_known;
mod parse;
mod problem;
#[cfg(feature = "prove")]
pub mod prove;
mod reads;
mod recorded;
pub mod references;
pub mod reload;
mod slices;
mod source;
mod source_file;
mod spelling;
pub mod vocabulary;
pub mod watch;

pub use action::Action;
pub use annotations::{AnnotatedSet, Annotations};
pub use cache::{CacheControl, CompiledPolicies, RecordedDecision, decide_recorded};
pub use decision::{
    Decision, Explained, Permitted, Ruling, decide, decide_configuration, explain, explain_configuration,
    explain_rulings,
};
pub use denial::Denial;
pub(crate) use depth::with_stack;
pub use engine::PolicyEngine;
pub use load::{PolicyFile, Validated};
pub use names::{Name, Names};
pub use not_applied::{Missed, NotApplied, not_applied, not_applied_configuration};
pub(crate) use problem::counted;
pub use problem::{LoadError, Problem, Rule, Severity};
pub use recorded::RecordedFacts;
pub use source_file::Place;

pub use source::PolicySource;

use crate::clock::UnixSeconds;

/// The policies in force.
#[derive(Debug)]
pub struct Policies {
    pub compiled: CompiledPolicies,
    /// SHA-256 over schema and files: two replicas that show the same hash decide alike.
    pub hash: String,
    pub files: Vec<PolicyFile>,
    /// Warnings of the validator, such as a policy that can never match.
    pub warnings: Vec<String>,
    /// The set as text: [`PolicySource::from_content`] makes it again.
    pub content: String,
    pub loaded_at: UnixSeconds,
}
