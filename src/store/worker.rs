//! The threads that own the database connections: one writer with group commit on SQLite, a few on
//! PostgreSQL, and some readers.
//!
//! One durable commit costs one fsync whether it carries one exchange or two hundred, so a writer takes
//! whatever has queued while the last commit ran and answers all of it after the COMMIT.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use diesel::result::Error as DieselError;
use tokio::sync::oneshot;

use super::StoreError;
use super::batch::{self, Batch};
use super::checkpoint::Checkpoints;
use super::connection::{AnyConnection, Kind, open};
use super::home::Home;
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
pub(super) type WriteJob = Box<dyn FnOnce(Start<'_>) -> (Finish, bool) + Send>;
/// Says whether the job failed.
type ReadJob = Box<dyn FnOnce(&mut AnyConnection) -> bool + Send>;
/// Where the outcome of an entry is waited for.
pub(super) type Answer = oneshot::Sender<Result<(), RedeemError>>;

/// How a job begins.
pub(super) enum Start<'a> {
    /// In a transaction or savepoint that it opens itself.
    On(&'a mut AnyConnection),
    /// Not at all, and why.
    Never(&'a str),
}

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

/// A queue with the threads that work it off, which end when this is dropped.
struct Lane<J> {
    queue: Sender<J>,
    patience: Duration,
    state: Arc<State>,
}

/// What is known of the threads of a lane.
#[derive(Default)]
struct State {
    /// Whether a caller has waited in vain since something was done last.
    stalled: AtomicBool,
    /// How many threads have a connection.
    connected: AtomicUsize,
}

/// Where jobs are handed over.
#[derive(Clone)]
pub struct Workers {
    writes: Lane<Job>,
    reads: Lane<ReadJob>,
    /// Reads that may take long, such as lists: no sign-in waits behind them.
    lists: Lane<ReadJob>,
    counts: Arc<Counts>,
}

/// What a thread needs besides its jobs.
#[derive(Clone)]
struct Post {
    url: String,
    config: Database,
    kind: Kind,
    home: Home,
    state: Arc<State>,
    counts: Arc<Counts>,
}

/// What is to be thought of a connection after some work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Sound,
    /// Something failed: it is to be looked at.
    Doubtful,
    /// Not to be used again.
    Broken,
}

impl Workers {
    /// Starts the threads on a database that is already migrated.
    pub fn start(url: &str, config: &Database) -> Result<Self, StoreError> {
        let kind = Kind::of(url).unwrap_or(Kind::Sqlite);
        let (writers, patience) = match kind {
            // It has one writer at a time anyway.
            Kind::Sqlite => (1, Duration::from_secs(10)),
            Kind::Postgres => (config.writers, config.timeout.std()),
        };
        let (counts, home) = (Arc::<Counts>::default(), Home::of(url));
        let post = || Post {
            url: url.to_owned(),
            config: config.clone(),
            kind,
            home: home.clone(),
            state: Arc::default(),
            counts: Arc::clone(&counts),
        };
        Ok(Self {
            writes: Lane::start("store-writer", writers, patience, post(), Post::write_until_closed)?,
            reads: Lane::start("store-reader", config.readers, patience, post(), Post::read_until_closed)?,
            lists: Lane::start("store-lister", 1, patience, post(), Post::read_until_closed)?,
            counts,
        })
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
        let job: WriteJob = Box::new(move |start| {
            if answer.is_closed() {
                // Whoever asked has been told that nothing was done.
                return (Box::new(|_| ()), false);
            }
            let result = match start {
                Start::On(connection) => diesel::Connection::transaction(connection, job),
                Start::Never(error) => Err(E::from(StoreError::Commit(error.to_owned()))),
            };
            let failed = result.is_err();
            let finish: Finish = Box::new(move |commit| {
                // The asker may be gone: the work is done all the same.
                let _ = answer.send(result.and_then(|value| commit.map(|()| value).map_err(E::from)));
            });
            (finish, failed)
        });
        self.writes.submit(Job::Other(job))?;
        self.writes.wait(done).await?
    }

    /// Writes an entry of the ledger and answers after its COMMIT. The write begins at once.
    pub fn enter(&self, entry: Entry) -> impl Future<Output = Result<(), RedeemError>> {
        let (answer, done) = oneshot::channel();
        let submitted = self.writes.submit(Job::Entry(Box::new(entry), answer));
        async move {
            submitted?;
            self.writes.wait(done).await?
        }
    }

    /// Runs `job` on a reader's connection; all its reads see one state of the database.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + From<DieselError> + Send + 'static,
    {
        self.reads.read(job).await
    }

    /// The same for what may take long.
    pub async fn list<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + From<DieselError> + Send + 'static,
    {
        self.lists.read(job).await
    }
}

impl Lane<ReadJob> {
    async fn read<T, E, F>(&self, job: F) -> Result<T, E>
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
        self.submit(job)?;
        self.wait(done).await?
    }
}

impl<J> Clone for Lane<J> {
    fn clone(&self) -> Self {
        let Self { queue, patience, state } = self;
        Self { queue: queue.clone(), patience: *patience, state: Arc::clone(state) }
    }
}

