//! Policies that can match no request, and the reason.

use cedar_policy::pst::{self, Clause, StaticPolicy};
use cedar_policy::{Effect, Policy, PolicySet, ValidationMode, ValidationWarning, Validator};
use miette::Diagnostic as _;

use super::read::{Condition, conditions};
use crate::policy::source::depth;
use crate::policy::source::parse::Placed;
use crate::policy::source::problem::{PolicyProblem, Rule};

/// Whether Cedar says that a policy matches nothing.
pub(in crate::policy) fn is_impossible(said: &ValidationWarning) -> bool {
    matches!(said, ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_))
}

/// Reports a policy that Cedar says matches nothing. A permit that never matches gets noticed, but a forbid that never
/// matches lets everybody in.
pub(in crate::policy) fn cannot_match(
    placed: &Placed<'_>,
    said: &ValidationWarning,
    validator: &Validator,
) -> PolicyProblem {
    let why = depth::with_stack(|| why(&placed.policy, validator));
    let why = why.unwrap_or_else(|| "no request can meet all of its conditions".to_owned());
    let (rule, verb) = match placed.policy.effect() {
        Effect::Permit => (Rule::CannotMatch, "permit"),
        Effect::Forbid => (Rule::ForbidCannotMatch, "forbid"),
    };
    let problem = placed.problem(rule, format!("{}: it can {verb} nothing: {why}", placed.id()));
    match said.help() {
        Some(help) => problem.help(help),
        None => problem.help("correct it, or take the policy out"),
    }
}

/// The first part of the policy that makes it match nothing.
fn why(policy: &Policy, validator: &Validator) -> Option<String> {
    let pst = policy.to_pst().ok()?;
    let parts = conditions(pst.body().clauses());
    let matches_nothing = |count: usize| {
        let clauses = parts.iter().take(count).map(clause);
        let body = pst.body().clone().try_with_clauses(clauses).ok()?;
        let shortened = Policy::from_pst(pst::Policy::Static(StaticPolicy::try_from(body).ok()?)).ok()?;
        let set = PolicySet::from_policies([shortened]).ok()?;
        let result = validator.validate(&set, ValidationMode::Strict);
        Some(result.validation_warnings().any(is_impossible))
    };
    let count = (0..=parts.len()).find(|count| matches_nothing(*count) == Some(true))?;
    Some(match count.checked_sub(1).and_then(|last| parts.get(last)) {
        None => "no question has such a principal, action and resource".to_owned(),
        Some((expression, true)) => format!("`{expression}` never holds"),
        Some((expression, false)) => format!("`{expression}` always holds"),
    })
}

fn clause((expression, wanted): &Condition) -> Clause {
    match wanted {
        true => Clause::When(expression.clone()),
        false => Clause::Unless(expression.clone()),
    }
}
