//! The threads that own the database connections: one writer with group commit on SQLite, a few on PostgreSQL, and
//! some readers.
//!
//! One durable commit costs one fsync whether it carries one exchange or two hundred. So a writer takes everything
//! that has queued up during the last commit, and answers all of it after the COMMIT.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use diesel::result::Error as DieselError;
use tokio::sync::oneshot;

use super::StoreError;
use super::batch::Batch;
use super::checkpoint::{self, Checkpoints};
use super::connection::{AnyConnection, DatabaseKind, patience as patience_to_open};
use super::decision_body::KnownBodies;
use super::home::Home;
use super::job::{Finish, Health, Job, ReadJob, Start, WriteJob};
use super::ledger::{Entry, RedeemError};
use super::link::{ConnectionPlace, DatabaseLink};
use super::watchdog::{Call, Watchdog};
use super::work_queue::{self, QueueState, WorkQueue};
use crate::config::Database;

/// The most jobs in one commit: it limits how much a failed commit affects, and how long readers wait.
const BATCH: usize = 256;
/// How long it is waited for threads to end.
const CLOSING: Duration = Duration::from_secs(2);
/// The pause between attempts to connect: the first one, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The number of commits, and of the jobs in them.
#[derive(Debug, Default)]
pub struct CommitCounts {
    /// Transactions since the start.
    pub commits: AtomicU64,
    /// Jobs that these transactions carried: more than `commits` where several shared one.
    pub writes: AtomicU64,
}

/// Where jobs are handed over.
#[derive(Clone)]
pub struct Workers {
    writes: WorkQueue<Job>,
    reads: WorkQueue<ReadJob>,
    /// Reads that may be slow, such as lists: no sign-in waits behind them.
    lists: WorkQueue<ReadJob>,
    counts: Arc<CommitCounts>,
    /// The bodies that sign-ins need not write again.
    pub(super) bodies: Arc<KnownBodies>,
    home: Home,
    watchdog: Weak<Watchdog>,
}

/// Everything that a thread needs besides its jobs.
#[derive(Clone)]
struct WorkerContext {
    url: String,
    config: Database,
    kind: DatabaseKind,
    home: Home,
    state: Arc<QueueState>,
    counts: Arc<CommitCounts>,
    bodies: Arc<KnownBodies>,
    watchdog: Arc<Watchdog>,
}

impl Workers {
    /// Starts the threads on a migrated database.
    pub fn start(url: &str, config: &Database) -> Result<Self, StoreError> {
        let kind = DatabaseKind::of(url).unwrap_or(DatabaseKind::Sqlite);
        let (writers, patience) = match kind {
            // It has one writer at a time anyway.
            DatabaseKind::Sqlite => (1, Duration::from_secs(10)),
            DatabaseKind::Postgres => (config.writers, config.timeout.std()),
        };
        let (counts, bodies) = (Arc::<CommitCounts>::default(), Arc::<KnownBodies>::default());
        let home = Home::of(url);
        let until = Instant::now() + patience_to_open(url, config);
        let watchdog = Watchdog::start()?;
        let context = || WorkerContext {
            url: url.to_owned(),
            config: config.clone(),
            kind,
            home: home.clone(),
            state: Arc::default(),
            counts: Arc::clone(&counts),
            bodies: Arc::clone(&bodies),
            watchdog: Arc::clone(&watchdog),
        };
        let this = Self {
            writes: context().queue("store-writer", writers, patience, WorkerContext::write_until_closed)?,
            reads: context().queue(
                "store-reader",
                config.readers,
                patience,
                WorkerContext::read_until_closed,
            )?,
            lists: context().queue("store-lister", 1, patience, WorkerContext::read_until_closed)?,
            counts,
            bodies,
            home,
            watchdog: Arc::downgrade(&watchdog),
        };
        // The first request must not wait for a connection.
        match this.writes.is_connected_before(until) && this.reads.is_connected_before(until) {
            true => Ok(this),
            false => Err(StoreError::Timeout),
        }
    }

    /// Whether the database is still in its place.
    pub fn check_home(&self) -> Result<(), StoreError> {
        self.home.check()
    }

    /// Moves everything from SQLite's log into the database file; false if another process is in the way.
    pub async fn settle(&self) -> Result<bool, StoreError> {
        let (answer, done) = oneshot::channel();
        // Not in a transaction.
        self.lists.submit(Box::new(move |link| {
            let settled = checkpoint::finish(&mut link.connection);
            let failed = settled.is_err();
            let _ = answer.send(settled);
            failed
        }))?;
        Ok(self.lists.wait(done).await??)
    }

    /// Waits a while for the threads to end, since their connections stay open until then. Other holders of this keep
    /// them running.
    pub fn close(self) {
        let (watchdog, until) = (self.watchdog.clone(), Instant::now() + CLOSING);
        drop(self);
        while watchdog.strong_count() > 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs the work of one request: all its waits for the database together have one deadline.
    pub fn for_one_request<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        work_queue::for_one_request(self.writes.patience, work)
    }

