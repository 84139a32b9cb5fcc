//! Facts as the decision log keeps them: enough to ask other policies about a past sign-in.

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::set::CompiledPolicies;
use crate::random::digest;

/// Facts with the person's groups as digests: a policy that names a group can still be asked about it, but
/// the log cannot be read for who is in which group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordedFacts(Facts);

impl RecordedFacts {
    /// For the log.
    pub fn of(facts: &Facts) -> Self {
        let mut kept = facts.clone();
        for group in &mut kept.claims.groups {
            *group = digest(&facts.group_id(group));
        }
        Self(kept)
    }

    /// What the log keeps, as JSON.
    pub fn json_of(facts: &Facts) -> String {
        // Plain data always serializes; the log would show the gap.
        match facts.claims.groups.is_empty() {
            true => serde_json::to_string(facts).unwrap_or_default(),
            false => serde_json::to_string(&Self::of(facts)).unwrap_or_default(),
        }
    }

    /// The facts again, with those of the groups that the policies name.
    pub fn recall(self, policies: &CompiledPolicies) -> Facts {
        let mut facts = self.0;
        let digests = std::mem::take(&mut facts.claims.groups);
        let own = format!("{}/", facts.teamspace.slug);
        let named = policies.named_groups().iter().filter(|id| digests.contains(&digest(id)));
        facts.claims.groups = named.filter_map(|id| id.strip_prefix(&own)).map(str::to_owned).collect();
        facts
    }
}
