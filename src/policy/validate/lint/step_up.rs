//! Finds uses of `@acr_values` and `@max_age`, which ask for another sign-in, that have no effect.

use cedar_policy::Effect;

use super::read::PolicyParts;
use crate::oauth::error::ErrorCode;
use crate::policy::action::{Action, Topic};
use crate::policy::engine::annotations::{ACR_VALUES, MAX_AGE, are_acr_values, max_age};
use crate::policy::source::problem::{PolicyProblem, Rule};

/// An annotation that cannot be read or would do nothing, or an `@error` that lacks them.
pub(super) fn misused(read: &PolicyParts<'_, '_>) -> Option<PolicyProblem> {
    let annotation = |name: &str| read.placed.policy.annotation(name);
    let (acr, age) = (annotation(ACR_VALUES), annotation(MAX_AGE));
    let code = ErrorCode::InsufficientUserAuthentication;
    let has_error = annotation("error").and_then(ErrorCode::from_policy) == Some(code);
    let name = code.wire().0;
    let has_person = |action: &str| {
        Action::named(action).is_some_and(|of| of.topic() != Topic::Console && of != Action::ConfigureIssuer)
    };
    // A group has no principal, so its members are used.
    let mut asked = read.head.actions.iter().filter(|(_, words)| !words.principals.is_empty());
    let about_others = asked.any(|(action, _)| !has_person(action));
    let (message, help) = match (acr, age) {
        (None, None) if has_error => (
            format!("@error(\"{name}\") does not say which sign-in will do"),
            "add @acr_values(\"…\") or @max_age(\"15m\")",
        ),
        (None, None) => return None,
        (Some(text), _) if !are_acr_values(text) => (
            format!("@{ACR_VALUES}(\"{text}\") is no list of values with single spaces between them"),
            "write it as the identity provider names it",
        ),
        (_, Some(text)) if max_age(text).is_none() => (
            format!("@{MAX_AGE}(\"{text}\") is no duration of 1s to 365d"),
            "write it as in @max_age(\"15m\")",
        ),
        _ if read.effect() == Effect::Permit => (
            "@acr_values and @max_age have a meaning on a forbid only".to_owned(),
            "put them on the forbid that another sign-in lifts",
        ),
        _ if !has_error => {
            (format!("@acr_values and @max_age need @error(\"{name}\")"), "change @error, or leave them out")
        }
        _ if about_others => (
            "@acr_values and @max_age have a meaning for sign-ins and tools only".to_owned(),
            "name their actions in the head",
        ),
        _ => return None,
    };
    let message = format!("{}: {message}", read.placed.id());
    Some(read.placed.problem(Rule::StepUp, message).help(help))
}
