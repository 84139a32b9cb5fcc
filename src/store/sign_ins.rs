//! The decision log: what came of every request at the token endpoint, and why.

use diesel::prelude::*;

use super::schema::sign_ins;
use super::{AnyConnection, Page, StoreError, grounds};
use crate::clock::UnixSeconds;

/// A row to be written; texts that are not known are empty. It holds no secret and no token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewSignIn {
    pub at: UnixSeconds,
    pub teamspace_id: Option<String>,
    /// `granted` or `refused`.
    pub outcome: String,
    /// A stable reason code; empty when granted.
    pub reason: String,
    /// For the person who can fix it: what was expected, what came.
    pub detail: String,
    pub request_id: String,
    pub client_id: String,
    pub issuer: String,
    pub subject: String,
    pub email: String,
    pub member_id: String,
    pub resource: String,
    pub scopes_asked: String,
    pub scopes_granted: String,
    /// JSON: each policy decision with its policies and reasons; empty when the grounds have them.
    pub decisions: String,
    /// JSON: the facts that were decided on, so that other policies can be asked about them; empty when
    /// the request was refused before. Only what the grounds lack, if there are any.
    pub facts: String,
    /// Names what the row has in common with others ([`grounds`]); empty when it holds all of it itself.
    pub grounds: String,
    /// Hash of the policy set that decided.
    pub policy_set: String,
    /// SHA-256 over issuer and jti.
    pub assertion: String,
    /// The `jti` of the access token.
    pub token_id: String,
    /// How many further refusals like this one the row stands for.
    pub repeated: i64,
}

/// A row of the log, with all that it stood on.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = sign_ins)]
pub struct SignIn {
    pub id: i64,
    pub at: UnixSeconds,
    pub teamspace_id: Option<String>,
    pub outcome: String,
    pub reason: String,
    pub detail: String,
    pub request_id: String,
    pub client_id: String,
    pub issuer: String,
    pub subject: String,
    pub email: String,
    pub member_id: String,
    pub resource: String,
    pub scopes_asked: String,
    pub scopes_granted: String,
    pub decisions: String,
    pub policy_set: String,
    pub assertion: String,
    pub token_id: String,
    pub facts: String,
    pub(super) grounds: String,
    pub repeated: i64,
}

/// Which rows to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// None: every row, of teamspaces and of none.
    pub teamspace_id: Option<String>,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub request_id: Option<String>,
    /// Rows before this id.
    pub before: Option<i64>,
}

/// A page of rows, newest first.
pub fn list(connection: &mut AnyConnection, filter: &Filter, limit: i64) -> Result<Page<SignIn>, StoreError> {
    let mut query = sign_ins::table.into_boxed();
    if let Some(id) = &filter.teamspace_id {
        query = query.filter(sign_ins::teamspace_id.eq(id));
    }
    if let Some(outcome) = &filter.outcome {
        query = query.filter(sign_ins::outcome.eq(outcome));
    }
    if let Some(reason) = &filter.reason {
        query = query.filter(sign_ins::reason.eq(reason));
    }
    if let Some(request_id) = &filter.request_id {
        query = query.filter(sign_ins::request_id.eq(request_id));
    }
    let mut rows: Vec<SignIn> = query
        .filter(sign_ins::id.lt(filter.before.unwrap_or(i64::MAX)))
        .order(sign_ins::id.desc())
        .limit(limit + 1)
        .select(SignIn::as_select())
        .load(connection)?;
    grounds::complete(connection, &mut rows)?;
    Ok(Page::of(rows, limit, |row| row.id.to_string()))
}

/// A row by its id, or by the id of its request.
pub fn find(connection: &mut AnyConnection, key: &str) -> Result<Option<SignIn>, StoreError> {
    let rows = sign_ins::table.select(SignIn::as_select());
    let found = match key.parse::<i64>() {
        Ok(id) => rows.filter(sign_ins::id.eq(id)).first(connection),
        Err(_) => rows.filter(sign_ins::request_id.eq(key)).first(connection),
    };
    let mut found: Option<SignIn> = found.optional()?;
    grounds::complete(connection, found.as_mut_slice())?;
    Ok(found)
}
