//! Stored decisions: in memory for equal facts, and in the decision log with the facts behind them.

mod control;
mod decisions;
mod key;
mod recorded;
mod token_facts;
mod tool_memory;

pub use control::CacheControl;
pub use decisions::{CompiledPolicies, RecordedDecision, decide_recorded};
pub use recorded::RecordedFacts;
pub use token_facts::{TokenFacts, decide_tool};
