//! Deletes old rows of a log: all rows of a seal, or none. The seal stays and records the deletion.

use diesel::prelude::*;

use super::key::SealKey;
use super::{MAX_ROWS, Seal, after, newest};
use crate::clock::UnixSeconds;
use crate::model::log::Log;
use crate::store::schema::{admin_events, log_seals, sign_ins};
use crate::store::{AnyConnection, StoreError};

/// Seals that one step looks at.
const LOOKED_AT: i64 = 250;

/// Deletes the rows of the first seals that are older than a time, as many as one step may. Returns the number of
/// those seals.
pub fn prune(
    connection: &mut AnyConnection,
    log: Log,
    before: UnixSeconds,
    key: Option<&SealKey>,
) -> Result<usize, StoreError> {
    let kept = first_kept(connection, log)?;
    let seals = after(connection, log, kept.saturating_sub(2), LOOKED_AT)?;
    let (mut pruned, mut rows, mut start) = (0, 0, 0);
    for mut seal in seals {
        let range = (std::mem::replace(&mut start, seal.last_id), seal.last_id);
        if seal.pruned_before.is_some() || seal.newest_at >= before {
            continue;
        }
        rows += usize::try_from(seal.row_count).unwrap_or(usize::MAX).min(MAX_ROWS);
        if pruned > 0 && rows > MAX_ROWS {
            break;
        }
        delete_rows(connection, log, range)?;
        seal.pruned_before = Some(before);
        if let Some(key) = key {
            key.authenticate(&mut seal);
        }
        mark(connection, &seal)?;
        pruned += 1;
    }
    if pruned > 0 {
        forget_seals(connection, log)?;
    }
    Ok(pruned)
}

/// The number of the first seal whose rows are kept; the number after the last if there is none.
fn first_kept(connection: &mut AnyConnection, log: Log) -> Result<i64, StoreError> {
    let kept = log_seals::table.filter(log_seals::log.eq(log)).filter(log_seals::pruned_before.is_null());
    let first = kept.order(log_seals::number.asc()).select(log_seals::number).first(connection).optional()?;
    Ok(match first {
        Some(number) => number,
        None => newest(connection, log)?.map_or(1, |seal| seal.number + 1),
    })
}

fn delete_rows(connection: &mut AnyConnection, log: Log, (after, to): (i64, i64)) -> QueryResult<()> {
    match log {
        Log::Decisions => {
            let rows = sign_ins::table.filter(sign_ins::id.gt(after)).filter(sign_ins::id.le(to));
            diesel::delete(rows).execute(connection)?;
        }
        Log::Admin => {
            let rows = admin_events::table.filter(admin_events::id.gt(after)).filter(admin_events::id.le(to));
            diesel::delete(rows).execute(connection)?;
        }
    }
    Ok(())
}

fn mark(connection: &mut AnyConnection, seal: &Seal) -> QueryResult<()> {
    diesel::update(log_seals::table.find((seal.log, seal.number)))
        .set((
            log_seals::pruned_before.eq(seal.pruned_before),
            log_seals::key_id.eq(&seal.key_id),
            log_seals::code.eq(&seal.code),
        ))
        .execute(connection)?;
    Ok(())
}

/// Of the first seals whose rows are gone, only the last is needed: the next one builds on it.
fn forget_seals(connection: &mut AnyConnection, log: Log) -> Result<(), StoreError> {
    let needed = first_kept(connection, log)?.saturating_sub(1);
    let old = log_seals::table.filter(log_seals::log.eq(log)).filter(log_seals::number.lt(needed));
    diesel::delete(old).execute(connection)?;
    Ok(())
}
