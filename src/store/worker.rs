//! The threads that own the database connections: one writer with group commit, and some readers.
//!
//! One durable commit costs one fsync whether it carries one exchange or two hundred, so the writer
//! takes whatever has queued while the last commit ran, gives each job a savepoint of its own and
//! answers all of them after the COMMIT.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use diesel::Connection;
use diesel::result::Error as DieselError;
use tokio::sync::oneshot;

use super::StoreError;
use super::connection::{AnyConnection, open};

/// Jobs waiting for a thread; a full queue is overload, answered with 503 instead of a longer queue.
const QUEUE: usize = 4096;
/// Most jobs in one commit: bounds what a failed commit takes with it and how long readers wait.
const BATCH: usize = 256;

/// What a job leaves behind: told how the commit went, it answers the waiting task.
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Says also whether the job failed.
type WriteJob = Box<dyn FnOnce(&mut AnyConnection) -> (Finish, bool) + Send>;
type ReadJob = Box<dyn FnOnce(&mut AnyConnection) + Send>;

/// Where jobs are handed to the threads, which end when this is dropped.
#[derive(Clone)]
pub struct Workers {
    writes: Sender<WriteJob>,
    reads: Sender<ReadJob>,
}

impl Workers {
    /// Starts the threads on a database that is already migrated.
    pub fn start(url: &str, readers: usize) -> Result<Self, StoreError> {
        let (writes, write_jobs) = bounded(QUEUE);
        let (reads, read_jobs) = bounded(QUEUE);
        spawn("store-writer", url, move |connection, url| write_loop(connection, url, &write_jobs))?;
        for _ in 0..readers {
            let jobs = read_jobs.clone();
            spawn("store-reader", url, move |connection, url| read_loop(connection, url, &jobs))?;
        }
        Ok(Self { writes, reads })
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
            let result = connection.transaction(job);
            let failed = result.is_err();
            let finish: Finish = Box::new(move |commit| {
                // The asker may be gone: the work is done all the same.
                let _ = answer.send(result.and_then(|value| commit.map(|()| value).map_err(E::from)));
            });
            (finish, failed)
        });
        submit(&self.writes, job)?;
        done.await.map_err(|_| StoreError::Stopped)?
    }

    /// Runs `job` on a reader's connection.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + From<DieselError> + Send + 'static,
    {
        let (answer, done) = oneshot::channel();
        let job: ReadJob = Box::new(move |connection| {
            // In a transaction, so that all its reads see one state of the database.
            let _ = answer.send(connection.transaction(job));
        });
        submit(&self.reads, job)?;
        done.await.map_err(|_| StoreError::Stopped)?
    }
}

fn submit<J>(queue: &Sender<J>, job: J) -> Result<(), StoreError> {
    queue.try_send(job).map_err(|error| match error {
        TrySendError::Full(_) => StoreError::Overloaded,
        TrySendError::Disconnected(_) => StoreError::Stopped,
    })
}

fn spawn<F>(name: &str, url: &str, run: F) -> Result<(), StoreError>
where
    F: FnOnce(AnyConnection, &str) + Send + 'static,
{
    let connection = open(url)?;
    let url = url.to_owned();
    thread::Builder::new()
        .name(name.into())
        .spawn(move || run(connection, &url))
        .map(drop)
        .map_err(|e| StoreError::Open(format!("cannot start a thread: {e}")))
}

/// A job that panics must not take the store with it: its asker gets an error, and the connection,
/// whose transaction state is then unknown, is replaced.
fn survive(connection: &mut AnyConnection, url: &str, work: impl FnOnce(&mut AnyConnection)) {
    if catch_unwind(AssertUnwindSafe(|| work(connection))).is_err() {
        tracing::error!("a database job panicked; opening a new connection");
        match open(url) {
            Ok(new) => *connection = new,
            Err(error) => tracing::error!(%error, "cannot open a new connection"),
        }
    }
}

fn read_loop(mut connection: AnyConnection, url: &str, jobs: &Receiver<ReadJob>) {
    while let Ok(job) = jobs.recv() {
        survive(&mut connection, url, job);
    }
}

fn write_loop(mut connection: AnyConnection, url: &str, jobs: &Receiver<WriteJob>) {
    while let Ok(first) = jobs.recv() {
        let batch = std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1)).collect();
        survive(&mut connection, url, |connection| commit_batch(connection, batch));
    }
}

fn commit_batch(connection: &mut AnyConnection, batch: Vec<WriteJob>) {
    if let Err(error) = connection.begin_write() {
        // Dropped jobs drop their answers: every asker is told `Stopped`. Tell the cause once.
        tracing::error!(%error, jobs = batch.len(), "cannot begin a transaction");
        return;
    }
    let mut finishes: Vec<Finish> = Vec::with_capacity(batch.len());
    let mut committed = Ok(());
    for job in batch {
        let (finish, failed) = job(connection);
        finishes.push(finish);
        // A full disk makes SQLite undo the whole transaction, not the savepoint alone. What came
        // before is lost then, and what came after would commit by itself: stop and tell everybody.
        if failed && !connection.is_in_transaction() {
            committed = Err("the database undid the transaction".to_owned());
            break;
        }
    }
    let committed = committed.and_then(|()| connection.commit_write().map_err(|e| e.to_string()));
    if let Err(error) = &committed {
        tracing::error!(%error, jobs = finishes.len(), "cannot commit; nothing was written");
        connection.roll_back();
    }
    for finish in finishes {
        finish(committed.clone().map_err(StoreError::Commit));
    }
}
