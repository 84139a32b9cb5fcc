//! What can go wrong at the token endpoint: the code on the wire, the reason in the decision log,
//! a short public text, and a private cause.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// The `error` member of an error answer (RFC 6749 §5.2 and its extensions) with its HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    InvalidRequest,
    /// The same code for a body that is too large (RFC 9110 §15.5.14).
    BodyTooLarge,
    /// The request did not arrive, or was not answered, in time (RFC 9110 §15.5.9).
    Timeout,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    InvalidScope,
    /// RFC 8707 §2.
    InvalidTarget,
    /// A valid assertion of somebody who is not entitled: asking again with a new one does not help.
    AccessDenied,
    /// 429, with `Retry-After`.
    TooManyRequests,
    /// 503, with `Retry-After`.
    TemporarilyUnavailable,
    ServerError,
}

impl ErrorCode {
    /// The wire's code and status: the one table of both.
    pub const fn wire(self) -> (&'static str, u16) {
        match self {
            Self::InvalidRequest => ("invalid_request", 400),
            Self::BodyTooLarge => ("invalid_request", 413),
            Self::Timeout => ("invalid_request", 408),
            Self::InvalidClient => ("invalid_client", 401),
            Self::InvalidGrant => ("invalid_grant", 400),
            Self::UnauthorizedClient => ("unauthorized_client", 400),
            Self::UnsupportedGrantType => ("unsupported_grant_type", 400),
            Self::InvalidScope => ("invalid_scope", 400),
            Self::InvalidTarget => ("invalid_target", 400),
            Self::AccessDenied => ("access_denied", 400),
            Self::TooManyRequests => ("temporarily_unavailable", 429),
            Self::TemporarilyUnavailable => ("temporarily_unavailable", 503),
            Self::ServerError => ("server_error", 500),
        }
    }

    /// The codes that a policy's `@error` may name, for people.
    pub const OF_POLICIES: &str = "invalid_grant, invalid_scope, invalid_target or access_denied";

    /// A code that a policy's `@error` may name.
    pub fn from_policy(text: &str) -> Option<Self> {
        match text {
            "invalid_grant" => Some(Self::InvalidGrant),
            "invalid_scope" => Some(Self::InvalidScope),
            "invalid_target" => Some(Self::InvalidTarget),
            "access_denied" => Some(Self::AccessDenied),
            _ => None,
        }
    }
}

/// A stable reason code of the decision log; policies add their own with `@reason`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Reason(Cow<'static, str>);

macro_rules! reasons {
    ($($name:ident = $text:literal),+ $(,)?) => {
        impl Reason {
            $(#[doc = concat!("`", $text, "`")] pub const $name: Self = Self(Cow::Borrowed($text));)+

            /// Every reason that the service itself gives.
            pub const ALL: &'static [&'static str] = &[$($text),+];
        }
    };
}

reasons! {
    REQUEST_MALFORMED = "request_malformed",
    CLIENT_UNKNOWN = "client_unknown",
    CLIENT_AUTH_FAILED = "client_auth_failed",
    CLIENT_BLOCKED = "client_blocked",
    GRANT_UNSUPPORTED = "grant_unsupported",
    ASSERTION_MALFORMED = "assertion_malformed",
    TYP_WRONG = "typ_wrong",
    ALG_NOT_ALLOWED = "alg_not_allowed",
    ISSUER_UNKNOWN = "issuer_unknown",
    ISSUER_DISABLED = "issuer_disabled",
    ISSUER_UNREACHABLE = "issuer_unreachable",
    KID_UNKNOWN = "kid_unknown",
    SIGNATURE_BAD = "signature_bad",
    AUD_MISMATCH = "aud_mismatch",
    CLIENT_ID_MISMATCH = "client_id_mismatch",
    EXPIRED = "expired",
    NOT_YET_VALID = "not_yet_valid",
    LIFETIME_TOO_LONG = "lifetime_too_long",
    CLAIM_MISSING = "claim_missing",
    CLAIM_MALFORMED = "claim_malformed",
    REPLAYED = "replayed",
    RESOURCE_MISSING = "resource_missing",
    RESOURCE_NOT_ALLOWED = "resource_not_allowed",
    SCOPE_UNKNOWN = "scope_unknown",
    SCOPE_NOT_AUTHORIZED = "scope_not_authorized",
    SCOPE_NOT_IN_SETTING = "scope_not_in_setting",
    EMAIL_MISSING = "email_missing",
    MEMBER_INACTIVE = "member_inactive",
    MEMBER_LIMIT_REACHED = "member_limit_reached",
    SUBJECT_CONFLICT = "subject_conflict",
    TENANT_MISMATCH = "tenant_mismatch",
    SESSION_REVOKED = "session_revoked",
    PROOF_MISSING = "proof_missing",
    DETAILS_UNSUPPORTED = "authorization_details_unsupported",
    POLICY_DENIED = "policy_denied",
    POLICY_ERROR = "policy_error",
    RATE_LIMITED = "rate_limited",
    INTERNAL = "internal",
}

impl Reason {
    /// A reason that a policy names.
    pub fn of_policy(text: impl Into<String>) -> Self {
        Self(Cow::Owned(text.into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A refused token request.
#[derive(Debug, thiserror::Error)]
#[error("{reason}: {description}")]
pub struct TokenError {
    pub code: ErrorCode,
    pub reason: Reason,
    /// `error_description`: constant, or a policy's `@message`.
    pub description: Cow<'static, str>,
    /// For the decision log: what was expected and what came. Never a secret.
    pub detail: String,
    /// Seconds, for 429 and 503.
    pub retry_after: Option<u64>,
    /// For the log.
    #[source]
    pub cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// The text for a claim that cannot be taken as it is.
pub const CLAIM_MALFORMED: &str = "A claim of the assertion is malformed.";

/// Before the signature is verified, whoever asks learns nothing about what was wrong (ERR-03).
pub const NOT_ACCEPTED: &str = "The assertion was not accepted.";

impl TokenError {
    /// An error with a public text.
    pub fn new(code: ErrorCode, reason: Reason, description: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason,
            description: description.into(),
            detail: String::new(),
            retry_after: None,
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
