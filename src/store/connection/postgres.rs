//! PostgreSQL: a database that many replicas can share.

use std::thread;
use std::time::{Duration, Instant};

use diesel::PgConnection;
use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use super::migration::{MigrationFailure, MigrationResult};
use super::{StoreError, pooler};
use crate::config::Database;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The oldest version that we run on.
const OLDEST: i32 = 150_000;

/// The ledger holds the configuration lock shared, and changes of the configuration hold it exclusively. So the
/// generation that a ledger transaction has read is still current when it commits. Advisory locks are held in memory;
/// a row lock would cost a write per batch.
pub(super) const BEGIN_FENCED: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock_shared(7161, 1)";
pub(super) const LOCK_CONFIGURATION: &str = "SELECT pg_advisory_xact_lock(7161, 1)";
/// Transactions that add revocations come one after another.
pub(super) const LOCK_REVOCATIONS: &str = "SELECT pg_advisory_xact_lock(7161, 3)";
/// Transactions that note what was fetched about issuers come one after another.
pub(super) const LOCK_TRUST: &str = "SELECT pg_advisory_xact_lock(7161, 4)";
/// One process migrates at a time. The lock ends with the transaction, even if the process dies.
const BEGIN_MIGRATION: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '1s'; \
    SET LOCAL idle_in_transaction_session_timeout = '60s'; SELECT pg_advisory_xact_lock(7161, 2)";
/// How long a migration that does not get its locks is tried again.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(300);
/// The pause between attempts, so that everybody waiting behind it can go on.
const MIGRATION_PAUSE: Duration = Duration::from_secs(1);
const LOCKED: &str = "another transaction holds a lock of these tables, or another process migrates; look at \
    pg_stat_activity for what has run for long, end it, and run this again";

pub(super) const LIFT_TIMEOUTS: &str =
    "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0";

pub(super) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Delivered when the transaction commits.
pub(super) const ANNOUNCE: &str = "NOTIFY countersign";
const LISTEN: &str = "LISTEN countersign";

