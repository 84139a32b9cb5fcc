//! Cedar policies: read, validated strictly, evaluated, and kept up to date.
//!
//! The modules below are listed in layers, bottom up, like those of the library; a test checks that.

mod action;

pub mod facts;
mod source;

pub mod engine;

mod cache;

pub mod validate;

pub mod authoring;

pub mod reload;

use crate::clock::UnixSeconds;
pub use action::{Action, ConsoleAction, ConsoleScope, Topic};
pub use cache::{
    CacheControl, CompiledPolicies, RecordedDecision, RecordedFacts, TokenFacts, decide_recorded, decide_tool,
};
pub use engine::annotations::{AnnotatedSet, Annotations};
pub use engine::console::{decide_console, explain_console};
pub use engine::decision::{
    Decision, Explained, Permitted, PolicyAnswer, decide, decide_configuration, explain, explain_answers,
    explain_configuration,
};
pub use engine::denial::Denial;
pub use engine::names::{Name, Names};
pub use engine::not_applied::{
    Missed, NotApplied, not_applied, not_applied_configuration, not_applied_console,
};
pub use engine::set::PolicyEngine;
pub use engine::tools::{ToolDecision, ToolQuestion};
pub(crate) use source::depth::with_stack;
pub(crate) use source::problem::counted;
pub use source::problem::{LoadError, PolicyProblem, Rule, Severity};
pub use source::source_file::SourcePlace;
pub use source::{PolicyPlace, PolicySource};
pub use validate::load::{PolicyFile, Validated};

/// The policies in force.
#[derive(Debug)]
pub struct Policies {
    /// The set as questions are asked of it.
    pub compiled: CompiledPolicies,
    /// SHA-256 over schema and files: two replicas that show the same hash decide alike.
    pub hash: String,
    /// The files, each with its policies.
    pub files: Vec<PolicyFile>,
    /// Warnings of the validator, such as a policy that can never match.
    pub warnings: Vec<String>,
    /// The set as text: [`PolicySource::from_content`] makes it again.
    pub content: String,
    /// The time at which it came into force, in seconds since 1970.
    pub loaded_at: UnixSeconds,
}
