//! The ledger's statements for PostgreSQL: one for a whole batch, since each statement is a round trip. Columns are
//! passed as arrays, so the statement's text, and with it the prepared statement, is the same for every batch size.

use std::collections::HashSet;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use diesel::{PgConnection, QueryResult};

use super::columns::TEXTS;
use crate::clock::UnixSeconds;
use crate::store::decision_body::Use;
use crate::store::sign_ins::NewSignIn;

/// A statement over two columns of a batch, which returns the keys that it found or inserted.
struct Keyed<'a, S: BatchStatement> {
    keys: Vec<&'a str>,
    times: Vec<UnixSeconds>,
    statement: std::marker::PhantomData<S>,
}

/// The text before, between and after the two arrays.
trait BatchStatement: 'static {
    const TEXT: [&'static str; 3];
}

struct ConsumeBatch;

impl BatchStatement for ConsumeBatch {
    const TEXT: [&'static str; 3] = [
        "INSERT INTO used_assertions (assertion, expires_at) SELECT * FROM unnest(",
        ", ",
        ") ON CONFLICT DO NOTHING RETURNING assertion",
    ];
}

struct TouchBatch;

/// Rows are locked in the order of their ids: two replicas with the same members in their batches must not deadlock.
impl BatchStatement for TouchBatch {
    const TEXT: [&'static str; 3] = [
        "WITH seen AS (SELECT * FROM unnest(",
        ", ",
        ") AS t (id, at)), known AS (SELECT m.id, seen.at FROM members m JOIN seen ON seen.id = m.id \
         WHERE m.status = 'active' ORDER BY m.id FOR NO KEY UPDATE OF m) \
         UPDATE members SET last_sign_in_at = greatest(members.last_sign_in_at, known.at) \
         FROM known WHERE members.id = known.id RETURNING members.id",
    ];
}

impl<S: BatchStatement> QueryFragment<Pg> for Keyed<'_, S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let [before, between, after] = S::TEXT;
        out.push_sql(before);
        out.push_bind_param::<Array<Text>, _>(&self.keys)?;
        out.push_sql(between);
        out.push_bind_param::<Array<BigInt>, _>(&self.times)?;
        out.push_sql(after);
        Ok(())
    }
}

// The text depends only on the statement, so it is prepared once.
impl<S: BatchStatement> QueryId for Keyed<'_, S> {
    type QueryId = Keyed<'static, S>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<S: BatchStatement> Query for Keyed<'_, S> {
    type SqlType = Text;
}

impl<S: BatchStatement> RunQueryDsl<PgConnection> for Keyed<'_, S> {}

fn run<S: BatchStatement>(
    connection: &mut PgConnection,
    rows: &[(&str, UnixSeconds)],
) -> QueryResult<HashSet<String>> {
    let (keys, times) = rows.iter().copied().unzip();
    let found: Vec<String> =
        Keyed::<S> { keys, times, statement: std::marker::PhantomData }.load(connection)?;
    Ok(found.into_iter().collect())
}

/// Inserts the missing keys, and returns for each row whether it was inserted; of equal keys, only the first is.
pub(super) fn consume(connection: &mut PgConnection, rows: &[(&str, UnixSeconds)]) -> QueryResult<Vec<bool>> {
    let mut inserted = run::<ConsumeBatch>(connection, rows)?;
    Ok(rows.iter().map(|(key, _)| inserted.remove(*key)).collect())
}

/// Notes the last sign-in of active members, and returns those that exist.
pub(super) fn touch(
    connection: &mut PgConnection,
    rows: &[(&str, UnixSeconds)],
) -> QueryResult<HashSet<String>> {
    run::<TouchBatch>(connection, rows)
}

struct InternBatch<'a> {
    ids: Vec<&'a str>,
    decisions: Vec<&'a str>,
    facts: Vec<&'a str>,
    used_at: Vec<UnixSeconds>,
}

impl QueryFragment<Pg> for InternBatch<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO sign_in_grounds (digest, decisions, facts, used_at) SELECT * FROM unnest(");
        for column in [&self.ids, &self.decisions, &self.facts] {
            out.push_bind_param::<Array<Text>, _>(column)?;
            out.push_sql(", ");
        }
        out.push_bind_param::<Array<BigInt>, _>(&self.used_at)?;
        // The row is locked, so that nobody deletes it before the commit.
        out.push_sql(
            ") ON CONFLICT (digest) DO UPDATE SET used_at = greatest(sign_in_grounds.used_at, excluded.used_at)",
        );
        Ok(())
    }
}

// The text is always the same: it is prepared once.
impl QueryId for InternBatch<'_> {
    type QueryId = InternBatch<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for InternBatch<'_> {}

/// Stores decision bodies, and notes that they are in use.
pub(super) fn intern(connection: &mut PgConnection, bodies: &[Use<'_>]) -> QueryResult<()> {
    if bodies.is_empty() {
        return Ok(());
    }
    InternBatch {
        ids: bodies.iter().map(|(body, _)| body.id().as_str()).collect(),
        decisions: bodies.iter().map(|(body, _)| body.decisions()).collect(),
        facts: bodies.iter().map(|(body, _)| body.facts()).collect(),
        used_at: bodies.iter().map(|(_, at)| *at).collect(),
    }
    .execute(connection)?;
    Ok(())
}

struct RecordBatch<'a> {
    at: Vec<UnixSeconds>,
    teamspace_id: Vec<Option<&'a str>>,
    repeated: Vec<i64>,
    texts: Vec<Vec<&'a str>>,
}

impl QueryFragment<Pg> for RecordBatch<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO sign_ins (at, teamspace_id, repeated");
        for (name, _) in TEXTS {
            out.push_sql(", ");
            out.push_sql(name);
        }
        out.push_sql(") SELECT * FROM unnest(");
        out.push_bind_param::<Array<BigInt>, _>(&self.at)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.teamspace_id)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.repeated)?;
        for column in &self.texts {
            out.push_sql(", ");
            out.push_bind_param::<Array<Text>, _>(column)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

// The text is always the same: it is prepared once.
impl QueryId for RecordBatch<'_> {
    type QueryId = RecordBatch<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for RecordBatch<'_> {}

/// Appends rows to the decision log.
pub(super) fn record(connection: &mut PgConnection, rows: &[&NewSignIn]) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let column = |(_, text): (&str, fn(&NewSignIn) -> &str)| rows.iter().map(|row| text(row)).collect();
    RecordBatch {
        at: rows.iter().map(|row| row.at).collect(),
        teamspace_id: rows.iter().map(|row| row.teamspace_id.as_deref()).collect(),
        repeated: rows.iter().map(|row| row.repeated).collect(),
        texts: TEXTS.into_iter().map(column).collect(),
    }
    .execute(connection)?;
    Ok(())
}
