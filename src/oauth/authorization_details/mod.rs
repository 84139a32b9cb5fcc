//! Rich authorization requests (RFC 9396): details of an authorization, as assertions and token requests have them.

mod candidates;
mod detail;
mod fault;
mod places;
mod types;

pub use candidates::{DetailCandidate, DetailCandidates};
pub use detail::{Detail, MCP_TOOL, allow_tool, parse, read};
pub use fault::{DetailSource, DetailsFault};
pub use places::check_places;
pub use types::{DetailTypes, MAX_TOOL_NAME, MCP_TOOL_SCHEMA, UnusableType};
