//! Cuts a policy set into slices, so that a question meets only the policies that can match it.
//!
//! A slice is keyed by action and by the entity in the policy's resource scope, or none. A question asks the slices of
//! {none, the resource, its ancestors} and combines them: any forbid denies, else any permit allows. This is sound
//! because a slice leaves out only policies whose scope cannot match.

use std::collections::HashMap;

use cedar_policy::{Effect, Entities, EntityUid, Policy, PolicySet};

use super::constraints::{applies, resource_key};
use super::reads::SetDependencies;
use crate::policy::action::Action;
use crate::policy::facts::DeclaredClaims;

/// The policies of one action and one resource.
#[derive(Debug, Default)]
pub(in crate::policy) struct Slice {
    pub all: PolicySet,
    pub permits: PolicySet,
    pub reads: SetDependencies,
}

pub(in crate::policy) type Slices = HashMap<Action, HashMap<Option<EntityUid>, Slice>>;

/// The slices of a set, and the facts that its policies read.
pub(in crate::policy) fn slice_up(
    set: &PolicySet,
    actions: &HashMap<Action, EntityUid>,
    action_entities: &Entities,
    declared: &DeclaredClaims,
) -> Result<(Slices, SetDependencies), String> {
    let (mut slices, mut reads) = (Slices::new(), SetDependencies::default());
    for policy in set.policies() {
        let about = actions_of(policy, actions, action_entities);
        reads.add(policy, &about, declared);
        for action in about {
            let slice = slices.entry(action).or_default().entry(resource_key(policy)).or_default();
            slice.add(policy, action, declared)?;
        }
    }
    Ok((slices, reads))
}

/// The actions that a policy is about.
pub(in crate::policy) fn actions_of(
    policy: &Policy,
    actions: &HashMap<Action, EntityUid>,
    action_entities: &Entities,
) -> Vec<Action> {
    let constraint = policy.action_constraint();
    let about = actions.iter().filter(|(_, uid)| applies(&constraint, uid, action_entities));
    about.map(|(action, _)| *action).collect()
}

impl Slice {
    pub fn add(&mut self, policy: &Policy, action: Action, declared: &DeclaredClaims) -> Result<(), String> {
        self.reads.add(policy, &[action], declared);
        self.all.add(policy.clone()).map_err(|e| e.to_string())?;
        match policy.effect() {
            Effect::Permit => self.permits.add(policy.clone()).map_err(|e| e.to_string()),
            Effect::Forbid => Ok(()),
        }
    }

    pub fn remove(
        &mut self,
        policy: &Policy,
        action: Action,
        declared: &DeclaredClaims,
    ) -> Result<(), String> {
        self.all.remove_static(policy.id().clone()).map_err(|e| e.to_string())?;
        if policy.effect() == Effect::Permit {
            self.permits.remove_static(policy.id().clone()).map_err(|e| e.to_string())?;
        }
        self.reads = SetDependencies::default();
        self.all.policies().for_each(|policy| self.reads.add(policy, &[action], declared));
        Ok(())
    }
}