    /// How often was committed so far.
    pub fn counts(&self) -> &CommitCounts {
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
                // The caller has been told that nothing was done.
                return (Box::new(|_| ()), false);
            }
            let result = match start {
                Start::Alone(link) => link.transaction(AnyConnection::begin_write, job),
                Start::Among(connection) => diesel::Connection::transaction(connection, job),
                Start::Never(error) => Err(E::from(StoreError::Commit(error.to_owned()))),
            };
            let failed = result.is_err();
            let finish: Finish = Box::new(move |commit| {
                // The caller may be gone; the work counts all the same.
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

    /// Runs a read that may take long.
    pub async fn list<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + From<DieselError> + Send + 'static,
    {
        self.lists.read(job).await
    }
}

impl WorkerContext {
    /// Starts threads, and the queue of their jobs.
    fn queue<J: Send + 'static>(
        self,
        name: &str,
        threads: usize,
        patience: Duration,
        work: fn(&Self, &Receiver<J>, &Arc<Call>),
    ) -> Result<WorkQueue<J>, StoreError> {
        WorkQueue::start(patience, &self.state, |jobs| {
            for _ in 0..threads.max(1) {
                let (context, jobs) = (self.clone(), jobs.clone());
                self.watchdog.run(name, &self.state.connected, move |call| work(&context, &jobs, call))?;
            }
            Ok(())
        })
    }

    fn write_until_closed(&self, jobs: &Receiver<Job>, call: &Arc<Call>) {
        let checkpoints = self.checkpoints();
        self.work(jobs, call, |link, first| {
            // Lets others on this core queue their jobs first: a fuller batch is worth more than an early one. If
            // nobody waits for the core, this takes no time.
            thread::yield_now();
            let queued = std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1));
            let batch = Batch::of(queued);
            let commits = match self.home.check() {
                Ok(()) => batch.commit(link, self.kind, &self.bodies),
                Err(error) => batch.refuse(&error.to_string()),
            };
            self.counts.commits.fetch_add(commits.transactions, Ordering::Relaxed);
            self.counts.writes.fetch_add(commits.jobs, Ordering::Relaxed);
            if let Some(checkpoints) = checkpoints.as_ref().filter(|_| commits.health == Health::Sound) {
                checkpoints.follow(&mut link.connection, commits.jobs);
            }
            commits.health
        });
    }

    /// The checkpoints beside SQLite's writer. Without them, SQLite makes checkpoints itself, inside a commit.
    fn checkpoints(&self) -> Option<Checkpoints> {
        let started =
            (self.kind == DatabaseKind::Sqlite).then(|| Checkpoints::start(&self.url, &self.config))?;
        started.inspect_err(|error| tracing::warn!(%error, "checkpoints are made by the writer")).ok()
    }

    fn read_until_closed(&self, jobs: &Receiver<ReadJob>, call: &Arc<Call>) {
        self.work(jobs, call, |link, job| if job(link) { Health::Doubtful } else { Health::Sound });
    }

    /// Takes jobs until there are no more, and replaces the connection when it breaks.
    fn work<J>(&self, jobs: &Receiver<J>, call: &Arc<Call>, run: impl Fn(&mut DatabaseLink, J) -> Health) {
        let place =
            ConnectionPlace { url: self.url.clone(), config: self.config.clone(), call: Arc::clone(call) };
        let Some(mut link) = self.connect(jobs, &place) else { return };
        while let Ok(job) = jobs.recv() {
            link.test_after_idleness();
            let sound = match catch_unwind(AssertUnwindSafe(|| run(&mut link, job))) {
                Ok(Health::Sound) => true,
                Ok(Health::Doubtful) => link.connection.is_usable(),
                Ok(Health::Broken) => false,
                Err(_) => {
                    // The state of its transaction is unknown.
                    tracing::error!("a database job panicked");
                    false
                }
            };
            call.end();
            if call.is_given_up() {
                return;
            }
            if sound {
                self.state.stalled.store(false, Ordering::Relaxed);
                link.rest();
                continue;
            }
            tracing::warn!("the connection to the database is broken; opening a new one");
            call.set_connected(false);
            drop(link);
            match self.connect(jobs, &place) {
                Some(new) => link = new,
                None => return,
            }
        }
    }

    /// Opens a connection, trying until it succeeds. None if there will be no more jobs, or the thread was abandoned
    /// meanwhile.
    fn connect<J>(&self, jobs: &Receiver<J>, place: &ConnectionPlace) -> Option<DatabaseLink> {
        let mut pause = BACK_OFF.0;
        loop {
            // Opening would make a new file.
            let opened = self.home.check().and_then(|()| place.open());
            if place.call.is_given_up() {
                return None;
            }
            match opened {
                Ok(connection) => {
                    place.call.set_connected(true);
                    return Some(DatabaseLink::new(connection, place));
                }
                Err(error) => tracing::warn!(%error, "cannot connect to the database; trying again"),
            }
            self.pause(jobs, Instant::now() + pause)?;
            pause = (pause * 2).min(BACK_OFF.1);
        }
    }

    /// Waits. While no thread has a connection, new jobs are dropped, so that their callers hear at once; otherwise
    /// they are left to the other threads. None if there will be no more jobs.
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
