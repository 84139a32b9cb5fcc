//! Sign-ins to the console by OpenID Connect that were finished, by the digest of what the browser holds of them.

use diesel::prelude::*;

use super::AnyConnection;
use super::schema::console_finished_sign_ins as finished;
use super::statement::{ConstSql, Statement};
use crate::clock::UnixSeconds;

struct FinishOnce;

impl ConstSql for FinishOnce {
    const TEXT: &'static str =
        "INSERT INTO console_finished_sign_ins (digest, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING";
}

/// Notes that one was finished; tells whether it was the first time. Of several who try at once one succeeds.
pub fn finish(connection: &mut AnyConnection, digest: &str, expires_at: UnixSeconds) -> QueryResult<bool> {
    Ok(Statement::<FinishOnce, 2>::new([digest.into(), expires_at.into()]).run(connection)? == 1)
}

/// Deletes those that could not be finished any more anyway.
pub(super) fn prune(connection: &mut AnyConnection, now: UnixSeconds) -> QueryResult<usize> {
    diesel::delete(finished::table.filter(finished::expires_at.le(now))).execute(connection)
}
