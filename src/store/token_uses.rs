//! How often access tokens were looked at, by introspection and by forward-auth.

use diesel::prelude::*;

use super::schema::token_uses;
use super::statement::{ConstSql, Statement};
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;

/// The uses of one token.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = token_uses)]
pub struct TokenUse {
    /// The `jti`.
    pub token_id: String,
    /// How often a resource server asked about it.
    pub introspections: i64,
    /// How often a proxy asked about it.
    pub forward_auths: i64,
    /// The first of these, nearly: times are noted in steps.
    pub first_used_at: UnixSeconds,
    /// The last of these.
    pub last_used_at: UnixSeconds,
    /// The `exp`.
    pub expires_at: UnixSeconds,
}

struct AddUses;

impl ConstSql for AddUses {
    const TEXT: &'static str = "INSERT INTO token_uses (token_id, introspections, forward_auths, first_used_at, \
        last_used_at, expires_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (token_id) DO UPDATE SET \
        introspections = token_uses.introspections + excluded.introspections, \
        forward_auths = token_uses.forward_auths + excluded.forward_auths, \
        last_used_at = CASE WHEN excluded.last_used_at > token_uses.last_used_at \
            THEN excluded.last_used_at ELSE token_uses.last_used_at END";
}

/// Adds to the counts of tokens.
pub fn add(connection: &mut AnyConnection, uses: &[TokenUse]) -> Result<(), StoreError> {
    for one in uses {
        let values = [
            one.token_id.as_str().into(),
            one.introspections.into(),
            one.forward_auths.into(),
            one.first_used_at.into(),
            one.last_used_at.into(),
            one.expires_at.into(),
        ];
        Statement::<AddUses, 6>::new(values).run(connection)?;
    }
    Ok(())
}

/// The uses of a token; none before the first, which is noted within a minute.
pub fn find(connection: &mut AnyConnection, token_id: &str) -> Result<Option<TokenUse>, StoreError> {
    Ok(token_uses::table.find(token_id).select(TokenUse::as_select()).first(connection).optional()?)
}

/// Deletes the counts of tokens that expired before a time.
pub(super) fn prune(connection: &mut AnyConnection, before: UnixSeconds) -> QueryResult<usize> {
    diesel::delete(token_uses::table.filter(token_uses::expires_at.lt(before))).execute(connection)
}