/// Opens a connection to a server that accepts writes.
pub(super) fn open(url: &str, config: &Database) -> Result<PgConnection, StoreError> {
    let failed = |e: &dyn std::fmt::Display| {
        StoreError::Open(format!("{}: {}", super::shown(url), pooler::explain(e)))
    };
    // libpq looks up the host itself, on this thread. The watchdog abandons the thread if that takes too long.
    let mut connection = PgConnection::establish(&with_defaults(url, config)).map_err(|e| failed(&e))?;
    // Defaults set by a server, a user or a pooler must not change the meaning of our transactions.
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

/// libpq's lowest limit for connecting, in seconds.
const LEAST_CONNECT: u64 = 2;

/// The number of servers in a URL: they are tried one after another.
fn servers(url: &str) -> u64 {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap_or_default();
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    let named = query.split('&').filter_map(|pair| pair.split_once('='));
    let named = named.filter(|(key, _)| ["host", "hostaddr"].contains(key)).map(|(_, value)| value);
    let commas = |hosts: &str| hosts.matches(',').count() + hosts.to_lowercase().matches("%2c").count();
    named.chain([hosts]).map(commas).max().unwrap_or_default() as u64 + 1
}

/// How long connecting to one server may take, in seconds: together, all servers get the time-out.
fn connect_timeout(url: &str, config: &Database) -> u64 {
    config.timeout.std().as_secs().div_ceil(servers(url)).max(LEAST_CONNECT)
}

/// How long opening a connection may take: connecting to each server, and the first statements.
pub(super) fn patience(url: &str, config: &Database) -> Duration {
    Duration::from_secs(connect_timeout(url, config) * servers(url)) + config.timeout.std() + super::GRACE
}

/// Adds parameters that the URL does not set. Without them, libpq would wait for hours for a server that is gone.
fn with_defaults(url: &str, config: &Database) -> String {
    let seconds = config.timeout.std().as_secs().max(2);
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let mut result = url.to_owned();
    for (key, value) in [
        ("connect_timeout", connect_timeout(url, config).to_string()),
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

/// Applies pending migrations, each in its own transaction. If one does not get a lock soon, it is tried again later:
/// while it waits, all other writers would wait behind it.
pub(super) fn migrate(connection: &mut PgConnection) -> MigrationResult<Vec<String>> {
    let (mut applied, began) = (Vec::new(), Instant::now());
    loop {
        match connection.transaction(apply_next) {
            Ok(None) => return Ok(applied),
            Ok(Some(version)) => applied.push(version),
            Err(MigrationFailure(error))
                if is_lock_timeout(&*error) && began.elapsed() < MIGRATION_PATIENCE =>
            {
                tracing::info!("a migration waits for a lock that another transaction holds");
                thread::sleep(MIGRATION_PAUSE);
            }
            Err(MigrationFailure(error)) if is_lock_timeout(&*error) => return Err(LOCKED.into()),
            Err(MigrationFailure(error)) => return Err(error),
        }
    }
}

/// Applies the next pending migration, if any, and returns its name.
fn apply_next(connection: &mut PgConnection) -> Result<Option<String>, MigrationFailure> {
    // A large table takes its time.
    connection.batch_execute(BEGIN_MIGRATION)?;
    if !connection.has_pending_migration(MIGRATIONS).map_err(MigrationFailure)? {
        return Ok(None);
    }
    let version = connection.run_next_migration(MIGRATIONS).map_err(MigrationFailure)?;
    Ok(Some(version.to_string()))
}

fn is_lock_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    // The server may speak another language; the name of the setting is the same in all of them.
    let text = error.to_string();
    text.contains("lock timeout") || text.contains("lock_timeout")
}

/// Refuses a pooler that takes sessions away.
pub(super) fn check_sessions(url: &str, config: &Database) -> Result<(), StoreError> {
    let (mut one, mut other) = (open(url, config)?, open(url, config)?);
    let failed = |e: &dyn std::fmt::Display| StoreError::Open(format!("{}: {e}", super::shown(url)));
    match pooler::keeps_sessions(&mut one, &mut other) {
        Ok(true) => Ok(()),
        Ok(false) => Err(failed(&pooler::UNFIT)),
        Err(error) => Err(failed(&pooler::explain(&error))),
    }
}

/// Compares our migrations with the database's: those it lacks, and those we do not know. Diesel would create its
/// table to find out, which a user without that right cannot do.
fn compare(connection: &mut PgConnection) -> MigrationResult<(bool, Vec<String>)> {
    let known: bool = diesel::select(sql::<Bool>("to_regclass('__diesel_schema_migrations') IS NOT NULL"))
        .first(connection)?;
    let versions = "SELECT version::text FROM __diesel_schema_migrations ORDER BY version";
    let applied: Vec<Version> =
        if known { diesel::sql_query(versions).load(connection)? } else { Vec::new() };
    let ours = MigrationSource::<diesel::pg::Pg>::migrations(&MIGRATIONS)?;
    let is_applied = |ours: &String| applied.iter().any(|applied| applied.version == *ours);
    let ours: Vec<String> = ours.iter().map(|migration| migration.name().version().to_string()).collect();
    let missing = !ours.iter().all(is_applied);
    let others = applied.into_iter().map(|applied| applied.version).filter(|version| !ours.contains(version));
    Ok((missing, others.collect()))
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = diesel::sql_types::Text)]
    version: String,
}

pub(super) fn is_behind(connection: &mut PgConnection) -> MigrationResult<bool> {
    compare(connection).map(|(missing, _)| missing)
}

pub(super) fn unknown_migrations(connection: &mut PgConnection) -> MigrationResult<Vec<String>> {
    compare(connection).map(|(_, others)| others)
}

/// Whether the server answers, and has not become a standby.
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
