//! Revocations, in the order of their commits. Processes keep the recent ones in memory and follow the table by
//! position.

use diesel::dsl::max;
use diesel::prelude::*;

use super::row::row;
use super::schema::revocations;
use super::{AnyConnection, StoreError, sign_ins};
use crate::clock::UnixSeconds;
use crate::model::revocation::{Revocation, RevocationCause, RevocationKind};
use crate::random::number;

/// Rows that are read at a time.
const PORTION: i64 = 10_000;

row! {
    #[derive(Queryable, Selectable, Insertable)]
    #[diesel(table_name = revocations)]
    RevocationRow: Revocation {
        kind: RevocationKind,
        object: String,
        name: String,
        teamspace_id: Option<String>,
        resource_id: Option<String>,
        issued_until: UnixSeconds,
        at: UnixSeconds,
        cause: RevocationCause,
        request_id: String,
    }
}

/// A position in the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RevocationCursor {
    /// The position of the last row that was read; 0 before the first.
    pub position: i64,
    /// The tag of that row, which no other row at this position has.
    pub tag: i64,
}

/// Rows after a cursor.
#[derive(Debug)]
pub struct NewRevocations {
    /// The rows, in the order of their commits.
    pub items: Vec<Revocation>,
    /// The position after the last of them.
    pub cursor: RevocationCursor,
    /// Whether the cursor was not one of this database: then these are all recent rows.
    pub is_reset: bool,
}

/// Adds a revocation. From here on, no other transaction adds one until this one has ended, so positions follow the
/// order of commits.
pub fn add(connection: &mut AnyConnection, revocation: &Revocation) -> Result<(), StoreError> {
    connection.lock_revocations()?;
    let last: Option<i64> = revocations::table.select(max(revocations::position)).first(connection)?;
    let place = (revocations::position.eq(last.unwrap_or_default() + 1), revocations::tag.eq(number()?));
    diesel::insert_into(revocations::table)
        .values((place, RevocationRow::from(revocation)))
        .execute(connection)?;
    connection.announce()?;
    Ok(())
}

/// Adds a revocation of every token of the object that is recorded already. The transaction holds the configuration lock,
/// so no exchange is written meanwhile. The time of the request alone would be too early: exchanges may have been written
/// while it waited for the lock, and by a process whose clock is ahead.
pub fn add_of_all_issued(connection: &mut AnyConnection, revocation: Revocation) -> Result<(), StoreError> {
    let latest = sign_ins::latest_time(connection)?.unwrap_or_default();
    let issued_until = revocation.issued_until.max(latest);
    add(connection, &Revocation { issued_until, ..revocation })
}

/// At most so many rows after a cursor. If there is none, or this database does not know it, they begin with the first
/// that was recorded at or after a time.
pub fn page(
    connection: &mut AnyConnection,
    cursor: Option<RevocationCursor>,
    since: UnixSeconds,
    most: usize,
) -> Result<NewRevocations, StoreError> {
    let mut read = NewRevocations { items: Vec::new(), cursor: RevocationCursor::default(), is_reset: true };
    let first = match cursor {
        Some(cursor) if is_known(connection, cursor)? => {
            read = NewRevocations { cursor, is_reset: false, ..read };
            Some(cursor.position + 1)
        }
        _ => first_since(connection, since)?,
    };
    if let Some(first) = first {
        read_from(connection, first, most, &mut read)?;
    }
    Ok(read)
}

/// The first position that was recorded at or after a time. Without recent rows, it is the last position: that still
/// says where the table ends.
fn first_since(connection: &mut AnyConnection, since: UnixSeconds) -> Result<Option<i64>, StoreError> {
    let first: Option<i64> = revocations::table
        .filter(revocations::at.ge(since))
        .select(revocations::position)
        .order(revocations::position.asc())
        .first(connection)
        .optional()?;
    match first {
        Some(first) => Ok(Some(first)),
        None => Ok(revocations::table.select(max(revocations::position)).first(connection)?),
    }
}

/// Whether the cursor is one of this database; the one before the first row is one of every database.
fn is_known(connection: &mut AnyConnection, cursor: RevocationCursor) -> Result<bool, StoreError> {
    if cursor == RevocationCursor::default() {
        return Ok(true);
    }
    let tag: Option<i64> =
        revocations::table.find(cursor.position).select(revocations::tag).first(connection).optional()?;
    Ok(tag == Some(cursor.tag))
}

fn read_from(
    connection: &mut AnyConnection,
    first: i64,
    most: usize,
    read: &mut NewRevocations,
) -> Result<(), StoreError> {
    let mut next = first;
    while read.items.len() < most {
        let rows: Vec<(i64, i64, RevocationRow)> = revocations::table
            .filter(revocations::position.ge(next))
            .order(revocations::position.asc())
            .limit(i64::try_from(most - read.items.len()).map_or(PORTION, |left| left.min(PORTION)))
            .select((revocations::position, revocations::tag, RevocationRow::as_select()))
            .load(connection)?;
        let Some((position, tag, _)) = rows.last() else { return Ok(()) };
        read.cursor = RevocationCursor { position: *position, tag: *tag };
        next = *position + 1;
        read.items.extend(rows.into_iter().map(|(_, _, row)| Revocation::from(row)));
    }
    Ok(())
}

/// The first revocation of any of some objects that covers a token issued at a time.
pub fn first_of(
    connection: &mut AnyConnection,
    objects: &[(RevocationKind, String)],
    issued_at: UnixSeconds,
) -> Result<Option<Revocation>, StoreError> {
    let mut first: Option<(i64, RevocationRow)> = None;
    for (kind, object) in objects {
        let found: Option<(i64, RevocationRow)> = revocations::table
            .filter(revocations::kind.eq(kind))
            .filter(revocations::object.eq(object))
            .filter(revocations::issued_until.ge(issued_at))
            .order(revocations::position.asc())
            .select((revocations::position, RevocationRow::as_select()))
            .first(connection)
            .optional()?;
        let is_earlier = |(position, _): &(i64, RevocationRow)| {
            first.as_ref().is_none_or(|(earliest, _)| position < earliest)
        };
        first = found.filter(is_earlier).or(first);
    }
    Ok(first.map(|(_, row)| Revocation::from(row)))
}

/// The latest revocations of an object, newest first, at most `limit`.
pub fn latest_of(
    connection: &mut AnyConnection,
    kind: RevocationKind,
    object: &str,
    limit: i64,
) -> Result<Vec<Revocation>, StoreError> {
    let rows: Vec<RevocationRow> = revocations::table
        .filter(revocations::kind.eq(kind))
        .filter(revocations::object.eq(object))
        .order(revocations::position.desc())
        .limit(limit)
        .select(RevocationRow::as_select())
        .load(connection)?;
    Ok(rows.into_iter().map(Revocation::from).collect())
}

/// Deletes rows that are older than a time, but never the last one: it says where the table ends.
pub(super) fn prune(connection: &mut AnyConnection, before: UnixSeconds) -> QueryResult<usize> {
    let last: Option<i64> = revocations::table.select(max(revocations::position)).first(connection)?;
    let old = revocations::table
        .filter(revocations::at.lt(before))
        .filter(revocations::position.lt(last.unwrap_or_default()));
    diesel::delete(old).execute(connection)
}
