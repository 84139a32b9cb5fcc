//! Sessions of the console. The browser's secret is stored only as a digest.

use diesel::prelude::*;

use super::schema::console_sessions;
use super::{AnyConnection, Page, StoreError, from_json};
use crate::clock::UnixSeconds;
use crate::text_enum::text_enum;

text_enum! {
    /// The kind of person that a session is for.
    SessionKind {
        /// Somebody of the company that runs the service.
        Operator = "operator",
        /// A member of one teamspace or of several.
        Member = "member",
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
    /// Random; it is no secret, and names the session in the audit log.
    pub id: String,
    /// SHA-256 of the cookie's value in hexadecimal; the value itself is never kept.
    pub digest: String,
    /// How the person proved who they are.
    pub kind: SessionKind,
    /// In lower case; empty for whoever came with a set-up token or a set-up link.
    pub email: String,
    /// The name for people, as the sign-in said it; empty where it said none.
    pub name: String,
    /// The one teamspace that a set-up link is for.
    pub teamspace_id: Option<String>,
    /// Empty where there was no link.
    pub link_id: String,
    /// The address that it was begun from.
    pub address: String,
    /// The time of the sign-in.
    pub created_at: UnixSeconds,
    /// When it was last used, to the minute.
    pub seen_at: UnixSeconds,
    /// When it ends at the latest.
    pub expires_at: UnixSeconds,
    /// The browser that it was begun in, by its plain name; empty where it is not known.
    pub browser: String,
    /// The groups that the identity provider told at the sign-in, as a JSON array.
    pub user_groups: String,
}

impl ConsoleSession {
    /// The person's groups.
    pub fn groups(&self) -> Result<Vec<String>, StoreError> {
        from_json(&self.user_groups)
    }
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

/// The conditions for a live session: it has not expired, and was used since a time.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// Sessions that expire by now are over.
    pub now: UnixSeconds,
    /// Sessions last used by then are over.
    pub unused_since: UnixSeconds,
}

type Query<'a> = console_sessions::BoxedQuery<'a, <AnyConnection as diesel::Connection>::Backend>;

impl Live {
    /// The live sessions.
    fn query<'a>(self) -> Query<'a> {
        console_sessions::table
            .filter(console_sessions::expires_at.gt(self.now))
            .filter(console_sessions::seen_at.gt(self.unused_since))
            .into_boxed()
    }
}

/// Lists a page of the live sessions, newest first. `before` is the cursor of the page before.
pub fn list(
    connection: &mut AnyConnection,
    live: Live,
    (limit, before): (i64, Option<&str>),
) -> Result<Page<ConsoleSession>, StoreError> {
    let mut query = live.query();
    if let Some((at, id)) = before.and_then(place) {
        let is_older = console_sessions::created_at.lt(at);
        let is_beside = console_sessions::created_at.eq(at).and(console_sessions::id.lt(id.to_owned()));
        query = query.filter(console_sessions::created_at.le(at)).filter(is_older.or(is_beside));
    }
    let rows = query
        .order((console_sessions::created_at.desc(), console_sessions::id.desc()))
        .limit(limit + 1)
        .select(ConsoleSession::as_select())
        .load(connection)?;
    Ok(Page::of(rows, limit, |session| format!("{}.{}", session.created_at, session.id)))
}

/// Whether a text is a cursor of this list.
pub fn is_cursor(cursor: &str) -> bool {
    place(cursor).is_some()
}

/// The time and the id of the session that a page comes after.
fn place(cursor: &str) -> Option<(UnixSeconds, &str)> {
    let (at, id) = cursor.split_once('.')?;
    Some((at.parse().ok()?, id))
}

/// The newest live sessions of the person whose session has an id.
pub fn of_same_person(
    connection: &mut AnyConnection,
    live: Live,
    (id, limit): (&str, i64),
) -> Result<Vec<ConsoleSession>, StoreError> {
    let Some(person) = SessionOwner::of(connection, id)? else { return Ok(Vec::new()) };
    Ok(live
        .query()
        .filter(console_sessions::email.eq(person.email))
        .filter(console_sessions::kind.eq(person.kind))
        .filter(console_sessions::link_id.eq(person.link_id))
        .order((console_sessions::created_at.desc(), console_sessions::id.desc()))
        .limit(limit)
        .select(ConsoleSession::as_select())
        .load(connection)?)
}

/// Ends a session inside a transaction, and returns it.
pub fn end_by_id(connection: &mut AnyConnection, id: &str) -> Result<Option<ConsoleSession>, StoreError> {
    let row = console_sessions::table.find(id);
    let found = row.select(ConsoleSession::as_select()).first(connection).optional()?;
    diesel::delete(row).execute(connection)?;
    Ok(found)
}

/// Ends a session inside a transaction, if it belongs to the same person as the session `own`, and returns it.
pub fn end_of_same_person(
    connection: &mut AnyConnection,
    own: &str,
    id: &str,
) -> Result<Option<ConsoleSession>, StoreError> {
    let (own, other) = (SessionOwner::of(connection, own)?, SessionOwner::of(connection, id)?);
    if own.is_none() || own != other { Ok(None) } else { end_by_id(connection, id) }
}

/// Ends all sessions of the person whose session has this id.
pub fn end_all_of(connection: &mut AnyConnection, id: &str) -> Result<usize, StoreError> {
    let Some(person) = SessionOwner::of(connection, id)? else { return Ok(0) };
    let theirs = console_sessions::table
        .filter(console_sessions::email.eq(person.email))
        .filter(console_sessions::kind.eq(person.kind))
        .filter(console_sessions::link_id.eq(person.link_id));
    Ok(diesel::delete(theirs).execute(connection)?)
}

/// Ends all sessions of an address.
pub fn end_all_of_email(connection: &mut AnyConnection, email: &str) -> Result<usize, StoreError> {
    let theirs = console_sessions::table.filter(console_sessions::email.eq(email));
    Ok(diesel::delete(theirs).execute(connection)?)
}

/// Ends the sessions of everybody.
pub fn end_all(connection: &mut AnyConnection) -> Result<usize, StoreError> {
    Ok(diesel::delete(console_sessions::table).execute(connection)?)
}

/// The values that all sessions of one person share.
#[derive(PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = console_sessions)]
struct SessionOwner {
    email: String,
    kind: SessionKind,
    link_id: String,
}

impl SessionOwner {
    /// The person whose session has an id.
    fn of(connection: &mut AnyConnection, id: &str) -> Result<Option<Self>, StoreError> {
        let row = console_sessions::table.find(id);
        Ok(row.select(Self::as_select()).first(connection).optional()?)
    }
}

/// Deletes ended sessions: expired ones, and those not used since `unused_since`.
pub(super) fn prune(
    connection: &mut AnyConnection,
    now: UnixSeconds,
    unused_since: UnixSeconds,
) -> QueryResult<usize> {
    let ended = console_sessions::expires_at.le(now).or(console_sessions::seen_at.le(unused_since));
    diesel::delete(console_sessions::table.filter(ended)).execute(connection)
}
