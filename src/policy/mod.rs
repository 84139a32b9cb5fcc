//! Cedar policies: loaded, validated strictly, sliced, and asked.

pub mod cases;
pub mod clauses;
pub mod compare;
pub mod decision;
pub mod diff;
pub mod facts;
mod load;
mod recorded;
mod set;

pub use decision::{Decision, Explained, Permitted, Ruling, decide, decide_configuration, explain};
pub use load::{LoadError, PolicyFile, PolicySource, Problem, Validated};
pub use recorded::RecordedFacts;
pub use set::{Action, CompiledPolicies, Denial};

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
    pub loaded_at: UnixSeconds,
}
