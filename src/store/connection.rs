//! One connection type over the databases that we speak; the arm is chosen by the URL's scheme.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::StoreError;

/// A connection to whichever database is configured.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    Sqlite(diesel::SqliteConnection),
    #[cfg(feature = "postgres")]
    Postgres(diesel::PgConnection),
}

const SQLITE_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// WAL lets readers go on beside the writer. `synchronous=FULL`: with NORMAL a power cut forgets
/// redeemed assertions, which could then be redeemed again. `busy_timeout` is for other processes.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; \
    PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY;";

/// The file of an SQLite database that does not exist; opening it would make an empty one.
pub fn missing(url: &str) -> Option<&str> {
    url.strip_prefix("sqlite://").filter(|path| !Path::new(path).exists())
}

/// Opens a connection. `AnyConnection::establish` would hide the real error behind the arms it tried.
pub fn open(url: &str) -> Result<AnyConnection, StoreError> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        let mut connection = diesel::SqliteConnection::establish(path)
            .map_err(|e| StoreError::Open(format!("{path}: {e}")))?;
        connection.batch_execute(SQLITE_SETTINGS).map_err(|e| StoreError::Open(format!("{path}: {e}")))?;
        return Ok(AnyConnection::Sqlite(connection));
    }
    open_postgres(url)
}

#[cfg(feature = "postgres")]
fn open_postgres(url: &str) -> Result<AnyConnection, StoreError> {
    let connection = diesel::PgConnection::establish(url).map_err(|e| StoreError::Open(e.to_string()))?;
    Ok(AnyConnection::Postgres(connection))
}

#[cfg(not(feature = "postgres"))]
fn open_postgres(_: &str) -> Result<AnyConnection, StoreError> {
    Err(StoreError::Open("this build has no PostgreSQL; build with `--features postgres`".into()))
}

impl AnyConnection {
    /// Applies what is pending and names it.
    pub fn migrate(&mut self) -> Result<Vec<String>, StoreError> {
        let applied = match self {
            Self::Sqlite(connection) => connection
                .run_pending_migrations(SQLITE_MIGRATIONS)
                .map(|versions| versions.iter().map(ToString::to_string).collect()),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => return Err(StoreError::NoPostgresMigrations),
        };
        applied.map_err(|e| StoreError::Migrate(e.to_string()))
    }

    /// Whether migrations are pending.
    pub fn is_behind(&mut self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(connection) => connection.has_pending_migration(SQLITE_MIGRATIONS),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => return Err(StoreError::NoPostgresMigrations),
        }
        .map_err(|e| StoreError::Migrate(e.to_string()))
    }

    /// Opens a transaction that holds the write lock from its start: SQLite's default, DEFERRED, fails
    /// at once with "database is locked" when a transaction that has read wants to write.
    pub fn begin_write(&mut self) -> QueryResult<()> {
        use diesel::connection::AnsiTransactionManager;
        match self {
            Self::Sqlite(connection) => {
                AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN"),
        }
    }

    /// Commits what [`Self::begin_write`] began.
    pub fn commit_write(&mut self) -> QueryResult<()> {
        use diesel::connection::{AnsiTransactionManager, TransactionManager};
        match self {
            Self::Sqlite(connection) => AnsiTransactionManager::commit_transaction(connection),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => AnsiTransactionManager::commit_transaction(connection),
        }
    }

    /// Whether the transaction of [`Self::begin_write`] is still open. SQLite has no statement that
    /// tells, but refuses a BEGIN inside one.
    pub fn is_in_transaction(&mut self) -> bool {
        match self {
            Self::Sqlite(connection) => connection.batch_execute("BEGIN").is_err(),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => true,
        }
    }

    /// Gives up what [`Self::begin_write`] began; a transaction that is gone already is fine.
    pub fn roll_back(&mut self) {
        use diesel::connection::{AnsiTransactionManager, TransactionManager};
        let outcome = match self {
            Self::Sqlite(connection) => AnsiTransactionManager::rollback_transaction(connection),
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => AnsiTransactionManager::rollback_transaction(connection),
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "nothing left to roll back");
        }
    }
}
