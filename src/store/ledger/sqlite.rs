//! The ledger's statements for SQLite: run row by row, without round trips. Their texts are constant, so a prepared
//! statement is found without building the text again.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, SqliteConnection};

use super::columns::TEXTS;
use crate::clock::UnixSeconds;
use crate::store::decision_body::Use;
use crate::store::sign_ins::NewSignIn;
use crate::store::statement::{ConstSql, Statement};

struct ConsumeRow;

impl ConstSql for ConsumeRow {
    const TEXT: &'static str =
        "INSERT INTO used_assertions (assertion, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING";
}

/// Inserts the missing keys, and returns for each row whether it was inserted; of equal keys, only the first is.
pub(super) fn consume(
    connection: &mut SqliteConnection,
    rows: &[(&str, UnixSeconds)],
) -> QueryResult<Vec<bool>> {
    let mut consume = |(key, expires_at): &(&str, UnixSeconds)| {
        let inserted =
            Statement::<ConsumeRow, 2>::new([(*key).into(), (*expires_at).into()]).execute(connection)?;
        Ok(inserted == 1)
    };
    rows.iter().map(&mut consume).collect()
}

struct TouchRow;

impl ConstSql for TouchRow {
    const TEXT: &'static str = "UPDATE members SET last_sign_in_at = max(coalesce(last_sign_in_at, 0), ?) \
        WHERE id = ? AND status = 'active'";
}

/// Notes the last sign-in of active members, and returns those that exist.
pub(super) fn touch(
    connection: &mut SqliteConnection,
    rows: &[(&str, UnixSeconds)],
) -> QueryResult<HashSet<String>> {
    let mut found = HashSet::with_capacity(rows.len());
    for (id, at) in rows {
        if Statement::<TouchRow, 2>::new([(*at).into(), (*id).into()]).execute(connection)? == 1 {
            found.insert((*id).to_owned());
        }
    }
    Ok(found)
}

struct InternRow;

impl ConstSql for InternRow {
    const TEXT: &'static str = "INSERT INTO sign_in_grounds (digest, decisions, facts, used_at) VALUES (?, ?, ?, ?) \
        ON CONFLICT (digest) DO UPDATE SET used_at = max(used_at, excluded.used_at)";
}

/// Stores decision bodies, and notes that they are in use.
pub(super) fn intern(connection: &mut SqliteConnection, bodies: &[Use<'_>]) -> QueryResult<()> {
    for (body, at) in bodies {
        let values = [body.id().as_str().into(), body.decisions().into(), body.facts().into(), (*at).into()];
        Statement::<InternRow, 4>::new(values).execute(connection)?;
    }
    Ok(())
}

/// Appends a row to the decision log.
struct RecordRow<'a>(&'a NewSignIn);

impl QueryFragment<Sqlite> for RecordRow<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("INSERT INTO sign_ins (at, teamspace_id, repeated");
        for (name, _) in TEXTS {
            out.push_sql(", ");
            out.push_sql(name);
        }
        out.push_sql(") VALUES (");
        out.push_bind_param::<BigInt, _>(&self.0.at)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&self.0.teamspace_id)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.0.repeated)?;
        for (_, text) in TEXTS {
            out.push_sql(", ");
            out.push_bind_param::<Text, _>(text(self.0))?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for RecordRow<'_> {
    type QueryId = RecordRow<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<SqliteConnection> for RecordRow<'_> {}

/// Appends rows to the decision log.
pub(super) fn record(connection: &mut SqliteConnection, rows: &[&NewSignIn]) -> QueryResult<()> {
    for row in rows {
        RecordRow(row).execute(connection)?;
    }
    Ok(())
}
