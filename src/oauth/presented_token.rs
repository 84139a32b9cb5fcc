//! The form of introspection (RFC 7662 §2.1) and revocation (RFC 7009 §2.1).

use super::error::TokenError;
use super::form::{Form, FormCredentials};

/// A token that somebody presents, with their credentials if the form has any.
#[derive(Debug)]
pub struct PresentedToken {
    /// The token, which nobody has verified yet; none when the parameter is absent or empty.
    token: Option<String>,
    /// The caller's credentials.
    pub credentials: FormCredentials,
}

impl PresentedToken {
    /// Parses a form. `token_type_hint` says nothing new: there is one type of token.
    pub fn parse(body: &[u8]) -> Result<Self, TokenError> {
        let mut form = Form::parse(body)?;
        Ok(Self { token: form.take("token"), credentials: form.take_credentials() })
    }

    /// The token, which must be there.
    pub fn token(self) -> Result<String, TokenError> {
        self.token.ok_or_else(|| TokenError::invalid_request("token is missing."))
    }
}
