//! Whether the token of a made-up sign-in could call a tool: decided as forward-auth would.

use super::telling::Telling;
use crate::model::resource::Resource;
use crate::oauth::reason::Reason;
use crate::policy::facts::Facts;
use crate::policy::{Explained, Permitted, Policies, TokenFacts, ToolQuestion};
use crate::token::ToolAccess;

/// The answer about a tool.
#[derive(Debug)]
pub struct ToolAnswer {
    /// The name of the tool.
    pub tool: String,
    /// The policies' answer; none where they were not asked.
    pub decision: Option<Explained>,
    /// The reason why forward-auth would not let the call through.
    pub outcome: Result<(), ToolRefused>,
}

/// Why forward-auth would not let a call through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolRefused {
    /// The token would lack a scope that every request needs.
    LacksScope,
    /// The token would be limited to other tools (RFC 9396).
    LimitedToOthers,
    /// The policies about tools deny it.
    Denied {
        /// The reason that the asker may learn.
        reason: Reason,
        /// The words for the caller.
        message: String,
    },
}

/// The token that the sign-in would lead to.
pub(super) struct SupposedToken<'a> {
    pub resource: &'a Resource,
    pub facts: &'a Facts,
    pub permitted: &'a Permitted,
}

impl SupposedToken<'_> {
    /// Asks about a tool, right after the sign-in.
    pub fn ask(&self, policies: &Policies, tool: &str, telling: &Telling<'_>) -> ToolAnswer {
        let answer = |decision, outcome| ToolAnswer { tool: tool.to_owned(), decision, outcome };
        if !self.resource.is_content_with(self.permitted.scopes()) {
            return answer(None, Err(ToolRefused::LacksScope));
        }
        match ToolAccess::of(self.resource, self.permitted.details(), tool) {
            ToolAccess::LimitedToOthers => answer(None, Err(ToolRefused::LimitedToOthers)),
            ToolAccess::Free => answer(None, Ok(())),
            ToolAccess::ByPolicies => {
                let scopes = self.permitted.scopes().to_vec();
                let facts = TokenFacts::supposed(self.facts, &*policies.hash, scopes);
                let asked = ToolQuestion::Call(tool);
                let (explained, outcome) = facts.explain(policies, asked, self.facts.now);
                let outcome = outcome.map_err(|denial| {
                    let (reason, message) = telling.denial(&denial);
                    ToolRefused::Denied { reason, message }
                });
                answer(Some(telling.decision(explained)), outcome)
            }
        }
    }
}
