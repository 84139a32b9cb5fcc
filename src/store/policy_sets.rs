//! Policy sets that were in force, by the hash that sign-ins refer to.

use diesel::prelude::*;

use super::connection::on_either;
use super::schema::policy_sets;
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;

/// How much longer than its sign-ins a set is kept, in seconds: `last_in_force_at` is updated only each minute, and a
/// request that began under the set may end later.
const MARGIN: i64 = 300;

/// A set and when it was in force; `content` is what `PolicySource::from_content` reads.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = policy_sets)]
pub struct PastSetRow {
    /// SHA-256 of the content in hexadecimal.
    pub hash: String,
    /// The texts of all files and of the schema.
    pub content: String,
    /// The time at which a process first decided by it.
    pub first_loaded_at: UnixSeconds,
    /// The latest time at which a process is known to have decided by it, as the process noted it.
    pub last_in_force_at: UnixSeconds,
}

/// A past set without its text.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = policy_sets)]
pub struct PastSetTimes {
    /// SHA-256 of the content in hexadecimal.
    pub hash: String,
    /// The time at which a process first decided by it.
    pub first_loaded_at: UnixSeconds,
    /// The latest time at which a process is known to have decided by it, as the process noted it.
    pub last_in_force_at: UnixSeconds,
}

/// Notes that a set is in force.
pub fn keep(connection: &mut AnyConnection, hash: &str, content: &str, now: UnixSeconds) -> QueryResult<()> {
    let row = (
        policy_sets::hash.eq(hash),
        policy_sets::content.eq(content),
        policy_sets::first_loaded_at.eq(now),
        policy_sets::last_in_force_at.eq(now),
    );
    on_either!(connection, |c| diesel::insert_into(policy_sets::table)
        .values(row)
        .on_conflict(policy_sets::hash)
        .do_update()
        .set(policy_sets::last_in_force_at.eq(now))
        .execute(c)?);
    Ok(())
}

/// The set with this hash, or the only one whose hash begins with the text.
pub fn find(connection: &mut AnyConnection, prefix: &str) -> Result<Option<PastSetRow>, StoreError> {
    let hashes: Vec<String> = policy_sets::table.select(policy_sets::hash).load(connection)?;
    let mut matching = hashes.iter().filter(|hash| !prefix.is_empty() && hash.starts_with(prefix));
    let Some(hash) = matching.next() else { return Ok(None) };
    if matching.next().is_some() {
        return Err(StoreError::AmbiguousSet(prefix.to_owned()));
    }
    let found = policy_sets::table.find(hash).select(PastSetRow::as_select()).first(connection);
    Ok(found.optional()?)
}

/// All sets without their texts, latest first.
pub fn list(connection: &mut AnyConnection) -> Result<Vec<PastSetTimes>, StoreError> {
    Ok(policy_sets::table
        .select(PastSetTimes::as_select())
        .order((policy_sets::first_loaded_at.desc(), policy_sets::hash.asc()))
        .load(connection)?)
}

/// Deletes the sets whose sign-ins have been deleted.
pub(super) fn prune(connection: &mut AnyConnection, sign_ins_before: UnixSeconds) -> QueryResult<usize> {
    let old = policy_sets::last_in_force_at.lt(sign_ins_before - MARGIN);
    diesel::delete(policy_sets::table.filter(old)).execute(connection)
}
