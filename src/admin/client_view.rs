//! Clients and their secrets, as the API and the audit log show them.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::view::as_json;
use crate::clock::rfc3339;
use crate::model::client::{AuthMethod, ClientSecret, KeySource, RegisteredClient};

/// A client as the API and the audit log show it.
#[derive(Serialize, ToSchema)]
#[schema(as = Client)]
pub struct ClientView<'c> {
    client_id: &'c str,
    client_name: &'c str,
    token_endpoint_auth_method: AuthMethod,
    /// The public keys that verify its assertions (RFC 7591 §2); null if it has none here.
    #[schema(required, value_type = Option<Object>)]
    jwks: Option<Value>,
    /// Where they are instead; null if nowhere.
    #[schema(required)]
    jwks_uri: Option<&'c str>,
    grant_types: &'c [String],
    groups: &'c [String],
    enabled: bool,
    /// Whether its tokens must be bound to a key, which it proves with DPoP (RFC 9449 §5.2).
    dpop_bound_access_tokens: bool,
    #[schema(format = DateTime)]
    created_at: String,
    secrets: Vec<SecretView<'c>>,
}

/// A secret as it is shown: without itself.
#[derive(Serialize, ToSchema)]
#[schema(as = ClientSecret)]
pub struct SecretView<'c> {
    id: &'c str,
    #[schema(format = DateTime)]
    created_at: String,
}

impl<'c> SecretView<'c> {
    fn of(secret: &'c ClientSecret) -> Self {
        Self { id: &secret.id, created_at: rfc3339(secret.created_at) }
    }
}

/// The one answer that shows a new client's secret, if it sends one.
#[derive(Serialize, ToSchema)]
#[schema(as = ClientWithSecret)]
pub struct NewClientView<'c> {
    #[serde(flatten)]
    client: ClientView<'c>,
    /// Absent if the client sends no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    client_secret: Option<&'c str>,
}

/// The one answer that shows an added secret.
#[derive(Serialize, ToSchema)]
#[schema(as = AddedSecret)]
pub struct NewSecretView<'c> {
    #[serde(flatten)]
    secret: SecretView<'c>,
    client_secret: &'c str,
}

impl<'c> ClientView<'c> {
    fn of(client: &'c RegisteredClient) -> Self {
        let keys = client.keys.as_ref();
        Self {
            client_id: &client.client_id,
            client_name: &client.client_name,
            token_endpoint_auth_method: client.token_endpoint_auth_method,
            jwks: keys.and_then(KeySource::jwks).and_then(|jwks| serde_json::from_str(jwks).ok()),
            jwks_uri: keys.and_then(KeySource::jwks_uri),
            grant_types: &client.grant_types,
            groups: &client.groups,
            enabled: client.enabled,
            dpop_bound_access_tokens: client.dpop_bound_access_tokens,
            created_at: rfc3339(client.created_at),
            secrets: client.secrets.iter().map(SecretView::of).collect(),
        }
    }
}

/// A client as JSON.
pub fn view(client: &RegisteredClient) -> Value {
    as_json(ClientView::of(client))
}

/// A new client as JSON, with its secret if it sends one.
pub fn new_view(client: &RegisteredClient, client_secret: Option<&str>) -> Value {
    as_json(NewClientView { client: ClientView::of(client), client_secret })
}

/// An added secret as JSON, with itself.
pub fn new_secret_view(secret: &ClientSecret, client_secret: &str) -> Value {
    as_json(NewSecretView { secret: SecretView::of(secret), client_secret })
}
