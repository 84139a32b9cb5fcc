//! A policy taken apart: the requests it can apply to, and the conditions for it to match.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::pst::{BinaryOp, Clause, Expr};
use cedar_policy::{
    ActionConstraint, Effect, EntityTypeName, Policy, PrincipalConstraint, ResourceConstraint,
};

use crate::policy::source::parse::Placed;
use crate::policy::validate::vocabulary::{ActionWords, Vocabulary};

/// A policy with its head and its conditions.
pub(super) struct PolicyParts<'p, 'v> {
    pub placed: &'p Placed<'p>,
    pub head: Head<'v>,
    pub clauses: Vec<Clause>,
}

/// The actions and entity types that a head allows.
pub(super) struct Head<'v> {
    pub actions: Vec<(&'v str, &'v ActionWords)>,
    pub principals: BTreeSet<&'v str>,
    pub resources: BTreeSet<&'v str>,
}

/// A part of a condition, and whether it must be true or false for the policy to match.
pub(super) type Condition = (Arc<Expr>, bool);

impl<'p, 'v> PolicyParts<'p, 'v> {
    /// Reads a policy; none for one that has no form in Cedar's syntax tree, which Cedar refuses anyway.
    pub fn of(placed: &'p Placed<'p>, vocabulary: &'v Vocabulary) -> Option<Self> {
        let clauses = placed.policy.to_pst().ok()?.body().clauses().clone();
        Some(Self { placed, head: Head::of(&placed.policy, vocabulary), clauses })
    }

    pub fn effect(&self) -> Effect {
        self.placed.policy.effect()
    }

    /// All of what must hold.
    pub fn conditions(&self) -> Vec<Condition> {
        conditions(&self.clauses)
    }
}

/// All of what must hold.
pub(super) fn conditions(clauses: &[Clause]) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for clause in clauses {
        match clause {
            Clause::When(expression) => split(expression, true, &mut conditions),
            Clause::Unless(expression) => split(expression, false, &mut conditions),
        }
    }
    conditions
}

/// `a && b` requires both parts; a false `a || b` requires that both parts are false.
fn split(expression: &Arc<Expr>, wanted: bool, conditions: &mut Vec<Condition>) {
    let joint = if wanted { BinaryOp::And } else { BinaryOp::Or };
    match &**expression {
        Expr::BinaryOp { op, left, right } if *op == joint => {
            split(left, wanted, conditions);
            split(right, wanted, conditions);
        }
        _ => conditions.push((Arc::clone(expression), wanted)),
    }
}

impl<'v> Head<'v> {
    fn of(policy: &Policy, vocabulary: &'v Vocabulary) -> Self {
        let constraint = policy.action_constraint();
        let named = |name: &str| match &constraint {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(uid) => uid.id().unescaped() == name,
            ActionConstraint::In(uids) => {
                uids.iter().any(|uid| vocabulary.is_within(name, uid.id().unescaped()))
            }
        };
        let actions: Vec<(&str, &ActionWords)> = vocabulary
            .actions
            .iter()
            .filter(|(name, _)| named(name))
            .map(|(name, words)| (name.as_str(), words))
            .collect();
        let principal = match policy.principal_constraint() {
            PrincipalConstraint::Is(kind) | PrincipalConstraint::IsIn(kind, _) => Some(kind),
            PrincipalConstraint::Eq(uid) => Some(uid.type_name().clone()),
            PrincipalConstraint::Any | PrincipalConstraint::In(_) => None,
        };
        let resource = match policy.resource_constraint() {
            ResourceConstraint::Is(kind) | ResourceConstraint::IsIn(kind, _) => Some(kind),
            ResourceConstraint::Eq(uid) => Some(uid.type_name().clone()),
            ResourceConstraint::Any | ResourceConstraint::In(_) => None,
        };
        Self {
            principals: left(principal, actions.iter().flat_map(|(_, words)| &words.principals)),
            resources: left(resource, actions.iter().flat_map(|(_, words)| &words.resources)),
            actions,
        }
    }
}

/// The named types that the head leaves.
fn left<'v>(head: Option<EntityTypeName>, named: impl Iterator<Item = &'v String>) -> BTreeSet<&'v str> {
    let head = head.map(|kind| kind.to_string());
    named.filter(|name| head.as_ref().is_none_or(|head| head == *name)).map(String::as_str).collect()
}
