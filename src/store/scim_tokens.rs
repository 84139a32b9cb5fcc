//! Tokens by which identity providers call the SCIM endpoint of one teamspace, kept as digests.

use diesel::prelude::*;

use super::schema::scim_tokens;
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;

/// A token for one teamspace.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = scim_tokens)]
pub struct ScimToken {
    /// Rises with the time at which tokens are made; it is no secret.
    pub id: String,
    /// The teamspace whose members it changes.
    pub teamspace_id: String,
    /// The name for people, which the audit log keeps.
    pub name: String,
    /// The digest of the token, which is shown once and never kept.
    pub token_digest: String,
    /// The time at which it was made.
    pub created_at: UnixSeconds,
    /// The time from which it is refused; none for a token without an end.
    pub expires_at: Option<UnixSeconds>,
    /// The time of a request with it, up to a quarter of an hour behind; none before the first.
    pub last_used_at: Option<UnixSeconds>,
}

/// Adds one.
pub fn insert(connection: &mut AnyConnection, token: &ScimToken) -> QueryResult<()> {
    diesel::insert_into(scim_tokens::table).values(token).execute(connection)?;
    Ok(())
}

/// Finds one by the digest of the presented token.
pub fn find(connection: &mut AnyConnection, digest: &str) -> Result<Option<ScimToken>, StoreError> {
    let found = scim_tokens::table.filter(scim_tokens::token_digest.eq(digest));
    Ok(found.select(ScimToken::as_select()).first(connection).optional()?)
}

/// The tokens of a teamspace, oldest first.
pub fn of_teamspace(
    connection: &mut AnyConnection,
    teamspace_id: &str,
) -> Result<Vec<ScimToken>, StoreError> {
    let own = scim_tokens::table.filter(scim_tokens::teamspace_id.eq(teamspace_id));
    Ok(own.order(scim_tokens::id.asc()).select(ScimToken::as_select()).load(connection)?)
}

/// Deletes a token of a teamspace inside a transaction, and returns it.
pub fn delete(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    id: &str,
) -> Result<Option<ScimToken>, StoreError> {
    let row = scim_tokens::table.find(id).filter(scim_tokens::teamspace_id.eq(teamspace_id));
    let found = row.select(ScimToken::as_select()).first(connection).optional()?;
    diesel::delete(row).execute(connection)?;
    Ok(found)
}

/// Notes that a token was used.
pub fn note_use(connection: &mut AnyConnection, id: &str, at: UnixSeconds) -> Result<(), StoreError> {
    let row = scim_tokens::table.find(id);
    diesel::update(row).set(scim_tokens::last_used_at.eq(at)).execute(connection)?;
    Ok(())
}
