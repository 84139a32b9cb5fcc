//! Finds uses of `@lifetime`, which shortens the life of tokens, that have no effect.

use cedar_policy::Effect;

use super::read::PolicyParts;
use crate::policy::action::Action;
use crate::policy::engine::annotations::{LIFETIME, lifetime};
use crate::policy::source::problem::{PolicyProblem, Rule};

/// The questions whose permits a token rests on.
const GRANTS: [&str; 3] =
    [Action::GrantResource.name(), Action::GrantScope.name(), Action::GrantDetail.name()];

/// A `@lifetime` that cannot be read, or that would do nothing.
pub(super) fn misused(read: &PolicyParts<'_, '_>) -> Option<PolicyProblem> {
    let text = read.placed.policy.annotation(LIFETIME)?;
    let id = read.placed.id();
    // A group has no principal, so its members are used.
    let mut asked = read.head.actions.iter().filter(|(_, words)| !words.principals.is_empty());
    let about_others = asked.any(|(action, _)| !GRANTS.contains(action));
    let (message, help) = if lifetime(text).is_none() {
        (
            format!("{id}: @{LIFETIME}(\"{text}\") is no duration of 1s to 1h"),
            "write it as in @lifetime(\"15m\")",
        )
    } else if read.effect() == Effect::Forbid {
        (
            format!("{id}: @{LIFETIME} has a meaning on a permit only"),
            "put it on the permits that grant the scope",
        )
    } else if about_others {
        let message =
            format!("{id}: @{LIFETIME} has a meaning for GrantResource, GrantScope and GrantDetail only");
        (message, "name one of them in the head, or Action::\"grant\"")
    } else {
        return None;
    };
    Some(read.placed.problem(Rule::Lifetime, message).help(help))
}
