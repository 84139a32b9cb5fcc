//! PostgreSQL: the database that many replicas share.

use diesel::PgConnection;
use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use super::StoreError;
use crate::config::Database;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The oldest version that we run on.
const OLDEST: i32 = 150_000;

/// The ledger holds the lock of the configuration shared, whoever changes the configuration holds it alone:
/// so the generation that a transaction of the ledger has read is still the last one when it commits.
/// Advisory locks are held in memory; a row lock would be a write for each batch.
pub(super) const BEGIN_FENCED: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock_shared(7161, 1)";
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
        "SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write'); \
         SET default_transaction_isolation = 'read committed'; SET statement_timeout = {millis}; \
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

/// Which of our migrations the database has not, and whether it has others. Diesel itself would make its table for
/// asking, which a user who may only use tables cannot.
fn compare(connection: &mut PgConnection) -> Outcome<(bool, bool)> {
    let known: bool = diesel::select(sql::<Bool>("to_regclass('__diesel_schema_migrations') IS NOT NULL"))
        .first(connection)?;
    let versions = "SELECT version::text FROM __diesel_schema_migrations";
    let applied: Vec<Version> =
        if known { diesel::sql_query(versions).load(connection)? } else { Vec::new() };
    let ours = MigrationSource::<diesel::pg::Pg>::migrations(&MIGRATIONS)?;
    let is_applied = |ours: &String| applied.iter().any(|applied| applied.version == *ours);
    let ours: Vec<String> = ours.iter().map(|migration| migration.name().version().to_string()).collect();
    let missing = ours.iter().any(|ours| !is_applied(ours));
    Ok((missing, applied.iter().any(|applied| !ours.contains(&applied.version))))
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = diesel::sql_types::Text)]
    version: String,
}

pub(super) fn is_behind(connection: &mut PgConnection) -> Outcome<bool> {
    compare(connection).map(|(missing, _)| missing)
}

pub(super) fn is_ahead(connection: &mut PgConnection) -> Outcome<bool> {
    compare(connection).map(|(_, others)| others)
}

/// Whether the server answers, and is not one that has become a standby.
pub(super) fn is_usable(connection: &mut PgConnection) -> bool {
    let writable = "NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'";
    diesel::select(sql::<Bool>(writable)).first(connection).unwrap_or(false)
}

pub(super) fn time(connection: &mut PgConnection) -> QueryResult<i64> {
    diesel::select(sql::<BigInt>("extract(epoch FROM clock_timestamp())::bigint")).first(connection)
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
