//! Deleting what has expired, in small steps so that no sign-in waits behind it.

use diesel::prelude::*;

use super::decision_body::KnownBodies;
use super::schema::{admin_events, sign_ins, used_assertions};
use super::{AnyConnection, StoreError, changes, decision_body, policy_sets, replicas, shadow, state};
use crate::clock::UnixSeconds;

/// How long a used assertion is kept after it has expired, in seconds. Its age is judged when a request
/// begins; the request may then wait for keys and for the writer, and replicas' clocks differ.
const MARGIN: i64 = 300;
/// Seconds that an assertion may expire later than noted when it was used, since `assertion.clock_skew` may be raised.
const MOST_SKEW: i64 = 60;
/// Most sign-ins that one step deletes.
const STEP: i64 = 250;
/// Used assertions that one step looks at.
const SWEEP: i64 = 1000;
/// How long it is kept what a generation has changed, in seconds: processes look every second.
const CHANGES: i64 = 24 * 3600;

/// Deletes the oldest sign-ins of before a time; tells how many. Ids rise with time, so the oldest rows are the
/// first: no index on the time is needed.
pub(super) fn prune_sign_ins(
    connection: &mut AnyConnection,
    before: UnixSeconds,
) -> Result<usize, StoreError> {
    let oldest: Vec<(i64, i64)> = sign_ins::table
        .order(sign_ins::id.asc())
        .select((sign_ins::id, sign_ins::at))
        .limit(STEP)
        .load(connection)?;
    let old: Vec<i64> = oldest.iter().filter(|(_, at)| *at < before).map(|(id, _)| *id).collect();
    if old.is_empty() {
        return Ok(0);
    }
    Ok(diesel::delete(sign_ins::table.filter(sign_ins::id.eq_any(old))).execute(connection)?)
}

/// Deletes old rows of the audit log.
pub(super) fn prune_audit(connection: &mut AnyConnection, before: UnixSeconds) -> QueryResult<usize> {
    let oldest: Vec<(i64, i64)> = admin_events::table
        .order(admin_events::id.asc())
        .select((admin_events::id, admin_events::at))
        .limit(STEP)
        .load(connection)?;
    let old: Vec<i64> = oldest.iter().filter(|(_, at)| *at < before).map(|(id, _)| *id).collect();
    if old.is_empty() {
        return Ok(0);
    }
    diesel::delete(admin_events::table.filter(admin_events::id.eq_any(old))).execute(connection)
}

/// Whether a step was full: then there may be more.
pub(super) fn is_full_step(deleted: usize) -> bool {
    i64::try_from(deleted).is_ok_and(|deleted| deleted >= STEP)
}

/// Deletes the expired ones among the used assertions that come after a key; tells where it ended, and
/// nothing when it has come to the end of all. Neighbours by key are on the same page: one write for many.
///
/// A clock that is ahead deletes what others still take for valid. So it is noted, before they are deleted, up to
/// which time they expire: no assertion that expires before is redeemed any more.
pub(super) fn sweep_assertions(
    connection: &mut AnyConnection,
    after: &str,
    now: UnixSeconds,
) -> Result<Option<String>, StoreError> {
    let looked_at: Vec<(String, UnixSeconds)> = used_assertions::table
        .filter(used_assertions::assertion.gt(after))
        .order(used_assertions::assertion.asc())
        .select((used_assertions::assertion, used_assertions::expires_at))
        .limit(SWEEP)
        .load(connection)?;
    let is_last = i64::try_from(looked_at.len()).is_ok_and(|number| number < SWEEP);
    let expired = looked_at.iter().map(|(_, expires_at)| *expires_at).filter(|at| *at < now - MARGIN);
    let last = looked_at.last().map(|(key, _)| key.clone());
    if let (Some(highest), Some(last)) = (expired.max(), &last) {
        state::raise_horizon(connection, highest + MOST_SKEW + 1)?;
        let expired = used_assertions::table
            .filter(used_assertions::assertion.gt(after))
            .filter(used_assertions::assertion.le(last))
            .filter(used_assertions::expires_at.le(highest));
        diesel::delete(expired).execute(connection)?;
    }
    Ok(last.filter(|_| !is_last))
}

/// Deletes what is small.
pub(super) fn tidy(
    connection: &mut AnyConnection,
    bodies: &KnownBodies,
    now: UnixSeconds,
    sign_ins_before: UnixSeconds,
) -> Result<(), StoreError> {
    policy_sets::prune(connection, sign_ins_before)?;
    decision_body::prune(connection, bodies, sign_ins_before)?;
    shadow::prune(connection, sign_ins_before)?;
    changes::prune(connection, now - CHANGES)?;
    replicas::prune(connection, now)?;
    Ok(())
}
