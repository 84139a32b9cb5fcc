//! The error codes of the wire.

use crate::config::DenialError;

/// The `error` member of an error answer (RFC 6749 §5.2 and its extensions) with its HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// A parameter is missing, repeated or malformed (RFC 6749 §5.2).
    InvalidRequest,
    /// The same code for a body that is too large (RFC 9110 §15.5.14).
    BodyTooLarge,
    /// The request did not arrive, or was not answered, in time (RFC 9110 §15.5.9).
    Timeout,
    /// The client did not prove who it is (RFC 6749 §5.2); 401.
    InvalidClient,
    /// The assertion is not valid, or was used before (RFC 7521 §4.1).
    InvalidGrant,
    /// The proof of possession is no good (RFC 9449 §5).
    InvalidDpopProof,
    /// The proof of possession needs the nonce of the answer (RFC 9449 §8).
    UseDpopNonce,
    /// The client may not use this grant (RFC 6749 §5.2).
    UnauthorizedClient,
    /// The token endpoint does not serve this grant type (RFC 6749 §5.2).
    UnsupportedGrantType,
    /// A scope is malformed, unknown, or not granted (RFC 6749 §5.2).
    InvalidScope,
    /// RFC 8707 §2.
    InvalidTarget,
    /// An authorization detail is malformed, or of a type that is not known (RFC 9396 §5).
    InvalidAuthorizationDetails,
    /// A valid assertion of somebody who is not entitled: asking again with a new one does not help.
    AccessDenied,
    /// The person has to sign in again at the identity provider, by another method or more recently (RFC 9470 §3).
    InsufficientUserAuthentication,
    /// 429, with `Retry-After`.
    TooManyRequests,
    /// 503, with `Retry-After`.
    TemporarilyUnavailable,
    /// The service failed; its log says why; 500.
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
            Self::InvalidDpopProof => ("invalid_dpop_proof", 400),
            Self::UseDpopNonce => ("use_dpop_nonce", 400),
            Self::UnauthorizedClient => ("unauthorized_client", 400),
            Self::UnsupportedGrantType => ("unsupported_grant_type", 400),
            Self::InvalidScope => ("invalid_scope", 400),
            Self::InvalidTarget => ("invalid_target", 400),
            Self::InvalidAuthorizationDetails => ("invalid_authorization_details", 400),
            Self::AccessDenied => ("access_denied", 400),
            Self::InsufficientUserAuthentication => ("insufficient_user_authentication", 400),
            Self::TooManyRequests => ("temporarily_unavailable", 429),
            Self::TemporarilyUnavailable => ("temporarily_unavailable", 503),
            Self::ServerError => ("server_error", 500),
        }
    }

    /// The code to send, where the deployment has one of its own for denials.
    pub const fn for_clients(self, denial: DenialError) -> Self {
        match (self, denial) {
            (Self::AccessDenied, DenialError::InvalidGrant) => Self::InvalidGrant,
            (other, DenialError::AccessDenied | DenialError::InvalidGrant) => other,
        }
    }

    /// The codes that a policy's `@error` may name, for people.
    pub const OF_POLICIES: &str = "invalid_grant, invalid_scope, invalid_target, invalid_authorization_details, access_denied or insufficient_user_authentication";

    /// A code that a policy's `@error` may name.
    pub fn from_policy(text: &str) -> Option<Self> {
        match text {
            "invalid_grant" => Some(Self::InvalidGrant),
            "invalid_scope" => Some(Self::InvalidScope),
            "invalid_target" => Some(Self::InvalidTarget),
            "invalid_authorization_details" => Some(Self::InvalidAuthorizationDetails),
            "access_denied" => Some(Self::AccessDenied),
            "insufficient_user_authentication" => Some(Self::InsufficientUserAuthentication),
            _ => None,
        }
    }
}

/// Serializes as the code on the wire.
impl serde::Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.wire().0)
    }
}
