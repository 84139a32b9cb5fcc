//! What an answer says: the policies behind it and, where it is no, why.

use crate::oauth::error::{CLAIM_MALFORMED, ErrorCode, Reason};

/// Says no, and nothing about any policy.
const NOT_PERMITTED: &str = "No policy permits this.";

/// Why an answer is no: what goes on the wire, and every reason for the log.
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
    /// What is said to those who may learn of none of these policies.
    pub neutral: (ErrorCode, &'static str),
}

/// An answer and the policies that determined it; when none permitted, the permits that were not met too.
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

    /// A refusal since these policies, or the facts, could not be evaluated.
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

    /// No policy permits it, and more is not to be said.
    pub fn unpermitted() -> Self {
        Self::of(ErrorCode::AccessDenied, Reason::POLICY_DENIED, NOT_PERMITTED)
    }

    /// A claim that policies read is there and cannot be taken whole: if it counted as absent, the way in which a
    /// provider spells it could switch a forbid off.
    pub fn not_known() -> Self {
        Self::of(ErrorCode::InvalidGrant, Reason::CLAIM_MALFORMED, CLAIM_MALFORMED)
    }

    /// A policy, or our facts, could not be evaluated: refused, since skipping a forbid would open.
    pub fn undecidable() -> Self {
        Self::of(ErrorCode::AccessDenied, Reason::POLICY_ERROR, "The request could not be decided.")
    }
}
