//! Whether a policy set permits anything that another does not.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Entities, Entity, EntityUid, RequestEnv, Schema, ValidationMode, Validator};
use serde::Serialize;

use super::assumptions::Assumptions;
use super::counterexample::{FoundAnswer, FoundCase, confirm};
use super::proof::{beyond, bounded, failure};
use super::solver::{Prover, Undecided};
use crate::policy::engine::constraints::applies;
use crate::policy::facts::action_uid;
use crate::policy::source::depth;
use crate::policy::{Action, Validated};

/// The effect of a change of the policies on one action.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The action that both sets were asked about.
    pub action: Action,
    /// Whether the new set permits what the old one did not.
    pub wider: ProvenDirection,
    /// Whether the old set permitted what the new one does not.
    pub narrower: ProvenDirection,
}

/// The answer for one direction.
#[derive(Debug, Clone)]
pub enum ProvenDirection {
    /// Proved for every request.
    No,
    /// This request shows it.
    Yes(Box<FoundDifference>),
    /// Neither proved nor refuted, and why.
    Undecided(String),
}

/// A request on which the sets differ, with the authorizer's answer under each.
#[derive(Debug, Clone, Serialize)]
pub struct FoundDifference {
    /// The request.
    pub case: FoundCase,
    /// The old set's answer to it.
    pub old: FoundAnswer,
    /// The new set's answer to it.
    pub new: FoundAnswer,
}

/// Compares two sets for each action, both under the new set's schema.
pub async fn widening(prover: &mut Prover, old: &Validated, new: &Validated) -> Vec<Comparison> {
    let change = PolicyChange { old, new };
    let fits = change.fits();
    let mut comparisons = Vec::new();
    for action in Action::ALL {
        let (wider, narrower) = match &fits {
            Ok(()) => {
                (change.beyond(prover, action, new, old).await, change.beyond(prover, action, old, new).await)
            }
            Err(why) => (ProvenDirection::Undecided(why.clone()), ProvenDirection::Undecided(why.clone())),
        };
        comparisons.push(Comparison { action, wider, narrower });
    }
    comparisons
}

/// Which groups each action is in.
fn groups(schema: &Schema) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let actions = schema.action_entities().map_err(|error| error.to_string())?;
    let around = |action: &Entity| {
        let ancestors = actions.ancestors(&action.uid()).into_iter().flatten();
        (action.uid().to_string(), ancestors.map(ToString::to_string).collect())
    };
    Ok(actions.iter().map(around).collect())
}

/// Whether each old action is still in its old groups, and no new action is in an old group.
fn keeps_groups(old: &BTreeMap<String, BTreeSet<String>>, new: &BTreeMap<String, BTreeSet<String>>) -> bool {
    let is_kept = |(action, groups): (&String, &BTreeSet<String>)| new.get(action) == Some(groups);
    let known: BTreeSet<&String> = old.keys().chain(old.values().flatten()).collect();
    let mut added = new.iter().filter(|(action, _)| !old.contains_key(*action));
    old.iter().all(is_kept) && added.all(|(_, groups)| groups.iter().all(|group| !known.contains(group)))
}

/// Whether two sets have the same text about an action: then no solver is needed.
fn says_the_same(first: &Validated, second: &Validated, action: &EntityUid, groups: &Entities) -> bool {
    let about = |set: &Validated| -> BTreeMap<String, Option<String>> {
        let policies = set.set.policies().filter(|p| applies(&p.action_constraint(), action, groups));
        policies.map(|policy| (policy.id().to_string(), policy.to_cedar())).collect()
    };
    about(first) == about(second)
}

struct PolicyChange<'a> {
    old: &'a Validated,
    new: &'a Validated,
}

impl PolicyChange<'_> {
    /// Checks that the old policies mean the same under the new schema.
    fn fits(&self) -> Result<(), String> {
        if !keeps_groups(&groups(&self.old.schema)?, &groups(&self.new.schema)?) {
            return Err(
                "the schemas group actions differently, so `action in` means something else".to_owned()
            );
        }
        let validator = Validator::new(self.new.schema.clone());
        let result = depth::with_stack(|| validator.validate(&self.old.set, ValidationMode::Strict));
        let errors: Vec<String> = result.validation_errors().map(ToString::to_string).collect();
        match errors.is_empty() {
            true => Ok(()),
            false => Err(format!("the old policies do not fit the new schema: {}", errors.join("; "))),
        }
    }

    /// Whether the first set permits what the second does not.
    async fn beyond(
        &self,
        prover: &mut Prover,
        action: Action,
        first: &Validated,
        second: &Validated,
    ) -> ProvenDirection {
        let uid = action_uid(action.name());
        let (first, second) = (first.deciding(&uid), second.deciding(&uid));
        let groups = self.new.schema.action_entities();
        if groups.is_ok_and(|groups| says_the_same(first, second, &uid, &groups)) {
            return ProvenDirection::No;
        }
        let environments: Vec<RequestEnv> =
            self.new.schema.request_envs().filter(|environment| *environment.action() == uid).collect();
        if environments.is_empty() {
            return ProvenDirection::Undecided(format!("the new schema has no {uid}"));
        }
        let mut direction = ProvenDirection::No;
        for environment in environments {
            match self.difference(prover, &environment, first, second).await {
                Ok(None) => {}
                Ok(Some(found)) => return ProvenDirection::Yes(Box::new(found)),
                Err(why) => direction = ProvenDirection::Undecided(why.to_string()),
            }
        }
        direction
    }

    async fn difference(
        &self,
        prover: &mut Prover,
        environment: &RequestEnv,
        first: &Validated,
        second: &Validated,
    ) -> Result<Option<FoundDifference>, Undecided> {
        let schema = &self.new.schema;
        let assumptions = Assumptions::of(environment, schema)?;
        let compiled = |policies: &Validated| bounded(&policies.set, &assumptions, environment, schema);
        let Some(env) = beyond(prover, &compiled(first)?, &compiled(second)?).await? else {
            self.never_denies_by_failing(prover, environment, first, second).await?;
            return Ok(None);
        };
        let as_found = FoundAnswer::of(first, &env).allowed && !FoundAnswer::of(second, &env).allowed;
        confirm(as_found, &env, &assumptions)?;
        let action = environment.action();
        let old = FoundAnswer::of(self.old.deciding(action), &env);
        let new = FoundAnswer::of(self.new.deciding(action), &env);
        Ok(Some(FoundDifference { case: FoundCase::of(&env), old, new }))
    }

    /// The service denies when the evaluation of a policy fails, but the solver skips such a policy: requests that the
    /// second set denies only for that reason would look permitted. This checks that no policy of either set can fail.
    async fn never_denies_by_failing(
        &self,
        prover: &mut Prover,
        environment: &RequestEnv,
        first: &Validated,
        second: &Validated,
    ) -> Result<(), Undecided> {
        let schema = &self.new.schema;
        let assumptions = Assumptions::of(environment, schema)?;
        for policy in second.set.policies() {
            if first.set.policy(policy.id()).is_some_and(|other| other.to_cedar() == policy.to_cedar()) {
                continue;
            }
            if failure(prover, policy, environment, &assumptions, schema).await?.is_some() {
                let id = policy.id();
                let why = format!("the evaluation of {id} can fail, which the service answers with a denial");
                return Err(Undecided::because(why));
            }
        }
        Ok(())
    }
}
