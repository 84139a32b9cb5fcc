//! Detects poolers between us and PostgreSQL. Everything that a session has set, prepared or listens to must still be
//! there in its next transaction. A pooler that gives each transaction another server connection breaks that, and may
//! run a statement under another one's name.

use diesel::PgConnection;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;

/// The setting to write instead.
pub(super) const UNFIT: &str = "a pooler gives each transaction another connection of the server, as PgBouncer does \
    with pool_mode = transaction; write pool_mode = session for this database, or connect to the server directly";

/// How often the test is repeated: other clients of a pooler may interfere and hide it in some rounds.
const ROUNDS: usize = 6;

#[derive(QueryableByName)]
struct PoolerSession {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Begins a transaction and returns the server session that it is in. A pooler may even come between the parts of a
/// statement outside a transaction.
fn begin(connection: &mut PgConnection) -> QueryResult<String> {
    connection.batch_execute("BEGIN")?;
    // Two servers may give the same number to a process.
    let id = "SELECT pg_backend_pid() || ' since ' || pg_postmaster_start_time() AS id";
    Ok(diesel::sql_query(id).get_result::<PoolerSession>(connection)?.id)
}

/// The session of a whole transaction.
fn session(connection: &mut PgConnection) -> QueryResult<String> {
    let id = begin(connection)?;
    connection.batch_execute("COMMIT")?;
    Ok(id)
}

/// Whether each of two connections keeps a server session to itself, whatever the order of their transactions. A
/// pooler gives the session freed last to the next client, or uses all sessions in turn. It also gives a client
/// another session while its previous one is in use.
pub(super) fn keeps_sessions(one: &mut PgConnection, other: &mut PgConnection) -> QueryResult<bool> {
    // A pooler with pool_mode = statement ends a connection at its first transaction; libpq does not give the cause.
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
        // Its transaction continues while the first connection begins another.
        let is_kept = is_kept && begin(other)? == theirs && session(one)? == ours;
        other.batch_execute("COMMIT")?;
        if !is_kept {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The text of an error, and the cause if it is a pooler.
pub(super) fn explain(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let of_pooler = ["prepared statement", "transaction blocks not allowed"];
    match of_pooler.iter().any(|sign| text.contains(sign)) {
        true => format!("{text}; {UNFIT}"),
        false => text,
    }
}
