//! The threads that own the database connections: one writer with group commit on SQLite, a few on
//! PostgreSQL, and some readers.
//!
//! One durable commit costs one fsync whether it carries one exchange or two hundred, so a writer takes
//! whatever has queued while the last commit ran and answers all of it after the COMMIT.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use diesel::result::Error as DieselError;
use tokio::sync::oneshot;

use super::StoreError;
use super::batch::{self, Batch};
use super::connection::{AnyConnection, Kind, open};
use super::ledger::{Entry, RedeemError};
use crate::config::Database;

/// Jobs waiting for a thread; a full queue is overload, answered with 503 instead of a longer queue.
const QUEUE: usize = 4096;
/// Most jobs in one commit: bounds what a failed commit takes with it and how long readers wait.
const BATCH: usize = 256;
/// How long a caller waits while the database is known not to answer.
const SHORT_PATIENCE: Duration = Duration::from_millis(200);
/// Between attempts to connect, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What a job leaves behind: told how the commit went, it answers the waiting task.
pub(super) type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Says also whether the job failed.
pub(super) type WriteJob = Box<dyn FnOnce(&mut AnyConnection) -> (Finish, bool) + Send>;
/// Says whether the job failed.
type ReadJob = Box<dyn FnOnce(&mut AnyConnection) -> bool + Send>;
/// Where the outcome of an entry is waited for.
pub(super) type Answer = oneshot::Sender<Result<(), RedeemError>>;

/// What writers do.
pub(super) enum Job {
    /// For the ledger, which writes many at once.
    Entry(Box<Entry>, Answer),
    /// Anything else, in a transaction or savepoint of its own.
    Other(WriteJob),
}

/// How often was committed, and how many jobs the commits carried.
#[derive(Debug, Default)]
pub struct Counts {
    pub commits: AtomicU64,
    pub writes: AtomicU64,
}

/// Where jobs are handed to the threads, which end when this is dropped.
#[derive(Clone)]
pub struct Workers {
    writes: Sender<Job>,
    reads: Sender<ReadJob>,
    patience: Duration,
    /// Whether a caller has waited in vain since the database answered last.
    stalled: Arc<AtomicBool>,
    counts: Arc<Counts>,
}

/// What a thread needs besides its jobs.
#[derive(Clone)]
struct Post {
    url: String,
    config: Database,
    kind: Kind,
    stalled: Arc<AtomicBool>,
    counts: Arc<Counts>,
}

impl Workers {
    /// Starts the threads on a database that is already migrated.
    pub fn start(url: &str, config: &Database) -> Result<Self, StoreError> {
        let (writes, write_jobs) = bounded(QUEUE);
        let (reads, read_jobs) = bounded(QUEUE);
        let (stalled, counts) = <(Arc<AtomicBool>, Arc<Counts>)>::default();
        let kind = Kind::of(url).unwrap_or(Kind::Sqlite);
        let (writers, readers, patience) = match kind {
            // It has one writer at a time anyway.
            Kind::Sqlite => (1, config.readers, Duration::from_secs(10)),
            Kind::Postgres => (config.writers, config.readers, config.timeout.std()),
        };
        let post = Post {
            url: url.to_owned(),
            config: config.clone(),
            kind,
            stalled: Arc::clone(&stalled),
            counts: Arc::clone(&counts),
        };
        for _ in 0..writers.max(1) {
            let (post, jobs) = (post.clone(), write_jobs.clone());
            spawn("store-writer", move || post.write_until_closed(&jobs))?;
        }
        for _ in 0..readers.max(1) {
            let (post, jobs) = (post.clone(), read_jobs.clone());
            spawn("store-reader", move || post.read_until_closed(&jobs))?;
        }
        Ok(Self { writes, reads, patience, stalled, counts })
    }

    /// How often was committed so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Runs `job` in a transaction and answers after its COMMIT. An `Err` undoes this job alone.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + From<DieselError> + Send + 'static,
    {
        let (answer, done) = oneshot::channel();
        let job: WriteJob = Box::new(move |connection| {
            if answer.is_closed() {
                // Whoever asked has been told that nothing was done.
                return (Box::new(|_| ()), false);
            }
            let result = diesel::Connection::transaction(connection, job);
            let failed = result.is_err();
            let finish: Finish = Box::new(move |commit| {
                // The asker may be gone: the work is done all the same.
                let _ = answer.send(result.and_then(|value| commit.map(|()| value).map_err(E::from)));
            });
            (finish, failed)
        });
        submit(&self.writes, Job::Other(job))?;
        self.wait(done).await?
    }

