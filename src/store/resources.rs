//! The MCP servers that tokens are issued for (`resource`, RFC 8707).

use std::collections::HashMap;

use diesel::prelude::*;

use super::schema::{resource_credentials, resources};
use super::{AnyConnection, StoreError, from_json, to_json};
use crate::clock::UnixSeconds;
use crate::model::client::KeySource;
use crate::model::resource::{CredentialProof, Resource, ResourceCredential};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = resources)]
#[diesel(treat_none_as_null = true)]
struct ResourceRow {
    id: String,
    identifier: String,
    normalized: String,
    name: String,
    scopes: String,
    default_scopes: String,
    teamspaces: Option<String>,
    created_at: UnixSeconds,
    required_scopes: String,
    forward_auth_credentials: bool,
    tool_policies: bool,
    dpop_bound_access_tokens: bool,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = resource_credentials)]
struct CredentialRow {
    client_id: String,
    resource_id: String,
    /// Empty where there are keys. No secret has this digest.
    secret_digest: String,
    created_at: UnixSeconds,
    jwks: Option<String>,
    jwks_uri: Option<String>,
}

impl From<&ResourceCredential> for CredentialRow {
    fn from(credential: &ResourceCredential) -> Self {
        let keys = credential.keys();
        Self {
            client_id: credential.client_id.clone(),
            resource_id: credential.resource_id.clone(),
            secret_digest: credential.secret_digest().unwrap_or_default().to_owned(),
            created_at: credential.created_at,
            jwks: keys.and_then(KeySource::jwks).map(str::to_owned),
            jwks_uri: keys.and_then(KeySource::jwks_uri).map(str::to_owned),
        }
    }
}

impl From<CredentialRow> for ResourceCredential {
    fn from(row: CredentialRow) -> Self {
        let keys = KeySource::of(row.jwks, row.jwks_uri);
        Self {
            client_id: row.client_id,
            resource_id: row.resource_id,
            proof: keys.map_or(CredentialProof::SecretDigest(row.secret_digest), CredentialProof::Keys),
            created_at: row.created_at,
        }
    }
}

impl TryFrom<&Resource> for ResourceRow {
    type Error = StoreError;

    fn try_from(r: &Resource) -> Result<Self, StoreError> {
        Ok(Self {
            id: r.id.clone(),
            identifier: r.identifier.clone(),
            normalized: r.normalized.clone(),
            name: r.name.clone(),
            scopes: serde_json::to_string(&r.scopes).map_err(|e| StoreError::Damaged(e.to_string()))?,
            default_scopes: to_json(&r.default_scopes),
            teamspaces: r.teamspaces.as_deref().map(to_json),
            created_at: r.created_at,
            required_scopes: to_json(&r.required_scopes),
            forward_auth_credentials: r.forward_auth_credentials,
            tool_policies: r.tool_policies,
            dpop_bound_access_tokens: r.dpop_bound_access_tokens,
        })
    }
}

impl TryFrom<ResourceRow> for Resource {
    type Error = StoreError;

    fn try_from(row: ResourceRow) -> Result<Self, StoreError> {
        Ok(Self {
            scopes: from_json(&row.scopes)?,
            default_scopes: from_json(&row.default_scopes)?,
            teamspaces: row.teamspaces.as_deref().map(from_json).transpose()?,
            id: row.id,
            identifier: row.identifier,
            normalized: row.normalized,
            name: row.name,
            required_scopes: from_json(&row.required_scopes)?,
            forward_auth_credentials: row.forward_auth_credentials,
            tool_policies: row.tool_policies,
            dpop_bound_access_tokens: row.dpop_bound_access_tokens,
            credentials: Vec::new(),
            created_at: row.created_at,
        })
    }
}

/// All of them, by identifier.
pub fn all(connection: &mut AnyConnection) -> Result<Vec<Resource>, StoreError> {
    let rows: Vec<ResourceRow> = resources::table
        .select(ResourceRow::as_select())
        .order(resources::identifier.asc())
        .load(connection)?;
    let credentials: Vec<CredentialRow> = resource_credentials::table
        .select(CredentialRow::as_select())
        .order((resource_credentials::created_at.asc(), resource_credentials::client_id.asc()))
        .load(connection)?;
    let mut of_resources: HashMap<String, Vec<ResourceCredential>> = HashMap::new();
    for credential in credentials.into_iter().map(ResourceCredential::from) {
        of_resources.entry(credential.resource_id.clone()).or_default().push(credential);
    }
    let with_credentials = |row: ResourceRow| {
        let credentials = of_resources.remove(&row.id).unwrap_or_default();
        Ok(Resource { credentials, ..Resource::try_from(row)? })
    };
    rows.into_iter().map(with_credentials).collect()
}

