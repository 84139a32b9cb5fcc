//! Invariants: limits that the policies must never exceed, written in Cedar as well.

use cedar_policy::{
    Effect, Entities, EntityUid, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use serde::Serialize;

use super::solver::Undecided;
use crate::policy::engine::constraints::applies;
use crate::policy::source::depth;
use crate::policy::source::parse::{self, Placed};
use crate::policy::source::source_file::SourceFile;
use crate::policy::source::{self, PolicyPlace};
use crate::policy::{LoadError, PolicyProblem, Rule};

/// A file of policies. Each policy has an `@id`, and as its `@message` the sentence to prove.
///
/// For each action that its policies name, nothing may be permitted beyond what it permits. If it has only forbids for
/// an action, everything else counts as permitted.
#[derive(Debug)]
pub struct Invariant {
    /// The file's name.
    pub file: String,
    set: PolicySet,
    action_groups: Entities,
}

/// A policy of an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InvariantSentence {
    /// The policy's `@id`.
    pub id: String,
    /// The statement in words, from its `@message`.
    pub message: String,
}

impl Invariant {
    /// Reads every `*.cedar` file directly in `dir`, by name, and validates it strictly.
    pub fn read_all(dir: impl Into<PolicyPlace>, schema: &Schema) -> Result<Vec<Self>, LoadError> {
        let (mut invariants, mut problems) = (Vec::new(), Vec::new());
        for file in &source::read_dir(&dir.into(), &mut problems) {
            match Self::read(file, schema) {
                Ok(invariant) => invariants.push(invariant),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(invariants) } else { Err(LoadError(problems)) }
    }

    fn read(file: &SourceFile, schema: &Schema) -> Result<Self, Vec<PolicyProblem>> {
        let mut problems = Vec::new();
        let parsed = parse::policies(file, &mut problems);
        let set = identified(file, &parsed, &mut problems);
        let validator = Validator::new(schema.clone());
        let result = depth::with_stack(|| validator.validate(&set, ValidationMode::Strict));
        let errors = result.validation_errors();
        problems.extend(errors.map(|error| PolicyProblem::diagnosed(Rule::Type, file, error)));
        if !problems.is_empty() {
            return Err(problems);
        }
        let invalid = |error| vec![PolicyProblem::new(Rule::SchemaInvalid, &file.path, error)];
        let action_groups = schema.action_entities().map_err(invalid)?;
        Ok(Self { file: file.name(), set, action_groups })
    }

    /// Its policies by id.
    pub(super) fn policies(&self) -> Vec<&Policy> {
        let mut policies: Vec<&Policy> = self.set.policies().collect();
        policies.sort_by(|a, b| a.id().cmp(b.id()));
        policies
    }

    /// Its part about one action; none if no policy of it names the action.
    pub(super) fn about(&self, action: &EntityUid) -> Option<ActionLimits<'_>> {
        let mut policies = self.policies();
        policies.retain(|policy| applies(&policy.action_constraint(), action, &self.action_groups));
        (!policies.is_empty()).then_some(ActionLimits { policies })
    }
}

/// An invariant's part about one action.
pub(super) struct ActionLimits<'a> {
    policies: Vec<&'a Policy>,
}

impl ActionLimits<'_> {
    /// The requests that may be permitted. Without a permit, that is everything not forbidden.
    pub(super) fn set(&self) -> Result<PolicySet, Undecided> {
        let mut policies: Vec<Policy> = self.policies.iter().copied().cloned().collect();
        if self.permits().next().is_none() {
            let rest = PolicyId::new("countersign: everything else");
            let permit = Policy::parse(Some(rest), "permit (principal, action, resource);");
            policies.push(permit.map_err(Undecided::because)?);
        }
        PolicySet::from_policies(policies).map_err(Undecided::because)
    }

    /// The sentences that are proved.
    pub(super) fn claim(&self) -> String {
        let messages: Vec<String> = self.policies.iter().map(|policy| statement(policy).message).collect();
        messages.join(" ")
    }

    /// The sentence that a denied request violates, found by the policies that determined it: its forbids, or else all
    /// its permits, since none matched.
    pub(super) fn broken(&self, deciding: &[PolicyId]) -> Vec<InvariantSentence> {
        let forbids = self.policies.iter().filter(|policy| deciding.contains(policy.id()));
        let mut broken: Vec<InvariantSentence> = forbids.map(|policy| statement(policy)).collect();
        if broken.is_empty() {
            broken.extend(self.permits().map(statement));
        }
        broken
    }

    fn permits(&self) -> impl Iterator<Item = &Policy> {
        self.policies.iter().copied().filter(|policy| policy.effect() == Effect::Permit)
    }
}

fn statement(policy: &Policy) -> InvariantSentence {
    let message = policy.annotation("message").unwrap_or_default();
    InvariantSentence { id: policy.id().to_string(), message: message.to_owned() }
}

/// The policies, each with its `@id` as its id.
fn identified(file: &SourceFile, parsed: &[Placed<'_>], problems: &mut Vec<PolicyProblem>) -> PolicySet {
    if parsed.is_empty() && problems.is_empty() {
        problems.push(PolicyProblem::new(Rule::Empty, &file.path, "no policy; there is nothing to prove"));
    }
    let mut set = PolicySet::new();
    for placed in parsed {
        let said = |key| placed.policy.annotation(key).is_some_and(|value| !value.trim().is_empty());
        if !said("id") {
            problems.push(placed.problem(Rule::IdMissing, "the policy has no @id"));
        } else if !said("message") {
            let missing = "has no @message, the sentence that is to be proved";
            problems.push(placed.problem(Rule::AnnotationMissing, missing));
        } else if set.add(placed.policy.new_id(placed.id())).is_err() {
            problems.push(placed.problem(Rule::IdDuplicate, "its @id is used twice in this file"));
        }
    }
    set
}
