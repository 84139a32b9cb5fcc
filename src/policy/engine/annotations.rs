//! The annotations of policies, and the names in them.

use std::collections::HashMap;

use cedar_policy::{Effect, Policy, PolicyId};

use super::names::Names;
use crate::config::Duration;
use crate::oauth::error::{ErrorCode, Reason};
use crate::oauth::step_up::StepUp;

/// The annotations of a policy.
#[derive(Debug, Clone)]
pub struct Annotations {
    /// Whether it permits or forbids.
    pub effect: Effect,
    /// Whether it has a `when` or `unless`.
    pub conditional: bool,
    /// The reason of a refusal: `@reason` of a forbid, `@otherwise` of a permit that does not apply.
    pub reason: Reason,
    /// The code on the wire: `@error`, or `access_denied` where it has none.
    pub error: ErrorCode,
    /// None: it has no `@message`.
    pub message: Option<String>,
    /// The longest life of a token that rests on the permit, in seconds.
    pub lifetime: Option<i64>,
    /// Whether the permit lets in newcomers without an email: its `@allow_absent` names `email`.
    pub admits_without_email: bool,
    /// The sign-in that would lift the refusal: `@acr_values` and `@max_age` of a forbid.
    pub step_up: Option<StepUp>,
    /// The teamspaces, people and servers that the policy names, so that others learn nothing of it.
    pub names: Names,
}

/// The annotations of a set's policies, by policy.
#[derive(Debug, Default)]
pub struct AnnotatedSet(HashMap<PolicyId, Annotations>);

/// The annotation that shortens a token's life.
pub(in crate::policy) const LIFETIME: &str = "lifetime";
/// The longest life of any token, in seconds; the setting may be shorter.
const LONGEST_LIFETIME: i64 = 3600;

/// Reads the seconds of a `@lifetime`; none if the text is no duration or out of range.
pub(in crate::policy) fn lifetime(text: &str) -> Option<i64> {
    let seconds = text.parse::<Duration>().ok()?.as_secs();
    (1..=LONGEST_LIFETIME).contains(&seconds).then_some(seconds)
}

/// The annotations that ask for another sign-in.
pub(in crate::policy) const ACR_VALUES: &str = "acr_values";
pub(in crate::policy) const MAX_AGE: &str = "max_age";
/// The longest `@max_age`, in seconds: a year.
const LONGEST_AGE: i64 = 365 * 86_400;

/// Whether a text is a list of authentication context class references: printable, with single spaces, and without what
/// a header would have to escape.
pub(in crate::policy) fn are_acr_values(text: &str) -> bool {
    let is_value = |value: &str| {
        !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
    };
    text.len() <= 500 && text.split(' ').all(is_value)
}

/// Reads the seconds of a `@max_age`; none if the text is no duration or out of range.
pub(in crate::policy) fn max_age(text: &str) -> Option<i64> {
    let seconds = text.parse::<Duration>().ok()?.as_secs();
    (1..=LONGEST_AGE).contains(&seconds).then_some(seconds)
}

/// The annotation that names the claims that may be absent.
pub(in crate::policy) const ALLOW_ABSENT: &str = "allow_absent";

/// Whether a policy says that a claim may be absent.
pub(in crate::policy) fn allows_absent(policy: &Policy, claim: &str) -> bool {
    let named = policy.annotation(ALLOW_ABSENT).unwrap_or_default();
    named.split_whitespace().any(|name| name == claim)
}

/// The message for a policy without a `@message`.
const NO_MESSAGE: &str = "A policy does not permit this.";

impl Annotations {
    fn of(policy: &Policy) -> Self {
        let reason = policy.annotation("reason").or_else(|| policy.annotation("otherwise"));
        let error = policy.annotation("error").and_then(ErrorCode::from_policy);
        Self {
            effect: policy.effect(),
            conditional: policy.has_non_scope_constraint(),
            reason: reason.map_or(Reason::POLICY_DENIED, Reason::of_policy),
            error: error.unwrap_or(ErrorCode::AccessDenied),
            message: policy.annotation("message").map(str::to_owned),
            lifetime: policy.annotation(LIFETIME).and_then(lifetime),
            admits_without_email: policy.effect() == Effect::Permit && allows_absent(policy, "email"),
            step_up: StepUp::of(
                policy.annotation(ACR_VALUES).filter(|text| are_acr_values(text)).map(str::to_owned),
                policy.annotation(MAX_AGE).and_then(max_age),
            ),
            names: Names::of(policy),
        }
    }

    /// Its `@message`, or what stands in its place.
    pub fn text(&self) -> &str {
        self.message.as_deref().unwrap_or(NO_MESSAGE)
    }
}

impl AnnotatedSet {
    /// The annotations of policies whose ids are their `@id`. The caller provides the stack.
    pub(in crate::policy) fn of<'a>(policies: impl Iterator<Item = (PolicyId, &'a Policy)>) -> Self {
        Self(policies.map(|(id, policy)| (id, Annotations::of(policy))).collect())
    }

    /// The annotations of a policy.
    pub fn get(&self, id: &str) -> Option<&Annotations> {
        self.0.get(&PolicyId::new(id))
    }

    pub(in crate::policy) fn of_id(&self, id: &PolicyId) -> Option<&Annotations> {
        self.0.get(id)
    }

    pub(in crate::policy) fn iter(&self) -> impl Iterator<Item = (&PolicyId, &Annotations)> {
        self.0.iter()
    }
}
