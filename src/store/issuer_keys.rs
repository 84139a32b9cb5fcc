//! The keys of issuers as they were last fetched, for the time in which an issuer does not answer.

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::schema::{identity_providers, issuer_keys};
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;

/// A fetched key set.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = issuer_keys)]
pub struct StoredKeys {
    /// The issuer whose keys they are.
    pub issuer: String,
    /// Where they were fetched from.
    pub jwks_uri: String,
    /// JSON, as the reader of key sets wrote it.
    pub keys: String,
    /// When they were fetched.
    pub fetched_at: UnixSeconds,
    /// For how many seconds after that they are good without asking again.
    pub max_age: i64,
}

/// The keys of an issuer, whatever address they were fetched from.
pub fn find(connection: &mut AnyConnection, issuer: &str) -> Result<Option<StoredKeys>, StoreError> {
    Ok(issuer_keys::table.find(issuer).select(StoredKeys::as_select()).first(connection).optional()?)
}

/// Stores the keys of an issuer in place of earlier ones.
pub fn put(connection: &mut AnyConnection, keys: &StoredKeys) -> QueryResult<()> {
    let own = issuer_keys::table.find(&keys.issuer);
    if diesel::update(own).set(keys).execute(connection)? == 0 {
        diesel::insert_into(issuer_keys::table).values(keys).execute(connection)?;
    }
    Ok(())
}

/// Forgets the keys of an issuer of which a provider was saved or removed. Where several teamspaces have the issuer,
/// none of them can make the others' keys disappear: then only keys from an address that nobody has any more go.
pub(super) fn forget(connection: &mut AnyConnection, issuer: &str) -> QueryResult<()> {
    let having = identity_providers::table.filter(identity_providers::issuer.eq(issuer));
    let teamspaces: Vec<String> =
        having.select(identity_providers::teamspace_id).distinct().limit(2).load(connection)?;
    let addresses: Vec<String> = match teamspaces.len() > 1 {
        true => having.select(identity_providers::jwks_uri).distinct().load(connection)?,
        false => Vec::new(),
    };
    let gone = issuer_keys::table
        .filter(issuer_keys::issuer.eq(issuer))
        .filter(issuer_keys::jwks_uri.ne_all(addresses));
    diesel::delete(gone).execute(connection)?;
    Ok(())
}

/// The issuers of enabled providers whose keys were last fetched before a time, or never: at most `limit` of those
/// that come after one, in their order.
pub fn not_fetched_since(
    connection: &mut AnyConnection,
    before: UnixSeconds,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let fetched = issuer_keys::table
        .filter(issuer_keys::issuer.eq(identity_providers::issuer))
        .filter(issuer_keys::jwks_uri.eq(identity_providers::jwks_uri))
        .filter(issuer_keys::fetched_at.ge(before));
    Ok(identity_providers::table
        .filter(identity_providers::enabled.eq(true))
        .filter(identity_providers::issuer.gt(after))
        .filter(not(exists(fetched)))
        .order(identity_providers::issuer.asc())
        .select(identity_providers::issuer)
        .distinct()
        .limit(limit)
        .load(connection)?)
}

/// Deletes keys that were fetched before a time.
pub(super) fn prune(connection: &mut AnyConnection, before: UnixSeconds) -> QueryResult<usize> {
    diesel::delete(issuer_keys::table.filter(issuer_keys::fetched_at.lt(before))).execute(connection)
}