    /// Writes an entry of the ledger and answers after its COMMIT. The write begins at once.
    pub fn enter(&self, entry: Entry) -> impl Future<Output = Result<(), RedeemError>> {
        let (answer, done) = oneshot::channel();
        let submitted = submit(&self.writes, Job::Entry(Box::new(entry), answer));
        async move {
            submitted?;
            self.wait(done).await?
        }
    }

    /// Runs `job` on a reader's connection; all its reads see one state of the database.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + From<DieselError> + Send + 'static,
    {
        let (answer, done) = oneshot::channel();
        let job: ReadJob = Box::new(move |connection| {
            if answer.is_closed() {
                return false;
            }
            let result = batch::read(connection, job);
            let failed = result.is_err();
            let _ = answer.send(result);
            failed
        });
        submit(&self.reads, job)?;
        self.wait(done).await?
    }

    /// Waits for an answer, but not for ever: a server that is gone may not be noticed for minutes.
    async fn wait<T>(&self, done: oneshot::Receiver<T>) -> Result<T, StoreError> {
        let stalled = self.stalled.load(Ordering::Relaxed);
        let patience = if stalled { SHORT_PATIENCE.min(self.patience) } else { self.patience };
        match tokio::time::timeout(patience, done).await {
            Ok(answer) => answer.map_err(|_| StoreError::Stopped),
            Err(_) => {
                self.stalled.store(true, Ordering::Relaxed);
                Err(StoreError::Timeout)
            }
        }
    }
}

fn submit<J>(queue: &Sender<J>, job: J) -> Result<(), StoreError> {
    queue.try_send(job).map_err(|error| match error {
        TrySendError::Full(_) => StoreError::Overloaded,
        TrySendError::Disconnected(_) => StoreError::Stopped,
    })
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    let started = thread::Builder::new().name(name.into()).spawn(run);
    started.map(drop).map_err(|e| StoreError::Open(format!("cannot start a thread: {e}")))
}

impl Post {
    fn write_until_closed(&self, jobs: &Receiver<Job>) {
        self.work(jobs, |connection, first| {
            let queued = std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1));
            let commits = Batch::of(queued).commit(connection, self.kind);
            self.counts.commits.fetch_add(commits.transactions, Ordering::Relaxed);
            self.counts.writes.fetch_add(commits.jobs, Ordering::Relaxed);
            commits.failed
        });
    }

    fn read_until_closed(&self, jobs: &Receiver<ReadJob>) {
        self.work(jobs, |connection, job| job(connection));
    }

    /// Takes jobs until there will be no more. `run` says whether something failed: the connection is looked
    /// at then, and replaced when it is of no use any more.
    fn work<J>(&self, jobs: &Receiver<J>, run: impl Fn(&mut AnyConnection, J) -> bool) {
        let Some(mut connection) = self.connect(jobs) else { return };
        while let Ok(job) = jobs.recv() {
            let sound = match catch_unwind(AssertUnwindSafe(|| run(&mut connection, job))) {
                Ok(false) => true,
                Ok(true) => connection.is_usable(),
                Err(_) => {
                    // The state of its transaction is unknown.
                    tracing::error!("a database job panicked; opening a new connection");
                    false
                }
            };
            if sound {
                self.stalled.store(false, Ordering::Relaxed);
                continue;
            }
            tracing::warn!("the connection to the database is of no use any more; opening a new one");
            match self.connect(jobs) {
                Some(new) => connection = new,
                None => return,
            }
        }
    }

    /// Opens a connection, trying again until there is one. Jobs that come meanwhile are dropped, which tells
    /// their askers at once. None when there will be no more jobs.
    fn connect<J>(&self, jobs: &Receiver<J>) -> Option<AnyConnection> {
        let mut pause = BACK_OFF.0;
        loop {
            match open(&self.url, &self.config) {
                Ok(connection) => return Some(connection),
                Err(error) => tracing::warn!(%error, "cannot connect to the database; trying again"),
            }
            let until = Instant::now() + pause;
            loop {
                match jobs.recv_deadline(until) {
                    Ok(job) => drop(job),
                    Err(error) if error.is_timeout() => break,
                    Err(_) => return None,
                }
            }
            pause = (pause * 2).min(BACK_OFF.1);
        }
    }
}
