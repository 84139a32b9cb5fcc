//! The last checks of identity providers, for people.

use diesel::prelude::*;

use super::schema::{identity_providers, provider_checks};
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;

/// The results of the last check of an identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = provider_checks)]
pub struct ProviderChecks {
    /// The identity provider that was checked.
    pub provider_id: String,
    /// The time of the check.
    pub at: UnixSeconds,
    /// A JSON array.
    pub steps: String,
}

/// Stores a provider's checks in place of earlier ones; nothing for a provider that is gone.
pub fn put(connection: &mut AnyConnection, checks: &ProviderChecks) -> QueryResult<()> {
    let own = provider_checks::table.find(&checks.provider_id);
    if diesel::update(own).set(checks).execute(connection)? == 1 {
        return Ok(());
    }
    let provider = identity_providers::table.find(&checks.provider_id).select(identity_providers::id);
    if provider.first::<String>(connection).optional()?.is_some() {
        diesel::insert_into(provider_checks::table).values(checks).execute(connection)?;
    }
    Ok(())
}

/// The checks of some providers.
pub fn of(
    connection: &mut AnyConnection,
    provider_ids: &[String],
) -> Result<Vec<ProviderChecks>, StoreError> {
    Ok(provider_checks::table
        .filter(provider_checks::provider_id.eq_any(provider_ids))
        .select(ProviderChecks::as_select())
        .load(connection)?)
}
