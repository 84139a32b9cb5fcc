//! The ledger's statements for SQLite: run row by row, which costs no round trip there. Their texts are constant,
//! so that a prepared statement is found without making the text again.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, SqliteConnection};

use super::columns::TEXTS;
use crate::clock::UnixSeconds;
use crate::store::members::Status;
use crate::store::schema::members;
use crate::store::sign_ins::NewSignIn;

/// Makes an assertion used, unless it is.
struct Consume<'a> {
    assertion: &'a str,
    expires_at: UnixSeconds,
}

impl QueryFragment<Sqlite> for Consume<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("INSERT INTO used_assertions (assertion, expires_at) VALUES (");
        out.push_bind_param::<Text, _>(self.assertion)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.expires_at)?;
        out.push_sql(") ON CONFLICT DO NOTHING");
        Ok(())
    }
}

impl QueryId for Consume<'_> {
    type QueryId = Consume<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<SqliteConnection> for Consume<'_> {}

/// Inserts the keys that are not there yet, and tells which ones.
pub(super) fn consume(
    connection: &mut SqliteConnection,
    rows: &[(&str, UnixSeconds)],
) -> QueryResult<HashSet<String>> {
    let mut consumed = HashSet::with_capacity(rows.len());
    for (assertion, expires_at) in rows.iter().copied() {
        if (Consume { assertion, expires_at }).execute(connection)? == 1 {
            consumed.insert(assertion.to_owned());
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

/// Appends a row to the decision log.
struct Record<'a>(&'a NewSignIn);

impl QueryFragment<Sqlite> for Record<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("INSERT INTO sign_ins (at, teamspace_id");
        for (name, _) in TEXTS {
            out.push_sql(", ");
            out.push_sql(name);
        }
        out.push_sql(") VALUES (");
        out.push_bind_param::<BigInt, _>(&self.0.at)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&self.0.teamspace_id)?;
        for (_, text) in TEXTS {
            out.push_sql(", ");
            out.push_bind_param::<Text, _>(text(self.0))?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for Record<'_> {
    type QueryId = Record<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<SqliteConnection> for Record<'_> {}

/// Appends rows to the decision log.
pub(super) fn record(connection: &mut SqliteConnection, rows: &[&NewSignIn]) -> QueryResult<()> {
    for row in rows {
        Record(row).execute(connection)?;
    }
    Ok(())
}
