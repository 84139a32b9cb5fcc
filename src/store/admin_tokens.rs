//! Tokens of the admin API, kept as digests.

use diesel::prelude::*;

use super::schema::admin_tokens;
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;

/// A token: an operator's, or one for a single teamspace.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = admin_tokens)]
pub struct AdminToken {
    /// Random, by which the token is deleted; it is no secret.
    pub id: String,
    /// The name for people, which the audit log keeps.
    pub name: String,
    /// SHA-256 of the token in hexadecimal; the token itself is shown once and never kept.
    pub token_digest: String,
    /// None: an operator's, who sees everything.
    pub teamspace_id: Option<String>,
    /// The time at which it was made.
    pub created_at: UnixSeconds,
    /// The time from which it is refused; none for a token without an end.
    pub expires_at: Option<UnixSeconds>,
}

/// Adds one.
pub fn insert(connection: &mut AnyConnection, token: &AdminToken) -> QueryResult<()> {
    diesel::insert_into(admin_tokens::table).values(token).execute(connection)?;
    Ok(())
}

/// Finds one by the digest of the presented token.
pub fn find(connection: &mut AnyConnection, digest: &str) -> Result<Option<AdminToken>, StoreError> {
    Ok(admin_tokens::table
        .filter(admin_tokens::token_digest.eq(digest))
        .select(AdminToken::as_select())
        .first(connection)
        .optional()?)
}

/// All of them, oldest first.
pub fn all(connection: &mut AnyConnection) -> Result<Vec<AdminToken>, StoreError> {
    Ok(admin_tokens::table
        .select(AdminToken::as_select())
        .order((admin_tokens::created_at.asc(), admin_tokens::id.asc()))
        .load(connection)?)
}

/// Deletes a token inside a transaction, and returns it.
pub fn delete(connection: &mut AnyConnection, id: &str) -> Result<Option<AdminToken>, StoreError> {
    let row = admin_tokens::table.filter(admin_tokens::id.eq(id));
    let found = row.select(AdminToken::as_select()).first(connection).optional()?;
    diesel::delete(row).execute(connection)?;
    Ok(found)
}
