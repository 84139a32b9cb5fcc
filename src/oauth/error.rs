//! The errors of the token endpoint: the code on the wire, the reason in the decision log,
//! a short public text, and a private cause.

use std::borrow::Cow;
use std::error::Error as StdError;

pub use super::code::ErrorCode;
pub use super::reason::Reason;
use super::step_up::StepUp;

/// A refused token request.
#[derive(Debug, thiserror::Error)]
#[error("{reason}: {description}")]
pub struct TokenError {
    /// The code and status of the answer.
    pub code: ErrorCode,
    /// The stable reason for logs, metrics and policies' authors, finer than the code.
    pub reason: Reason,
    /// `error_description`: constant, or a policy's `@message`.
    pub description: Cow<'static, str>,
    /// For the decision log: what was expected and what came. Never a secret.
    pub detail: String,
    /// Seconds, for 429 and 503.
    pub retry_after: Option<u64>,
    /// What the person has to do, where a policy says so.
    pub step_up: Option<Box<StepUp>>,
    /// For the log.
    #[source]
    pub cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// The text for a claim that cannot be taken as it is.
pub const CLAIM_MALFORMED: &str =
    "A claim of the assertion is malformed: the identity provider has to correct it.";

/// Before the signature is verified, whoever asks learns nothing about what was wrong (ERR-03).
pub const NOT_ACCEPTED: &str = "The assertion was not accepted. Whoever runs this server finds the reason by the X-Request-Id of this answer.";

impl TokenError {
    /// An error with a public text.
    pub fn new(code: ErrorCode, reason: Reason, description: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason,
            description: description.into(),
            detail: String::new(),
            retry_after: None,
            step_up: None,
            cause: None,
        }
    }

    /// A malformed request (RFC 6749 §5.2).
    pub fn invalid_request(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidRequest, Reason::REQUEST_MALFORMED, description)
    }

    /// A request that took too long.
    pub fn timeout() -> Self {
        Self::new(ErrorCode::Timeout, Reason::REQUEST_MALFORMED, "The request took too long.")
    }

    /// An assertion that was refused before its signature was found good: one constant text.
    pub fn unverified(reason: Reason) -> Self {
        Self::new(ErrorCode::InvalidGrant, reason, NOT_ACCEPTED)
    }

    /// An authentic assertion that breaks a rule, which may be named.
    pub fn invalid_grant(reason: Reason, description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidGrant, reason, description)
    }

    /// Something of ours, or the identity provider, is out of order for now; nothing was consumed.
    pub fn unavailable(reason: Reason, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let mut error =
            Self::new(ErrorCode::TemporarilyUnavailable, reason, "Temporarily unavailable; try again later.");
        error.retry_after = Some(5);
        error.cause = Some(cause.into());
        error
    }

    /// The same, with what was expected and what came.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

impl From<crate::random::NoEntropy> for TokenError {
    fn from(error: crate::random::NoEntropy) -> Self {
        Self::unavailable(Reason::INTERNAL, error)
    }
}

/// Somebody else's text in a detail: short, and in one line of printable ASCII.
pub fn shown(text: &str) -> String {
    let cut: String = text.chars().take(200).collect();
    format!("\"{}\"", cut.escape_default())
}
