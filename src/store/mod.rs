//! The database and the threads that use it: Diesel on embedded SQLite, or on PostgreSQL through
//! [`connection::AnyConnection`].

pub mod admin_events;
pub mod admin_tokens;
pub(crate) mod backup;
mod batch;
pub mod changes;
mod checkpoint;
pub mod clients;
mod conflict;
pub mod connection;
pub mod console_sessions;
pub mod copy;
pub mod decision_body;
mod error;
mod failures;
pub(crate) mod finished_sign_ins;
mod home;
pub mod identity_providers;
pub(crate) mod inspection;
pub mod issuer_keys;
mod job;
pub mod kill_switches;
pub(crate) mod ledger;
mod link;
#[cfg(feature = "postgres")]
mod listener;
pub mod log_seals;
pub mod log_streams;
mod maintenance;
pub(crate) mod member_cache;
pub mod member_lookup;
pub mod members;
mod page;
pub mod policy_sets;
pub mod provider_checks;
pub mod replicas;
pub mod resources;
pub mod revocations;
mod row;
mod schema;
pub mod scim_tokens;
pub mod scim_users;
pub(crate) mod setup_links;
pub(crate) mod setup_tokens;
pub mod shadow;
pub mod sign_in_counts;
pub mod sign_ins;
pub mod signing_keys;
pub mod snapshot;
pub mod state;
mod statement;
mod teamspace_config;
pub mod teamspaces;
pub mod token_uses;
pub mod trust_changes;
mod watchdog;
mod work_queue;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use tokio::sync::Notify;

use crate::clock::{UnixSeconds, month_of};
use crate::config::Database;
use crate::model::log::Log;
pub use conflict::Conflict;
pub use connection::AnyConnection;
pub use error::StoreError;
pub use failures::Failures;
use ledger::Entry;
pub use ledger::{Committed, MemberChange, RedeemError, Redemption};
use log_seals::key::SealKey;
pub use page::{Page, WINDOW};
use sign_ins::NewSignIn;
pub use worker::CommitCounts;
use worker::Workers;

/// The most steps of one sweep, and so the most used assertions that one sweep reads: a million.
const SWEEPS: usize = 1000;

/// How a row that is taken back ends.
enum Rehearsal {
    Done,
    Failed(StoreError),
}

impl From<StoreError> for Rehearsal {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<DieselError> for Rehearsal {
    fn from(error: DieselError) -> Self {
        Self::Failed(error.into())
    }
}

/// The database, as the rest of the service sees it.
#[derive(Clone)]
pub struct Store {
    workers: Workers,
    failures: Arc<Failures>,
    /// The key after which the next sweep of used assertions begins.
    swept_to: Arc<Mutex<String>>,
}

impl Store {
    /// Opens a migrated database. A missing file is not created.
    pub fn open(url: &str, config: &Database) -> Result<Self, StoreError> {
        Self::open_migrated(url, config)?;
        Ok(Self { workers: Workers::start(url, config)?, failures: Arc::default(), swept_to: Arc::default() })
    }

    /// Marks the database at `url` as restored from a backup.
    pub fn mark_restored(url: &str, config: &Database) -> Result<(), StoreError> {
        let mut connection = Self::open_migrated(url, config)?;
        Ok(diesel::Connection::transaction(&mut connection, state::mark_restored)?)
    }

    /// Connects to a migrated database.
    fn open_migrated(url: &str, config: &Database) -> Result<AnyConnection, StoreError> {
        if let Some(path) = connection::missing(url) {
            return Err(StoreError::Missing(path.to_owned()));
        }
        let (place, settings) = (url.to_owned(), config.clone());
        let opened = move || {
            connection::check_sessions(&place, &settings)?;
            let mut connection = connection::open(&place, &settings)?;
            connection.check_version().map(|()| connection)
        };
        Self::in_time(url, config, opened)
    }

    /// Runs a short piece of work on the database at `url`. Returns an error if the database does not answer at all.
    pub fn in_time<T: Send + 'static>(
        url: &str,
        config: &Database,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        watchdog::in_time(3 * connection::patience(url, config), work)
    }

    /// Applies pending migrations to the database at `url`, and returns their names.
    pub fn migrate(url: &str) -> Result<Vec<String>, StoreError> {
        let (place, config) = (url.to_owned(), Database::default());
        let settings = config.clone();
        let opened = move || {
            connection::check_sessions(&place, &settings)?;
            let mut connection = connection::open(&place, &settings)?;
            let unknown = connection.unknown_migrations()?;
            if unknown.is_empty() { Ok(connection) } else { Err(StoreError::Ahead(unknown.join(", "))) }
        };
        // A migration itself may take as long as it needs.
        Self::in_time(url, &config, opened)?.migrate()
    }

    /// Whether the database is still in its place. Reads go on in an SQLite file that was deleted or replaced, and do not
    /// show what others write.
    pub fn check_home(&self) -> Result<(), StoreError> {
        self.workers.check_home()
    }

