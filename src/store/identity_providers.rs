//! The identity providers of teamspaces.

use diesel::prelude::*;

use super::schema::identity_providers;
use super::{AnyConnection, StoreError, from_json, issuer_keys, sign_in_counts};
use crate::model::identity_provider::{IdentityProvider, Provider};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = identity_providers)]
#[diesel(treat_none_as_null = true)]
struct IdentityProviderRow {
    id: String,
    teamspace_id: String,
    name: String,
    kind: Provider,
    issuer: String,
    tenant: Option<String>,
    jwks_uri: String,
    scope: String,
    groups_claim: String,
    custom_claims: String,
    enabled: bool,
    created_at: i64,
    updated_at: i64,
    logout_client_id: Option<String>,
    saml_issuer: Option<String>,
    link_by: Option<String>,
}

impl TryFrom<&IdentityProvider> for IdentityProviderRow {
    type Error = serde_json::Error;

    fn try_from(p: &IdentityProvider) -> serde_json::Result<Self> {
        Ok(Self {
            id: p.id.clone(),
            teamspace_id: p.teamspace_id.clone(),
            name: p.name.clone(),
            kind: p.provider,
            issuer: p.issuer.clone(),
            tenant: p.tenant.clone(),
            jwks_uri: p.jwks_uri.clone(),
            scope: p.scope.clone(),
            groups_claim: p.groups_claim.clone(),
            custom_claims: serde_json::to_string(&p.custom_claims)?,
            enabled: p.enabled,
            created_at: p.created_at,
            updated_at: p.updated_at,
            logout_client_id: p.logout_client_id.clone(),
            saml_issuer: p.saml_issuer.clone(),
            link_by: p.link_by.as_ref().map(|claim| claim.as_str().to_owned()),
        })
    }
}

impl TryFrom<IdentityProviderRow> for IdentityProvider {
    type Error = StoreError;

    fn try_from(row: IdentityProviderRow) -> Result<Self, StoreError> {
        Ok(Self {
            provider: row.kind,
            custom_claims: from_json(&row.custom_claims)?,
            id: row.id,
            teamspace_id: row.teamspace_id,
            name: row.name,
            issuer: row.issuer,
            tenant: row.tenant,
            jwks_uri: row.jwks_uri,
            scope: row.scope,
            groups_claim: row.groups_claim,
            enabled: row.enabled,
            created_at: row.created_at,
            updated_at: row.updated_at,
            logout_client_id: row.logout_client_id,
            saml_issuer: row.saml_issuer,
            link_by: row.link_by.map(Into::into),
        })
    }
}

/// Those of some teamspaces, the oldest first.
pub fn of_teamspaces(
    connection: &mut AnyConnection,
    teamspace_ids: &[&str],
) -> Result<Vec<IdentityProvider>, StoreError> {
    let rows: Vec<IdentityProviderRow> = identity_providers::table
        .filter(identity_providers::teamspace_id.eq_any(teamspace_ids))
        .order((identity_providers::created_at.asc(), identity_providers::id.asc()))
        .select(IdentityProviderRow::as_select())
        .load(connection)?;
    rows.into_iter().map(IdentityProvider::try_from).collect()
}

/// Those with an issuer.
pub fn with_issuer(
    connection: &mut AnyConnection,
    issuer: &str,
) -> Result<Vec<IdentityProvider>, StoreError> {
    let rows: Vec<IdentityProviderRow> = identity_providers::table
        .filter(identity_providers::issuer.eq(issuer))
        .select(IdentityProviderRow::as_select())
        .load(connection)?;
    rows.into_iter().map(IdentityProvider::try_from).collect()
}

/// Adds an identity provider, or replaces the one with its id. If another one has the issuer for the same tenant, that
/// is a unique violation. The stored keys of the issuer are forgotten: they are fetched again.
pub fn put(connection: &mut AnyConnection, provider: &IdentityProvider) -> QueryResult<()> {
    let row = IdentityProviderRow::try_from(provider)
        .map_err(|e| diesel::result::Error::SerializationError(e.into()))?;
    let before = issuer_of(connection, &row.id)?;
    let replaced = diesel::update(identity_providers::table.find(&row.id)).set(&row).execute(connection)?;
    if replaced == 0 {
        diesel::insert_into(identity_providers::table).values(&row).execute(connection)?;
    }
    if let Some(before) = before.filter(|before| *before != row.issuer) {
        issuer_keys::forget(connection, &before)?;
    }
    issuer_keys::forget(connection, &row.issuer)
}

fn issuer_of(connection: &mut AnyConnection, id: &str) -> QueryResult<Option<String>> {
    identity_providers::table.find(id).select(identity_providers::issuer).first(connection).optional()
}

/// Gives the issuer's current key address to all other providers with that issuer, and returns them as they were.
pub fn share_jwks_uri(
    connection: &mut AnyConnection,
    provider: &IdentityProvider,
) -> Result<Vec<IdentityProvider>, StoreError> {
    let mut others = with_issuer(connection, &provider.issuer)?;
    others.retain(|other| other.jwks_uri != provider.jwks_uri);
    if !others.is_empty() {
        diesel::update(identity_providers::table.filter(identity_providers::issuer.eq(&provider.issuer)))
            .set(identity_providers::jwks_uri.eq(&provider.jwks_uri))
            .execute(connection)?;
        // Nobody has the old address any more.
        issuer_keys::forget(connection, &provider.issuer)?;
    }
    Ok(others)
}

/// Whether another teamspace has an issuer.
pub fn is_others_issuer(
    connection: &mut AnyConnection,
    issuer: &str,
    teamspace_id: &str,
) -> QueryResult<bool> {
    let theirs = identity_providers::issuer.eq(issuer).and(identity_providers::teamspace_id.ne(teamspace_id));
    let found: Option<String> = identity_providers::table
        .filter(theirs)
        .select(identity_providers::id)
        .first(connection)
        .optional()?;
    Ok(found.is_some())
}

/// Removes one.
pub fn delete(connection: &mut AnyConnection, id: &str) -> QueryResult<usize> {
    sign_in_counts::forget_provider(connection, id)?;
    let issuer = issuer_of(connection, id)?;
    let deleted = diesel::delete(identity_providers::table.find(id)).execute(connection)?;
    if let Some(issuer) = issuer {
        issuer_keys::forget(connection, &issuer)?;
    }
    Ok(deleted)
}
