//! The last assertion that came from each identity provider.

use std::collections::HashMap;

use diesel::prelude::*;

use super::schema::{identities, sign_ins};
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;

/// Newest rows of a teamspace that are looked at.
const LOOKED_AT: i64 = 1000;

/// An assertion as the decision log has it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct LastAssertion {
    pub at: UnixSeconds,
    /// `granted` or `refused`.
    pub outcome: String,
    /// A stable reason code; empty when granted.
    pub reason: String,
}

/// The last assertions of a teamspace by the ids of its identity providers, among its newest rows.
pub fn of_teamspace(
    connection: &mut AnyConnection,
    teamspace_id: &str,
) -> Result<HashMap<String, LastAssertion>, StoreError> {
    let rows: Vec<(String, UnixSeconds, String, String)> = sign_ins::table
        .filter(sign_ins::teamspace_id.eq(teamspace_id))
        .order(sign_ins::id.desc())
        .limit(LOOKED_AT)
        .select((sign_ins::identity_provider_id, sign_ins::at, sign_ins::outcome, sign_ins::reason))
        .load(connection)?;
    let mut last = HashMap::new();
    for (provider_id, at, outcome, reason) in rows {
        last.entry(provider_id).or_insert(LastAssertion { at, outcome, reason });
    }
    Ok(last)
}

/// Whether somebody of a teamspace was ever given a token: only a granted exchange binds a subject.
pub fn was_granted_once(connection: &mut AnyConnection, teamspace_id: &str) -> Result<bool, StoreError> {
    let bound = identities::table.filter(identities::teamspace_id.eq(teamspace_id));
    let found: Option<String> = bound.select(identities::member_id).first(connection).optional()?;
    Ok(found.is_some())
}
