//! The fields of a client's form.

use serde::Deserialize;
use serde_json::Value;

use crate::admin::AdminError;
use crate::admin::clients::{self, ClientPatch, NewClient};
use crate::model::client::{AuthMethod, KeySource, RegisteredClient};
use crate::web::console::form::{Faults, lines_of};
use crate::web::console::seen::{changes, settings};

/// The form's input.
#[derive(Default, Deserialize)]
pub struct ClientForm {
    #[serde(default)]
    pub client_id: String,
    /// The id if none is typed. It is made with the form, so that a form that is sent twice registers one client.
    #[serde(default)]
    pub made_id: String,
    #[serde(default)]
    pub client_name: String,
    #[serde(default)]
    pub token_endpoint_auth_method: String,
    /// Its public keys as JSON.
    #[serde(default)]
    pub jwks: String,
    /// Where they are instead.
    #[serde(default)]
    pub jwks_uri: String,
    #[serde(default)]
    pub groups: String,
    /// `true` where the box is ticked.
    #[serde(default)]
    pub dpop_bound_access_tokens: String,
    /// The settings when the page was made; empty for one that is added.
    #[serde(default)]
    pub seen: String,
}

impl ClientForm {
    /// The form of one that exists.
    pub fn of(client: &RegisteredClient) -> Self {
        let (jwks, jwks_uri) = match &client.keys {
            None => (String::new(), String::new()),
            Some(KeySource::Registered(jwks)) => (written(jwks), String::new()),
            Some(KeySource::Fetched(uri)) => (String::new(), uri.clone()),
        };
        let fields = Self {
            client_id: client.client_id.clone(),
            made_id: String::new(),
            client_name: client.client_name.clone(),
            token_endpoint_auth_method: client.token_endpoint_auth_method.as_str().to_owned(),
            jwks,
            jwks_uri,
            groups: client.groups.join("\n"),
            dpop_bound_access_tokens: client.dpop_bound_access_tokens.to_string(),
            seen: String::new(),
        };
        Self { seen: fields.settings(), ..fields }
    }

    /// The form of a client to be registered.
    pub fn blank() -> Result<Self, AdminError> {
        Ok(Self { made_id: clients::new_id()?, ..Self::default() })
    }

    /// The id that the client gets; none where the form brings none.
    pub fn id(&self) -> Option<String> {
        filled(&self.client_id).or_else(|| filled(&self.made_id))
    }

    /// Whether a client is what this form registers: then the form was sent twice.
    pub fn is_registered_as(&self, client: &RegisteredClient) -> bool {
        let method = self.token_endpoint_auth_method.parse().unwrap_or(AuthMethod::Basic);
        self.id().as_ref() == Some(&client.client_id)
            && filled(&self.client_name).as_ref().unwrap_or(&client.client_id) == &client.client_name
            && method == client.token_endpoint_auth_method
            && self.keys() == Self::of(client).keys()
            && lines_of(&self.groups) == client.groups
            && self.binds_tokens() == client.dpop_bound_access_tokens
    }

    /// Whether its tokens must be bound to a key.
    pub fn binds_tokens(&self) -> bool {
        self.dpop_bound_access_tokens == "true"
    }

    fn settings(&self) -> String {
        let method = self.token_endpoint_auth_method.parse().map_or("", method_word);
        settings([
            ("Name", &self.client_name),
            ("Authentication", method),
            ("Public keys", &self.jwks),
            ("Address of public keys", &self.jwks_uri),
            ("Groups", &self.groups),
            ("Tokens", if self.binds_tokens() { "bound to a key" } else { "of any kind" }),
        ])
    }

    /// Both fields, `null` where one is empty. What is no JSON is sent on as a text, which is refused as every other
    /// value that is no key set. The fields of a client without keys do not count: a browser without scripts shows them
    /// all the same.
    fn keys(&self) -> (Option<Value>, Option<String>) {
        if self.token_endpoint_auth_method.parse().is_ok_and(|method: AuthMethod| !method.has_keys()) {
            return (None, None);
        }
        let jwks = filled(&self.jwks).map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
        (jwks, filled(&self.jwks_uri))
    }

    /// Says what somebody else has changed since the page was made, and takes it as seen.
    pub fn changed_since(&mut self, now: &RegisteredClient) -> Faults {
        let now = Self::of(now).seen;
        let seen = std::mem::replace(&mut self.seen, now);
        Faults::of("client_name", changes("client", &seen, &self.seen))
    }

    /// The client to be registered.
    pub fn new_client(&self) -> NewClient {
        let (jwks, jwks_uri) = self.keys();
        NewClient {
            jwks,
            jwks_uri,
            client_id: self.id(),
            client_name: filled(&self.client_name),
            token_endpoint_auth_method: filled(&self.token_endpoint_auth_method),
            groups: lines_of(&self.groups),
            dpop_bound_access_tokens: self.binds_tokens(),
            ..NewClient::default()
        }
    }

    /// The change to an existing client.
    pub fn patch(&self) -> ClientPatch {
        let (jwks, jwks_uri) = self.keys();
        ClientPatch {
            jwks: Some(jwks),
            jwks_uri: Some(jwks_uri),
            client_name: Some(self.client_name.clone()),
            token_endpoint_auth_method: filled(&self.token_endpoint_auth_method),
            groups: Some(lines_of(&self.groups)),
            dpop_bound_access_tokens: Some(self.binds_tokens()),
            ..ClientPatch::default()
        }
    }
}

/// A key set on lines of its own.
fn written(jwks: &str) -> String {
    let read: Result<Value, _> = serde_json::from_str(jwks);
    read.map_or_else(|_| jwks.to_owned(), |jwks| format!("{jwks:#}"))
}

fn filled(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The words for how a client authenticates.
pub fn method_word(method: AuthMethod) -> &'static str {
    match method {
        AuthMethod::Basic => "HTTP Basic",
        AuthMethod::Post => "Form fields",
        AuthMethod::PrivateKeyJwt => "Signed assertion",
        AuthMethod::None => "None (public)",
    }
}

/// The field that a refusal is about.
pub fn field_of(error: &AdminError) -> Option<&'static str> {
    match error {
        AdminError::ClientIdTaken | AdminError::ClientIdInvalid => Some("client_id"),
        AdminError::NameInvalid => Some("client_name"),
        AdminError::GroupsInvalid(_) => Some("groups"),
        AdminError::AuthMethodUnsupported => Some("token_endpoint_auth_method"),
        AdminError::JwksInvalid(_) | AdminError::ClientKeysMissing | AdminError::JwksUnsupported => {
            Some("jwks")
        }
        AdminError::JwksUriInvalid(_) => Some("jwks_uri"),
        _ => None,
    }
}
