//! Claims that are present but unusable: they must not count as absent.

use super::denial::Denial;
use super::reads::{FactDependencies, Groups};
use super::set::PolicyEngine;
use crate::policy::facts::{Access, DeclaredClaims, Facts, MemberFacts, OptionalClaim};

/// Refuses facts with an unusable claim that a policy reads, or that a first sign-in needs. `reads` is what the policies
/// read that are asked.
pub(in crate::policy) fn check_known(
    policies: &PolicyEngine,
    facts: &Facts,
    reads: impl FnOnce() -> Vec<FactDependencies>,
) -> Result<(), Denial> {
    let mistaken = mistaken_claims(policies, facts);
    let mut not_known = facts.claims.not_known.iter().chain(&mistaken).peekable();
    if not_known.peek().is_none() {
        return Ok(());
    }
    let is_first = matches!(facts.member, MemberFacts::Absent { .. });
    let reads = reads();
    let own_group = names_group_of(policies, &facts.teamspace.slug);
    let is_needed = |claim: &OptionalClaim| {
        (is_first && *claim == OptionalClaim::Email)
            || reads.iter().any(|reads| reads.include(claim, own_group, policies.declared_claims()))
    };
    if not_known.any(is_needed) { Err(Denial::not_known()) } else { Ok(()) }
}

/// The custom claims whose values have another type than the policies expect.
fn mistaken_claims(policies: &PolicyEngine, facts: &Facts) -> Vec<OptionalClaim> {
    let declared = policies.declared_claims();
    let claims = facts.claims.custom.0.iter();
    let mistaken = claims.filter(|(name, value)| declared.type_of(name) != Some(value.claim_type()));
    mistaken.map(|(name, _)| OptionalClaim::Custom(name.clone())).collect()
}

/// Whether a policy names a group of this teamspace: its people cannot be in another teamspace's groups.
fn names_group_of(policies: &PolicyEngine, slug: &str) -> bool {
    let prefix = format!("{slug}/");
    policies.named_groups().range(prefix.clone()..).next().is_some_and(|id| id.starts_with(&prefix))
}

impl FactDependencies {
    fn include(&self, claim: &OptionalClaim, own_group: bool, declared: &DeclaredClaims) -> bool {
        let claims = &self.claims;
        match claim {
            OptionalClaim::Email => claims.email != Access::No || claims.email_domain != Access::No,
            OptionalClaim::EmailVerified => claims.email_verified != Access::No,
            OptionalClaim::Scope => claims.scopes != Access::No,
            OptionalClaim::Custom(name) => self.custom.overlaps(declared.read_of(name)),
            OptionalClaim::Groups => {
                claims.groups != Access::No
                    || match self.groups {
                        Groups::Unread => false,
                        Groups::Named => own_group,
                        Groups::All => true,
                    }
            }
        }
    }
}
