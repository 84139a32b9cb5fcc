//! The bearer guard in front of the MCP endpoint (RFC 6750, RFC 9728 section 5).

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access_token::{self, AccessTokenError, ExpectedToken};
use super::keys::IssuerKeySet;
use super::{McpServerConfig, metadata};
use crate::clock::{Clock as _, SystemClock};

/// The guard's memory between requests.
pub(super) struct Guard {
    config: Arc<McpServerConfig>,
    keys: IssuerKeySet,
    /// The parameters that every challenge carries.
    directions: String,
}

impl Guard {
    pub(super) fn new(config: Arc<McpServerConfig>) -> Self {
        let mut directions = format!("resource_metadata={}", quoted(&metadata::url(&config.resource)));
        if !config.scopes_supported.is_empty() {
            let scope = quoted(&config.scopes_supported.join(" "));
            let _ = write!(directions, ", scope={scope}");
        }
        Self { keys: IssuerKeySet::new(config.jwks_uri.clone(), config.ca_file.clone()), config, directions }
    }

    /// Unix seconds; the only place where this module asks for the time. A clock before 1970
    /// lets every token have expired.
    fn now(&self) -> u64 {
        SystemClock.now().unsigned_abs()
    }

    fn refuse(&self, refusal: &GuardRefusal) -> Response {
        let status = refusal.status();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return status.into_response();
        }
        let challenge = match refusal.code() {
            // RFC 6750 section 3.1: no error code for a request without credentials.
            None => format!("Bearer {}", self.directions),
            Some(code) => format!(
                "Bearer error=\"{code}\", error_description={}, {}",
                quoted(&refusal.to_string()),
                self.directions
            ),
        };
        let challenge =
            HeaderValue::try_from(challenge).unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        (status, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
    }
}

/// Why a request does not reach the tools.
#[derive(Debug, thiserror::Error)]
enum GuardRefusal {
    #[error("the request carries no access token")]
    NoCredentials,
    #[error("the request carries more than one Authorization header")]
    SeveralCredentials,
    #[error("the access token belongs in the Authorization header")]
    TokenInQuery,
    #[error(transparent)]
    Token(#[from] AccessTokenError),
}

impl GuardRefusal {
    /// RFC 6750 section 3.1.
    fn status(&self) -> StatusCode {
        match self {
            Self::NoCredentials => StatusCode::UNAUTHORIZED,
            Self::SeveralCredentials | Self::TokenInQuery => StatusCode::BAD_REQUEST,
            // A client that hears `invalid_token` throws away a token that may be good.
            Self::Token(AccessTokenError::KeysUnavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Token(_) => StatusCode::UNAUTHORIZED,
        }
    }

    fn code(&self) -> Option<&'static str> {
        match self {
            Self::NoCredentials => None,
            Self::SeveralCredentials | Self::TokenInQuery => Some("invalid_request"),
            Self::Token(_) => Some("invalid_token"),
        }
    }
}

/// The middleware: a request goes on only with a verified token in its extensions.
pub(super) async fn require_access_token(
    State(guard): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let verified = match credentials(request.uri(), request.headers()) {
        Ok(token) => verify(&guard, token).await,
        Err(refusal) => Err(refusal),
    };
    match verified {
        Ok(token) => {
            // MCP forbids passing the token on; whoever comes next does not even see it.
            request.headers_mut().remove(header::AUTHORIZATION);
            request.extensions_mut().insert(token);
            next.run(request).await
        }
        Err(refusal) => {
            if let GuardRefusal::Token(AccessTokenError::KeysUnavailable(cause)) = &refusal {
                tracing::warn!(?cause, "the issuer's signing keys are not available");
            }
            guard.refuse(&refusal)
        }
    }
}

async fn verify(guard: &Guard, token: &str) -> Result<access_token::CallerToken, GuardRefusal> {
    let expected =
        ExpectedToken { issuer: &guard.config.issuer, resource: &guard.config.resource, now: guard.now() };
    Ok(access_token::verify(token, &guard.keys, &expected).await?)
}

/// The bearer token of the one `Authorization` header (RFC 6750 section 2.1).
fn credentials<'a>(uri: &Uri, headers: &'a HeaderMap) -> Result<&'a str, GuardRefusal> {
    if has_token_in_query(uri) {
        return Err(GuardRefusal::TokenInQuery);
    }
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(GuardRefusal::NoCredentials)?;
    if values.next().is_some() {
        return Err(GuardRefusal::SeveralCredentials);
    }
    let text = value.to_str().map_err(|_| AccessTokenError::Malformed)?;
    // RFC 9110 section 11.1: the scheme is case-insensitive; other schemes are not for us.
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(token.trim()),
        _ => Err(GuardRefusal::NoCredentials),
    }
}

/// RFC 6750 section 2.3 puts tokens into logs and histories; MCP forbids it.
fn has_token_in_query(uri: &Uri) -> bool {
    Query::<Vec<(String, String)>>::try_from_uri(uri)
        .is_ok_and(|Query(pairs)| pairs.iter().any(|(name, _)| name == "access_token"))
}

/// A quoted-string (RFC 9110 section 5.6.4).
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}
