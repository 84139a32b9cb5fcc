//! Facts that are collected only where a policy reads them. A sign-in that another policy set decided may lack one that
//! the policies about its token read. It must not count as absent: that could switch a forbid off.

use super::reads::FactDependencies;
use super::set::PolicyEngine;
use super::tools::ToolQuestion;
use crate::policy::facts::{Access, CustomReads, Facts, OptionalClaim};

/// The facts that policies about a token read, and that its sign-in may have had without their being collected.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::policy) struct NotCollected {
    client_address: bool,
    requested_scopes: bool,
    custom_claims: CustomReads,
}

impl NotCollected {
    /// What recorded facts lack of what the policies read.
    pub fn of(policies: &PolicyEngine, facts: &Facts) -> Self {
        let (reads, declared) = (policies.reads().of_token(facts), policies.declared_claims());
        let claims = &facts.claims;
        let is_known = |name: &String| {
            claims.custom.0.contains_key(name)
                || claims.not_known.iter().any(|claim| *claim == OptionalClaim::Custom(name.clone()))
        };
        let missing = declared.read(reads.custom).into_keys().filter(|name| !is_known(name));
        let custom_claims =
            missing.fold(CustomReads::default(), |all, name| all.and(declared.read_of(&name)));
        Self {
            client_address: reads.request.client_address != Access::No && facts.client_address.is_none(),
            requested_scopes: reads.request.requested_scopes != Access::No
                && facts.candidates.requested.is_none(),
            custom_claims,
        }
    }

    /// Whether a policy that the question meets reads one of them.
    pub fn concerns(&self, policies: &PolicyEngine, facts: &Facts, asked: ToolQuestion<'_>) -> bool {
        *self != Self::default() && asked.reads(policies, facts).iter().any(|reads| self.is_among(reads))
    }

    fn is_among(&self, reads: &FactDependencies) -> bool {
        (self.client_address && reads.request.client_address != Access::No)
            || (self.requested_scopes && reads.request.requested_scopes != Access::No)
            || self.custom_claims.overlaps(reads.custom)
    }
}
