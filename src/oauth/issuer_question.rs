//! The form of a client's question about an issuer (draft-ietf-oauth-identity-assertion-authz-grant §9.4).

use super::error::TokenError;
use super::form::{Form, FormCredentials};

/// A client's question, with its credentials if the form has any.
#[derive(Debug)]
pub struct IssuerQuestion {
    issuer: Option<String>,
    resources: Vec<String>,
    /// The caller's credentials.
    pub credentials: FormCredentials,
}

impl IssuerQuestion {
    /// Parses a form.
    pub fn parse(body: &[u8]) -> Result<Self, TokenError> {
        let mut form = Form::parse(body)?;
        let resources = form.take_all("resource");
        Ok(Self { issuer: form.take("issuer"), resources, credentials: form.take_credentials() })
    }

    /// The issuer, which must be there, and the resource, of which there is at most one.
    pub fn asked(self) -> Result<(String, Option<String>), TokenError> {
        let issuer = self.issuer.ok_or_else(|| TokenError::invalid_request("issuer is missing."))?;
        let mut resources = self.resources.into_iter();
        match (resources.next(), resources.next()) {
            (resource, None) => Ok((issuer, resource)),
            _ => Err(TokenError::invalid_request("resource is repeated.")),
        }
    }
}
