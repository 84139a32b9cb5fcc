//! The one identity provider of a teamspace.

use diesel::prelude::*;

use super::schema::identity_providers;
use super::{AnyConnection, StoreError};
use crate::model::identity_provider::IdentityProvider;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = identity_providers)]
struct Row {
    teamspace_id: String,
    provider: String,
    issuer: String,
    jwks_uri: String,
    scope: String,
    groups_claim: String,
    enabled: bool,
    created_at: i64,
    updated_at: i64,
}

impl From<&IdentityProvider> for Row {
    fn from(p: &IdentityProvider) -> Self {
        Self {
            teamspace_id: p.teamspace_id.clone(),
            provider: p.provider.as_str().to_owned(),
            issuer: p.issuer.clone(),
            jwks_uri: p.jwks_uri.clone(),
            scope: p.scope.clone(),
            groups_claim: p.groups_claim.clone(),
            enabled: p.enabled,
            created_at: p.created_at,
            updated_at: p.updated_at,
        }
    }
}

impl TryFrom<Row> for IdentityProvider {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            provider: row.provider.parse()?,
            teamspace_id: row.teamspace_id,
            issuer: row.issuer,
            jwks_uri: row.jwks_uri,
            scope: row.scope,
            groups_claim: row.groups_claim,
            enabled: row.enabled,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Those of some teamspaces.
pub fn of_teamspaces(
    connection: &mut AnyConnection,
    teamspace_ids: &[&str],
) -> Result<Vec<IdentityProvider>, StoreError> {
    let rows: Vec<Row> = identity_providers::table
        .filter(identity_providers::teamspace_id.eq_any(teamspace_ids))
        .select(Row::as_select())
        .load(connection)?;
    rows.into_iter().map(IdentityProvider::try_from).collect()
}

/// A teamspace's.
pub fn find(
    connection: &mut AnyConnection,
    teamspace_id: &str,
) -> Result<Option<IdentityProvider>, StoreError> {
    let row = identity_providers::table.find(teamspace_id).select(Row::as_select()).first(connection);
    row.optional()?.map(IdentityProvider::try_from).transpose()
}

/// Adds or replaces a teamspace's. An issuer that another teamspace holds is a unique violation.
pub fn put(connection: &mut AnyConnection, provider: &IdentityProvider) -> QueryResult<()> {
    let row = Row::from(provider);
    let replaced = diesel::update(
        identity_providers::table.filter(identity_providers::teamspace_id.eq(&provider.teamspace_id)),
    )
    .set(&row)
    .execute(connection)?;
    if replaced == 0 {
        diesel::insert_into(identity_providers::table).values(&row).execute(connection)?;
    }
    Ok(())
}

/// Removes a teamspace's.
pub fn delete(connection: &mut AnyConnection, teamspace_id: &str) -> QueryResult<usize> {
    diesel::delete(identity_providers::table.filter(identity_providers::teamspace_id.eq(teamspace_id)))
        .execute(connection)
}
