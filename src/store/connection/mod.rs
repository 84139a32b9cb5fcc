//! One connection type for both databases; the URL's scheme chooses which.

mod any;
mod migration;
#[cfg(feature = "postgres")]
mod pooler;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::StoreError;
use super::watchdog::Call;
#[cfg(feature = "postgres")]
use super::watchdog::EachStatement;
use crate::config::Database;
pub use any::AnyConnection;

/// How much longer than the server's own limit we wait for a statement.
#[cfg(feature = "postgres")]
const GRACE: Duration = Duration::from_secs(1);

/// The text of an error, with a note if a pooler caused it.
fn explain(error: &(dyn std::error::Error + Send + Sync)) -> String {
    #[cfg(feature = "postgres")]
    return pooler::explain(error);
    #[cfg(not(feature = "postgres"))]
    error.to_string()
}

/// Runs the same code on a connection to either database. Diesel builds some statements, such as `ON CONFLICT`, only
/// for a connection of a known kind.
macro_rules! on_either {
    ($connection:expr, |$arm:ident| $run:expr) => {
        match $connection {
            $crate::store::AnyConnection::Sqlite($arm) => $run,
            #[cfg(feature = "postgres")]
            $crate::store::AnyConnection::Postgres($arm) => $run,
        }
    };
}

pub(super) use on_either;

/// Which database a URL leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A file that one machine uses.
    Sqlite,
    /// A server that many machines share.
    Postgres,
}

impl DatabaseKind {
    /// The kind that a URL's scheme names.
    pub fn of(url: &str) -> Option<Self> {
        match url.split_once("://")?.0 {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }
}

/// A URL as people may see it: without a password, whatever else is wrong with it.
pub fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "(no URL)".to_owned() };
    if scheme == "sqlite" {
        return url.to_owned();
    }
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    // Apparent parameters may be the end of a password that contains `?`.
    if query.is_some_and(|query| query.contains('@')) {
        return format!("{scheme}://…");
    }
    let (user, host) = place.rsplit_once('@').map_or((None, place), |(user, host)| (Some(user), host));
    let user = user.map(|user| match user.split_once(':') {
        Some((name, _)) => format!("{name}:redacted@"),
        None => format!("{user}@"),
    });
    let parameter = |pair: &str| match pair.split_once('=') {
        Some((key, _)) if is_secret(key) => format!("{key}=redacted"),
        Some(_) => pair.to_owned(),
        // This is no parameter, but follows a raw `&` in a password.
        None => "redacted".to_owned(),
    };
    let query = query.map(|query| query.split('&').map(parameter).collect::<Vec<_>>().join("&"));
    let query = query.map(|query| format!("?{query}"));
    format!("{scheme}://{}{host}{}", user.unwrap_or_default(), query.unwrap_or_default())
}

/// Whether libpq treats this parameter's value as a secret. Names may be escaped too.
fn is_secret(key: &str) -> bool {
    const SECRETS: [&str; 5] =
        ["password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"];
    key.contains('%') || SECRETS.iter().any(|secret| key.eq_ignore_ascii_case(secret))
}

/// The path of an SQLite database that does not exist; opening it would create an empty one.
pub fn missing(url: &str) -> Option<&str> {
    url.strip_prefix("sqlite://").filter(|path| !std::path::Path::new(path).exists())
}

/// The files of an embedded database; none for a server.
pub fn files(url: &str) -> Vec<PathBuf> {
    sqlite::files(url)
}

/// Opens a connection. `AnyConnection::establish` would hide the real error behind the kinds it tried.
pub fn open(url: &str, config: &Database) -> Result<AnyConnection, StoreError> {
    match DatabaseKind::of(url) {
        Some(DatabaseKind::Sqlite) => sqlite::open(url).map(AnyConnection::Sqlite),
        #[cfg(feature = "postgres")]
        Some(DatabaseKind::Postgres) => postgres::open(url, config).map(AnyConnection::Postgres),
        #[cfg(not(feature = "postgres"))]
        Some(DatabaseKind::Postgres) => {
            let _ = config;
            Err(StoreError::Open("this build has no PostgreSQL; build with `--features postgres`".into()))
        }
        None => Err(StoreError::Open(format!("{} is neither sqlite:// nor postgres://", shown(url)))),
    }
}

/// Opens a connection for commands that only look: a database file keeps its settings, and none is created.
pub fn open_unchanged(url: &str, config: &Database) -> Result<AnyConnection, StoreError> {
    match DatabaseKind::of(url) {
        Some(DatabaseKind::Sqlite) => sqlite::open_unchanged(url).map(AnyConnection::Sqlite),
        _ => open(url, config),
    }
}

/// Whether the server at `url` keeps its sessions, with everything that a connection has set, prepared or listens to.
pub fn check_sessions(url: &str, config: &Database) -> Result<(), StoreError> {
    #[cfg(feature = "postgres")]
    if DatabaseKind::of(url) == Some(DatabaseKind::Postgres) {
        return postgres::check_sessions(url, config);
    }
    let _ = (url, config);
    Ok(())
}

/// How long opening a connection may take, including the statements at its start.
pub(super) fn patience(url: &str, config: &Database) -> Duration {
    match DatabaseKind::of(url) {
        #[cfg(feature = "postgres")]
        Some(DatabaseKind::Postgres) => postgres::patience(url, config),
        _ => config.timeout.std(),
    }
}

impl AnyConnection {
    /// Limits each statement: the call must return soon after `limit`, when the server itself ends it.
    pub(super) fn watch(&mut self, call: &Arc<Call>, limit: Duration) {
        match self {
            Self::Sqlite(_) => {
                let _ = (call, limit);
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                connection.set_instrumentation(EachStatement::new(call, limit + GRACE));
            }
        }
    }

