//! A thread's connection to the database, and its replacement.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::QueryResult;
use diesel::result::Error as DieselError;

use super::StoreError;
use super::connection::{AnyConnection, DatabaseKind, open, patience};
use super::watchdog::Call;
use crate::config::Database;

/// The idle time after which a connection is tested: does it still lead to a server that accepts writes?
const IDLE: Duration = Duration::from_secs(10);

/// Where a thread connects to.
#[derive(Clone)]
pub(super) struct ConnectionPlace {
    pub url: String,
    pub config: Database,
    pub call: Arc<Call>,
}

impl ConnectionPlace {
    /// Opens a connection whose every statement is watched.
    pub fn open(&self) -> Result<AnyConnection, StoreError> {
        if DatabaseKind::of(&self.url) != Some(DatabaseKind::Postgres) {
            return open(&self.url, &self.config);
        }
        self.call.begin(patience(&self.url, &self.config));
        let mut opened = open(&self.url, &self.config);
        self.call.end();
        if let Ok(connection) = &mut opened {
            connection.watch(&self.call, self.config.timeout.std());
        }
        opened
    }
}

/// A connection that is replaced if it turns out to be dead before anything was begun.
pub(super) struct DatabaseLink {
    pub connection: AnyConnection,
    place: ConnectionPlace,
    used_at: Instant,
    /// The time from which it is replaced if it is idle.
    old_at: Instant,
}

impl DatabaseLink {
    pub fn new(connection: AnyConnection, place: &ConnectionPlace) -> Self {
        let now = Instant::now();
        Self { connection, place: place.clone(), used_at: now, old_at: old_at(now, &place.config) }
    }

    /// Replaces the connection, if a new one can be opened.
    fn renew(&mut self) -> bool {
        match self.place.open() {
            Ok(connection) => {
                *self = Self::new(connection, &self.place);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "cannot open another connection to the database");
                false
            }
        }
    }

    fn can_be_renewed(&self) -> bool {
        !matches!(self.connection, AnyConnection::Sqlite(_))
    }

    /// Tests the connection before a job if it was idle for long.
    pub fn test_after_idleness(&mut self) {
        if self.can_be_renewed() && self.used_at.elapsed() > IDLE && !self.connection.is_usable() {
            self.renew();
        }
    }

    /// Replaces an old connection after a job, before anybody waits for it. Otherwise a server that was added or moved
    /// would never be used.
    pub fn rest(&mut self) {
        self.used_at = Instant::now();
        if self.can_be_renewed() && self.used_at >= self.old_at && !self.renew() {
            self.old_at = old_at(self.used_at, &self.place.config);
        }
    }

    /// Begins a transaction. If the connection is dead, nothing was begun, and a new connection begins it.
    pub fn begin(&mut self, begin: impl Fn(&mut AnyConnection) -> QueryResult<()>) -> QueryResult<()> {
        let Err(error) = begin(&mut self.connection) else { return Ok(()) };
        self.connection.clear();
        if !self.can_be_renewed() || self.connection.is_usable() || !self.renew() {
            return Err(error);
        }
        begin(&mut self.connection).inspect_err(|_| self.connection.clear())
    }

    /// Runs `job` in a transaction.
    pub fn transaction<T, E>(
        &mut self,
        begin: impl Fn(&mut AnyConnection) -> QueryResult<()>,
        job: impl FnOnce(&mut AnyConnection) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<DieselError>,
    {
        self.begin(begin)?;
        let result = job(&mut self.connection).and_then(|value| {
            self.connection.commit()?;
            Ok(value)
        });
        if result.is_err() {
            self.connection.roll_back();
        }
        result
    }
}

/// The ages vary, so that processes started together do not reconnect together.
fn old_at(now: Instant, config: &Database) -> Instant {
    let age = config.max_connection_age.std();
    let jitter = RandomState::new().hash_one(now) % 1000;
    now + age - age.mul_f64(jitter as f64 / 10_000.0)
}
