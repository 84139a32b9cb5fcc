//! The token exchange: an ID token in, an ID-JAG out (RFC 8693 as the ID-JAG draft profiles it).

use axum::http::{HeaderMap, Uri};
use serde::Serialize;

use super::client_auth::authenticate;
use super::error::IdpTokenError;
use super::parameters::Parameters;
use super::tokens::{self, Assertion, IdToken};
use super::{Connection, DemoIdp, DemoPerson};

pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub(super) const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// A successful answer (RFC 8693 section 2.2.1).
#[derive(Serialize)]
pub(super) struct IdpTokenResponse {
    /// The parameter keeps its historical name although an ID-JAG is no access token.
    access_token: String,
    issued_token_type: &'static str,
    /// `N_A`: the ID-JAG is no credential for a resource, so no token type applies.
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// The whole exchange, in order: client, request, sign-in, connection, assignment, ID-JAG.
pub(super) fn exchange(
    idp: &DemoIdp,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<IdpTokenResponse, IdpTokenError> {
    let client_id = authenticate(&idp.directory(), headers, parameters)?;
    check_request(parameters)?;
    let audience = parameters.require("audience", "audience is missing")?;
    let subject_token = parameters.require("subject_token", "subject_token is missing")?;
    let sign_in = tokens::verify_id_token(idp, subject_token, &client_id)?;
    let (person, connection) = admit(idp, &sign_in, &client_id, audience)?;
    let resource = requested_resource(parameters)?;
    let scope = allowed_scope(parameters.get("scope"), &connection);
    let access_token = tokens::issue_id_jag(
        idp,
        &Assertion {
            person: &person,
            auth_time: sign_in.auth_time,
            audience,
            client_id: &connection.registered_client_id,
            resource,
            scope: scope.as_deref(),
        },
    )?;
    Ok(IdpTokenResponse {
        access_token,
        issued_token_type: ID_JAG,
        token_type: "N_A",
        expires_in: idp.inner.likeness.lifetime(),
        scope,
    })
}

fn check_request(parameters: &Parameters) -> Result<(), IdpTokenError> {
    if parameters.require("grant_type", "grant_type is missing")? != TOKEN_EXCHANGE {
        return Err(IdpTokenError::UnsupportedGrantType);
    }
    if parameters.get("requested_token_type") != Some(ID_JAG) {
        return Err(IdpTokenError::InvalidRequest("requested_token_type must be an ID-JAG"));
    }
    if parameters.get("subject_token_type") != Some(ID_TOKEN) {
        return Err(IdpTokenError::InvalidRequest("subject_token_type must be an ID token"));
    }
    // Ignoring it would hide that somebody acts for the subject (RFC 8693 section 2.1).
    if parameters.get("actor_token").is_some() {
        return Err(IdpTokenError::InvalidRequest("actor_token is not supported"));
    }
    Ok(())
}

/// The person and the connection, if the enterprise lets this person use this resource app.
fn admit(
    idp: &DemoIdp,
    sign_in: &IdToken,
    client_id: &str,
    audience: &str,
) -> Result<(DemoPerson, Connection), IdpTokenError> {
    let directory = idp.directory();
    let connection = directory
        .connection(client_id, audience)
        .ok_or(IdpTokenError::InvalidTarget("the client has no connection to this audience"))?;
    let person = directory
        .person_by_subject(&sign_in.sub)
        .ok_or(IdpTokenError::InvalidRequest("the subject no longer exists"))?;
    if !directory.is_assigned(&person.name, audience) {
        return Err(IdpTokenError::AccessDenied("the user is not assigned to the application"));
    }
    Ok((person.clone(), connection.clone()))
}

/// RFC 8707 section 2: a resource is an absolute URI without a fragment.
fn requested_resource(parameters: &Parameters) -> Result<Option<&str>, IdpTokenError> {
    let Some(resource) = parameters.get("resource") else {
        return Ok(None);
    };
    // `Uri` drops a fragment without a word, so it is looked for in the text.
    let absolute = resource.parse::<Uri>().is_ok_and(|uri| uri.scheme().is_some() && !resource.contains('#'));
    if !absolute {
        return Err(IdpTokenError::InvalidTarget("resource must be an absolute URI without a fragment"));
    }
    Ok(Some(resource))
}

/// The requested scopes that the connection allows, in the order asked, each once.
fn allowed_scope(requested: Option<&str>, connection: &Connection) -> Option<String> {
    let mut granted: Vec<&str> = Vec::new();
    for scope in requested?.split(' ') {
        let allowed = connection.scopes.as_ref().is_none_or(|known| known.iter().any(|known| known == scope));
        if allowed && !granted.contains(&scope) {
            granted.push(scope);
        }
    }
    (!granted.is_empty()).then(|| granted.join(" "))
}
