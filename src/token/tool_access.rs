//! Looks a tool up in a token's own limits, before any policy is asked.

use crate::model::resource::Resource;
use crate::oauth::authorization_details::{Detail, allow_tool};

/// The next step for the call of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolAccess {
    /// The token is limited to other tools (RFC 9396).
    LimitedToOthers,
    /// The policies about tools decide.
    ByPolicies,
    /// The server has no policies about tools, so the token is enough.
    Free,
}

impl ToolAccess {
    /// That of a tool, for a token with these authorization details.
    pub fn of(resource: &Resource, details: &[Detail], tool: &str) -> Self {
        match allow_tool(details, tool) {
            false => Self::LimitedToOthers,
            true if resource.tool_policies => Self::ByPolicies,
            true => Self::Free,
        }
    }
}
