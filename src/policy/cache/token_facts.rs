//! Facts for questions about a token: those of the sign-in that it came from, as the decision log has them.

use std::sync::{Arc, PoisonError, RwLock};

use super::control::CacheControl;
use super::recorded::RecordedFacts;
use crate::clock::UnixSeconds;
use crate::policy::Policies;
use crate::policy::action::Topic;
use crate::policy::engine::decision::Explained;
use crate::policy::engine::denial::Denial;
use crate::policy::engine::not_applied::{NotApplied, not_applied_to_token};
use crate::policy::engine::not_collected::NotCollected;
use crate::policy::engine::set::PolicyEngine;
use crate::policy::engine::tools::{ToolDecision, ToolQuestion, explain_about_token};
use crate::policy::facts::Facts;

/// The sign-in that a token came from, ready for questions about the token. It remembers what the policy set in force
/// needs of it, so keep it as long as the token is used.
#[derive(Debug)]
pub struct TokenFacts {
    recorded: RecordedFacts,
    /// The set that decided the sign-in.
    policy_set: String,
    scopes: Vec<String>,
    recalled: RwLock<Option<Arc<Recalled>>>,
}

/// The facts as one policy set sees them.
#[derive(Debug)]
struct Recalled {
    policy_set: String,
    facts: Facts,
    not_collected: NotCollected,
}

impl TokenFacts {
    /// Reads the facts that the decision log has of the sign-in. `policy_set` is the hash of the set that decided it,
    /// `scopes` are the token's.
    ///
    /// # Errors
    ///
    /// When the row has no facts, or has them in a form that is not known.
    pub fn recorded(
        facts: &str,
        policy_set: impl Into<String>,
        scopes: Vec<String>,
    ) -> Result<Self, serde_json::Error> {
        let recorded = serde_json::from_str(facts)?;
        Ok(Self { recorded, policy_set: policy_set.into(), scopes, recalled: RwLock::default() })
    }

    /// The facts of a sign-in that is not in the decision log, as that would have them. `policy_set` is the hash of the
    /// set that decided it, `scopes` are the token's.
    pub fn supposed(facts: &Facts, policy_set: impl Into<String>, scopes: Vec<String>) -> Self {
        let recorded = RecordedFacts::of(facts);
        Self { recorded, policy_set: policy_set.into(), scopes, recalled: RwLock::default() }
    }

    /// The facts in JSON, as the decision log has them.
    pub fn to_json(&self) -> String {
        // Plain data always serializes.
        serde_json::to_string(&self.recorded).unwrap_or_default()
    }

    /// Decides as [`decide_tool`] does, and explains which clauses made the difference.
    pub fn explain(
        &self,
        policies: &Policies,
        asked: ToolQuestion<'_>,
        now: UnixSeconds,
    ) -> (Explained, Result<(), Denial>) {
        let compiled = &policies.compiled;
        let recalled = self.recall(compiled.deciding(Topic::Tools).unwrap_or(compiled), &policies.hash);
        let facts = recalled.facts.at(now);
        match recalled.not_collected.concerns(compiled, &facts, asked) {
            true => {
                let refused = ToolDecision::refused(asked, &facts, Denial::not_collected());
                (Explained { answer: refused.answer, findings: Vec::new() }, refused.outcome)
            }
            false => explain_about_token(compiled, &facts, asked),
        }
    }

    /// Finds the policies that did not apply to a question.
    pub fn not_applied(
        &self,
        policies: &Policies,
        asked: ToolQuestion<'_>,
        now: UnixSeconds,
        explained: &Explained,
    ) -> NotApplied {
        let compiled = &policies.compiled;
        let recalled = self.recall(compiled.deciding(Topic::Tools).unwrap_or(compiled), &policies.hash);
        not_applied_to_token(compiled, &recalled.facts.at(now), asked, explained)
    }

    fn recall(&self, policies: &PolicyEngine, hash: &str) -> Arc<Recalled> {
        let known = self.recalled.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.policy_set == hash) {
            return known;
        }
        let facts = self.recorded.clone().recall(policies).of_token(self.scopes.clone());
        // A set that decided the sign-in had its own facts collected.
        let not_collected = match self.policy_set == hash {
            true => NotCollected::default(),
            false => NotCollected::of(policies, &facts),
        };
        let recalled = Arc::new(Recalled { policy_set: hash.to_owned(), facts, not_collected });
        *self.recalled.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&recalled));
        recalled
    }
}

/// Decides a question about a token, or returns the remembered decision for equal facts. The answer is no if it cannot
/// be decided.
pub fn decide_tool(
    policies: &Policies,
    token: &TokenFacts,
    asked: ToolQuestion<'_>,
    now: UnixSeconds,
    control: &CacheControl,
) -> Arc<ToolDecision> {
    let deciding = match policies.compiled.deciding(Topic::Tools) {
        Ok(deciding) => deciding,
        Err(error) => {
            tracing::error!(%error, "cannot decide");
            let facts = token.recall(&policies.compiled, &policies.hash);
            return Arc::new(ToolDecision::refused(asked, &facts.facts, Denial::undecidable()));
        }
    };
    let recalled = token.recall(deciding, &policies.hash);
    let facts = recalled.facts.at(now);
    if recalled.not_collected.concerns(deciding, &facts, asked) {
        return Arc::new(ToolDecision::refused(asked, &facts, Denial::not_collected()));
    }
    policies.compiled.about_tools().decide(deciding, &facts, asked, control)
}
