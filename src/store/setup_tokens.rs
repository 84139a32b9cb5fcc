//! Set-up tokens: each signs an operator in to the console once. They are kept as digests.

use diesel::prelude::*;

use super::schema::console_setup_tokens as tokens;
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;

/// A token that may be used once.
#[derive(Debug, Insertable)]
#[diesel(table_name = tokens)]
pub struct SetupToken {
    pub digest: String,
    pub created_at: UnixSeconds,
    pub expires_at: UnixSeconds,
}

/// Adds a set-up token, and deletes older ones that can no longer be used.
pub fn insert(connection: &mut AnyConnection, token: &SetupToken) -> QueryResult<()> {
    let spent = tokens::used_at.is_not_null().or(tokens::expires_at.le(token.created_at));
    diesel::delete(tokens::table.filter(spent)).execute(connection)?;
    diesel::insert_into(tokens::table).values(token).execute(connection)?;
    Ok(())
}

/// Uses up a set-up token, and returns whether it was good. Of several attempts at once, one succeeds.
pub fn redeem(connection: &mut AnyConnection, digest: &str, now: UnixSeconds) -> QueryResult<bool> {
    let live = tokens::table
        .filter(tokens::digest.eq(digest))
        .filter(tokens::used_at.is_null())
        .filter(tokens::expires_at.gt(now));
    Ok(diesel::update(live).set(tokens::used_at.eq(now)).execute(connection)? == 1)
}

/// Whether there ever was one.
pub fn was_any(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    let any: Option<String> = tokens::table.select(tokens::digest).first(connection).optional()?;
    Ok(any.is_some())
}