impl<J: Send + 'static> Lane<J> {
    fn start(
        name: &str,
        threads: usize,
        patience: Duration,
        post: Post,
        work: fn(&Post, &Receiver<J>),
    ) -> Result<Self, StoreError> {
        let (queue, jobs) = bounded(QUEUE);
        let state = Arc::clone(&post.state);
        for _ in 0..threads.max(1) {
            let (post, jobs) = (post.clone(), jobs.clone());
            spawn(name, move || work(&post, &jobs))?;
        }
        Ok(Self { queue, patience, state })
    }

    fn submit(&self, job: J) -> Result<(), StoreError> {
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Overloaded,
            TrySendError::Disconnected(_) => StoreError::Stopped,
        })
    }

    /// Waits for an answer, but not for ever: a server that is gone may not be noticed for minutes. Only who has
    /// waited in full can tell that it does not answer.
    async fn wait<T>(&self, done: oneshot::Receiver<T>) -> Result<T, StoreError> {
        let stalled = self.state.stalled.load(Ordering::Relaxed);
        let patience = if stalled { SHORT_PATIENCE.min(self.patience) } else { self.patience };
        match tokio::time::timeout(patience, done).await {
            Ok(answer) => answer.map_err(|_| StoreError::Stopped),
            Err(_) => {
                if !stalled {
                    self.state.stalled.store(true, Ordering::Relaxed);
                }
                Err(StoreError::Timeout)
            }
        }
    }
}

pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    let started = thread::Builder::new().name(name.into()).spawn(run);
    started.map(drop).map_err(|e| StoreError::Open(format!("cannot start a thread: {e}")))
}

impl Post {
    fn write_until_closed(&self, jobs: &Receiver<Job>) {
        let checkpoints = self.checkpoints();
        self.work(jobs, |connection, first| {
            // Whoever is about to queue another job on this core comes first: a fuller batch is worth more than an
            // early one. Where nobody waits for the core, this takes no time.
            thread::yield_now();
            let queued = std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1));
            let batch = Batch::of(queued);
            let commits = match self.home.check() {
                Ok(()) => batch.commit(connection, self.kind),
                Err(error) => batch.refuse(&error.to_string()),
            };
            self.counts.commits.fetch_add(commits.transactions, Ordering::Relaxed);
            self.counts.writes.fetch_add(commits.jobs, Ordering::Relaxed);
            if let Some(checkpoints) = checkpoints.as_ref().filter(|_| commits.health == Health::Sound) {
                checkpoints.follow(connection, commits.jobs);
            }
            commits.health
        });
    }

    /// Beside the writer of SQLite. Where there are none, SQLite makes them itself, within a commit.
    fn checkpoints(&self) -> Option<Checkpoints> {
        let started = (self.kind == Kind::Sqlite).then(|| Checkpoints::start(&self.url, &self.config))?;
        started.inspect_err(|error| tracing::warn!(%error, "checkpoints are made by the writer")).ok()
    }

    fn read_until_closed(&self, jobs: &Receiver<ReadJob>) {
        self.work(jobs, |connection, job| if job(connection) { Health::Doubtful } else { Health::Sound });
    }

    /// Takes jobs until there will be no more, and replaces the connection when it is of no use any more.
    fn work<J>(&self, jobs: &Receiver<J>, run: impl Fn(&mut AnyConnection, J) -> Health) {
        let Some(mut connection) = self.connect(jobs) else { return };
        while let Ok(job) = jobs.recv() {
            let sound = match catch_unwind(AssertUnwindSafe(|| run(&mut connection, job))) {
                Ok(Health::Sound) => true,
                Ok(Health::Doubtful) => connection.is_usable(),
                Ok(Health::Broken) => false,
                Err(_) => {
                    // The state of its transaction is unknown.
                    tracing::error!("a database job panicked");
                    false
                }
            };
            if sound {
                self.state.stalled.store(false, Ordering::Relaxed);
                continue;
            }
            tracing::warn!("the connection to the database is of no use any more; opening a new one");
            self.state.connected.fetch_sub(1, Ordering::Relaxed);
            match self.connect(jobs) {
                Some(new) => connection = new,
                None => return,
            }
        }
        self.state.connected.fetch_sub(1, Ordering::Relaxed);
    }

    /// Opens a connection, trying again until there is one. None when there will be no more jobs.
    fn connect<J>(&self, jobs: &Receiver<J>) -> Option<AnyConnection> {
        let mut pause = BACK_OFF.0;
        loop {
            // Opening would make a new file.
            match self.home.check().and_then(|()| open(&self.url, &self.config)) {
                Ok(connection) => {
                    self.state.connected.fetch_add(1, Ordering::Relaxed);
                    return Some(connection);
                }
                Err(error) => tracing::warn!(%error, "cannot connect to the database; trying again"),
            }
            self.pause(jobs, Instant::now() + pause)?;
            pause = (pause * 2).min(BACK_OFF.1);
        }
    }

    /// Waits. While no thread has a connection, jobs that come are dropped, which tells their askers at once;
    /// otherwise they are left to the others. None when there will be no more jobs.
    fn pause<J>(&self, jobs: &Receiver<J>, until: Instant) -> Option<()> {
        loop {
            if self.state.connected.load(Ordering::Relaxed) > 0 {
                thread::sleep(until.saturating_duration_since(Instant::now()));
                return Some(());
            }
            match jobs.recv_deadline(until) {
                Ok(job) => drop(job),
                Err(error) if error.is_timeout() => return Some(()),
                Err(_) => return None,
            }
        }
    }
}
