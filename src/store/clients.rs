//! Registered OAuth clients and the digests of their secrets.

use std::collections::HashMap;

use diesel::prelude::*;

use super::row::row;
use super::schema::{client_secrets, clients};
use super::{AnyConnection, StoreError, from_json, to_json};
use crate::clock::UnixSeconds;
use crate::model::client::{AuthMethod, ClientSecret, KeySource, RegisteredClient};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = clients, treat_none_as_null = true)]
struct ClientRow {
    client_id: String,
    client_name: String,
    token_endpoint_auth_method: AuthMethod,
    grant_types: String,
    client_groups: String,
    enabled: bool,
    created_at: UnixSeconds,
    jwks: Option<String>,
    jwks_uri: Option<String>,
    dpop_bound_access_tokens: bool,
}

row! {
    #[derive(Queryable, Selectable, Insertable)]
    #[diesel(table_name = client_secrets)]
    SecretRow: ClientSecret {
        id: String,
        client_id: String,
        secret_digest: String,
        created_at: UnixSeconds,
    }
}

impl From<&RegisteredClient> for ClientRow {
    fn from(c: &RegisteredClient) -> Self {
        let keys = c.keys.as_ref();
        Self {
            client_id: c.client_id.clone(),
            client_name: c.client_name.clone(),
            token_endpoint_auth_method: c.token_endpoint_auth_method,
            grant_types: to_json(&c.grant_types),
            client_groups: to_json(&c.groups),
            enabled: c.enabled,
            created_at: c.created_at,
            jwks: keys.and_then(KeySource::jwks).map(str::to_owned),
            jwks_uri: keys.and_then(KeySource::jwks_uri).map(str::to_owned),
            dpop_bound_access_tokens: c.dpop_bound_access_tokens,
        }
    }
}

impl ClientRow {
    fn with(self, secrets: Vec<ClientSecret>) -> Result<RegisteredClient, StoreError> {
        Ok(RegisteredClient {
            token_endpoint_auth_method: self.token_endpoint_auth_method,
            grant_types: from_json(&self.grant_types)?,
            groups: from_json(&self.client_groups)?,
            document_host: None,
            keys: KeySource::of(self.jwks, self.jwks_uri),
            secrets,
            client_id: self.client_id,
            client_name: self.client_name,
            enabled: self.enabled,
            dpop_bound_access_tokens: self.dpop_bound_access_tokens,
            created_at: self.created_at,
        })
    }
}

/// All of them, by id.
pub fn all(connection: &mut AnyConnection) -> Result<Vec<RegisteredClient>, StoreError> {
    let rows: Vec<ClientRow> =
        clients::table.select(ClientRow::as_select()).order(clients::client_id.asc()).load(connection)?;
    let mut secrets: HashMap<String, Vec<ClientSecret>> = HashMap::new();
    for secret in client_secrets::table
        .select(SecretRow::as_select())
        .order((client_secrets::created_at.asc(), client_secrets::id.asc()))
        .load(connection)?
    {
        secrets.entry(secret.client_id.clone()).or_default().push(secret.into());
    }
    rows.into_iter()
        .map(|row| {
            let own = secrets.remove(&row.client_id).unwrap_or_default();
            row.with(own)
        })
        .collect()
}

/// One by its id.
pub fn find(connection: &mut AnyConnection, client_id: &str) -> Result<Option<RegisteredClient>, StoreError> {
    let row: Option<ClientRow> =
        clients::table.find(client_id).select(ClientRow::as_select()).first(connection).optional()?;
    let secrets: Vec<SecretRow> = client_secrets::table
        .filter(client_secrets::client_id.eq(client_id))
        .select(SecretRow::as_select())
        .order((client_secrets::created_at.asc(), client_secrets::id.asc()))
        .load(connection)?;
    row.map(|row| row.with(secrets.into_iter().map(ClientSecret::from).collect())).transpose()
}

/// Adds a client with its secrets. A taken id is a unique violation.
pub fn insert(connection: &mut AnyConnection, client: &RegisteredClient) -> QueryResult<()> {
    diesel::insert_into(clients::table).values(ClientRow::from(client)).execute(connection)?;
    for secret in &client.secrets {
        add_secret(connection, secret)?;
    }
    Ok(())
}

/// Replaces a client's properties; id and secrets stay.
pub fn update(connection: &mut AnyConnection, client: &RegisteredClient) -> QueryResult<()> {
    diesel::update(clients::table.filter(clients::client_id.eq(&client.client_id)))
        .set(ClientRow::from(client))
        .execute(connection)?;
    Ok(())
}

/// Adds a secret.
pub fn add_secret(connection: &mut AnyConnection, secret: &ClientSecret) -> QueryResult<()> {
    diesel::insert_into(client_secrets::table).values(SecretRow::from(secret)).execute(connection)?;
    Ok(())
}

/// Removes every secret of a client.
pub fn delete_secrets(connection: &mut AnyConnection, client_id: &str) -> QueryResult<usize> {
    let own = client_secrets::table.filter(client_secrets::client_id.eq(client_id));
    diesel::delete(own).execute(connection)
}

/// Removes a secret.
pub fn delete_secret(connection: &mut AnyConnection, id: &str) -> QueryResult<usize> {
    diesel::delete(client_secrets::table.filter(client_secrets::id.eq(id))).execute(connection)
}

/// Removes a client and its secrets.
pub fn delete(connection: &mut AnyConnection, client_id: &str) -> QueryResult<usize> {
    diesel::delete(clients::table.filter(clients::client_id.eq(client_id))).execute(connection)
}