    /// Applies pending migrations and returns their names. If several processes do so at once, one does the work.
    pub fn migrate(&mut self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::migrate(connection),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => postgres::migrate(connection),
        }
        .map_err(|e| StoreError::Migrate(explain(&*e)))
    }

    /// Whether migrations are pending.
    pub fn is_behind(&mut self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::is_behind(connection),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => postgres::is_behind(connection),
        }
        .map_err(|e| StoreError::Migrate(explain(&*e)))
    }

    /// The migrations of a newer version, whose tables or columns this version does not know.
    pub fn unknown_migrations(&mut self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::unknown_migrations(connection),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => postgres::unknown_migrations(connection),
        }
        .map_err(|e| StoreError::Migrate(explain(&*e)))
    }

    /// Whether the database is one that this version can serve.
    pub fn check_version(&mut self) -> Result<(), StoreError> {
        let unknown = self.unknown_migrations()?;
        if !unknown.is_empty() {
            return Err(StoreError::Ahead(unknown.join(", ")));
        }
        if self.is_behind()? { Err(StoreError::Behind) } else { Ok(()) }
    }

    /// Lifts the limits that protect requests from waiting, for work on whole tables.
    pub fn lift_timeouts(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => connection.batch_execute(postgres::LIFT_TIMEOUTS),
        }
    }

    /// Opens a transaction that writes.
    pub fn begin_write(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(connection) => {
                AnsiTransactionManager::begin_transaction_sql(connection, sqlite::BEGIN_WRITE)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => AnsiTransactionManager::begin_transaction(connection),
        }
    }

    /// Begins a ledger transaction, during which the configuration cannot change.
    pub fn begin_with_config_lock(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(connection) => {
                AnsiTransactionManager::begin_transaction_sql(connection, sqlite::BEGIN_WRITE)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                AnsiTransactionManager::begin_transaction_sql(connection, postgres::BEGIN_FENCED)
            }
        }
    }

    /// Begins a transaction in which all reads see one state of the database.
    pub fn begin_read(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(connection) => AnsiTransactionManager::begin_transaction(connection),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                AnsiTransactionManager::begin_transaction_sql(connection, postgres::BEGIN_READ)
            }
        }
    }

    /// Blocks all other configuration changes, and the ledger, until the transaction ends.
    pub fn lock_configuration(&mut self) -> QueryResult<()> {
        match self {
            // It has one writer anyway.
            Self::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => connection.batch_execute(postgres::LOCK_CONFIGURATION),
        }
    }

    /// Lets no other transaction add revocations until this one ends.
    pub fn lock_revocations(&mut self) -> QueryResult<()> {
        match self {
            // It has one writer anyway.
            Self::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => connection.batch_execute(postgres::LOCK_REVOCATIONS),
        }
    }

    /// Lets no other transaction write about the trust in issuers until this one ends.
    pub fn lock_trust(&mut self) -> QueryResult<()> {
        match self {
            // It has one writer anyway.
            Self::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => connection.batch_execute(postgres::LOCK_TRUST),
        }
    }

    /// Tells the other processes that there is something new.
    pub fn announce(&mut self) -> QueryResult<()> {
        match self {
            // Processes on one machine look often enough.
            Self::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => connection.batch_execute(postgres::ANNOUNCE),
        }
    }

    /// Commits what was begun.
    pub fn commit(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(connection) => AnsiTransactionManager::commit_transaction(connection),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => AnsiTransactionManager::commit_transaction(connection),
        }
    }

    /// Rolls back the transaction; if it is gone already, that is fine.
    pub fn roll_back(&mut self) {
        let outcome = match self {
            Self::Sqlite(connection) => AnsiTransactionManager::rollback_transaction(connection),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => AnsiTransactionManager::rollback_transaction(connection),
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "nothing left to roll back");
        }
    }

    /// Whether the open transaction is gone. SQLite has no statement to ask this, but accepts a BEGIN only outside a
    /// transaction.
    pub fn has_lost_transaction(&mut self) -> bool {
        match self {
            Self::Sqlite(connection) => connection.batch_execute("BEGIN; ROLLBACK").is_ok(),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => false,
        }
    }

    /// Ends a transaction whose statements failed.
    pub fn clear(&mut self) {
        if let Err(error) = self.batch_execute("ROLLBACK") {
            tracing::debug!(%error, "nothing left to roll back");
        }
    }

    /// Whether the connection can still be used for writing.
    pub fn is_usable(&mut self) -> bool {
        match self {
            Self::Sqlite(connection) => connection.batch_execute("BEGIN; ROLLBACK").is_ok(),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => postgres::is_usable(connection),
        }
    }

    /// The database's time, in seconds since 1970; none if it is this machine's.
    pub fn time(&mut self) -> QueryResult<Option<i64>> {
        match self {
            Self::Sqlite(_) => Ok(None),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => postgres::time(connection).map(Some),
        }
    }

    /// Whether another process has announced something since the last call. The first call begins to listen.
    #[cfg(feature = "postgres")]
    pub fn has_news(&mut self, listening: &mut bool) -> QueryResult<bool> {
        match self {
            Self::Sqlite(_) => Ok(false),
            Self::Postgres(connection) => postgres::has_news(connection, listening),
        }
    }
}

/// Whether the same work may succeed if repeated: PostgreSQL ended the transaction in favour of another one.
pub(super) fn is_transient(error: &DieselError) -> bool {
    let DieselError::DatabaseError(kind, details) = error else { return false };
    matches!(kind, DatabaseErrorKind::SerializationFailure) || details.message().contains("deadlock detected")
}
