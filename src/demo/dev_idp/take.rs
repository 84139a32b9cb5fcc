//! An ID-JAG for anybody: what is asked for, and why it is refused.

use axum::http::StatusCode;
use serde::Deserialize;

use super::super::identity_provider::{DemoIdp, Error, WantedAssertion};
use crate::oauth::resource::is_resource_identifier;
use crate::oauth::scope::is_scope_token;

/// The longest client id, in bytes.
const LONGEST: usize = 512;

/// The ID-JAG that somebody asks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdJagForm {
    /// The user name.
    pub person: String,
    /// The client's id at the authorization server.
    #[serde(default)]
    pub client: String,
    /// The MCP server; empty for none.
    #[serde(default)]
    pub resource: String,
    /// The scopes with spaces between them; empty for none.
    #[serde(default)]
    pub scope: String,
}

/// Why there is no ID-JAG.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    #[error("expected a form with person, and if you like client, resource and scope: {0}")]
    NoForm(String),
    #[error("nobody is called {0:?}: expected one of {1}")]
    UnknownPerson(String, String),
    #[error(
        "{0} is not assigned to the application, so there is no ID-JAG: a real identity provider refuses too"
    )]
    NotAssigned(String),
    #[error(
        "client: expected the client's id at the authorization server, at most {LONGEST} printable characters"
    )]
    BadClient,
    #[error("resource: expected an absolute URI without a fragment, such as https://mcp.example.com/mcp")]
    BadResource,
    #[error("scope: expected scopes with one space between them, such as docs.read docs.write")]
    BadScope,
    #[error("the identity provider failed: {0}")]
    Failed(Error),
}

impl TakeError {
    /// The status of an answer that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotAssigned(_) => StatusCode::FORBIDDEN,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl IdJagForm {
    /// The parameters that are not empty.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("person", self.person.as_str()),
            ("client", &self.client),
            ("resource", &self.resource),
            ("scope", &self.scope),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty())
    }

    /// Makes the ID-JAG.
    pub fn take(&self, idp: &DemoIdp, audience: &str) -> Result<String, TakeError> {
        let is_printable = !self.client.is_empty() && !self.client.chars().any(char::is_control);
        if self.client.len() > LONGEST || !is_printable {
            return Err(TakeError::BadClient);
        }
        let resource = Some(self.resource.as_str()).filter(|resource| !resource.is_empty());
        if !resource.is_none_or(is_resource_identifier) {
            return Err(TakeError::BadResource);
        }
        let scope = Some(self.scope.as_str()).filter(|scope| !scope.is_empty());
        if !scope.is_none_or(|scope| scope.split(' ').all(is_scope_token)) {
            return Err(TakeError::BadScope);
        }
        let wanted =
            WantedAssertion { person: &self.person, audience, client_id: &self.client, resource, scope };
        idp.id_jag(&wanted).map_err(|error| match error {
            Error::UnknownPerson => TakeError::UnknownPerson(self.person.clone(), idp.names().join(", ")),
            Error::NotAssigned => TakeError::NotAssigned(self.person.clone()),
            other => TakeError::Failed(other),
        })
    }
}
