//! Poolers between us and PostgreSQL. What a session has set, prepared or listens to must be there with its next
//! transaction; a pooler that hands out another connection of the server with each one takes it away, and lets a
//! statement run under another's name.

use diesel::PgConnection;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;

/// What to write instead.
pub(super) const UNFIT: &str = "a pooler gives each transaction another connection of the server, as PgBouncer does \
    with pool_mode = transaction; write pool_mode = session for this database, or connect to the server directly";

/// How often it is tried: other clients of a pooler may be in between.
const ROUNDS: usize = 3;

#[derive(QueryableByName)]
struct Session {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Which session of the server answers. In a transaction, since a pooler may even come between a statement's parts.
fn session(connection: &mut PgConnection) -> QueryResult<String> {
    connection.batch_execute("BEGIN")?;
    // Of several servers two may give the same number to a process.
    let id = "SELECT pg_backend_pid() || ' since ' || pg_postmaster_start_time() AS id";
    Ok(diesel::sql_query(id).get_result::<Session>(connection)?.id)
}

/// Whether two connections keep a session of the server each. While one has nothing to do, a pooler gives the other
/// one its session; and another one to the first as long as the other's transaction goes on.
pub(super) fn keeps_sessions(one: &mut PgConnection, other: &mut PgConnection) -> QueryResult<bool> {
    // One with pool_mode = statement ends a connection with its first transaction; libpq does not tell the cause.
    if one.batch_execute("BEGIN").is_err() && one.batch_execute("SELECT 1").is_err() {
        return Ok(false);
    }
    one.batch_execute("COMMIT")?;
    for _ in 0..ROUNDS {
        let first = session(one)?;
        one.batch_execute("COMMIT")?;
        // Held until the end of the round.
        let theirs = session(other)?;
        let same = theirs == first || {
            let again = session(one)?;
            one.batch_execute("COMMIT")?;
            again != first
        };
        other.batch_execute("COMMIT")?;
        if same {
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
