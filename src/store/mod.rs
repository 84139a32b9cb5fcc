//! What is kept, and the threads that keep it: Diesel on embedded SQLite, with PostgreSQL as the
//! second arm of [`connection::AnyConnection`].

pub mod admin_events;
pub mod admin_tokens;
pub mod clients;
pub mod connection;
pub mod identity_providers;
pub mod known;
mod maintenance;
pub mod members;
pub mod policy_sets;
pub mod redeem;
pub mod resources;
mod schema;
pub mod shadow;
pub mod sign_ins;
pub mod signing_keys;
pub mod snapshot;
pub mod teamspaces;
mod worker;

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

pub use connection::AnyConnection;
pub use maintenance::Pruned;
pub use redeem::{MemberChange, RedeemError, Redemption};
use worker::Workers;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open the database: {0}")]
    Open(String),
    #[error("cannot migrate the database: {0}")]
    Migrate(String),
    #[error("there is no database at {0}; run `countersign migrate`")]
    Missing(String),
    #[error("the database is behind this version; run `countersign migrate`")]
    Behind,
    #[cfg(feature = "postgres")]
    #[error("this version has no PostgreSQL migrations yet; use a sqlite:// database")]
    NoPostgresMigrations,
    #[error("cannot commit: {0}")]
    Commit(String),
    #[error("too many requests are waiting for the database")]
    Overloaded,
    #[error("the database did not take the request")]
    Stopped,
    #[error("several policy sets have a hash that begins with {0}")]
    AmbiguousSet(String),
    #[error("a stored value is damaged: {0}")]
    Damaged(String),
    #[error("database: {0}")]
    Database(#[from] DieselError),
}

impl From<crate::text_enum::NotAValue> for StoreError {
    fn from(error: crate::text_enum::NotAValue) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Readers beside the one writer; each holds a connection of its own.
const READERS: usize = 2;

/// The database, as the rest of the service sees it.
#[derive(Clone)]
pub struct Store {
    workers: Workers,
}

impl Store {
    /// Opens a database whose migrations are applied; a file that is not there is not made.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        if let Some(path) = connection::missing(url) {
            return Err(StoreError::Missing(path.to_owned()));
        }
        if connection::open(url)?.is_behind()? {
            return Err(StoreError::Behind);
        }
        Ok(Self { workers: Workers::start(url, READERS)? })
    }

    /// Applies pending migrations to the database at `url` and names them.
    pub fn migrate(url: &str) -> Result<Vec<String>, StoreError> {
        connection::open(url)?.migrate()
    }

    /// Reads on a reader's connection.
    pub async fn read<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.workers.read(job).await
    }

    /// Writes in one transaction, answered after its COMMIT.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + From<DieselError> + Send + 'static,
    {
        self.workers.write(job).await
    }

    /// Redeems an assertion: see [`Redemption`].
    pub async fn redeem(&self, redemption: Redemption) -> Result<(), RedeemError> {
        self.workers.write(move |c| redemption.perform(c)).await
    }

    /// Deletes what has expired, a bounded number of rows at a time.
    pub async fn prune(&self, now: i64, sign_ins_before: i64) -> Result<Pruned, StoreError> {
        self.workers.write(move |c| maintenance::prune(c, now, sign_ins_before)).await
    }
}

/// Whether an insert met a row that holds its key already.
pub(crate) fn is_duplicate(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
}

/// The number that every change of configuration raises.
pub fn generation(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    use schema::generation::dsl::{generation, id, value};
    Ok(generation.filter(id.eq(1)).select(value).first(connection)?)
}

/// Marks the configuration as changed, for every process on this database.
pub fn raise_generation(connection: &mut AnyConnection) -> QueryResult<()> {
    use schema::generation::dsl::{generation, id, value};
    diesel::update(generation.filter(id.eq(1))).set(value.eq(value + 1)).execute(connection)?;
    Ok(())
}

/// Lists of strings are stored as JSON, since both databases then have the same column type.
pub(crate) fn to_json(list: &[String]) -> String {
    serde_json::Value::from(list).to_string()
}

pub(crate) fn from_json(text: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Damaged(e.to_string()))
}

/// A page of rows and where the next one begins.
#[derive(Debug, serde::Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// From up to `limit + 1` rows: the row too many only tells that there is a next page.
    pub fn of(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = if more { items.last().map(cursor) } else { None };
        Self { items, next_cursor }
    }
}
