//! PostgreSQL: the database that many replicas share.

use diesel::PgConnection;
use diesel::connection::SimpleConnection as _;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use super::StoreError;
use crate::config::Database;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The oldest version that we run on.
const OLDEST: i32 = 150_000;

/// The ledger holds the lock of the configuration shared, whoever changes the configuration holds it alone:
/// so the generation that a transaction of the ledger has read is still the last one when it commits.
/// Advisory locks are held in memory; a row lock would be a write for each batch.
pub(super) const BEGIN_FENCED: &str = "BEGIN; SELECT pg_advisory_xact_lock_shared(7161, 1)";
pub(super) const LOCK_CONFIGURATION: &str = "SELECT pg_advisory_xact_lock(7161, 1)";
const LOCK_MIGRATIONS: &str = "SELECT pg_advisory_lock(7161, 2)";
const UNLOCK_MIGRATIONS: &str = "SELECT pg_advisory_unlock(7161, 2)";

pub(super) const LIFT_TIMEOUTS: &str =
    "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0";

pub(super) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Delivered when the transaction commits.
pub(super) const ANNOUNCE: &str = "NOTIFY countersign";
const LISTEN: &str = "LISTEN countersign";

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Opens a connection to a server that takes writes.
pub(super) fn open(url: &str, config: &Database) -> Result<PgConnection, StoreError> {
    let failed = |e: &dyn std::fmt::Display| StoreError::Open(format!("{}: {e}", super::shown(url)));
    let mut connection = PgConnection::establish(&with_defaults(url, config)).map_err(|e| failed(&e))?;
    // What a server, a user or a pooler has set as its default must not change what our transactions mean.
    let millis = config.timeout.std().as_millis();
    let settings = format!(
        "SET default_transaction_isolation = 'read committed'; SET statement_timeout = {millis}; \
         SET lock_timeout = {millis}; SET idle_in_transaction_session_timeout = {}; \
         SET client_encoding = 'UTF8'; SET TIME ZONE 'UTC'; SET client_min_messages = warning",
        millis * 2,
    );
    connection.batch_execute(&settings).map_err(|e| failed(&e))?;
    let version: i32 =
        diesel::select(sql::<diesel::sql_types::Integer>("current_setting('server_version_num')::int"))
            .first(&mut connection)
            .map_err(|e| failed(&e))?;
    if version < OLDEST {
        return Err(failed(&"PostgreSQL 15 or newer is needed"));
    }
    match is_usable(&mut connection) {
        true => Ok(connection),
        false => Err(failed(&"this server is a standby and takes no writes")),
    }
}

use diesel::dsl::sql;

/// What a URL does not say itself. Without these, libpq would wait for hours for a server that is gone.
fn with_defaults(url: &str, config: &Database) -> String {
    let seconds = config.timeout.std().as_secs().max(2);
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let mut result = url.to_owned();
    for (key, value) in [
        ("connect_timeout", seconds.to_string()),
        ("tcp_user_timeout", (seconds * 1000).to_string()),
        ("keepalives_idle", seconds.to_string()),
        ("keepalives_interval", "1".to_owned()),
        ("keepalives_count", "3".to_owned()),
        ("application_name", "countersign".to_owned()),
    ] {
        if !query.split('&').any(|pair| pair.split('=').next() == Some(key)) {
            let separator = if result.contains('?') { '&' } else { '?' };
            result.push_str(&format!("{separator}{key}={value}"));
        }
    }
    result
}

pub(super) fn migrate(connection: &mut PgConnection) -> Outcome<Vec<String>> {
    // A large table takes its time; and so may the process that is migrating now.
    connection.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0")?;
    connection.batch_execute(LOCK_MIGRATIONS)?;
    let applied = connection
        .run_pending_migrations(MIGRATIONS)
        .map(|versions| versions.iter().map(ToString::to_string).collect());
    connection.batch_execute(UNLOCK_MIGRATIONS)?;
    applied
}

/// Asked without making diesel's own table, which a standby or a user who may only read could not.
pub(super) fn is_behind(connection: &mut PgConnection) -> Outcome<bool> {
    let known: bool = diesel::select(sql::<Bool>("to_regclass('__diesel_schema_migrations') IS NOT NULL"))
        .first(connection)?;
    if !known {
        return Ok(true);
    }
    connection.has_pending_migration(MIGRATIONS)
}

pub(super) fn is_ahead(connection: &mut PgConnection) -> Outcome<bool> {
    let known = MigrationSource::<diesel::pg::Pg>::migrations(&MIGRATIONS)?.len();
    Ok(connection.applied_migrations()?.len() > known)
}

/// Whether the server answers, and is not one that has become a standby.
pub(super) fn is_usable(connection: &mut PgConnection) -> bool {
    diesel::select(sql::<Bool>("NOT pg_is_in_recovery()")).first(connection).unwrap_or(false)
}

pub(super) fn has_news(connection: &mut PgConnection, listening: &mut bool) -> QueryResult<bool> {
    if !*listening {
        connection.batch_execute(LISTEN)?;
        *listening = true;
        // Whatever was announced before.
        return Ok(true);
    }
    let mut any = false;
    for notification in connection.notifications_iter() {
        notification?;
        any = true;
    }
    Ok(any)
}
