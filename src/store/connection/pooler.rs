//! Poolers between us and PostgreSQL. What a session has set, prepared or listens to must be there with its next
//! transaction; a pooler that hands out another connection of the server with each one takes it away, and lets a
//! statement run under another's name.

use diesel::PgConnection;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;

/// The setting to write instead.
pub(super) const UNFIT: &str = "a pooler gives each transaction another connection of the server, as PgBouncer does \
    with pool_mode = transaction; write pool_mode = session for this database, or connect to the server directly";

/// How often it is tried: other clients of a pooler may be in between, and hide it in one round or another.
const ROUNDS: usize = 6;

#[derive(QueryableByName)]
struct PoolerSession {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Begins a transaction and tells which session of the server it is in. A pooler may even come between the parts of a
/// statement that is in none.
fn begin(connection: &mut PgConnection) -> QueryResult<String> {
    connection.batch_execute("BEGIN")?;
    // Of several servers two may give the same number to a process.
    let id = "SELECT pg_backend_pid() || ' since ' || pg_postmaster_start_time() AS id";
    Ok(diesel::sql_query(id).get_result::<PoolerSession>(connection)?.id)
}

/// The session of a whole transaction.
fn session(connection: &mut PgConnection) -> QueryResult<String> {
    let id = begin(connection)?;
    connection.batch_execute("COMMIT")?;
    Ok(id)
}

/// Whether each of two connections keeps a session of the server to itself, however their transactions follow each
/// other. A pooler gives the session that was freed last to whoever comes next, or all sessions in turn; and it gives
/// a client another session while somebody else's transaction is in the one that it had.
pub(super) fn keeps_sessions(one: &mut PgConnection, other: &mut PgConnection) -> QueryResult<bool> {
    // One with pool_mode = statement ends a connection with its first transaction; libpq does not tell the cause.
    if one.batch_execute("BEGIN").is_err() && one.batch_execute("SELECT 1").is_err() {
        return Ok(false);
    }
    one.batch_execute("COMMIT")?;
    let (ours, theirs) = (session(one)?, session(other)?);
    if ours == theirs {
        return Ok(false);
    }
    for _ in 0..ROUNDS {
        let is_kept = session(one)? == ours && session(one)? == ours;
        // Its transaction goes on while the first one has another.
        let is_kept = is_kept && begin(other)? == theirs && session(one)? == ours;
        other.batch_execute("COMMIT")?;
        if !is_kept {
            return Ok(false);
        }
    }
    Ok(true)
}

/// An error's text, and its cause if a pooler is.
pub(super) fn explain(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let of_pooler = ["prepared statement", "transaction blocks not allowed"];
    match of_pooler.iter().any(|sign| text.contains(sign)) {
        true => format!("{text}; {UNFIT}"),
        false => text,
    }
}