    /// Reads on a reader's connection; all reads of `job` see one state of the database.
    pub async fn read<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.workers.read(job).await
    }

    /// Runs a slow read, such as a list: no sign-in waits behind it.
    pub async fn list<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.workers.list(job).await
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

    /// Writes a change of configuration in one transaction. Nobody else changes it meanwhile, and no sign-in that was
    /// decided under the old one is written.
    pub async fn configure<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + From<DieselError> + Send + 'static,
    {
        self.workers
            .write(move |connection| {
                connection.lock_configuration()?;
                job(connection)
            })
            .await
    }

    /// Runs the work of one request: all its waits for the database together have one deadline.
    pub fn for_one_request<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        self.workers.for_one_request(work)
    }

    /// Redeems an assertion together with its decision log row: both or neither. The write begins at once, even if
    /// nobody waits for the answer.
    pub fn redeem(
        &self,
        redemption: Redemption,
        sign_in: Arc<NewSignIn>,
    ) -> impl Future<Output = Result<Committed, RedeemError>> {
        let entered = self.enter(Entry { redemption: Some(redemption), sign_in });
        async move { entered.await.map(|()| Committed(())) }
    }

    /// Records a refusal in the decision log.
    pub async fn record(&self, sign_in: Arc<NewSignIn>) -> Result<(), StoreError> {
        match self.enter(Entry { redemption: None, sign_in }).await {
            Err(RedeemError::Store(error)) => Err(error),
            // There is nothing to object to.
            Ok(()) | Err(RedeemError::Conflict(_)) => Ok(()),
        }
    }

    fn enter(&self, entry: Entry) -> impl Future<Output = Result<(), RedeemError>> {
        let entered = self.workers.enter(entry);
        async move {
            let outcome = entered.await;
            self.failures.note(&outcome);
            outcome
        }
    }

    /// Writes a refusal's row to the decision log and rolls it back. This shows whether a sign-in could be written.
    pub async fn rehearse(&self, now: UnixSeconds) -> Result<(), StoreError> {
        let rehearsed: Result<(), Rehearsal> = self
            .workers
            .write(move |c| {
                ledger::rehearse(c, now)?;
                Err(Rehearsal::Done)
            })
            .await;
        match rehearsed {
            Err(Rehearsal::Failed(error)) => Err(error),
            Ok(()) | Err(Rehearsal::Done) => {
                self.failures.note(&Ok(()));
                Ok(())
            }
        }
    }

    /// Moves everything from SQLite's log into the database file; false if another process is in the way.
    pub async fn settle(&self) -> Result<bool, StoreError> {
        self.workers.settle().await
    }

    /// Moves everything into the database file and closes the connections, unless somebody else still holds the store.
    ///
    /// SQLite empties its log when the last connection closes, but not when the last two close at the same moment:
    /// each then considers the other a user of the database.
    pub async fn close(self) {
        if let Err(error) = self.settle().await {
            tracing::warn!(%error, "the database file is not complete without -wal");
        }
        self.workers.close();
    }

    /// The outcome of the last writes of sign-ins.
    pub fn failures(&self) -> &Failures {
        &self.failures
    }

    /// Notifies of other processes' changes, so that nobody has to poll all the time. Only PostgreSQL sends
    /// notifications.
    pub fn changes(url: &str, config: &Database) -> Result<Arc<Notify>, StoreError> {
        #[cfg(feature = "postgres")]
        if connection::DatabaseKind::of(url) == Some(connection::DatabaseKind::Postgres) {
            return listener::start(url, config);
        }
        let _ = (url, config);
        Ok(Arc::default())
    }

    /// The number of commits so far, and of the jobs in them.
    pub fn counts(&self) -> &CommitCounts {
        self.workers.counts()
    }

    /// Forgets which decision bodies are stored.
    pub fn forget_bodies(&self) {
        self.workers.bodies.forget();
    }

    /// Deletes rows of a log that are sealed and older than a time, in steps between which others write.
    pub async fn prune_log(
        &self,
        log: Log,
        before: UnixSeconds,
        key: Option<&SealKey>,
    ) -> Result<(), StoreError> {
        loop {
            let key = key.cloned();
            let step = self.write(move |c| log_seals::prune::prune(c, log, before, key.as_ref()));
            if step.await? == 0 {
                return Ok(());
            }
        }
    }

    /// Deletes sessions of the console that have expired, and the digests of finished sign-ins that are too old to be
    /// finished again.
    pub async fn prune_console_sessions(
        &self,
        now: UnixSeconds,
        unused_since: UnixSeconds,
    ) -> Result<(), StoreError> {
        let prune = move |c: &mut AnyConnection| {
            console_sessions::prune(c, now, unused_since)?;
            finished_sign_ins::prune(c, now)?;
            Ok(())
        };
        self.write(prune).await
    }

    /// Deletes expired rows, in steps between which others write.
    pub async fn prune(&self, now: UnixSeconds, sign_ins_before: UnixSeconds) -> Result<(), StoreError> {
        let bodies = Arc::clone(&self.workers.bodies);
        self.write(move |c| maintenance::tidy(c, &bodies, now, sign_ins_before)).await?;
        let month = month_of(sign_ins_before);
        // One day may have more rows than a step deletes, and the next turn is a minute away.
        for _ in 0..SWEEPS {
            if self.write(move |c| sign_in_counts::prune(c, (sign_ins_before, month))).await? == 0 {
                break;
            }
        }
        for _ in 0..SWEEPS {
            let after = self.swept_to.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let ended: Option<String> =
                self.write(move |c| maintenance::sweep_assertions(c, &after, now)).await?;
            let is_over = ended.is_none();
            *self.swept_to.lock().unwrap_or_else(PoisonError::into_inner) = ended.unwrap_or_default();
            if is_over {
                break;
            }
        }
        Ok(())
    }
}

/// Whether an insert failed because a row with its key exists.
pub(crate) fn is_duplicate(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
}

/// Lists of strings are stored as JSON, since both databases then have the same column type.
pub(crate) fn to_json(list: &[String]) -> String {
    serde_json::Value::from(list).to_string()
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Damaged(e.to_string()))
}
