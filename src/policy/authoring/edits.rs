//! The effect of a change on each policy, and the changes that could permit more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cedar_policy::{Effect, Policy, PolicySet};
use serde::Serialize;

use crate::policy::engine::decision::PolicyAnswer;
use crate::policy::{CompiledPolicies, Validated};

/// Policies by what became of them; their ids.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Edits {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<String>,
}

/// A policy whose change could permit more: a removed or changed forbid, a new or changed permit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loosening {
    pub policy: String,
    pub effect: &'static str,
    /// `added`, `removed` or `changed`.
    pub change: &'static str,
}

impl fmt::Display for Loosening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} {} `{}`", self.change, self.effect, self.policy)
    }
}

/// The policies that took part in a replay, as far as changing them could permit more.
#[derive(Debug, Default)]
pub struct Exercised {
    /// The old set's forbids that matched.
    forbids: BTreeSet<String>,
    /// The new set's permits that allowed something.
    permits: BTreeSet<String>,
}

impl Exercised {
    /// Notes how the old and the new set answered.
    pub fn note(
        &mut self,
        old: (&CompiledPolicies, &[PolicyAnswer]),
        new: (&CompiledPolicies, &[PolicyAnswer]),
    ) {
        self.forbids.extend(taking_part(old, Effect::Forbid, false));
        self.permits.extend(taking_part(new, Effect::Permit, true));
    }

    /// Adds what another replay has shown.
    pub fn and(&mut self, other: Self) {
        self.forbids.extend(other.forbids);
        self.permits.extend(other.permits);
    }

    /// The changes that could permit more and that the replay did not exercise.
    pub fn unexercised(&self, old: &Validated, new: &Validated) -> Vec<Loosening> {
        let mut loosenings = loosenings(old, new);
        loosenings.retain(|loosening| match loosening.effect {
            "forbid" => !self.forbids.contains(&loosening.policy),
            _ => !self.permits.contains(&loosening.policy),
        });
        loosenings
    }
}

fn taking_part(
    (policies, answers): (&CompiledPolicies, &[PolicyAnswer]),
    effect: Effect,
    allowed: bool,
) -> impl Iterator<Item = String> {
    let answers = answers.iter().filter(move |answer| answer.allowed == allowed);
    let ids = answers.flat_map(|answer| &answer.policies);
    ids.filter(move |id| policies.effect(id) == Some(effect)).cloned()
}

/// The effect on each policy. A policy is unchanged as long as its Cedar text is.
pub fn edits(old: &Validated, new: &Validated) -> Edits {
    let (old, new) = (by_id(&old.set), by_id(&new.set));
    let without = |these: &BTreeMap<String, &Policy>, others: &BTreeMap<String, &Policy>| {
        these.keys().filter(|id| !others.contains_key(*id)).cloned().collect()
    };
    let differs = |(id, policy): &(&String, &&Policy)| {
        old.get(*id).is_some_and(|old| old.to_cedar() != policy.to_cedar())
    };
    Edits {
        added: without(&new, &old),
        removed: without(&old, &new),
        changed: new.iter().filter(differs).map(|(id, _)| id.clone()).collect(),
    }
}

fn by_id(set: &PolicySet) -> BTreeMap<String, &Policy> {
    set.policies().map(|policy| (policy.id().to_string(), policy)).collect()
}

fn loosenings(old: &Validated, new: &Validated) -> Vec<Loosening> {
    let (old, new) = (by_id(&old.set), by_id(&new.set));
    let mut found = Vec::new();
    for (these, others, effect, gone) in
        [(&old, &new, Effect::Forbid, "removed"), (&new, &old, Effect::Permit, "added")]
    {
        for (id, policy) in these.iter().filter(|(_, policy)| policy.effect() == effect) {
            let change = match others.get(id) {
                None => gone,
                Some(other) if !is_same_rule(policy, other) => "changed",
                Some(_) => continue,
            };
            let effect = if effect == Effect::Forbid { "forbid" } else { "permit" };
            found.push(Loosening { policy: id.clone(), effect, change });
        }
    }
    found
}

/// Whether two policies say the same, whatever their annotations.
fn is_same_rule(one: &Policy, other: &Policy) -> bool {
    let (Ok(one), Ok(other)) = (one.to_pst(), other.to_pst()) else { return false };
    let (one, other) = (one.body(), other.body());
    one.effect == other.effect
        && one.principal == other.principal
        && one.action == other.action
        && one.resource == other.resource
        && one.clauses() == other.clauses()
}
