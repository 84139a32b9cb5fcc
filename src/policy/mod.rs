//! Cedar policies: loaded, validated strictly, sliced, and asked.

mod annotations;
pub mod cases;
pub mod check;
pub mod clauses;
pub mod compare;
mod content;
pub mod decision;
mod denial;
mod depth;
pub mod diff;
pub mod edits;
pub mod example;
pub mod facts;
pub mod format;
mod heads;
mod lint;
mod load;
mod memo;
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
mod set;
mod slices;
mod source;
pub mod vocabulary;
pub mod watch;

pub use annotations::{AnnotatedSet, Annotations};
pub use decision::{
    Decision, Explained, Permitted, Ruling, decide, decide_configuration, explain, explain_configuration,
};
pub use denial::Denial;
pub(crate) use depth::with_stack;
pub use load::{PolicyFile, Validated};
pub use memo::{RecordedDecision, decide_recorded};
pub use names::{Name, Names};
pub use not_applied::{Missed, NotApplied, not_applied, not_applied_configuration};
pub(crate) use problem::counted;
pub use problem::{LoadError, Place, Problem, Rule, Severity};
pub use recorded::RecordedFacts;
pub use set::{Action, CompiledPolicies};
pub use source::PolicySource;

use crate::clock::UnixSeconds;

/// The policies in force.
#[derive(Debug)]
pub struct Policies {
    pub compiled: CompiledPolicies,
    /// SHA-256 over schema and files: two replicas that show the same hash decide alike.
    pub hash: String,
    pub files: Vec<PolicyFile>,
    /// What the validator finds odd but valid, such as a policy that can never match.
    pub warnings: Vec<String>,
    /// The set as text: [`PolicySource::from_content`] makes it again.
    pub content: String,
    pub loaded_at: UnixSeconds,
}
