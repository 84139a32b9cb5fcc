//! The token request, from its form (RFC 6749 §3.2, RFC 7523 §2.1, RFC 8707 §2).

use super::authorization_details::{Detail, DetailSource, parse as parse_details};
use super::error::{ErrorCode, Reason, TokenError};
use super::form::{Form, FormCredentials};
use super::scope::{ScopeFault, split_scope};

/// `grant_type` of RFC 7523 §2.1.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// `grant_type` of draft-parecki-oauth-jwt-dpop-grant: the same for an assertion that names a key.
pub const JWT_DPOP: &str = "urn:ietf:params:oauth:grant-type:jwt-dpop";

/// A well-formed token request of any grant type.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TokenRequest {
    /// The grant that is asked for; never empty.
    pub grant_type: String,
    /// The encoded assertion (RFC 7521 §4.1); none when absent or empty.
    pub assertion: Option<String>,
    /// The scopes asked for, without repetition; none when the parameter is absent or empty.
    pub scope: Option<Vec<String>>,
    /// The values of `resource` (RFC 8707 §2) in the order of the form; it may be repeated.
    pub resource: Vec<String>,
    /// The text of `authorization_details` (RFC 9396 §6); none when absent or empty.
    pub authorization_details: Option<String>,
    /// The client's credentials, if the form has any.
    pub credentials: FormCredentials,
}

/// A request for the JWT bearer grant (RFC 7523 §2.1).
#[derive(Debug, PartialEq, Eq)]
pub struct BearerRequest {
    /// The encoded assertion, which nobody has verified yet.
    pub assertion: String,
    /// The scopes asked for, without repetition; none when the client leaves them to us.
    pub scope: Option<Vec<String>>,
    /// The values of `resource` as they were sent.
    pub resource: Vec<String>,
    /// The details asked for, well-formed (RFC 9396 §6); none without the parameter.
    pub details: Option<Vec<Detail>>,
    /// Whether the grant type demands an assertion that names a key.
    pub demands_key: bool,
}

impl TokenRequest {
    /// Parses a form.
    pub fn parse(body: &[u8]) -> Result<Self, TokenError> {
        let mut form = Form::parse(body)?;
        let scope = form.take("scope").map(|text| parse_scope(&text)).transpose()?;
        Ok(Self {
            grant_type: form.take("grant_type").ok_or_else(|| {
                TokenError::invalid_request(
                    "grant_type is missing: send urn:ietf:params:oauth:grant-type:jwt-bearer.",
                )
            })?,
            assertion: form.take("assertion"),
            scope,
            resource: form.take_all("resource"),
            authorization_details: form.take("authorization_details"),
            credentials: form.take_credentials(),
        })
    }

    /// The JWT bearer request, if the grant is that one, under either name.
    pub fn into_bearer(self) -> Result<BearerRequest, TokenError> {
        if ![JWT_BEARER, JWT_DPOP].contains(&self.grant_type.as_str()) {
            return Err(TokenError::new(
                ErrorCode::UnsupportedGrantType,
                Reason::GRANT_UNSUPPORTED,
                "Only the JWT bearer grant is supported: urn:ietf:params:oauth:grant-type:jwt-bearer.",
            ));
        }
        let details = self.authorization_details.as_deref().map(parse_details).transpose();
        let details = details.map_err(|fault| fault.refusal(DetailSource::Request))?;
        let assertion = self.assertion.ok_or_else(|| {
            TokenError::invalid_request(
                "assertion is missing: send the ID-JAG that the identity provider issued.",
            )
        })?;
        let demands_key = self.grant_type == JWT_DPOP;
        let Self { scope, resource, .. } = self;
        Ok(BearerRequest { assertion, scope, resource, details, demands_key })
    }
}

/// The scope parameter.
pub fn parse_scope(text: &str) -> Result<Vec<String>, TokenError> {
    split_scope(text).map_err(|fault| match fault {
        ScopeFault::TooLong => TokenError::invalid_request("scope is too long: at most 4096 bytes."),
        ScopeFault::TooMany => TokenError::invalid_request("scope lists too many scopes: at most 100."),
        ScopeFault::Character => TokenError::new(
            ErrorCode::InvalidScope,
            Reason::REQUEST_MALFORMED,
            "scope has characters that are not allowed in it.",
        ),
    })
}
