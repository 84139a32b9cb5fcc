//! The chains of both logs. A seal holds a digest of some rows and of the seal before it, so nobody can change,
//! remove, add or reorder sealed rows without making every later seal again. Rows are written without their chain, and
//! sealed a little later: [`append`] does that, `prune` deletes old rows by whole seals, and [`verify`] checks
//! everything.

pub mod append;
mod content;
pub(crate) mod key;
pub(crate) mod prune;
pub mod verify;

use diesel::prelude::*;

use super::schema::log_seals;
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;
use crate::model::log::Log;

/// The most rows under one seal: one pruning step deletes this many, and a finding is exact to this many.
pub const MAX_ROWS: usize = 250;

/// A seal over the rows after the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = log_seals)]
pub struct Seal {
    /// The log that the rows are in.
    pub log: Log,
    /// From 1 on, without gaps.
    pub number: i64,
    /// The version that says which columns of the rows are in the digest.
    pub format: i64,
    /// It covers every row after the `last_id` of the seal before, up to this id.
    pub last_id: i64,
    /// The number of rows that the digest covers.
    pub row_count: i64,
    /// The latest time of its rows.
    pub newest_at: UnixSeconds,
    /// The time at which the seal was made.
    pub sealed_at: UnixSeconds,
    /// SHA-256 over the seal before, the rows and the members above.
    pub digest: String,
    /// Names the key that made `code`; both are empty where no key is configured.
    pub key_id: String,
    /// HMAC of the seal by that key, which only the service can make.
    pub code: String,
    /// Set when the rows were deleted because of their age: all were older than this.
    pub pruned_before: Option<UnixSeconds>,
}

impl Seal {
    /// The seal in the form kept elsewhere, and taken by `countersign audit verify --expect`: LOG:NUMBER:DIGEST.
    pub fn name(&self) -> String {
        format!("{}:{}:{}", self.log.as_str(), self.number, self.digest)
    }
}

/// The newest seal of a log.
pub fn newest(connection: &mut AnyConnection, log: Log) -> Result<Option<Seal>, StoreError> {
    let seals = log_seals::table.filter(log_seals::log.eq(log)).order(log_seals::number.desc());
    Ok(seals.select(Seal::as_select()).first(connection).optional()?)
}

/// The first seals with a higher number.
fn after(connection: &mut AnyConnection, log: Log, number: i64, limit: i64) -> Result<Vec<Seal>, StoreError> {
    let seals = log_seals::table
        .filter(log_seals::log.eq(log))
        .filter(log_seals::number.gt(number))
        .order(log_seals::number.asc())
        .limit(limit);
    Ok(seals.select(Seal::as_select()).load(connection)?)
}
