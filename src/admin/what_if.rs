//! The policies' answer to a made-up sign-in.

use serde::Deserialize;

use super::caller::InTeamspace;
use super::error::AdminError;
use crate::exchange::what_if::{self, Answered, WhatIf, WhatIfError};
use crate::model::client::{AuthMethod, RegisteredClient};
use crate::model::identity_provider::IdentityProvider;
use crate::oauth::authorization_details::{Detail, MAX_TOOL_NAME, parse};
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::oauth::scope::{ScopeFault, split_scope};
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
    /// The details of the assertion, as JSON.
    pub authorized_details: String,
    /// The details of the request, as JSON.
    pub requested_details: String,
    /// The name of a tool of the MCP server.
    pub tool: String,
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
        authorized_details: read.authorized_details,
        requested_details: read.requested_details,
        tool: Some(supposed.tool.trim()).filter(|tool| !tool.is_empty()),
        key_bound: supposed.key_bound == "true",
        confined: !at.is_operator(),
    };
    match what_if::ask(&at.app, &asked).await {
        Ok(answered) => Ok(Ok(answered)),
        Err(WhatIfError::Store(error)) => Err(error.into()),
        Err(WhatIfError::Refused(error)) => Ok(Err(SuppositionFault::of(&error))),
    }
}

/// Reads authorization details as they were typed: none if nothing was.
///
/// # Errors
///
/// The mistake, in words for the person who typed.
pub fn read_details(typed: &str) -> Result<Option<Vec<Detail>>, String> {
    let told = |fault| format!("Authorization details are a JSON array of objects with a type: {fault}.");
    match typed.trim() {
        "" => Ok(None),
        text => parse(text).map(Some).map_err(told),
    }
}

impl SuppositionFault {
    /// The mistake behind a refusal that no policy gives.
    fn of(error: &TokenError) -> Self {
        let reason = &error.reason;
        let of_details = [Reason::DETAILS_TYPE_UNKNOWN, Reason::DETAILS_UNFIT, Reason::DETAILS_ELSEWHERE];
        if of_details.contains(reason) {
            let is_requested = error.code == ErrorCode::InvalidAuthorizationDetails;
            let field = if is_requested { "requested_details" } else { "authorized_details" };
            return Self { field, text: format!("{} ({})", error.description, error.detail) };
        }
        let field = match reason {
            reason if *reason == Reason::SCOPE_UNKNOWN => "scopes",
            reason if *reason == Reason::PROOF_REQUIRED => "key_bound",
            _ => "server",
        };
        Self { field, text: error.description.to_string() }
    }
}

struct ReadSupposition<'a> {
    provider: &'a IdentityProvider,
    client: RegisteredClient,
    email: String,
    groups: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
    authorized_details: Vec<Detail>,
    requested_details: Option<Vec<Detail>>,
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
    let scopes = read_scopes(&supposed.scopes);
    let scopes = scopes.map_err(|_| fault("scopes", "Scopes are words with spaces between them."))?;
    if supposed.tool.trim().len() > MAX_TOOL_NAME {
        return Err(fault("tool", &format!("The name of a tool has at most {MAX_TOOL_NAME} bytes.")));
    }
    let details = |field, typed: &str| read_details(typed).map_err(|text| SuppositionFault { field, text });
    Ok(ReadSupposition {
        provider,
        client: client(at, client_id)?,
        email: supposed.email.trim().to_lowercase(),
        groups: read_groups(&supposed.groups),
        scopes,
        authorized_details: details("authorized_details", &supposed.authorized_details)?.unwrap_or_default(),
        requested_details: details("requested_details", &supposed.requested_details)?,
    })
}

fn read_scopes(typed: &str) -> Result<Option<Vec<String>>, ScopeFault> {
    Some(typed.trim()).filter(|text| !text.is_empty()).map(split_scope).transpose()
}

fn read_groups(typed: &str) -> Option<Vec<String>> {
    let groups = typed.split(',').map(str::trim).filter(|group| !group.is_empty());
    let groups: Vec<String> = groups.map(str::to_owned).collect();
    (!groups.is_empty()).then_some(groups)
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
