//! Sessions of the console. The browser's part of one is kept as a digest.

use diesel::prelude::*;

use super::schema::console_sessions;
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;
use crate::text_enum::text_enum;

text_enum! {
    /// The kind of person that a session is for.
    SessionKind {
        /// Somebody of the company that runs the service.
        Operator = "operator",
        /// Somebody who came by a set-up link.
        SetupLink = "setup_link",
    }
}

/// Somebody who is signed in, as of their sign-in.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, Queryable, Selectable, Insertable,
)]
#[diesel(table_name = console_sessions)]
pub struct ConsoleSession {
    pub id: String,
    pub digest: String,
    pub kind: SessionKind,
    /// In lower case; empty for whoever came with a set-up token or a set-up link.
    pub email: String,
    pub name: String,
    /// The one teamspace that a set-up link is for.
    pub teamspace_id: Option<String>,
    /// Empty where there was no link.
    pub link_id: String,
    /// The address that it was begun from.
    pub address: String,
    pub created_at: UnixSeconds,
    /// When it was last used, to the minute.
    pub seen_at: UnixSeconds,
    /// When it ends at the latest.
    pub expires_at: UnixSeconds,
}

/// Adds one.
pub fn insert(connection: &mut AnyConnection, session: &ConsoleSession) -> QueryResult<()> {
    diesel::insert_into(console_sessions::table).values(session).execute(connection)?;
    Ok(())
}

/// Finds one by its digest.
pub fn find(connection: &mut AnyConnection, digest: &str) -> Result<Option<ConsoleSession>, StoreError> {
    Ok(console_sessions::table
        .filter(console_sessions::digest.eq(digest))
        .select(ConsoleSession::as_select())
        .first(connection)
        .optional()?)
}

/// Notes that one was used.
pub fn touch(connection: &mut AnyConnection, id: &str, at: UnixSeconds) -> QueryResult<()> {
    diesel::update(console_sessions::table.find(id))
        .set(console_sessions::seen_at.eq(at))
        .execute(connection)?;
    Ok(())
}

/// Ends one, by its digest.
pub fn end(connection: &mut AnyConnection, digest: &str) -> QueryResult<usize> {
    diesel::delete(console_sessions::table.filter(console_sessions::digest.eq(digest))).execute(connection)
}

/// Ends all sessions of the person whose session has an id.
pub fn end_all_of(connection: &mut AnyConnection, id: &str) -> QueryResult<usize> {
    let session: Option<ConsoleSession> =
        console_sessions::table.find(id).select(ConsoleSession::as_select()).first(connection).optional()?;
    let Some(ConsoleSession { email, kind, link_id, .. }) = session else { return Ok(0) };
    let theirs = console_sessions::table
        .filter(console_sessions::email.eq(email))
        .filter(console_sessions::kind.eq(kind))
        .filter(console_sessions::link_id.eq(link_id));
    diesel::delete(theirs).execute(connection)
}

/// Deletes those that have ended by themselves: `unused_since` says since when they must not have been used.
pub(super) fn prune(
    connection: &mut AnyConnection,
    now: UnixSeconds,
    unused_since: UnixSeconds,
) -> QueryResult<usize> {
    let ended = console_sessions::expires_at.le(now).or(console_sessions::seen_at.le(unused_since));
    diesel::delete(console_sessions::table.filter(ended)).execute(connection)
}