/// The credentials of a resource, oldest first.
pub fn credentials_of(
    connection: &mut AnyConnection,
    resource_id: &str,
) -> Result<Vec<ResourceCredential>, StoreError> {
    let rows: Vec<CredentialRow> = resource_credentials::table
        .filter(resource_credentials::resource_id.eq(resource_id))
        .select(CredentialRow::as_select())
        .order((resource_credentials::created_at.asc(), resource_credentials::client_id.asc()))
        .load(connection)?;
    Ok(rows.into_iter().map(ResourceCredential::from).collect())
}

/// Whether credentials of any resource have this id.
pub fn has_credential(connection: &mut AnyConnection, client_id: &str) -> QueryResult<bool> {
    let row = resource_credentials::table.find(client_id);
    diesel::select(diesel::dsl::exists(row)).get_result(connection)
}

/// Adds credentials to a resource.
pub fn add_credential(connection: &mut AnyConnection, credential: &ResourceCredential) -> QueryResult<usize> {
    diesel::insert_into(resource_credentials::table)
        .values(CredentialRow::from(credential))
        .execute(connection)
}

/// Replaces what proves credentials.
pub fn update_credential(
    connection: &mut AnyConnection,
    credential: &ResourceCredential,
) -> QueryResult<usize> {
    let row = CredentialRow::from(credential);
    let proof = (
        resource_credentials::secret_digest.eq(row.secret_digest),
        resource_credentials::jwks.eq(row.jwks),
        resource_credentials::jwks_uri.eq(row.jwks_uri),
    );
    diesel::update(resource_credentials::table.find(row.client_id)).set(proof).execute(connection)
}

/// Deletes credentials of a resource; zero if it has none with this id.
pub fn delete_credential(
    connection: &mut AnyConnection,
    resource_id: &str,
    client_id: &str,
) -> QueryResult<usize> {
    let own = resource_credentials::table
        .filter(resource_credentials::resource_id.eq(resource_id))
        .filter(resource_credentials::client_id.eq(client_id));
    diesel::delete(own).execute(connection)
}

/// Adds a resource. A taken identifier is a unique violation.
pub fn insert(connection: &mut AnyConnection, resource: &Resource) -> Result<(), StoreError> {
    diesel::insert_into(resources::table).values(ResourceRow::try_from(resource)?).execute(connection)?;
    Ok(())
}

/// Replaces one's properties; the id stays.
pub fn update(connection: &mut AnyConnection, resource: &Resource) -> Result<(), StoreError> {
    diesel::update(resources::table.filter(resources::id.eq(&resource.id)))
        .set(ResourceRow::try_from(resource)?)
        .execute(connection)?;
    Ok(())
}

/// Removes a resource with its credentials.
pub fn delete(connection: &mut AnyConnection, id: &str) -> QueryResult<usize> {
    diesel::delete(resources::table.filter(resources::id.eq(id))).execute(connection)
}

/// Replaces or removes a teamspace's slug in the lists of teamspaces that resources are offered to.
pub fn replace_teamspace(
    connection: &mut AnyConnection,
    slug: &str,
    new: Option<&str>,
) -> Result<(), StoreError> {
    for mut resource in all(connection)? {
        let Some(slugs) = resource.teamspaces.as_mut().filter(|slugs| slugs.iter().any(|s| s == slug)) else {
            continue;
        };
        slugs.retain(|s| s != slug);
        slugs.extend(new.map(str::to_owned));
        update(connection, &resource)?;
    }
    Ok(())
}

/// One by its id.
pub fn find(connection: &mut AnyConnection, id: &str) -> Result<Option<Resource>, StoreError> {
    let row: Option<ResourceRow> =
        resources::table.find(id).select(ResourceRow::as_select()).first(connection).optional()?;
    let Some(resource) = row.map(Resource::try_from).transpose()? else { return Ok(None) };
    let credentials = credentials_of(connection, id)?;
    Ok(Some(Resource { credentials, ..resource }))
}
