//! The processes that serve one database, and the policies that each of them decides by.

use diesel::prelude::*;

use super::connection::on_either;
use super::schema::replicas;
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;

/// A process, as the others see it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = replicas)]
pub struct Replica {
    /// Random, new with each start.
    pub id: String,
    /// For people: the host's name and the process's id.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// The hash of its policies.
    pub policy_set: String,
    /// The time of its start.
    pub started_at: UnixSeconds,
    /// When it last announced itself, by the database's clock if it has one.
    pub seen_at: UnixSeconds,
}

/// How long a silent process counts as running, in seconds.
const ALIVE: i64 = 15;
/// After how long it is forgotten.
pub const FORGOTTEN_AFTER: i64 = 20 * ALIVE;

/// The result of a heartbeat.
pub struct Heartbeat {
    /// The other processes that run.
    pub others: Vec<Replica>,
    /// When this process last announced itself; none if the database does not know it.
    pub own_before: Option<UnixSeconds>,
}

/// Announces this process, and returns the others that run.
pub fn heartbeat(connection: &mut AnyConnection, own: &Replica) -> Result<Heartbeat, StoreError> {
    let row = replicas::table.find(&own.id);
    let own_before = row.select(replicas::seen_at).first(connection).optional()?;
    on_either!(connection, |c| diesel::insert_into(replicas::table)
        .values(own)
        .on_conflict(replicas::id)
        .do_update()
        .set(own)
        .execute(c)?);
    let others = replicas::table
        .filter(replicas::id.ne(&own.id))
        .filter(replicas::seen_at.gt(own.seen_at - ALIVE))
        .order(replicas::name.asc())
        .select(Replica::as_select())
        .load(connection)?;
    Ok(Heartbeat { others, own_before })
}

/// The processes that serve this database, by their announcements.
pub(crate) fn running(connection: &mut AnyConnection, now: UnixSeconds) -> QueryResult<Vec<Replica>> {
    let now = connection.time()?.unwrap_or(now);
    let alive = replicas::table.filter(replicas::seen_at.gt(now - ALIVE)).order(replicas::name.asc());
    alive.select(Replica::as_select()).load(connection)
}

/// Says that a process is about to end.
pub fn leave(connection: &mut AnyConnection, id: &str) -> Result<(), StoreError> {
    diesel::delete(replicas::table.find(id)).execute(connection)?;
    Ok(())
}

/// Deletes processes that ended without a word.
pub(super) fn prune(connection: &mut AnyConnection, now: UnixSeconds) -> QueryResult<usize> {
    let now = connection.time()?.unwrap_or(now);
    diesel::delete(replicas::table.filter(replicas::seen_at.lt(now - FORGOTTEN_AFTER))).execute(connection)
}
