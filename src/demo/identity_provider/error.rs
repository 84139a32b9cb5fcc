//! Internal errors, and the token endpoint's answers to them.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A failure of the demo identity provider itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The RSA key could not be generated.
    #[error("the signing key could not be generated")]
    KeyGeneration,
    /// A kept RSA key cannot be read, or one cannot be written.
    #[error("the signing key cannot be read")]
    KeyFormat,
    /// The random number generator failed.
    #[error("no random bytes are available")]
    Random,
    /// A token could not be serialized.
    #[error("the token could not be serialized")]
    Serialize(#[from] serde_json::Error),
    /// A token could not be signed.
    #[error("the token could not be signed")]
    Sign,
    /// A token that came back is not one that this identity provider issued.
    #[error("the token was not issued by this identity provider")]
    Verify(#[from] jsonwebtoken::errors::Error),
    /// The token is another kind of JWT (RFC 8725 section 3.11).
    #[error("the token is of another type")]
    TokenType,
    /// Nobody has this user name.
    #[error("unknown person")]
    UnknownPerson,
    /// The person is not assigned to the application.
    #[error("the person is not assigned to the application")]
    NotAssigned,
    /// No requesting client has this id.
    #[error("unknown client")]
    UnknownClient,
}

/// An error response of the token endpoint (RFC 6749 section 5.2, RFC 8693 section 2.2.2).
#[derive(Debug, thiserror::Error)]
pub(super) enum IdpTokenError {
    #[error("{0}")]
    InvalidRequest(&'static str),
    #[error("{0}")]
    InvalidClient(&'static str),
    #[error("{0}")]
    InvalidGrant(&'static str),
    #[error("only authorization codes and token exchange are supported")]
    UnsupportedGrantType,
    #[error("{0}")]
    InvalidTarget(&'static str),
    #[error("{0}")]
    AccessDenied(&'static str),
    #[error("the identity provider failed")]
    Server(#[from] Error),
}

impl IdpTokenError {
    fn wire(&self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::InvalidClient(_) => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::InvalidGrant(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::InvalidTarget(_) => (StatusCode::BAD_REQUEST, "invalid_target"),
            Self::AccessDenied(_) => (StatusCode::BAD_REQUEST, "access_denied"),
            Self::Server(_) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        }
    }
}

impl IntoResponse for IdpTokenError {
    fn into_response(self) -> Response {
        let (status, code) = self.wire();
        if let Self::Server(cause) = &self {
            tracing::error!(%cause, "the demo identity provider failed");
        }
        let body = json!({ "error": code, "error_description": self.to_string() });
        let mut response = (status, no_store(), Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 section 15.5.2: a 401 names a scheme the client may use.
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"demo identity provider\""),
            );
        }
        response
    }
}

/// RFC 6749 section 5.1: an answer that may carry a token is never cached.
pub(crate) fn no_store() -> [(header::HeaderName, HeaderValue); 2] {
    [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::PRAGMA, HeaderValue::from_static("no-cache")),
    ]
}
