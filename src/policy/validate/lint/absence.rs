//! Forbids that stop nobody if the assertion leaves a claim out.

use std::collections::BTreeMap;

use cedar_policy::{Effect, PrincipalConstraint, ResourceConstraint};

use super::absent::{Absent, GROUPS, claims_read};
use super::read::{Condition, PolicyParts};
use crate::policy::action::Action;
use crate::policy::engine::annotations::{ALLOW_ABSENT, allows_absent};
use crate::policy::source::problem::{PolicyProblem, Rule};
use crate::policy::source::spelling::nearest;

/// A warning for each claim without which a forbid stops nobody, although somebody might then get in.
pub(super) fn escapes(policies: &[PolicyParts<'_, '_>]) -> Vec<PolicyProblem> {
    let mut others: BTreeMap<String, OtherForbids<'_, '_>> = BTreeMap::new();
    let mut problems = Vec::new();
    for forbid in policies.iter().filter(|read| read.effect() == Effect::Forbid) {
        for claim in claims_read(forbid) {
            let absent = Absent::of(&claim);
            if absent.matches(forbid) != Some(false) || is_allowed(forbid, &claim) {
                continue;
            }
            let others = others.entry(claim.clone()).or_insert_with(|| OtherForbids::of(policies, &absent));
            if !others.refuse(forbid, &absent) {
                problems.push(problem(forbid, &claim));
            }
        }
    }
    problems
}

fn problem(forbid: &PolicyParts<'_, '_>, claim: &str) -> PolicyProblem {
    let message = format!("{}: an assertion without `{claim}` escapes this forbid", forbid.placed.id());
    let instead = match claim {
        GROUPS => "unless { context.claims has groups && !(principal in …) }".to_owned(),
        claim => format!("unless {{ context.claims has {claim} && … }}"),
    };
    let help = format!(
        "write what must hold, `{instead}`; or, if nobody is to be stopped then, add @{ALLOW_ABSENT}(\"{claim}\")"
    );
    forbid.placed.problem(Rule::AbsentClaim, message).help(help)
}

fn is_allowed(forbid: &PolicyParts<'_, '_>, claim: &str) -> bool {
    allows_absent(&forbid.placed.policy, claim)
}

/// Claims that `@allow_absent` names in vain.
pub(super) fn allowed_in_vain(read: &PolicyParts<'_, '_>) -> Vec<PolicyProblem> {
    let names = read.placed.policy.annotation(ALLOW_ABSENT).unwrap_or_default().split_whitespace();
    let (id, known) = (read.placed.id(), claims_read(read));
    let let_through = |name: &str| Absent::of(name).matches(read) == Some(false);
    let told = |message: String| read.placed.problem(Rule::AnnotationUnknown, message);
    let problem = |name: &str| {
        if read.effect() == Effect::Permit {
            let message = format!(
                "{id}: on a permit, @{ALLOW_ABSENT} has a meaning for `email` and Action::\"{}\" only",
                Action::ProvisionMember.name()
            );
            return (!lets_in_without_email(read, name)).then(|| told(message));
        }
        if !known.contains(name) {
            let problem =
                told(format!("{id}: @{ALLOW_ABSENT} names `{name}`, which the forbid does not ask for"));
            return Some(match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
        (!let_through(name)).then(|| {
            told(format!("{id}: @{ALLOW_ABSENT} names `{name}`, which the forbid can match without"))
                .help("take the annotation out")
        })
    };
    names.filter_map(problem).collect()
}

/// Whether a permit can let newcomers in without the claim that is named, an email.
fn lets_in_without_email(read: &PolicyParts<'_, '_>, name: &str) -> bool {
    let asks = |(action, _): &(&str, _)| *action == Action::ProvisionMember.name();
    name == "email" && read.head.actions.iter().all(asks) && Absent::of(name).matches(read) != Some(false)
}

/// The other policies that may refuse when a claim is absent.
struct OtherForbids<'r, 'v> {
    /// The forbids that can still match, each with its remaining conditions.
    forbids: Vec<(&'r PolicyParts<'r, 'v>, Vec<Condition>)>,
    /// For each question, whether a permit can still match.
    permitted: BTreeMap<&'v str, bool>,
}

impl<'r, 'v> OtherForbids<'r, 'v> {
    fn of(policies: &'r [PolicyParts<'r, 'v>], absent: &Absent<'_>) -> Self {
        let (mut forbids, mut permitted) = (Vec::new(), BTreeMap::new());
        for read in policies {
            let matches = absent.matches(read) != Some(false);
            match read.effect() {
                Effect::Permit => {
                    for (action, _) in &read.head.actions {
                        *permitted.entry(*action).or_default() |= matches;
                    }
                }
                Effect::Forbid if matches => {
                    let open = |(expression, wanted): &Condition| absent.holds(expression) != Some(*wanted);
                    forbids.push((read, read.conditions().into_iter().filter(open).collect()));
                }
                Effect::Forbid => {}
            }
        }
        Self { forbids, permitted }
    }

    /// Whether everybody whom the forbid would have stopped is also refused without the claim: either nothing is
    /// permitted then, or another forbid stops them.
    fn refuse(&self, forbid: &PolicyParts<'_, '_>, absent: &Absent<'_>) -> bool {
        let nothing_permitted =
            forbid.head.actions.iter().all(|(action, _)| self.permitted.get(action) == Some(&false));
        let conditions = forbid.conditions();
        let left = |condition: &&Condition| absent.holds(&condition.0).is_none();
        let given: Vec<&Condition> = conditions.iter().filter(left).collect();
        nothing_permitted
            || self.forbids.iter().any(|(other, asked)| {
                is_wider(other, forbid) && asked.iter().all(|condition| given.contains(&condition))
            })
    }
}

/// Whether one head covers everything that another covers.
fn is_wider(wide: &PolicyParts<'_, '_>, narrow: &PolicyParts<'_, '_>) -> bool {
    let actions =
        narrow.head.actions.iter().all(|(name, _)| wide.head.actions.iter().any(|(n, _)| n == name));
    let (principal, resource) =
        (wide.placed.policy.principal_constraint(), wide.placed.policy.resource_constraint());
    let principals = match &principal {
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => {
            narrow.head.principals.is_subset(&wide.head.principals)
        }
        other => *other == narrow.placed.policy.principal_constraint(),
    };
    let resources = match &resource {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => {
            narrow.head.resources.is_subset(&wide.head.resources)
        }
        other => *other == narrow.placed.policy.resource_constraint(),
    };
    actions && principals && resources
}
