//! The ledger's statements for SQLite: prepared once, run row by row, which costs no round trip there.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::{QueryResult, SqliteConnection};

use crate::clock::UnixSeconds;
use crate::store::members::Status;
use crate::store::schema::{members, sign_ins, used_assertions};
use crate::store::sign_ins::NewSignIn;

/// Inserts the keys that are not there yet, and tells which ones.
pub(super) fn consume(
    connection: &mut SqliteConnection,
    rows: &[(&str, UnixSeconds)],
) -> QueryResult<HashSet<String>> {
    let mut consumed = HashSet::with_capacity(rows.len());
    for (assertion, expires_at) in rows {
        let row = (used_assertions::assertion.eq(assertion), used_assertions::expires_at.eq(expires_at));
        let inserted = diesel::insert_into(used_assertions::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(connection)?;
        if inserted == 1 {
            consumed.insert((*assertion).to_owned());
        }
    }
    Ok(consumed)
}

/// Notes when active members signed in last, and tells which of them there are.
pub(super) fn touch(
    connection: &mut SqliteConnection,
    rows: &[(&str, UnixSeconds)],
) -> QueryResult<HashSet<String>> {
    let mut found = HashSet::with_capacity(rows.len());
    for (id, at) in rows {
        let active =
            members::table.filter(members::id.eq(id)).filter(members::status.eq(Status::Active.as_str()));
        if diesel::update(active).set(members::last_sign_in_at.eq(at)).execute(connection)? == 1 {
            found.insert((*id).to_owned());
        }
    }
    Ok(found)
}

/// Appends rows to the decision log.
pub(super) fn record(connection: &mut SqliteConnection, rows: &[&NewSignIn]) -> QueryResult<()> {
    for row in rows {
        diesel::insert_into(sign_ins::table).values(*row).execute(connection)?;
    }
    Ok(())
}
