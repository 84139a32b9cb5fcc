//! Deleting what has expired, in small steps so that no sign-in waits behind it.

use diesel::prelude::*;

use super::schema::{sign_ins, used_assertions};
use super::{AnyConnection, StoreError, policy_sets, shadow};
use crate::clock::UnixSeconds;

/// How long a used assertion is kept after it has expired, in seconds. Its age is judged when a request
/// begins; the request may then wait for keys and for the writer, and replicas' clocks differ.
const MARGIN: i64 = 300;
/// Most rows one step deletes from a table.
const STEP: i64 = 500;

/// How many rows a step deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    pub used_assertions: usize,
    pub sign_ins: usize,
}

impl Pruned {
    /// Whether there may be more to delete.
    pub fn is_partial(self) -> bool {
        let step = STEP.unsigned_abs() as usize;
        self.used_assertions >= step || self.sign_ins >= step
    }
}

pub(super) fn prune(
    connection: &mut AnyConnection,
    now: UnixSeconds,
    sign_ins_before: UnixSeconds,
) -> Result<Pruned, StoreError> {
    let expired: Vec<String> = used_assertions::table
        .filter(used_assertions::expires_at.lt(now - MARGIN))
        .select(used_assertions::assertion)
        .limit(STEP)
        .load(connection)?;
    // Ids rise with time, so the oldest rows are the first: no index on the time is needed.
    let oldest: Vec<(i64, i64)> = sign_ins::table
        .order(sign_ins::id.asc())
        .select((sign_ins::id, sign_ins::at))
        .limit(STEP)
        .load(connection)?;
    let old: Vec<i64> = oldest.iter().filter(|(_, at)| *at < sign_ins_before).map(|(id, _)| *id).collect();
    policy_sets::prune(connection, sign_ins_before)?;
    shadow::prune(connection, sign_ins_before)?;
    Ok(Pruned {
        used_assertions: diesel::delete(
            used_assertions::table.filter(used_assertions::assertion.eq_any(expired)),
        )
        .execute(connection)?,
        sign_ins: diesel::delete(sign_ins::table.filter(sign_ins::id.eq_any(old))).execute(connection)?,
    })
}
