//! Deletes expired rows in small steps, so that no sign-in waits behind it.

use diesel::prelude::*;

use super::decision_body::KnownBodies;
use super::schema::used_assertions;
use super::{
    AnyConnection, StoreError, changes, decision_body, issuer_keys, policy_sets, replicas, revocations,
    shadow, state, token_uses,
};
use crate::clock::UnixSeconds;

/// How long a used assertion is kept after it has expired, in seconds. Its age is checked when a request begins; the
/// request may then wait for keys and for the writer, and replicas' clocks differ.
const MARGIN: i64 = 300;
/// How much later than noted an assertion may expire, in seconds, since `assertion.clock_skew` may be raised.
const MOST_SKEW: i64 = 60;
/// Used assertions that one step looks at.
const SWEEP: i64 = 1000;
/// How long the changes of a generation are kept, in seconds. Processes poll every second.
const CHANGES: i64 = 24 * 3600;
/// How long the keys of issuers are kept, in seconds: `jwks.max_age` and `jwks.max_stale` together are no longer.
const ISSUER_KEYS: i64 = 2 * 24 * 3600;

/// Deletes expired used assertions that come after a key. Returns where it ended, or nothing at the end of the table.
/// Neighbours by key are on the same page, so one write deletes many.
///
/// A clock that is ahead deletes assertions that others still consider valid. So before deleting, this notes up to
/// which expiry time it deletes: no assertion that expires before that time is redeemed any more.
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
    issuer_keys::prune(connection, now - ISSUER_KEYS)?;
    revocations::prune(connection, sign_ins_before)?;
    token_uses::prune(connection, sign_ins_before)?;
    Ok(())
}
