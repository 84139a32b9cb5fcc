//! The state of the database as a whole: one row, which every write of an exchange reads first.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::conflict::Conflict;
use super::schema::generation;
use super::statement::{ConstSql, Statement};
use super::{AnyConnection, StoreError};
use crate::clock::UnixSeconds;
use crate::random::{NoEntropy, number};

/// One state of the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Generation {
    /// Raised by every change.
    pub number: i64,
    /// Random. After a failover that lost changes, or with a restored backup, the same number comes back with another
    /// tag.
    pub tag: i64,
}

impl Generation {
    /// The generation that a change makes.
    pub(super) fn next(self) -> Result<Self, NoEntropy> {
        Ok(Self { number: self.number + 1, tag: number()? })
    }
}

/// The value of `issued_from` in a restored database that has not been served yet.
const RESTORED: UnixSeconds = UnixSeconds::MAX;

/// The row.
#[derive(Debug, Clone, Copy)]
pub struct State {
    /// The number that rises with each change of the configuration.
    pub generation: Generation,
    /// Used assertions that expire before this may have been deleted.
    sweep_horizon: UnixSeconds,
    /// Assertions issued before this may have been used without this database knowing.
    issued_from: UnixSeconds,
}

#[derive(QueryableByName)]
struct StateRow {
    #[diesel(sql_type = BigInt)]
    value: i64,
    #[diesel(sql_type = BigInt)]
    tag: i64,
    #[diesel(sql_type = BigInt)]
    sweep_horizon: i64,
    #[diesel(sql_type = BigInt)]
    issued_from: i64,
}

struct ReadState;

impl ConstSql for ReadState {
    const TEXT: &'static str = "SELECT value, tag, sweep_horizon, issued_from FROM generation WHERE id = 1";
}

impl State {
    /// Reads the row. In a ledger transaction it does not change until the end.
    pub fn read(connection: &mut AnyConnection) -> Result<Self, StoreError> {
        let row: Option<StateRow> = Statement::<ReadState, 0>::new([]).find(connection)?;
        let row = row.ok_or_else(|| StoreError::Damaged("`generation` has no row".to_owned()))?;
        Ok(Self {
            generation: Generation { number: row.value, tag: row.tag },
            sweep_horizon: row.sweep_horizon,
            issued_from: row.issued_from,
        })
    }

    /// Why an assertion with these times is refused: it may have been used without a trace.
    pub(super) fn conflict(&self, issued_at: UnixSeconds, expires_at: UnixSeconds) -> Option<Conflict> {
        if expires_at < self.sweep_horizon {
            return Some(Conflict::ExpiresTooEarly { horizon: self.sweep_horizon });
        }
        match self.issued_from {
            RESTORED => Some(Conflict::NotServedYet),
            from => (issued_at < from).then_some(Conflict::IssuedTooEarly { from }),
        }
    }

    /// Whether it is a restored database that has not been served yet.
    pub fn is_restored(&self) -> bool {
        self.issued_from == RESTORED
    }
}

/// Notes that used assertions which expire before a time may be deleted. This happens before they are, and waits for
/// every ledger transaction that has read the old horizon.
pub(super) fn raise_horizon(connection: &mut AnyConnection, horizon: UnixSeconds) -> Result<(), StoreError> {
    if State::read(connection)?.sweep_horizon >= horizon {
        return Ok(());
    }
    connection.lock_configuration()?;
    let lower = generation::table.filter(generation::id.eq(1)).filter(generation::sweep_horizon.lt(horizon));
    diesel::update(lower).set(generation::sweep_horizon.eq(horizon)).execute(connection)?;
    Ok(())
}

/// Marks the database as a copy that does not know about later uses. No assertion is redeemed with it before
/// [`serve_from`].
pub fn mark_restored(connection: &mut AnyConnection) -> QueryResult<()> {
    connection.lock_configuration()?;
    let row = generation::table.filter(generation::id.eq(1));
    diesel::update(row).set(generation::issued_from.eq(RESTORED)).execute(connection)?;
    Ok(())
}

/// Begins to serve a restored database: assertions issued before a time stay refused. Returns whether it was a
/// restored one; of several processes that begin at once, the first decides.
pub fn serve_from(connection: &mut AnyConnection, from: UnixSeconds) -> QueryResult<bool> {
    connection.lock_configuration()?;
    let restored =
        generation::table.filter(generation::id.eq(1)).filter(generation::issued_from.eq(RESTORED));
    Ok(diesel::update(restored).set(generation::issued_from.eq(from)).execute(connection)? == 1)
}
