//! The policies' answer to a made-up sign-in.

use serde::Deserialize;

use super::caller::InTeamspace;
use super::error::AdminError;
use crate::exchange::what_if::{self, Answered, WhatIf, WhatIfError};
use crate::model::client::{AuthMethod, RegisteredClient};
use crate::model::identity_provider::IdentityProvider;
use crate::oauth::reason::Reason;
use crate::oauth::scope::split_scope;
use crate::policy::ConsoleAction;

/// A sign-in as it was typed. Blank fields are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Supposed {
    /// The id of an identity provider; blank means the first one.
    pub provider: String,
    pub email: String,
    /// With commas between them.
    pub groups: String,
    pub client: String,
    /// The identifier of an MCP server.
    pub server: String,
    /// With spaces between them.
    pub scopes: String,
    /// `true` if the client would prove that it has a key.
    pub key_bound: String,
}

/// The mistake in the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuppositionFault {
    pub field: &'static str,
    pub text: String,
}

/// Asks the policies in force about a made-up sign-in. Writes nothing.
pub async fn suppose(
    at: &InTeamspace,
    supposed: &Supposed,
) -> Result<Result<Answered, SuppositionFault>, AdminError> {
    at.may(ConsoleAction::Explain)?;
    let _place = at.enter_heavy()?;
    let read = match read(at, supposed) {
        Ok(read) => read,
        Err(fault) => return Ok(Err(fault)),
    };
    let asked = WhatIf {
        config: at.teamspace_config(),
        provider: read.provider,
        client: &read.client,
        email: &read.email,
        groups: read.groups,
        resource: Some(supposed.server.trim()).filter(|server| !server.is_empty()),
        scopes: read.scopes,
        key_bound: supposed.key_bound == "true",
        confined: !at.is_operator(),
    };
    match what_if::ask(&at.app, &asked).await {
        Ok(answered) => Ok(Ok(answered)),
        Err(WhatIfError::Store(error)) => Err(error.into()),
        Err(WhatIfError::Refused(error)) => {
            let field = match &error.reason {
                reason if *reason == Reason::SCOPE_UNKNOWN => "scopes",
                reason if *reason == Reason::PROOF_REQUIRED => "key_bound",
                _ => "server",
            };
            Ok(Err(SuppositionFault { field, text: error.description.to_string() }))
        }
    }
}

struct ReadSupposition<'a> {
    provider: &'a IdentityProvider,
    client: RegisteredClient,
    email: String,
    groups: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
}

fn read<'a>(at: &'a InTeamspace, supposed: &Supposed) -> Result<ReadSupposition<'a>, SuppositionFault> {
    let fault = |field, text: &str| SuppositionFault { field, text: text.to_owned() };
    let config = at.teamspace_config();
    let provider = match supposed.provider.trim() {
        "" => config.identity_providers.first(),
        id => config.identity_provider(id),
    };
    let none =
        || fault("email", "No identity provider is connected, so nobody can sign in. Connect one first.");
    let provider = provider.ok_or_else(none)?;
    let client_id = supposed.client.trim();
    if client_id.is_empty() {
        return Err(fault("client", "Enter the id of the client that would ask."));
    }
    let scopes = match supposed.scopes.trim() {
        "" => None,
        text => Some(
            split_scope(text).map_err(|_| fault("scopes", "Scopes are words with spaces between them."))?,
        ),
    };
    let groups = supposed.groups.split(',').map(str::trim).filter(|group| !group.is_empty());
    let groups: Vec<String> = groups.map(str::to_owned).collect();
    Ok(ReadSupposition {
        provider,
        client: client(at, client_id)?,
        email: supposed.email.trim().to_lowercase(),
        groups: (!groups.is_empty()).then_some(groups),
        scopes,
    })
}

/// Returns the client with an id. A teamspace may not learn which clients exist, so it gets an answer as if there were
/// one.
fn client(at: &InTeamspace, client_id: &str) -> Result<RegisteredClient, SuppositionFault> {
    if let Some(known) = at.app.snapshot().client(client_id) {
        return Ok(RegisteredClient::clone(known));
    }
    if at.is_operator() && !at.app.client_documents.allows(client_id) {
        return Err(SuppositionFault { field: "client", text: "No client has this id.".to_owned() });
    }
    Ok(RegisteredClient {
        client_id: client_id.to_owned(),
        client_name: String::new(),
        token_endpoint_auth_method: AuthMethod::Basic,
        grant_types: Vec::new(),
        groups: Vec::new(),
        enabled: true,
        dpop_bound_access_tokens: false,
        created_at: 0,
        document_host: at.app.client_documents.host_of(client_id),
        keys: None,
        secrets: Vec::new(),
    })
}
