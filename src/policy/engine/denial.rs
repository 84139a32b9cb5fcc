//! The content of an answer: the policies behind it and, if it is no, the reasons.

use crate::oauth::error::{CLAIM_MALFORMED, ErrorCode, Reason};

/// Says no, and nothing about any policy.
const NOT_PERMITTED: &str = "No policy permits this.";

/// A refusal: the wire's part of it, and every reason for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The code on the wire.
    pub error: ErrorCode,
    /// The text on the wire, from the policy's `@message`; constant where the service itself says no.
    pub message: String,
    /// The most telling one first.
    pub reasons: Vec<Reason>,
    /// The policies that give the reasons, the most telling one first; none where the service itself says no.
    pub policies: Vec<String>,
    /// The code and text for those who may not learn of any of these policies.
    pub neutral: (ErrorCode, &'static str),
}

/// An answer with the policies that determined it; if none permitted, also the permits whose conditions were not met.
#[derive(Debug, Clone)]
pub struct EngineAnswer {
    pub policies: Vec<String>,
    pub denial: Option<Denial>,
    /// The shortest `@lifetime` of the permits that determined it, in seconds.
    pub lifetime: Option<i64>,
}

impl EngineAnswer {
    /// No.
    pub fn denied(policies: Vec<String>, denial: Denial) -> Self {
        Self { policies, denial: Some(denial), lifetime: None }
    }

    /// A refusal because these policies, or the facts, could not be evaluated.
    pub fn undecidable(policies: Vec<String>) -> Self {
        Self::denied(policies, Denial::undecidable())
    }
}

impl Denial {
    /// For one reason.
    pub fn of(error: ErrorCode, reason: Reason, message: impl Into<String>) -> Self {
        let neutral = (ErrorCode::AccessDenied, NOT_PERMITTED);
        Self { error, message: message.into(), reasons: vec![reason], policies: Vec::new(), neutral }
    }

    /// A refusal because no policy permits it, without further explanation.
    pub fn unpermitted() -> Self {
        Self::of(ErrorCode::AccessDenied, Reason::POLICY_DENIED, NOT_PERMITTED)
    }

    /// A refusal because a claim that policies read is present but unusable. If it counted as absent, a provider's
    /// spelling could switch a forbid off.
    pub fn not_known() -> Self {
        Self::of(ErrorCode::InvalidGrant, Reason::CLAIM_MALFORMED, CLAIM_MALFORMED)
    }

    /// A refusal because a policy reads a fact that was not collected at the sign-in. The next sign-in has it.
    pub fn not_collected() -> Self {
        let reason = Reason::of_policy("fact_not_recorded");
        Self::of(ErrorCode::AccessDenied, reason, "The sign-in was under other policies. Sign in again.")
    }

    /// A refusal because a policy, or our facts, could not be evaluated: skipping a forbid would open access.
    pub fn undecidable() -> Self {
        Self::of(ErrorCode::AccessDenied, Reason::POLICY_ERROR, "The request could not be decided.")
    }
}
