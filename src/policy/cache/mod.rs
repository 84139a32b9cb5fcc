//! Stored decisions: in memory for equal facts, and in the decision log with the facts behind them.

mod decisions;
mod key;
mod recorded;

pub use decisions::{CacheControl, CompiledPolicies, RecordedDecision, decide_recorded};
pub use recorded::RecordedFacts;
