//! The answer that the browser brings back from the provider (RFC 6749 §4.1.2, RFC 9207).

use serde::Deserialize;

use super::error::SignInError;

/// The query of the callback. A provider may add other parameters.
#[derive(Deserialize)]
pub struct Answer {
    #[serde(default)]
    pub state: String,
    pub(super) code: Option<String>,
    pub(super) error: Option<String>,
    /// The issuer, from providers that tell it.
    pub(super) iss: Option<String>,
}

/// The errors that pages and log lines name; whatever else came is not repeated.
const KNOWN: [&str; 12] = [
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "invalid_request",
    "invalid_scope",
    "login_required",
    "request_not_supported",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_response_type",
];

impl Answer {
    /// The code, unless the provider refused or somebody else answered.
    pub(super) fn code(&self, issuer: &str) -> Result<&str, SignInError> {
        if self.iss.as_deref().is_some_and(|iss| iss != issuer) {
            return Err(SignInError::AnsweredByAnother);
        }
        match (&self.error, &self.code) {
            (Some(error), _) => {
                let known = KNOWN.into_iter().find(|known| known == error);
                Err(SignInError::Refused(known.unwrap_or("an unknown error")))
            }
            (None, Some(code)) if !code.is_empty() => Ok(code),
            (None, _) => Err(SignInError::NoCode),
        }
    }
}
